"""A thousand flips under load: nothing is lost and no flip is late."""
import bisect
import statistics

import pytest

from host import HOST4, HOST6
from load import noting

pytestmark = pytest.mark.alone

FLIPS = 1000
STREAMS = [("new", HOST4), ("new", HOST6), ("keep", HOST4), ("keep", HOST6)]


def flip(bgs, loads, count):
    """Flip back and forth; after each, wait until new connections were answered."""
    flips = []
    for number in range(count):
        color = ("green", "blue")[number % 2]
        with noting(flips):
            bgs("set", color, "--no-wait")
        loads.wait_more(2)
    return flips


def late_and_checked(flips, connections):
    """Of connections begun after a flip returned and before the next one began:
    those the old color answered, and the flips that had one at all."""
    begins = [begin for begin, _ in flips]
    late, checked = [], set()
    for connection in connections:
        number = bisect.bisect_right(begins, connection.begin) - 1
        if number < 0 or connection.begin < flips[number][1]:
            continue
        checked.add(number)
        if connection.color != ("green", "blue")[number % 2]:
            late.append(connection)
    return late, checked


def test_a_flip_takes_five_milliseconds_at_most(attached, labels):
    """As a whole process, on an idle machine; the median of a hundred. The state file is in
    memory: a disk's own time for its two fsync(2) comes on top."""
    attached.environment["BGSWITCH_STATE_DIR"] = "/run/state"
    flips = []
    for number in range(100):
        with noting(flips):
            attached("set", ("green", "blue")[number % 2], "--no-wait")
    median = statistics.median(end - begin for begin, end in flips) / 1e6
    print(f"median of a flip: {median:.2f} ms")
    assert median <= 5


def new_connections(loads):
    return [connection for title, connections in loads.by_title.items()
            if title.startswith("new") for connection in connections]


def test_a_thousand_flips(attached, serve, loads):
    serve.nginx("blue", 8081)
    serve.nginx("green", 8082)
    with loads(*STREAMS) as running:
        flips = flip(attached, running, FLIPS)
    running.assert_no_failure()
    late, checked = late_and_checked(flips, new_connections(running))
    assert not late, f"{len(late)} connections reached the old color, first: {late[0]}"
    assert len(checked) == FLIPS
    assert attached.service()["active"] == "blue"
    median = statistics.median(end - begin for begin, end in flips)
    print(f"{FLIPS} flips of {median / 1e6:.1f} ms (median, whole process, under load), "
          f"{len(running.connections())} connections, {running.requests()} requests, 0 failed")


@pytest.mark.smoke
def test_fifty_flips(attached, labels, loads):
    """The same for slow machines: our own servers, new connections only. Each stream makes one
    at a time, so of two answers after a flip the second is to a connection begun after it."""
    with loads(("new", HOST4), ("new", HOST6), connections=1, rate=50) as running:
        flips = flip(attached, running, 50)
    running.assert_no_failure()
    late, checked = late_and_checked(flips, running.connections())
    assert not late
    assert len(checked) == 50


def test_split_and_preview_changes_lose_nothing(attached, serve, loads):
    serve.nginx("blue", 8081)
    serve.nginx("green", 8082)
    with loads(*STREAMS) as running:
        for number in range(50):
            attached("split", (number * 7) % 101)
            attached("preview", "add", "10.77.0.0/24", ("green", "blue")[number % 2])
            running.wait_more(2)
            attached("preview", "rm", "10.77.0.0/24")
    running.assert_no_failure()


def test_adding_and_removing_services_loses_nothing(attached, serve, loads):
    serve.nginx("blue", 8081)
    serve.nginx("green", 8082)
    with loads(*STREAMS) as running:
        for _ in range(25):
            attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001",
                     "--green", "9002")
            attached("attach", "eth1")
            running.wait_more(2)
            attached("service", "rm", "web")
            attached("detach", "eth1")
    running.assert_no_failure()
