"""Two network namespaces: the host that bgswitch runs on, and its clients."""
import contextlib
import ipaddress
import os
import socket
import subprocess

from sandbox import CLONE_NEWNET, libc, system_call

HOST4, HOST6 = "10.77.0.1", "fd77::1"
CLIENT4, CLIENT6 = "10.77.0.2", "fd77::2"
NOBODY4 = "10.80.0.1"  # behind the client, where no kernel answers for it
OTHER_HOST4, OTHER_CLIENT4 = "10.79.0.1", "10.79.0.2"
CROWD4, CROWD6 = "10.78.0.0/16", "fd78::/64"  # many more clients

IP_FREEBIND = 15
IPV6_FREEBIND = 78


def ip(*batch):
    """Run several ip commands in one process."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(batch), text=True, check=True,
                   stdout=subprocess.DEVNULL)


class Netns:
    def __init__(self, name):
        self.name = name
        ip(f"netns add {name}")
        self.path = f"/run/netns/{name}"
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link set lo up")
        # Addresses are usable at once, without looking for duplicates first.
        self.sysctl("ipv6/conf/default/accept_dad", 0)

    def close(self):
        os.close(self.fd)
        ip(f"netns del {self.name}")

    @contextlib.contextmanager
    def entered(self):
        """This thread is inside; processes and sockets made here stay inside."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            system_call(libc.setns(self.fd, CLONE_NEWNET), "setns")
            yield
        finally:
            system_call(libc.setns(before, CLONE_NEWNET), "setns")
            os.close(before)

    def popen(self, command, **options):
        with self.entered():
            return subprocess.Popen([str(word) for word in command], **options)

    def run(self, command, timeout=60, **options):
        options = {"capture_output": True, "text": True, **options}
        with self.entered():
            return subprocess.run([str(word) for word in command], timeout=timeout, **options)

    def ip(self, *batch):
        with self.entered():
            ip(*batch)

    def sysctl(self, name, value):
        """A net.… setting of this namespace."""
        with self.entered(), open(f"/proc/sys/net/{name}", "w") as setting:
            setting.write(str(value))

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        with self.entered():
            return socket.socket(family, kind, protocol)


class Network:
    """host --eth0--eth0-- client, and a second pair eth1 for the interface filter."""

    def __init__(self):
        self.host = Netns("host")
        self.client = Netns("client")
        self.host.ip("link add eth0 type veth peer name eth0 netns client",
                     "link add eth1 type veth peer name eth1 netns client",
                     f"addr add {HOST4}/24 dev eth0", f"addr add {HOST6}/64 dev eth0",
                     f"addr add {OTHER_HOST4}/24 dev eth1",
                     "link set eth0 up", "link set eth1 up",
                     f"route add {CROWD4} via {CLIENT4}", f"route add {NOBODY4} via {CLIENT4}")
        self.client.ip(f"addr add {CLIENT4}/24 dev eth0", f"addr add {CLIENT6}/64 dev eth0",
                       f"addr add {OTHER_CLIENT4}/24 dev eth1",
                       "link set eth0 up", "link set eth1 up",
                       f"route add local {CROWD4} dev lo", f"route add local {CROWD6} dev lo")
        self.host.ip(f"route add {CROWD6} via {CLIENT6}")
        self.client.sysctl("ipv4/ip_local_port_range", "1024 65000")

    def close(self):
        self.client.close()
        self.host.close()


def crowd(count, family=socket.AF_INET):
    """Addresses of that many clients."""
    network = ipaddress.ip_network(CROWD6 if family == socket.AF_INET6 else CROWD4)
    return [str(network[number]) for number in range(1, count + 1)]


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(namespace, address, port=80, source=None, timeout=5):
    """A TCP connection from any source address, also one the namespace only routes."""
    family = family_of(address)
    sock = namespace.socket(family)
    sock.settimeout(timeout)
    try:
        if source:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
            sock.bind((source, 0))
        sock.connect((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def ask(namespace, address, port=80, source=None):
    """One HTTP request; the words of the answer: color first, then the client's address."""
    with connect(namespace, address, port, source) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        answer = b""
        while chunk := sock.recv(4096):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")), answer
    return body.decode().split()
