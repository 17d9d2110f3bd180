"""The control socket: what it answers, to whom, and that no client disturbs the agent."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import tempfile
import time

import pytest

from cli import DONE, FAILED, USAGE
from sandbox import wait_for
from trail import Trail
from varlink import Client, Error, as_user

SERVICE = "org.varlink.service"
NOBODY, OPERATORS, READERS, STRANGERS = 65534, 54001, 54002, 54003
CONFIG = {
    "attach": ["eth0"],
    "agent": {"operators": str(OPERATORS), "readers": str(READERS)},
    "services": {"default": {"listen": ":80", "blue": ":8081", "green": ":8082", "soak": "60s",
                             "check": {"path": "/", "interval": "50ms", "fast_interval": "10ms",
                                       "timeout": "1s"}}},
}


@pytest.fixture
def bgs(bgs):
    """Where other users can reach it."""
    directory = pathlib.Path(tempfile.mkdtemp(dir="/run"))
    directory.chmod(0o755)
    bgs.run_dir, bgs.state_dir = directory / "run", directory / "state"
    bgs.environment.update(BGSWITCH_RUN_DIR=str(bgs.run_dir), BGSWITCH_STATE_DIR=str(bgs.state_dir))
    yield bgs
    shutil.rmtree(directory)


@pytest.fixture
def path(bgs):
    return bgs.run_dir / "agent.sock"


@pytest.fixture
def trail(bgs):
    return Trail(bgs)


@pytest.fixture
def running(agent, labels):
    return agent.start(CONFIG)


def user(*groups):
    return {"user": NOBODY, "group": NOBODY, "extra_groups": list(groups)}


# ---- methods

def test_calls_are_answered(running, bgs, path, trail):
    with Client(path) as client:
        assert client.call("Ping")["pid"] == running.pid
        health = client.call("Health")["services"]["default"]
        assert health["colors"]["blue"]["health"] == "healthy"
        status = client.call("Status")["status"]
        assert status["services"][0]["active"] == "blue"
        checked = client.call("Check", service="default", color="green")["services"]
        assert checked[0]["colors"]["green"]["instances"][0]["ok"]
        result = client.call("Set", color="green", wait=False, soak_ms=0)["result"]
        assert (result["from"], result["to"], result["changed"]) == ("blue", "green", True)
        assert client.call("Split", basis_points=500)["result"]["split"] == 500
        assert client.call("Rollback", wait=False)["result"]["to"] == "blue"
        assert client.call("Promote")["result"]["active"] == "blue"
        # A promoted one is over when green is drained.
        wait_for(lambda: len(client.call("History")["entries"]) == 3, "the end of the drain")
        entries = client.call("History")["entries"]
        assert [e["operation"] for e in entries] == ["set", "split", "rollback"]
        assert {e["uid"] for e in entries} == {0}
        assert client.call("Reload") == {}
    trail.wait_event("config-applied", "configuration read")


def test_set_with_more_tells_events_and_then_the_result(running, path):
    with Client(path) as client:
        *told, last = client.stream("Set", color="green", wait=True, soak_ms=50)
    assert [reply["event"]["event"] for reply in told if "event" in reply
            and reply["event"]["event"] in ("checking", "switching", "soaking", "completed")] == [
                "checking", "switching", "soaking", "completed"]
    assert last["result"]["outcome"] == "complete"


def test_events_are_told_as_they_come(running, bgs, path):
    with Client(path) as client:
        client.send("Events", more=True, follow=True)
        with Client(path) as other:
            other.call("Set", color="green", wait=False, soak_ms=0)
        kinds = []
        while "switching" not in kinds:
            reply = client.receive()
            assert reply["continues"]
            kinds.append(reply["parameters"]["event"]["event"])
    with Client(path) as client:
        with pytest.raises(Error) as caught:
            client.call("Events")
        assert caught.value.name == f"{SERVICE}.ExpectedMore"


def test_it_describes_itself(running, path):
    with Client(path) as client:
        information = client.call(f"{SERVICE}.GetInfo")
        assert "org.bgswitch" in information["interfaces"]
        text = client.call(f"{SERVICE}.GetInterfaceDescription",
                           interface="org.bgswitch")["description"]
    methods = {line.split()[1].partition("(")[0] for line in text.splitlines()
               if line.startswith("method ")}
    assert methods == {"Ping", "Health", "Status", "Check", "Set", "Split", "Promote", "Abort",
                       "Rollback", "Drain", "Events", "History", "Reload"}
    with Client(path) as client:
        for method in methods - {"Set", "Drain", "Events"}:
            try:
                client.call(method)
            except Error as error:  # there may be nothing to promote
                assert error.name == "org.bgswitch.Failed", method


WRONG = [
    ("Set", {}, "org.bgswitch.Failed", USAGE),
    ("Set", {"color": "red"}, "org.bgswitch.Failed", USAGE),
    ("Set", {"color": "green", "service": "no-such"}, "org.bgswitch.Failed", USAGE),
    ("Check", {"service": "--help"}, "org.bgswitch.Failed", USAGE),
    ("Check", {"color": "--here"}, "org.bgswitch.Failed", USAGE),
    ("Split", {"basis_points": 10001}, "org.bgswitch.Failed", USAGE),
    ("Split", {"basis_points": "1"}, "org.bgswitch.Failed", USAGE),
    ("Nothing", {}, f"{SERVICE}.MethodNotFound", None),
    ("org.other.Ping", {}, f"{SERVICE}.InterfaceNotFound", None),
]


def test_wrong_calls_are_refused_and_the_next_one_is_answered(running, path):
    with Client(path) as client:
        for method, parameters, name, code in WRONG:
            with pytest.raises(Error) as caught:
                client.call(method, **parameters)
            assert caught.value.name == name, (method, parameters)
            if code:
                assert caught.value.parameters["code"] == code
                assert caught.value.parameters["next"]
            client.call("Ping")


# ---- who may do what

@pytest.mark.parametrize("groups, may_read, may_change", [
    ([OPERATORS], True, True), ([READERS], True, False), ([STRANGERS], False, False),
    ([], False, False),
])
def test_groups_decide(running, path, groups, may_read, may_change):
    def attempt(method, **parameters):
        def call():
            with Client(path) as client:
                client.call(method, **parameters)
            return "done"
        return as_user(NOBODY, NOBODY, groups, call)

    denied = {"error": f"{SERVICE}.PermissionDenied"}
    for method in ("Ping", "Health", "History"):
        assert attempt(method) == ({"answer": "done"} if may_read else denied)
    assert attempt("Set", color="green", wait=False) == (
        {"answer": "done"} if may_change else denied)


def test_without_groups_only_root_may(agent, labels, bgs, path):
    agent.start({**CONFIG, "agent": {}})
    assert path.stat().st_mode & 0o777 == 0o600
    assert as_user(NOBODY, NOBODY, [OPERATORS], lambda: Client(path) and "in") == {
        "error": "PermissionError"}


def test_reload_changes_who_may(running, agent, path):
    def ping():
        with Client(path) as client:
            return bool(client.call("Ping"))

    assert as_user(NOBODY, NOBODY, [STRANGERS], ping) != {"answer": True}
    agent.reload({**CONFIG, "agent": {"readers": str(STRANGERS)}})
    assert as_user(NOBODY, NOBODY, [STRANGERS], ping) == {"answer": True}
    agent.reload({**CONFIG, "agent": {"readers": "no-such-group"}})
    assert as_user(NOBODY, NOBODY, [STRANGERS], ping) == {"answer": True}, "it was refused"


def test_readers_look_and_operators_switch_without_root(running, bgs, trail, ask):
    bgs("set", "green", "--soak", "0")
    reader, operator, stranger = user(READERS), user(OPERATORS), user(STRANGERS)
    for words in (("status",), ("check",), ("events",), ("history",)):
        assert bgs(*words, **reader), words
        assert bgs(*words, "-j", **reader)
        assert bgs.run(*words, **stranger).returncode == FAILED, words
    status = json.loads(bgs("status", "-j", **reader))
    assert status["services"][0]["active"] == "green"
    assert status["services"][0]["colors"]["green"]["health"] == "healthy"
    refused = bgs.run("set", "blue", **reader)
    assert refused.returncode == FAILED and "operators" in refused.stderr
    assert ask() == "green"
    bgs("set", "blue", "--no-wait", **operator)
    bgs("abort", **operator)
    bgs("split", "10", **operator)
    assert trail.history()[-1]["uid"] == NOBODY


# ---- hostile clients

@contextlib.contextmanager
def effective(uid):
    """Connections that are made inside come from this user."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def call_text(method="Ping"):
    return json.dumps({"method": f"org.bgswitch.{method}"}).encode() + b"\0"


