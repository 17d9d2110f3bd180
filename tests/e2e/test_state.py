"""What status and the maps show, and who gets into them."""
import json
import os
import selectors
import socket
import sys
import time

import pytest

import answer
import cli
import host
from host import HOST4, HOST6
from sandbox import wait_for


@pytest.mark.smoke
def test_services_map_is_readable(attached, labels):
    entry, = cli.dump("services")
    assert entry["value"]["name"] == "default"
    assert entry["value"]["route"]["active"] == "BGS_BLUE"
    attached("split", "12.5")
    attached("set", "green", "--no-wait")
    entry, = cli.dump("services")
    assert entry["value"]["route"]["active"] == "BGS_GREEN"
    assert entry["value"]["route"]["split_bp"] == 0
    assert set(entry["value"]["flags"]) >= {"failover"}


def test_split_in_basis_points(attached):
    attached("split", "12.5")
    assert attached.service()["split"] == {"blue": 8750, "green": 1250}
    assert cli.dump("services")[0]["value"]["route"]["split_bp"] == 1250


def test_pins(attached):
    names = {path.name for path in cli.PINS.iterdir()}
    assert names >= {"services", "listen", "instances", "backends", "sockets", "counters",
                     "interfaces", "settings", "steer_link", "register_link"}


@pytest.mark.smoke
def test_status_has_the_promised_shape(attached, labels):
    status = attached.status()
    assert status["schema"] == 1
    assert status["pin_dir"] == str(cli.PINS)
    assert status["version"] and status["agent"]["running"] is False
    assert [entry["ifname"] for entry in status["attached"]] == ["eth0"]
    assert status["attached"][0]["ifindex"] > 1
    service, = status["services"]
    assert service["name"] == "default"
    assert service["listen"] == ["0.0.0.0:80", "[::]:80"]
    assert service["state"] == "steady"
    assert service["split"] == {"blue": 10000, "green": 0}
    for color, role in (("blue", "active"), ("green", "standby")):
        entry = service["colors"][color]
        assert entry["role"] == role
        assert entry["health"] == "unknown"
        instance, = entry["instances"]
        assert instance["listening"] is True
        assert instance["pid"] == os.getpid()
        assert instance["comm"] == open("/proc/self/comm").read().strip()
    assert status["warnings"] == []


def test_status_for_people_names_everything(attached, labels):
    text = attached("status")
    for word in ("default", "eth0", "blue", "green", "8081", "8082", "active"):
        assert word in text, word
    assert "\x1b" not in text, "color codes though it is no terminal"


def test_bare_command_is_status(attached, labels):
    assert attached() == attached("status")


def test_pretty_json_is_the_same_json(attached, labels):
    assert json.loads(attached("status", "-p")) == attached.status()
    assert "\n  " in attached("status", "-p")


def test_quiet_and_verbose(attached, labels):
    quiet = attached.run("set", "green", "--no-wait", "-q")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert attached.run("-v", "upgrade").returncode == 0


def test_service_list_and_removal(attached, serve, ask):
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001",
             "--green", "9002")
    serve.label("blue", 9001)
    assert ask(port=70) == "blue"
    assert "web" in attached("service", "ls") and "default" in attached("service", "ls")
    attached("service", "rm", "web")
    assert "web" not in attached("service", "ls")
    assert ask(port=70) is None
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9003",
             "--green", "9001")
    attached("set", "web", "green", "--no-wait")
    assert ask(port=70) == "blue", "the listener on 9001 is green's now"


def test_a_new_service_does_not_inherit_from_a_removed_one(attached, serve, ask):
    add = ("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001", "--green", "9002")
    attached(*add)
    serve.label("blue", 9001)
    serve.label("green", 9002)
    attached("preview", "add", "10.78.0.0/16", "green", "web")
    attached("split", "100", "web")
    assert ask(port=70) == "green"
    attached("service", "rm", "web")
    attached(*add)
    assert ask(port=70, source="10.78.0.1") == "blue"
    counters = attached.counters("web")
    assert counters.pop("blue") == 1
    assert set(counters.values()) == {0}, counters


