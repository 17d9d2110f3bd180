"""Gate, flip, soak, and the ways back: with an agent, and by the command alone."""
import json
import signal
import time

import pytest

import cli
import host
from agent import Health, PATIENCE, events, history, interrupted, web
from cli import BUSY, DONE, FAILED, REFUSED, ROLLED_BACK, USAGE
from load import describe, now
from sandbox import wait_for

KEYS = {"service", "from", "to", "changed", "dry_run", "outcome", "reason", "duration_ms",
        "drained", "code", "what", "next"}


@pytest.fixture
def green(misbehave):
    """The one that misbehaves; blue is well."""
    misbehave("blue", 8081)
    return misbehave("green", 8082)


def change(bgs, *words, expect=DONE):
    """The result as JSON, and what was said."""
    result = bgs.run(*words, "-j")
    assert result.returncode == expect, (result.stdout, result.stderr)
    answer = json.loads(result.stdout)
    assert set(answer) == KEYS and answer["code"] == expect
    return answer, result.stderr


def finish(process):
    stdout, stderr = process.communicate(timeout=PATIENCE)
    return process.returncode, stdout, stderr


def route():
    return cli.dump("services")[0]["value"]["route"]


def wait_flipped(color="GREEN"):
    """By the map alone: a command without an agent shows nothing else."""
    wait_for(lambda: route()["active"] == f"BGS_{color}", f"the flip to {color}")


def last(bgs):
    """What history says of the last change."""
    entry = history(bgs)[-1]
    return entry["operation"], entry["from"], entry["to"], entry["outcome"]


# ---- one that goes well


def test_set_waits_for_gate_and_soak(bgs, driver, green, ask):
    driver(web(soak="400ms"))
    answer, said = change(bgs, "set", "green")
    assert (answer["outcome"], answer["changed"], answer["from"], answer["to"]) == (
        "complete", True, "blue", "green")
    assert answer["duration_ms"] >= 400 and "new connections go to green" in said
    assert ask() == "green"
    assert last(bgs) == ("set", "blue", "green", "complete")
    kinds = [event["event"] for event in events(bgs)]
    at = kinds.index("checking")
    assert [kind for kind in kinds[at:]
            if kind not in ("instance-healthy", "color-healthy", "draining")][:5] == [
                "checking", "switching", "soaking", "safe-to-stop", "completed"]


def test_history_says_who_and_when(bgs, driver, green):
    driver(web())
    begun = time.time()
    change(bgs, "set", "green", "--soak", "0")
    entry = history(bgs)[-1]
    assert (entry["uid"], entry["user"], entry["reason"]) == (0, "root", None)
    assert entry["service"] == "web" and 0 <= entry["duration_ms"] <= (time.time() - begun) * 1000


def test_no_wait_returns_after_the_flip(bgs, driver, green, ask):
    by = driver(web(soak="60s"))
    answer, _ = change(bgs, "set", "green", "--no-wait")
    assert answer["changed"] and answer["outcome"] == {"agent": "switched",
                                                       "alone": "complete"}[by]
    assert ask() == "green"
    assert bgs.service("web")["state"] == {"agent": "soaking", "alone": "steady"}[by]


def test_the_soak_is_as_long_as_one_says(bgs, driver, green):
    driver(web(soak="60s"))
    answer, _ = change(bgs, "set", "green", "--soak", "250ms")
    assert 250 <= answer["duration_ms"] < 10000
    answer, _ = change(bgs, "set", "blue", "--soak", "0")
    assert answer["outcome"] == "complete" and answer["duration_ms"] < 5000


def test_the_same_color_again_is_no_change(bgs, driver, green):
    driver(web())
    before = len(history(bgs))
    answer, said = change(bgs, "set", "blue")
    assert (answer["outcome"], answer["changed"]) == ("complete", False)
    assert "blue is active already" in said and len(history(bgs)) == before


# ---- one that is not begun


@pytest.mark.parametrize("way", ["hang", "error", "refuse"])
def test_a_bad_target_is_refused(bgs, driver, green, ask, way):
    driver(web())
    green.turn(way)
    flips = route()
    answer, said = change(bgs, "set", "green", expect=REFUSED)
    assert (answer["outcome"], answer["changed"]) == ("refused", False)
    assert "nothing changed" in said and answer["what"] in said and answer["next"] in said
    assert route() == flips and ask() == "blue"
    assert last(bgs) == ("set", "blue", "green", "refused")


