"""Where events go: standard error, a file, the journal, `events`, history and webhooks."""
import contextlib
import datetime
import http.server
import json
import pathlib
import signal
import socket
import threading
import time

import pytest

import varlink
from sandbox import wait_for
from trail import Trail

JOURNAL = pathlib.Path("/run/systemd/journal/socket")
CHECK = {"path": "/", "interval": "50ms", "fast_interval": "10ms", "timeout": "1s"}


def config(**agent):
    return {"attach": ["eth0"], "agent": agent,
            "services": {"web": {"listen": ":80", "blue": ":8081", "green": ":8082",
                                 "soak": "60s", "check": CHECK}}}


@pytest.fixture
def trail(bgs):
    bgs.environment["TZ"] = "UTC"
    return Trail(bgs)


def line_of(event):
    """An event as a line, from its form in JSON."""
    moment = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    return f"[{moment:%Y-%m-%d %H:%M:%S}] {event['service'] or 'bgswitch'}: {event['message']}"


# ---- lines

def test_lines_on_standard_error(agent, bgs, labels, trail):
    agent.start(config())
    bgs("set", "green", "--soak", "0")
    event = trail.events("switching")[-1]
    assert event["message"] == "switching traffic blue -> green"
    assert (event["service"], event["color"]) == ("web", "green")
    agent.stop()
    assert agent.log.splitlines() == [line_of(each) for each in trail.events()
                                      if each["event"] != "interrupted"]


def test_lines_in_a_file_that_is_rotated(agent, bgs, labels, trail, tmp_path):
    file, rotated = tmp_path / "lines.log", tmp_path / "lines.log.1"
    agent.start(config(log=str(file)))
    bgs("set", "green", "--soak", "0")
    assert line_of(trail.events("switching")[-1]) in file.read_text().splitlines()
    file.rename(rotated)
    bgs("set", "blue", "--soak", "0")
    assert not file.exists(), "until it is told"
    agent.reload()
    bgs("set", "green", "--soak", "0")
    agent.stop()
    together = rotated.read_text() + file.read_text()
    assert together.splitlines() == [line_of(each) for each in trail.events()]
    assert agent.log == ""


def test_events_are_followed(agent, bgs, labels, trail):
    agent.start(config())
    follower = bgs.start("events", "-f", "-n", "1")
    last = follower.stdout.readline()
    assert last.rstrip("\n") == line_of(trail.events()[-1])
    bgs("set", "green", "--soak", "0")
    for line in follower.stdout:
        if line.endswith("web: switching traffic blue -> green\n"):
            break
    agent.kill()
    agent.start()
    for line in follower.stdout:
        if "agent" in line and "started" in line:
            break
    follower.send_signal(signal.SIGINT)
    assert follower.wait(15) == 0
    follower.communicate()


# ---- the journal

@pytest.fixture
def journal():
    JOURNAL.parent.mkdir(parents=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(JOURNAL))
    sock.settimeout(15)
    yield sock
    sock.close()
    JOURNAL.unlink()
    JOURNAL.parent.rmdir()


def entries_until(journal, kind):
    """Fields of each entry up to the first of this kind."""
    while True:
        entry = dict(line.split("=", 1) for line in journal.recv(65536).decode().splitlines())
        yield entry
        if entry.get("BGSWITCH_EVENT") == kind:
            return


@pytest.mark.parametrize("stderr_is_journal", [True, False])
def test_journal_has_fields(agent, bgs, labels, trail, journal, stderr_is_journal):
    agent.log_path.touch()
    stream = agent.log_path.stat()
    environment = {}
    if stderr_is_journal:
        environment["JOURNAL_STREAM"] = f"{stream.st_dev}:{stream.st_ino}"
    agent.start(config(), ready=False, **environment)
    *_, healthy = entries_until(journal, "color-healthy")
    assert healthy["BGSWITCH_COLOR"] in ("blue", "green")
    command = bgs.start("set", "green", "--soak", "0")
    *_, switching = entries_until(journal, "switching")
    message_id = switching.pop("MESSAGE_ID")
    assert len(message_id) == 32 and int(message_id, 16)
    assert switching == {"MESSAGE": "web: switching traffic blue -> green", "PRIORITY": "5",
                         "SYSLOG_IDENTIFIER": "bgswitch", "BGSWITCH_EVENT": "switching",
                         "BGSWITCH_SERVICE": "web", "BGSWITCH_COLOR": "green"}
    command.communicate()
    assert command.returncode == 0
    assert (agent.log == "") == stderr_is_journal


