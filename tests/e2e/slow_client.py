"""Clients that stop in the middle of a handshake, and what the kernel counts of them."""
import random
import socket
import struct

from host import HOST4, NOBODY4

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
        self.out = net.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.heard = net.client.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                       socket.htons(ETH_P_IP))
        self.heard.settimeout(5)
        self.port = random.randrange(20000, 60000)
        self.sequence, self.acknowledged = 1000, 0

    def send(self, flags, data=b"", options=b""):
        """Options come padded to words."""
        source, target = socket.inet_aton(NOBODY4), socket.inet_aton(HOST4)
        header = struct.pack("!HHIIBBHHH", self.port, 80, self.sequence, self.acknowledged,
                             20 + len(options) << 2, flags, 65535, 0, 0) + options
        pseudo = source + target + struct.pack("!BBH", 0, socket.IPPROTO_TCP,
                                               len(header) + len(data))
        total = checksum(pseudo + header + data)
        segment = header[:16] + struct.pack("!H", total) + header[18:] + data
        packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64,
                             socket.IPPROTO_TCP, 0, source, target) + segment
        self.out.sendto(packet, (HOST4, 0))

    def receive(self):
        """Flags, sequence number, options and data of the next segment for us."""
        while True:
            packet = self.heard.recv(65535)
            header = packet[(packet[0] & 15) * 4:struct.unpack("!H", packet[2:4])[0]]
            if packet[9] != socket.IPPROTO_TCP or packet[16:20] != socket.inet_aton(NOBODY4):
                continue
            port, sequence = struct.unpack("!2xHI", header[:8])
            if port == self.port:
                end = (header[12] >> 4) * 4
                return header[13], sequence, header[20:end], header[end:]

    def open_half(self, data=b"", options=b""):
        """SYN and SYN-ACK; returns the other's options."""
        self.send(SYN, data, options)
        flags, sequence, answered, _ = self.receive()
        assert flags == SYN | ACK
        self.sequence += 1 + len(data)
        self.acknowledged = sequence + 1
        return answered

    def complete(self, data=REQUEST):
        self.send(ACK)
        if data:
            self.send(ACK | PSH, data)

    def answer(self):
        """The color that answers; None for a reset. SYN-ACKs that are sent again do not matter."""
        while True:
            flags, _, _, data = self.receive()
            if flags & RST:
                return None
            if data:
                return data.partition(b"\r\n\r\n")[2].split()[0].decode()

    def ask(self):
        """Complete the handshake and send a request; the color that answers, or None."""
        self.complete()
        return self.answer()


def kernel_count(namespace, name):
    """A counter of TcpExt in /proc/net/netstat, of this namespace."""
    with namespace.entered(), open("/proc/thread-self/net/netstat") as lines:
        names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(values[names.index(name)])


def handshakes(namespace, port):
    """How many a listener on this port has under way (SYN_RECV)."""
    count = 0
    for table in ("tcp", "tcp6"):
        with namespace.entered(), open(f"/proc/thread-self/net/{table}") as lines:
            next(lines)
            rows = [line.split() for line in lines]
        count += sum(row[3] == "03" and int(row[1].rpartition(":")[2], 16) == port
                     for row in rows)
    return count
