"""Keys move between engines of one process over loopback: one is served by a few lines of sockets,
the other's connections are carried by the package."""

import contextlib
import select
import socket
import threading

import pytest

import keyslot


class Served:
    """An engine behind a socket: what a server in Python is made of."""

    def __init__(self, engine, **options):
        self.engine = engine
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self.listener.accept()[0]
                self.connections.append(connection)
                threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, connection):
        with contextlib.suppress(OSError, keyslot.ClosedError), self.engine.session() as session:
            while not session.closing and (data := connection.recv(65536)):
                session.feed(data)
                connection.sendall(session.take_output())

    def cut(self):
        """Ends what is connected."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def close(self):
        self.listener.close()
        self.cut()


@pytest.fixture
def target():
    with keyslot.Engine() as engine:
        served = Served(engine)
        yield served
        served.close()


@pytest.fixture
def source():
    with keyslot.Engine() as engine:
        yield engine


def test_keys_of_all_types_move(source, target):
    source.set("s", "x" * 300_000, ex=1000)
    source.rpush("l", *range(500))
    source.zadd("z", {"a": 1.5})
    source.xadd("x", {"f": "v"}, id="1-1")
    with source.serve_links():
        assert source.migrate("127.0.0.1", target.port, ["s", "l", "none"], 0, 5000) == b"OK"
        assert source.keys() and source.exists("s", "l") == 0
        assert source.migrate("localhost", target.port, "z", 3, 5000, copy=True) == b"OK"
        assert source.migrate("127.0.0.1", target.port, "none", 0, 5000) == b"NOKEY"
        assert source.exists("z") == 1
        target.engine.set("x", "in the way")
        with pytest.raises(keyslot.ResponseError, match="BUSYKEY"):
            source.migrate("127.0.0.1", target.port, "x", 0, 5000)
        assert source.migrate("127.0.0.1", target.port, "x", 0, 5000, replace=True) == b"OK"
    assert target.engine.get("s") == b"x" * 300_000
    assert 0 < target.engine.ttl("s") <= 1000
    assert target.engine.llen("l") == 500
    assert target.engine.xrange("x") == [(b"1-1", {b"f": b"v"})]
    with target.engine.session() as session:
        session.select(3)
        assert session.zscore("z", "a") == 1.5


def test_a_connection_rests_and_a_cut_one_is_made_anew(source, target):
    with source.serve_links():
        for number in range(4):
            source.set("k", number)
            assert source.migrate("127.0.0.1", target.port, "k", 0, 5000, replace=True) == b"OK"
            if number < 2:
                assert len(target.connections) == 1
            else:
                target.cut()
    assert target.engine.get("k") == b"3"


def test_sessions_wait_without_a_thread(source, target):
    source.set("k", "v")
    with source.serve_links(), source.session() as session:
        words = ["MIGRATE", "127.0.0.1", str(target.port), "k", "0", "5000"]
        session.feed(" ".join(words).encode() + b"\r\nPING\r\n")
        assert session.waiting
        while session.waiting:
            select.select([session], [], [], session.time_left)
            session.poll()
        assert session.take_output() == b"+OK\r\n+PONG\r\n"
    assert target.engine.get("k") == b"v"


def test_threads_move_keys_at_once(source, target):
    source.mset({number: number for number in range(200)})

    def move(first):
        for number in range(first, 200, 4):
            assert source.migrate("127.0.0.1", target.port, number, 0, 10_000) == b"OK"

    with source.serve_links():
        threads = [threading.Thread(target=move, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert source.dbsize() == 0
    assert target.engine.dbsize() == 200


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_who_cannot_be_reached_is_told(source):
    source.set("k", "v")
    port = free_port()
    with pytest.raises(keyslot.ResponseError, match="IOERR the host opens no connections"):
        source.migrate("127.0.0.1", port, "k", 0, 1000)
    with source.serve_links():
        for host in ("127.0.0.1", "no.such.host.invalid"):
            with pytest.raises(keyslot.ResponseError, match="IOERR error or timeout writing"):
                source.migrate(host, port, "k", 0, 1000)
    with pytest.raises(keyslot.ResponseError, match="IOERR the host opens no connections"):
        source.migrate("127.0.0.1", port, "k", 0, 1000)
    assert source.get("k") == b"v"


@pytest.mark.parametrize("ending", ["carrier", "engine"])
def test_who_waits_is_answered_when_the_links_end(ending):
    engine = keyslot.Engine()
    engine.set("k", "v")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        carrier = engine.serve_links()
        said = []

        def move():
            try:
                said.append(engine.migrate(*silent.getsockname(), "k", 0, 60_000))
            except keyslot.KeyslotError as error:
                said.append(error)

        thread = threading.Thread(target=move)
        thread.start()
        silent.accept()[0].recv(1)
        with pytest.raises(keyslot.KeyslotError):
            engine.serve_links()
        carrier.close() if ending == "carrier" else engine.close()
        thread.join(30)
        assert len(said) == 1 and isinstance(said[0], keyslot.KeyslotError)
        carrier.close()
    engine.close()
