"""Which color, which instance, and what is counted."""
import socket

import pytest

import host
from host import CLIENT4, CLIENT6, HOST4, HOST6, OTHER_HOST4

pytestmark = pytest.mark.usefixtures("net")


@pytest.mark.smoke
@pytest.mark.parametrize("address, client", [(HOST4, CLIENT4), (HOST6, CLIENT6)])
def test_new_connections_follow_the_active_color(attached, labels, net, address, client):
    for color in ("blue", "green", "blue"):
        attached("set", color, "--no-wait")
        assert host.ask(net.client, address) == [color, client]


def test_the_first_color_is_blue(attached, labels, ask):
    assert ask() == "blue"
    assert attached.service()["active"] == "blue"


def test_a_connection_stays_where_it_is(attached, labels, net, ask):
    with host.connect(net.client, HOST4) as kept:
        attached("set", "green", "--no-wait")
        assert ask() == "green"
        kept.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"blue" in kept.recv(4096)


@pytest.mark.parametrize("order", [("anywhere", "exact"), ("exact", "anywhere")])
def test_exact_address_goes_before_wildcard(attached, serve, ask, order):
    listen = {"anywhere": ("0.0.0.0:70", 9001, 9002), "exact": (f"{HOST4}:70", 9003, 9004)}
    for name in order:
        where, blue, green = listen[name]
        attached("service", "add", name, "--listen", where, "--blue", blue, "--green", green)
        serve.label(name, blue)
    assert ask(port=70) == "exact"
    assert ask(OTHER_HOST4, port=70) is None, "eth1 is not attached"
    assert ask("127.0.0.1", port=70, namespace=serve.host) == "anywhere"


def test_wildcards_of_one_family_leave_the_other_alone(attached, serve, ask):
    attached("service", "add", "six", "--listen", "[::]:70", "--blue", 9001, "--green", 9002)
    serve.label("six", 9001)
    assert ask(HOST6, port=70) == "six"
    assert ask(HOST4, port=70) is None


def test_all_listen_addresses_flip_at_once(bgs, serve, ask):
    bgs("attach", "all")
    bgs("service", "add", "wide", "--listen", f"{HOST4}:70,[{HOST6}]:71", "--listen",
        "0.0.0.0:72", "--blue", "9001", "--green", "9002")
    serve.label("blue", 9001)
    serve.label("green", 9002)
    places = [(HOST4, 70), (HOST6, 71), (HOST4, 72), (OTHER_HOST4, 72)]
    for color in ("green", "blue"):
        bgs("set", "wide", color, "--no-wait")
        assert [ask(*place) for place in places] == [color] * 4
    assert ask(OTHER_HOST4, 70) is None


@pytest.mark.parametrize("declared, listener, families", [
    ("9001", "0.0.0.0", [HOST4]),
    (":9001", "::", [HOST4, HOST6]),
    ("127.0.0.1:9001", "127.0.0.1", [HOST4]),
    ("127.0.0.1:9001", "0.0.0.0", [HOST4]),
    ("127.0.0.1:9001", "::", [HOST4]),
    ("127.0.0.1:9001", "::ffff:127.0.0.1", [HOST4]),
    ("[::1]:9001", "::1", [HOST6]),
    ("[::1]:9001", "::", [HOST6]),
])
def test_which_listener_serves_an_instance(attached, serve, ask, declared, listener, families):
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--listen", "[::]:70",
             "--blue", declared, "--green", "9002")
    serve.label("blue", 9001, listener)
    attached.wait_listening("blue", name="web")
    for address in families:
        assert ask(address, port=70) == "blue"
    missing = {HOST4, HOST6} - set(families) if listener != "::" else ()
    for address in missing:
        assert ask(address, port=70) is None


def test_a_listener_on_another_address_is_no_instance(attached, serve, ask):
    attached("service", "add", "web", "--listen", "0.0.0.0:70",
             "--blue", "127.0.0.1:9001", "--green", "9002")
    serve.label("blue", 9001, HOST4)
    assert attached.listening("blue", "web") == []
    assert ask(port=70) is None


