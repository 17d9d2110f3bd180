"""What is wrong with an instance is found in time, and said in words."""
import collections
import datetime
import json
import signal
import socket
import time

import pytest

import cli
from agent import Health, events, web
from cli import REFUSED

INTERVAL, TIMEOUT, FALL = 0.1, 0.25, 3
SLACK = 1.5  # of a machine that does other things as well

# A way to misbehave; what is said of the instance; what the answer began with; whether it takes
# the whole time limit to see; what is said of the color where that is something else.
Way = collections.namedtuple("Way", "name words body waits color", defaults=(None, False, None))

HTTP_WAYS = [
    Way("refuse", "connection refused", color="no instance of green is listening"),
    Way("hang", "no answer within 250ms (connected in", waits=True),
    Way("error", "status 500, expected 200-299", "green: the database is away"),
    Way("redirect", "status 302, expected 200-299"),
    Way("sorry", "body does not contain '127.0.0.1'", "sorry, down for maintenance"),
    Way("drip", "answer not complete within 250ms (", waits=True),
    Way("endless", "header longer than 16384 bytes"),
    Way("half", "connection closed after 20 of 1000 bytes of the body", "greengreen"),
    Way("half_chunk", "connection closed in the body (5 bytes received, no end)", "green"),
    Way("header_only", "connection closed in the header (27 bytes received)"),
    Way("nothing", "connection closed without an answer"),
    Way("reset", "connection reset by peer"),
    Way("garbage", "not an HTTP answer: ", "220 mail.test ESMTP"),
]

TLS_WAYS = [
    Way("expired", "certificate has expired"),
    Way("wrong_name", "no alternative certificate subject name matches"),
    Way("plain", "wrong version number"),
    Way("error", "status 500, expected 200-299", "green: the database is away"),
    Way("endless", "header longer than 16384 bytes"),
    Way("half", "connection closed after 20 of 1000 bytes of the body", "greengreen"),
    Way("half_chunk", "connection closed in the body (5 bytes received, no end)", "green"),
    Way("header_only", "connection closed in the header ("),
    Way("nothing", "connection closed without an answer"),
    Way("refuse", "connection refused", color="no instance of green is listening"),
]

COMMAND_WAYS = [
    Way("exit 7", "exit status 7", "checking 127.0.0.1:8082"),
    Way("exec sleep 600", "no end within 250ms, killed", waits=True),
    Way("kill -SEGV $$", "killed by signal 11", "checking 127.0.0.1:8082"),
]

TCP_WAYS = [Way("refuse", "connection refused", color="no instance of green is listening")]


def found_after(bgs, since):
    """Seconds until green was announced as unhealthy."""
    at = events(bgs, "color-unhealthy")[-1]["time"].replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(at).timestamp() - since


def assert_told(check, way):
    assert way.words in check["error"], check
    assert check["attempts"] >= FALL
    assert "127.0.0.1:8082" in check["sent"]
    assert (check["body"] or "").startswith(way.body or "")


def assert_announced(bgs, way):
    told = {event["event"]: event["message"] for event in events(bgs)
            if event["event"] in ("instance-unhealthy", "color-unhealthy")}
    assert way.words in told["instance-unhealthy"]
    assert (way.color or way.words) in told["color-unhealthy"]


def assert_found(bgs, health, way, since):
    """Green's way to fail is told by `status` and the events, in time."""
    service = health.wait_color("green", "unhealthy")
    taken = found_after(bgs, since)
    assert taken < FALL * (INTERVAL * 1.1 + (TIMEOUT if way.waits else 0)) + SLACK
    instance = service["colors"]["green"]["instances"][0]
    assert instance["health"] == "unhealthy"
    assert instance["last_check"]["ok"] is False
    assert_told(instance["last_check"], way)
    assert_told(instance["last_failure"], way)
    assert service["colors"]["blue"]["health"] == "healthy"
    assert_announced(bgs, way)


def assert_refused(bgs, words):
    """Nothing moves to what is unhealthy, and the reason is on the screen."""
    before = cli.dump("services")[0]["value"]["route"]
    result = bgs.run("set", "green", "-j")
    assert result.returncode == REFUSED
    answer = json.loads(result.stdout)
    assert (answer["outcome"], answer["changed"], answer["code"]) == ("refused", False, REFUSED)
    assert words in answer["reason"] and words in result.stderr
    assert "nothing changed" in result.stderr and "bgswitch check" in result.stderr
    assert cli.dump("services")[0]["value"]["route"] == before


