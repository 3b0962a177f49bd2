"""References and memory: what goes in is not kept, what comes out is freed."""

import gc
import sys
import tracemalloc

import pytest

import keyslot


def test_arguments_are_not_kept(engine):
    key, value, name = b"key-of-its-own", b"value-of-its-own" * 3, "text-of-its-own"
    watched = (key, value, name)
    before = [sys.getrefcount(item) for item in watched]
    for _ in range(100):
        engine.set(key, value)
        engine.get(key)
        engine.set(name, value, ex=100)
        engine.mset({key: value, name: value})
        engine.mget([key, name], key)
        engine.exists(key, name)
        engine.execute("SET", key, value)
        engine[key] = value
        assert key in engine
        engine.expire(key, 100)
        engine.delete(key, name)
        with pytest.raises(KeyError):
            engine[key]
    gc.collect()
    assert [sys.getrefcount(item) for item in watched] == before


def test_a_reply_has_one_owner(engine):
    engine.set("key", "a value that is not interned")
    own = sys.getrefcount(object())
    # Not inside the assertion, which keeps what it compares.
    counts = [
        sys.getrefcount(engine.get("key")),
        sys.getrefcount(engine.execute("GET", "key")),
        sys.getrefcount(engine.mget("key")),
        sys.getrefcount(engine.mget("key")[0]),
        sys.getrefcount(engine.getex("key")),
    ]
    assert counts == [own] * len(counts)


def churn(engine):
    for number in range(200):
        engine.set(number, "v" * 500)
        engine.get(number)
        engine.mget(range(50))
        engine.execute("KEYS", "*")
        engine.scan(count=100)
        with pytest.raises(keyslot.ResponseError):
            engine.incr(number)
        with pytest.raises(keyslot.DataError):
            engine.set(number, None)
        with engine.session() as session:
            session.feed(b"PING\r\nNOPE\r\n" * 20)
            session.take_output()


def test_python_memory_does_not_grow(engine):
    churn(engine)
    gc.collect()
    tracemalloc.start()
    try:
        churn(engine)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            churn(engine)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 50_000


def test_closed_engines_give_their_memory_back():
    def resident_bytes():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    def use():
        with keyslot.Engine() as engine:
            for start in range(0, 50_000, 5_000):
                engine.mset({number: "v" * 200 for number in range(start, start + 5_000)})

    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    for _ in range(3):
        use()
    before = resident_bytes()
    for _ in range(6):
        use()
    assert resident_bytes() - before < 20_000_000
