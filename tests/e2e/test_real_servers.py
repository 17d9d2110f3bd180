"""Servers people run, with the clients people use, while the colors flip."""
import contextlib
import os
import re
import signal
import subprocess

import pytest

import host
from host import HOST4, HOST6
from sandbox import wait_for

URL = f"http://{HOST4}:80/"  # wrk asks /etc/services for a port that is left out

SERVERS = {
    "nginx": lambda serve, color, port: serve.nginx(color, port),
    "nginx workers": lambda serve, color, port: serve.nginx(color, port, workers=4),
    "nginx reuseport": lambda serve, color, port: serve.nginx(
        color, port, workers=4, reuseport=True),
    "haproxy": lambda serve, color, port: serve.haproxy(color, port),
    "node": lambda serve, color, port: serve.node(color, port),
    "python": lambda serve, color, port: serve.python(color, port),
}


def both(serve, kind):
    return {color: SERVERS[kind](serve, color, port)
            for color, port in (("blue", 8081), ("green", 8082))}


@pytest.fixture
def run(net):
    """A client program at the client, its output after it ended well."""
    def run(*command):
        result = net.client.run(command, timeout=60)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        return result.stdout
    return run


@contextlib.contextmanager
def client_running(net, *command):
    """A client program that the block runs beside; its output is in the list."""
    output = []
    process = net.client.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
    try:
        yield process, output
        output.append(process.communicate(timeout=60)[0])
        assert process.returncode == 0, output[0]
    finally:
        process.kill()


def flip_while(bgs, process, least=10):
    """Flips until the client is done; every flip is seen by it."""
    flips = 0
    while process.poll() is None:
        bgs("set", ("green", "blue")[flips % 2], "--no-wait")
        flips += 1
    assert flips >= least, f"only {flips} flips while the client ran"


@pytest.mark.parametrize("kind", SERVERS)
def test_curl(attached, serve, run, kind):
    both(serve, kind)
    families = [HOST4] if kind == "python" else [HOST4, f"[{HOST6}]"]
    for color in ("blue", "green", "blue"):
        attached("set", color, "--no-wait")
        for address in families:
            answer = run("curl", "-sS", "--fail", f"http://{address}/").split()
            assert answer[0].rstrip("_") == color
            assert answer[1].removeprefix("::ffff:") in (host.CLIENT4, host.CLIENT6)


@pytest.mark.parametrize("kind", SERVERS)
def test_flips_lose_no_connection(attached, serve, loads, kind):
    both(serve, kind)
    with loads(("new", HOST4), ("keep", HOST4), connections=4, rate=150) as running:
        for number in range(30):
            attached("set", ("green", "blue")[number % 2], "--no-wait")
            running.wait_more(2)
    running.assert_no_failure()
    assert {connection.color for connection in running.by_title[f"new {HOST4}"]} == {
        "blue", "green"}


def test_wrk(attached, serve, net):
    both(serve, "nginx reuseport")
    with client_running(net, "wrk", "-t1", "-c16", "-d3s", URL) as (process, output):
        flip_while(attached, process)
    assert "Socket errors" not in output[0] and "Non-2xx" not in output[0], output[0]
    assert "requests in" in output[0]


def test_wrk_with_new_connections(attached, serve, net):
    both(serve, "nginx")
    with client_running(net, "wrk", "-t1", "-c16", "-d3s", "-H", "Connection: close",
                        URL) as (process, output):
        flip_while(attached, process)
    assert "Socket errors" not in output[0] and "Non-2xx" not in output[0], output[0]


@pytest.mark.parametrize("keep", [["-k"], []], ids=["keep-alive", "new connections"])
def test_ab(attached, serve, net, keep):
    both(serve, "haproxy")
    with client_running(net, "ab", "-q", *keep, "-c8", "-t3", "-n1000000",
                        URL) as (process, output):
        flip_while(attached, process)
    assert re.search(r"Failed requests: +0\b", output[0]), output[0]
    assert "Non-2xx" not in output[0]


def test_hey(attached, serve, net):
    both(serve, "node")
    with client_running(net, "hey", "-z", "3s", "-c", "8", "-disable-keepalive",
                        URL) as (process, output):
        flip_while(attached, process)
    assert "Error distribution" not in output[0], output[0]
    assert "[200]" in output[0]