def assert_recovers(bgs, health):
    service = health.wait_color("green", "healthy")
    instance = service["colors"]["green"]["instances"][0]
    assert instance["last_check"]["attempts"] >= 2  # rise
    assert instance["last_failure"]["error"]  # is still there to be read
    assert [event["event"] for event in events(bgs)][-1] == "color-healthy"


def watch_it_fail(bgs, agent, config, way, turn):
    """turn(NAME) makes green misbehave in a way, or be well again."""
    health = Health(bgs)
    agent.start(config)
    assert health.color("green") == "healthy"
    since = time.time()
    turn(way.name)
    assert_found(bgs, health, way, since)
    assert_refused(bgs, way.color or way.words)
    turn("well")
    assert_recovers(bgs, health)


@pytest.mark.parametrize("way", HTTP_WAYS, ids=lambda way: way.name)
def test_http(bgs, agent, misbehave, way):
    misbehave("blue", 8081)
    green = misbehave("green", 8082)
    watch_it_fail(bgs, agent, web({"body": "127.0.0.1"}), way, green.turn)


@pytest.mark.parametrize("way", TLS_WAYS, ids=lambda way: way.name)
def test_https(bgs, agent, misbehave, certificates, way):
    misbehave("blue", 8081, certificates=certificates)
    green = misbehave("green", 8082, certificates=certificates)
    tls = {"ca": str(certificates / "ca.pem"), "server_name": "web.test"}
    watch_it_fail(bgs, agent, web({"tls": tls}), way, green.turn)


@pytest.mark.parametrize("secure", [True, False], ids=["https", "http"])
def test_a_close_may_be_the_end_of_the_body(bgs, agent, misbehave, certificates, secure):
    """Of TLS nothing is ended first: many servers leave that out."""
    for color, port in ("blue", 8081), ("green", 8082):
        misbehave(color, port, certificates=certificates if secure else None).turn("until_close")
    check = {"tls": {"insecure": True}} if secure else {}
    agent.start(web({"body": "e", **check}))
    health = Health(bgs)
    assert (health.color("blue"), health.color("green")) == ("healthy", "healthy")


def test_https_trusts_only_its_authority(bgs, agent, misbehave, certificates):
    for color, port in ("blue", 8081), ("green", 8082):
        misbehave(color, port, certificates=certificates)
    tls = {"ca": str(certificates / "other.pem"), "server_name": "web.test"}
    agent.start(web({"tls": tls}))
    health = Health(bgs)
    instance = health.wait_instance("green", 0, "unhealthy")
    assert "unable to get local issuer certificate" in instance["last_check"]["error"]
    agent.reload(web({"tls": {"insecure": True}}))
    health.wait_color("green", "healthy")


@pytest.mark.parametrize("way", TCP_WAYS, ids=lambda way: way.name)
def test_tcp(bgs, agent, misbehave, way):
    misbehave("blue", 8081)
    green = misbehave("green", 8082)
    watch_it_fail(bgs, agent, web(plain_tcp=True), way, green.turn)


def test_tcp_to_a_full_queue(bgs, agent, net, misbehave):
    """A server that accepts nothing any more: the kernel drops the handshake."""
    misbehave("blue", 8081)
    with net.host.socket() as stuck, net.host.socket() as first, net.host.socket() as second:
        stuck.bind(("127.0.0.1", 8082))
        stuck.listen(0)
        for waiting in first, second:
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", 8082))
        agent.start(web(plain_tcp=True))
        instance = Health(bgs).wait_instance("green", 0, "unhealthy")
        assert "no connection within 250ms" in instance["last_check"]["error"]
        assert_refused(bgs, "no connection within 250ms")


@pytest.mark.parametrize("way", COMMAND_WAYS, ids=lambda way: way.words.replace(" ", "-"))
def test_command(bgs, agent, misbehave, tmp_path, way):
    misbehave("blue", 8081)
    misbehave("green", 8082)
    script, words = tmp_path / "check", tmp_path / "words"
    script.write_text(f"echo checking $BGSWITCH_ADDRESS\n[ $BGSWITCH_PORT = 8081 ] || . {words}\n")
    words.write_text("exit 0")

    def turn(name):
        new = tmp_path / "new"
        new.write_text("exit 0" if name == "well" else name)
        new.rename(words)

    watch_it_fail(bgs, agent, web(command=["/bin/sh", str(script)]), way, turn)


