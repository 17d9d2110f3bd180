"""`bgswitch check`: probes now and explains; and secrets that are used and never shown."""
import json
import os
import pathlib
import re

import pytest

import cli
from agent import Health, events, web
from cli import DONE, FAILED, REFUSED, USAGE

SECRET = "Bearer xyzzy-4711-plugh"
HERE = {"agent": [], "here": ["--here"], "alone": []}


@pytest.fixture(params=HERE)
def check(request, bgs, agent):
    """check(*words): by the agent, beside it, or where there is none."""
    def run(*words, config=None, expect=DONE, **environment):
        if config:
            agent.configure(config)
            if request.param == "alone":
                bgs("apply", agent.config)
            else:
                agent.start(**environment)
        result = bgs.run("check", *words, *HERE[request.param],
                         env={**bgs.environment, **environment})
        assert result.returncode == expect, (result.stdout, result.stderr)
        return result

    return run


@pytest.fixture
def both(misbehave):
    return misbehave("blue", 8081), misbehave("green", 8082)


def test_all_is_well(check, both):
    text = check(config=web()).stdout
    assert text.startswith("web, blue is active\n")
    assert re.search(r"through 127\.0\.0\.1:80: steered as the map says", text)
    for color, port in ("blue", 8081), ("green", 8082):
        assert f"  {color}: healthy\n" in text
        assert re.search(rf"127\.0\.0\.1:{port} +good, status 200, [0-9.]+ ms, "
                         rf"GET / to 127\.0\.0\.1:{port}\n", text)


def test_json(check, both):
    [service] = json.loads(check("-j", config=web()).stdout)
    assert set(service) == {"service", "active", "service_check", "colors"}
    assert (service["service"], service["active"]) == ("web", "blue")
    assert service["service_check"]["ok"] and service["service_check"]["reached"] == "blue"
    for color in "blue", "green":
        assert service["colors"][color]["health"] == "healthy"
        [instance] = service["colors"][color]["instances"]
        assert set(instance) == {"address", "ok", "status", "ms", "sent", "error", "body"}
        assert (instance["ok"], instance["status"], instance["error"]) == (True, 200, None)
        assert instance["body"].startswith(color)


def test_only_one_color(check, both):
    blue, green = both
    [service] = json.loads(check("green", "-j", config=web()).stdout)
    assert list(service["colors"]) == ["green"]
    [service] = json.loads(check("web", "blue", "-j").stdout)
    assert list(service["colors"]) == ["blue"]


def test_a_bad_standby_is_shown_and_fails_only_by_name(check, both):
    """Without a color it is about what clients get."""
    both[1].turn("error")
    text = check(config=web()).stdout
    assert "  green: unhealthy\n" in text and "status 500, expected 200-299" in text
    assert "answer: 'green: the database is away" in text
    result = check("green", expect=REFUSED)
    assert "web: green is unhealthy" in result.stderr and "FAILED" in result.stdout


def test_a_bad_active_color_fails(check, both):
    both[0].turn("hang")
    result = check("-j", config=web(failover="off"), expect=REFUSED)
    [service] = json.loads(result.stdout)
    [instance] = service["colors"]["blue"]["instances"]
    assert "no answer within 250ms" in instance["error"] and instance["ok"] is False
    assert "bgswitch events" in result.stderr


@pytest.mark.parametrize("words", [["nothing"], ["web", "red"], ["web", "blue", "green"]])
def test_wrong_words(check, both, words):
    assert check(*words, config=web(), expect=USAGE).stderr


# ---- secrets

def in_file(path, mode=0o600):
    path.write_text(f"{SECRET}\n")
    path.chmod(mode)
    return path


SOURCES = {
    "file": lambda place: ({"file": str(in_file(place / "token"))}, {}),
    "environment": lambda place: ({"env": "HEALTH_TOKEN"}, {"HEALTH_TOKEN": SECRET}),
    "credential": lambda place: ({"credential": in_file(place / "token", 0o440).name},
                                 {"CREDENTIALS_DIRECTORY": str(place)}),
}


def with_header(value, **check):
    return web({"headers": {"Authorization": value}, **check}, failover="off")


def everything_shown(bgs, agent):
    """All that somebody could read of it: output, files, the command line."""
    shown = [bgs("status", "-j"), bgs("status"), bgs("events", "-j"), bgs("history", "-j"),
             agent.log, pathlib.Path(f"/proc/{agent.pid}/cmdline").read_text()]
    for directory in bgs.state_dir, bgs.run_dir:
        shown += [path.read_text(errors="replace") for path in directory.iterdir()
                  if path.is_file()]
    return "\n".join(shown)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("source", SOURCES)
