"""A machine run by a real systemd: PID 1 of namespaces of its own, on a host's network."""
import json
import os
import pathlib
import subprocess

import cli
import sandbox

SYSTEMD = "/lib/systemd/systemd"
BOOT = pathlib.Path(__file__).with_name("machine.sh")
UNIT = "bgswitch.service"
# In here, the machine's own places: nothing of the test's environment goes along.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Machine:
    def __init__(self, host, cgroup, log):
        self.host, self.log = host, pathlib.Path(log)
        self.cgroup = f"{cgroup}/machine"
        os.mkdir(self.cgroup)
        # The cgroup namespace begins where its first process is.
        boot = ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh", self.cgroup,
                "unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--mount-proc",
                "--fork", "--kill-child", BOOT]
        with open(self.log, "wb") as output:
            self.process = host.popen(boot, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                                      stdout=output, stderr=output)
        self.init = None

    def wait_booted(self):
        """None, or why systemd does not run here."""
        def answers():
            if self.process.poll() is not None:
                return True
            self.init = self.find_init()
            return self.init and self.run("systemctl", "is-active", "machine.target").returncode == 0

        sandbox.wait_for(answers, "systemd to have started", 30)
        return None if self.process.poll() is None else self.log.read_text()

    def find_init(self):
        """PID 1, once it is systemd."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            for pid in children.read().split():
                if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(SYSTEMD):
                    return pid
        return None

    def run(self, *words, **options):
        """Whatever comes out of it: a CompletedProcess."""
        return self.host.run(["nsenter", "-t", self.init, "-m", "-p", "-n", "-u", "-i", "-C",
                              *words], env=ENVIRONMENT, **options)

    def __call__(self, *words, expect=0, **options):
        """Standard output, after the exit code was the expected one."""
        result = self.run(*words, **options)
        assert result.returncode == expect, (
            f"{words}: exit code {result.returncode}, expected {expect}\n{result.stdout}"
            f"{result.stderr}\n{self.run('journalctl', '--no-pager', '-n', '30').stdout}")
        return result.stdout

    def write(self, path, text, mode=0o600):
        """Under a name of the machine, with its directory."""
        self("sh", "-c", 'mkdir -p "${1%/*}" && umask 077 && cat >"$1" && chmod "$2" "$1"', "sh",
             path, f"{mode:o}", input=text)

    def configure(self, config):
        """YAML text, or what it stands for."""
        self.write("/etc/bgswitch/bgswitch.yaml",
                   config if isinstance(config, str) else json.dumps(config))

    def drop_in(self, **settings):
        """Settings of [Service] on top of the unit's."""
        lines = [f"{key}={value}" for key, value in settings.items()]
        self.write(f"/run/units/{UNIT}.d/test.conf", "\n".join(["[Service]", *lines, ""]), 0o644)
        self("systemctl", "daemon-reload")

    def show(self, name):
        """A property of bgswitch's unit."""
        return self("systemctl", "show", "--value", "-p", name, UNIT).strip()

    @property
    def pid(self):
        """As the test sees it; None: it does not run."""
        for name in pathlib.Path(self.cgroup).glob(f"system.slice/{UNIT}/cgroup.procs"):
            for pid in sandbox.members(name.parent):
                if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "bgswitch":
                    return pid
        return None

    def status(self):
        return json.loads(self("bgswitch", "status", "-j"))

    def service(self):
        return self.status()["services"][0]

    def wait_restarted(self, count):
        sandbox.wait_for(lambda: (self.show("NRestarts"), self.show("ActiveState")) ==
                         (str(count), "active"), f"restart {count} of {UNIT}", 30)

    def journal(self, *matches):
        """Entries, the oldest first, as dictionaries."""
        self("journalctl", "--sync")
        lines = self("journalctl", "-o", "json", "--no-pager", *matches).splitlines()
        return [json.loads(line) for line in lines]

    def install(self):
        self("make", "-C", cli.REPOSITORY, "install", "PREFIX=/usr", "DESTDIR=")
        with open(cli.BINARY, "rb") as binary:  # of the tests; its place cannot be seen inside
            self("cp", "/dev/stdin", "/usr/sbin/bgswitch", stdin=binary)
        self("systemctl", "daemon-reload")

    def close(self):
        """PID 1's end is that of all of them."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        directories = [path for path, _, _ in os.walk(self.cgroup, topdown=False)]
        for path in directories:
            sandbox.wait_for(lambda: not sandbox.living(path), f"{path} to be empty")
            sandbox.wait_for(lambda: removed(path), f"{path} to be removed")


def removed(path):
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True
