"""Stop commands: real ones, for real servers, after real cutovers."""
import json
import shlex
import signal

import pytest

import host
from agent import Health, interrupted, web
from cli import BUSY, DONE, USAGE
from sandbox import wait_for
from trail import Trail

LONG = "60s"  # nothing in a test may take so long


class Stage:
    """Blue and green as processes, and a command that stops blue and says so in a file."""

    def __init__(self, bgs, serve, directory):
        self.bgs, self.serve, self.directory = bgs, serve, directory
        self.blue, self.green = serve.answering("blue", 8081), serve.answering("green", 8082)
        self.trail, self.health = Trail(bgs), Health(bgs)
        self.ran, self.go = directory / "ran", directory / "go"

    def kills(self):
        return f"kill {self.blue.pid}"

    def waits(self):
        """For a word of the test's."""
        return f"until test -e {shlex.quote(str(self.go))}; do sleep 0.02; done"

    def config(self, script=None, **service):
        """Without a script: it really stops blue."""
        script = f"echo $BGSWITCH_SERVICE $BGSWITCH_COLOR >>{shlex.quote(str(self.ran))}; " + (
            script or self.kills())
        blue = {"instances": "127.0.0.1:8081", "stop": ["/bin/sh", "-c", script]}
        return web(**{"blue": blue, "soak": "0", "keep_warm": "0", **service})

    def runs(self):
        return self.ran.read_text().splitlines() if self.ran.exists() else []

    def is_up(self):
        return self.blue.process.poll() is None

    def stop(self, color="blue"):
        return self.health.service()["colors"][color]["stop"]

    def stops(self):
        return self.trail.state().get("stops", {})

    def is_forgotten(self):
        """What is said is written down a moment later."""
        wait_for(lambda: not self.stops(), "that nothing is to be stopped")
        return True

    def last(self, outcome):
        """The end of a stop, as history has it last."""
        def ended():
            entries = self.trail.history()
            return entries and entries[-1]["operation"] == "stop"

        wait_for(ended, "a stop to end")
        entry = self.trail.history()[-1]
        assert (entry["outcome"], entry["from"], entry["to"]) == (outcome, "blue", None)
        return entry

    def assert_stopped(self):
        self.blue.process.wait(20)
        entry = self.last("complete")
        assert (entry["uid"], entry["reason"]) == (0, None)
        assert self.runs() == ["web blue"]
        assert self.trail.events("stopped")[-1]["message"] == "blue is stopped"


@pytest.fixture
def stage(bgs, serve, tmp_path):
    return Stage(bgs, serve, tmp_path)


@pytest.fixture
def ask(ask):
    """The color alone: the label has the process as well."""
    return lambda: ask().partition("-")[0]


# ---- one that goes well

def test_kept_warm_and_then_stopped(bgs, agent, stage, ask):
    agent.start(stage.config(keep_warm="700ms"))
    bgs("set", "green")
    assert stage.is_up()
    stage.assert_stopped()
    kinds = [event["event"] for event in stage.trail.events()]
    order = [kinds.index(kind) for kind in ("switching", "safe-to-stop", "kept-warm", "stopping",
                                            "stopped")]
    assert order == sorted(order)
    assert ask() == "green" and stage.is_forgotten()
    # A color that was stopped is unhealthy, and that is no reason for anything.
    service = stage.health.wait_color("blue", "unhealthy")
    assert service["alarm"] is None and service["active"] == "green"
    assert not stage.trail.events("failover") and not stage.trail.events("alarm")
    assert stage.stop() is None


def test_stopped_at_once(bgs, agent, stage, ask):
    agent.start(stage.config())
    bgs("set", "green")
    stage.assert_stopped()
    assert not stage.trail.events("kept-warm") and ask() == "green"


def test_shown_while_it_is_to_come(bgs, agent, stage):
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    assert 0 < stage.stop()["in_ms"] <= 60000 and stage.stop("green") is None
    assert "blue is stopped in " in bgs("status")


def test_rollback_is_instant(bgs, agent, stage, ask):
    """What is kept warm serves at once, and is not stopped then."""
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    bgs("rollback")
    assert ask() == "blue" and stage.is_up()
    event = stage.trail.wait_event("not-stopped")
    assert event["message"] == "blue is in use again; it is not stopped"
    assert stage.stop() is None and stage.is_forgotten() and not stage.runs()


def test_split_ends_it_too(bgs, agent, stage):
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    bgs("split", "10")
    stage.trail.wait_event("not-stopped", "blue is in use again")
    assert stage.stop() is None and stage.is_forgotten()


def test_refused_switch_ends_nothing(bgs, agent, stage):
    """The color that is kept did not become active."""
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    bgs("set", "green")
    bgs("set", "blue", "-n")
    assert stage.stop()["in_ms"] > 0 and not stage.trail.events("not-stopped")


def test_drain_alone_stops_nothing(bgs, agent, stage):
    agent.start(stage.config(drain={"at_deadline": "keep", "timeout": "0"}))
    with host.connect(bgs.namespace, host.HOST4):
        bgs("set", "green", expect=4)
    bgs("drain", "blue")
    assert stage.trail.events("safe-to-stop")
    assert stage.stop() is None and not stage.runs() and not stage.trail.events("stopping")


