"""SIGKILL at random moments of attach, set and detach; the next command works."""
import random
import time

import pytest

import cli
import sandbox

pytestmark = pytest.mark.alone

SEED = 20240229
KILLS = {"attach": 70, "set": 70, "detach": 60}


def seconds_of(*commands):
    """How long the first command takes when nobody disturbs it; the others undo it."""
    def once():
        begin = time.monotonic()
        commands[0]()
        seconds = time.monotonic() - begin
        for command in commands[1:]:
            command()
        return seconds

    return min(once() for _ in range(5))


def kill_at_random(bgs, chance, seconds, *words):
    """True if the kill came before the command's own end."""
    process = bgs.start(*words)
    time.sleep(chance.uniform(0, 1.1 * seconds))  # the moment is the experiment
    process.kill()
    process.communicate()
    return process.returncode != 0


def assert_whole(bgs, ask):
    """Everything there and in use: attach, set, status, a request."""
    bgs("attach", "eth0")
    for color in ("green", "blue"):
        bgs("set", color, "--no-wait")
        assert ask() == color
    status = bgs.status()
    assert [entry["ifname"] for entry in status["attached"]] == ["eth0"]
    service, = status["services"]
    assert (service["name"], service["active"], service["split"]) == (
        "default", "blue", {"blue": 10000, "green": 0})
    assert bgs.listening("blue") and bgs.listening("green")


def assert_gone(bgs, before):
    """Nothing of ours is left in bpffs or in the kernel."""
    if cli.PINS.exists():
        bgs("detach", "all")
    assert not cli.PINS.exists()
    # Programs and maps are freed after an RCU grace period.
    sandbox.wait_for(lambda: not cli.new_objects(before), "links, programs and maps to go")


@pytest.mark.parametrize("victim", KILLS)
def test_next_command_works(bgs, labels, ask, victim):
    chance = random.Random(f"{SEED} {victim}")
    before = cli.kernel_objects()
    attach, detach = (lambda: bgs("attach", "eth0")), (lambda: bgs("detach", "all"))
    if victim == "attach":
        seconds = seconds_of(attach, detach)
    elif victim == "detach":
        attach()
        seconds = seconds_of(detach, attach)
        detach()
    else:
        attach()
        seconds = seconds_of(lambda: bgs("set", "green", "--no-wait"), lambda: bgs("set", "blue", "--no-wait"))
        detach()
    killed = 0
    for number in range(KILLS[victim]):
        if victim == "set":
            bgs("attach", "eth0")
            killed += kill_at_random(bgs, chance, seconds, "set", ("green", "blue")[number % 2], "--no-wait")
            assert ask() == bgs.service()["active"]
        elif victim == "attach":
            killed += kill_at_random(bgs, chance, seconds, "attach", "eth0")
        else:
            bgs("attach", "eth0")
            killed += kill_at_random(bgs, chance, seconds, "detach", "eth0")
        if number % 2:
            assert_gone(bgs, before)
        else:
            assert_whole(bgs, ask)
    assert killed >= KILLS[victim] // 3, "the kills came too late to mean anything"
    assert_gone(bgs, before)
    print(f"{victim}: {KILLS[victim]} kills, {killed} before its end")


def test_upgrade_killed_under_way_still_steers(attached, labels, ask):
    chance = random.Random(SEED)
    seconds = seconds_of(lambda: attached("upgrade"))
    for _ in range(20):
        kill_at_random(attached, chance, seconds, "upgrade")
        assert ask() == "blue"
    attached("upgrade")
    assert_whole(attached, ask)