def silent(sock):
    pass


def unfinished(sock):
    sock.sendall(call_text()[:-4])


def flooding(sock):
    """Calls without end, and no answer is ever read."""
    with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        while sock.send(call_text("Health") * 100):
            pass


def half_closed(sock):
    sock.sendall(call_text("Status"))
    sock.shutdown(socket.SHUT_WR)


def huge(sock):
    with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        for _ in range(64):
            sock.send(b"x" * 65536)


def garbage(sock):
    with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        sock.send(bytes(range(256)) * 16)


WAYS = [silent, unfinished, flooding, half_closed, huge, garbage]


def swarm(path, uid, count):
    """That many clients, each bad in one of the ways; those that get in stay."""
    sockets = []
    with effective(uid):
        for number in range(count):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                sock.connect(str(path))
                WAYS[number % len(WAYS)](sock)
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
            sockets.append(sock)
    return sockets


@pytest.mark.parametrize("uid", [NOBODY, 0], ids=["another user", "root"])
def test_hostile_clients_disturb_nobody(running, agent, bgs, path, serve, trail, ask, loads, uid):
    """Two hundred of them, while checks, cutovers and traffic go on."""
    held = agent.descriptors()
    with loads(("new", "10.77.0.1"), rate=50) as traffic:
        sockets = swarm(path, uid, 200)
        begin = time.monotonic()
        if uid:
            for color in ("green", "blue"):
                bgs("set", color, "--soak", "50ms")
                assert bgs.service()["active"] == color
        else:
            bgs("service", "add", "web", "--listen", "70", "--blue", "9001", "--green", "9002")
            wait_for(lambda: "web" in [e["service"] for e in trail.events("instance-unhealthy")],
                     "the new service to be checked")
        assert time.monotonic() - begin < 5
        more = swarm(path, uid, 50)
        late = loads_wait(traffic)
        for sock in sockets + more:
            sock.close()
    traffic.assert_no_failure()
    assert late < 5
    assert not trail.events("instance-unhealthy") or not uid
    assert agent.process.poll() is None
    wait_for(lambda: agent.descriptors() <= held + 8, "the clients' descriptors to be closed")
    with Client(path) as client:
        client.call("Ping")


def loads_wait(traffic):
    begin = time.monotonic()
    traffic.wait_more(10)
    return time.monotonic() - begin


def test_client_that_goes_away_leaves_its_cutover(running, bgs, path, trail, ask):
    with Client(path) as client:
        client.send("Set", color="green", wait=True)
        trail.wait_event("soaking")
    wait_for(lambda: bgs.run("promote").returncode == DONE, "the lock to be free")
    assert ask() == "green"
    assert trail.history()[-1]["outcome"] == "complete"


def test_busy_while_somebody_waits(running, bgs, path):
    with Client(path) as client:
        client.send("Set", color="green", wait=True)
        wait_for(lambda: bgs.service()["state"] == "soaking", "the soak")
        with Client(path) as other:
            with pytest.raises(Error) as caught:
                other.call("Set", color="blue", wait=False)
        assert caught.value.parameters["code"] == 7
        assert "set green" in caught.value.parameters["what"]
        assert bgs.run("set", "blue", "--no-wait").returncode == 7
        bgs("abort")
        assert client.reply()["result"]["outcome"] == "aborted"
    assert bgs.service()["active"] == "blue"