def test_instances_share_the_connections(attached, serve, ask):
    attached("service", "add", "web", "--listen", "0.0.0.0:70",
             "--blue", "9001,9002", "--blue", "9003", "--green", "9004")
    for port in (9001, 9002, 9003):
        serve.label(port, port)
    answers = [ask(port=70) for _ in range(300)]
    assert {str(port) for port in (9001, 9002, 9003)} == set(answers)
    assert all(answers.count(answer) > 50 for answer in set(answers)), answers


@pytest.mark.parametrize("family, address", [(socket.AF_INET, HOST4), (socket.AF_INET6, HOST6)])
def test_split_is_stable_for_a_client(attached, labels, ask, family, address):
    clients = host.crowd(600, family)
    green_before = set()
    for percent in (0, 30, 60, 100):
        attached("split", percent)
        green = {client for client in clients if ask(address, source=client) == "green"}
        assert abs(len(green) / len(clients) - percent / 100) < 0.08
        assert green >= green_before, "a raised split moved clients back"
        green_before = green
    attached("split", 30)
    again = {client: ask(address, source=client) for client in clients[:50]}
    assert again == {client: ask(address, source=client) for client in clients[:50]}
    assert attached.service()["split"] == {"blue": 7000, "green": 3000}


def test_split_by_connection(attached, serve, ask):
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001",
             "--green", "9002", "--affinity", "connection")
    serve.label("blue", 9001)
    serve.label("green", 9002)
    attached("split", 30, "web")
    answers = [ask(port=70) for _ in range(600)]
    assert abs(answers.count("green") / 600 - 0.3) < 0.08


def test_split_by_connection_leaves_no_instance_out(attached, serve, ask):
    ports = {"blue": range(9001, 9005), "green": range(9101, 9105)}
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--affinity", "connection",
             *(word for color in ports for word in
               (f"--{color}", ",".join(map(str, ports[color])))))
    for port in (*ports["blue"], *ports["green"]):
        serve.label(port, port)
    attached("split", 50, "web")
    answers = [ask(port=70) for _ in range(800)]
    for port in (*ports["blue"], *ports["green"]):
        assert answers.count(str(port)) > 50, (port, answers.count(str(port)))


def test_one_client_keeps_its_color_by_default(attached, labels, ask):
    attached("split", 50)
    assert len({ask() for _ in range(50)}) == 1


@pytest.mark.parametrize("network, address, inside, outside", [
    ("10.78.1.0/24", HOST4, "10.78.1.7", "10.78.2.7"),
    ("10.78.1.7", HOST4, "10.78.1.7", "10.78.1.8"),
    ("fd78::/120", HOST6, "fd78::7", "fd78::1:7"),
    ("fd78::7", HOST6, "fd78::7", "fd78::8"),
])
def test_preview_networks_get_their_color(attached, labels, ask, network, address, inside,
                                          outside):
    attached("preview", "add", network, "green")
    assert ask(address, source=inside) == "green"
    assert ask(address, source=outside) == "blue"
    attached("set", "green", "--no-wait")
    attached("preview", "add", network, "blue")
    assert ask(address, source=inside) == "blue"
    attached("preview", "rm", network)
    assert ask(address, source=inside) == "green"


def test_the_longest_preview_network_wins(attached, labels, ask):
    attached("preview", "add", "10.78.0.0/16", "green")
    attached("preview", "add", "10.78.1.0/24", "blue")
    assert ask(source="10.78.2.1") == "green"
    assert ask(source="10.78.1.1") == "blue"
    assert "10.78.0.0/16" in attached("preview", "ls")


def test_previews_of_one_family_leave_the_other_alone(attached, labels, ask):
    attached("preview", "add", "::/0", "green")
    assert [ask(HOST4), ask(HOST6)] == ["blue", "green"]
    attached("preview", "rm", "::/0")
    attached("preview", "add", "0.0.0.0/0", "green")
    assert [ask(HOST4), ask(HOST6)] == ["green", "blue"]


def test_preview_from_standard_input(attached, labels, ask):
    networks = host.crowd(1000)
    attached("preview", "add", "-", "green", input="\n".join(networks) + "\n")
    assert ask(source=networks[999]) == "green"
    assert ask() == "blue"
    assert len(attached("preview", "ls").splitlines()) >= 1000


