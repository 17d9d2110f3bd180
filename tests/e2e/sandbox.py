"""Private namespaces and a private cgroup for the whole test session.

The test process itself steps into them, so everything it starts is inside as
well and the machine's own network, mounts and bpffs are never touched.
"""
import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import tempfile
import time

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
BPFFS = "/sys/fs/bpf"
PREFIX = "bgswitch-e2e-"

libc = ctypes.CDLL(None, use_errno=True)


def system_call(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def wait_for(condition, what, seconds=15.0):
    """Poll until the condition is true; return what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain: {what}"
        time.sleep(0.002)


def cgroup2_mount():
    with open("/proc/mounts") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[2] == "cgroup2":
                return fields[1]
    raise RuntimeError("no cgroup2 file system is mounted: mount one to run the e2e tests")


def own_cgroup():
    with open("/proc/self/cgroup") as lines:
        for line in lines:
            if line.startswith("0::"):
                return line[3:].strip()
    return "/"


class Cgroup:
    """One cgroup below our own: bgswitch attaches here, servers run here."""

    def __init__(self):
        mount = cgroup2_mount()
        self.home = mount + own_cgroup().rstrip("/")
        self.sweep_stale()
        self.path = tempfile.mkdtemp(prefix=PREFIX, dir=self.home)
        os.chmod(self.path, 0o755)
        self.lock = lock(self.path)
        self.move_to(self.path)

    def sweep_stale(self):
        """Remove what a session that was killed has left behind: nobody holds its lock."""
        for name in os.listdir(self.home):
            path = f"{self.home}/{name}"
            held = name.startswith(PREFIX) and lock(path)
            if held:
                kill_members(path)
                with contextlib.suppress(OSError):  # in use by processes that are hidden from us
                    os.rmdir(path)
                os.close(held)

    @staticmethod
    def move_to(path):
        with open(f"{path}/cgroup.procs", "w") as procs:
            procs.write(str(os.getpid()))

    def remove(self):
        kill_members(self.path)
        self.move_to(self.home)
        os.rmdir(self.path)


def lock(path):
    """A descriptor that holds a directory as long as it is open; None: somebody else has it."""
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(directory)
        return None
    return directory


def members(path):
    with open(f"{path}/cgroup.procs") as procs:
        return [int(pid) for pid in procs.read().split() if int(pid) not in (0, os.getpid())]


def living(path):
    """Members that still run; zombies are their parents' business."""
    return [pid for pid in members(path) if not is_zombie(pid)]


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def kill_members(path):
    def none_left():
        pids = living(path)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not pids

    wait_for(none_left, f"every process in {path} to end")


def enter():
    """Step into private namespaces; return the cgroup to remove at the end."""
    cgroup = Cgroup()
    try:
        system_call(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
        make_mounts_private()
        mount("-t", "tmpfs", "tmpfs", "/run")
        mount("-t", "bpf", "bpf", BPFFS)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    except BaseException:
        cgroup.remove()
        raise
    return cgroup


def open_to_all(program):
    """A place where other users can run it: a checkout below /root is closed to them."""
    place = f"/run/bin/{os.path.basename(program)}"
    os.mkdir(os.path.dirname(place), 0o755)
    with open(place, "x"):
        mount("--bind", program, place)
    return place


def make_mounts_private():
    """What is mounted from here on stays here."""
    if subprocess.run(["mount", "--make-rprivate", "/"], stderr=subprocess.DEVNULL).returncode:
        # In a chroot / may be no mount point: then each mount that can be seen there.
        with open("/proc/self/mounts") as mounts:
            for line in mounts:
                mount("--make-private", line.split()[1])


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)
