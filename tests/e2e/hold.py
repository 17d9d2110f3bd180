"""Connections that are held open (see hold.c), and what bgswitch counts of them."""
import collections
import contextlib
import json
import mmap
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

import host
from sandbox import wait_for

CUT = 4  # exit code: connections were cut, or are left, at the deadline
SOURCE = pathlib.Path(__file__).with_name("hold.c")
NOTHING = {"handshaking": 0, "accept_queue": 0, "established": 0, "closing": 0, "untagged": 0,
           "syn_cookies": False}

Progress = collections.namedtuple("Progress", "open answered fin reset failed")
End = collections.namedtuple("End", "when how")


def build(directory):
    compiler = os.environ.get("CC") or shutil.which("cc") or "clang"
    binary = pathlib.Path(directory) / "hold"
    subprocess.run([compiler, "-O2", "-Wall", "-o", binary, SOURCE], check=True)
    return binary


class Held:
    """One process of hold.c, server or client."""

    def __init__(self, namespace, binary, mode, address, port, *words):
        self.file = tempfile.NamedTemporaryFile()
        self.file.truncate(40)
        self.memory = mmap.mmap(self.file.fileno(), 40)
        self.process = namespace.popen(
            [binary, mode, self.file.name, address, port, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def progress(self):
        return Progress(*struct.unpack("5Q", self.memory))

    @property
    def pid(self):
        return self.process.pid

    def wait(self, seconds=30, **numbers):
        """Until its progress is as said; the progress."""
        def arrived():
            assert self.process.poll() is None, f"{self.process.args} ended"
            return all(getattr(self.progress, name) == number
                       for name, number in numbers.items())

        try:
            wait_for(arrived, f"{numbers}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.progress}") from None
        return self.progress

    def close(self, number):
        """The client ends so many of its connections."""
        self.process.stdin.write(f"close {number}\n")
        self.process.stdin.flush()

    def ends(self):
        """The client is done: the ends it saw, in their order."""
        output, _ = self.process.communicate(timeout=60)
        return [End(int(line.split()[0]), line.split()[1]) for line in output.splitlines()]

    def kill(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.stdout.close()


class Holding:
    """Starts them, and ends what is left."""

    def __init__(self, binary, net):
        self.binary, self.net, self.started = binary, net, []

    def serve(self, port, address="::", answers=True, namespace=None):
        where = namespace or self.net.host
        server = self.start(where, "serve", address, port, "answer" if answers else "silent")
        table = "tcp6" if ":" in address else "tcp"
        wait_for(lambda: listens(where, port, table), f"a listener on {address} {port}")
        return server

    def connect(self, count, address=host.HOST4, port=80, sources=4, namespace=None,
                answers=True, wait=True):
        """That many connections, each answered once if its server does; from several clients."""
        addresses = host.crowd(sources, host.family_of(address)) if not namespace else ["127.0.0.1"]
        client = self.start(namespace or self.net.client, "connect", address, port, count,
                            *addresses)
        if wait:
            client.wait(seconds=60, open=count, **({"answered": count} if answers else {}))
        return client

    def start(self, *words):
        self.started.append(Held(words[0], self.binary, *words[1:]))
        return self.started[-1]

    def close(self):
        for held in self.started:
            held.kill()


def listens(namespace, port, table):
    with namespace.entered(), open(f"/proc/thread-self/net/{table}") as lines:
        next(lines)
        rows = [line.split() for line in lines]
    return any(row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port for row in rows)


# ---- what bgswitch says of them


def expected(**numbers):
    """A color's connections: those that are named, no other ones."""
    return {**NOTHING, **numbers}


class Counts:
    """What `status -j` says of a service's connections."""

    def __init__(self, bgs, service="default"):
        self.bgs, self.name = bgs, service

    def color(self, color):
        return self.bgs.service(self.name)["colors"][color]["connections"]

    def safe(self, color):
        return self.bgs.service(self.name)["colors"][color]["safe_to_stop"]

    def instances(self, color):
        return {instance["address"]: instance["connections"]
                for instance in self.bgs.instances(color, self.name)}

    def wait(self, color, seconds=15, **numbers):
        """Until exactly these are there: packets may be on their way yet."""
        last = None

        def as_said():
            nonlocal last
            last = self.color(color)
            return last == expected(**numbers)

        try:
            wait_for(as_said, f"{color} to have {numbers or 'nothing'}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}, but it has {last}") from None

    def wait_safe(self, color, seconds=15):
        wait_for(lambda: self.safe(color) is True, f"{color} to be safe to stop", seconds)


def listed(bgs, *words):
    """What `conns -j` lists."""
    return json.loads(bgs("conns", "-j", *words))
