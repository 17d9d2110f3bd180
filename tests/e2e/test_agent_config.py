"""The agent's file, and changes by commands while it runs: followed at once, or not at all."""
import signal

import pytest

import varlink
from cli import BUSY, USAGE
from host import HOST4
from sandbox import wait_for
from trail import Trail

CHECK = {"path": "/", "interval": "50ms", "fast_interval": "10ms", "timeout": "1s"}


def service(listen, blue, green, **more):
    return {"listen": f"0.0.0.0:{listen}", "blue": f":{blue}", "green": f":{green}",
            "soak": "60s", "check": CHECK, **more}


def config(agent=None, attach=("eth0",), **services):
    return {"attach": list(attach), "agent": agent or {},
            "services": services or {"web": service(80, 8081, 8082)}}


@pytest.fixture
def trail(bgs):
    return Trail(bgs)


def names(bgs):
    return {each["name"] for each in bgs.status()["services"]}


def health(bgs, name, color):
    return bgs.service(name)["colors"][color]["health"]


def wait_health(bgs, name, color, wanted):
    wait_for(lambda: health(bgs, name, color) == wanted, f"{name} {color} to be {wanted}")


# ---- the file

def test_reload_makes_the_file_true(agent, bgs, labels, serve, trail, ask, loads):
    agent.start(config())
    bgs("set", "web", "green", "--soak", "0")
    serve.label("blue", 9001)
    serve.label("green", 9002)
    with loads(("new", HOST4), rate=100) as traffic:
        agent.reload(config(web=service(80, 8081, 8082), api=service(70, 9001, 9002)))
        assert names(bgs) == {"web", "api"}
        wait_health(bgs, "api", "blue", "healthy")
        assert ask(port=70) == "blue"
        agent.reload(config(attach=("eth0", "eth1"), web=service(80, 8081, 8082, failover="off")))
        assert names(bgs) == {"web"}
        assert [i["ifname"] for i in bgs.status()["attached"]] == ["eth0", "eth1"]
        traffic.wait_more(5)
    traffic.assert_no_failure()
    assert {c.color for c in traffic.connections()} == {"green"}, "the file has no routes"
    said = [event["message"] for event in trail.events("config-applied")]
    for step in ("+ service api", "- service api", "+ interface eth1"):
        assert step in said
    assert [text for text in said if text.startswith("~ web: failover")]


def test_policies_of_a_reload_are_in_force(agent, bgs, labels, trail):
    """Another check, another soak: the next cutover is by them."""
    agent.start(config())
    agent.reload(config(web=service(80, 8081, 8082, soak="0", check={**CHECK, "body": "green"})))
    wait_health(bgs, "web", "blue", "unhealthy")
    wait_health(bgs, "web", "green", "healthy")
    failed_over = trail.wait_event("failover")
    assert "blue is unhealthy" in failed_over["message"]


def test_applied_by_a_command_they_are_in_force_too(agent, bgs, labels, trail, tmp_path):
    agent.start(config())
    bgs("set", "web", "green", "--soak", "0")
    other = tmp_path / "other.yaml"
    other.write_text("services: {web: {listen: '0.0.0.0:80', blue: ':8081', green: ':8082',\n"
                     "  soak: 0, failover: off, check: {path: /, body: blue, interval: 50ms}}}")
    shown = bgs("apply", other, "-n")
    assert "web: " in shown
    assert health(bgs, "web", "green") == "healthy"
    bgs("apply", other)
    wait_health(bgs, "web", "green", "unhealthy")
    wait_health(bgs, "web", "blue", "healthy")
    assert "failover is 'off'" in trail.wait_event("alarm")["message"]
    bgs("set", "web", "blue")
    assert bgs.service("web")["state"] == "steady", "soak: 0"
    assert bgs("apply", other, "-n") == ""


BAD = [
    ("services: {web: {listen: '0.0.0.0:80', blue: ':8081', green: ':8082',\n"
     "  check: {rise: two}}}", "bgswitch.yaml:2:17: services.web.check.rise: 'two'"),
    ("attach: [eth0\n", "bgswitch.yaml:2:1: "),
    ("attach: [eth0, no-such]", "no interface named 'no-such'"),
    ("attach: [eth1]\nagent: {log: /no/such/directory/log}", "cannot open the log"),
    ("attach: [eth1]\nagent: {operators: no-such-group}", "no group 'no-such-group'"),
    ("attach: [eth1]\nagent: {webhooks: [{url: 'ftp://x'}]}", "bgswitch.yaml:2:"),
    ("attach: []", "names no interface"),
]


