"""Queues that overflow while the color flips: whoever got an answer gets the rest."""
import concurrent.futures
import time

import pytest

import answer
import cli
import host
from host import HOST4, HOST6
from sandbox import wait_for
from slow_client import SlowClient, kernel_count

BACKLOG = 8
CLIENTS = 40
ADDRESSES = [pytest.param(HOST4, id="v4"), pytest.param(HOST6, id="v6")]
# Without cookies a full queue drops SYNs, and these clients come again.
COOKIES = [pytest.param(0, id="no cookies"), pytest.param(1, id="when needed"),
           pytest.param(2, id="always")]


@pytest.fixture
def blue(net, attached, serve):
    """A listener that takes no connection yet: serve.answerer.serve(blue, "blue")."""
    with net.host.entered():
        listener = answer.listen("::", 8081, backlog=BACKLOG)
    attached.wait_listening("blue")
    yield listener
    listener.close()


@pytest.fixture
def green(serve):
    return serve.label("green", 8082)


@pytest.fixture
def crowd(net):
    """crowd(address): that many clients ask at once; their answers, as futures."""
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        def ask(address):
            with host.connect(net.client, address, timeout=60) as sock:
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return sock.recv(4096).partition(b"\r\n\r\n")[2].split()[0].decode()

        yield lambda address: [pool.submit(ask, address) for _ in range(CLIENTS)]


def overflows(net):
    return kernel_count(net.host, "ListenOverflows")


@pytest.mark.parametrize("cookies", COOKIES)
@pytest.mark.parametrize("address", ADDRESSES)
def test_full_accept_queue_across_a_flip(attached, net, serve, blue, green, crowd, cookies,
                                         address):
    net.host.sysctl("ipv4/tcp_syncookies", cookies)
    before = overflows(net)
    answers = crowd(address)
    wait_for(lambda: overflows(net) > before, "the accept queue to be full")
    attached("set", "green", "--no-wait")
    serve.answerer.serve(blue, "blue")
    colors = [future.result() for future in answers]
    assert colors.count("blue") > BACKLOG, "those in the queue are served by blue"
    assert colors.count("blue") + colors.count("green") == CLIENTS


@pytest.mark.parametrize("cookies", COOKIES)
def test_slow_accepter_across_many_flips(attached, net, serve, blue, green, crowd, cookies):
    net.host.sysctl("ipv4/tcp_syncookies", cookies)
    before = overflows(net)
    answers = crowd(HOST4)
    wait_for(lambda: overflows(net) > before, "the accept queue to be full")
    taken = []
    for number in range(BACKLOG):
        attached("set", ("green", "blue")[number % 2], "--no-wait", "--force")
        taken.append(blue.accept()[0])
    attached("set", "green", "--no-wait", "--force")
    for connection in taken:
        assert connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nblue")
        connection.close()
    serve.answerer.serve(blue, "blue")
    colors = [future.result() for future in answers]
    assert colors.count("blue") >= BACKLOG
    assert colors.count("blue") + colors.count("green") == CLIENTS


# ---- tcp_syncookies=1, and only the old color has ever sent any


def overflow(net, room):
    """Half-open handshakes until one gets a cookie; that client, and those before it."""
    before = kernel_count(net.host, "SyncookiesSent")
    clients = []
    while kernel_count(net.host, "SyncookiesSent") == before:
        assert len(clients) < 4 * room, "the queue never overflows"
        clients.append(SlowClient(net))
        clients[-1].open_half()
    return clients.pop(), clients


@pytest.fixture
def flooded(net, blue, green):
    net.host.sysctl("ipv4/tcp_syncookies", 1)
    return overflow(net, BACKLOG)


@pytest.mark.smoke
def test_cookie_of_the_old_color_counts_after_the_flip(attached, net, serve, blue, flooded):
    client, _ = flooded
    serve.answerer.serve(blue, "blue")
    attached("set", "green", "--no-wait")
    before = kernel_count(net.host, "SyncookiesRecv")
    assert client.ask() == "blue"
    assert kernel_count(net.host, "SyncookiesRecv") == before + 1


def test_every_cookie_counts_and_every_request_beside_it(attached, net, serve, blue, flooded):
    first, half_open = flooded
    more = [SlowClient(net) for _ in range(20)]
    for client in more:
        client.open_half()
    serve.answerer.serve(blue, "blue")
    attached("set", "green", "--no-wait")
    before = kernel_count(net.host, "SyncookiesRecv")
    assert [client.ask() for client in [first, *half_open, *more]] == (
        ["blue"] * (1 + len(half_open) + len(more)))
    assert kernel_count(net.host, "SyncookiesRecv") == before + 1 + len(more)


def test_who_comes_after_the_flip_gets_the_new_color(attached, net, serve, blue, flooded, ask):
    attached("set", "green", "--no-wait")
    assert [ask() for _ in range(5)] == ["green"] * 5


def test_cookie_counts_once_the_accept_queue_has_room(attached, net, serve, blue, flooded):
    """The ACK meets a full accept queue and is dropped: the client sends it again later."""
    late, _ = flooded
    waiting = [host.connect(net.client, HOST4) for _ in range(BACKLOG + 1)]
    before = overflows(net)
    attached("set", "green", "--no-wait")
    late.complete()
    wait_for(lambda: overflows(net) > before, "the ACK to be dropped")
    serve.answerer.serve(blue, "blue")
    for sock in waiting:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"blue" in sock.recv(4096)
        sock.close()
    assert late.ask() == "blue"


def test_cookie_of_one_listener_of_a_group(attached, net, serve, green):
    """The kernel shares connections out among them, and so their overflow."""
    net.host.sysctl("ipv4/tcp_syncookies", 1)
    for _ in range(2):
        serve.label("blue", 8081, reuseport=True, backlog=4 * BACKLOG)
    clients = overflow(net, 8 * BACKLOG)[1] + [SlowClient(net) for _ in range(20)]
    for client in clients[-20:]:
        client.open_half()
    attached("set", "green", "--no-wait")
    before = kernel_count(net.host, "SyncookiesRecv")
    assert [client.ask() for client in clients] == ["blue"] * len(clients)
    assert kernel_count(net.host, "SyncookiesRecv") > before


@pytest.fixture
def unbelieving():
    """
    jiffies begins 300 s before its wrap to 0, which is when a listener that never
    overflowed says it did: for two minutes it believes every cookie.
    """
    if 295 < time.clock_gettime(time.CLOCK_BOOTTIME) < 425:
        pytest.skip("between 5 and 7 minutes after boot the kernel believes every cookie")


def test_cookie_without_its_note_is_lost(attached, net, serve, blue, flooded, unbelieving):
    """Why there are notes: the kernel gives the new color no way to know the cookie."""
    client, _ = flooded
    serve.answerer.serve(blue, "blue")
    attached("set", "green", "--no-wait")
    for entry in cli.bpftool("map", "dump", "pinned", cli.PINS / "cookies"):
        cli.bpftool("map", "delete", "pinned", cli.PINS / "cookies", "key", *entry["key"])
    assert client.ask() is None


def test_dead_old_color_leaves_its_clients_to_the_new_one(attached, net, blue, flooded,
                                                          unbelieving):
    """What it sent nobody else believes: its client is reset, as at any server that dies."""
    client, _ = flooded
    attached("set", "green", "--no-wait")
    blue.close()
    assert client.ask() is None
    client = SlowClient(net)
    client.open_half()
    assert client.ask() == "green"
