"""The drain within `set`: the color that lost the traffic is waited for, beside the soak."""
import json
import os
import pty
import re
import signal

import pytest

import host
from agent import PATIENCE, Health, events, history, web
from cli import BUSY, DONE, ROLLED_BACK
from sandbox import wait_for
from trail import Trail

CUT = 4
PATIENT = {"timeout": "2s"} # of a check: a busy machine is no failure


@pytest.fixture
def servers(serve, misbehave):
    """Blue is nginx, which keeps connections; green can be made to fail."""
    serve.nginx("blue", 8081)
    return misbehave("green", 8082)


@pytest.fixture
def start(driver, servers):
    """start(...): one service, driven by an agent or by the command; which of them."""
    def start(**service):
        return driver(web(PATIENT, **{"soak": "0", **service}))
    return start


def begin(bgs, net, *words):
    """A client of blue, and a `set green` that waits for it."""
    sock = host.connect(net.client, host.HOST4)
    process = bgs.start("set", "green", *words, "-j")
    Trail(bgs).wait_event("draining")
    assert process.poll() is None
    return sock, process


def end(process, expect=DONE):
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == expect, (stdout, stderr)
    return json.loads(stdout), stderr


def is_alive(sock):
    """Does blue still answer here?"""
    sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    return b"blue" in b"".join(iter(lambda: sock.recv(4096), b""))


def said(bgs, kind):
    return [event["message"] for event in events(bgs, kind)]


# ---- how it ends


def test_it_waits_for_the_last_connection(bgs, net, start, ask):
    start()
    sock, process = begin(bgs, net)
    assert ask() == "green"
    assert is_alive(sock)
    sock.close()
    result, stderr = end(process)
    drained = result["drained"]
    assert (result["outcome"], drained["color"], drained["safe_to_stop"]) == (
        "complete", "blue", True)
    assert (drained["cut"], drained["closed_idle"]) == (0, 0)
    assert set(drained["remaining"].values()) == {0, False}
    assert "web: blue is safe to stop (drained in" in stderr
    assert bgs.service("web")["colors"]["blue"]["safe_to_stop"] is True


def test_what_is_left_at_the_deadline_is_reset(bgs, net, start):
    start()
    sock, process = begin(bgs, net, "--drain-timeout", "500ms")
    result, stderr = end(process, CUT)
    assert (result["outcome"], result["drained"]["cut"], result["drained"]["safe_to_stop"]) == (
        "connections-cut", 1, True)
    assert result["changed"] and result["drained"]["duration_ms"] >= 500
    assert "1 connection of blue was reset at the deadline" in stderr
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    entry = history(bgs)[-1]
    assert (entry["outcome"], entry["reason"]) == (
        "connections-cut", "1 connection of blue was reset at the deadline")


def test_what_is_left_at_the_deadline_is_kept(bgs, net, start):
    start()
    sock, process = begin(bgs, net, "--drain-timeout", "500ms", "--keep")
    result, stderr = end(process, CUT)
    drained = result["drained"]
    assert (result["outcome"], drained["safe_to_stop"], drained["remaining"]["established"]) == (
        "connections-kept", False, 1)
    assert "blue is not safe to stop: 1 established are left" in stderr
    assert is_alive(sock)


def test_it_outlasts_the_soak(bgs, net, start):
    start(soak="200ms")
    sock, process = begin(bgs, net, "--drain-timeout", "inf")
    with pytest.raises(Exception):
        process.wait(1)
    sock.close()
    result, _ = end(process)
    assert result["outcome"] == "complete" and result["duration_ms"] >= 1000


def test_the_soak_outlasts_it(bgs, net, start):
    start(soak="4s")
    sock, process = begin(bgs, net)
    sock.close()
    result, _ = end(process)
    assert result["duration_ms"] >= 4000
    assert result["drained"]["duration_ms"] < result["duration_ms"]


def test_with_previews_it_is_not_drained(bgs, start):
    start()
    bgs("preview", "add", "192.0.2.0/24", "blue")
    result = bgs.run("set", "green", "-j")
    assert result.returncode == DONE
    drained = json.loads(result.stdout)["drained"]
    assert (drained["color"], drained["safe_to_stop"]) == ("blue", False)
    assert "blue is not drained: preview networks still send clients to blue" in result.stderr


def test_a_target_that_fails_is_taken_back(bgs, net, start, servers):
    start(soak="60s")
    sock, process = begin(bgs, net)
    servers.turn("error")
    result, _ = end(process, ROLLED_BACK)
    assert result["outcome"] == "rolled-back"
    assert result["drained"]["safe_to_stop"] is False
    assert bgs.service("web")["active"] == "blue" and is_alive(sock)


@pytest.mark.parametrize("driver", ["alone"], indirect=True)  # an agent goes on with it: see below
def test_a_signal_leaves_what_is_open(bgs, net, driver, servers):
    driver(web(PATIENT, soak="0"))
    sock, process = begin(bgs, net)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert bgs.service("web")["active"] == "green" and is_alive(sock)
    assert history(bgs)[-1]["outcome"] == "superseded"
    bgs("set", "blue", "--no-wait") # nobody is in the way


# ---- with an agent


@pytest.fixture
def watched(agent, servers):
    agent.start(web(PATIENT, soak="60s"))
    return agent


