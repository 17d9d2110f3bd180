"""`conns` lists what `ss` cannot: whose a connection is. And those from before the attach."""
import contextlib
import socket
import subprocess
import sys

import pytest

import host
from cli import USAGE
from hold import Counts, listed
from host import HOST4, HOST6
from sandbox import wait_for
from slow_client import SlowClient

KEYS = {"service", "color", "instance", "state", "peer", "local", "tag", "pid", "comm", "age_ms",
        "idle_ms", "received_bytes", "sent_bytes", "rtt_us", "cookie"}

# Listens on ports, takes connections and holds them; a line of standard input is a command.
SERVER = """
import os, socket, sys

def listen(port):
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", int(port)))
    sock.listen(1024)
    return sock

listeners = {port: listen(port) for port in sys.argv[1:]}
held = []
print("listening", flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == "take":
        held += [listeners[words[1]].accept()[0] for _ in range(int(words[2]))]
    elif words[0] == "unlisten":
        listeners.pop(words[1]).close()
    elif words[0] == "fork":  # the child holds what there is, and no listener
        child = os.fork()
        if not child:
            for listener in listeners.values():
                listener.close()
            if words[1:] == ["exec"]:
                for sock in held:
                    sock.set_inheritable(True)
                os.execvp("sleep", ["sleep", "1000"])
            while True:
                socket.socketpair()[0].recv(1)
        for sock in held:
            sock.close()
        held.clear()
    elif words[0] == "close":
        for sock in held:
            sock.close()
        held.clear()
    print("done", flush=True)
"""


