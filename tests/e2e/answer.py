"""The smallest server: every answer is its label and the client's address.

In threads of the test process for tests that need many listeners or none of a
real server's ways; as a process (python3 answer.py LABEL PORT...) to be killed.
"""
import os
import selectors
import socket
import sys
import threading

IPPROTO_MPTCP = 262


def listen(address, port, reuseport=False, protocol=0, backlog=4096):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuseport:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            only = not (address == "::" or address.startswith("::ffff:"))
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        sock.bind((address, port))
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


class Answerer:
    """One thread that serves any number of listeners."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.wake, self.wakened = socket.socketpair()
        self.selector.register(self.wakened, selectors.EVENT_READ, None)
        self.lock = threading.Lock()
        self.listeners = set()
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def serve(self, listener, label):
        listener.setblocking(False)
        with self.lock:
            self.listeners.add(listener)
            self.selector.register(listener, selectors.EVENT_READ, ("listener", label))
        return listener

    def end(self, listener):
        """When this returns the kernel knows nothing of the listener any more."""
        with self.lock:
            self.listeners.discard(listener)
            self.selector.unregister(listener)
            listener.close()

    def shut_down(self, listener):
        """The listener stays open and listens no more."""
        with self.lock:
            self.selector.unregister(listener)
            listener.shutdown(socket.SHUT_RD)

    def close(self):
        self.wake.close()
        self.thread.join()
        for listener in self.listeners:
            listener.close()

    def loop(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                with self.lock:
                    self.handle(key.fileobj, *key.data)

    def handle(self, sock, kind, label):
        try:
            if kind == "listener":
                connection, _ = sock.accept()
                self.selector.register(connection, selectors.EVENT_READ, ("connection", label))
                return
            if sock.recv(65536):
                body = f"{label} {plain(sock.getpeername()[0])}\n"
                sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
                             f"Connection: close\r\n\r\n{body}".encode())
        except OSError:
            if kind == "listener":
                return
        self.selector.unregister(sock)
        sock.close()


def plain(address):
    """An IPv4 client of a dual-stack socket without its prefix."""
    return address.removeprefix("::ffff:")


def main(label, *ports):
    answerer = Answerer()
    for port in ports:
        answerer.serve(listen("::", int(port), reuseport=True), f"{label}-{os.getpid()}")
    answerer.thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