def test_the_gate_has_an_end(bgs, driver, green):
    """A target whose checks take for ever to decide is refused after ready_timeout."""
    driver(web({"timeout": "30s"}, ready_timeout="500ms"))
    green.turn("hang")
    answer, _ = change(bgs, "set", "green", expect=REFUSED)
    assert 500 <= answer["duration_ms"] < 5000


def test_dry_run_changes_nothing(bgs, driver, green, ask):
    driver(web(soak="60s"))
    before, entries = route(), len(history(bgs))
    answer, said = change(bgs, "set", "green", "-n")
    assert (answer["dry_run"], answer["outcome"], answer["changed"]) == (True, "complete", False)
    assert "would go to green" in said
    green.turn("error")
    answer, said = change(bgs, "set", "green", "-n", expect=REFUSED)
    assert answer["dry_run"] and "status 500" in said
    assert route() == before and len(history(bgs)) == entries and ask() == "blue"
    assert bgs.service("web")["state"] == "steady"


def test_force_asks_no_gate(bgs, driver, green):
    """And a target that never was healthy is not rolled back: it was asked for like that."""
    green.turn("error")
    driver(web(failover="listener"))
    answer, _ = change(bgs, "set", "green", "--force", "--soak", "700ms")
    assert (answer["outcome"], answer["changed"]) == ("complete", True)
    assert route()["active"] == "BGS_GREEN"


# ---- one that goes back by itself


def assert_rolled_back(bgs, result, ask, words="status 500, expected 200-299"):
    code, stdout, stderr = result
    answer = json.loads(stdout)
    assert (code, answer["code"], answer["outcome"], answer["changed"]) == (
        ROLLED_BACK, ROLLED_BACK, "rolled-back", False)
    assert "rolled back to blue by itself" in stderr and words in stderr
    assert words in answer["reason"]
    assert ask() == "blue" and route()["active"] == "BGS_BLUE"
    assert last(bgs) == ("set", "blue", "green", "rolled-back")
    assert words in history(bgs)[-1]["reason"]


def test_a_bad_release_takes_itself_back(bgs, driver, green, ask):
    """Healthy at the gate, 500 after a while."""
    driver(web(soak="60s"))
    waiting = bgs.start("set", "green", "-j")
    wait_flipped()
    assert ask() == "green"
    green.turn("error")
    assert_rolled_back(bgs, finish(waiting), ask)


def test_a_real_server_that_is_healthy_for_a_while(bgs, driver, serve, ask):
    """Node answers well for a second and 500 from then on."""
    serve.nginx("blue", 8081)
    serve.start("node", ["node", "-e", """
        const began = Date.now();
        require('http').createServer((request, response) => {
            response.statusCode = Date.now() - began < 1000 ? 200 : 500;
            response.end('green 10.77.0.2 and a database that is away\\n');
        }).listen(8082);"""], 8082, ["tcp6"])
    driver(web(soak="60s"))
    assert_rolled_back(bgs, finish(bgs.start("set", "green", "-j")), ask)


def test_a_target_that_dies_in_the_soak(bgs, driver, serve, ask):
    serve.nginx("blue", 8081)
    server = serve.nginx("green", 8082, master=False)
    driver(web(soak="60s"))
    waiting = bgs.start("set", "green", "-j")
    wait_flipped()
    server.kill()
    assert_rolled_back(bgs, finish(waiting), ask, "no instance of green is listening")


def test_one_rollback_then_latched(bgs, agent, misbehave, ask):
    """Traffic is not thrown to and fro: after one automatic move an operator decides."""
    blue, green = misbehave("blue", 8081), misbehave("green", 8082)
    health = Health(bgs)
    agent.start(web(soak="60s"))
    bgs("set", "green", "--no-wait")
    green.turn("error")
    service = health.wait(lambda s: s["active"] == "blue", "the rollback")
    assert "green was rolled back" in service["alarm"] and "status 500" in service["alarm"]
    green.turn("well")
    health.wait_color("green", "healthy")
    assert health.service()["alarm"]  # until an operator has seen it
    blue.turn("error")
    service = health.wait(lambda s: "run 'bgswitch set web green'" in s["alarm"], "another alarm")
    assert (service["active"], service["colors"]["blue"]["health"]) == ("blue", "unhealthy")
    assert not events(bgs, "failover") and len(events(bgs, "rolled-back")) == 1
    change(bgs, "set", "green", "--soak", "0")
    service = health.service()
    assert (service["active"], service["alarm"]) == ("green", None)
    assert events(bgs, "alarm-cleared") and ask() == "green"


