"""`events` and `history`: what was recorded, without root and without an agent."""
import json
import os
import signal
import tempfile

import pytest

from cli import DONE, FAILED, USAGE

NOBODY = 65534


def event(minute, text, service="web", kind="switching"):
    return {"time": f"2026-02-18T10:{minute:02}:00.000Z", "event": kind, "service": service,
            "color": "green", "message": text}


def change(service, outcome, **more):
    return {"time": "2026-02-18T10:28:20.123Z", "duration_ms": 61500, "service": service,
            "operation": "set", "from": "blue", "to": "green", "uid": 0, "user": "root",
            "outcome": outcome, "reason": None, **more}


EVENTS = [event(minute, f"number {minute}") for minute in range(5)]
CHANGES = [change("web", "complete"),
           change("api", "rolled-back", user=None, uid=None, duration_ms=40,
                  reason="status \x1b[31m500"),
           change("web", "refused", user=None, uid=4242)]


def lines(*texts):
    return [f"[2026-02-18 10:{minute:02}:00] {text}" for minute, text in texts]


def append(path, *objects):
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(json.dumps(each) + "\n" for each in objects)


@pytest.fixture
def recorded(bgs):
    """bgswitch with records of an earlier time, in UTC."""
    bgs.state_dir.mkdir()
    bgs.environment.update(TZ="UTC")
    append(bgs.state_dir / "events.jsonl", *EVENTS)
    append(bgs.state_dir / "history.jsonl", *CHANGES)
    return bgs


def test_events_are_shown_as_lines_or_json(recorded):
    everything = lines(*((minute, f"web: number {minute}") for minute in range(5)))
    assert recorded("events").splitlines() == everything
    assert recorded("events", "-n", "2").splitlines() == everything[-2:]
    assert recorded("events", "-n9").splitlines() == everything
    assert [json.loads(line) for line in recorded("events", "-jn1").splitlines()] == EVENTS[-1:]


def test_older_file_comes_first_and_torn_lines_are_skipped(recorded):
    append(recorded.state_dir / "events.jsonl.1", event(59, "before", service=None))
    with open(recorded.state_dir / "events.jsonl", "a", encoding="utf-8") as file:
        file.write('{"time": "2026-02-18T10')
    shown = recorded("events").splitlines()
    assert shown[0] == "[2026-02-18 10:59:00] bgswitch: before"
    assert len(shown) == 6


def test_events_are_followed_until_a_signal(recorded):
    process = recorded.start("events", "-f", "-n", "1")
    assert process.stdout.readline().endswith("web: number 4\n")
    append(recorded.state_dir / "events.jsonl", event(5, "number 5"))
    assert process.stdout.readline().endswith("web: number 5\n")
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == DONE
    assert process.stdout.read() == "" and process.stderr.read() == ""


def test_follower_ends_with_its_reader(recorded):
    process = recorded.start("events", "-f", "-n", "1")
    assert process.stdout.readline().endswith("web: number 4\n")
    process.stdout.close()
    assert process.wait(15) == DONE
    assert process.stderr.read() == ""


def test_history_is_a_table_without_what_terminals_obey(recorded):
    table = [" ".join(line.split()) for line in recorded("history").splitlines()]
    assert table == ["TIME SERVICE WHAT FROM TO BY TOOK OUTCOME REASON",
                     "2026-02-18 10:28:20 web set blue green root 61.5s complete -",
                     "2026-02-18 10:28:20 api set blue green agent 40ms rolled-back status ?[31m500",
                     "2026-02-18 10:28:20 web set blue green 4242 61.5s refused -"]


def test_history_of_one_service_and_its_end(recorded):
    assert json.loads(recorded("history", "-j")) == CHANGES
    assert json.loads(recorded("history", "-j", "web")) == [CHANGES[0], CHANGES[2]]
    assert json.loads(recorded("history", "-j", "-n", "1")) == CHANGES[2:]
    assert json.loads(recorded("history", "-j", "nobody")) == []


def test_each_namespace_has_its_own_records_and_is_not_entered(recorded):
    append(recorded.state_dir / "events@red.jsonl", event(9, "red"))
    assert recorded("--netns", "red", "events").splitlines() == lines((9, "web: red"))


def test_file_modes_decide_who_reads(recorded):
    reader = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    with tempfile.TemporaryDirectory() as directory:
        file = f"{directory}/events.jsonl"
        os.chmod(directory, 0o755)
        append(file, *EVENTS)
        os.chmod(file, 0o640)
        result = recorded.run("--state-dir", directory, "events", **reader)
        assert result.returncode == FAILED
        assert file in result.stderr and "group" in result.stderr
        os.chown(file, 0, NOBODY)
        assert len(recorded("--state-dir", directory, "events", **reader).splitlines()) == 5


@pytest.mark.parametrize("words, code, named", [
    (("events", "-n", "0"), USAGE, "'0'"),
    (("events", "-n", "many"), USAGE, "'many'"),
    (("events", "-n"), USAGE, "-n"),
    (("events", "web"), USAGE, "web"),
    (("history", "web", "api"), USAGE, "api"),
    (("history", "-n", "-1"), USAGE, "'-1'"),
    (("--state-dir", "", "events"), USAGE, "--state-dir"),
    (("--netns", "../x", "history"), USAGE, "../x"),
    (("--state-dir", "/no/such", "events", "-f"), FAILED, "/no/such"),
])
def test_wrong_words_are_named(recorded, words, code, named):
    result = recorded.run(*words)
    assert result.returncode == code
    assert named in result.stderr and result.stdout == ""


@pytest.mark.parametrize("command", ["events", "history"])
def test_nothing_recorded_is_no_failure(recorded, command):
    assert recorded("--state-dir", "/no/such", command) == ""
