"""Pipelines and transactions: the shape is redis-py's, and every method means in them what it means
by itself."""

import inspect
import sys

import pytest

import keyslot
from test_redis_py import CALLS
from test_redis_py_types import BITS, GEO, HASHES, LISTS, SETS, SORTED_SETS, STREAMS
from test_threads import run_all

FAMILIES = {
    "keys and strings": CALLS,
    "lists": LISTS,
    "hashes": HASHES,
    "sets": SETS,
    "sorted sets": SORTED_SETS,
    "bits": BITS,
    "geo": GEO,
    "streams": STREAMS,
}

# What is refused before it is queued, and with it the transaction.
REFUSED = ("wrong number of arguments", "unknown subcommand")

# What a pipeline cannot give: it has no answer before it is executed, or none at all.
NOT_QUEUED = {"__contains__", "__getitem__", "__setitem__", "__delitem__"}


def plain(result):
    """A result, or an error without what a pipeline says of its place."""
    if isinstance(result, Exception):
        return type(result), str(result)
    return result, type(result)


def call(client, method, arguments, options):
    try:
        return plain(getattr(client, method)(*arguments, **options))
    except Exception as error:
        return plain(error)


@pytest.mark.parametrize("transaction", [True, False], ids=["transaction", "pipeline"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_method_gives_the_same_result_in_a_pipeline(family, transaction):
    calls = [item for item in FAMILIES[family] if item[0] not in NOT_QUEUED]
    options = {"seed": 7, "clock": keyslot.ManualClock(1_700_000_000_000)}
    with keyslot.Engine(**options) as direct, keyslot.Engine(**options) as other:
        expected, queued = [], []
        pipe = other.pipeline(transaction)
        for method, arguments, named in calls:
            result = call(direct, method, arguments, named)
            if transaction and str(result[1]).startswith(REFUSED):
                continue
            try:
                assert getattr(pipe, method)(*arguments, **named) is pipe, method
            except Exception as error:
                assert plain(error) == result, method
            else:
                expected.append(result)
                queued.append(method)
        assert len(pipe) == len(expected)
        got = [plain(result) for result in pipe.execute(raise_on_error=False)]
        assert len(pipe) == 0
        for method, ours, theirs in zip(queued, got, expected, strict=True):
            assert ours == theirs, method


def test_no_method_is_left_out_of_pipelines():
    walks = {"scan_iter", "hscan_iter", "sscan_iter", "zscan_iter", "bitfield"}
    from keyslot._commands import Commands

    for family in Commands.__mro__:
        for name, method in vars(family).items():
            if name.startswith("_") or name in walks or not inspect.isfunction(method):
                continue
            assert "execute" not in method.__code__.co_names, f"{name} must use execute_command"


def test_bits_are_queued_when_their_operation_is_executed(engine):
    with engine.pipeline() as pipe:
        assert pipe.bitfield("b").set("u8", 0, 255).get("u4", "#1").execute() is pipe
        assert pipe.execute() == [[0, 15]]


def test_words_of_any_kind_are_queued(engine):
    with engine.pipeline() as pipe:
        pipe["a"] = 1
        del pipe["none"]
        with pytest.raises(keyslot.DataError):
            assert "a" in pipe
        pipe.execute_command("SET", b"b", 2.5).mset({"c": bytearray(b"x")}).mget([])
        pipe.ask(len, "GET", "c")
        assert pipe.execute() == [True, 0, b"OK", True, [], 1]
    assert engine.mget("a", "b", "c") == [b"1", b"2.5", b"x"]


def test_nothing_is_seen_before_it_is_executed(engine):
    with engine.pipeline() as pipe:
        assert bool(pipe) and len(pipe) == 0 and pipe.execute() == []
        pipe.set("a", 1).incr("a")
        assert len(pipe) == 2
        assert engine.get("a") is None
        assert pipe.execute() == [True, 2]
        assert pipe.execute() == []
        pipe.set("a", 5)
    assert engine.get("a") == b"2"


def test_a_pipeline_is_in_the_database_of_its_client(engine):
    engine.select(3)
    with engine.session() as session:
        session.select(4)
        session.pipeline().set("k", "of the session").execute()
    engine.pipeline(transaction=False).set("k", "of the engine").execute()
    assert engine.get("k") == b"of the engine"
    engine.select(4)
    assert engine.get("k") == b"of the session"


def test_a_pipeline_ends_with_its_engine():
    engine = keyslot.Engine()
    pipe = engine.pipeline().set("a", 1)
    engine.close()
    for use in (pipe.execute, lambda: pipe.get("a"), lambda: pipe.watch("a"), engine.pipeline):
        with pytest.raises(keyslot.ClosedError):
            use()
    pipe.reset()


def test_who_ends_the_session_ends_the_pipeline(engine):
    pipe = engine.pipeline(transaction=False).set("a", 1).execute_command("QUIT").set("a", 2)
    results = pipe.execute(raise_on_error=False)
    assert results[:2] == [True, b"OK"]
    assert isinstance(results[2], keyslot.ResponseError)
    assert engine.get("a") == b"1"


# What has a class of its own here.
THEIR_NAMES = {"KeyslotError": "RedisError", "WrongTypeError": "ResponseError"}


def said(work):
    """What a call comes to, errors by the name of their class, which two packages share."""
    try:
        result = work()
    except Exception as error:
        return THEIR_NAMES.get(type(error).__name__, type(error).__name__), str(error)
    if not isinstance(result, list):
        return result
    return [str(one) if isinstance(one, Exception) else one for one in result]


def both(engine, redis_client, talk):
    """Holds a conversation here and with redis-py, and returns what was said in both."""
    conversations = []
    for client in (engine, redis_client):
        client.flushall()
        heard = []
        talk(client, lambda work: heard.append(said(work)))
        conversations.append(heard)
    assert conversations[0] == conversations[1]
    return conversations[0]


@pytest.mark.parametrize("transaction", [True, False], ids=["transaction", "pipeline"])
def test_errors_are_those_of_redis_py(engine, redis_client, transaction):
    def talk(client, attempt):
        wrong = client.pipeline(transaction).set("a", 1).lpush("a", "x").incr("a")
        attempt(wrong.execute)
        attempt(lambda: client.get("a"))
        wrong = client.pipeline(transaction).set("a", 1).lpush("a", "x").incr("a")
        attempt(lambda: wrong.execute(raise_on_error=False))
        unknown = client.pipeline(transaction).set("a", 5).execute_command("NO" * 80, "y").incr("a")
        attempt(unknown.execute)
        attempt(lambda: client.get("a"))
        for length in (30, 84, 85, 90):
            long = client.pipeline(transaction).execute_command("INCR", "a", "word", "y" * length)
            attempt(long.execute)
        few = client.pipeline(transaction).execute_command("GET")
        attempt(few.execute)
        attempt(lambda: client.pipeline(transaction).get("a").execute())

    both(engine, redis_client, talk)


def test_watching_is_as_in_redis_py(engine, redis_client):
    def talk(client, attempt):
        client.set("a", 1)
        pipe = client.pipeline()
        attempt(lambda: pipe.watch("a", "b"))
        attempt(lambda: pipe.watching)
        attempt(lambda: pipe.get("a"))
        attempt(pipe.multi)
        attempt(pipe.multi)
        attempt(lambda: pipe.watch("a"))
        attempt(lambda: pipe.incr("a") is pipe)
        attempt(lambda: (len(pipe), pipe.explicit_transaction))
        client.set("b", "changed")
        attempt(pipe.execute)
        attempt(lambda: (len(pipe), pipe.watching, pipe.explicit_transaction))
        attempt(lambda: client.get("a"))
        # The key is not watched any longer.
        client.set("b", "again")
        attempt(lambda: pipe.incr("a").execute())
        attempt(lambda: pipe.watch("a"))
        attempt(pipe.unwatch)
        client.set("a", 7)
        attempt(lambda: pipe.incr("a").execute())
        attempt(lambda: pipe.watch("a"))
        pipe.reset()
        client.set("a", 8)
        attempt(lambda: pipe.incr("a").execute())
        attempt(lambda: pipe.incr("a") is pipe)
        attempt(pipe.multi)
        pipe.reset()
        # With a key that changed there is nothing to do, and it is told all the same.
        attempt(lambda: pipe.watch("a"))
        client.set("a", 9)
        attempt(pipe.execute)
        attempt(lambda: pipe.watch("a"))
        attempt(lambda: pipe.immediate_execute_command("GET", "a"))
        # As it is here, where redis-py makes a truth value of it.
        assert pipe.execute_command("UNWATCH") in (b"OK", True)
        attempt(lambda: pipe.watching)

    heard = both(engine, redis_client, talk)
    assert ("WatchError", "Watched variable changed.") in heard


def test_transaction_tries_again_until_no_key_changed(engine, redis_client):
    def talk(client, attempt):
        client.set("a", 1)
        tries = []

        def double(pipe):
            value = int(pipe.get("a"))
            if len(tries) < 3:
                client.incr("a")
            tries.append(value)
            pipe.multi()
            pipe.set("a", value * 2)
            return "value"

        attempt(lambda: client.transaction(double, "a"))
        attempt(lambda: client.transaction(double, "a", value_from_callable=True))
        attempt(lambda: (client.get("a"), tries))
        attempt(lambda: client.transaction(lambda pipe: pipe.get("a"), shard_hint="none"))

    both(engine, redis_client, talk)


def test_a_key_that_expires_has_changed(engine, clock):
    engine.set("a", 1, px=100)
    with engine.pipeline() as pipe:
        pipe.watch("a")
        pipe.multi()
        pipe.set("b", 2)
        clock.advance_ms(101)
        with pytest.raises(keyslot.WatchError):
            pipe.execute()
    assert engine.get("b") is None


def test_threads_that_watch_lose_no_step():
    steps = 150
    with keyslot.Engine() as engine:

        def work(_):
            def step(pipe):
                value = int(pipe.get("n") or 0)
                pipe.multi()
                pipe.set("n", value + 1)
                pipe.rpush("seen", value)

            for _ in range(steps):
                engine.transaction(step, "n")

        run_all(work)
        total = int(engine.get("n"))
        assert total % steps == 0 and total > 0
        assert engine.lrange("seen", 0, -1) == [b"%d" % value for value in range(total)]


def test_nobody_sees_a_part_of_a_transaction():
    with keyslot.Engine() as engine:
        keys = [f"k{number}" for number in range(8)]

        def work(number):
            for step in range(300):
                if number % 2:
                    values = engine.mget(keys)
                    assert len(set(values)) == 1, values
                else:
                    pipe = engine.pipeline()
                    for key in keys:
                        pipe.set(key, f"{number}:{step}")
                    pipe.execute()

        run_all(work)


def test_a_pipeline_keeps_no_argument_and_no_function(engine):
    class Convert:
        def __call__(self, reply):
            return reply

    convert, value = Convert(), b"value-of-its-own" * 3
    before = sys.getrefcount(convert), sys.getrefcount(value)
    pipe = engine.pipeline()
    for _ in range(20):
        pipe.set("k", value).ask(convert, "GET", "k")
        assert pipe.execute()[1] == value
        pipe.ask(convert, "GET", "k").reset()
    assert (sys.getrefcount(convert), sys.getrefcount(value)) == before
