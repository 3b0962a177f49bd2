"""Scripts and functions: the same calls by redis-py to a real redis-server, and what is our own."""

import threading

import pytest

import keyslot
from test_redis_py import outcome

LIBRARY = """#!lua name=lib
redis.register_function('put', function(keys, args)
  return redis.call('SET', keys[1], args[1])
end)
redis.register_function{
  function_name = 'get', flags = {'no-writes'}, description = 'reads',
  callback = function(keys) return redis.call('GET', keys[1]) end
}"""
ONE = "#!lua name=one\nredis.register_function('one', function() return 1 end)"
DIGEST = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"

CALLS = [
    ("eval", ("return {KEYS[1], ARGV[1], 2, {3}, false}", 1, "k", "a"), {}),
    ("eval", ("return redis.call('SET', KEYS[1], ARGV[1])", 1, "k", 7), {}),
    ("eval", ("return redis.call('NOSUCH')", 0), {}),
    ("eval", ("return", "x"), {}),
    ("eval_ro", ("return redis.call('GET', KEYS[1])", 1, "k"), {}),
    ("eval_ro", ("return redis.call('DEL', KEYS[1])", 1, "k"), {}),
    ("script_exists", (DIGEST, "x"), {}),
    ("evalsha", (DIGEST, 0), {}),
    ("script_load", ("return 1",), {}),
    ("script_exists", (DIGEST, "x"), {}),
    ("evalsha", (DIGEST, 0), {}),
    ("evalsha_ro", (DIGEST, 0), {}),
    ("script_flush", (), {}),
    ("script_flush", ("ASYNC",), {}),
    ("script_exists", (DIGEST,), {}),
    ("script_kill", (), {}),
    ("function_load", (LIBRARY,), {}),
    ("function_load", (LIBRARY,), {}),
    ("function_load", (LIBRARY,), {"replace": True}),
    ("function_load", ("return 1",), {}),
    ("fcall", ("put", 1, "k", "v"), {}),
    ("fcall", ("none", 0), {}),
    ("fcall_ro", ("get", 1, "k"), {}),
    ("fcall_ro", ("put", 1, "k", "v"), {}),
    ("function_kill", (), {}),
    ("function_stats", (), {}),
    ("function_delete", ("none",), {}),
    ("function_delete", ("lib",), {}),
    ("function_load", (ONE,), {}),
    ("function_list", (), {}),
    ("function_list", ("o*",), {"withcode": True}),
    ("function_list", ("none",), {}),
    ("function_restore", (b"garbage",), {}),
    ("function_flush", (), {}),
    ("function_flush", ("ASYNC",), {}),
    ("function_flush", ("SOON",), {}),
    ("fcall", ("one", 0), {}),
]


def without_sets(result):
    """Flags are a list in the older protocol and a set in the newer, which redis-py may speak."""
    if isinstance(result, (list, tuple)):
        return [without_sets(part) for part in result]
    return sorted(result) if isinstance(result, set) else result


def test_calls_have_redis_pys_results(engine, redis_client):
    redis_client.flushall()
    redis_client.function_flush()
    redis_client.script_flush()
    for method, args, kwargs in CALLS:
        ours = outcome(engine, method, args, kwargs)
        theirs = outcome(redis_client, method, args, kwargs)
        assert without_sets(ours) == without_sets(theirs), (method, args, kwargs)


def test_an_odd_way_to_flush_is_refused(engine):
    with pytest.raises(keyslot.DataError):
        engine.script_flush("SOON")


def test_libraries_go_from_one_to_the_other(engine, redis_client):
    redis_client.function_flush()
    engine.function_load(LIBRARY)
    assert redis_client.function_restore(engine.function_dump())
    assert redis_client.fcall("put", 1, "k", "v") == b"OK"
    assert engine.function_restore(redis_client.function_dump(), policy="REPLACE")
    assert engine.fcall("put", 1, "k", "v") == b"OK"
    with pytest.raises(keyslot.ResponseError, match="Library lib already exists"):
        engine.function_restore(redis_client.function_dump())
    assert engine.function_restore(redis_client.function_dump(), "FLUSH")


def test_a_script_is_something_to_call(engine):
    add = engine.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert isinstance(add, keyslot.Script)
    assert engine.script_exists(add.sha) == [False]
    assert add(keys=["n"], args=[5]) == 5
    assert engine.script_exists(add.sha) == [True]
    assert add(["n"], [2]) == 7
    with engine.session() as session:
        session.select(1)
        assert add(["n"], [1], client=session) == 1
    with engine.pipeline() as pipe:
        add(["n"], [1], client=pipe)
        pipe.get("n")
        engine.script_flush()
        assert pipe.execute() == [8, b"8"]
    assert engine.register_script(b"return ARGV").script == b"return ARGV"
    assert engine.register_script("return #ARGV")() == 0


def test_scripts_and_functions_wait_in_a_pipeline(engine):
    with engine.pipeline() as pipe:
        pipe.function_load(LIBRARY).fcall("put", 1, "k", "v").eval("return redis.call('GET', 'k')", 0)
        pipe.script_exists(DIGEST).script_load("return 1")
        assert pipe.execute() == [b"lib", b"OK", b"v", [False], DIGEST]


@pytest.mark.parametrize(
    ("run", "kill", "told"),
    [
        (("eval", ("while true do end", 0)), "script_kill", True),
        (("fcall", ("loop", 0)), "function_kill", b"OK"),
    ],
)
def test_what_does_not_end_is_killed_from_another_thread(run, kill, told):
    with keyslot.Engine(settings={"busy-reply-threshold": 1}) as engine:
        engine.function_load(
            "#!lua name=loop\nredis.register_function('loop', function() while true do end end)"
        )
        ended = []

        def work():
            method, args = run
            try:
                getattr(engine, method)(*args)
            except keyslot.ResponseError as error:
                ended.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        while True:
            try:
                assert getattr(engine, kill)() == told
                break
            except keyslot.ResponseError as error:
                assert str(error).startswith("NOTBUSY"), error
        thread.join()
        assert ended and ended[0].startswith("Script killed by user with SCRIPT KILL...")
        assert engine.get("k") is None


def test_results_are_the_same_in_the_newer_protocol(engine):
    engine.function_load(ONE)

    def results():
        return engine.function_stats(), engine.function_list(withcode=True)

    before = results()
    engine.execute("HELLO", 3)
    assert results() == before
    assert engine.eval("redis.setresp(3) return {double = 1.5}", 0) == 1.5