def test_both_bad_in_the_soak(bgs, driver, misbehave):
    """There is nothing better to go back to: traffic stays, and an alarm says so."""
    blue, green = misbehave("blue", 8081), misbehave("green", 8082)
    driver(web(soak="3s"))
    waiting = bgs.start("set", "green", "-j")
    wait_flipped()
    blue.turn("error")
    wait_for(lambda: blue.requests_since_turn >= 5, "blue's failed checks")
    green.turn("error")
    code, stdout, stderr = finish(waiting)
    assert (code, json.loads(stdout)["outcome"]) == (DONE, "complete")
    assert stderr.count("both colors are unhealthy; traffic stays on green") == 1
    assert route()["active"] == "BGS_GREEN"


# ---- an operator's word


def test_promote_ends_the_soak(bgs, agent, green, ask):
    agent.start(web(soak="60s"))
    waiting = bgs.start("set", "green", "-j")
    Health(bgs).wait_state("soaking")
    answer = json.loads(bgs("promote", "-j"))
    assert (answer["service"], answer["active"]) == ("web", "green")
    code, stdout, _ = finish(waiting)
    assert (code, json.loads(stdout)["outcome"]) == (DONE, "complete")
    assert ask() == "green" and last(bgs) == ("set", "blue", "green", "complete")


def test_abort_in_the_soak(bgs, agent, green, ask):
    agent.start(web(soak="60s"))
    waiting = bgs.start("set", "green", "-j")
    Health(bgs).wait_state("soaking")
    bgs("abort")
    code, stdout, stderr = finish(waiting)
    assert (code, json.loads(stdout)["outcome"]) == (ROLLED_BACK, "aborted")
    assert "was aborted; new connections go to blue" in stderr
    assert ask() == "blue" and last(bgs) == ("set", "blue", "green", "aborted")


def test_abort_in_the_gate(bgs, agent, green, ask):
    green.turn("hang")
    agent.start(web({"timeout": "1s"}))
    before = route()
    waiting = bgs.start("set", "green", "-j")
    Health(bgs).wait_state("checking")
    bgs("abort")
    _, stdout, _ = finish(waiting)
    answer = json.loads(stdout)
    assert (answer["outcome"], answer["changed"]) == ("aborted", False)
    assert route() == before and ask() == "blue"


@pytest.mark.parametrize("verb", ["promote", "abort"])
def test_nothing_is_under_way(bgs, driver, green, verb):
    driver(web())
    result = bgs.run(verb)
    assert result.returncode == USAGE and "nothing is" in result.stderr


def test_rollback_goes_to_the_previous_color(bgs, driver, green, ask):
    driver(web())
    assert "no previous color" in bgs.run("rollback").stderr
    bgs("rollback", expect=USAGE)
    change(bgs, "set", "green", "--soak", "0")
    answer, _ = change(bgs, "rollback", "--soak", "0")
    assert (answer["from"], answer["to"], answer["outcome"]) == ("green", "blue", "complete")
    assert ask() == "blue" and last(bgs) == ("rollback", "green", "blue", "complete")


def test_rollback_asks_the_gate(bgs, driver, misbehave, ask):
    blue = misbehave("blue", 8081)
    misbehave("green", 8082)
    driver(web())
    change(bgs, "set", "green", "--soak", "0")
    blue.turn("error")
    change(bgs, "rollback", expect=REFUSED)
    assert ask() == "green"


# ---- one at a time


def test_the_second_waits_for_nobody(bgs, driver, green):
    """While somebody waits for a soak nobody else changes anything."""
    driver(web(soak="60s"))
    waiting = bgs.start("set", "green")
    wait_flipped()
    for words in ["set", "blue"], ["split", "10"]:
        result = bgs.run(*words)
        assert result.returncode == BUSY, words
        assert "another operation is in progress: set" in result.stderr, words
    waiting.send_signal(signal.SIGINT)
    finish(waiting)
    assert route()["active"] == "BGS_GREEN" and not route()["split_bp"]


def test_a_soak_nobody_waits_for_gives_way(bgs, agent, green, ask):
    agent.start(web(soak="60s"))
    change(bgs, "set", "green", "--no-wait")
    change(bgs, "set", "blue", "--soak", "0")
    assert ask() == "blue" and bgs.service("web")["state"] == "steady"
    assert [(entry["to"], entry["outcome"]) for entry in history(bgs)] == [
        ("green", "superseded"), ("blue", "complete")]