def test_command_that_is_not_there(bgs, agent, misbehave):
    misbehave("blue", 8081)
    misbehave("green", 8082)
    agent.start(web(command=["/nonexistent/check"]))
    instance = Health(bgs).wait_instance("green", 0, "unhealthy")
    assert ("cannot run /nonexistent/check: No such file or directory"
            in instance["last_check"]["error"])


@pytest.mark.parametrize("kind", ["nginx", "node", "python", "haproxy"])
def test_real_servers_that_hang(bgs, agent, serve, kind):
    """Stopped by a signal: the kernel still takes connections, and nobody answers."""
    serve.nginx("blue", 8081)
    server = getattr(serve, kind)("green", 8082, **({"master": False} if kind == "nginx" else {}))
    health = Health(bgs)
    agent.start(web())
    assert health.color("blue") == health.color("green") == "healthy"
    since = time.time()
    server.process.send_signal(signal.SIGSTOP)
    assert_found(bgs, health, Way("stop", "no answer within 250ms", waits=True), since)
    server.process.send_signal(signal.SIGCONT)
    health.wait_color("green", "healthy")


def test_health_is_not_assumed(bgs, agent, misbehave):
    """Unknown until the first check has ended, and no traffic moves on a guess."""
    misbehave("blue", 8081)
    misbehave("green", 8082).turn("hang")
    agent.start(web({"timeout": "2s"}), ready=False)
    health = Health(bgs)
    health.wait_color("blue", "healthy")
    assert health.color("green") == "unknown"
    assert health.instances("green")[0]["last_check"] is None


def test_one_check_at_a_time(bgs, agent, misbehave):
    """A check that takes longer than the interval is not overtaken by the next one."""
    misbehave("blue", 8081)
    green = misbehave("green", 8082)
    green.turn("hang")
    agent.start(web({"timeout": "400ms"}))
    Health(bgs).wait_color("green", "unhealthy")
    assert green.served >= FALL
    assert green.most <= 2  # one, and one whose end has not been seen yet


def test_a_check_without_checks(bgs, agent, misbehave):
    """Health stays unknown, and a switch asks for a listener only."""
    misbehave("blue", 8081)
    green = misbehave("green", 8082)
    agent.start(web(no_check=True))
    health = Health(bgs)
    assert (health.color("green"), health.instances("green")[0]["last_check"]) == ("unknown", None)
    green.turn("refuse")
    assert_refused(bgs, "no instance of green is listening")
    green.turn("well")
    bgs("set", "green", "--soak", "0")
    assert health.service()["active"] == "green"
    assert not any(green.requests)


def test_checks_go_to_the_instance_not_through_the_service(bgs, agent, misbehave):
    """Their connections are not steered; only the service check's are."""
    misbehave("blue", 8081)
    misbehave("green", 8082)
    agent.start(web())
    health = Health(bgs)
    health.wait(lambda s: s["service_check"], "a service check")
    steered = bgs.counters("web")["blue"] + bgs.counters("web")["green"]
    health.wait(lambda s: s["colors"]["green"]["instances"][0]["last_check"]["attempts"] > 10,
                "ten more checks")
    assert bgs.counters("web")["blue"] + bgs.counters("web")["green"] <= steered + 1


def test_ipv6_and_host(bgs, agent, misbehave):
    """An address in brackets; Host, method and headers as they were asked for."""
    blue = misbehave("blue", 8081)
    green = misbehave("green", 8082, address="::1")
    assert green.listener.family == socket.AF_INET6
    agent.start(web({"host": "www.web.test", "method": "OPTIONS", "path": "/deep/health?full=1",
                     "headers": {"X-Check": "yes: it is"}}, green="[::1]:8082"))
    assert Health(bgs).color("green") == "healthy"
    for server in blue, green:
        head = server.requests[0].splitlines()
        assert head[0] == "OPTIONS /deep/health?full=1 HTTP/1.1"
        assert "Host: www.web.test" in head and "X-Check: yes: it is" in head