def test_secrets_are_used_and_never_shown(bgs, agent, misbehave, certificates, tmp_path, source,
                                          tls):
    place = tmp_path / "secrets"
    place.mkdir()
    value, environment = SOURCES[source](place)
    options = {"certificates": certificates} if tls else {}
    blue, green = (misbehave(*each, **options) for each in (("blue", 8081), ("green", 8082)))
    more = {"tls": {"ca": str(certificates / "ca.pem"), "server_name": "web.test"}} if tls else {}
    health = Health(bgs)
    agent.start(with_header(value, **more), **environment)
    assert health.color("blue") == health.color("green") == "healthy"
    assert all(f"Authorization: {SECRET}\r\n" in server.requests[0] for server in (blue, green))
    green.turn("error")
    health.wait_color("green", "unhealthy")
    said = [bgs.run(*words, env={**bgs.environment, **environment}) for words in (
        ["set", "green"], ["check"], ["check", "--here", "-j"], ["check", "green", "-j"])]
    assert said[0].returncode == REFUSED
    shown = everything_shown(bgs, agent) + "".join(r.stdout + r.stderr for r in said)
    assert "status 500" in shown  # it is the right place to look
    assert "xyzzy" not in shown and "Bearer" not in shown


def test_a_secret_of_a_command_is_read_by_it_alone(bgs, agent, both, tmp_path):
    """Not on the command line of a check either: `ps` shows what the file says."""
    agent.start(web(command=["/bin/sh", "-c", "cat /proc/$$/cmdline >>" + str(tmp_path / "seen")]),
                HEALTH_TOKEN=SECRET)
    Health(bgs).wait_color("green", "healthy")
    assert "xyzzy" not in (tmp_path / "seen").read_text()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_file_that_others_may_read_is_refused(bgs, agent, both, tmp_path, mode):
    """By name, and nothing runs with it."""
    token = in_file(tmp_path / "token", mode)
    agent.configure(with_header({"file": str(token)}))
    for words in ["apply", str(agent.config)], ["agent", "-c", str(agent.config)]:
        result = bgs.run(*words)
        assert result.returncode == USAGE, (words, result)
        assert f"{token} can be read or changed by others than its owner (mode {mode:04o})" in (
            result.stderr)
        assert "services.web.check.headers.Authorization: " in result.stderr
        assert "chmod 600" in result.stderr
        assert "xyzzy" not in result.stderr
    assert not os.path.exists(cli.PINS / "services")  # nothing was begun


def test_a_file_that_becomes_readable_is_refused_at_the_next_reload(bgs, agent, both, tmp_path):
    token = in_file(tmp_path / "token")
    agent.start(with_header({"file": str(token)}))
    token.chmod(0o644)
    agent.reload()
    refused = events(bgs, "config-refused")
    assert len(refused) == 1 and f"{token} can be read" in refused[0]["message"]
    assert Health(bgs).color("blue") == "healthy"  # what ran before runs on


@pytest.mark.parametrize("value, code, words", [
    ({"env": "NO_SUCH_TOKEN"}, USAGE, "environment variable NO_SUCH_TOKEN is not set"),
    ({"credential": "token"}, USAGE, "$CREDENTIALS_DIRECTORY is not set"),
    ({"file": "/nonexistent/token"}, FAILED, "cannot open /nonexistent/token: No such file"),
    (SECRET, USAGE, "Authorization"),
], ids=["env", "credential", "file", "written-out"])
def test_a_secret_that_cannot_be_had(bgs, agent, both, value, code, words):
    agent.configure(with_header(value))
    result = bgs.run("agent", "-c", str(agent.config))
    assert result.returncode == code and words in result.stderr
    assert "xyzzy" not in result.stderr
    assert not os.path.exists(cli.PINS / "services")


# ---- the switch itself

def test_service_check_follows_the_flips(bgs, agent, both):
    health = Health(bgs)
    agent.start(web(listen="0.0.0.0:80"))
    found = health.wait(lambda s: s["service_check"], "a service check")["service_check"]
    assert (found["ok"], found["expected"], found["reached"]) == (True, "blue", "blue")
    assert found["address"] == "127.0.0.1:80" and found["error"] is None
    bgs("set", "green", "--soak", "0")
    found = health.wait(lambda s: s["service_check"]["reached"] == "green",
                        "the check after the flip")["service_check"]
    assert found["ok"] and not events(bgs, "service-check")


def test_service_check_sees_a_switch_that_is_gone(bgs, agent, both, misbehave, ask):
    """The maps say all is well; what a connection meets is what counts."""
    misbehave("neither", 80, address="0.0.0.0")
    health = Health(bgs)
    agent.start(web(listen="0.0.0.0:80"))
    health.wait(lambda s: s["service_check"] and s["service_check"]["ok"], "a good service check")
    cli.bpftool("link", "detach", "pinned", cli.PINS / "steer_link")
    assert ask() == "neither"
    bgs("set", "green", "--soak", "0")
    found = health.wait(lambda s: not s["service_check"]["ok"], "a bad one")["service_check"]
    assert found["error"] and found["error"] in events(bgs, "service-check")[-1]["message"]
