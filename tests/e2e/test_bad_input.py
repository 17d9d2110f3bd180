"""Wrong input and wrong surroundings: the exit code, one clear line, no change."""
import contextlib
import os
import subprocess

import pytest

import cli
import host
import sandbox
from cli import FAILED, REFUSED, USAGE

ADD = ("service", "add")
WEB = ADD + ("web", "--listen", "0.0.0.0:70", "--blue", "9001", "--green", "9002")
TOO_MANY = ",".join(str(port) for port in range(10001, 10066))


def swap(words, old, new):
    return tuple(new if word == old else word for word in words)


# Words, exit code, what the message must name.
WRONG_WORDS = [
    (("set", "red"), USAGE, "red"),
    (("set",), USAGE, "color"),
    (("set", "nobody", "green"), USAGE, "nobody"),
    (("set", "default", "green", "more"), USAGE, "more"),
    (("split", "-1"), USAGE, "-1"),
    (("split", "101"), USAGE, "101"),
    (("split", "abc"), USAGE, "abc"),
    (("split", "1e1"), USAGE, "1e1"),
    (("split",), USAGE, "split"),
    (("split", "30", "nobody"), USAGE, "nobody"),
    (("frobnicate",), USAGE, "frobnicate"),
    (("set", "green", "--frobnicate"), USAGE, "frobnicate"),
    (("status", "more"), USAGE, "more"),
    (("status", "-x"), USAGE, "x"),
    (("--netns", "nowhere", "status"), None, "nowhere"),
    (("attach",), USAGE, "IF"),
    (("attach", "eth9"), None, "eth9"),
    (("attach", "eth1", "eth9"), None, "eth9"),
    (("attach", "a-name-that-is-too-long"), None, "a-name-that-is-too-long"),
    (("attach", ""), None, "interface"),
    (("detach",), USAGE, "IF"),
    (("detach", "eth9"), None, "eth9"),
    (("detach", "eth1"), None, "eth1"),
    (("service",), USAGE, "service"),
    (("service", "frobnicate"), USAGE, "frobnicate"),
    (("service", "rm"), USAGE, "service"),
    (("service", "rm", "nobody"), USAGE, "nobody"),
    (ADD, USAGE, "name"),
    (ADD + ("web",), USAGE, "--listen"),
    (WEB[:5], USAGE, "--blue"),
    (WEB[:7], USAGE, "--green"),
    (swap(WEB, "web", "default"), USAGE, "default"),
    (swap(WEB, "web", "a b"), USAGE, "a b"),
    (swap(WEB, "web", ""), USAGE, "name"),
    (swap(WEB, "web", "-web"), USAGE, "-web"),
    (swap(WEB, "web", "w" * 32), USAGE, "w" * 32),
    (swap(WEB, "web", "blue"), USAGE, "blue"),
    (swap(WEB, "0.0.0.0:70", "0.0.0.0:0"), USAGE, "port 0"),
    (swap(WEB, "0.0.0.0:70", "0.0.0.0:65536"), USAGE, "65536"),
    (swap(WEB, "0.0.0.0:70", "0.0.0.0"), USAGE, "0.0.0.0"),
    (swap(WEB, "0.0.0.0:70", "1.2.3:70"), USAGE, "1.2.3"),
    (swap(WEB, "0.0.0.0:70", "fd77::1:x"), USAGE, "fd77::1:x"),
    (swap(WEB, "0.0.0.0:70", "example.org:70"), USAGE, "example.org"),
    (swap(WEB, "0.0.0.0:70", "0.0.0.0:80"), USAGE, "0.0.0.0:80"),
    (swap(WEB, "0.0.0.0:70", "0.0.0.0:70,0.0.0.0:70"), USAGE, "0.0.0.0:70"),
    (swap(WEB, "0.0.0.0:70", ""), USAGE, "--listen"),
    (swap(WEB, "9001", "0"), USAGE, "port 0"),
    (swap(WEB, "9001", "9001x"), USAGE, "9001x"),
    (swap(WEB, "9001", "9002"), USAGE, "9002"),
    (swap(WEB, "9001", "9001,9001"), USAGE, "9001"),
    (swap(WEB, "9001", "8081"), USAGE, "8081"),
    (swap(WEB, "9001", "70"), USAGE, "70"),
    (swap(WEB, "9001", TOO_MANY), USAGE, "64"),
    (WEB + ("--affinity", "phase"), USAGE, "phase"),
    (WEB + ("--on-empty", "wait"), USAGE, "wait"),
    (WEB + ("--failover", "maybe"), USAGE, "maybe"),
    (WEB + ("--blue",), USAGE, "blue"),
    (("preview", "add", "10.0.0.0/33", "green"), USAGE, "10.0.0.0/33"),
    (("preview", "add", "10.0.0.1/24", "green"), USAGE, "10.0.0.1/24"),
    (("preview", "add", "fd00::/129", "green"), USAGE, "fd00::/129"),
    (("preview", "add", "home", "green"), USAGE, "home"),
    (("preview", "add", "10.9.0.0/16", "home", "green"), USAGE, "home"),
    (("preview", "add", "10.0.0.0/8"), USAGE, "color"),
    (("preview", "add", "10.0.0.0/8", "red"), USAGE, "red"),
    (("preview", "add", "10.0.0.0/8", "green", "nobody"), USAGE, "nobody"),
    (("preview", "rm", "10.1.0.0/16"), USAGE, "10.1.0.0/16"),
    (("preview", "rm"), USAGE, "preview"),
    (("preview", "frobnicate"), USAGE, "frobnicate"),
]


