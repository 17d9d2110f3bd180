"""What `status` counts of a color's connections, and what it makes of that: safe to stop."""
import contextlib
import socket
import struct
import sys

import pytest

import answer
import cli
import host
from cli import REFUSED
from hold import Counts
from host import HOST4, HOST6
from slow_client import SlowClient

ADDRESSES = [pytest.param(HOST4, id="v4"), pytest.param(HOST6, id="v6")]


class Listener:
    """Takes connections only when it is told to, and keeps them."""

    def __init__(self, net, port, address="::", **options):
        with net.host.entered():
            self.socket = answer.listen(address, port, **options)
        self.socket.settimeout(5)
        self.taken = []

    def take(self, count=1):
        for _ in range(count):
            self.taken.append(self.socket.accept()[0])
        return self.taken[-1]

    def close(self):
        for sock in [*self.taken, self.socket]:
            sock.close()


@pytest.fixture
def listener(net):
    """listener(port, …): each is closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda port, *words, **options: stack.enter_context(
            contextlib.closing(Listener(net, port, *words, **options)))


@pytest.fixture
def blue(attached, listener):
    return listener(8081)


@pytest.fixture
def standby(attached, blue, listener):
    """flip(): from here on blue gets no more."""
    listener(8082)
    return lambda: attached("set", "green", "--force", "--no-wait")


@pytest.fixture
def clients(net):
    """clients(count, …): connections that are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda count, address=HOST4, port=80, **options: [
            stack.enter_context(host.connect(net.client, address, port, **options))
            for _ in range(count)]


def close(socks):
    for sock in socks:
        sock.close()


def abort(socks):
    """By a reset."""
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


# ---- each kind, to the connection


@pytest.mark.smoke
@pytest.mark.parametrize("address", ADDRESSES)
def test_from_the_queue_to_the_end(blue, clients, counts, address):
    socks = clients(7, address)
    counts.wait("blue", accept_queue=7)
    blue.take(3)
    counts.wait("blue", accept_queue=4, established=3)
    blue.take(4)
    counts.wait("blue", established=7)
    close(socks[:2])  # the application has not noticed: its processes still hold them
    counts.wait("blue", established=7)
    close(blue.taken[:2])
    counts.wait("blue", established=5)
    abort(socks[2:4])
    counts.wait("blue", established=3)
    abort(blue.taken[4:6])
    counts.wait("blue", established=1)
    close(socks[4:] + blue.taken)
    counts.wait("blue")


def test_handshakes(blue, net, counts):
    half_open = [SlowClient(net) for _ in range(5)]
    for client in half_open:
        client.open_half()
    counts.wait("blue", handshaking=5)
    half_open[0].complete()
    counts.wait("blue", handshaking=4, accept_queue=1)
    blue.take()
    counts.wait("blue", handshaking=4, established=1)


@pytest.mark.parametrize("address", ADDRESSES)
def test_deferred_accepts_are_handshakes(blue, clients, counts, address):
    blue.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    socks = clients(3, address)
    counts.wait("blue", handshaking=3)
    for sock in socks:
        sock.sendall(b"at last")
    counts.wait("blue", accept_queue=3)
    blue.take(3)
    counts.wait("blue", established=3)


def unsent(blue, clients):
    """The application has closed, and its client does not read what it said."""
    sock, = clients(1)
    taken = blue.take()
    taken.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while taken.send(b"much" * 65536):
            pass
    taken.close()
    return sock


def test_closing_with_data_unsent(blue, clients, counts):
    sock = unsent(blue, clients)
    counts.wait("blue", closing=1)
    sock.close()
    counts.wait("blue")


def test_all_was_said_and_the_client_stays_open(blue, clients, counts):
    """FIN-WAIT-2 without an application: the kernel lets the socket go at once."""
    sock, = clients(1)
    blue.take().close()
    counts.wait("blue")
    assert sock.recv(1) == b""


@pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RD])
def test_half_closed_is_established(blue, clients, counts, how):
    sock, = clients(1)
    taken = blue.take()
    taken.shutdown(how)
    counts.wait("blue", established=1)
    taken.close()
    sock.close()
    counts.wait("blue")


# ---- who listens, and where


