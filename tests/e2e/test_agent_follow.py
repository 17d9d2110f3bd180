"""The agent beside commands: it follows what they change, passes on what they say, and rests."""
import os
import signal
import time

import pytest

from agent import Health, events, web
from cli import FAILED, USAGE
from sandbox import wait_for

SOAK = 0.3  # seconds


def test_a_change_is_followed_though_the_agent_writes_right_after_it(bgs, agent, serve):
    serve.label("blue", 8081)
    serve.label("green", 8082)
    agent.start(web(soak=f"{SOAK * 1000:.0f}ms"))
    bgs("set", "web", "green", "--no-wait")
    # When it wakes up both wait for it: the end of the soak, which it writes down, and the change.
    agent.process.send_signal(signal.SIGSTOP)
    bgs("service", "add", "two", "--listen", ":81", "--blue", ":9001", "--green", ":9002")
    time.sleep(SOAK)
    agent.process.send_signal(signal.SIGCONT)
    Health(bgs, "two").wait(
        lambda s: s["colors"]["blue"]["instances"][0]["last_check"], "a check of two")
    bgs("set", "two", "green", "--force", "--soak", "0")


def test_a_reload_that_is_refused_leaves_who_may_switch_and_the_log(bgs, agent, serve, tmp_path):
    serve.label("blue", 8081)
    serve.label("green", 8082)
    agent.start(web())
    socket = next(bgs.run_dir.glob("agent*.sock"))
    mode = socket.stat().st_mode
    log = tmp_path / "events.log"
    config = {**web(), "agent": {"operators": "nogroup", "log": str(log)}}
    config["attach"] = ["eth0", "nosuch0"]
    agent.reload(config)
    assert "nosuch0" in events(bgs, "config-refused")[-1]["message"]
    assert socket.stat().st_mode == mode
    assert not log.exists()
    config["attach"] = ["eth0"]
    agent.reload(config)
    wait_for(log.exists, "the new log")
    assert socket.stat().st_mode != mode


def test_why_a_check_cannot_be_made_reaches_the_client(bgs, agent):
    agent.start()
    answer = bgs.run("check")
    assert answer.returncode == FAILED
    assert "not attached" in answer.stderr and "; run 'bgswitch attach" in answer.stderr


def test_rollback_in_a_soak_names_the_way_to_undo_it(bgs, agent, serve):
    serve.label("blue", 8081)
    serve.label("green", 8082)
    agent.start(web(soak="60s"))
    bgs("set", "web", "green", "--no-wait")
    answer = bgs.run("rollback")
    assert answer.returncode == USAGE and "bgswitch abort" in answer.stderr


CHANGES = [("set", "green", "--force", "--soak", "0"), ("split", "5"),
           ("service", "add", "web", "--listen", ":81", "--blue", ":9001", "--green", ":9002"),
           ("preview", "add", "10.0.0.0/8", "green")]


@pytest.mark.parametrize("words", CHANGES, ids=" ".join)
def test_a_damaged_state_file_is_named_by_whoever_meets_it(attached, words):
    state = attached.state_dir / "state.json"
    state.write_text("{")
    answer = attached.run(*words)
    assert answer.returncode == 0 and "state.json.damaged" in answer.stderr
    assert (attached.state_dir / "state.json.damaged").read_text() == "{"


def test_a_command_waits_for_an_agent_that_is_starting(bgs, agent, serve):
    serve.label("blue", 8081)
    serve.label("green", 8082)
    agent.start(web(), ready=False)
    wait_for((bgs.run_dir / "agent.sock").exists, "the agent's socket")
    bgs("set", "web", "green", "--soak", "0")
    assert bgs.service("web")["active"] == "green"


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_agent_rests_in_a_soak_that_follows_a_failover(bgs, agent, serve, misbehave):
    """The moment when the failover would be forgotten comes and goes within it."""
    blue = misbehave("blue", 8081)
    serve.label("green", 8082)
    agent.start(web(soak="500ms"))
    blue.turn("error")
    health = Health(bgs)
    health.wait(lambda s: s["active"] == "green", "the failover")
    blue.turn("well")
    health.wait_color("blue", "healthy")
    bgs("set", "blue", "--soak", "60s", "--no-wait")
    time.sleep(1)
    before = cpu_seconds(agent.pid)
    time.sleep(1)
    assert cpu_seconds(agent.pid) - before < 0.5
