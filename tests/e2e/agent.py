"""bgswitch's daemon on the host, as a service manager sees it: notified, reloaded, stopped."""
import json
import os
import pathlib
import signal
import subprocess
import time

import manager
from sandbox import wait_for

PATIENCE = 20  # seconds; what takes longer will not come

# Checks that find things out quickly.
QUICK = {"interval": "100ms", "fast_interval": "50ms", "timeout": "250ms", "rise": 2, "fall": 3}


def web(check=None, plain_tcp=False, command=None, no_check=False, **service):
    """A configuration of one service, :80, with quick checks: of HTTP, unless said otherwise."""
    if no_check:
        check = {"type": "none"}
    elif command:
        check = {**QUICK, "command": command, **(check or {})}
    elif plain_tcp:
        check = {**QUICK, **(check or {})}
    else:
        check = {**QUICK, "path": "/", **(check or {})}
    service = {"listen": ":80", "blue": "127.0.0.1:8081", "green": "127.0.0.1:8082",
               "check": check, "soak": "1s", **service}
    return {"attach": ["eth0"], "services": {"web": service}}


class Agent:
    """One at a time. It works on the pins of `bgs` and answers its commands."""

    def __init__(self, bgs, directory):
        self.bgs = bgs
        self.directory = pathlib.Path(directory)
        self.config = self.directory / "bgswitch.yaml"
        self.log_path = self.directory / "agent.log"
        self.notify_path = self.directory / "notify"
        self.process = self.manager = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        """Everything that agents of this test have written so far."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def configure(self, config):
        """YAML text, or what it stands for (YAML reads JSON)."""
        self.config.write_text(config if isinstance(config, str) else json.dumps(config))

    def start(self, config=None, ready=True, **environment):
        """With a new configuration, else the one before, else none; waits for its first checks."""
        if config is not None:
            self.configure(config)
        words = ["agent", "-c", self.config] if self.config.exists() else ["agent"]
        self.listen()
        with open(self.log_path, "ab") as log:
            self.process = self.bgs.start(
                *words, stdout=log, stderr=log,
                env={**self.bgs.environment, "NOTIFY_SOCKET": str(self.notify_path),
                     **environment})
        if ready:
            self.wait_ready()
        return self

    def listen(self):
        if self.manager:
            self.manager.close()
        self.manager = manager.Manager(self.notify_path)

    def wait_notified(self, line, seconds=PATIENCE):
        """Until it tells its service manager this."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.manager.wait(line, 0.1):
                return
            assert self.process.poll() is None, f"the agent ended:\n{self.log}"
        raise AssertionError(f"waited {seconds} s in vain for {line}:\n{self.log}")

    def wait_ready(self):
        self.wait_notified("READY=1")

    def reload(self, config=None):
        """SIGHUP, with a new configuration if there is one; returns when it is done."""
        if config is not None:
            self.configure(config)
        self.process.send_signal(signal.SIGHUP)
        self.wait_notified("RELOADING=1")
        self.wait_ready()

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.end()

    def kill(self):
        """SIGKILL."""
        self.process.kill()
        return self.end()

    def end(self):
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def close(self):
        """At the end of a test, whatever it did."""
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.manager:
            self.manager.close()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Health:
    """Looks at what `status` says of health; service None: the only one."""

    def __init__(self, bgs, service=None):
        self.bgs, self.name = bgs, service

    def service(self):
        """None: there is none yet."""
        services = self.bgs.status()["services"]
        return next((s for s in services if self.name in (None, s["name"])), None)

    def color(self, color):
        return self.service()["colors"][color]["health"]

    def instances(self, color):
        return self.service()["colors"][color]["instances"]

    def wait(self, condition, what, seconds=PATIENCE):
        """Until condition(service) holds; returns the service as it is then."""
        last = None

        def holds():
            nonlocal last
            last = self.service()
            return last and condition(last)

        try:
            wait_for(holds, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(last, indent=1)}") from None
        return last

    def wait_color(self, color, health, seconds=PATIENCE):
        return self.wait(lambda s: s["colors"][color]["health"] == health,
                         f"{color} to be {health}", seconds)

    def wait_instance(self, color, place, health, seconds=PATIENCE):
        service = self.wait(lambda s: s["colors"][color]["instances"][place]["health"] == health,
                            f"instance {place} of {color} to be {health}", seconds)
        return service["colors"][color]["instances"][place]

    def wait_state(self, state, seconds=PATIENCE):
        return self.wait(lambda s: s["state"] == state, f"the service to be {state}", seconds)


def events(bgs, kind=None):
    """What `events` shows, oldest first, as dictionaries."""
    lines = [json.loads(line) for line in bgs("events", "-j", "-n", "1000").splitlines()]
    return [line for line in lines if kind in (None, line["event"])]


def history(bgs):
    """What `history` shows, oldest first, as dictionaries."""
    return json.loads(bgs("history", "-j"))


def interrupted(process):
    """SIGINT; exit code and standard error of a command that waited."""
    process.send_signal(signal.SIGINT)
    try:
        _, stderr = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, stderr
