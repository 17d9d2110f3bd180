"""Real servers as instances. Each answers with its color and the client's address."""
import pathlib
import subprocess
import sys

import answer
from sandbox import wait_for

HERE = pathlib.Path(__file__).resolve().parent

NGINX = """
daemon off;
master_process {master};
worker_processes {workers};
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen {port} backlog=4096 {option};
        listen [::]:{port} backlog=4096 {option};
        location / {{ return 200 "{label} $remote_addr $pid\\n"; }}
    }}
}}
"""

HAPROXY = """
global
    nbthread 2
    stats socket {directory}/socket mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout client 30s
frontend {color}
    bind :::{port} v4v6
    http-request return status 200 content-type text/plain lf-string "{label} %[src]\\n"
"""

NODE = """
require('http').createServer((request, response) => {
  const address = request.socket.remoteAddress || '';  // the client may be gone
  response.end(process.argv[2] + ' ' + address.replace('::ffff:', '') + '\\n');
}).listen(Number(process.argv[1]));
"""

PYTHON = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"{sys.argv[2]} {self.client_address[0]}\\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
"""


class Server:
    """A process on the host; stop() and kill() return when it is gone."""

    def __init__(self, host, command, port, directory, tables):
        self.host, self.port, self.tables = host, port, tables
        self.log = open(directory / "log", "ab")
        self.process = host.popen(command, stdout=self.log, stderr=self.log, cwd=directory)
        try:
            self.wait_port()
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self):
        return self.process.pid

    def wait_port(self):
        def listens():
            assert self.process.poll() is None, (
                f"{self.process.args[0]} ended: {pathlib.Path(self.log.name).read_text()}")
            return all(listeners(self.host, self.port, table) for table in self.tables)

        wait_for(listens, f"{self.process.args[0]} to listen on port {self.port}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


def listeners(host, port, table):
    """How many there are. Looks, never connects: a probe would show up in the counters."""
    with host.entered(), open(f"/proc/thread-self/net/{table}") as lines:
        next(lines)
        rows = [line.split() for line in lines]
    return sum(row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port for row in rows)


def pad(color):
    """Both colors answer with the same length, as ab wants it."""
    return f"{color:_<5}"


class Servers:
    """Starts servers on a host and ends what still runs of them."""

    def __init__(self, host, directory):
        self.host, self.directory = host, pathlib.Path(directory)
        self.answerer = answer.Answerer()
        self.started = []

    def close(self):
        for server in self.started:
            server.kill()
            server.log.close()
        self.answerer.close()

    def start(self, name, command, port, tables):
        directory = self.directory / f"{name}-{len(self.started)}"
        directory.mkdir()
        self.started.append(Server(self.host, command, port, directory, tables))
        return self.started[-1]

    def write(self, name, text):
        path = self.directory / f"{name}-{len(self.started)}.conf"
        path.write_text(text)
        return path

    def label(self, label, port, address="::", **options):
        """A listener in the test process itself."""
        with self.host.entered():
            listener = answer.listen(address, port, **options)
        return self.answerer.serve(listener, label)

    def end(self, listener):
        self.answerer.end(listener)

    def shut_down(self, listener):
        self.answerer.shut_down(listener)

    def listen_again(self, listener, label):
        listener.listen(16)
        self.answerer.serve(listener, label)

    def answering(self, color, port):
        """The label server as a process of its own."""
        before = listeners(self.host, port, "tcp6")
        server = self.start("answer", [sys.executable, HERE / "answer.py", color, port], port,
                            ["tcp6"])
        wait_for(lambda: listeners(self.host, port, "tcp6") > before, "one more listener")
        return server

    def compiled(self, binary, label, port):
        """server.c, which is quick to start."""
        return self.start("server", [binary, label, port], port, ["tcp6"])

    def nginx(self, color, port, reuseport=False, workers=1, master=True):
        directory = self.directory / f"nginx-{len(self.started)}"
        text = NGINX.format(directory=directory, port=port, label=color, workers=workers,
                            master="on" if master else "off",
                            option="reuseport" if reuseport else "")
        return self.start("nginx", ["nginx", "-c", self.write("nginx", text),
                                    "-e", f"{directory}/error.log"], port, ["tcp", "tcp6"])

    def haproxy(self, color, port, *options):
        directory = self.directory / f"haproxy-{len(self.started)}"
        text = HAPROXY.format(directory=directory, port=port, color=color, label=pad(color))
        return self.start("haproxy", ["haproxy", "-db", "-f", self.write("haproxy", text),
                                      *options], port, ["tcp6"])

    def node(self, color, port):
        return self.start("node", ["node", "-e", NODE, port, pad(color)], port, ["tcp6"])

    def python(self, color, port):
        return self.start("python", [sys.executable, "-c", PYTHON, port, pad(color)], port,
                          ["tcp"])

    def redis(self, color, port):
        server = self.start("redis", ["redis-server", "--port", port, "--bind", "* -::*",
                                      "--protected-mode", "no", "--save", "",
                                      "--appendonly", "no"], port, ["tcp", "tcp6"])
        self.host.run(["redis-cli", "-p", port, "set", "color", color], check=True)
        return server