# ---- history

def test_history_is_kept_over_restarts(agent, bgs, labels, trail):
    agent.start(config())
    bgs("set", "green", "--soak", "0")
    agent.kill()
    agent.start()
    bgs("rollback", "--soak", "0")
    agent.stop()
    bgs("set", "green", "--no-wait")
    entries = json.loads(bgs("history", "-j"))
    assert [(e["operation"], e["from"], e["to"], e["outcome"]) for e in entries] == [
        ("set", "blue", "green", "complete"), ("rollback", "green", "blue", "complete"),
        ("set", "blue", "green", "complete")]
    assert all(e["user"] == "root" and e["duration_ms"] >= 0 for e in entries)
    assert entries == trail.history()


# ---- webhooks

class Hook:
    """A real HTTP server on the host that notes what is posted to it."""

    def __init__(self, namespace, port, refusals=0, refusal=503):
        hook = self
        self.posted, self.headers, self.refusals = [], [], refusals

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                refused = hook.refusals > 0
                hook.refusals -= refused
                if not refused:
                    hook.posted.append(json.loads(body))
                    hook.headers.append(self.headers)
                self.send_response(refusal if refused else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        with namespace.entered():
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def wait(self, kind):
        wait_for(lambda: kind in [event["event"] for event in self.posted], f"a post of {kind}")


@pytest.fixture
def hook(net):
    with contextlib.closing(Hook(net.host, 9999)) as served:
        yield served


def test_webhook_gets_every_event(agent, bgs, labels, trail, hook, tmp_path):
    token = tmp_path / "token"
    token.write_text("Bearer of-news\n")
    token.chmod(0o600)
    agent.start(config(webhooks=[{"url": "http://127.0.0.1:9999/hook",
                                  "headers": {"Authorization": {"file": str(token)}}}]))
    bgs("set", "green", "--soak", "10ms")
    hook.wait("completed")
    first = next(i for i, e in enumerate(trail.events()) if e == hook.posted[0])
    wanted = trail.events()[first:first + len(hook.posted)]
    assert hook.posted == wanted, "every one, once, in order"
    assert {headers["Authorization"] for headers in hook.headers} == {"Bearer of-news"}
    assert {headers["Content-Type"] for headers in hook.headers} == {"application/json"}
    assert "of-news" not in agent.log + bgs("status", "-j") + json.dumps(trail.state())


def test_webhook_that_refuses_is_tried_again(net, agent, bgs, labels, trail):
    with contextlib.closing(Hook(net.host, 9999, refusals=1)) as hook:
        agent.start(config(webhooks=[{"url": "http://127.0.0.1:9999/"}]))
        bgs("set", "green", "--soak", "0")
        hook.wait("switching")
        assert hook.refusals == 0


def test_lost_posts_are_told_once(net, agent, bgs, labels, trail):
    """A hook that is not there any more: an alarm, and figures in Ping; no post about itself."""
    with contextlib.closing(Hook(net.host, 9997, refusals=1000, refusal=410)):
        agent.start(config(webhooks=[{"url": "http://127.0.0.1:9997/token"}]))
        for color in ("green", "blue"):
            bgs("set", color, "--soak", "0")
        trail.wait_event("alarm", "410")
        told = [e["message"] for e in trail.events("alarm")]
        assert len(told) == 1 and "webhook 1" in told[0]
        assert "token" not in agent.log
        with varlink.Client(bgs.run_dir / "agent.sock") as client:
            figures, = client.call("Ping")["webhooks"]
        assert figures["failed"] >= 1 and figures["delivered"] == 0


def test_hook_that_hangs_delays_nothing(net, agent, bgs, labels, trail, hook, ask):
    """It accepts in the kernel and never answers; the other hook and cutovers go on."""
    hanging = net.host.socket()
    hanging.bind(("127.0.0.1", 9998))
    hanging.listen(64)
    agent.start(config(webhooks=[{"url": "http://127.0.0.1:9998/"},
                                 {"url": "http://127.0.0.1:9999/"}]))
    begin = time.monotonic()
    for color in ("green", "blue") * 5:
        bgs("set", color, "--soak", "0")
        assert ask() == color
    assert time.monotonic() - begin < 4
    wait_for(lambda: sum(e["event"] == "switching" for e in hook.posted) == 10, "ten posts")
    begin = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - begin < 3, "nor its end"
    hanging.close()
