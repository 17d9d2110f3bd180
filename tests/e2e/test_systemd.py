"""The unit as it is installed, run by a real systemd with its journal."""
import os
import re
import signal

import pytest

import cli
import conftest
import machine as machines
from sandbox import wait_for

CHECK = {"path": "/", "interval": "100ms", "fast_interval": "50ms", "timeout": "1s", "fall": 2}
TOKEN = "a-token-that-nobody-reads"


def config(check=None, **service):
    return {"attach": ["eth0"],
            "services": {"web": {"listen": ":80", "blue": "127.0.0.1:8081",
                                 "green": "127.0.0.1:8082", "soak": "1s",
                                 "check": {**CHECK, **(check or {})}, **service}}}


@pytest.fixture
def machine(net, tmp_path):
    if not os.path.exists(machines.SYSTEMD):
        pytest.skip(f"{machines.SYSTEMD} is not there: package systemd")
    booted = machines.Machine(net.host, conftest.cgroup.path, tmp_path / "machine.log")
    try:
        why_not = booted.wait_booted()
        if why_not is not None:
            pytest.skip(f"systemd does not start here: {why_not.strip()}")
        booted.install()
        yield booted
    finally:
        booted.close()


@pytest.fixture
def running(machine, labels):
    machine.configure(config())
    machine("systemctl", "start", "bgswitch")
    return machine


def test_start_returns_after_the_first_checks(machine, misbehave):
    servers = [misbehave("blue", 8081), misbehave("green", 8082)]
    machine.configure(config())
    machine("systemctl", "start", "bgswitch")
    assert all(server.requests for server in servers)
    health = [machine.service()["colors"][color]["instances"][0]["last_check"]["ok"]
              for color in ("blue", "green")]
    assert health == [True, True]
    wait_for(lambda: machine.show("StatusText").startswith("1 services, 1 with a healthy active"),
             "the STATUS line")
    assert 'Status: "1 services, 1 with' in machine("systemctl", "status", "bgswitch")


def test_directories_are_as_the_agent_wants_them(running):
    modes = running("stat", "-c", "%n %U %a", "/run/bgswitch", "/run/bgswitch/lock",
                    "/var/lib/bgswitch", "/var/lib/bgswitch/state.json", "/etc/bgswitch")
    assert modes.splitlines() == ["/run/bgswitch root 755", "/run/bgswitch/lock root 600",
                                  "/var/lib/bgswitch root 755",
                                  "/var/lib/bgswitch/state.json root 600",
                                  "/etc/bgswitch root 755"]


def test_reload(running, ask):
    """A changed file takes effect; one with a mistake changes nothing."""
    pid = running.pid
    running.configure(config(green="127.0.0.1:8083"))
    running("systemctl", "reload", "bgswitch")
    wait_for(lambda: [instance["address"] for instance in
                      running.service()["colors"]["green"]["instances"]] == ["127.0.0.1:8083"],
             "the other instance")
    before = cli.dump("services")
    running.configure("services: 7")
    running("systemctl", "reload", "bgswitch")
    wait_for(lambda: any("bgswitch.yaml:1:" in entry["MESSAGE"] for entry in running.journal()),
             "the mistake in the journal")
    assert cli.dump("services") == before
    assert running.show("ActiveState") == "active" and running.pid == pid
    assert ask() == "blue"


def test_killed_is_started_again(running, ask):
    running("bgswitch", "set", "green", "--soak", "0")
    before = running.pid
    os.kill(before, signal.SIGKILL)
    assert ask() == "green"
    running.wait_restarted(1)
    assert running.pid != before and running.service()["active"] == "green"
    assert ask() == "green"


def test_hung_is_ended_by_the_watchdog(running, ask):
    running.drop_in(WatchdogSec="1s")
    running("systemctl", "restart", "bgswitch")
    before = running.pid
    os.kill(before, signal.SIGSTOP)
    running.wait_restarted(1)
    assert running.pid != before and ask() == "blue"
    assert any("Watchdog timeout" in entry["MESSAGE"] for entry in running.journal())


def test_stop_leaves_traffic(running, ask):
    running("bgswitch", "set", "green", "--soak", "0")
    running("systemctl", "stop", "bgswitch")
    assert running.show("Result") == "success" and running.pid is None
    assert ask() == "green"
    # The lock outlives it: a command without an agent works at once.
    running("test", "-e", "/run/bgswitch/lock")
    running("bgswitch", "set", "blue", "--soak", "0")
    assert ask() == "blue"
    running("systemctl", "start", "bgswitch")
    assert running.service()["active"] == "blue" and ask() == "blue"


def test_credential_reaches_a_check(machine, misbehave):
    servers = [misbehave("blue", 8081), misbehave("green", 8082)]
    machine.write("/etc/bgswitch/token", TOKEN)
    machine.drop_in(LoadCredential="check-token:/etc/bgswitch/token")
    machine.configure(config({"headers": {"Authorization": {"credential": "check-token"}}}))
    machine("systemctl", "start", "bgswitch")
    for server in servers:
        assert re.search(f"^Authorization: {TOKEN}\r$", server.requests[0], re.M | re.I)
    for words in (["bgswitch", "status", "-j"], ["bgswitch", "check", "web", "-j"],
                  ["systemctl", "status", "bgswitch"], ["journalctl", "--no-pager"]):
        assert TOKEN not in machine(*words)


def test_https_check(machine, misbehave, certificates):
    for color, port in (("blue", 8081), ("green", 8082)):
        misbehave(color, port, certificates=certificates)
    machine.write("/etc/bgswitch/ca.pem", (certificates / "ca.pem").read_text())
    machine.configure(config({"type": "https", "host": "web.test",
                              "tls": {"ca": "/etc/bgswitch/ca.pem"}}))
    machine("systemctl", "start", "bgswitch")
    check = machine.service()["colors"]["blue"]["instances"][0]["last_check"]
    assert check["ok"] and check["status"] == 200, check


def test_command_check(machine, labels):
    """A child of the agent may become another user."""
    other = "test $(setpriv --reuid 65534 --clear-groups id -u) = 65534"
    document = config()
    document["services"]["web"]["check"] = {"command": ["/bin/sh", "-c", other],
                                            "interval": "200ms"}
    machine.configure(document)
    machine("systemctl", "start", "bgswitch")
    last = machine.service()["colors"]["blue"]["instances"][0]["last_check"]
    assert last["ok"], last


def test_journal_has_the_fields(running):
    running("bgswitch", "set", "green", "--soak", "0")
    entries = running.journal("BGSWITCH_SERVICE=web", "_SYSTEMD_UNIT=bgswitch.service")
    assert entries
    switched = [entry for entry in entries if entry["BGSWITCH_EVENT"] == "switching"]
    assert switched and switched[-1]["BGSWITCH_COLOR"] == "green", entries
    assert all(re.fullmatch("[0-9a-f]{32}", entry["MESSAGE_ID"]) for entry in entries)
