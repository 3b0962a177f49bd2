"""The key methods, as redis-py has them, and what expires when."""

import datetime

import pytest

import keyslot

START = 1_700_000_000


def test_keys_come_and_go(engine):
    engine.mset({"a": 1, "b": 2, "c": 3})
    assert engine.exists("a", "b", "none", "a") == 3
    assert engine.touch("a", "none") == 1
    assert engine.type("a") == b"string"
    assert engine.type("none") == b"none"
    assert engine.delete("a", "none") == 1
    assert engine.unlink("b", "c") == 2
    assert engine.dbsize() == 0
    assert engine.randomkey() is None


def test_an_engine_reads_like_a_dictionary(engine):
    engine["key"] = "value"
    assert engine["key"] == b"value"
    assert "key" in engine
    del engine["key"]
    del engine["key"]
    assert "key" not in engine
    with pytest.raises(KeyError, match="key"):
        engine["key"]


def test_every_key_is_found(engine):
    names = {b"key:%d" % number for number in range(1_000)}
    engine.mset(dict.fromkeys(names, "x"))
    engine.set("other", 1)
    assert set(engine.keys("key:*")) == names
    assert len(engine.keys()) == 1_001
    assert set(engine.scan_iter("key:*", count=7)) == names
    assert set(engine.scan_iter(_type="string")) == names | {b"other"}
    assert list(engine.scan_iter(_type="list")) == []
    cursor, some = engine.scan(count=10)
    assert cursor != 0 and some
    assert engine.scan(cursor, match="none*", count=100_000) == (0, [])
    assert engine.randomkey() in names | {b"other"}


def test_values_move(engine):
    engine.set("a", 1, ex=10)
    assert engine.rename("a", "b") is True
    assert engine.ttl("b") == 10
    engine.set("c", 2)
    assert engine.renamenx("b", "c") is False
    assert engine.renamenx("b", "d") is True
    assert engine.copy("c", "d") is False
    assert engine.copy("c", "d", replace=True) is True
    assert engine.get("d") == b"2"
    assert engine.copy("c", "c", destination_db=3) is True
    assert engine.move("d", 3) is True
    assert engine.move("d", 3) is False
    assert engine.select(3) is True
    assert engine.database == 3
    assert engine.mget("c", "d") == [b"2", b"2"]
    with pytest.raises(keyslot.ResponseError, match="no such key"):
        engine.rename("none", "other")


def test_values_are_dumped_and_restored(engine):
    engine.set("key", "value")
    payload = engine.dump("key")
    assert engine.dump("none") is None
    assert engine.restore("copy", 0, payload) == b"OK"
    assert engine.restore("timed", 1_500, payload) == b"OK"
    assert engine.pttl("timed") == 1_500
    with pytest.raises(keyslot.BusyKeyError, match="BUSYKEY Target key name already exists."):
        engine.restore("copy", 0, payload)
    until = START * 1000 + 700
    assert engine.restore("copy", until, payload, replace=True, absttl=True, idletime=9) == b"OK"
    assert (engine.get("copy"), engine.pttl("copy")) == (b"value", 700)
    with pytest.raises(keyslot.ResponseError, match="DUMP payload version or checksum are wrong"):
        engine.restore("bad", 0, payload[:-1] + b"?")


@pytest.mark.parametrize(
    ("method", "time", "left_ms"),
    [
        ("expire", 10, 10_000),
        ("expire", datetime.timedelta(minutes=1), 60_000),
        ("pexpire", 10, 10),
        ("pexpire", datetime.timedelta(seconds=0.25), 250),
        ("expireat", START + 5, 5_000),
        ("expireat", datetime.datetime.fromtimestamp(START + 5), 5_000),
        ("pexpireat", START * 1000 + 5, 5),
        ("pexpireat", datetime.datetime.fromtimestamp(START + 1.5), 1_500),
    ],
)
def test_keys_expire(engine, clock, method, time, left_ms):
    assert getattr(engine, method)("none", time) is False
    engine.set("key", 1)
    assert getattr(engine, method)("key", time) is True
    assert engine.pttl("key") == left_ms
    assert engine.pexpiretime("key") == START * 1000 + left_ms
    assert engine.expiretime("key") == (START * 1000 + left_ms + 500) // 1000
    clock.advance_ms(left_ms)
    assert engine.exists("key") == 1
    clock.advance_ms(1)
    assert engine.exists("key") == 0
    assert (engine.ttl("key"), engine.pttl("key")) == (-2, -2)
    assert (engine.expiretime("key"), engine.pexpiretime("key")) == (-2, -2)


def test_conditions_of_expiry(engine):
    engine.set("key", 1)
    assert engine.expire("key", 10, xx=True) is False
    assert engine.expire("key", 10, gt=True) is False
    assert engine.expire("key", 10, nx=True) is True
    assert engine.expire("key", 20, nx=True) is False
    assert engine.expire("key", 5, gt=True) is False
    assert engine.pexpire("key", 20_000, gt=True) is True
    assert engine.expireat("key", START + 30, lt=True) is False
    assert engine.pexpireat("key", (START + 15) * 1000, lt=True) is True
    assert engine.ttl("key") == 15
    assert engine.persist("key") is True
    assert engine.persist("key") is False
    assert engine.ttl("key") == -1
    with pytest.raises(keyslot.ResponseError, match="NX and XX, GT or LT options"):
        engine.expire("key", 10, nx=True, gt=True)


def test_maintain_frees_what_expired(engine, clock):
    assert engine.next_expiry_ms() is None
    for number in range(100):
        engine.set(number, number, px=number + 1)
    assert engine.next_expiry_ms() == START * 1000 + 1
    clock.advance_ms(1_000)
    assert engine.dbsize() == 100
    assert engine.maintain(60) is True
    assert engine.dbsize() == 40
    while engine.maintain():
        pass
    assert engine.dbsize() == 0
    assert engine.next_expiry_ms() is None


def test_object_tells_of_values(engine, clock):
    engine.mset({"number": 1, "short": "text", "long": "x" * 100})
    encodings = [engine.object("encoding", name) for name in ("number", "short", "long")]
    assert encodings == [b"int", b"embstr", b"raw"]
    assert engine.object("refcount", "short") == 1
    clock.advance_ms(5_000)
    assert engine.object("idletime", "short") == 5
    assert engine.object("encoding", "none") is None
