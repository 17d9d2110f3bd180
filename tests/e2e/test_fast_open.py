"""TCP Fast Open: data in the SYN, for a client that was here before."""
import socket
import struct

import pytest

import answer
from host import HOST4
from slow_client import REQUEST, SlowClient, kernel_count

CLIENT_MAY, SERVER_MAY = 1, 2  # bits of net.ipv4.tcp_fastopen
TCP_FASTOPEN_KEY = 33
OPTION, NOP = 34, 1  # RFC 7413
ASK_FOR_COOKIE = bytes([OPTION, 2, NOP, NOP])


def fast_open_option(answered):
    """The cookie that a SYN-ACK brings, as the option of a SYN."""
    while answered and answered[0] in (0, NOP, 2, 3, 4, 8, OPTION):
        length = 1 if answered[0] in (0, NOP) else answered[1]
        if answered[0] == OPTION:
            cookie = answered[:length]
            return cookie + bytes([NOP]) * (-len(cookie) % 4)
        answered = answered[length:]
    raise AssertionError("no Fast Open cookie in the answer")


@pytest.fixture
def listeners(attached, net, serve):
    """Both colors take Fast Open; the key is the namespace's."""
    net.host.sysctl("ipv4/tcp_fastopen", SERVER_MAY)
    net.client.sysctl("ipv4/tcp_fastopen", CLIENT_MAY)
    opened = []
    for color, port in (("blue", 8081), ("green", 8082)):
        with net.host.entered():
            opened.append(answer.listen("::", port))
        opened[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 64)
        serve.answerer.serve(opened[-1], color)
    return opened


def fast(net):
    """One request with sendto(MSG_FASTOPEN); the color that answers."""
    with net.client.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
        sock.sendto(REQUEST, socket.MSG_FASTOPEN, (HOST4, 80))
        return sock.recv(4096).partition(b"\r\n\r\n")[2].split()[0].decode()


def passive(net):
    return kernel_count(net.host, "TCPFastOpenPassive")


def test_cookie_of_one_color_opens_the_other(attached, net, listeners):
    assert fast(net) == "blue"
    assert passive(net) == 0, "the first brings the cookie"
    assert fast(net) == "blue"
    assert passive(net) == 1
    attached("set", "green", "--no-wait")
    assert fast(net) == "green"
    assert passive(net) == 2


def test_cookie_that_the_other_color_does_not_know(attached, net, listeners):
    """Each with a key of its own: the data is sent again, and the next cookie is green's."""
    for number, listener in enumerate(listeners):
        listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_KEY, bytes([number]) * 16)
    assert [fast(net), fast(net)] == ["blue", "blue"]
    attached("set", "green", "--no-wait")
    before = passive(net)
    assert fast(net) == "green"
    assert passive(net) == before
    assert fast(net) == "green"
    assert passive(net) == before + 1


def test_new_color_without_fast_open(attached, net, listeners):
    assert [fast(net), fast(net)] == ["blue", "blue"]
    listeners[1].setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 0)
    attached("set", "green", "--no-wait")
    assert fast(net) == "green"


@pytest.mark.parametrize("cookies", [0, 1, 2])
def test_data_in_the_syn_before_the_flip_and_ack_after_it(attached, net, listeners, cookies):
    """With tcp_syncookies=2 the kernel leaves the data aside, and the client sends it again."""
    first = SlowClient(net)
    option = fast_open_option(first.open_half(options=ASK_FOR_COOKIE))
    net.host.sysctl("ipv4/tcp_syncookies", cookies)
    client = SlowClient(net)
    if cookies < 2:
        client.open_half(REQUEST, option)
    else:
        client.open_half(options=option)
    attached("set", "green", "--no-wait", "--force")
    assert passive(net) == (cookies < 2)
    client.complete(None if cookies < 2 else REQUEST)
    assert client.answer() == "blue"
