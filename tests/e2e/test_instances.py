"""Instances that are not healthy take no connections, and how many a color needs."""
import pytest

import cli
import host
from agent import Health, events, web
from load import describe, now

BLUES = ["127.0.0.1:8081", "127.0.0.1:8083"]


@pytest.fixture
def pair(misbehave):
    """Two of blue and one of green."""
    misbehave("green", 8082)
    return misbehave("blue1", 8081), misbehave("blue2", 8083)


def enabled(color=0):
    """The kernel's rotation, one bit for each instance."""
    return cli.dump("services")[0]["value"]["enabled"][color]


def reached(ask, count=30):
    return {ask() for _ in range(count)}


def test_rotation(bgs, agent, pair, ask):
    health = Health(bgs)
    agent.start(web(blue=BLUES))
    assert enabled() == 0b11 and reached(ask) == {"blue1", "blue2"}
    pair[1].turn("error")
    instance = health.wait_instance("blue", 1, "unhealthy")
    assert "status 500" in instance["last_check"]["error"]
    assert enabled() == 0b01 and reached(ask) == {"blue1"}
    service = health.service()
    assert service["active"] == "blue" and service["colors"]["blue"]["health"] == "healthy"
    pair[1].turn("well")
    instance = health.wait_instance("blue", 1, "healthy")
    assert instance["last_check"]["attempts"] >= 2  # rise
    assert enabled() == 0b11 and reached(ask) == {"blue1", "blue2"}
    told = [(event["event"], "127.0.0.1:8083" in event["message"]) for event in events(bgs)]
    assert told[-2:] == [("instance-unhealthy", True), ("instance-healthy", True)]


def test_an_instance_leaves_and_returns_under_load(bgs, agent, serve, loads, tmp_path):
    """Nothing is lost, and none that began after it had left reaches it."""
    serve.nginx("blue", 8081)
    serve.nginx("green", 8083)  # its answers tell it from the other one
    ill = tmp_path / "ill"
    health = Health(bgs)
    agent.start(web(command=["/bin/sh", "-c", f"[ $BGSWITCH_PORT != 8083 ] || [ ! -e {ill} ]"],
                    blue=["127.0.0.1:8081", "127.0.0.1:8083"], green="8082"))
    with loads(("new", host.HOST4), ("keep", host.HOST4)) as running:
        ill.touch()
        health.wait_instance("blue", 1, "unhealthy")
        left = now()
        running.wait_more(50)
        back = now()
        ill.unlink()
        health.wait_instance("blue", 1, "healthy")
        running.wait_more(50)
    assert not running.failures(), describe(running.failures())
    meanwhile = [c for c in running.connections() if left < c.begin < back]
    assert meanwhile and {c.color for c in meanwhile} == {"blue"}
    assert "green" in {c.color for c in running.connections() if c.begin > back}


def test_the_last_ones_stay_in_rotation(bgs, agent, pair, ask):
    """With none healthy all are tried: better than refusing everybody."""
    health = Health(bgs)
    agent.start(web(blue=BLUES, failover="listener"))
    for place, server in enumerate(pair):
        server.turn("sorry")
    config = web({"body": "blue"}, blue=BLUES, failover="listener")
    agent.reload(config)
    health.wait_color("blue", "unhealthy")
    assert enabled() == 0b11 and health.service()["active"] == "blue"
    assert reached(ask, 5) == {"sorry,"}


NEEDED = [  # min_healthy, instances of green, how many of them fail, health
    (1, 3, 2, "healthy"), (2, 3, 1, "healthy"), (2, 3, 2, "unhealthy"), (3, 3, 1, "unhealthy"),
    ("1%", 3, 2, "healthy"), ("34%", 3, 1, "healthy"), ("34%", 3, 2, "unhealthy"),
    ("50%", 2, 1, "healthy"), ("51%", 2, 1, "unhealthy"), ("100%", 2, 1, "unhealthy"),
]


@pytest.mark.parametrize("least, count, failing, expected", NEEDED)
def test_min_healthy(bgs, agent, misbehave, least, count, failing, expected):
    def servers(label, first):
        started = [misbehave(label, first + number) for number in range(count)]
        return started, ["{}:{}".format(*server.place) for server in started]

    _, blue = servers("blue", 8101)
    greens, green = servers("green", 8201)
    health = Health(bgs)
    agent.start(web(blue=blue, green=green, min_healthy=least))
    assert health.color("green") == "healthy"
    for server in greens[:failing]:
        server.turn("error")
    service = health.wait(lambda s: [i["health"] for i in s["colors"]["green"]["instances"]].count(
        "unhealthy") == failing, "the failing ones")
    assert service["colors"]["green"]["health"] == expected
    result = bgs.run("set", "green", "--soak", "0")
    assert result.returncode == (cli.DONE if expected == "healthy" else cli.REFUSED)
    assert expected == "healthy" or "status 500" in result.stderr


def test_what_an_agent_left_out_comes_back_by_a_set(bgs, agent, pair, ask):
    """Without an agent status says it; a switch to the color brings back who is well."""
    health = Health(bgs)
    agent.start(web(blue=BLUES))
    pair[1].turn("error")
    health.wait_instance("blue", 1, "unhealthy")
    bgs("set", "green", "--no-wait")
    agent.kill()
    assert [i["in_rotation"] for i in bgs.instances("blue", "web")] == [True, False]
    assert "127.0.0.1:8083 is out of rotation" in bgs.warnings()
    pair[1].turn("well")
    bgs("set", "blue", "--no-wait")
    assert enabled() == 0b11 and reached(ask) == {"blue1", "blue2"}
    assert "out of rotation" not in bgs.warnings()
