"""`drain` and the drain of `set`: waiting for zero, deadlines, who is cut, and who is not."""
import collections
import json
import os
import pty
import re
import signal
import time

import pytest

import cli
import host
from agent import PATIENCE, events, history, interrupted, web
from cli import BUSY, DONE, FAILED, REFUSED, USAGE
from hold import CUT, Counts, expected, listed
from host import HOST4, HOST6
from sandbox import wait_for

LINE = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] (\w+): (.*)")


@pytest.fixture
def servers(holding):
    """Blue and green; options are of blue."""
    def start(**options):
        return holding.serve(8081, **options), holding.serve(8082)

    return start


@pytest.fixture
def web_counts(bgs):
    return Counts(bgs, "web")


@pytest.fixture
def drained(driver, servers, holding, web_counts, bgs):
    """drained(count, …): connections of blue, and new ones go to green."""
    def prepare(count, drain=None, **options):
        servers(**options)
        driver(web(plain_tcp=True, blue="8081", green="8082", drain=drain or {}))
        client = holding.connect(count, answers=options.get("answers", True))
        wait_for(lambda: len(listed(bgs, "blue")) >= count, "the connections")
        bgs("set", "green", "--force", "--soak", "0", "--drain-timeout", "0", "--keep",
            expect=CUT if count else DONE)
        return client

    return prepare


def drain(bgs, *words, expect=DONE, color="blue"):
    """The result as JSON, and what was said."""
    result = bgs.run("drain", color, *words, "-j")
    assert result.returncode == expect, (result.stdout, result.stderr)
    return json.loads(result.stdout), result.stderr


def start(bgs, *words, said="draining blue", **options):
    """In the background, and it waits by now."""
    process = bgs.start("drain", "blue", *words, **options)
    wait_for(lambda: bgs("events", "-n", "3").count(said), "the drain to begin")
    return process


def finish(process, seconds=PATIENCE):
    stdout, stderr = process.communicate(timeout=seconds)
    return process.returncode, stdout, stderr


# ---- refused


@pytest.mark.parametrize("prepare, said", [
    (("set", "blue", "--force", "--soak", "0"), "active"),
    (("split", "10"), "share"),
    (("preview", "add", "10.1.0.0/16", "blue"), "preview")], ids=["active", "split", "preview"])
def test_a_color_that_gets_connections_is_not_drained(bgs, driver, labels, prepare, said):
    driver(web(plain_tcp=True, blue="8081", green="8082"))
    bgs("set", "green", "--force", "--soak", "0")
    bgs(*prepare)
    before = cli.dump("services"), len(history(bgs))
    result = bgs.run("drain", "blue")
    assert result.returncode == REFUSED and said in result.stderr
    assert (cli.dump("services"), len(history(bgs))) == before


def test_busy_while_a_switch_waits(bgs, driver, labels):
    driver(web(plain_tcp=True, blue="8081", green="8082", soak="60s"))
    waiting = bgs.start("set", "green")
    wait_for(lambda: events(bgs, "soaking"), "the soak")
    result = bgs.run("drain", "blue")
    assert result.returncode == BUSY and "set" in result.stderr
    interrupted(waiting)


def test_busy_while_a_drain_waits(bgs, drained):
    drained(1)
    waiting = start(bgs, "--timeout", "inf")
    by_agent = json.loads(bgs("status", "-j"))["agent"]["running"]
    for words in ("set", "blue"), ("drain", "blue"), ("split", "5"):
        result = bgs.run(*words)
        assert result.returncode == BUSY, (words, result)
        assert "drain" in result.stderr
        if by_agent:
            assert "drain blue (draining)" in result.stderr and "promote" not in result.stderr
    interrupted(waiting)


@pytest.mark.parametrize("words, said", [
    ((), "COLOR"), (("red",), "red"), (("blue", "--timeout", "5"), "length of time"),
    (("blue", "--timeout", "-1s"), "length of time"), (("blue", "--over", "inf"), "length of time"),
    (("blue", "--close-idle", "x"), "--close-idle"),
    (("blue", "--kill", "--keep"), "exclude"),
    (("blue", "--timeout", "10s", "--over", "11s"), "longer"),
    (("blue", "nosuch"), "nosuch"), (("blue", "--soak", "1s"), "soak")])
def test_wrong_words(attached, labels, words, said):
    attached("set", "green", "--force", "--no-wait")
    result = attached.run("drain", *words)
    assert result.returncode == USAGE and said in result.stderr and not result.stdout


