"""kill -9 of the active color's server, again and again, under load."""
import random

from host import HOST4, HOST6
from load import describe, noting

ROUNDS = 100
STREAMS = [("new", HOST4), ("new", HOST6)]


def kill_and_restart(bgs, loads, start, rounds):
    """The times from each kill until its death was visible."""
    deaths = []
    server = start()
    bgs.wait_listening("blue")
    for _ in range(rounds):
        loads.wait_more(2)
        with noting(deaths):
            server.kill()
        loads.wait_more(2)
        server = start()
        bgs.wait_listening("blue")
    loads.wait_more(2)
    return deaths


def cut_by(deaths, connection):
    """Was it under way while the server died? Else nothing excuses its failure."""
    return any(connection.begin < visible and connection.end >= begin
               for begin, visible in deaths)


def judge(deaths, running):
    failures = running.failures()
    lost = [connection for connection in failures if not cut_by(deaths, connection)]
    assert not lost, f"lost after the death was visible: {describe(lost)}"
    print(f"{len(deaths)} deaths, {len(running.connections())} connections; cut with the dead "
          f"process: {describe(failures) or 'none'}; lost otherwise: 0")


def test_the_other_color_takes_over(attached, serve, loads):
    serve.nginx("green", 8082)
    with loads(*STREAMS) as running:
        deaths = kill_and_restart(
            attached, running, lambda: serve.nginx("blue", 8081, master=False), ROUNDS)
    judge(deaths, running)
    colors = [connection.color for connection in running.connections()]
    assert colors.count("blue") >= ROUNDS, "a restarted server got no connection"
    assert colors.count("green") >= ROUNDS
    assert attached.counters()["failover_total"] > 0
    assert attached.service()["active"] == "blue"


def test_another_instance_takes_over(attached, serve, loads):
    attached("service", "add", "web", "--listen", "0.0.0.0:70,[::]:70",
             "--blue", "9001,9002", "--green", "9003")
    serve.nginx("blue", 9002)
    with loads(*STREAMS, port=70) as running:
        deaths = []
        for _ in range(10):
            server = serve.nginx("blue", 9001, master=False)
            attached.wait_listening("blue", 2, "web")
            running.wait_more(5)
            with noting(deaths):
                server.kill()
            running.wait_more(5)
    judge(deaths, running)
    assert attached.counters("web")["failover_total"] == 0


def test_flapping_instances_are_never_forgotten(attached, serve, loads, ask):
    """Listeners close and open while lookups take dead ones out of rotation."""
    chance = random.Random(8081)
    ports = range(9001, 9009)
    attached("service", "add", "web", "--listen", "0.0.0.0:70,[::]:70",
             "--blue", ",".join(map(str, ports)), "--green", "9100")
    alive = {port: serve.label(f"blue{port}", port) for port in ports}
    deaths = []
    with loads(*STREAMS, port=70, rate=1500) as running:
        for number in range(1, 3001):
            port = chance.choice(ports[1:])
            if port in alive:
                with noting(deaths):
                    serve.end(alive.pop(port))
            else:
                alive[port] = serve.label(f"blue{port}", port)
            if number % 300 == 0:
                answers = {ask(port=70) for _ in range(200)}
                assert answers == {f"blue{port}" for port in alive}
    judge(deaths, running)
    assert attached.counters("web")["failover_total"] == 0


def test_a_stopped_server_is_missed_by_nobody_when_standby(attached, serve, loads):
    serve.nginx("blue", 8081)
    with loads(*STREAMS) as running:
        for _ in range(10):
            server = serve.nginx("green", 8082, master=False)
            running.wait_more(2)
            server.kill()
    running.assert_no_failure()


def test_a_restarted_server_is_back_before_its_first_connection(attached, serve, ask):
    """Registered when listen() returns: the very first connection may come."""
    for _ in range(20):
        listener = serve.label("blue", 8081)
        assert ask() == "blue"
        serve.end(listener)
        assert ask() is None