def assert_one_clear_line(result, codes, named):
    assert result.returncode in codes, result
    assert result.stdout == "", "data on stdout beside an error"
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("bgswitch: ")
    assert named.lower() in lines[0].lower()
    what, separator, next_step = lines[0].partition("; ")
    assert separator and next_step.strip(), f"no next step in: {lines[0]}"


@pytest.mark.parametrize("words, code, named", WRONG_WORDS,
                         ids=[" ".join(words)[:60] for words, _, _ in WRONG_WORDS])
def test_wrong_words(attached, words, code, named):
    before = attached.status()
    result = attached.run(*words)
    codes = [code] if code is not None else [USAGE, FAILED]
    assert_one_clear_line(result, codes, named)
    assert attached.status() == before


def test_which_service_must_be_said(attached):
    attached(*WEB)
    before = attached.status()
    for words in (("set", "green", "--no-wait"), ("split", "30"), ("preview", "add", "10.0.0.0/8", "green")):
        result = attached.run(*words)
        assert_one_clear_line(result, [USAGE], "service")
    assert attached.status() == before


def test_errors_on_standard_input_change_nothing(attached):
    result = attached.run("preview", "add", "-", "green", input="10.1.0.0/16\nhome\n10.2.0.0/16\n")
    assert_one_clear_line(result, [USAGE], "home")
    assert attached("preview", "ls", "-j").strip() in ("[]", '{"previews":[]}') or \
        "10.1.0.0" not in attached("preview", "ls")


def test_target_without_listener_is_refused(attached, serve, ask):
    serve.label("blue", 8081)
    before = attached.status()
    assert_one_clear_line(attached.run("set", "green", "--no-wait"), [REFUSED], "green")
    assert attached.status() == before
    attached("set", "green", "--no-wait", "--force")
    assert attached.service()["active"] == "green"
    assert ask() == "blue", "failover"


def test_dry_run_changes_nothing(attached, labels, ask):
    before = attached.status()
    result = attached.run("set", "green", "--no-wait", "-n")
    assert result.returncode == 0 and "green" in result.stdout + result.stderr
    assert attached.status() == before
    assert ask() == "blue"


@pytest.mark.parametrize("words", [
    ("set", "green", "--no-wait"), ("split", "30"), ("upgrade",), ("detach", "eth0"),
    ("preview", "ls"), ("preview", "add", "10.0.0.0/8", "green"), ("service", "rm", "web"),
    WEB], ids=" ".join)
def test_not_attached(bgs, words):
    assert_one_clear_line(bgs.run(*words), [FAILED], "attach")
    assert not cli.PINS.exists()


def test_status_when_not_attached(bgs):
    status = bgs.status()
    assert status["attached"] == [] and status["services"] == []


CHANGING = [("attach", "eth0"), ("detach", "eth0"), ("set", "green", "--no-wait"), ("split", "30"),
            ("service", "rm", "default"), ("upgrade",), ("status",)]


@pytest.mark.parametrize("words", CHANGING, ids=" ".join)
def test_not_root(attached, labels, words):
    before = attached.status()
    result = attached.run(*words, user=65534, group=65534, extra_groups=[])
    assert_one_clear_line(result, [FAILED], "root")
    assert attached.status() == before