# ---- to the end


def test_nothing_to_wait_for(bgs, drained):
    drained(0)
    answer, said = drain(bgs, "--timeout", "inf")
    assert (answer["outcome"], answer["drained"]["safe_to_stop"]) == ("complete", True)
    assert answer["drained"]["cut"] == 0 and "blue is safe to stop" in said
    assert answer["duration_ms"] < 5000


@pytest.mark.smoke
def test_waits_for_the_last_one(bgs, drained, web_counts):
    client = drained(20)
    waiting = start(bgs, "--timeout", "inf", "-j")
    client.close(19)
    web_counts.wait("blue", established=1)
    service = bgs.service("web")
    assert waiting.poll() is None and service["colors"]["blue"]["safe_to_stop"] is False
    client.close(1)
    code, stdout, stderr = finish(waiting)
    assert (code, json.loads(stdout)["outcome"]) == (DONE, "complete"), stderr
    assert web_counts.safe("blue") is True
    assert history(bgs)[-1]["operation"] == "drain"
    assert events(bgs, "safe-to-stop")


def test_set_returns_when_safe_to_stop(bgs, driver, servers, holding, web_counts):
    blue, _ = servers()
    driver(web(plain_tcp=True, blue="8081", green="8082", soak="100ms"))
    client = holding.connect(30)
    waiting = bgs.start("set", "green", "--drain-timeout", "inf", "-j")
    wait_for(lambda: events(bgs, "draining"), "the drain")
    late = holding.connect(10)
    client.close(29)
    web_counts.wait("blue", established=1)
    assert waiting.poll() is None
    client.close(1)
    code, stdout, _ = finish(waiting)
    answer = json.loads(stdout)
    assert (code, answer["drained"]["safe_to_stop"], answer["changed"]) == (DONE, True, True)
    blue.kill()
    assert late.progress.open == 10 and late.progress.reset == 0


# ---- at the deadline


def test_resets_exactly_its_own(bgs, driver, servers, holding, net, web_counts):
    """1,000 of each color, 1,000 of a neighbour on the same ports in another namespace."""
    servers()
    holding.serve(80, namespace=net.client), holding.serve(8081, namespace=net.client)
    driver(web(plain_tcp=True, blue="8081", green="8082"))
    blue = [holding.connect(500), holding.connect(500, HOST6)]
    web_counts.wait("blue", established=1000)
    bgs("set", "green", "--no-wait")
    green = [holding.connect(500), holding.connect(500, HOST6)]
    neighbours = [holding.connect(500, "127.0.0.1", 80, namespace=net.client),
                  holding.connect(500, "127.0.0.1", 8081, namespace=net.client)]
    bgs("set", "green", "--no-wait")  # an agent's drain is over by this
    answer, said = drain_now(bgs, "--timeout", "100ms", "--kill")
    assert answer["drained"]["cut"] == 1000 and "1000 connections of blue were reset" in said
    for client in blue:
        client.wait(open=0, reset=500)
        assert {end.how for end in client.ends()} == {"reset"}
    for client in green + neighbours:
        assert client.progress[:4] == (500, 500, 0, 0)
    web_counts.wait("blue")
    wait_for(lambda: web_counts.color("green")["established"] == 1000, "green's 1,000")
    assert web_counts.safe("blue") is True


def drain_now(bgs, *words):
    """Once the agent's own drain of the cutover, if there is one, gives way."""
    bgs.run("promote")
    wait_for(lambda: bgs.service("web")["state"] != "soaking", "the soak to end")
    if bgs.service("web")["state"] == "draining":
        bgs("abort")
        bgs("set", "green", "--force", "--soak", "0", "--drain-timeout", "0", "--keep", expect=CUT)
    return drain(bgs, *words, expect=CUT)


def test_keep_leaves_them(bgs, drained, web_counts):
    client = drained(50)
    answer, said = drain(bgs, "--timeout", "200ms", "--keep", expect=CUT)
    assert (answer["outcome"], answer["drained"]["cut"]) == ("connections-kept", 0)
    assert answer["drained"]["remaining"]["established"] == 50
    assert answer["duration_ms"] >= 200 and "conns blue" in said
    assert client.progress[:4] == (50, 50, 0, 0)
    web_counts.wait("blue", established=50)


def test_the_deadline_is_kept(bgs, drained):
    drained(5)
    answer, _ = drain(bgs, "--timeout", "700ms", "--kill", expect=CUT)
    assert 700 <= answer["drained"]["duration_ms"] < 4000
    assert answer["drained"]["cut"] == 5
    assert history(bgs)[-1]["outcome"] == "connections-cut"