def test_the_same_color_joins_its_soak(bgs, agent, green):
    agent.start(web(soak="800ms"))
    change(bgs, "set", "green", "--no-wait")
    flips = route()["flips"]
    answer, _ = change(bgs, "set", "green")
    assert answer["outcome"] == "complete" and answer["duration_ms"] >= 800
    assert route()["flips"] == flips and len(history(bgs)) == 1


def test_ctrl_c_with_an_agent(bgs, agent, green):
    """The command ends, the agent goes on watching."""
    agent.start(web(soak="60s"))
    waiting = bgs.start("set", "green")
    health = Health(bgs)
    health.wait_state("soaking")
    code, stderr = interrupted(waiting)
    assert code == FAILED and "the agent goes on with it" in stderr
    assert health.service()["state"] == "soaking"
    green.turn("error")
    health.wait(lambda s: s["active"] == "blue", "the rollback")
    assert last(bgs) == ("set", "blue", "green", "rolled-back")


def test_ctrl_c_alone(bgs, agent, green, ask):
    """Nobody is left to watch: the switch stands, and the shell sees a signal."""
    agent.configure(web(soak="60s"))
    bgs("apply", agent.config)
    waiting = bgs.start("set", "green")
    wait_flipped()
    code, stderr = interrupted(waiting)
    assert code == -signal.SIGINT and "the switch stands" in stderr
    assert ask() == "green" and "interrupted" in history(bgs)[-1]["reason"]
    change(bgs, "set", "blue", "--soak", "0")  # nothing is left locked or under way


def test_ctrl_c_alone_in_the_gate(bgs, agent, green):
    green.turn("hang")
    agent.configure(web({"timeout": "10s"}))
    bgs("apply", agent.config)
    before = route()
    waiting = bgs.start("set", "green")
    wait_for(lambda: green.served, "the first check")
    code, _ = interrupted(waiting)
    assert code == -signal.SIGINT and route() == before


# ---- split


def test_a_split_needs_a_healthy_standby(bgs, agent, green):
    agent.start(web())
    health = Health(bgs)
    bgs("split", "25")
    assert route()["split_bp"] == 2500
    green.turn("error")
    health.wait(lambda s: not s["split"]["green"], "the split to be taken back")
    taken = events(bgs, "split")[-1]["message"]
    assert "green is unhealthy, its 25% of new connections go to blue" in taken
    assert "status 500" in taken
    result = bgs.run("split", "10")
    assert result.returncode == REFUSED and "status 500" in result.stderr
    assert "nothing changed" in result.stderr and not route()["split_bp"]


# ---- under load


def test_load_over_a_rollback(bgs, agent, serve, loads, tmp_path):
    """Only its health is bad: not a single connection is lost on the way there and back."""
    serve.nginx("blue", 8081)
    serve.nginx("green", 8082)
    good = tmp_path / "good"
    good.touch()
    agent.start(web(command=["/bin/sh", "-c", f"[ $BGSWITCH_PORT = 8081 ] || [ -e {good} ]"],
                    blue="8081", green="8082", soak="60s"))
    with loads(("new", host.HOST4), ("new", host.HOST6), ("keep", host.HOST4)) as running:
        waiting = bgs.start("set", "green")
        wait_flipped()
        running.wait_more(50)
        good.unlink()
        assert finish(waiting)[0] == ROLLED_BACK
        running.wait_more(50)
    running.assert_no_failure()
    assert {c.color for c in running.connections()} == {"blue", "green"}


def test_load_over_a_rollback_from_errors(bgs, agent, serve, misbehave, loads):
    """What clients saw of the bad release is over when the rollback is announced."""
    serve.nginx("blue", 8081)
    green = misbehave("green", 8082, address="0.0.0.0")
    agent.start(web(soak="60s", green="0.0.0.0:8082"))
    with loads(("new", host.HOST4), rate=100) as running:
        waiting = bgs.start("set", "green")
        wait_flipped()
        running.wait_more(10)
        green.turn("error")
        assert finish(waiting)[0] == ROLLED_BACK
        back = now()
        running.wait_more(50)
    late = [c for c in running.failures() if c.begin > back]
    assert not late, describe(late)
    assert not [c for c in running.connections() if c.begin > back and c.color == "green"]
    assert all(c.stage == "reply" for c in running.failures()), describe(running.failures())
