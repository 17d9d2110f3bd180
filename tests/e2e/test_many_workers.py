"""More SO_REUSEPORT listeners of an instance than can be registered: they serve, and count."""
import json
import socket

import pytest

import answer
import host
from cli import CUT
from host import HOST4, HOST6
from sandbox import wait_for
from slow_client import handshakes

WORKERS = 130  # twice as many
CLIENTS = 60


@pytest.fixture
def workers(attached, net, serve):
    """Of blue. The kernel keeps their handshakes until the client says something."""
    for _ in range(WORKERS):
        with net.host.entered():
            listener = answer.listen("::", 8081, reuseport=True)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
        serve.answerer.serve(listener, "blue")
    serve.label("green", 8082)


@pytest.mark.parametrize("address", [HOST4, HOST6])
def test_handshakes_with_any_of_them_are_waited_for(attached, net, workers, address):
    clients = [host.connect(net.client, address) for _ in range(CLIENTS)]
    wait_for(lambda: handshakes(net.host, 80) == CLIENTS, "the handshakes to be kept")
    result = attached.run("set", "green", "--soak", "0", "--drain-timeout", "0", "--keep", "-j")
    assert result.returncode == CUT
    assert json.loads(result.stdout)["drained"]["remaining"]["handshaking"] == CLIENTS
    rows = json.loads(attached("conns", "blue", "-j"))
    assert [row["instance"] for row in rows] == [":8081"] * CLIENTS
    for client in clients:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"blue" in client.recv(4096)
        client.close()
    attached("drain", "blue")