# ---- one that does not go well

def test_command_that_fails(bgs, agent, stage):
    agent.start(stage.config("echo no such unit; exit 5"))
    bgs("set", "green")
    assert stage.last("failed")["reason"] == "exit status 5: no such unit"
    event = stage.trail.wait_event("stop-failed")
    assert event["message"] == "blue is not stopped: exit status 5: no such unit"
    assert stage.is_up() and stage.stop() is None and stage.is_forgotten()
    bgs("rollback")


def test_command_that_hangs(bgs, agent, stage):
    agent.start(stage.config("exec sleep 600", stop_timeout="300ms"))
    bgs("set", "green")
    entry = stage.last("timed-out")
    assert entry["reason"] == "no end within 300ms, terminated"
    assert 300 <= entry["duration_ms"] < 10000
    stage.trail.wait_event("stop-failed", "no end within 300ms")


def test_no_way_back_while_it_is_stopped(bgs, agent, stage, ask):
    agent.start(stage.config(stage.waits()))
    bgs("set", "green")
    wait_for(stage.runs, "the command to run")
    assert stage.stop() == {"running": True} and "blue is being stopped" in bgs("status")
    for words in (("set", "blue"), ("set", "blue", "--force"), ("rollback",), ("split", "5")):
        refused = bgs.run(*words)
        assert refused.returncode == BUSY and "blue is being stopped" in refused.stderr
    assert ask() == "green"
    stage.go.touch()
    stage.last("complete")
    bgs("set", "blue")
    assert ask() == "blue"


def test_no_failover_while_it_is_stopped(bgs, agent, stage):
    """Only afterwards, if it still serves then."""
    agent.start(stage.config(stage.waits()))
    bgs("set", "green")
    wait_for(stage.runs, "the command to run")
    stage.green.kill()
    stage.trail.wait_event("alarm", "blue is being stopped")
    assert stage.health.service()["active"] == "green" and not stage.trail.events("failover")
    stage.go.touch()
    stage.trail.wait_event("failover", "failing over to blue")


# ---- what keeps it from being stopped

def test_previews_keep_it(bgs, agent, stage):
    agent.start(stage.config(keep_warm="500ms"))
    bgs("set", "green")
    bgs("preview", "add", "10.1.0.0/16", "blue")
    stage.trail.wait_event("stop-put-off", "blue is stopped later: preview networks still"
                           " send clients to blue")
    assert stage.is_up() and stage.stop() == {"in_ms": 0}
    assert "blue is stopped as soon as that is safe" in bgs("status")
    bgs("preview", "rm", "10.1.0.0/16")
    stage.assert_stopped()
    assert len(stage.trail.events("stop-put-off")) == 1


def test_clients_keep_it(bgs, net, agent, stage):
    """Those of its own port, too: nobody steers them away."""
    agent.start(stage.config(keep_warm="500ms", check={"interval": "20ms", "timeout": "1s",
                                                       "fast_interval": "10ms"}))
    bgs("set", "green")
    with host.connect(net.host, "127.0.0.1", 8081):
        stage.trail.wait_event("stop-put-off", "1 established")
        assert stage.is_up()
    stage.assert_stopped()


def test_bad_release_keeps_it(bgs, agent, serve, stage, ask):
    """Nobody stops the only color that serves."""
    agent.start(stage.config(keep_warm="800ms", failover="listener"))
    bgs("set", "green")
    stage.green.kill()
    stage.trail.wait_event("stop-put-off", "green, which is active, is unhealthy")
    assert ask() == "blue" and stage.is_up()
    serve.answering("green", 8082)
    stage.assert_stopped()
    assert ask() == "green"


def test_what_was_started_anew_is_not_stopped(bgs, agent, serve, stage):
    """The next release may run there by now, also when the agent was away meanwhile."""
    agent.start(stage.config(keep_warm="4s"))
    bgs("set", "green")
    agent.kill()
    stage.blue.stop()
    stage.blue = serve.answering("blue", 8081)
    agent.start()
    stage.trail.wait_event("not-stopped", "blue was stopped or started anew by others; it is not")
    assert stage.is_up() and not stage.runs() and stage.is_forgotten()


# ---- the configuration changes

def test_reload_takes_the_command_away(bgs, agent, stage):
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    agent.reload(web(soak="0"))
    stage.trail.wait_event("not-stopped", "there is no stop command any more")
    assert stage.stop() is None and stage.is_forgotten()


def test_reload_changes_the_time(bgs, agent, stage):
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    agent.reload(stage.config(keep_warm="30s"))
    assert 0 < stage.stop()["in_ms"] <= 30000
    agent.reload(stage.config(keep_warm="0"))
    stage.assert_stopped()


def test_service_that_is_removed(bgs, agent, stage):
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    bgs("service", "rm", "web")
    stage.trail.wait_event("not-stopped", "the service was removed; blue is not stopped")
    assert stage.is_forgotten() and stage.is_up()


# ---- the agent ends