def drain(bgs, net, *words):
    """The agent drains blue, which has this client."""
    sock = host.connect(net.client, host.HOST4)
    bgs("set", "green", "--no-wait", *words)
    Health(bgs).wait_state("draining")
    return sock


def test_status_shows_it(bgs, net, watched):
    sock = drain(bgs, net, "--soak", "0")
    service = bgs.service("web")
    assert service["state"] == "draining"
    assert [service["colors"][color]["role"] for color in ("blue", "green")] == [
        "draining", "active"]
    assert 0 < service["operation"]["left_ms"] <= 30000
    sock.close()
    Health(bgs).wait_state("steady")
    assert bgs.service("web")["colors"]["blue"]["role"] == "standby"
    assert said(bgs, "safe-to-stop")


def test_without_a_deadline_no_time_is_left(bgs, net, watched):
    sock = drain(bgs, net, "--drain-timeout", "inf")
    assert bgs.service("web")["operation"]["left_ms"] is None
    assert "draining: set blue -> green\n" in bgs("status")
    assert is_alive(sock)


def test_promoted_it_goes_on(bgs, net, watched):
    sock = drain(bgs, net)
    bgs("promote")
    assert bgs.service("web")["state"] == "draining"
    assert "nothing is soaking" in bgs.run("promote").stderr
    sock.close()
    Health(bgs).wait_state("steady")
    entry = history(bgs)[-1]
    assert (entry["operation"], entry["outcome"]) == ("set", "complete")


def test_aborted_it_ends(bgs, net, watched, ask):
    sock = drain(bgs, net, "--drain-timeout", "500ms")
    bgs("abort")
    service = bgs.service("web")
    assert (service["state"], service["active"], ask()) == ("steady", "blue", "blue")
    assert is_alive(sock) and not said(bgs, "connections-cut")


def test_another_change_ends_it(bgs, net, watched):
    sock = drain(bgs, net)
    bgs("set", "blue", "--no-wait")
    assert [(entry["to"], entry["outcome"]) for entry in history(bgs)][-1] == (
        "green", "superseded")
    assert is_alive(sock)


def test_once_promoted_a_failover_ends_it(bgs, net, watched, servers):
    sock = drain(bgs, net)
    bgs("promote")
    servers.turn("error")
    wait_for(lambda: bgs.service("web")["active"] == "blue", "the failover")
    assert [(entry["operation"], entry["outcome"]) for entry in history(bgs)][-2:] == [
        ("set", "superseded"), ("failover", "complete")]
    assert is_alive(sock)


def test_a_second_set_waits_for_it_too(bgs, net, watched):
    sock = drain(bgs, net, "--soak", "0")
    process = bgs.start("set", "green", "-j")
    assert "draining blue" in process.stderr.readline(), "it is told how far the drain is"
    assert bgs.run("set", "green").returncode == BUSY
    sock.close()
    result, _ = end(process)
    assert result["drained"]["safe_to_stop"] is True


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_an_agent_that_comes_back_goes_on(bgs, net, watched, how):
    sock = drain(bgs, net, "--soak", "0", "--drain-timeout", "20m")
    getattr(watched, how)()
    watched.start()
    Trail(bgs).wait_event("interrupted", "draining blue goes on")
    service = bgs.service("web")
    assert service["state"] == "draining"
    assert 0 < service["operation"]["left_ms"] <= 20 * 60 * 1000
    assert is_alive(sock)
    sock.close()
    Health(bgs).wait_state("steady")
    assert history(bgs)[-1]["outcome"] == "complete"
    assert not Trail(bgs).operations()


def test_a_deadline_that_passed_meanwhile_cuts_nobody(bgs, net, watched):
    sock = drain(bgs, net, "--soak", "0", "--drain-timeout", "20m")
    watched.kill()
    trail = Trail(bgs)
    trail.edit(operations={"web": {**trail.operations()["web"], "soak_until_ms": 1}})
    watched.start()
    trail.wait_event("not-safe-to-stop")
    assert history(bgs)[-1]["outcome"] == "connections-kept"
    assert is_alive(sock)


# ---- what is seen meanwhile


def test_lines_with_the_time(bgs, net, start):
    start()
    more = host.connect(net.client, host.HOST4)
    sock, process = begin(bgs, net, "--drain-timeout", "inf")
    more.close()
    seen = []
    for line in process.stderr:
        seen.append(line.partition("] ")[2])
        if "draining blue: 1 established" in line:
            break
    assert seen.count("web: draining blue: 2 established\n") == 1
    sock.close()
    end(process)


def test_a_terminal_has_one_line_rewritten(bgs, net, start):
    start()
    sock = host.connect(net.client, host.HOST4)
    ours, theirs = pty.openpty()
    process = bgs.start("set", "green", stderr=theirs,
                        env={**bgs.environment, "TERM": "xterm"})
    os.close(theirs)
    seen = b""
    while not re.search(rb"\r\x1b\[Kdraining blue: 1 established, (oldest \d+s, )?2\ds left", seen):
        seen += os.read(ours, 4096)
    sock.close()
    while b"is safe to stop (drained in" not in seen:
        seen += os.read(ours, 4096)
    process.communicate(timeout=PATIENCE)
    os.close(ours)
    assert b"\r\x1b[K[" in seen, "the line makes way for events"
