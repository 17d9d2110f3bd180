"""Whoever waits for a switch sees how it goes, with and without an agent."""
import pytest

from sandbox import wait_for


@pytest.fixture(params=["agent", "no agent"])
def with_or_without(request, attached, labels):
    if request.param == "agent":
        attached.start("agent")
        wait_for(lambda: attached.service()["colors"]["green"]["health"] == "healthy",
                 "the agent to find green healthy")
    return attached


def test_events_are_shown_as_they_come(with_or_without):
    result = with_or_without.run("set", "green", "--soak", "100ms")
    assert result.returncode == 0
    lines = [line.partition("] ")[2] for line in result.stderr.splitlines() if line[0] == "["]
    assert lines[:3] == ["default: checking green", "default: switching traffic blue -> green",
                         "default: watching green for 100ms"]
    assert "default: blue is safe to stop: no handshake, nothing queued, no connection" in lines
    assert lines[-1].startswith("default: green has the new connections")


def test_quiet_shows_none(with_or_without):
    assert with_or_without.run("-q", "set", "green", "--soak", "100ms").stderr == ""
