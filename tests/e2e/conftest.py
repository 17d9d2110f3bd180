"""The session steps into a sandbox; each test gets a fresh host and client."""
import os
import subprocess

import pytest

import agent as daemon
import broken
import cli
import hold
import host
import load
import sandbox
import servers

cgroup = None


def why_not():
    if os.geteuid() != 0:
        return "the e2e tests need root: they make namespaces and load BPF programs"
    return None


def pytest_configure(config):
    global cgroup
    if config.option.collectonly or why_not():
        return
    if not os.path.exists(cli.BINARY):
        pytest.exit(f"{cli.BINARY} is missing: run make first", returncode=2)
    cgroup = sandbox.enter()
    cli.BINARY = sandbox.open_to_all(cli.BINARY)


def pytest_unconfigure(config):
    if cgroup:
        cgroup.remove()


def pytest_collection_modifyitems(items):
    # "1/2": of two sessions at a time, each takes every second test.
    shard, _, shards = os.environ.get("BGSWITCH_TEST_SHARD", "1/1").partition("/")
    items[:] = items[int(shard) - 1::int(shards)]
    reason = why_not()
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def net():
    network = host.Network()
    yield network
    cli.remove_pins()
    sandbox.kill_members(cgroup.path)
    network.close()


@pytest.fixture
def bgs(net, tmp_path):
    return cli.Bgswitch(net.host, cgroup.path, tmp_path / "run")


@pytest.fixture
def attached(bgs):
    """bgswitch with the default service on eth0: :80, 8081, 8082."""
    bgs("attach", "eth0")
    return bgs


@pytest.fixture
def agent(bgs, tmp_path):
    """Not started yet: agent.start(config)."""
    service = daemon.Agent(bgs, tmp_path)
    yield service
    service.close()


@pytest.fixture(params=["agent", "alone"])
def driver(request, bgs, agent):
    """driver(config): commands find an agent, or do its work themselves; returns which."""
    def drive(config):
        if request.param == "agent":
            agent.start(config)
        else:
            agent.configure(config)
            bgs("apply", agent.config)
        return request.param

    return drive


@pytest.fixture
def serve(net, tmp_path):
    started = servers.Servers(net.host, tmp_path)
    yield started
    started.close()


@pytest.fixture
def misbehave(net):
    """misbehave(label, port, …): a server that is well until it is told otherwise."""
    started = []

    def start(label, port, **options):
        started.append(broken.Broken(net.host, label, port, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return broken.make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def labels(serve):
    """The smallest blue and green servers."""
    serve.label("blue", 8081)
    serve.label("green", 8082)
    return serve


@pytest.fixture
def ask(net):
    """ask(address, …): the color that answers a client; None when refused."""
    def ask(address=host.HOST4, port=80, source=None, namespace=None):
        try:
            return host.ask(namespace or net.client, address, port, source)[0].rstrip("_")
        except ConnectionRefusedError:
            return None
    return ask


@pytest.fixture(scope="session")
def load_binary(tmp_path_factory):
    return load.build("load", tmp_path_factory.mktemp("load"))


@pytest.fixture(scope="session")
def server_binary(tmp_path_factory):
    return load.build("server", tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="session")
def hold_binary(tmp_path_factory):
    return hold.build(tmp_path_factory.mktemp("hold"))


@pytest.fixture
def holding(net, hold_binary):
    """Connections by the thousand: holding.serve(port), holding.connect(count)."""
    started = hold.Holding(hold_binary, net)
    yield started
    started.close()


@pytest.fixture
def counts(bgs):
    return hold.Counts(bgs)


@pytest.fixture
def loads(net, load_binary):
    """loads((mode, address), …): load streams from the client."""
    def loads(*streams, **options):
        return load.Loads(*(load.Load(load_binary, net.client, mode, address, **options)
                            for mode, address in streams))
    return loads


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failing test prints the machine's view."""
    report = (yield).get_result()
    network = item.funcargs.get("net") if hasattr(item, "funcargs") else None
    if report.failed and network:
        bgswitch = item.funcargs.get("bgs")
        options = {"env": bgswitch.environment} if bgswitch else {}
        for command in ([cli.BINARY, "status", "-j"], ["ss", "-tlnp"],
                        [cli.BPFTOOL, "map", "dump", "pinned", cli.PINS / "services"]):
            report.sections.append((" ".join(map(str, command)), view(network, command, options)))


def view(network, command, options):
    try:
        result = network.host.run(command, timeout=20, **options)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return result.stdout + result.stderr
