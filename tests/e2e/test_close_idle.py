"""Idle connections are closed through the application, and no request is lost.

BGSWITCH_CLOSES=10000 measures what docs/close-idle.md says.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

from host import HOST4

CLOSES = int(os.environ.get("BGSWITCH_CLOSES", "150"))
CLIENTS = min(CLOSES, 400)
T = 400  # ms
SLOW = 1.5 * T / 1000  # s; a request in flight is not idle, however long it takes
PAUSE = 0.5 * T / 1000  # s; inside an answer it has to be shorter than T

NGINX = """
daemon off;
user root;
worker_processes 2;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 100000000;
    upstream behind {{ server 127.0.0.1:9000; keepalive 32; }}
    server {{
        listen {port} backlog=4096;
        location / {{ {location} }}
    }}
}}
"""
STATIC = "root {directory}; index index.html;"
PROXYING = """proxy_pass http://behind; proxy_http_version 1.1;
              proxy_set_header Connection ""; """

HAPROXY = """
defaults
    mode http
    timeout client 60s
    timeout connect 5s
    timeout server 60s
frontend front
    bind :{port}
    default_backend behind
backend behind
    server behind 127.0.0.1:9000
"""

NODE = """
require('http').createServer({keepAliveTimeout: 0}, (request, response) => {
  const answer = () => {
    response.setHeader('Content-Length', 3);
    response.end('ok\\n');
  };
  if (request.url === '/slow') setTimeout(answer, Number(process.argv[2])); else answer();
}).listen(Number(process.argv[1]));
"""

PYTHON = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(float(sys.argv[2]))
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        if self.path == "/pause":
            self.wfile.flush()
            time.sleep(float(sys.argv[2]))
        self.wfile.write(b"ok\\n")
    def log_message(self, *arguments):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
Server(("", int(sys.argv[1])), Handler).serve_forever()
"""


def start_node(serve, port, slow):
    return serve.start("node", ["node", "-e", NODE, port, slow * 1000], port, ["tcp6"])


def start_python(serve, port, slow):
    return serve.start("python", [sys.executable, "-c", PYTHON, port, slow], port, ["tcp"])


def start_nginx(serve, port, location):
    directory = serve.directory / f"nginx-{len(serve.started)}"
    text = NGINX.format(directory=directory, port=port,
                        location=location.format(directory=serve.directory))
    return serve.start("nginx", ["nginx", "-c", serve.write("nginx", text),
                                 "-e", f"{directory}/error.log"], port, ["tcp"])


def nginx_static(serve, port, slow):
    (serve.directory / "index.html").write_text("ok\n")
    return start_nginx(serve, port, STATIC)


def start_behind(serve, slow):
    """What proxies of both colors ask."""
    if not hasattr(serve, "behind"):
        serve.behind = start_node(serve, 9000, slow)


def nginx_proxying(serve, port, slow):
    start_behind(serve, slow)
    return start_nginx(serve, port, PROXYING)


def haproxy(serve, port, slow):
    start_behind(serve, slow)
    text = HAPROXY.format(port=port)
    return serve.start("haproxy", ["haproxy", "-db", "-f", serve.write("haproxy", text)], port,
                       ["tcp"])


def redis(serve, port, slow):
    return serve.redis("blue", port)


def python_pausing(serve, port, slow):
    return start_python(serve, port, PAUSE)


#: name: how it is started, a quick request, a slow one
SERVERS = {
    "nginx static": (nginx_static, "/", ""),
    "nginx proxying": (nginx_proxying, "/", "/slow"),
    "node": (start_node, "/", "/slow"),
    "python": (start_python, "/", "/slow"),
    "python pausing": (python_pausing, "/", "/pause"),
    "haproxy": (haproxy, "/", "/slow"),
    "redis": (redis, "GET color", f"BLPOP nothing {SLOW}"),
}


@pytest.fixture(scope="session")
def strict(tmp_path_factory):
    """Clients that do not forgive."""
    binary = tmp_path_factory.mktemp("strict") / "strict"
    compiler = os.environ.get("CC") or shutil.which("cc") or "clang"
    source = pathlib.Path(__file__).with_name("strict.c")
    subprocess.run([compiler, "-O2", "-Wall", "-D_GNU_SOURCE", "-o", binary, source], check=True)
    return binary


@pytest.fixture
def both(serve):
    """Blue and green of a kind."""
    def start(how):
        for port in (8081, 8082):
            how(serve, port, SLOW)

    return start


class Switching:
    """Cutovers to and fro, each of which drains the other color by closing what is idle."""

    def __init__(self, bgs):
        self.bgs, self.closed, self.cutovers = bgs, 0, 0
        self.wrong = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.loop)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def loop(self):
        color = "green"
        while not self.ended.is_set():
            result = self.bgs.run("set", color, "--soak", "0", "--drain-timeout", "60s",
                                  "--close-idle", f"{T}ms", "-j", timeout=90)
            if result.returncode:
                self.wrong.append(result)
                return
            self.closed += json.loads(result.stdout)["drained"]["closed_idle"]
            self.cutovers += 1
            color = "blue" if color == "green" else "green"


def ask_strictly(net, strict, quick, slow, closes):
    result = net.client.run([strict, HOST4, 80, CLIENTS, T, closes, 240, quick, slow], timeout=300)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), result.stderr


@pytest.mark.parametrize("name", SERVERS)
def test_no_request_is_lost(attached, net, both, strict, name):
    start, quick, slow = SERVERS[name]
    both(start)
    with Switching(attached) as switching:
        clients, lost = ask_strictly(net, strict, quick, slow, CLOSES)
    print(name, clients, f"{switching.cutovers} cutovers, {switching.closed} closes", lost)
    assert not switching.wrong
    assert clients["closed"] >= CLOSES
    assert clients["lost"] <= clients["closed"] // 1000, lost
    assert not clients["unasked"], lost


def test_pause_in_an_answer_has_to_be_shorter(attached, net, both, strict):
    """What docs/close-idle.md warns of: half an answer, acknowledged, looks like a whole one."""
    both(start_python)
    with Switching(attached):
        clients, lost = ask_strictly(net, strict, "/", "/pause", CLOSES)
    assert clients["lost"], lost
