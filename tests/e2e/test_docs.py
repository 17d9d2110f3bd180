"""What README and docs tell people to type does what they say."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

import cli

DOCUMENTS = [cli.REPOSITORY / "README.md", *sorted((cli.REPOSITORY / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?P<before>[^\n]*)\n+```(?P<kind>\w*)\n(?P<text>.*?)```\n", re.DOTALL)
KINDS = {"sh", "console", "yaml", "json", "python", "text", "ini"}


def blocks(document, *kinds):
    found = [match.groupdict() for match in BLOCK.finditer(document.read_text())]
    return [block for block in found if not kinds or block["kind"] in kinds]


def every_block(kind):
    return [pytest.param(block["text"], id=f"{document.name}-{number}")
            for document in DOCUMENTS for number, block in enumerate(blocks(document, kind))]


def help_text(*words):
    return subprocess.run([cli.BINARY, "help", *words], capture_output=True, text=True,
                          check=True).stdout


def commands():
    listing = help_text().partition("Commands")[2].partition("\n\n")[0]
    return re.findall(r"^  (\w+)", listing, re.MULTILINE)


class Shell:
    """A person at a terminal of the host, as root, in a directory of their own."""

    def __init__(self, bgs, directory):
        self.namespace, self.directory = bgs.namespace, pathlib.Path(directory)
        programs = self.directory / ".bin"
        programs.mkdir()
        (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (programs / "sudo").chmod(0o755)
        path = [str(programs), str(pathlib.Path(cli.BINARY).parent), os.environ["PATH"]]
        self.environment = {**bgs.environment, "PATH": ":".join(path)}
        # The socket is where documents say: /run is the sandbox's own.
        del self.environment["BGSWITCH_RUN_DIR"]
        self.environment["BGSWITCH_STATE_DIR"] = str(self.directory / ".state")

    def run(self, words):
        """To a file: what it leaves running keeps its output open."""
        output = self.directory / "output"
        with open(output, "w") as log:
            result = self.namespace.run(words, cwd=self.directory, env=self.environment,
                                        capture_output=False, stdout=log, stderr=log)
        assert result.returncode == 0, f"{words[-1]}\n{output.read_text()}"
        return output.read_text()

    def type(self, text):
        return self.run(["bash", "-euxc", expecting(text)])


def expecting(text):
    """`curl ADDRESS  # blue`: then it has to print that, once servers are up."""
    return re.sub(r"^curl (\S+) +# (\w+)$",
                  r'test "$(curl -s --retry 50 --retry-delay 1 --retry-connrefused \1)" = \2',
                  text, flags=re.MULTILINE)


@pytest.fixture
def shell(bgs, tmp_path):
    directory = tmp_path / "home"
    directory.mkdir()
    return Shell(bgs, directory)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_blocks_say_what_they_are(document):
    assert {block["kind"] for block in blocks(document)} <= KINDS
    assert document.read_text().count("\n```") == 2 * len(blocks(document))


def test_readme_step_by_step(shell):
    ran = 0
    for block in blocks(cli.REPOSITORY / "README.md", "sh", "yaml"):
        if block["kind"] == "yaml":
            name = re.search(r"`([\w.]+)`:$", block["before"])[1]
            (shell.directory / name).write_text(block["text"])
        else:
            shell.type(block["text"])
            ran += 1
    assert ran > 3


@pytest.mark.parametrize("text", every_block("yaml"))
def test_configurations_are_accepted(shell, text):
    (shell.directory / "it.yaml").write_text(text)
    shell.type("bgswitch attach lo; bgswitch apply it.yaml -n")


@pytest.mark.parametrize("text", every_block("json"))
def test_json_is_json(text):
    assert json.loads(text)


@pytest.mark.parametrize("text", every_block("python"))
def test_python_clients(shell, labels, text):
    shell.type("bgswitch attach eth0; bgswitch agent 2>agent.log & :")
    shell.type("until bgswitch status | grep -qw healthy; do sleep 0.1; done")
    printed = shell.run([sys.executable, "-c", text])
    assert "'pid'" in printed and "watching green" in printed and "'complete'" in printed


def test_examples_in_dist_are_accepted(shell):
    shell.type(f"bgswitch apply {cli.REPOSITORY}/dist/bgswitch.yaml -n")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_commands_exist(document):
    typed = re.findall(r"(?:^[#$] |`|'|sudo )bgswitch ([a-z]+)", document.read_text(), re.MULTILINE)
    assert set(typed) <= set(commands())


@pytest.mark.parametrize("command", commands() if os.path.exists(cli.BINARY) else [])
def test_commands_are_described(command):
    readme = (cli.REPOSITORY / "README.md").read_text().partition("## Commands")[2]
    manual = (cli.REPOSITORY / "docs/bgswitch.8").read_text()
    assert re.search(rf"^\| .*`{command}\b.*\|", readme, re.MULTILINE)
    assert re.search(rf"^\.It .*Cm {command}\b", manual, re.MULTILINE)
    for option in re.findall(r"--([a-z][a-z-]+)", help_text(command)):
        assert f"Fl -{option}" in manual


def test_global_options_are_in_the_manual():
    manual = (cli.REPOSITORY / "docs/bgswitch.8").read_text()
    options = re.findall(r"--([a-z][a-z-]+)", help_text())
    assert len(options) > 8
    for option in options:
        assert f"-{option}" in manual


def test_every_event_is_described():
    source = (cli.REPOSITORY / "userspace/record/event.c").read_text()
    events = re.findall(r'KIND\(\w+, "([\w-]+)", \w+, "(\w+)"\)', source)
    described = re.findall(r"^\| `([\w-]+)` \|.*`(\w{32})` \|$",
                           (cli.REPOSITORY / "docs/events.md").read_text(), re.MULTILINE)
    assert events and described == events


def test_every_method_is_described():
    source = (cli.REPOSITORY / "userspace/control/interface.c").read_text()
    methods = re.findall(r'"method (\w+)\(', source)
    table = (cli.REPOSITORY / "docs/control-socket.md").read_text().partition("## Methods")[2]
    table = table.partition("## Errors")[0]
    first_cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    described = re.findall(r"`(\w+)`", "".join(first_cells))
    assert methods and sorted(described) == sorted(methods)


def test_links_lead_somewhere():
    for document in DOCUMENTS + [cli.REPOSITORY / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
