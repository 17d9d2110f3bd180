"""One writer at a time, and no unprivileged process in the way."""
import fcntl
import signal
import threading

import pytest

from cli import BUSY
from sandbox import wait_for

WRITERS = [("set", "green", "--no-wait"), ("split", "30"), ("attach", "eth0"), ("detach", "all"), ("upgrade",),
           ("preview", "add", "10.0.0.0/8", "green"), ("service", "rm", "default"),
           ("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001", "--green",
            "9002")]


def lock_files(bgs):
    return [path for path in bgs.run_dir.iterdir() if path.is_file()]


def is_locked(bgs):
    """Held, and its holder has come to write down what it does."""
    for path in lock_files(bgs):
        with open(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() != ""
    return False


@pytest.fixture
def stopped(attached):
    """An upgrade that was stopped while it held the lock."""
    def stop_one():
        process = attached.start("upgrade")
        while process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            wait_for(lambda: state(process.pid) in "TZX", "the upgrade to stop")
            if is_locked(attached):
                return process
            process.send_signal(signal.SIGCONT)
        process.communicate()
        return None

    process = wait_for(stop_one, "an upgrade to be caught under way")
    yield process
    process.kill()
    process.communicate()


def state(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def test_second_writer_is_told_who_is_first(attached, labels, stopped):
    before = attached.status()
    for words in WRITERS:
        result = attached.run(*words)
        assert result.returncode == BUSY, (words, result)
        assert result.stdout == ""
        line, = result.stderr.splitlines()
        assert "upgrade" in line and str(stopped.pid) in line
    assert attached.status() == before, "looking needs no lock"


def test_another_run_directory_is_no_way_around(attached, labels, stopped, tmp_path):
    result = attached.run("--run-dir", tmp_path / "other", "set", "green", "--no-wait")
    assert result.returncode == BUSY
    assert attached.service()["active"] == "blue"


def test_lock_of_a_killed_writer_is_free(attached, labels, stopped, ask):
    stopped.kill()
    stopped.communicate()
    attached("set", "green", "--no-wait")
    assert ask() == "green"


def test_unprivileged_processes_cannot_open_the_lock(attached, labels):
    """They could hold a lock on any file that they can open, for reading too."""
    attached("set", "green", "--no-wait")
    paths = lock_files(attached)
    assert paths
    for path in paths:
        for mode in ("-r", "-w"):
            result = attached.namespace.run(["test", mode, path], user=65534, group=65534,
                                            extra_groups=[])
            assert result.returncode == 1, f"test {mode} {path}"


def test_one_lock_whatever_the_words(attached, labels):
    """Writers at once: each is done or told to wait, and the state is one of theirs."""
    results = []

    def write(color):
        for _ in range(20):
            results.append(attached.run("set", color, "--no-wait").returncode)

    threads = [threading.Thread(target=write, args=(color,)) for color in ("blue", "green")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) <= {0, BUSY}
    assert 0 in results
    assert attached.service()["active"] in ("blue", "green")
