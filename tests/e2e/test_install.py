"""What `make install` brings, and that `make uninstall` takes it away again."""
import pathlib
import re
import shutil
import subprocess

import pytest

import cli

FILES = {
    "sbin/bgswitch",
    "lib/systemd/system/bgswitch.service",
    "share/bash-completion/completions/bgswitch",
    "share/man/man8/bgswitch.8",
    "share/doc/bgswitch/README.md",
    *(f"share/doc/bgswitch/docs/{guide.name}" for guide in cli.REPOSITORY.glob("docs/*.md")),
    "share/doc/bgswitch/examples/bgswitch.yaml",
}


def make(target, prefix, destination=""):
    subprocess.run(["make", "-C", cli.REPOSITORY, target, f"PREFIX={prefix}",
                    f"DESTDIR={destination}"], check=True, capture_output=True)


def files(directory):
    return {str(path.relative_to(directory)) for path in pathlib.Path(directory).rglob("*")
            if path.is_file()}


@pytest.fixture
def installed(tmp_path):
    prefix = tmp_path / "usr"
    make("install", prefix)
    return prefix


def needs(program):
    path = shutil.which(program)
    if not path:
        pytest.skip(f"{program} is not installed")
    return path


def test_everything_is_in_its_place(tmp_path):
    make("install", "/usr", tmp_path)
    assert files(tmp_path / "usr") == FILES
    assert (tmp_path / "usr/sbin/bgswitch").stat().st_mode & 0o777 == 0o755
    assert "ExecStart=/usr/sbin/bgswitch agent" in unit(tmp_path / "usr")
    make("uninstall", "/usr", tmp_path)
    assert files(tmp_path) == set()


def unit(prefix):
    return (prefix / "lib/systemd/system/bgswitch.service").read_text()


def test_systemd_understands_the_unit(installed):
    analyze = needs("systemd-analyze")
    result = subprocess.run([analyze, "verify", "--man=no",
                             installed / "lib/systemd/system/bgswitch.service"],
                            capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def capabilities(prefix):
    """As setpriv takes them."""
    lines = [line.partition("=")[2] for line in unit(prefix).splitlines()
             if line.startswith("CapabilityBoundingSet=")]
    return ",".join("+" + name.removeprefix("CAP_").lower() for name in " ".join(lines).split())


def test_the_capabilities_of_the_unit_suffice(installed, bgs, labels):
    """Each thing that an agent does to the kernel: attach, declare, flip, look, detach."""
    setpriv = [needs("setpriv"), f"--bounding-set=-all,{capabilities(installed)}"]

    def run(*words):
        result = bgs.namespace.run([*setpriv, cli.BINARY, *words], env=bgs.environment)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    run("attach", "eth0")
    run("service", "add", "other", "--listen", "192.0.2.1:81", "--blue", "9001", "--green", "9002")
    assert "new connections go to green" in run("set", "default", "green", "--soak", "10ms")
    assert "python3" in run("status")  # whose listener it is
    run("check", "default")
    run("upgrade")
    run("detach", "all")


def test_groff_understands_the_manual(installed):
    result = subprocess.run([needs("man"), "-l", "--warnings", "-Tutf8",
                             installed / "share/man/man8/bgswitch.8"],
                            capture_output=True, text=True)
    text = re.sub(".\x08", "", result.stdout)  # letters are struck twice to be bold
    assert result.returncode == 0 and "SYNOPSIS" in text and not result.stderr


def complete(prefix, *words):
    script = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bgswitch
        printf '%s\\n' "${COMPREPLY[@]}" """
    result = subprocess.run(
        ["bash", "-c", script, "bash", prefix / "share/bash-completion/completions/bgswitch",
         "bgswitch", *words], capture_output=True, text=True, check=True,
        env={"PATH": f"{prefix}/sbin:/usr/sbin:/usr/bin:/sbin:/bin"})
    assert not result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize("words, expected", [
    (["s"], {"service", "set", "split", "status"}),
    (["--bpffs", "/tmp", "pro"], {"promote"}),
    (["set", "g"], {"green"}),
    (["set", "--so"], {"--soak"}),
    (["dr"], {"drain"}),
    (["drain", "b"], {"blue"}),
    (["drain", "--"], {"--timeout", "--close-idle", "--over", "--kill", "--keep"}),
    (["conns", "g"], {"green"}),
    (["--j"], {"--json"}),
    (["attach", "l"], {"lo"}),
    (["service", ""], {"add", "rm", "ls"}),
    (["help", "up"], {"upgrade"}),
])
def test_completion(installed, net, words, expected):
    assert complete(installed, *words) >= expected