@pytest.fixture
def redis(attached, serve, run):
    """A service that is not HTTP, with redis-cli to talk to it."""
    attached("service", "add", "cache", "--listen", "0.0.0.0:6379,[::]:6379",
             "--blue", "6380", "--green", "6381")
    serve.redis("blue", 6380)
    serve.redis("green", 6381)
    return lambda address, *words: run("redis-cli", "-h", address, *words).strip()


def test_redis_cli(attached, redis):
    for color in ("blue", "green", "blue"):
        attached("set", "cache", color, "--no-wait")
        assert [redis(HOST4, "get", "color"), redis(HOST6, "get", "color")] == [color] * 2


@pytest.mark.parametrize("keep", ["1", "0"], ids=["kept connections", "new connections"])
def test_redis_benchmark(attached, redis, net, keep):
    requests = "200000" if keep == "1" else "15000"
    with client_running(net, "redis-benchmark", "-h", HOST4, "-t", "get", "-q", "-c", "8",
                        "-n", requests, "-k", keep) as (process, output):
        flips = 0
        while process.poll() is None:
            attached("set", "cache", ("green", "blue")[flips % 2], "--no-wait")
            flips += 1
    assert flips > 10
    assert "requests per second" in output[0] and "rror" not in output[0], output[0]
    counters = attached.counters("cache")
    assert counters["refused_total"] == counters["passed_total"] == 0


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as pids:
        return [int(child) for child in pids.read().split()]


@pytest.mark.parametrize("kind", ["nginx workers", "nginx reuseport"])
def test_a_killed_nginx_worker_costs_nothing_new(attached, serve, loads, kind):
    servers = both(serve, kind)
    master = servers["blue"].pid
    with loads(("new", HOST4), ("new", HOST6)) as running:
        for _ in range(5):
            workers = wait_for(lambda: (found := children(master)) and len(found) == 4 and found,
                               "four nginx workers")
            os.kill(workers[0], signal.SIGKILL)
            wait_for(lambda: workers[0] not in children(master), "the worker to be gone")
            running.wait_more(5)
    refused = [c for c in running.failures() if c.stage == "connect"]
    assert not refused
    assert {connection.color for connection in running.connections()} <= {"blue", None}
    assert attached.listening("blue")
    assert attached.counters()["failover_total"] == 0


def test_a_dying_sibling_does_not_empty_the_slot(attached, serve, ask):
    """SO_REUSEPORT listeners of separate processes."""
    siblings = [serve.answering("blue", 8081) for _ in range(3)]
    serve.label("green", 8082)
    for place, sibling in enumerate(siblings[:2]):
        sibling.kill()
        alive = {f"blue-{other.pid}" for other in siblings[place + 1:]}
        assert {ask() for _ in range(60)} == alive
    siblings[2].kill()
    assert ask() == "green"


def test_haproxy_reload_keeps_the_slot(attached, serve, loads):
    """haproxy -sf: the new process listens before the old one stops."""
    servers = both(serve, "haproxy")
    old = servers["blue"]
    with loads(("new", HOST4), ("new", HOST6)) as running:
        for _ in range(5):
            new = serve.haproxy("blue", 8081, "-x", f"{old.log.name.rpartition('/')[0]}/socket",
                                "-sf", old.pid)
            old.process.wait(timeout=20)
            running.wait_more(5)
            old = new
    running.assert_no_failure()
    assert attached.listening("blue")
    assert {connection.color for connection in running.connections()} == {"blue"}


def test_nginx_reload_keeps_the_slot(attached, serve, loads):
    servers = both(serve, "nginx workers")
    master = servers["blue"].pid
    with loads(("new", HOST4), ("new", HOST6)) as running:
        for _ in range(3):
            old = set(children(master))
            os.kill(master, signal.SIGHUP)
            wait_for(lambda: len(children(master)) == 4 and not old & set(children(master)),
                     "nginx to replace its workers")
            running.wait_more(5)
    assert not [c for c in running.failures() if c.stage == "connect"]
    assert attached.listening("blue")
    assert {connection.color for connection in running.connections()} <= {"blue", None}