def test_dual_stack_or_one_listener_for_each_family(attached, listener, clients, counts):
    listener(8081, "0.0.0.0")
    listener(8081, "fd77::1")
    listener(8082)
    clients(2, HOST4), clients(3, HOST6)
    counts.wait("blue", accept_queue=5)
    attached("set", "green", "--force", "--no-wait")
    clients(1, HOST4), clients(2, HOST6)
    counts.wait("green", accept_queue=3)
    counts.wait("blue", accept_queue=5)


def test_straight_to_the_instances_port(blue, clients, counts):
    """Not steered, and of the color all the same: the end of the process would cut them."""
    clients(2, port=8081), clients(1, HOST6, 8081), clients(4)
    counts.wait("blue", accept_queue=7)
    blue.take(7)
    counts.wait("blue", established=7)


def test_each_instance_has_its_own(attached, listener, clients):
    attached("service", "add", "many", "--listen", ":90", "--blue", "9001,9002", "--green", "9003")
    counts = Counts(attached, "many")
    first, second = listener(9001), listener(9002)
    attached.wait_listening("blue", 2, "many")
    clients(3, port=9001), clients(5, port=9002)
    counts.wait("blue", accept_queue=8)
    first.take(2), second.take(4)
    counts.wait("blue", accept_queue=2, established=6)
    by_place = {address.rpartition(":")[2]: numbers
                for address, numbers in counts.instances("blue").items()}
    assert by_place == {
        "9001": {"handshaking": 0, "accept_queue": 1, "established": 2, "closing": 0},
        "9002": {"handshaking": 0, "accept_queue": 1, "established": 4, "closing": 0}}
    second.close()  # with its accept queue
    counts.wait("blue", accept_queue=1, established=2)


def test_workers_of_a_reuseport_group(attached, listener, clients, counts):
    """Queues of all of them are read, and a worker that ends takes only its own along."""
    workers = [listener(8081, reuseport=True) for _ in range(4)]
    socks = clients(40)
    counts.wait("blue", accept_queue=40)
    lost = queued(workers[0].socket)
    workers[0].close()
    counts.wait("blue", accept_queue=40 - lost)
    for worker in workers[1:]:
        worker.take(queued(worker.socket))
    counts.wait("blue", established=40 - lost)
    close(socks)


def queued(listener):
    """tcpi_unacked of a listener: how many wait for accept()."""
    return struct.unpack_from("I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104),
                              24)[0]


@pytest.mark.parametrize("options", [{"workers": 3}, {"workers": 3, "reuseport": True}],
                         ids=["shared", "reuseport"])
def test_workers_of_nginx(attached, serve, holding, counts, options):
    serve.nginx("blue", 8081, **options)
    client = holding.connect(60)
    counts.wait("blue", established=60)
    six = holding.connect(40, HOST6)
    counts.wait("blue", established=100)
    client.close(25)
    six.close(40)
    counts.wait("blue", established=35)


HELD_BY_A_CHILD = """
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
connection = listener.accept()[0]
if os.fork():
    connection.close()
    sys.stdin.read()
else:
    listener.close()
    sys.stdin.read()
"""


def test_held_by_a_child(attached, net, listener, clients, counts):
    blue = listener(8081)
    child = net.host.popen([sys.executable, "-c", HELD_BY_A_CHILD, blue.socket.fileno()],
                           stdin=-1, pass_fds=[blue.socket.fileno()])
    sock, = clients(1)
    counts.wait("blue", established=1)
    child.stdin.close()
    assert sock.recv(1) == b""
    counts.wait("blue")
    child.wait()


# ---- safe to stop


def test_never_while_it_gets_connections(attached, standby, counts):
    """The active color, a share of a split, and preview networks."""
    assert (counts.safe("blue"), counts.safe("green")) == (False, True)
    standby()
    counts.wait_safe("blue")
    assert counts.safe("green") is False
    attached("split", "10")
    assert (counts.safe("blue"), counts.safe("green")) == (False, False)
    attached("split", "100")
    assert (counts.safe("blue"), counts.safe("green")) == (False, True)
    attached("split", "0")
    counts.wait_safe("blue")
    attached("preview", "add", "10.1.0.0/16", "blue")
    assert counts.safe("blue") is False
    attached("preview", "rm", "10.1.0.0/16")
    counts.wait_safe("blue")