class Server:
    def __init__(self, namespace, *ports):
        self.process = namespace.popen([sys.executable, "-c", SERVER, *ports],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "listening\n"

    @property
    def pid(self):
        return self.process.pid

    def tell(self, *words):
        """It is done when this returns."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def kill(self):
        """Its children keep the pipe open, and end with the sandbox."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def server(net):
    """server(port, …): a process of its own."""
    started = []

    def start(*ports):
        started.append(Server(net.host, *ports))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def clients(net):
    with contextlib.ExitStack() as stack:
        yield lambda count, address=HOST4, port=80, **options: [
            stack.enter_context(host.connect(net.client, address, port, **options))
            for _ in range(count)]


def peer(sock):
    address, port = sock.getsockname()[:2]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


# ---- what is listed


@pytest.mark.smoke
@pytest.mark.parametrize("address, local", [(HOST4, f"{HOST4}:80"), (HOST6, f"[{HOST6}]:80")])
def test_every_column(attached, server, clients, address, local):
    blue = server(8081)
    sock, = clients(1, address)
    blue.tell("take", 8081, 1)
    sock.sendall(b"x" * 1000)
    wait_for(lambda: listed(attached)[0]["received_bytes"] == 1000, "the bytes to arrive")
    line, = listed(attached)
    assert set(line) == KEYS
    assert (line["service"], line["color"], line["instance"]) == ("default", "blue", ":8081")
    assert (line["state"], line["tag"]) == ("established", "tagged")
    assert (line["peer"], line["local"]) == (peer(sock), local)
    assert line["pid"] == blue.pid and line["comm"].startswith("python3")
    assert line["sent_bytes"] == 0 and line["rtt_us"] > 0 and line["cookie"] > 0
    assert 0 <= line["idle_ms"] <= line["age_ms"] + 10 < 15000


def test_states_by_name(attached, net, server, clients):
    blue = server(8081)
    half_open = SlowClient(net)
    half_open.open_half()
    wait_for(lambda: listed(attached), "the handshake")
    taken, = clients(1)
    blue.tell("take", 8081, 1)
    ended, = clients(1)
    blue.tell("take", 8081, 1)
    ended.shutdown(socket.SHUT_WR)
    queued, = clients(1)
    wait_for(lambda: len(listed(attached)) == 4 and
             "close-wait" in {line["state"] for line in listed(attached)}, "all four")
    lines = {line["state"]: line for line in listed(attached)}
    assert set(lines) == {"syn-recv", "established", "close-wait", "queued"}
    assert lines["established"]["peer"] == peer(taken)
    assert lines["queued"]["peer"] == peer(queued) and lines["queued"]["pid"] is None
    handshake = lines["syn-recv"]
    assert (handshake["color"], handshake["instance"]) == ("blue", ":8081")
    assert {handshake[key] for key in ("pid", "age_ms", "idle_ms", "sent_bytes", "rtt_us")} == {None}


def test_by_service_and_color(attached, server, clients):
    attached("service", "add", "web", "--listen", ":90", "--blue", "9001", "--green", "9002")
    blue, green, web = server(8081), server(8082), server(9001)
    clients(2), clients(1, port=90)
    attached("set", "default", "green", "--force", "--no-wait")
    clients(3)
    blue.tell("take", 8081, 2), green.tell("take", 8082, 3), web.tell("take", 9001, 1)
    for words, expected in [((), {("default", "blue"): 2, ("default", "green"): 3,
                                  ("web", "blue"): 1}),
                            (("default",), {("default", "blue"): 2, ("default", "green"): 3}),
                            (("blue",), {("default", "blue"): 2, ("web", "blue"): 1}),
                            (("default", "green"), {("default", "green"): 3}),
                            (("green", "default"), {("default", "green"): 3}),
                            (("web", "green"), {})]:
        lines = listed(attached, *words)
        found = [(line["service"], line["color"]) for line in lines]
        assert {one: found.count(one) for one in found} == expected, words
        assert found == sorted(found), "sorted by service and color"


@pytest.mark.parametrize("words, said", [
    (("red",), "red"), (("blue", "green"), "two colors"), (("a", "b"), "two services"),
    (("a", "b", "c"), "'c'"), (("nosuch", "blue"), "nosuch"), (("--nosuch",), "nosuch")])
def test_wrong_words(attached, words, said):
    result = attached.run("conns", *words)
    assert result.returncode == USAGE and said in result.stderr and not result.stdout


def test_for_people(attached, server, clients):
    assert attached.run("conns").stderr == "no connections\n"
    blue = server(8081)
    sock, = clients(1)
    blue.tell("take", 8081, 1)
    heading, line = attached("conns").splitlines()
    assert heading.split() == ["SERVICE", "COLOR", "INSTANCE", "STATE", "PEER", "PROCESS", "AGE",
                               "IDLE", "RECEIVED", "SENT", "RTT"]
    for word in ("default", "blue", ":8081", "established", peer(sock), str(blue.pid)):
        assert word in line.split()


def test_no_service_is_forgotten(attached, server, clients, counts):
    """A connection of a service that was removed, and declared again, is of neither color."""
    blue = server(8081)
    clients(2)
    blue.tell("take", 8081, 2)
    attached("service", "rm", "default")
    assert [line["tag"] for line in listed(attached)] == ["stale"] * 2
    attached("service", "add", "default", "--listen", ":80", "--blue", "8081", "--green", "8082")
    clients(1)
    blue.tell("take", 8081, 1)
    counts.wait("blue", established=1, untagged=2)
    blue.tell("close")
    counts.wait("blue")


def test_neighbours_are_not_listed(attached, net, server, clients):
    """Another namespace, the same port: and another port here."""
    blue = server(8081)
    clients(1)
    blue.tell("take", 8081, 1)
    other, beside = Server(net.client, 8081, 80), server(7000)
    with host.connect(net.client, "::1", 8081), host.connect(net.client, "::1", 80):
        other.tell("take", 8081, 1), other.tell("take", 80, 1)
        clients(1, port=7000)
        beside.tell("take", 7000, 1)
        assert len(listed(attached)) == 1
    other.kill()


# ---- older than the attach


@pytest.fixture
def old(bgs, clients):
    """old(port, count): clients of a time when bgswitch was not there."""
    def connect(process, port, count=3):
        socks = clients(count, port=port)
        process.tell("take", port, count)
        return socks

    return connect


def untagged(bgs):
    """Of blue and green, after what is under way has arrived."""
    colors = bgs.service()["colors"]
    return tuple(colors[color]["connections"]["untagged"] for color in ("blue", "green"))


def test_held_by_the_listening_process(bgs, server, old, counts):
    blue, green = server(8081), server(8082)
    old(blue, 8081, 3), old(green, 8082, 2)
    bgs("attach", "eth0")
    assert untagged(bgs) == (3, 2)
    bgs("set", "green", "--force", "--no-wait")
    assert counts.safe("blue") is False
    assert {(line["color"], line["tag"], line["pid"]) for line in listed(bgs)} == {
        ("blue", "untagged", blue.pid), ("green", "untagged", green.pid)}
    blue.tell("close")
    counts.wait("blue")
    counts.wait_safe("blue")
    assert untagged(bgs) == (0, 2)


@pytest.mark.parametrize("how", ["fork", "fork exec"])
def test_held_by_a_child_that_listens_no_more(bgs, server, old, counts, how):
    blue = server(8081)
    old(blue, 8081)
    blue.tell(*how.split())
    bgs("attach", "eth0")
    assert untagged(bgs) == (3, 0)
    assert {line["color"] for line in listed(bgs)} == {"blue"}


def test_directly_on_the_services_address(bgs, server, old, counts):
    """What served there before: it is of neither color, and nobody waits for it."""
    before = server(80)
    server(8081), server(8082)
    old(before, 80)
    bgs("attach", "eth0")
    assert untagged(bgs) == (0, 0)
    lines = listed(bgs)
    assert len(lines) == 3 and {line["color"] for line in lines} == {None}
    bgs("set", "green", "--force", "--no-wait")
    counts.wait_safe("blue")


def test_a_process_of_both_colors_counts_by_port(bgs, server, old, counts):
    """One that listens for both, and on the service's port as well."""
    both = server(80, 8081, 8082)
    old(both, 8081, 1), old(both, 8082, 2), old(both, 80, 4)
    bgs("attach", "eth0")
    assert untagged(bgs) == (1 + 4, 2 + 4), "those at port 80 may be of either"


def test_nobody_listens_any_more(bgs, server, old, counts):
    """Who holds it has no listener: by its port, in doubt of both colors."""
    before = server(80, 8081)
    old(before, 80, 1), old(before, 8081, 2)
    before.tell("unlisten", 80), before.tell("unlisten", 8081)
    bgs("attach", "eth0")
    assert untagged(bgs) == (3, 1)


def test_a_process_of_two_services(bgs, server, old):
    """It is of one service for certain only by the port."""
    both = server(8081, 9002)
    old(both, 8081, 2), old(both, 9002, 3)
    bgs("attach", "eth0")
    bgs("service", "add", "web", "--listen", ":90", "--blue", "9001", "--green", "9002")
    assert untagged(bgs) == (2, 0)
    assert Counts(bgs, "web").color("green")["untagged"] == 3


def test_other_ports_are_not_ours(bgs, server, old):
    blue = server(7000, 8081)
    old(blue, 7000)
    bgs("attach", "eth0")
    assert untagged(bgs) == (0, 0) and not listed(bgs)


def test_after_detach_and_attach(attached, server, clients, counts):
    """Tags end with bgswitch: what was counted is untagged afterwards, and never lost."""
    blue = server(8081)
    clients(5)
    blue.tell("take", 8081, 5)
    counts.wait("blue", established=5)
    attached("detach", "all")
    attached("attach", "eth0")
    counts.wait("blue", untagged=5)
    assert counts.safe("green") is True


def test_queued_before_the_attach(bgs, server, clients, counts):
    """They wait at a listener that is known by now: the queue's length counts them."""
    blue = server(8081)
    clients(4, port=8081)
    bgs("attach", "eth0")
    counts.wait("blue", accept_queue=4)
    blue.tell("take", 8081, 4)
    counts.wait("blue", untagged=4)
    blue.tell("close")
    counts.wait("blue")
