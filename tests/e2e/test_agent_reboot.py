"""After a reboot everything is as it was; interfaces may come late, go and come back."""
import pytest

import cli
from cli import USAGE
from host import OTHER_HOST4, crowd
from sandbox import wait_for
from trail import Trail

OTHER_BOOT = "00000000-0000-4000-8000-000000000000"
CONFIG = {"attach": ["eth0"],
          "services": {"default": {"listen": ":80", "blue": ":8081", "green": ":8082",
                                   "check": {"interval": "50ms"}}}}


@pytest.fixture
def trail(bgs):
    return Trail(bgs)


def reboot(agent, trail):
    """What a reboot takes away: processes, pins, the boot's id. Files stay."""
    if agent.process:
        agent.kill()
    cli.remove_pins()
    trail.edit(boot_id=OTHER_BOOT)


def add_late(net):
    net.host.ip("link add late0 type veth peer name late1")


def attached_names(bgs):
    return {interface["ifname"] for interface in bgs.status()["attached"]}


def shares(ask, clients):
    return [ask(source=client) for client in clients]


def test_everything_is_as_before(bgs, attached, agent, labels, trail, ask):
    """Declared by commands, without a configuration file."""
    bgs("attach", "eth1")
    bgs("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001", "--green", "9002",
        "--on-empty", "pass", "--failover", "off")
    bgs("set", "default", "green", "--no-wait")
    bgs("split", "default", "30")
    bgs("preview", "add", "10.78.200.0/24", "blue", "default")
    clients = crowd(60)
    before = bgs.status()
    colors = shares(ask, clients)
    assert set(colors) == {"blue", "green"}
    reboot(agent, trail)
    assert not bgs.status()["attached"]
    agent.start()
    trail.wait_event("restored", "2 services")
    after = bgs.status()
    assert after["attached"] == before["attached"]
    for key in ("name", "listen", "active", "split", "settings"):
        assert [s[key] for s in after["services"]] == [s[key] for s in before["services"]]
    assert shares(ask, clients) == colors
    assert ask(source="10.78.200.9") == "blue"


def test_file_comes_after_what_was_there(bgs, agent, labels, trail, ask):
    """The file says which services there are, the state where their traffic goes."""
    agent.start(CONFIG)
    bgs("set", "green", "--soak", "0")
    reboot(agent, trail)
    agent.start()
    trail.wait_event("restored")
    assert ask() == "green"


def test_cutover_that_the_reboot_interrupted_is_not_forgotten(bgs, agent, labels, trail, ask):
    agent.start(CONFIG)
    bgs("set", "green", "--no-wait", "--soak", "60s")
    reboot(agent, trail)
    agent.start()
    trail.wait_event("interrupted", "its soak goes on")
    bgs("abort")
    assert ask() == "blue"


@pytest.mark.parametrize("file", [True, False], ids=["file", "no file"])
def test_interface_that_comes_late_is_steered_when_it_comes(net, bgs, agent, labels, trail, ask,
                                                            file):
    add_late(net)
    if file:
        agent.start({**CONFIG, "attach": ["eth0", "late0"]})
    else:
        bgs("attach", "eth0", "late0")
    reboot(agent, trail)
    net.host.ip("link del late0")
    agent.start()
    assert ask() == "blue"
    assert attached_names(bgs) == {"eth0", "late0"}
    assert "interface late0 is not there yet" in bgs.warnings()
    add_late(net)
    trail.wait_event("interface", "late0")
    wait_for(lambda: not bgs.warnings(), "late0 to be attached")
    assert trail.state()["attach"] == ["eth0", "late0"]


def test_agent_without_any_of_its_interfaces_starts(net, bgs, agent, labels, trail):
    """The next boot may be another's: a file written before the interfaces are named."""
    agent.start({**CONFIG, "attach": ["late0", "late1"]})
    assert attached_names(bgs) == {"late0", "late1"}
    add_late(net)
    trail.wait_event("interface", "late1")
    wait_for(lambda: not bgs.warnings(), "both to be attached")


def test_a_typing_mistake_is_still_one(bgs, agent, labels, trail):
    agent.start(CONFIG)
    agent.reload({**CONFIG, "attach": ["eth0", "no-such"]})
    assert "no interface named 'no-such'" in trail.wait_event("config-refused")["message"]
    bgs("apply", agent.config, expect=USAGE)
    assert attached_names(bgs) == {"eth0"}


def test_interface_that_comes_back_is_steered_again(net, bgs, agent, labels, trail, ask):
    agent.start({**CONFIG, "attach": ["eth0", "eth1"]})
    assert ask(OTHER_HOST4) == "blue"
    for _ in range(3):
        net.host.ip("link del eth1")
        trail.wait_event("interface", "eth1 is gone")
        net.host.ip("link add eth1 type veth peer name eth1 netns client",
                    f"addr add {OTHER_HOST4}/24 dev eth1", "link set eth1 up")
        net.client.ip("addr add 10.79.0.2/24 dev eth1", "link set eth1 up")
        wait_for(lambda: ask(OTHER_HOST4) == "blue", "eth1 to be steered again")
    trail.wait_event("interface", "eth1 came back and is steered again", count=3)
    assert not bgs.warnings()


DRAINED = """
services:
  web:
    listen: "0.0.0.0:80"
    blue: {instances: ":8081", stop: systemctl stop web@blue}
    green: {instances: [":8082", ":8083"], stop: [/bin/sh, -c, "kill $(cat 'a b')"]}
    drain: {timeout: inf, close_idle: 10s, over: 1m}
    keep_warm: 0
"""


def test_drains_and_stop_commands_are_as_before(bgs, attached, agent, trail, tmp_path):
    """The maps know nothing of them: the state file has to, over commands, agents and reboots."""
    path = tmp_path / "drained.yaml"
    path.write_text(DRAINED)
    bgs("apply", path)
    assert bgs("apply", path, "-n") == ""
    reboot(agent, trail)
    agent.start()
    trail.wait_event("restored", "1 service")
    assert bgs("apply", path, "-n") == ""
    path.write_text(DRAINED.replace("inf", "5m").replace("web@blue", "web").replace("1m}", "off}"))
    assert bgs("apply", path, "-n").splitlines() == [
        "~ web: drain timeout inf -> 5m", "~ web: drain over 1m -> off",
        "~ web: blue stop command changed"]
