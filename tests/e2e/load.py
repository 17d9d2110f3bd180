"""Load on a service, with every connection accounted for (see load.c)."""
import collections
import contextlib
import errno
import mmap
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import time

from sandbox import wait_for

HERE = pathlib.Path(__file__).parent

Connection = collections.namedtuple(
    "Connection", "begin connected end requests color number stage error")


def now():
    """The clock of load.c."""
    return time.monotonic_ns()


def build(name, directory):
    """load.c or server.c as a program."""
    compiler = os.environ.get("CC") or shutil.which("cc") or "clang"
    binary = pathlib.Path(directory) / name
    subprocess.run([compiler, "-O2", "-o", binary, HERE / f"{name}.c"], check=True)
    return binary


class Load:
    """One stream of requests; mode is "new", "keep" or "renew" (after `lifetime` ms at most)."""

    def __init__(self, binary, client, mode, address, port=80, connections=8, rate=500,
                 lifetime=None):
        self.title = f"{mode} {address}"
        self.file = tempfile.NamedTemporaryFile()
        self.file.truncate(16)
        self.memory = mmap.mmap(self.file.fileno(), 16)
        self.process = client.popen(
            [binary, mode, connections, rate, address, port, self.file.name,
             *([lifetime] if mode == "renew" else [])],
            stdout=subprocess.PIPE, text=True)

    def progress(self):
        """Requests so far: good, failed."""
        return struct.unpack("QQ", self.memory)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Let requests under way end; every connection the load made."""
        self.process.terminate()
        output, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, f"load {self.title} failed"
        return [self.parse(line.split()) for line in output.splitlines()]

    @staticmethod
    def parse(fields):
        begin, connected, end, requests, color, number, stage, error = fields
        color = {"b": "blue", "g": "green"}.get(color)
        return Connection(int(begin), int(connected), int(end), int(requests), color, int(number),
                          stage, int(error))


class Loads:
    """Several streams at once, as a context; connections are there after it."""

    def __init__(self, *loads):
        self.loads = loads
        self.by_title = {}

    def __enter__(self):
        try:
            self.wait_more()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.kill()
            return
        self.by_title = {load.title: load.stop() for load in self.loads}

    def kill(self):
        for load in self.loads:
            load.kill()

    def wait_more(self, requests=5):
        """Until each stream has had this many more good answers."""
        before = [load.progress()[0] for load in self.loads]
        for load, good in zip(self.loads, before):
            wait_for(lambda: load.progress()[0] >= good + requests,
                     f"{requests} more answers to {load.title}")

    def connections(self):
        return [c for connections in self.by_title.values() for c in connections]

    def failures(self):
        return [c for c in self.connections() if c.error]

    def requests(self):
        return sum(c.requests for c in self.connections())

    def assert_no_failure(self):
        assert not self.failures(), f"failed: {describe(self.failures())}"
        for title, connections in self.by_title.items():
            assert sum(c.requests for c in connections), f"{title}: no request"


def describe(connections):
    kinds = collections.Counter((c.stage, errno.errorcode.get(c.error, c.error))
                                for c in connections)
    return ", ".join(f"{count} x {stage} {error}" for (stage, error), count in kinds.items())


@contextlib.contextmanager
def noting(times):
    """Append (begin, end) of what the block does."""
    begin = now()
    yield
    times.append((begin, now()))
