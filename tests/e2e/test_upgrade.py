"""bgswitch replaces its own programs while they carry load."""
import pytest

import cli
from host import HOST4, HOST6
from sandbox import wait_for

MAPS = ["services", "listen", "instances", "backends", "sockets", "counters", "interfaces",
        "settings"]
STREAMS = [("new", HOST4), ("new", HOST6), ("keep", HOST4), ("keep", HOST6)]


@pytest.mark.parametrize("command", [("upgrade",), ("attach", "eth0")])
def test_under_load(attached, serve, loads, command):
    serve.nginx("blue", 8081)
    serve.nginx("green", 8082)
    attached("set", "green", "--no-wait")
    wanted = steering(attached)
    with loads(*STREAMS) as running:
        for _ in range(50):
            attached(*command)
            running.wait_more(2)
    running.assert_no_failure()
    assert steering(attached) == wanted
    assert {connection.color for connection in running.connections()} == {"green"}
    counters = attached.counters()
    assert counters["passed_total"] == counters["refused_total"] == 0


def steering(bgs):
    """What an upgrade must keep."""
    status = bgs.status()
    service = status["services"][0]
    return (status["attached"], service["active"], service["split"],
            {color: bgs.listening(color) for color in ("blue", "green")})


@pytest.mark.smoke
@pytest.mark.parametrize("command", [("upgrade",), ("attach", "eth0")])
def test_new_programs_old_maps(attached, labels, ask, command):
    attached("split", 30)
    attached("preview", "add", "10.78.0.0/16", "green")
    ask()
    counted = attached.counters()
    maps = {name: cli.bpftool("map", "show", "pinned", cli.PINS / name)["id"] for name in MAPS}
    links = {name: cli.bpftool("link", "show", "pinned", cli.PINS / name)
             for name in ("steer_link", "register_link")}
    attached(*command)
    for name, link in links.items():
        now = cli.bpftool("link", "show", "pinned", cli.PINS / name)
        assert now["id"] == link["id"], f"{name} was replaced, not updated"
        assert now["prog_id"] != link["prog_id"], f"{name} still runs the old program"
    for name, number in maps.items():
        assert cli.bpftool("map", "show", "pinned", cli.PINS / name)["id"] == number, name
    assert attached.counters() == counted
    assert attached.service()["split"]["green"] == 3000
    assert ask(source="10.78.0.1") == "green"


def running_programs():
    """Ids of the programs behind our links."""
    return {cli.bpftool("link", "show", "pinned", cli.PINS / name)["prog_id"]
            for name in ("steer_link", "register_link")}


def test_old_programs_leave_the_kernel(attached):
    old = set()
    for _ in range(5):
        old |= running_programs()
        attached("upgrade")
    assert not old & running_programs()
    wait_for(lambda: not old & cli.kernel_objects()["prog"], "replaced programs to be freed")
