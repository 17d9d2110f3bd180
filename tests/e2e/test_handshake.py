"""A handshake that is under way while the color flips."""
import random
import socket
import struct

import pytest

import host
from host import HOST4

SLOW_CLIENT = "10.80.0.1"
SYN, RST, PSH, ACK = 0x02, 0x04, 0x08, 0x10
ETH_P_IP = 0x0800
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class SlowClient:
    """TCP by hand, from an address that no kernel answers for."""

    def __init__(self, net):
        net.host.ip(f"route replace {SLOW_CLIENT} via {host.CLIENT4}")
        self.out = net.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.heard = net.client.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                       socket.htons(ETH_P_IP))
        self.heard.settimeout(5)
        self.port = random.randrange(20000, 60000)
        self.sequence, self.acknowledged = 1000, 0

    def send(self, flags, data=b""):
        source, target = socket.inet_aton(SLOW_CLIENT), socket.inet_aton(HOST4)
        header = struct.pack("!HHIIBBHHH", self.port, 80, self.sequence, self.acknowledged,
                             5 << 4, flags, 65535, 0, 0)
        pseudo = source + target + struct.pack("!BBH", 0, socket.IPPROTO_TCP,
                                               len(header) + len(data))
        total = checksum(pseudo + header + data)
        segment = header[:16] + struct.pack("!H", total) + header[18:] + data
        packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64,
                             socket.IPPROTO_TCP, 0, source, target) + segment
        self.out.sendto(packet, (HOST4, 0))

    def receive(self):
        """Flags, sequence number and data of the next segment for us."""
        while True:
            packet = self.heard.recv(65535)
            header = packet[(packet[0] & 15) * 4:struct.unpack("!H", packet[2:4])[0]]
            if packet[9] != socket.IPPROTO_TCP or packet[16:20] != socket.inet_aton(SLOW_CLIENT):
                continue
            port, sequence = struct.unpack("!2xHI", header[:8])
            if port == self.port:
                return header[13], sequence, header[(header[12] >> 4) * 4:]

    def open_half(self):
        self.send(SYN)
        flags, sequence, _ = self.receive()
        assert flags == SYN | ACK
        self.sequence += 1
        self.acknowledged = sequence + 1

    def ask(self):
        """Complete the handshake, send a request; the color, None for a reset."""
        self.send(ACK)
        self.send(ACK | PSH, REQUEST)
        while True:
            flags, _, data = self.receive()
            if flags & RST:
                return None
            if data:
                return data.partition(b"\r\n\r\n")[2].split()[0].decode()


# A listener believes a cookie only while it remembers a flood of its own
# (tcp_synq_no_recent_overflow() in net/ipv4/syncookies.c). With 2 every
# handshake is one, so the gate's check is what makes the new color believe.
COOKIES = [pytest.param(0, id="no cookies"), pytest.param(1, id="when needed"),
           pytest.param(2, id="always")]


@pytest.fixture
def slow(attached, labels, net):
    return lambda: SlowClient(net)


@pytest.mark.parametrize("cookies", COOKIES)
def test_handshake_across_a_flip_is_served(attached, net, slow, cookies):
    net.host.sysctl("ipv4/tcp_syncookies", cookies)
    client = slow()
    client.open_half()
    attached("set", "green", "--no-wait")
    assert client.ask() == ("blue" if cookies < 2 else "green"), "reset at the flip"


@pytest.mark.parametrize("cookies", COOKIES)
def test_handshake_across_many_flips_is_served(attached, net, slow, cookies):
    net.host.sysctl("ipv4/tcp_syncookies", cookies)
    answers = []
    for number in range(10):
        client = slow()
        client.open_half()
        attached("set", ("green", "blue")[number % 2], "--no-wait")
        answers.append(client.ask())
    assert None not in answers, answers


def test_handshake_while_no_color_changes(attached, net, slow):
    net.host.sysctl("ipv4/tcp_syncookies", 2)
    client = slow()
    client.open_half()
    assert client.ask() == "blue"
