"""What is missing is named, and the rest goes on as before."""
import json

import pytest

import cli
from cli import DONE, FAILED

UNKNOWN = "no color is known to be safe to stop"
UNREGISTERED = "new listeners are not registered by themselves"


@pytest.fixture
def no_cgroup2(net, bgs):
    """no_cgroup2(words): bgswitch where no cgroup v2 is mounted."""
    script = ("while m=$(awk '$3 == \"cgroup2\" { print $2; exit }' /proc/mounts) && test \"$m\"; "
              f"do umount -l \"$m\"; done; exec {cli.BINARY} \"$@\"")
    environment = {name: value for name, value in bgs.environment.items()
                   if name != "BGSWITCH_CGROUP"}

    def run(*words):
        return net.host.run(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
                             script, "sh", *words], env=environment)
    return run


def assert_unknown(bgs):
    service = bgs.service()
    for color in service["colors"].values():
        assert color["safe_to_stop"] is None
        assert set(color["connections"].values()) == {None}
    assert UNKNOWN in bgs.warnings()


def assert_not_drained(bgs, color):
    result = bgs.run("drain", color)
    assert result.returncode == FAILED and UNKNOWN in result.stderr, result


def test_no_cgroup2_mounted(bgs, labels, ask, no_cgroup2):
    """Nothing registers listeners or counts connections; those there are were adopted."""
    result = no_cgroup2("attach", "eth0")
    assert result.returncode == DONE and UNREGISTERED in result.stderr, result
    assert not (cli.PINS / "register_link").exists()
    assert ask() == "blue"
    assert_unknown(bgs)
    result = no_cgroup2("set", "green", "--soak", "0", "-j")
    assert result.returncode == DONE and UNKNOWN in result.stderr, result
    assert json.loads(result.stdout)["drained"]["safe_to_stop"] is None
    assert ask() == "green"
    assert_not_drained(bgs, "blue")
    bgs("attach", "eth0")
    assert (cli.PINS / "register_link").exists()
    assert UNKNOWN not in bgs.warnings(), "with a cgroup again"


@pytest.mark.parametrize("missing", [
    ("walk",), ("queue",), ("adopt", "walk", "queue"),
    ("adopt", "walk", "queue", "register_link")], ids="+".join)
def test_kernel_without(attached, labels, ask, missing):
    """What could not be loaded is not pinned."""
    for name in missing:
        (cli.PINS / name).unlink()
    assert_unknown(attached)
    assert_not_drained(attached, "green")
    attached("set", "green", "--soak", "0")
    assert ask() == "green"
    attached("conns", expect=FAILED if "walk" in missing else DONE)
    attached("upgrade")
    assert UNKNOWN not in attached.warnings(), "the kernel has it after all"


def test_maps_of_layout_2(attached, labels, ask):
    """It had fewer maps, of other sizes: its number is what matters."""
    settings, = cli.bpftool("map", "dump", "pinned", cli.PINS / "settings")
    value = [int(byte, 16) for byte in settings["value"]]
    cli.bpftool("map", "update", "pinned", cli.PINS / "settings", "key", 0, 0, 0, 0, "value",
                2, 0, 0, 0, *value[4:])
    for name in ("connections", "cookies", "rotation"):
        (cli.PINS / name).unlink()
    cli.bpftool("map", "create", cli.PINS / "rotation", "type", "array", "key", "4", "value", "32",
                "entries", "1024", "name", "rotation")
    for words in (("upgrade",), ("attach", "eth0"), ("status",), ("drain", "green")):
        result = attached.run(*words)
        assert result.returncode == FAILED and "layout 2;" in result.stderr, result
    assert ask() == "blue", "steering goes on"
    attached("detach", "all")
    attached("attach", "eth0")
    assert ask() == "blue"