@pytest.mark.parametrize("text, message", BAD, ids=[message[:24] for _, message in BAD])
def test_bad_file_changes_nothing(agent, bgs, labels, trail, ask, text, message):
    agent.start(config())
    bgs("set", "web", "green", "--no-wait")
    before, state = bgs.status(), trail.state()
    agent.reload(text)
    assert message in trail.wait_event("config-refused")["message"]
    after = bgs.status()
    assert after["attached"] == before["attached"]
    assert after["services"][0]["settings"] == before["services"][0]["settings"]
    assert after["services"][0]["state"] == "soaking", "the soak goes on"
    assert trail.state() == state
    assert ask() == "green"
    agent.reload(config())
    bgs("promote", "web")


def test_start_with_a_bad_file_is_refused(agent, bgs, attached, labels, ask):
    agent.configure("services: 7")
    result = bgs.run("agent", "-c", agent.config)
    assert result.returncode == USAGE
    assert f"{agent.config}:1:11: services" in result.stderr
    assert ask() == "blue"


def test_hangups_in_a_row_do_not_disturb_a_cutover(agent, bgs, labels, trail, ask):
    agent.start(config())
    bgs("set", "web", "green", "--no-wait")
    for _ in range(20):
        agent.process.send_signal(signal.SIGHUP)
    trail.wait_event("config-applied", "configuration read")
    assert bgs.service("web")["state"] == "soaking"
    bgs("abort")
    assert ask() == "blue"


def test_reload_waits_for_a_cutover_that_somebody_waits_for(agent, bgs, labels, trail, ask):
    """One change at a time: the file of a signal comes after it, that of a client is refused."""
    agent.start(config())
    waiting = bgs.start("set", "web", "green", "--soak", "700ms")
    trail.wait_event("soaking")
    changed = config()
    changed["services"]["web"]["green"] = ":8083"
    agent.configure(changed)
    agent.process.send_signal(signal.SIGHUP)
    with varlink.Client(bgs.run_dir / "agent.sock") as client:
        with pytest.raises(varlink.Error) as refused:
            client.call("Reload")
    assert refused.value.parameters["code"] == BUSY
    assert waiting.wait(20) == 0, waiting.stderr.read()
    trail.wait_event("config-applied", "configuration read")
    assert bgs.instances("green", "web")[0]["address"] == ":8083"


# ---- commands

def test_services_of_commands_are_followed(agent, bgs, labels, serve, trail):
    """By inotify on the state file: at once, not at the next round of anything."""
    agent.start(config())
    serve.label("blue", 9001)
    bgs("service", "add", "api", "--listen", "0.0.0.0:70", "--blue", "9001", "--green", "9002")
    wait_health(bgs, "api", "blue", "healthy")
    bgs("service", "rm", "api")
    wait_for(lambda: bgs.run("check", "api").returncode == USAGE, "api to be forgotten")
    bgs("service", "add", "api", "--listen", "0.0.0.0:70", "--blue", "9002", "--green", "9001")
    wait_health(bgs, "api", "green", "healthy")
    assert health(bgs, "web", "blue") == "healthy"


def test_detached_and_attached_again(agent, bgs, labels, trail, ask):
    agent.start(config())
    for _ in range(3):
        bgs("detach", "all")
        wait_for(lambda: bgs.run("set", "blue").returncode == USAGE, "the services to be gone")
        assert ask() is None
        bgs("attach", "eth0")
        wait_for(lambda: health(bgs, "default", "green") == "healthy", "checks of new services")
        bgs("set", "green", "--soak", "0")
        assert ask() == "green"
    assert agent.process.poll() is None


def test_detach_ends_a_soak(agent, bgs, labels, trail, ask):
    agent.start(config())
    bgs("set", "web", "green", "--no-wait")
    bgs("detach", "all")
    trail.wait_event("superseded", "the service was removed")
    assert trail.wait_history("superseded")["to"] == "green"
    agent.reload()
    assert ask() == "blue", "the file attaches again, and what was detached is forgotten"


def test_split_and_previews_of_commands_leave_the_agent_in_step(agent, bgs, labels, ask):
    agent.start(config())
    bgs("preview", "add", "10.77.0.0/24", "green")
    assert ask() == "green"
    bgs("set", "green", "--soak", "0")
    bgs("preview", "rm", "10.77.0.0/24")
    bgs("split", "25")
    assert bgs.service("web")["split"] == {"blue": 2500, "green": 7500}
    assert bgs.service("web")["active"] == "green"