def test_a_color_that_stands_in_is_not_cut(attached, holding, counts):
    """Who came there because green had gone would find nobody else."""
    holding.serve(8081)
    green = holding.serve(8082)
    before = holding.connect(3)
    attached("set", "green", "--force", "--no-wait")
    waiting = start(attached, "--timeout", "2s", "--kill")
    green.kill()
    meanwhile = holding.connect(4)
    code, _, stderr = finish(waiting)
    assert code == CUT, stderr
    assert "not reset: green has no listener for IPv4 clients, and they go to blue" in stderr
    assert (before.progress[:4], meanwhile.progress[:4]) == ((3, 3, 0, 0), (4, 4, 0, 0))
    counts.wait("blue", established=7)


def test_ctrl_c(bgs, drained, request, web_counts):
    client = drained(3)
    waiting = start(bgs, "--timeout", "inf")
    code, stderr = interrupted(waiting)
    by_agent = "the agent goes on with it" in stderr
    assert code == (FAILED if by_agent else -signal.SIGINT), stderr
    assert client.progress[:4] == (3, 3, 0, 0)
    web_counts.wait("blue", established=3)
    assert bgs.service("web")["state"] == ("draining" if by_agent else "steady")
    if by_agent:
        bgs("abort")
    drain(bgs, "--timeout", "0", "--kill", expect=CUT)
    client.wait(reset=3)


# ---- spread


def quarters(ends, begin, seconds):
    """How many ended in each quarter of the time; ends after it are in the last one."""
    counted = collections.Counter(
        min(3, int(4 * (end.when / 1e9 - begin) / seconds)) for end in ends)
    return [counted[number] for number in range(4)]


def assert_even(numbers, total):
    """Up to the end of each quarter as many have ended as should, a busy machine's pauses aside."""
    assert sum(numbers) == total
    for quarter in range(1, 4):
        assert abs(sum(numbers[:quarter]) - quarter * total / 4) <= total / 6, numbers


def test_over_closes_idle_ones_evenly(bgs, drained):
    client = drained(400)
    wait_for(lambda: all(line["idle_ms"] > 1200 for line in listed(bgs, "blue")
                         if line["received_bytes"]), "idle connections")
    begin = time.monotonic()
    answer, _ = drain(bgs, "--timeout", "30s", "--over", "4s")
    assert (answer["drained"]["closed_idle"], answer["drained"]["cut"]) == (400, 0)
    client.wait(fin=400, reset=0)
    ends = client.ends()
    assert_even(quarters(ends, begin, 4), 400)
    assert ends[-1].when / 1e9 - begin < 6


def test_over_resets_evenly_what_is_not_idle(bgs, drained):
    """A request is in flight on each: none can be closed gently."""
    client = drained(400, answers=False)
    begin = time.monotonic()
    answer, _ = drain(bgs, "--timeout", "6s", "--over", "4s", expect=CUT)
    assert (answer["drained"]["closed_idle"], answer["drained"]["cut"]) == (0, 400)
    client.wait(fin=0, reset=400)
    ends = client.ends()
    assert ends[0].when / 1e9 - begin >= 1.9, "resets begin so long before the deadline"
    assert_even(quarters(ends, begin + 2, 4), 400)


# ---- what is shown


def progress_lines(stderr):
    found = [LINE.fullmatch(line) for line in stderr.splitlines()]
    return [(match[1], match[3]) for match in found if match and match[3].startswith("draining")]


def test_lines_with_their_time(bgs, drained):
    client = drained(40)
    waiting = start(bgs, "--timeout", "4s", "--keep")
    begin = time.monotonic()
    while waiting.poll() is None and time.monotonic() - begin < 10:
        if client.progress.open > 1:
            client.close(1)
        time.sleep(0.1)  # something changes all the time
    code, _, stderr = finish(waiting)
    lines = progress_lines(stderr)
    assert code == CUT and 2 <= len(lines) <= 6, stderr
    assert re.fullmatch(r"draining blue: (\d+ \w+, )?\d+ established", lines[0][1])
    for _, text in lines[1:]:
        assert re.fullmatch(r"draining blue: (\d+ \w+, )?\d+ established.*, (0|[1-3]s) left",
                            text), text
    assert len({when for when, _ in lines}) >= len(lines) - 1, "at most one a second"


