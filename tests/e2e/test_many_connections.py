"""
Tens of thousands of connections: gauges stay exact, a drain stays small and ends.

BGSWITCH_CONNECTIONS says how many; the full figure is 100000.
"""
import os
import time

import pytest

from agent import web
from hold import listed
from host import HOST4, HOST6
from sandbox import wait_for

pytestmark = pytest.mark.alone

CONNECTIONS = int(os.environ.get("BGSWITCH_CONNECTIONS", "20000"))
PER_PROCESS = 10000  # connections, for a process may have only so many files; two parts at least
MEMORY = 64 << 10  # KiB that the agent may grow by
PATIENCE = 30 + CONNECTIONS / 500  # seconds


def memory(pid, name):
    """A line of /proc/PID/status, KiB."""
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@pytest.fixture
def crowd(net, agent, holding, bgs):
    """Half of them by IPv4, half by IPv6, from 4 addresses, all of blue; an agent."""
    for namespace in net.host, net.client:
        namespace.sysctl("core/somaxconn", 65535)
        namespace.sysctl("ipv4/tcp_max_syn_backlog", 65535)
    workers = 1 + CONNECTIONS // PER_PROCESS
    holding.serve(8081, workers=workers), holding.serve(8082)
    agent.start(web(plain_tcp=True, blue="8081", green="8082", drain={"timeout": "inf"},
                    soak="0"))
    parts = [min(PER_PROCESS, CONNECTIONS - begin) for begin in range(0, CONNECTIONS, PER_PROCESS)]
    return [holding.connect(part, (HOST4, HOST6)[number % 2]) for number, part in enumerate(parts)]


@pytest.fixture
def blue(bgs):
    """blue(number): waits until exactly so many are counted; checks of the agent come and go."""
    def wait(number):
        deadline = time.monotonic() + PATIENCE
        while True:
            begin = time.monotonic()
            service = bgs.service("web")
            counts = service["colors"]["blue"]["connections"]
            if counts["established"] == number and not counts["accept_queue"]:
                assert counts["untagged"] == 0
                return time.monotonic() - begin
            assert time.monotonic() < deadline, (number, counts)

    return wait


def test_exact_at_every_step(bgs, crowd, blue, agent):
    seconds = blue(CONNECTIONS)
    begin = time.monotonic()
    lines = listed(bgs, "blue")
    spent = time.monotonic() - begin
    ours = [line for line in lines if line["peer"].startswith(("10.78.", "[fd78:"))]
    assert len(ours) == len({line["peer"] for line in ours}) == CONNECTIONS
    assert {line["color"] for line in ours} == {"blue"}
    assert {line["state"] for line in ours} == {"established"}
    print(f"{CONNECTIONS} connections: status {seconds:.2f} s, conns -j {spent:.2f} s")
    bgs("set", "green", "--no-wait", "--force")
    left = sum(client.progress.open for client in crowd[1::2])
    for client in crowd[::2]:
        client.close(PER_PROCESS)
    blue(left)
    assert bgs.service("web")["colors"]["blue"]["safe_to_stop"] is False
    for client in crowd[1::2]:
        client.close(PER_PROCESS)
    blue(0)
    wait_for(lambda: bgs.service("web")["state"] == "steady", "the drain to end", PATIENCE)
    assert bgs.service("web")["colors"]["blue"]["safe_to_stop"] is True


def test_idle_ones_are_closed_in_little_memory(bgs, crowd, blue, agent):
    blue(CONNECTIONS)
    before = memory(agent.pid, "VmRSS")
    begin = time.monotonic()
    bgs("set", "green", "--force", "--soak", "0", "--drain-timeout", "inf", "--close-idle", "1s",
        timeout=10 * PATIENCE)
    spent = time.monotonic() - begin
    for client in crowd:
        client.wait(open=0, reset=0, failed=0)
    grown = memory(agent.pid, "VmHWM") - before
    print(f"{CONNECTIONS} connections closed gently in {spent:.1f} s, the agent grew {grown} KiB")
    assert grown < MEMORY
    assert bgs.service("web")["colors"]["blue"]["safe_to_stop"] is True