def test_agent_killed_while_it_is_kept(bgs, agent, stage):
    """The next one stops it, once."""
    agent.start(stage.config(keep_warm="2s"))
    bgs("set", "green")
    agent.kill()
    assert stage.stops()["web"]["color"] == "blue" and stage.is_up()
    agent.start()
    stage.assert_stopped()
    agent.kill()
    agent.start()
    assert stage.runs() == ["web blue"] and stage.is_forgotten()


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("since_ms, left_ms", [(1, 0), (99999999999999, 60000)])
def test_times_of_other_clocks(bgs, agent, stage, end, since_ms, left_ms):
    """Long due: at once. Set back: not longer than the configuration says."""
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    getattr(agent, end)()
    left = stage.stops()["web"]
    stage.trail.edit(stops={"web": {**left, "since_ms": since_ms}})
    agent.start()
    if left_ms:
        assert left_ms - 20000 < stage.stop()["in_ms"] <= left_ms
    else:
        stage.assert_stopped()


def test_agent_killed_while_the_command_runs(bgs, agent, stage):
    """It never runs twice: nobody knows what it did."""
    agent.start(stage.config(stage.waits()))
    bgs("set", "green")
    wait_for(stage.runs, "the command to run")
    agent.kill()
    assert stage.stops()["web"]["running"]
    agent.start()
    event = stage.trail.wait_event("interrupted", "stopping blue was interrupted")
    assert event["color"] == "blue" and stage.last("interrupted")
    assert len(stage.runs()) == 1 and stage.stop() is None and stage.is_forgotten()
    stage.go.touch()


def test_agent_stopped_while_the_command_runs(bgs, agent, stage):
    agent.start(stage.config(stage.waits()))
    bgs("set", "green")
    wait_for(stage.runs, "the command to run")
    assert agent.stop() == DONE
    assert "killed" in stage.last("failed")["reason"] and stage.is_forgotten()
    agent.start()
    assert len(stage.runs()) == 1 and not stage.trail.events("interrupted")


@pytest.mark.parametrize("wait", ["soaking", "late"])
def test_agent_killed_in_the_soak(bgs, agent, stage, wait):
    """Blue was safe to stop before that."""
    agent.start(stage.config(soak=LONG))
    bgs("set", "green", "--no-wait")
    stage.trail.wait_event("safe-to-stop")
    wait_for(lambda: stage.trail.operations()["web"]["drained"], "that to be written down")
    agent.kill()
    if wait == "late":
        left = stage.trail.operations()["web"]
        stage.trail.edit(operations={"web": {**left, "soak_until_ms": 1}})
    agent.start()
    if wait == "soaking":
        bgs("promote")
    stage.assert_stopped()


def test_reboot_ends_it(bgs, agent, stage):
    """What was to be stopped does not run any more; what runs now is something else."""
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    agent.kill()
    stage.trail.edit(boot_id="another")
    agent.start()
    assert stage.stop() is None
    bgs("preview", "add", "10.1.0.0/16", "green")
    assert stage.is_forgotten() and stage.is_up()


# ---- without an agent

@pytest.fixture
def alone(bgs, agent, stage):
    """alone(script, …): nothing but commands."""
    def apply(*script, **service):
        agent.configure(stage.config(*script, **service))
        bgs("apply", agent.config)
    return apply


def test_command_stops_it_itself(bgs, stage, alone, ask):
    alone(soak="200ms")
    said = bgs.run("set", "green")
    assert said.returncode == DONE and "blue is stopped" in said.stderr
    assert not stage.is_up() and ask() == "green" and stage.is_forgotten()
    stage.assert_stopped()


def test_command_says_what_went_wrong(bgs, stage, alone, ask):
    alone("exit 5")
    result = bgs.run("set", "green", "-j")
    assert result.returncode == DONE and json.loads(result.stdout)["outcome"] == "complete"
    assert "blue is not stopped: exit status 5" in result.stderr
    assert stage.last("failed") and ask() == "green" and stage.is_forgotten()


def test_interrupted_command_leaves_nothing(bgs, stage, alone, ask):
    alone(stage.waits())
    waiting = bgs.start("set", "green")
    wait_for(stage.runs, "the command to run")
    code, said = interrupted(waiting)
    assert code == -signal.SIGINT and "blue is not stopped: its command was killed" in said
    assert stage.last("failed") and ask() == "green" and stage.is_forgotten()


def test_nobody_is_left_to_wait(bgs, agent, stage, alone):
    alone(keep_warm="5m")
    said = bgs.run("set", "green").stderr
    assert "blue is kept; no agent is there to stop it after 5m; by hand: /bin/sh -c" in said
    assert stage.is_up() and stage.is_forgotten()
    agent.start()
    assert stage.stop() is None


def test_command_ends_what_an_agent_left(bgs, agent, stage, ask):
    agent.start(stage.config(keep_warm=LONG))
    bgs("set", "green")
    agent.stop()
    bgs("set", "green")
    assert stage.stops()
    bgs("rollback")
    assert ask() == "blue" and stage.is_forgotten()
    bgs("promote", expect=USAGE)
    agent.start()
    assert stage.stop() is None and not stage.runs()