def test_never_while_it_stands_in(attached, listener, counts):
    """The kernel's failover sends there whom the active color does not listen for."""
    listener(8081)
    green = listener(8082)
    attached("set", "green", "--force", "--no-wait")
    counts.wait_safe("blue")
    green.close()
    assert counts.safe("blue") is False
    listener(8082, "0.0.0.0")
    assert counts.safe("blue") is False
    result = attached.run("drain", "blue")
    assert result.returncode == REFUSED
    assert "green has no listener for IPv6 clients, and they go to blue" in result.stderr
    listener(8082, "fd77::1")
    counts.wait_safe("blue")
    attached("drain", "blue")


def half_open(net, blue, clients):
    client = SlowClient(net)
    client.open_half()

    def end():
        client.complete(data=None)
        abort([blue.take()])

    return {"handshaking": 1}, end


def waiting(net, blue, clients):
    socks = clients(1)
    return {"accept_queue": 1}, lambda: close([blue.take(), *socks])


def held(net, blue, clients):
    socks = clients(1)
    return {"established": 1}, lambda taken=blue.take(): close([taken, *socks])


def half_closed(net, blue, clients):
    numbers, end = held(net, blue, clients)
    blue.taken[-1].shutdown(socket.SHUT_WR)
    return numbers, end


def ended_by_the_client(net, blue, clients):
    """CLOSE-WAIT: the application may still want to answer."""
    sock, = clients(1)
    taken = blue.take()
    sock.shutdown(socket.SHUT_WR)
    return {"established": 1}, lambda: close([taken, sock])


@pytest.mark.smoke
@pytest.mark.parametrize("one", [half_open, waiting, held, half_closed, ended_by_the_client])
def test_one_is_enough(net, blue, standby, clients, counts, one):
    numbers, end = one(net, blue, clients)
    standby()
    counts.wait("blue", **numbers)
    assert counts.safe("blue") is False
    end()
    counts.wait_safe("blue")
    assert counts.color("blue")["established"] == 0


def test_what_the_application_let_go_is_the_kernels(blue, standby, clients, counts):
    """The end of the process does not cut it: the client gets all that was said."""
    sock = unsent(blue, clients)
    standby()
    counts.wait("blue", closing=1)
    assert counts.safe("blue") is True
    blue.close()
    got = 0
    while chunk := sock.recv(65536):
        got += len(chunk)
    assert got
    counts.wait("blue")


def test_counts_end_with_the_process(net, attached, holding, standby, counts):
    """kill -9: nothing is left that could be cut."""
    attached("service", "add", "web", "--listen", ":90", "--blue", "9001", "--green", "9002")
    counts = Counts(attached, "web")
    server = holding.serve(9001)
    client = holding.connect(50, port=90)
    counts.wait("blue", established=50)
    server.kill()
    client.wait(open=0)
    counts.wait("blue")
    attached("set", "web", "green", "--force", "--no-wait")
    counts.wait_safe("blue")


@pytest.mark.parametrize("program", ["register_link", "queue", "walk"])
def test_null_where_nobody_counts(attached, blue, clients, program):
    """A program that the kernel refused is not pinned: this is how it looks then."""
    clients(1)
    (cli.PINS / program).unlink()
    for color in ("blue", "green"):
        shown = attached.service()["colors"][color]
        assert shown["safe_to_stop"] is None
        assert set(shown["connections"].values()) == {None}
        for instance in shown["instances"]:
            assert set(instance["connections"].values()) == {None}
    attached("drain", "green", expect=cli.FAILED)


# ---- how many at once


def test_thousands_come_and_go(attached, holding, counts):
    """Many at the same time, on both processors: gauges do not lose one."""
    holding.serve(8081)
    holding.serve(8082)
    kept = holding.connect(1500)
    six = holding.connect(1500, HOST6)
    counts.wait("blue", established=3000)
    attached("set", "green", "--no-wait")
    green = holding.connect(1000)
    kept.close(700), six.close(1500)
    counts.wait("blue", established=800)
    counts.wait("green", established=1000)
    kept.close(800), green.close(1000)
    counts.wait("blue")
    counts.wait("green")
    assert counts.safe("blue") is True