@pytest.mark.parametrize("before", [True, False], ids=["open before attach", "opened after"])
def test_listeners_find_their_way_in(bgs, serve, ask, before):
    if not before:
        bgs("attach", "eth0")
    listener = serve.label("blue", 8081)
    if before:
        bgs("attach", "eth0")
    assert cli.sockets() > 0, "no command ran since listen()"
    assert ask() == "blue"
    serve.end(listener)
    assert ask() is None
    assert bgs.listening("blue") == []


def test_listeners_are_adopted_when_a_service_is_added(attached, serve, ask):
    serve.label("blue", 9001)
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001",
             "--green", "9002")
    assert ask(port=70) == "blue"


def test_nothing_of_ours_keeps_a_socket(attached, serve):
    server = serve.answering("blue", 8081)
    attached.wait_listening("blue")
    assert cli.sockets() > 0
    server.kill()
    assert cli.sockets() == 0, "the slot outlived the process"
    with serve.host.entered():
        answer.listen("::", 8081).close()
    assert attached.listening("blue") == []


def test_siblings_of_one_instance(attached, serve, ask):
    listeners = [serve.label(f"blue{place}", 8081, reuseport=True) for place in range(4)]
    assert {ask() for _ in range(100)} == {"blue0", "blue1", "blue2", "blue3"}
    for gone, listener in enumerate(listeners[:3]):
        serve.end(listener)
        alive = {f"blue{place}" for place in range(gone + 1, 4)}
        assert {ask() for _ in range(50)} == alive
    assert attached.counters()["errors_total"] == 0


def test_more_siblings_than_fit_are_harmless(attached, serve, ask):
    """The kernel picks inside the group, so those without a place serve too."""
    for place in range(70):
        serve.label(f"blue{place}", 8081, reuseport=True)
    answers = {ask() for _ in range(700)}
    assert len(answers) > 60


def test_conflict_with_a_listener_on_the_service_port(bgs, serve):
    serve.label("ordinary", 80)
    result = bgs.run("attach", "eth0")
    assert result.returncode == 0
    assert ":80" in result.stderr and "warning" in result.stderr
    assert str(os.getpid()) in result.stderr
    assert ":80" in bgs.warnings() and str(os.getpid()) in bgs.warnings()


def test_conflict_with_a_listener_that_covers_a_specific_address(attached, serve):
    serve.label("ordinary", 70, "0.0.0.0")
    attached("service", "add", "web", "--listen", f"{HOST4}:70", "--blue", "9001",
             "--green", "9002")
    assert f"covers the service's own address {HOST4}:70" in attached.warnings()


@pytest.mark.parametrize("words", [("set", "green", "--no-wait"), ("split", "30"),
                                   ("preview", "add", "10.0.0.0/8", "green")])
def test_clients_that_the_target_cannot_serve_are_named(attached, serve, words):
    serve.label("green", 8082, "0.0.0.0")
    result = attached.run(*words)
    assert result.returncode == 0
    assert "IPv6" in result.stderr and "IPv4" not in result.stderr


def test_set_refuses_a_color_whose_listener_was_shut_down(attached, serve):
    listener = serve.label("green", 8082)
    serve.shut_down(listener)
    assert attached.run("set", "green", "--no-wait").returncode == cli.REFUSED
    assert attached.service()["active"] == "blue"


def test_names_of_processes_are_shown_harmlessly(attached, serve):
    server = serve.start("name", [sys.executable, "-c", NAMED, 8081], 8081, ["tcp"])
    instance, = attached.instances("blue")
    assert instance["pid"] == server.pid and instance["comm"] == "??\x1b[31m"
    assert "\x1b" not in attached("status")


NAMED = """
import ctypes, signal, socket, sys
ctypes.CDLL(None).prctl(15, b"\\xff\\xfe\\x1b[31m")
listener = socket.create_server(("", int(sys.argv[1])))
signal.pause()
"""


