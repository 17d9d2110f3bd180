"""A small Varlink client: JSON objects ended by NUL on a UNIX socket."""
import json
import os
import socket

INTERFACE = "org.bgswitch"


class Error(Exception):
    def __init__(self, name, parameters):
        super().__init__(name, parameters)
        self.name, self.parameters = name, parameters


class Client:
    def __init__(self, path, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, more=False, **parameters):
        name = method if "." in method else f"{INTERFACE}.{method}"
        message = {"method": name, "parameters": parameters, **({"more": True} if more else {})}
        self.socket.sendall(json.dumps(message).encode() + b"\0")

    def receive(self):
        """The next reply, whole; None at the end."""
        while b"\0" not in self.received:
            chunk = self.socket.recv(65536)
            if not chunk:
                return None
            self.received += chunk
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    def reply(self):
        """Parameters of the next reply; an error is raised."""
        reply = self.receive()
        assert reply is not None, "the agent closed the connection"
        if "error" in reply:
            raise Error(reply["error"], reply.get("parameters"))
        return reply.get("parameters", {})

    def call(self, method, **parameters):
        self.send(method, **parameters)
        return self.reply()

    def stream(self, method, **parameters):
        """Called with `more`: parameters of each reply, the last one last."""
        self.send(method, more=True, **parameters)
        while True:
            reply = self.receive()
            assert reply is not None, "the agent closed the connection"
            if "error" in reply:
                raise Error(reply["error"], reply.get("parameters"))
            yield reply["parameters"]
            if not reply.get("continues"):
                return


def as_user(uid, gid, groups, what):
    """Runs `what()` in a process of this user; it returns JSON or raises Error."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            try:
                answer = {"answer": what()}
            except Error as error:
                answer = {"error": error.name}
            except OSError as error:
                answer = {"error": type(error).__name__}
            os.write(writing, json.dumps(answer).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(pid, 0)
    return answer
