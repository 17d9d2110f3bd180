"""An agent that ends, however it ends: steering stays, and the next one takes over."""
import os
import signal

import pytest

from cli import BUSY, DONE, FAILED, PINS, REFUSED, USAGE
from sandbox import wait_for
from trail import UNREACHABLE, Trail

NOBODY = 65534
CHECK = {"path": "/", "interval": "50ms", "fast_interval": "10ms", "timeout": "1s"}


def config(**service):
    return {"attach": ["eth0"],
            "services": {"default": {"listen": ":80", "blue": ":8081", "green": ":8082",
                                     "soak": "60s", "check": CHECK, **service}}}


@pytest.fixture
def servers(serve):
    return {"blue": serve.label("blue", 8081), "green": serve.label("green", 8082)}


@pytest.fixture
def trail(bgs):
    return Trail(bgs)


@pytest.fixture
def soaking(bgs, agent, servers, trail):
    """The operation that an agent leaves that was killed in the soak after blue -> green."""
    agent.start(config())
    bgs("set", "green", "--no-wait")
    agent.kill()
    return trail.operations()["default"]


def active(bgs):
    return bgs.service()["active"]


# ---- cutovers under way

def test_soak_goes_on_and_can_be_promoted(bgs, agent, soaking, trail, ask):
    assert soaking["phase"] == "soaking"
    agent.start()
    event = trail.wait_event("interrupted", "set green was interrupted after the flip")
    assert "its soak goes on for" in event["message"]
    assert bgs.service()["state"] == "soaking"
    bgs("promote")
    assert ask() == active(bgs) == "green"
    assert trail.history()[-1]["outcome"] == "complete"
    assert not trail.operations()


def test_target_that_fails_in_the_resumed_soak_is_taken_back(bgs, agent, soaking, serve, servers,
                                                             trail, ask):
    agent.start()
    trail.wait_event("interrupted")
    serve.end(servers["green"])
    assert "green failed" in trail.wait_history("rolled-back")["reason"]
    assert ask() == active(bgs) == "blue"
    assert not trail.operations()


def test_target_that_fails_before_the_next_agent_starts_is_taken_back(bgs, agent, soaking, serve,
                                                                      servers, trail, ask):
    serve.end(servers["green"])
    agent.start()
    trail.wait_history("rolled-back")
    assert ask() == active(bgs) == "blue"


# What a killed process can leave: phase, where connections go, what is changed in it,
# and what has to become of it.
LEFT = [
    ("switching", "blue", {}, "undone", "before the flip; nothing changed"),
    ("switching", "green", {}, None, "its soak goes on for"),
    ("switching", "green", {"soak_ms": 0}, "complete", "after the flip; the switch stands"),
    ("soaking", "blue", {}, "superseded", "new connections go elsewhere by now"),
    ("soaking", "green", {"soak_until_ms": 1}, "complete", "its soak is over by now"),
]


@pytest.mark.parametrize("adopter", ["agent", "command"])
@pytest.mark.parametrize("phase, color, changes, outcome, text", LEFT)
def test_what_was_left_is_finished_or_undone(bgs, agent, soaking, trail, ask, adopter, phase,
                                             color, changes, outcome, text):
    if color == "blue":
        bgs("abort")
    trail.edit(operations={"default": {**soaking, "phase": phase, **changes}})
    if adopter == "agent":
        agent.start()
    else:
        bgs("promote", expect=DONE if outcome is None else USAGE)
    trail.wait_event("interrupted", text)
    assert ask() == active(bgs) == color
    if outcome:
        assert trail.history()[-1]["outcome"] == outcome
        assert not trail.operations()


def test_command_killed_in_its_soak_is_taken_over(bgs, agent, servers, trail, ask):
    agent.start(config())
    agent.stop()
    command = bgs.start("set", "green", "--soak", "60s")
    trail.wait_event("soaking")
    command.kill()
    command.communicate()
    agent.start()
    trail.wait_event("interrupted", "its soak goes on")
    bgs("abort")
    assert ask() == active(bgs) == "blue"