def test_previews_that_are_there_need_no_room(attached):
    networks = "\n".join(f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(140000))
    attached("preview", "add", "-", "green", input=networks)
    attached("preview", "add", "-", "blue", input=networks)
    more = networks.replace("11.", "12.")
    assert attached.run("preview", "add", "-", "green", input=more).returncode == cli.USAGE
    assert len(attached("preview", "ls").splitlines()) == 140000


def test_a_renamed_interface_is_steered_and_shown(attached, labels, net, ask):
    net.host.ip("link set eth0 down", "link set eth0 name renamed0", "link set renamed0 up",
                f"route replace {host.CROWD4} via {host.CLIENT4}")
    assert ask() == "blue"
    assert [entry["ifname"] for entry in attached.status()["attached"]] == ["renamed0"]
    assert attached.warnings() == ""
    attached("detach", "renamed0")
    assert not cli.PINS.exists()


def test_no_conflict_once_it_is_gone(attached, serve):
    listener = serve.label("ordinary", 80)
    assert "own address" in attached.warnings()
    serve.end(listener)
    assert "own address" not in attached.warnings()


def test_mptcp_listener_is_named_with_the_way_out(attached, serve, ask):
    try:
        serve.label("blue", 8081, protocol=answer.IPPROTO_MPTCP)
    except OSError as error:
        pytest.skip(f"this kernel makes no MPTCP sockets: {error}")
    serve.label("green", 8082)
    warning = attached.warnings()
    assert "MPTCP" in warning and "GODEBUG=multipathtcp=0" in warning
    assert str(os.getpid()) in warning and "8081" in warning
    assert attached.listening("blue") == []
    assert ask() == "green"


def test_listener_that_another_map_holds_is_named_with_the_way_out(bgs, serve, ask):
    """BPF_MAP_TYPE_REUSEPORT_SOCKARRAY takes the one place a socket has for it (sk_user_data)."""
    foreign = cli.PINS.with_name("foreign")
    cli.bpftool("map", "create", foreign, "type", "reuseport_sockarray", "key", 4, "value", 8,
                "entries", 1, "name", "foreign")
    try:
        listener = serve.label("blue", 8081, reuseport=True)
        number = listener.fileno()
        cli.bpftool("map", "update", "pinned", foreign, "key", *[0] * 4,
                    "value", *number.to_bytes(8, "little"), pass_fds=[number])
        serve.label("green", 8082)
        bgs("attach", "eth0")
        warning = bgs.warnings()
        assert "8081" in warning and "holds the socket" in warning and str(os.getpid()) in warning
        assert bgs.listening("blue") == []
        assert ask() == "green"
    finally:
        foreign.unlink()


@pytest.fixture
def elsewhere(net):
    namespace = host.Netns("elsewhere")
    yield namespace
    namespace.close()


def test_listeners_of_other_namespaces_stay_out(attached, elsewhere, ask):
    """Same cgroup, same port, another network: its connections would vanish."""
    with elsewhere.entered():
        listener = answer.listen("::", 8081)
    with listener:
        assert cli.sockets() == 0
        assert ask() is None
        assert attached.listening("blue") == []
        warning = attached.warnings()
        assert "namespace" in warning and "8081" in warning


def test_netns_option(bgs, labels, ask):
    """Run from outside: NAME is what `ip netns` calls it."""
    outside = cli.Bgswitch(Outside(), bgs.environment["BGSWITCH_CGROUP"], bgs.run_dir)
    outside("--netns", "host", "attach", "eth0")
    outside("--netns", "host", "set", "green", "--no-wait")
    assert ask() == "green"
    status = json.loads(outside("status", "-j", "--netns", "host"))
    assert status["services"][0]["active"] == "green"
    assert status["services"][0]["colors"]["green"]["instances"][0]["listening"]
    outside("--netns", "host", "detach", "all")
    assert ask() is None