def test_one_line_on_a_terminal(bgs, drained):
    client = drained(10)
    ours, theirs = pty.openpty()
    waiting = start(bgs, "--timeout", "inf", stderr=theirs,
                    env={**bgs.environment, "TERM": "xterm"})
    os.close(theirs)
    seen = b""
    for left in range(9, 0, -1):
        client.close(1)
        while b"%d established" % left not in seen:
            seen += os.read(ours, 65536)
    client.close(1)
    while True:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # its other side is closed
            break
    assert waiting.wait(PATIENCE) == DONE
    os.close(ours)
    first, last = seen.index(b"\r\x1b[K"), seen.rindex(b"\r\x1b[K")
    assert b"\n" not in seen[first:last], "rewritten, not added to"
    assert b"safe to stop" in seen[last:] and b"established" not in seen[last:]


def test_quiet(bgs, drained):
    drained(0)
    result = bgs.run("-q", "drain", "blue")
    assert (result.returncode, result.stdout, result.stderr) == (DONE, "", "")


# ---- killed


@pytest.mark.parametrize("words", [("drain", "blue", "--timeout", "inf"),
                                   ("set", "blue", "--drain-timeout", "inf", "--soak", "60s")],
                         ids=["drain", "set"])
def test_killed_command(bgs, agent, servers, holding, web_counts, words):
    """Without an agent: whatever it waited for, the next command finds whole state."""
    servers()
    agent.configure(web(plain_tcp=True, blue="8081", green="8082"))
    bgs("apply", agent.config)
    first = holding.connect(10)
    bgs("set", "green", "--soak", "0", "--drain-timeout", "0", "--keep", expect=CUT)
    second = holding.connect(10)
    waiting = bgs.start(*words)
    wait_for(lambda: bgs("events", "-n", "3").count("draining"), "the drain")
    waiting.kill()
    waiting.communicate()
    active = "green" if words[0] == "drain" else "blue"
    assert bgs.service("web")["active"] == active
    assert (first.progress[:4], second.progress[:4]) == ((10, 10, 0, 0), (10, 10, 0, 0))
    old = "blue" if active == "green" else "green"
    answer, _ = drain(bgs, "--timeout", "0", "--kill", color=old, expect=CUT)
    assert answer["drained"]["cut"] == 10
    bgs("set", old, "--soak", "0", "--drain-timeout", "0", "--kill", expect=CUT)
    assert bgs.service("web")["state"] == "steady"


def test_killed_agent_goes_on_with_the_time_that_is_left(bgs, agent, servers, holding):
    servers()
    agent.start(web(plain_tcp=True, blue="8081", green="8082", soak="0",
                    drain={"timeout": "5s"}))
    client = holding.connect(25)
    begin = time.monotonic()
    bgs("set", "green", "--no-wait")
    assert bgs.service("web")["state"] == "draining"
    agent.kill()
    client.close(5)
    assert client.progress.reset == 0
    agent.start()
    client.wait(reset=20)
    spent = time.monotonic() - begin
    assert 4.5 < spent < 8, "neither at once, nor a whole drain after the restart"
    wait_for(lambda: history(bgs) and history(bgs)[-1]["outcome"] == "connections-cut",
             "the history to say so")
    assert "20 connections of blue were reset" in history(bgs)[-1]["reason"]
    assert Counts(bgs, "web").safe("blue") is True


# ---- a listener that dies with clients in its queue


def test_a_queue_dies_with_its_listener(attached, holding, counts):
    """
    Why queues have to be empty before a version is stopped: the kernel resets who
    waits there. Nobody else notices, neither who was accepted by a process that
    lives on nor who comes later.
    """
    attached("service", "add", "web", "--listen", ":90", "--blue", "9001", "--green", "9002")
    counts = Counts(attached, "web")
    blue, _ = holding.serve(9001), holding.serve(9002)
    os.kill(blue.pid, signal.SIGSTOP)
    waiting = holding.connect(200, port=90, answers=False)
    counts.wait("blue", accept_queue=200)
    attached("set", "web", "green", "--force", "--no-wait")
    after = holding.connect(50, port=90)
    assert counts.safe("blue") is False and counts.color("blue")["accept_queue"] == 200
    blue.kill()
    waiting.wait(open=0, reset=200)
    counts.wait_safe("blue")
    later = holding.connect(50, port=90)
    counts.wait("green", established=100)
    for client in after, later:
        assert client.progress[:4] == (50, 50, 0, 0)
    assert counts.color("blue") == expected()