@pytest.mark.parametrize("words", [("attach", "eth0"), ("attach", "eth1")], ids=" ".join)
def test_no_cgroup_there(bgs, tmp_path, words):
    """A kernel without cgroup2 looks like this."""
    result = bgs.run("--cgroup", tmp_path, *words)
    assert_one_clear_line(result, [FAILED], str(tmp_path))
    assert not cli.PINS.exists()


def test_no_bpf_file_system_there(bgs, tmp_path):
    (tmp_path / "file").touch()
    result = bgs.run("--bpffs", tmp_path / "file", "attach", "eth0")
    assert_one_clear_line(result, [FAILED], str(tmp_path / "file"))


def test_missing_bpffs_is_mounted(bgs, net, labels):
    """In a mount namespace of its own, without any bpffs."""
    script = (f"while mountpoint -q {sandbox.BPFFS}; do umount -l {sandbox.BPFFS}; done; "
              f"{cli.BINARY} attach eth0 && mountpoint -q {sandbox.BPFFS} && "
              f"{cli.BINARY} set green --no-wait && "
              f"{cli.BINARY} detach all")
    result = net.host.run(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script], env=bgs.environment)
    assert result.returncode == 0, result.stderr


@contextlib.contextmanager
def read_only_bpffs():
    sandbox.mount("-o", "remount,ro", sandbox.BPFFS)
    try:
        yield
    finally:
        sandbox.mount("-o", "remount,rw", sandbox.BPFFS)


@pytest.mark.alone
def test_attach_on_read_only_bpffs(bgs):
    before = cli.kernel_objects()
    with read_only_bpffs():
        assert_one_clear_line(bgs.run("attach", "eth0"), [FAILED], "read-only")
    assert not cli.PINS.exists()
    sandbox.wait_for(lambda: not cli.new_objects(before), "what was loaded to leave again")


@pytest.mark.parametrize("words", [("set", "green", "--no-wait"), ("detach", "all"), ("split", "30"), WEB],
                         ids=" ".join)
def test_changes_on_read_only_bpffs(attached, labels, words):
    before = attached.status()
    with read_only_bpffs():
        assert_one_clear_line(attached.run(*words), [FAILED], "read-only")
    assert attached.status() == before


def foreign_map(name, *how):
    how = how or ("type", "hash", "key", "4", "value", "8", "entries", "16")
    cli.PINS.mkdir(exist_ok=True)
    cli.bpftool("map", "create", cli.PINS / name, *how, "name", name[:15])


@pytest.mark.parametrize("name, how", [
    ("services", ()),
    ("services", ("type", "hash", "key", "4", "value", "56", "entries", "1024")),
    ("services", ("type", "array", "key", "4", "value", "64", "entries", "1024")),
    ("counters", ()),
    ("settings", ("type", "array", "key", "4", "value", "16", "entries", "1")),
])
def test_maps_of_another_layout_are_refused_by_name(bgs, name, how):
    foreign_map(name, *how)
    number = cli.bpftool("map", "show", "pinned", cli.PINS / name)["id"]
    for words in (("attach", "eth0"), ("set", "green", "--no-wait"), ("upgrade",)):
        result = bgs.run(*words)
        assert result.returncode == FAILED, result
        assert len(result.stderr.splitlines()) == 1
    assert_one_clear_line(bgs.run("attach", "eth0"), [FAILED], name)
    assert [path.name for path in cli.PINS.iterdir()] == [name]
    assert cli.bpftool("map", "show", "pinned", cli.PINS / name)["id"] == number


def test_an_older_layout_is_refused_by_name(attached, labels, ask):
    """The maps are whole; their layout number is another tool's."""
    settings, = cli.bpftool("map", "dump", "pinned", cli.PINS / "settings")
    value = [int(byte, 16) for byte in settings["value"]]
    older = [byte ^ 0xff if place == 0 else byte for place, byte in enumerate(value)]
    update = ("map", "update", "pinned", cli.PINS / "settings", "key", 0, 0, 0, 0, "value")
    cli.bpftool(*update, *older)
    for words in (("attach", "eth0"), ("upgrade",), ("set", "green", "--no-wait"), ("split", "30")):
        assert_one_clear_line(attached.run(*words), [FAILED], "layout")
    assert ask() == "blue", "steering goes on"
    cli.bpftool(*update, *value)
    attached("set", "green", "--no-wait")