class Outside:
    """The session's own network namespace, which is none of the test's."""

    @staticmethod
    def run(command, **options):
        options = {"capture_output": True, "text": True, "timeout": 60, **options}
        return cli.subprocess.run([str(word) for word in command], **options)


def test_watching_shows_each_change(attached, labels):
    process = attached.start("status", "-w")
    seen = ""
    try:
        os.set_blocking(process.stdout.fileno(), False)
        seen = read_until(process.stdout, lambda text: "default" in text)
        attached("set", "green", "--no-wait", "-q")
        expected = attached("status").strip().splitlines()
        active = next(line for line in expected if "green" in line)
        seen += read_until(process.stdout, lambda text: active.split()[0] in text)
    finally:
        process.kill()
        process.communicate()
    assert "default" in seen


def read_until(stream, condition, seconds=10):
    text = ""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not condition(text):
            assert selector.select(deadline - time.monotonic()), f"nothing new; so far: {text}"
            text += stream.read() or ""
    return text


def test_watching_as_json(attached, labels):
    """One document a line."""
    process = attached.start("status", "-w", "-j")
    try:
        assert json.loads(process.stdout.readline())["services"][0]["active"] == "blue"
        attached("set", "green", "--no-wait")
        wait_for(lambda: json.loads(process.stdout.readline())["services"][0]["active"] == "green",
                 "the flip to be shown")
    finally:
        process.kill()
        process.communicate()


def test_an_interface_that_comes_back(attached, labels, net, ask):
    """Its index is another one; attach tells the new one."""
    net.host.ip("link del eth0")
    assert attached.run("status").returncode == 0
    net.host.ip("link add eth0 type veth peer name eth0 netns client",
                f"addr add {HOST4}/24 dev eth0", "link set eth0 up")
    net.client.ip(f"addr add {host.CLIENT4}/24 dev eth0", "link set eth0 up")
    attached("attach", "eth0")
    assert ask() == "blue"
    assert [entry["ifname"] for entry in attached.status()["attached"]] == ["eth0"]


def test_sixty_four_instances_of_each_color(attached, serve, ask):
    blue = range(9001, 9065)
    green = range(9101, 9165)
    attached("service", "add", "wide", "--listen", "0.0.0.0:70", "--blue",
             ",".join(map(str, blue)), "--green", ",".join(map(str, green)))
    for port in (*blue, *green):
        serve.label(port, port)
    assert len(attached.listening("blue", "wide")) == len(attached.listening("green", "wide")) == 64
    for color, ports in (("blue", blue), ("green", green)):
        attached("set", "wide", color, "--no-wait")
        answers = {ask(port=70) for _ in range(600)}
        assert answers <= {str(port) for port in ports}
        assert len(answers) > 60


def test_a_thousand_and_twenty_four_services(attached, serve, ask):
    ports = range(20001, 20001 + 1023)
    for port in ports:
        attached("service", "add", f"s{port}", "--listen", f"0.0.0.0:{port}", "--blue",
                 str(port + 2000), "--green", str(port + 4000))
    full = attached.run("service", "add", "more", "--listen", "0.0.0.0:70", "--blue", "9001",
                        "--green", "9002")
    assert full.returncode in (cli.USAGE, cli.FAILED) and "1024" in full.stderr
    assert len(attached.status()["services"]) == 1024
    for port in (ports[0], ports[500], ports[-1]):
        serve.label("blue", port + 2000)
        serve.label("green", port + 4000)
        assert ask(port=port) == "blue"
        attached("set", f"s{port}", "green", "--no-wait")
        assert ask(port=port) == "green"


def test_a_hundred_thousand_previews(attached, labels, ask):
    networks = [f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(99999)]
    attached("preview", "add", "-", "green", input="\n".join(networks + ["10.78.0.1"]))
    assert ask(source="10.78.0.1") == "green"
    assert ask(source="10.78.0.2") == "blue"
