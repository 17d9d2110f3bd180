"""Runs bgswitch inside a host's network namespace."""
import json
import os
import pathlib
import shutil
import subprocess

import sandbox

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("BGSWITCH", str(REPOSITORY / "build/bgswitch"))
PINS = pathlib.Path(sandbox.BPFFS) / "bgswitch"
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"

DONE, USAGE, FAILED, REFUSED, CUT, ROLLED_BACK, BUSY = 0, 1, 2, 3, 4, 5, 7


class Bgswitch:
    def __init__(self, namespace, cgroup, run_dir):
        self.namespace = namespace
        self.run_dir = pathlib.Path(run_dir)
        self.state_dir = self.run_dir.parent / "state"
        self.environment = {**os.environ, "BGSWITCH_CGROUP": str(cgroup),
                            "BGSWITCH_RUN_DIR": str(self.run_dir),
                            "BGSWITCH_STATE_DIR": str(self.state_dir)}

    def run(self, *words, **options):
        """Whatever comes out of it: a CompletedProcess."""
        options.setdefault("env", self.environment)
        return self.namespace.run([BINARY, *words], **options)

    def __call__(self, *words, expect=DONE, **options):
        """Standard output, after the exit code was the expected one."""
        result = self.run(*words, **options)
        assert result.returncode == expect, (
            f"bgswitch {' '.join(map(str, words))}: exit code {result.returncode}, "
            f"expected {expect}\nstdout: {result.stdout}\nstderr: {result.stderr}")
        return result.stdout

    def start(self, *words, **options):
        options = {"env": self.environment, "stdout": subprocess.PIPE,
                   "stderr": subprocess.PIPE, "text": True, **options}
        return self.namespace.popen([BINARY, *words], **options)

    def status(self):
        return json.loads(self("status", "-j"))

    def service(self, name="default"):
        return next(s for s in self.status()["services"] if s["name"] == name)

    def counters(self, name="default"):
        """Every total of a service in one flat table."""
        service = self.service(name)
        return {**service["counters"],
                **{color: service["colors"][color]["steered_total"]
                   for color in ("blue", "green")}}

    def instances(self, color, name="default"):
        return self.service(name)["colors"][color]["instances"]

    def listening(self, color, name="default"):
        return [i["address"] for i in self.instances(color, name) if i["listening"]]

    def wait_listening(self, color, count=1, name="default"):
        sandbox.wait_for(lambda: len(self.listening(color, name)) == count,
                         f"{count} listening instances of {name} {color}")

    def warnings(self):
        return "\n".join(self.status()["warnings"])


def bpftool(*words, **options):
    """bpftool's JSON."""
    result = subprocess.run([BPFTOOL, "-j", *map(str, words)], capture_output=True, text=True,
                            **options)
    answer = json.loads(result.stdout or "null")
    # bpftool 7.5 ends "link show pinned" with a failure although it shows the link.
    good = "error" not in answer if answer else result.returncode == 0
    assert good, f"bpftool {words}: {result}"
    return answer


def dump(name):
    """A pinned map the way a person reads it: BTF names, enum names."""
    entries = bpftool("map", "dump", "pinned", PINS / name)
    return [entry.get("formatted", entry) for entry in entries]


def sockets():
    """How many listeners are in the map, whoever put them there."""
    return sum("error" not in str(entry["value"]) for entry in dump("sockets"))


def kernel_objects():
    """Ids of every link, program and map in the kernel."""
    return {kind: {entry["id"] for entry in listing(kind)} for kind in ("link", "prog", "map")}


def listing(kind):
    """bpftool gives up on an object that somebody makes or removes just then: ask again."""
    for _ in range(100):
        result = subprocess.run([BPFTOOL, "-j", kind, "list"], capture_output=True, text=True)
        if result.returncode == 0:
            return json.loads(result.stdout or "[]")
    raise AssertionError(f"bpftool {kind} list: {result.stdout}{result.stderr}")


def new_objects(before):
    """Ids that were not there before, by kind; empty sets are left out."""
    added = {kind: ids - before[kind] for kind, ids in kernel_objects().items()}
    return {kind: ids for kind, ids in added.items() if ids}


def remove_pins():
    shutil.rmtree(PINS, ignore_errors=True)