def test_next_change_ends_a_soak_that_nobody_waits_for(bgs, agent, servers, trail, ask):
    """It succeeds by itself: how the soak before it ended is not its result."""
    agent.start(config())
    for color in ("green", "blue", "green"):
        bgs("set", color, "--no-wait")
        assert ask() == active(bgs) == color
    assert len(trail.events("superseded")) == 2
    agent.kill()
    bgs("set", "blue", "--no-wait")
    assert ask() == active(bgs) == "blue"
    assert not trail.operations()


def test_dry_run_leaves_a_soak_alone(bgs, agent, servers, trail):
    agent.start(config())
    bgs("set", "green", "--no-wait")
    bgs("set", "blue", "-n", expect=BUSY)
    assert bgs.service()["state"] == "soaking"
    assert not trail.events("superseded")


# ---- start and end

def test_health_is_unknown_until_it_is_known(net, bgs, agent, trail, ask):
    """Servers that accept and never answer: no readiness, no failover, nothing gets traffic."""
    hanging = []
    for port in (8081, 8082):
        hanging.append(net.host.socket())
        hanging[-1].bind(("", port))
        hanging[-1].listen(64)
    agent.start(config(check={**CHECK, "timeout": "30s"}, ready_timeout="300ms"), ready=False)
    wait_for(lambda: bgs.status()["agent"]["running"], "the agent to answer")
    result = bgs.run("set", "green")
    assert result.returncode == REFUSED, result.stderr
    service = bgs.service()
    assert service["active"] == "blue"
    assert [service["colors"][color]["health"] for color in ("blue", "green")] == ["unknown"] * 2
    assert not trail.events("failover")
    assert "READY=1" not in agent.manager.lines()
    for sock in hanging:
        sock.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_steering_is_as_before_without_the_agent(bgs, agent, servers, trail, ask, end):
    agent.start(config())
    bgs("set", "green", "--soak", "0")
    before = {path.name for path in PINS.iterdir()}
    route = bgs.status()["services"][0]["split"]
    code = getattr(agent, end)()
    assert code == (DONE if end == "stop" else -signal.SIGKILL)
    assert {path.name for path in PINS.iterdir()} == before
    assert ask() == active(bgs) == "green"
    applied = len(trail.events("config-applied"))
    agent.start()
    assert len(trail.events("config-applied")) == applied, "nothing had changed"
    assert ask() == active(bgs) == "green"
    assert bgs.status()["services"][0]["split"] == route


def test_upgrade_beside_a_running_agent(bgs, agent, servers, trail, ask):
    agent.start(config())
    bgs("upgrade")
    bgs("set", "green", "--soak", "0")
    assert ask() == "green"


def test_second_agent_is_refused(bgs, agent, servers):
    agent.start(config())
    for words in (["agent"], ["--run-dir", bgs.run_dir / "other", "agent"]):
        second = bgs.run(*words)
        assert second.returncode == BUSY
        assert "an agent is running already" in second.stderr
    bgs("set", "green", "--soak", "0")
    assert agent.process.poll() is None


def test_one_directory_may_be_both(bgs, agent, servers):
    bgs.environment["BGSWITCH_STATE_DIR"] = str(bgs.run_dir)
    agent.start(config())
    bgs("set", "green", "--soak", "0")


def test_run_directory_of_another_is_refused(bgs, agent, attached, labels):
    os.chown(bgs.run_dir, NOBODY, NOBODY)
    result = bgs.run("agent")
    assert result.returncode == FAILED
    assert str(bgs.run_dir) in result.stderr and "root's alone" in result.stderr
    os.chown(bgs.run_dir, 0, 0)
    assert bgs.service()["active"] == "blue"


# ---- an agent that does not answer

def test_commands_give_up_on_a_stopped_agent(bgs, agent, servers):
    agent.start(config())
    os.kill(agent.pid, signal.SIGSTOP)
    words = [("set", "green"), ("check",), ("split", "5"), ("promote",), ("rollback",)]
    asked = [(bgs.start(*each), each) for each in words]
    assert active(bgs) == "blue", "status has the maps"
    for process, each in asked:
        _, stderr = process.communicate(timeout=15)
        assert process.returncode == UNREACHABLE, f"{each}: {stderr}"
        assert "does not answer" in stderr
    os.kill(agent.pid, signal.SIGCONT)
    assert active(bgs) == "blue", "what was given up is not done later"
    bgs("set", "green", "--soak", "0")
