"""SIGKILL to the agent at random moments, under load and cutovers: nobody notices."""
import collections
import contextlib
import os
import random
import threading
import time

import pytest

from cli import BUSY, CUT, DONE, REFUSED
from host import HOST4, HOST6
from sandbox import wait_for
from trail import UNREACHABLE, Trail
from varlink import Client

pytestmark = pytest.mark.alone

KILLS = int(os.environ.get("BGSWITCH_KILLS", "120"))
SEED = int(os.environ.get("BGSWITCH_SEED", "20260218"))
STREAMS = [("new", HOST4), ("new", HOST6), ("keep", HOST4), ("keep", HOST6)]
COLORS = ("blue", "green")

CONFIG = {
    "attach": ["eth0"],
    "services": {"default": {
        "listen": ":80", "blue": ":8081", "green": ":8082", "soak": "100ms",
        "drain": {"timeout": "300ms", "at_deadline": "keep"},
        "check": {"path": "/", "interval": "50ms", "fast_interval": "10ms", "timeout": "1s"},
    }},
}

# What is asked for, and where new connections may go when it was done.
COMMANDS = [
    (4, lambda color: ("set", color, "--no-wait"), lambda color: {color}),
    (2, lambda color: ("set", color, "--soak", "40ms"), lambda color: {color}),
    (2, lambda color: ("set", color, "--force", "--no-wait"), lambda color: {color}),
    (1, lambda color: ("rollback", "--no-wait"), lambda color: set(COLORS)),
    (1, lambda color: ("abort",), lambda color: set(COLORS)),
    (1, lambda color: ("promote",), None),
]
# There may be nothing to end or to go back to; a gate without an agent may find nothing healthy.
HARMLESS = {"set": {REFUSED, BUSY}, "rollback": {1, REFUSED, BUSY}, "abort": {1, BUSY},
            "promote": {1, BUSY}}


class Setter:
    """A thread that switches back and forth, and knows where traffic may be by now."""

    def __init__(self, bgs, chance):
        self.bgs, self.chance = bgs, chance
        self.possible = {"blue"}
        self.codes = collections.Counter()
        self.wrong = []
        self.recent = collections.deque(maxlen=12)
        self.begun = threading.Event()
        self.gate, self.busy = threading.Lock(), threading.Lock()
        self.ended = False
        self.thread = threading.Thread(target=self.loop)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()

    def loop(self):
        weights = [weight for weight, _, _ in COMMANDS]
        number = 0
        while not self.ended:
            with self.gate:  # whoever looks at the result goes first
                pass
            with self.busy:
                number += 1
                _, words, after = self.chance.choices(COMMANDS, weights)[0]
                self.command(words(COLORS[number % 2]), after, COLORS[number % 2])

    def command(self, words, after, color):
        self.begun.set()
        result = self.bgs.run(*words)
        self.codes[words[0], result.returncode] += 1
        self.recent.append((time.time(), " ".join(words), result.returncode, result.stderr.strip()))
        changed = after(color) if after else self.possible
        if result.returncode in (DONE, CUT):  # CUT: connections were left at the deadline
            self.possible = changed
        elif result.returncode == UNREACHABLE:
            self.possible = self.possible | changed
        elif result.returncode not in HARMLESS[words[0]]:
            self.wrong.append((words, result.returncode, result.stderr))

    @contextlib.contextmanager
    def quiet(self):
        """Between two of its commands; the next one waits."""
        with self.gate, self.busy:
            yield


class Moments:
    """When to kill: the moment is the experiment, so these do sleep."""

    def __init__(self, agent, setter, chance, start_seconds):
        self.agent, self.setter, self.chance = agent, setter, chance
        self.start_seconds = start_seconds

    def in_start(self):
        time.sleep(self.chance.uniform(0, 1.2 * self.start_seconds))

    def in_command(self):
        """Gate, record, flip, record, answer."""
        self.agent.wait_ready()
        self.setter.begun.clear()
        assert self.setter.begun.wait(20)
        time.sleep(self.chance.uniform(0, 0.02))

    def in_soak(self):
        self.agent.wait_ready()
        time.sleep(self.chance.uniform(0, 0.15))

    def wait(self):
        self.chance.choices((self.in_start, self.in_command, self.in_soak), (3, 4, 1))[0]()


def seconds_to_start(agent):
    def once():
        begin = time.monotonic()
        agent.start()
        seconds = time.monotonic() - begin
        agent.kill()
        return seconds

    return min(once() for _ in range(3))


def assert_consistent(bgs, trail, setter, ask):
    """With no agent and no command: files whole, the active color known and in use."""
    trail.state()
    active = bgs.service()["active"]
    assert active in setter.possible, (
        f"{active} is active, expected {setter.possible}\n" +
        "\n".join(map(str, [*setter.recent, *trail.events()[-12:], *trail.history()[-6:]])))
    assert ask() == active
    setter.possible = {active}


def assert_over(bgs, agent, trail):
    """An agent that is left alone finishes what it finds, and everything can be done again."""
    agent.start()
    wait_for(lambda: not trail.operations(), "the last operation to end")
    with Client(bgs.run_dir / "agent.sock") as client:
        assert client.call("Ping")["pid"] == agent.pid
    for color in ("green", "blue"):
        assert bgs.run("set", color, "--soak", "0").returncode in (DONE, CUT)
        assert bgs.service()["active"] == color
    assert agent.stop() == DONE
    bgs("set", "green", "--no-wait")


def outcomes_of(trail):
    """How many ended how. Nothing failed, so nothing may have been done about a failure."""
    outcomes = collections.Counter(entry["outcome"] for entry in trail.history())
    assert set(outcomes) <= {"complete", "connections-kept", "undone", "superseded", "aborted",
                             "refused"}
    for kind in ("rolled-back", "failover", "alarm"):
        assert not trail.events(kind)
    return dict(outcomes)


def test_agent_killed_at_random_moments(bgs, agent, serve, loads, ask):
    serve.nginx("blue", 8081)
    serve.nginx("green", 8082)
    chance = random.Random(SEED)
    agent.configure(CONFIG)
    start_seconds = seconds_to_start(agent)
    trail = Trail(bgs)
    flips_before = len(trail.events("switching"))
    begin = time.monotonic()
    with loads(*STREAMS) as running:
        with Setter(bgs, random.Random(SEED + 1)) as setter:
            moments = Moments(agent, setter, chance, start_seconds)
            for _ in range(KILLS):
                agent.start(ready=False)
                moments.wait()
                agent.kill()
                with setter.quiet():
                    assert_consistent(bgs, trail, setter, ask)
        assert_over(bgs, agent, trail)
    seconds = time.monotonic() - begin
    assert not setter.wrong, setter.wrong[:3]
    running.assert_no_failure()
    outcomes = outcomes_of(trail)
    interrupted = [event["message"] for event in trail.events("interrupted")]
    undone = sum("before the flip" in text for text in interrupted)
    resumed = sum("soak goes on" in text for text in interrupted)
    assert resumed, "no kill came within a soak"
    print(f"{KILLS} kills in {seconds:.0f} s, start {1000 * start_seconds:.0f} ms; "
          f"{len(trail.events('switching')) - flips_before} flips; "
          f"{len(interrupted)} cutovers interrupted ({undone} before the flip, {resumed} "
          f"resumed); history {outcomes}; commands {dict(setter.codes)}; "
          f"{len(running.connections())} connections, {running.requests()} requests, 0 failed")
