"""An active color that fails while the other one is well, and what is left to operators."""
import pytest

import cli
import host
from agent import Health, events, history, web
from load import describe, now
from sandbox import wait_for


@pytest.fixture
def both(misbehave):
    return misbehave("blue", 8081), misbehave("green", 8082)


def messages(bgs, kind):
    return [event["message"] for event in events(bgs, kind)]


def test_auto(bgs, agent, both, ask):
    """Traffic moves once, and it is said who moved it and why."""
    blue, _ = both
    health = Health(bgs)
    agent.start(web(soak="300ms"))
    blue.turn("error")
    health.wait(lambda s: s["active"] == "green" and s["state"] == "steady", "the failover")
    assert ask() == "green"
    told = messages(bgs, "failover")
    assert len(told) == 1 and "failing over to green" in told[0] and "status 500" in told[0]
    assert told[0] in agent.log
    entry = history(bgs)[-1]
    assert (entry["operation"], entry["from"], entry["to"], entry["outcome"], entry["uid"]) == (
        "failover", "blue", "green", "complete", None)


def test_once(bgs, agent, both, ask):
    """The color it moved to fails as well: no way back by itself, but an alarm."""
    blue, green = both
    health = Health(bgs)
    agent.start(web(soak="60s"))
    blue.turn("error")
    health.wait(lambda s: s["active"] == "green", "the failover")
    blue.turn("well")
    health.wait_color("blue", "healthy")
    green.turn("error")
    service = health.wait(lambda s: s["alarm"], "the alarm")
    assert service["active"] == "green" and "run 'bgswitch set web blue'" in service["alarm"]
    assert len(events(bgs, "failover")) == 1
    bgs("set", "blue", "--soak", "0")
    assert (health.service()["alarm"], ask()) == (None, "blue")


def test_a_forced_color_is_not_taken_back(bgs, agent, both, ask):
    """Until it is healthy: then it is a color like any other."""
    blue, green = both
    health = Health(bgs)
    agent.start(web(soak="300ms"))
    green.turn("error")
    health.wait_color("green", "unhealthy")
    bgs("set", "green", "--force")
    service = health.wait(lambda s: s["alarm"], "the alarm")
    assert service["active"] == "green" and "this one was forced" in service["alarm"]
    green.turn("well")
    health.wait(lambda s: not s["alarm"], "the end of the alarm")
    green.turn("error")
    health.wait(lambda s: s["active"] == "blue", "the failover")
    assert ask() == "blue" and len(events(bgs, "failover")) == 1


def test_after_a_quiet_time_once_more(bgs, agent, both):
    """When all was well for as long as a soak, the next failure is a new story."""
    blue, green = both
    health = Health(bgs)
    agent.start(web(soak="300ms"))
    blue.turn("error")
    health.wait(lambda s: s["active"] == "green" and s["state"] == "steady", "the failover")
    blue.turn("well")
    health.wait_color("blue", "healthy")
    since = health.instances("green")[0]["last_check"]["at_ms"]
    health.wait(lambda s: s["colors"]["green"]["instances"][0]["last_check"]["at_ms"]
                > since + 500, "half a second of good checks")
    green.turn("error")
    health.wait(lambda s: s["active"] == "blue", "the next failover")
    assert len(events(bgs, "failover")) == 2


@pytest.mark.parametrize("mode", ["listener", "off"])
def test_left_to_an_operator(bgs, agent, both, ask, mode):
    blue, _ = both
    health = Health(bgs)
    agent.start(web(failover=mode))
    blue.turn("error")
    service = health.wait(lambda s: s["alarm"], "the alarm")
    assert f"failover is '{mode}': run 'bgswitch set web green'" in service["alarm"]
    assert service["active"] == "blue" and not events(bgs, "failover")
    blue.turn("well")
    health.wait(lambda s: not s["alarm"], "the end of the alarm")
    assert ask() == "blue" and len(events(bgs, "alarm-cleared")) == 1


@pytest.mark.parametrize("mode, reached", [("auto", "green"), ("listener", "green"), ("off", None)])
def test_without_a_listener_the_kernel_decides(bgs, agent, both, ask, mode, reached):
    """Within the next connection, long before a check has failed."""
    blue, _ = both
    agent.start(web({"interval": "30s", "fast_interval": "30s"}, failover=mode))
    blue.turn("refuse")
    assert ask() == reached
    assert bgs.counters("web")["failover_total"] == (1 if reached else 0)
    assert bgs.service("web")["active"] == "blue"


def test_both_unhealthy(bgs, agent, both, ask):
    """Nothing moves; one alarm, until it is over."""
    blue, green = both
    health = Health(bgs)
    agent.start(web())
    green.turn("sorry")
    blue.turn("sorry")
    agent.reload(web({"body": "127.0.0.1"}))
    service = health.wait(lambda s: s["alarm"] and s["colors"]["green"]["health"] == "unhealthy",
                          "the alarm")
    assert "so is green, and traffic stays where it is" in service["alarm"]
    assert "body does not contain" in service["alarm"]
    before = blue.requests_since_turn
    wait_for(lambda: blue.requests_since_turn > before + 10, "ten more checks")
    assert len(events(bgs, "alarm")) == 1 and not events(bgs, "failover")
    assert cli.dump("services")[0]["value"]["route"] == {
        "active": "BGS_BLUE", "split_bp": 0, "flips": 0}
    assert ask() == "sorry,"
    blue.turn("well")
    health.wait(lambda s: not s["alarm"], "the end of the alarm")
    assert len(events(bgs, "alarm-cleared")) == 1 and ask() == "blue"


def test_the_standby_recovers(bgs, agent, both, ask):
    """Both were bad; the first one that is well again gets the traffic."""
    blue, green = both
    green.turn("error")
    health = Health(bgs)
    agent.start(web(soak="0"))
    blue.turn("error")
    health.wait(lambda s: s["alarm"], "the alarm")
    green.turn("well")
    service = health.wait(lambda s: s["active"] == "green", "the failover")
    assert ask() == "green" and not service["alarm"]


def test_load_over_a_failover(bgs, agent, serve, loads, tmp_path):
    """Only its health is bad: not a connection is lost, and none that began later reaches it."""
    serve.nginx("blue", 8081)
    serve.nginx("green", 8082)
    ill = tmp_path / "ill"
    health = Health(bgs)
    agent.start(web(command=["/bin/sh", "-c", f"[ $BGSWITCH_PORT != 8081 ] || [ ! -e {ill} ]"],
                    blue="8081", green="8082"))
    with loads(("new", host.HOST4), ("new", host.HOST6), ("keep", host.HOST4)) as running:
        ill.touch()
        health.wait(lambda s: s["active"] == "green", "the failover")
        moved = now()
        running.wait_more(50)
    running.assert_no_failure()
    later = [c for c in running.connections() if c.begin > moved]
    assert later and {c.color for c in later} == {"green"}


def test_load_over_a_server_that_answers_errors(bgs, agent, serve, misbehave, loads):
    """It cannot be undone what it answered; after the failover it is over."""
    blue = misbehave("blue", 8081, address="0.0.0.0")
    serve.nginx("green", 8082)
    health = Health(bgs)
    agent.start(web(blue="0.0.0.0:8081"))
    with loads(("new", host.HOST4), rate=100) as running:
        blue.turn("error")
        health.wait(lambda s: s["active"] == "green", "the failover")
        moved = now()
        running.wait_more(50)
    late = [c for c in running.failures() if c.begin > moved]
    assert running.failures() and not late, describe(late)
    assert {c.stage for c in running.failures()} == {"reply"}  # none was refused
