"""A handshake that is under way while the color flips."""
import socket

import pytest

import answer
import host
from host import HOST4, HOST6
from sandbox import wait_for
from slow_client import SlowClient, handshakes

# The ACK that answers a cookie is looked up like a new connection, and the other
# color would reject it (tcp_synq_no_recent_overflow() in net/ipv4/syncookies.c).
# The gate's check is a handshake with the new color, --force makes none.
COOKIES = [pytest.param(0, id="no cookies"), pytest.param(1, id="when needed"),
           pytest.param(2, id="always")]
FORCE = [pytest.param((), id="checked"), pytest.param(("--force",), id="forced")]


@pytest.fixture
def slow(attached, labels, net):
    return lambda: SlowClient(net)


@pytest.mark.smoke
@pytest.mark.parametrize("force", FORCE)
@pytest.mark.parametrize("cookies", COOKIES)
def test_handshake_across_a_flip_stays(attached, net, slow, cookies, force):
    net.host.sysctl("ipv4/tcp_syncookies", cookies)
    client = slow()
    client.open_half()
    attached("set", "green", "--no-wait", *force)
    assert client.ask() == "blue", "reset at the flip"


@pytest.mark.parametrize("cookies", COOKIES)
def test_handshakes_across_many_flips_stay(attached, net, slow, cookies):
    net.host.sysctl("ipv4/tcp_syncookies", cookies)
    answers = []
    for number in range(10):
        client = slow()
        client.open_half()
        attached("set", ("green", "blue")[number % 2], "--no-wait", "--force")
        answers.append(client.ask())
    assert answers == ["blue", "green"] * 5


def test_one_handshake_across_several_flips_stays(attached, net, slow):
    net.host.sysctl("ipv4/tcp_syncookies", 2)
    client = slow()
    client.open_half()
    for color in ("green", "blue", "green"):
        attached("set", color, "--no-wait", "--force")
    assert client.ask() == "blue"


def test_cookies_keep_no_other_client_from_the_new_color(attached, net, slow):
    net.host.sysctl("ipv4/tcp_syncookies", 2)
    slow().open_half()
    attached("set", "green", "--no-wait", "--force")
    client = slow()
    client.open_half()
    assert client.ask() == "green"


def test_handshake_while_no_color_changes(attached, net, slow):
    net.host.sysctl("ipv4/tcp_syncookies", 2)
    client = slow()
    client.open_half()
    assert client.ask() == "blue"


# ---- TCP_DEFER_ACCEPT: the kernel keeps the handshake until the client says something


@pytest.fixture
def deferring(attached, net, serve):
    for color, port in (("blue", 8081), ("green", 8082)):
        with net.host.entered():
            listener = answer.listen("::", port)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
        serve.answerer.serve(listener, color)


@pytest.mark.parametrize("address", [HOST4, HOST6])
def test_client_that_is_silent_across_the_flip(attached, net, deferring, address):
    with host.connect(net.client, address) as sock:
        wait_for(lambda: handshakes(net.host, 80) == 1, "the handshake to be kept")
        attached("set", "green", "--no-wait")
        assert handshakes(net.host, 80) == 1
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"blue" in sock.recv(4096)


@pytest.mark.parametrize("cookies", COOKIES)
def test_many_that_are_silent_across_many_flips(attached, net, deferring, cookies):
    net.host.sysctl("ipv4/tcp_syncookies", cookies)
    clients = []
    for number in range(10):
        clients.append(host.connect(net.client, HOST4))
        attached("set", ("green", "blue")[number % 2], "--no-wait")
    answers = []
    for sock in clients:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answers.append(sock.recv(4096).partition(b"\r\n\r\n")[2].split()[0].decode())
        sock.close()
    assert answers == ["blue", "green"] * 5
