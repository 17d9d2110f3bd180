"""What the agent tells its service manager, and what it leaves when that ends it."""
import os
import re
import signal

import pytest

import answer
from cli import DONE, PINS, dump
from sandbox import wait_for
from trail import Trail

CHECK = {"path": "/", "interval": "50ms", "fast_interval": "10ms", "timeout": "30s", "fall": 1}
CONFIG = {"attach": ["eth0"],
          "services": {"web": {"listen": ":80", "blue": ":8081", "green": ":8082",
                               "check": CHECK}}}


@pytest.fixture
def trail(bgs):
    return Trail(bgs)


def statuses(agent):
    return [line for line in agent.manager.lines() if line.startswith("STATUS=")]


def wait_status(agent, pattern):
    wait_for(lambda: statuses(agent) and re.fullmatch(pattern, statuses(agent)[-1]),
             f"{pattern}, last {statuses(agent)[-1:]}")


def test_ready_after_the_first_round_of_checks(net, agent, bgs, serve, trail):
    with net.host.entered():
        listeners = [answer.listen("::", port) for port in (8081, 8082)]
    agent.start(CONFIG, ready=False)
    wait_for(lambda: bgs.status()["agent"]["running"], "the agent to answer")
    for listener, color in zip(listeners, ("blue", "green")):
        assert "READY=1" not in agent.manager.lines()
        serve.answerer.serve(listener, color)
        trail.wait_event("instance-healthy", color)
    agent.wait_ready()
    assert agent.manager.lines().count("READY=1") == 1


def test_ready_with_instances_that_are_down(agent, attached):
    """They were looked at: the service is as good as it can be."""
    agent.start()
    wait_status(agent, "STATUS=1 services, 0 with a healthy active color, .*")


def test_ready_without_any_service(agent, bgs):
    agent.start()
    wait_status(agent, "STATUS=0 services, .*")


def test_status_line_follows(agent, bgs, serve, trail):
    blue, green = serve.label("blue", 8081), serve.label("green", 8082)
    agent.start(CONFIG)
    wait_status(agent, "STATUS=1 services, 1 with a healthy active color, 0 switching, 0 alarms")
    bgs("set", "green", "--no-wait")
    wait_status(agent, "STATUS=1 services, 1 .*, 1 switching, 0 alarms")
    bgs("promote")
    wait_status(agent, "STATUS=1 services, 1 .*, 0 switching, 0 alarms")
    serve.end(blue)
    trail.wait_event("color-unhealthy", "blue")
    serve.end(green)
    wait_status(agent, "STATUS=1 services, 0 .*, 0 switching, 1 alarms")


def test_watchdog_is_fed_in_time(agent, bgs, labels, trail):
    """Also while a cutover is under way; not by an agent that does not run."""
    agent.start(CONFIG, WATCHDOG_USEC="400000")
    for number in range(6):
        bgs("set", ("green", "blue")[number % 2], "--no-wait")
        agent.wait_notified("WATCHDOG=1")
    fed = [moment for moment, line in agent.manager.told if line == "WATCHDOG=1"]
    assert max(later - before for before, later in zip(fed, fed[1:])) < 0.4
    os.kill(agent.pid, signal.SIGSTOP)
    agent.manager.wait("nothing", 0.2)  # what was sent before it stopped
    before = len(agent.manager.lines())
    assert not agent.manager.wait("WATCHDOG=1", 0.5)
    assert len(agent.manager.lines()) == before
    os.kill(agent.pid, signal.SIGCONT)
    agent.wait_notified("WATCHDOG=1")


def test_no_watchdog_where_none_is_wanted(agent, bgs, labels):
    agent.start(CONFIG)
    bgs("set", "green", "--no-wait")
    assert "WATCHDOG=1" not in agent.manager.lines()


@pytest.mark.parametrize("config", [CONFIG, "services: 7"], ids=["good", "bad"])
def test_reload_has_a_begin_and_an_end(agent, bgs, labels, config):
    agent.start(CONFIG)
    before = len(agent.manager.lines())
    agent.reload(config)
    told = [line for line in agent.manager.lines()[before:] if not line.startswith("STATUS=")]
    assert told[0] == "RELOADING=1" and told[-1] == "READY=1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_never_detaches(agent, bgs, labels, trail, ask, number):
    """Not in the middle of a cutover either: that is left for the next agent."""
    agent.start(CONFIG)
    bgs("set", "green", "--no-wait")
    pins = sorted(path.name for path in PINS.iterdir())
    services = dump("services")
    agent.process.send_signal(number)
    assert agent.end() == DONE
    assert agent.manager.lines()[-1] == "STOPPING=1"
    assert sorted(path.name for path in PINS.iterdir()) == pins
    assert dump("services") == services
    assert ask() == "green"
    assert trail.operations()["web"]["phase"] == "soaking"
    assert not (bgs.run_dir / "agent.sock").exists()
    assert trail.events()[-1]["event"] == "agent-stopped"


def test_stop_while_a_command_waits(agent, bgs, labels, trail):
    """Its client is told that the agent went, not that the switch failed."""
    agent.start(CONFIG)
    waiting = bgs.start("set", "green")
    trail.wait_event("soaking")
    agent.stop()
    _, stderr = waiting.communicate(timeout=15)
    assert waiting.returncode == 6, stderr
    assert "closed the connection" in stderr
    assert bgs.service("web")["active"] == "green"
