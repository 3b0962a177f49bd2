"""Conversations by bytes, and by words."""

import select

import pytest

import keyslot


@pytest.fixture
def session(engine):
    with engine.session() as session:
        yield session


def test_bytes_in_and_bytes_out(session):
    session.feed(b"PING\r\nSET k v\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
    assert session.output == b"+PONG\r\n+OK\r\n$1\r\nv\r\n"
    session.consume_output(7)
    assert session.output == b"+OK\r\n$1\r\nv\r\n"
    assert session.take_output() == b"+OK\r\n$1\r\nv\r\n"
    assert session.take_output() == b""
    session.consume_output(100)


def test_any_split_gives_the_same_answer(engine):
    request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\r\r\nGET k\r\nPING\r\n"
    for at in range(len(request) + 1):
        with engine.session() as session:
            session.feed(request[:at])
            session.feed(request[at:])
            assert session.take_output() == b"+OK\r\n$3\r\n\r\n\r\r\n+PONG\r\n"


def test_a_protocol_error_ends_the_conversation(session):
    session.feed(b"PING\r\n*1\r\n!\r\nPING\r\n")
    assert session.closing
    expected = b"+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n"
    assert session.take_output() == expected
    session.feed(b"PING\r\n")
    assert session.take_output() == b""


def test_sessions_share_keys_and_nothing_else(engine):
    with keyslot.Session(engine) as one, engine.session() as other:
        one.set("key", 1)
        assert other.get("key") == b"1"
        other.select(2)
        assert other.get("key") is None
        assert (one.database, other.database, engine.database) == (0, 2, 0)
        other.feed(b"SELECT 0\r\n")
        assert other.get("key") == b"1"
        assert one.id != other.id


def test_methods_leave_the_output_alone(session):
    session.feed(b"PING\r\n")
    assert session.echo("hello") == b"hello"
    with pytest.raises(keyslot.ResponseError):
        session.execute("NO-SUCH-COMMAND")
    assert session.take_output() == b"+PONG\r\n"


def test_a_large_pipeline(session):
    session.feed(b"SET k " + b"v" * 1_000 + b"\r\n")
    session.feed(b"GET k\r\n" * 10_000)
    output = session.take_output()
    assert output == b"+OK\r\n" + (b"$1000\r\n" + b"v" * 1_000 + b"\r\n") * 10_000


def test_a_closed_session_refuses_everything(engine):
    session = engine.session()
    session.close()
    session.close()
    assert session.closed and not engine.closed
    assert repr(session) == "<keyslot.Session closed>"
    with pytest.raises(keyslot.ClosedError):
        session.feed(b"PING\r\n")
    with pytest.raises(keyslot.ClosedError):
        session.get("key")
    assert engine.ping()


def test_only_bytes_are_fed(session):
    with pytest.raises(TypeError):
        session.feed("PING\r\n")
    with pytest.raises(TypeError):
        keyslot.Session("engine")


def test_execute_answers_plainly(engine):
    assert engine.execute("PING") == b"PONG"
    assert engine.execute("SET", "k", "v") == b"OK"
    assert engine.execute("GET", "k") == b"v"
    assert engine.execute("GET", "none") is None
    assert engine.execute("EXISTS", "k") == 1
    assert engine.execute("MGET", "k", "none") == [b"v", None]
    assert engine.execute("TIME") == [b"1700000000", b"0"]
    with pytest.raises(keyslot.ResponseError, match="unknown command ''"):
        engine.execute()


def test_resp3_has_its_own_types(session):
    hello = session.execute("HELLO", 3)
    assert isinstance(hello, dict)
    assert hello[b"proto"] == 3
    assert session.config_get("maxmemory") == {"maxmemory": "0"}
    assert isinstance(session.execute("CONFIG", "GET", "maxmemory"), dict)
    session.feed(b"GET none\r\n")
    assert session.take_output() == b"_\r\n"
    assert isinstance(session.execute("HELLO", 2), list)
    session.feed(b"GET none\r\n")
    assert session.take_output() == b"$-1\r\n"


def test_resp3_values_become_python_values():
    with keyslot.Engine(settings={"enable-debug-command": "yes"}) as engine:
        engine.execute("HELLO", 3)
        check_values(engine)


def check_values(engine):
    values = {
        "double": 3.141,
        "true": True,
        "false": False,
        "bignum": 1234567999999999999999999999999999999,
        "verbatim": b"This is a verbatim\nstring",
        "set": {0, 1, 2},
        "map": {0: False, 1: True, 2: False},
        "array": [0, 1, 2],
        "null": None,
        "string": b"Hello World",
        "integer": 12345,
    }
    for name, value in values.items():
        reply = engine.execute("DEBUG", "PROTOCOL", name)
        assert reply == value and type(reply) is type(value), name


def test_a_host_sleeps_on_the_descriptor(engine):
    with engine.session() as waiting, engine.session() as other:
        assert waiting.time_left is None and not waiting.waiting
        waiting.feed(b"BLPOP q 100\r\nPING\r\n")
        assert waiting.waiting and 0 < waiting.time_left <= 100
        waiting.handle_timeout()
        assert select.select([waiting], [], [], 0)[0] == []
        other.feed(b"RPUSH q a\r\n")
        assert select.select([waiting], [], [], 0)[0] == [waiting]
        waiting.poll()
        assert select.select([waiting], [], [], 0)[0] == []
        assert waiting.take_output() == b"*2\r\n$1\r\nq\r\n$1\r\na\r\n+PONG\r\n"


def test_messages_come_by_polling(engine):
    with engine.session() as listener:
        listener.feed(b"SUBSCRIBE news\r\n")
        listener.take_output()
        descriptor = listener.fileno()
        engine.execute("PUBLISH", "news", "hello")
        assert select.select([descriptor], [], [], 0)[0] == [descriptor]
        listener.poll()
        assert listener.take_output() == b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"
