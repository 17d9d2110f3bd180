"""A server that misbehaves the way it is told to, and notes what it was asked.

It runs in threads of the test process: after `server.turn("hang")` the next
connection hangs. Every answer of the way "well" is the server's label.
"""
import contextlib
import socket
import ssl
import struct
import subprocess
import threading

import answer

# Certificates in a directory of their own; -days -1 is not to be had in every version.
CERTIFICATES = """
set -e
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
authority() { openssl req -x509 $key -keyout $1.key -out $1.pem -subj /CN=$1 -days 2; }
sign() {
    echo "subjectAltName=DNS:$1" >names
    shift
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names "$@"
}
authority ca
authority other
openssl req -new $key -keyout server.key -out server.csr -subj /CN=test
sign web.test -days 2 -out well.pem
sign else.test -days 2 -out wrong_name.pem
sign web.test -days -1 -out expired.pem || sign web.test -not_before 20200101000000Z \
    -not_after 20200102000000Z -out expired.pem
"""


def make_certificates(directory):
    result = subprocess.run(["sh", "-c", CERTIFICATES], cwd=directory, capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    return directory


def respond(connection, body, status="200 OK", length=None):
    body = body.encode()
    connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {length or len(body)}\r\n"
                       f"Connection: close\r\n\r\n".encode() + body)


class Broken:
    def __init__(self, host, label, port, address="127.0.0.1", certificates=None):
        self.host, self.label, self.place = host, label, (address, port)
        self.certificates = certificates
        self.requests = []  # as text
        self.requests_since_turn = 0
        self.served = self.most = 0  # connections, also those that sent nothing; most at a time
        self.over = threading.Event()
        self.open = set()
        self.listener = self.thread = None
        self.way = "well"
        self.listen()

    def turn(self, way):
        """To one of the ways below, answer_WAY(), or "refuse"; connections of before end."""
        assert way == "refuse" or hasattr(self, f"answer_{way}"), way
        self.way, self.requests_since_turn = way, 0
        if way == "refuse":
            self.stop_listening()
        elif not self.listener:
            self.listen()
        self.drop()

    def listen(self):
        with self.host.entered():
            self.listener = answer.listen(*self.place)
        self.thread = threading.Thread(target=self.accept, args=(self.listener,), daemon=True)
        self.thread.start()

    def stop_listening(self):
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            self.thread.join()
            self.listener.close()
            self.listener = None

    def drop(self):
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.over.set()
        self.stop_listening()
        self.drop()

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.served += 1
            self.open.add(connection)
            self.most = max(self.most, len(self.open))
            threading.Thread(target=self.serve, args=(connection, self.way),
                             daemon=True).start()

    def serve(self, connection, way):
        plain = connection
        try:
            if self.certificates and way != "plain":
                connection = self.secure(connection, way)
            connection.settimeout(30)
            self.requests.append(connection.recv(65536).decode(errors="replace"))
            self.requests_since_turn += way == self.way
            getattr(self, f"answer_{way}")(connection)
        except OSError:
            pass  # the other side has had enough
        finally:
            self.open.discard(plain)
            connection.close()

    def secure(self, connection, way):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        name = way if way in ("expired", "wrong_name") else "well"
        context.load_cert_chain(self.certificates / f"{name}.pem", self.certificates / "server.key")
        return context.wrap_socket(connection, server_side=True)

    # ---- the ways

    def answer_well(self, connection):
        address = answer.plain(connection.getpeername()[0])
        respond(connection, f"{self.label} {address}\n")

    answer_expired = answer_wrong_name = answer_plain = answer_well

    def answer_error(self, connection):
        respond(connection, f"{self.label}: the database is away\n", "500 Internal Server Error")

    def answer_redirect(self, connection):
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /login\r\n"
                           b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    def answer_sorry(self, connection):
        respond(connection, "sorry, down for maintenance\n")

    def answer_hang(self, connection):
        connection.recv(1)

    def answer_drip(self, connection):
        """A good answer, but a byte each 50 ms."""
        text = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.label)}\r\n\r\n{self.label}"
        for byte in text.encode():
            connection.sendall(bytes([byte]))
            if self.over.wait(0.05):
                return

    def answer_endless(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not self.over.is_set():
            connection.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")

    def answer_half(self, connection):
        respond(connection, self.label * 4, length=1000)

    def answer_half_chunk(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ngreen")

    def answer_until_close(self, connection):
        """Good, and nothing but the close says that it is over."""
        connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{self.label}".encode())

    def answer_header_only(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")

    def answer_nothing(self, connection):
        """Reads the request, and closes."""

    def answer_reset(self, connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def answer_garbage(self, connection):
        connection.sendall(b"220 mail.test ESMTP\r\n\x1b[31m")
