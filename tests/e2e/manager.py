"""The service manager's side of sd_notify(3): a socket that is always read."""
import socket
import threading
import time


class Manager:
    def __init__(self, path):
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.told = []  # (time.monotonic(), line), the oldest first
        self.taken = 0  # of these, by wait()
        self.change = threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        """Whoever notifies waits for room in the socket: nobody may wait for a test."""
        while message := self.socket.recv(65536):
            with self.change:
                self.told += [(time.monotonic(), line) for line in message.decode().splitlines()]
                self.change.notify_all()

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()

    def lines(self):
        with self.change:
            return [line for _, line in self.told]

    def wait(self, wanted, seconds):
        """The next line, of those not waited for yet, that is `wanted`; False: none came."""
        deadline = time.monotonic() + seconds
        with self.change:
            while True:
                while self.taken < len(self.told):
                    self.taken += 1
                    if self.told[self.taken - 1][1] == wanted:
                        return True
                if not self.change.wait(deadline - time.monotonic()):
                    return False