def test_previews_belong_to_one_service(attached, labels, serve, ask):
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001",
             "--green", "9002")
    serve.label("blue", 9001)
    serve.label("green", 9002)
    attached("preview", "add", "10.78.1.0/24", "green", "web")
    assert ask(port=70, source="10.78.1.1") == "green"
    assert ask(port=80, source="10.78.1.1") == "blue"


@pytest.mark.smoke
@pytest.mark.parametrize("active, other", [("blue", "green"), ("green", "blue")])
def test_failover_to_the_other_color(attached, serve, ask, active, other):
    ports = {"blue": 8081, "green": 8082}
    listeners = {color: serve.label(color, port) for color, port in ports.items()}
    attached("set", active, "--no-wait")
    serve.end(listeners[active])
    before = attached.counters()
    assert [ask(), ask(HOST6)] == [other, other]
    after = attached.counters()
    assert after["failover_total"] - before["failover_total"] == 2
    assert after[other] - before[other] == 2
    serve.label(active, ports[active])
    assert ask() == active, "a new listener is used at once"


def test_a_dead_instance_leaves_its_color_to_the_living(attached, serve, ask):
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001,9002",
             "--green", "9003")
    first = serve.label("first", 9001)
    serve.label("second", 9002)
    serve.label("green", 9003)
    serve.end(first)
    assert {ask(port=70) for _ in range(50)} == {"second"}
    assert attached.counters("web")["failover_total"] == 0


def test_no_failover_when_it_is_off(attached, serve, ask):
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001",
             "--green", "9002", "--failover", "off")
    serve.label("green", 9002)
    assert ask(port=70) is None
    assert attached.counters("web")["refused_total"] == 1
    assert attached.counters("web")["green"] == 0


@pytest.mark.parametrize("on_empty, answer, counter", [
    ("refuse", None, "refused_total"), ("pass", "ordinary", "passed_total")])
def test_no_listener_at_all(attached, serve, ask, on_empty, answer, counter):
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001",
             "--green", "9002", "--on-empty", on_empty)
    serve.label("ordinary", 70)
    assert ask(port=70) == answer
    counters = attached.counters("web")
    assert counters.pop(counter) == 1
    assert set(counters.values()) == {0}, counters


def test_a_shut_down_listener_is_dead(attached, serve, ask):
    listener = serve.label("blue", 9001)
    attached("service", "add", "web", "--listen", "0.0.0.0:70", "--blue", "9001",
             "--green", "9002")
    serve.label("green", 9002)
    assert ask(port=70) == "blue"
    serve.shut_down(listener)
    assert ask(port=70) == "green"
    assert attached.listening("blue", "web") == []
    serve.listen_again(listener, "again")
    assert ask(port=70) == "again"


def test_every_outcome_is_counted_once(attached, labels, ask):
    before = attached.counters()
    for _ in range(5):
        ask()
    attached("set", "green", "--no-wait")
    for _ in range(7):
        ask(HOST6)
    after = attached.counters()
    added = {name: after[name] - before[name] for name in after}
    assert (added.pop("blue"), added.pop("green")) == (5, 7)
    assert set(added.values()) == {0}, added


@pytest.mark.smoke
def test_only_attached_interfaces_are_steered(attached, labels, serve, ask, net):
    serve.label("ordinary", 80)
    assert ask(OTHER_HOST4) == "ordinary"
    assert ask(HOST4) == "blue"
    assert ask("127.0.0.1", namespace=net.host) == "blue"
    assert ask("::1", namespace=net.host) == "blue"
    assert ask(HOST4, namespace=net.host) == "blue", "a local client comes over loopback"
    attached("attach", "eth1")
    assert ask(OTHER_HOST4) == "blue"
    attached("detach", "eth1")
    assert ask(OTHER_HOST4) == "ordinary"
    assert ask(HOST4) == "blue"


def test_attach_all_steers_every_interface(bgs, labels, ask):
    bgs("attach", "all")
    assert [ask(HOST4), ask(OTHER_HOST4)] == ["blue", "blue"]


@pytest.mark.smoke
def test_after_detach_nothing_is_steered(attached, labels, serve, ask):
    serve.label("ordinary", 80)
    assert ask() == "blue"
    attached("detach", "eth0")
    assert ask() == "ordinary"
