"""Full cycles under load: a cutover, "safe to stop", kill -9 at that word, a new server.

BGSWITCH_CYCLES says how many (40); from 500 on, kept connections live for up to a second,
else for a shorter time, for each cutover waits for the longest of them.
"""
import collections
import os
import signal
import statistics

import pytest

from agent import web
from host import HOST4, HOST6
from load import Load, Loads, describe, now
from sandbox import is_zombie, wait_for

pytestmark = pytest.mark.alone

CYCLES = int(os.environ.get("BGSWITCH_CYCLES", "24"))
LIFETIME = 1000 if CYCLES >= 500 else 250  # ms, at most
PORTS = {"blue": 8081, "green": 8082}
# Checks have time: it is not them that is tried here, and machines may be busy.
SERVICE = web(blue=":8081", green=":8082", check={"timeout": "5s"})
# Share of the cycles in percent, by server. nginx takes longer to start.
SHARES = {"compiled": 40, "nginx": 10}
RESETS = ("AttemptFails", "EstabResets")

# A server's life: from the beginning of the cutover to it, to the moment before it was killed.
Life = collections.namedtuple("Life", "begin killed")


def color_of(number):
    return ("green", "blue")[number % 2]


def tcp_counts(namespace, names=RESETS):
    """What the kernel counted in this namespace, see tcp_set_state() in net/ipv4/tcp.c."""
    with namespace.entered(), open("/proc/thread-self/net/snmp") as lines:
        keys, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return {name: int(values[keys.index(name)]) for name in names}


class Server:
    """One of many; it and its children are killed together."""

    def __init__(self, serve, binary, kind, number):
        label, port = f"{color_of(number)}-{number}", PORTS[color_of(number)]
        self.number = number
        self.process = (serve.nginx(label, port) if kind == "nginx" else
                        serve.compiled(binary, label, port)).process
        self.workers = workers(self.process.pid)
        assert bool(self.workers) == (kind == "nginx")

    def kill(self):
        """SIGKILL to all of it; returns the moment before it."""
        moment = now()
        for pid in (self.process.pid, *self.workers):
            os.kill(pid, signal.SIGKILL)
        return moment

    def wait_gone(self):
        self.process.wait()
        wait_for(lambda: all(map(is_zombie, self.workers)), "the workers' end")


def workers(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]


class Cycles:
    """Server number 1 is blue. Each one's successor has the other color."""

    def __init__(self, bgs, start):
        self.bgs, self.start = bgs, start
        self.server = start(1)
        self.began = now()
        self.lives, self.safe_after = {}, []

    def run(self, safe=True):
        """One cutover to a new server. Not `safe`: the old one is killed right after the flip."""
        old, new = self.server, self.start(self.server.number + 1)
        begin = now()
        words = ["set", color_of(new.number), *(["--soak", "0"] if safe else ["--no-wait"])]
        command = self.bgs.start(*words)
        try:
            said = wait_said(command, f"{color_of(old.number)} is safe to stop" if safe
                             else "new connections go to")
            killed = old.kill()
            said += command.communicate(timeout=20)[1]
        except BaseException:
            command.kill()
            raise
        assert command.returncode == 0, said
        old.wait_gone()
        self.lives[old.number] = Life(self.began, killed)
        self.safe_after.append(killed - begin)
        self.server, self.began = new, begin

    def end(self):
        """After the load."""
        self.lives[self.server.number] = Life(self.began, now())


def wait_said(command, text):
    """Until the command has said so; everything it said."""
    said = ""
    for line in command.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(f"it never said '{text}': {said}{command.stdout.read()}")


def wrong_server(connections, lives):
    """Those that a server answered before the cutover to it, or that began after its end."""
    return [c for c in connections if c.requests and not (
        lives[c.number].begin <= c.connected and c.begin <= lives[c.number].killed)]


def moments(failures, lives):
    """When each of them failed, after the end of which server."""
    lines = []
    for c in failures[:20]:
        killed = [life.killed for life in lives.values() if life.killed <= c.end]
        after = f"{(c.end - killed[-1]) / 1e6:.3f} ms after kill {len(killed)}" if killed else "-"
        lines.append(f"{describe([c])}, begun {(c.end - c.begin) / 1e6:.3f} ms before, "
                     f"{c.requests} requests, server {c.number}: {after}")
    return "\n".join(lines)


@pytest.fixture
def streams(net, load_binary):
    """Short and kept connections, IPv4 and IPv6, from the client and from the host itself."""
    def streams():
        kept = {"rate": 300, "connections": 12, "lifetime": LIFETIME}
        return Loads(*(Load(load_binary, net.client, "new", address, rate=200)
                       for address in (HOST4, HOST6)),
                     *(Load(load_binary, net.client, "renew", address, **kept)
                       for address in (HOST4, HOST6)),
                     Load(load_binary, net.host, "new", "127.0.0.1", rate=50),
                     Load(load_binary, net.host, "renew", "::1", **kept))
    return streams


@pytest.fixture
def cycles(bgs, serve, server_binary):
    def cycles(kind):
        return Cycles(bgs, lambda number: Server(serve, server_binary, kind, number))
    return cycles


@pytest.mark.parametrize("kind", SHARES)
def test_killed_when_safe(bgs, driver, net, cycles, streams, kind):
    by = driver(SERVICE)
    cycle, before = cycles(kind), tcp_counts(net.client)
    count = max(CYCLES * SHARES[kind] // 100, 2)
    with streams() as running:
        for _ in range(count):
            cycle.run()
    cycle.end()
    failures, connections = running.failures(), running.connections()
    assert not failures, f"{describe(failures)}\n{moments(failures, cycle.lives)}"
    assert tcp_counts(net.client) == before, "the kernel has counted resets"
    assert not wrong_server(connections, cycle.lives)
    assert {c.number for c in connections if c.requests} == set(cycle.lives)
    assert bgs.service("web")["counters"]["refused_total"] == 0
    safe = [time / 1e6 for time in cycle.safe_after]
    print(f"{count} cycles ({by}, {kind}): {len(connections)} connections, {running.requests()} "
          f"requests, 0 failed, 0 resets; safe after {statistics.median(safe):.0f} ms (median), "
          f"{max(safe):.0f} ms (longest)")


def test_killed_before_it_is_safe(driver, cycles, streams):
    """That is noticed: else the test above would show nothing."""
    driver(SERVICE)
    cycle = cycles("compiled")
    with streams() as running:
        for _ in range(4):
            cycle.run(safe=False)
    assert running.failures()