@pytest.mark.parametrize("victim", ["services", "sockets", "counters", "steer_link",
                                    "register_link", "settings"])
def test_half_of_our_pins_is_repaired_or_refused_by_name(attached, labels, ask, victim):
    os.unlink(cli.PINS / victim)
    result = attached.run("attach", "eth0")
    if result.returncode == 0:
        attached("set", "green", "--no-wait")
        assert ask() == "green"
    else:
        assert_one_clear_line(result, [FAILED], victim)
    attached("detach", "all")
    assert not cli.PINS.exists()
    attached("attach", "eth0")
    attached("set", "green", "--no-wait")
    assert ask() == "green"


def test_a_refused_attach_or_detach_has_changed_nothing(attached, labels, net, ask):
    """A read-only bpffs, where nothing can be pinned or removed."""
    before = attached.status()
    subprocess.run(["mount", "--bind", sandbox.BPFFS, sandbox.BPFFS], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", sandbox.BPFFS], check=True)
        for words in (("attach", "eth1"), ("detach", "eth0"), ("detach", "all")):
            assert attached.run(*words).returncode == FAILED
            assert attached.status() == before, words
    finally:
        subprocess.run(["umount", sandbox.BPFFS], check=True)
    assert ask() == "blue"


def test_detach_leaves_another_namespace_alone(attached, labels, net, ask):
    elsewhere = cli.Bgswitch(net.client, attached.environment["BGSWITCH_CGROUP"],
                             attached.run_dir)
    assert_one_clear_line(elsewhere.run("detach", "all"), [FAILED], "another network namespace")
    assert ask() == "blue"


def test_what_a_deleted_namespace_left_is_removed_by_its_name(bgs):
    outside = cli.Bgswitch(host.Netns("brief"), bgs.environment["BGSWITCH_CGROUP"], bgs.run_dir)
    bgs("--netns", "brief", "attach", "all")
    outside.namespace.close()
    assert_one_clear_line(bgs.run("--netns", "brief", "status"), [USAGE], "detach all")
    bgs("--netns", "brief", "detach", "all")
    assert not cli.PINS.with_name("bgswitch@brief").exists()


@pytest.mark.parametrize("option", ["--netns", "--bpffs", "--run-dir", "--cgroup"])
def test_an_empty_option_is_no_default(attached, option):
    before = attached.status()
    assert_one_clear_line(attached.run(option, "", "detach", "all"), [USAGE], option)
    assert attached.status() == before


def test_foreign_pins_are_named_and_left_alone(attached, labels, ask):
    foreign_map("somebody_elses")
    for words in (("attach", "eth0"), ("upgrade",)):
        assert_one_clear_line(attached.run(*words), [FAILED], "somebody_elses")
    assert ask() == "blue", "steering goes on"
    result = attached.run("detach", "all")
    assert result.returncode in (0, FAILED)
    assert "somebody_elses" in result.stderr
    assert (cli.PINS / "somebody_elses").exists()
    os.unlink(cli.PINS / "somebody_elses")
    attached("attach", "eth0")
    assert ask() == "blue"
    attached("detach", "all")
    assert not cli.PINS.exists()


def test_a_link_that_is_not_ours(attached, labels):
    """A foreign object under the name of our link."""
    os.unlink(cli.PINS / "steer_link")
    foreign_map("steer_link")
    assert_one_clear_line(attached.run("attach", "eth0"), [FAILED], "steer_link")


def test_run_directory_that_others_can_write(attached, labels):
    attached.run_dir.chmod(0o777)
    before = attached.status()
    assert_one_clear_line(attached.run("set", "green", "--no-wait"), [FAILED], str(attached.run_dir))
    assert attached.status() == before


def test_standard_output_that_is_full(attached):
    with open("/dev/full", "w") as full:
        result = attached.run("status", "-j", capture_output=False, stdout=full,
                              stderr=subprocess.PIPE)
    assert result.returncode == FAILED, result.stderr


@pytest.mark.parametrize("words", [("help",), ("--help",), ("version",), ("help", "set")],
                         ids=" ".join)
def test_help_needs_nothing(bgs, words):
    result = bgs.run(*words, user=65534, group=65534, extra_groups=[])
    assert result.returncode == 0 and result.stdout and not result.stderr
