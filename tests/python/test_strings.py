"""The string methods, as redis-py has them."""

import datetime

import pytest

import keyslot


def test_get_and_set(engine):
    assert engine.get("key") is None
    assert engine.set("key", "value") is True
    assert engine.get("key") == b"value"
    assert engine.get(name="key") == b"value"
    assert engine.set(name="key", value=5) is True
    assert engine["key"] == b"5"


def test_conditions_of_set(engine):
    assert engine.set("key", 1, xx=True) is None
    assert engine.set("key", 1, nx=True) is True
    assert engine.set("key", 2, nx=True) is None
    assert engine.set("key", 3, xx=True) is True
    assert engine.set("key", 4, get=True) == b"3"
    assert engine.set("other", 1, get=True) is None
    assert engine.get("other") == b"1"
    assert engine.set("key", "OK", get=True) == b"4"
    assert engine.set("key", 5, get=True) == b"OK"


@pytest.mark.parametrize(
    ("options", "left_ms"),
    [
        ({"ex": 10}, 10_000),
        ({"ex": "10"}, 10_000),
        ({"ex": datetime.timedelta(minutes=1, milliseconds=900)}, 60_000),
        ({"px": 1_500}, 1_500),
        ({"px": datetime.timedelta(milliseconds=1_500)}, 1_500),
        ({"exat": 1_700_000_100}, 100_000),
        ({"pxat": 1_700_000_000_250}, 250),
        ({"exat": datetime.datetime.fromtimestamp(1_700_000_100)}, 100_000),
        (
            {"pxat": datetime.datetime.fromtimestamp(1_700_000_001, datetime.timezone.utc)},
            1_000,
        ),
    ],
)
def test_set_and_getex_take_times(engine, clock, options, left_ms):
    assert engine.set("key", "value", **options) is True
    assert engine.pttl("key") == left_ms
    engine.set("key", "value")
    assert engine.getex("key", **options) == b"value"
    assert engine.pttl("key") == left_ms
    clock.advance_ms(left_ms)
    assert engine.get("key") == b"value"
    clock.advance_ms(1)
    assert engine.get("key") is None


def test_set_keeps_or_drops_the_expiry_time(engine):
    engine.set("key", 1, ex=10)
    engine.set("key", 2, keepttl=True)
    assert engine.ttl("key") == 10
    engine.set("key", 3)
    assert engine.ttl("key") == -1


def test_getex_persists(engine):
    engine.set("key", 1, ex=10)
    assert engine.getex("key") == b"1"
    assert engine.ttl("key") == 10
    assert engine.getex("key", persist=True) == b"1"
    assert engine.ttl("key") == -1
    assert engine.getex("none", ex=1) is None


@pytest.mark.parametrize(
    "options",
    [
        {"ex": 1, "px": 1},
        {"ex": 1, "keepttl": True},
        {"exat": 1, "pxat": 1},
        {"nx": True, "xx": True},
        {"ex": 1.5},
        {"ex": "soon"},
        {"px": True},
    ],
)
def test_set_refuses_what_excludes_itself(engine, options):
    with pytest.raises(keyslot.DataError):
        engine.set("key", "value", **options)
    assert engine.exists("key") == 0


def test_getex_refuses_two_times(engine):
    with pytest.raises(keyslot.DataError):
        engine.getex("key", ex=1, persist=True)


def test_an_invalid_time_is_the_engines_to_refuse(engine):
    with pytest.raises(keyslot.ResponseError, match="invalid expire time in 'set' command"):
        engine.set("key", "value", ex=0)
    with pytest.raises(keyslot.ResponseError, match="invalid expire time in 'setex' command"):
        engine.setex("key", -1, "value")
    assert engine.exists("key") == 0


def test_older_ways_to_set(engine):
    assert engine.setnx("key", 1) is True
    assert engine.setnx("key", 2) is False
    assert engine.setex("key", 10, "ten") is True
    assert engine.ttl("key") == 10
    assert engine.setex("key", datetime.timedelta(hours=1), "hour") is True
    assert engine.ttl("key") == 3_600
    assert engine.psetex("key", 500, "half") is True
    assert engine.pttl("key") == 500
    assert engine.psetex("key", datetime.timedelta(seconds=1.5), "more") is True
    assert engine.pttl("key") == 1_500
    assert engine.getset("key", "new") == b"more"
    assert engine.getset("none", "new") is None
    assert engine.getdel("key") == b"new"
    assert engine.getdel("key") is None


def test_many_at_once(engine):
    assert engine.mset({"a": 1, b"b": "two", "c": 3.5}) is True
    assert engine.mget("a", "b", "none", "c") == [b"1", b"two", None, b"3.5"]
    assert engine.mget(["a", "b"], "none") == [b"1", b"two", None]
    assert engine.mget(("a",)) == [b"1"]
    assert engine.mget({"a": "ignored"}) == [b"1"]
    assert engine.mget(key for key in "ab") == [b"1", b"two"]
    assert engine.mget(b"b") == [b"two"]
    assert engine.mget([]) == []
    assert engine.msetnx({"d": 1, "a": 2}) is False
    assert engine.get("d") is None
    assert engine.msetnx({"d": 1, "e": 2}) is True
    with pytest.raises(keyslot.ResponseError, match="wrong number of arguments for 'mset'"):
        engine.mset({})


def test_very_many_at_once(engine):
    values = {f"key:{number}": number for number in range(20_000)}
    assert engine.mset(values) is True
    assert engine.mget(values) == [b"%d" % number for number in range(20_000)]
    assert engine.dbsize() == 20_000
    assert engine.exists(*values) == 20_000
    assert engine.delete(*values) == 20_000


def test_any_mapping_is_stored(engine):
    import collections

    assert engine.mset(collections.ChainMap({"a": 1}, {"b": 2})) is True
    assert engine.mget("a", "b") == [b"1", b"2"]


def test_parts_of_strings(engine):
    assert engine.append("key", "Hello") == 5
    assert engine.append("key", " World") == 11
    assert engine.strlen("key") == 11
    assert engine.strlen("none") == 0
    assert engine.getrange("key", 0, 4) == b"Hello"
    assert engine.getrange("key", -5, -1) == b"World"
    assert engine.substr("key", 6) == b"World"
    assert engine.substr("key", 0, 1) == b"He"
    assert engine.setrange("key", 6, "Redis") == 11
    assert engine.get("key") == b"Hello Redis"


def test_counters(engine):
    assert engine.incr("n") == 1
    assert engine.incr("n", 10) == 11
    assert engine.incrby("n", amount=-1) == 10
    assert engine.decr("n") == 9
    assert engine.decr("n", 4) == 5
    assert engine.decrby("n", 5) == 0
    assert engine.incrbyfloat("n") == 1.0
    assert engine.incrbyfloat("n", 0.5) == 1.5
    with pytest.raises(keyslot.ResponseError, match="value is not an integer or out of range"):
        engine.incr("n")
    engine.set("n", 2**63 - 1)
    with pytest.raises(keyslot.ResponseError, match="increment or decrement would overflow"):
        engine.incr("n")


def test_longest_common_subsequence(engine):
    engine.mset({"a": "ohmytext", "b": "mynewtext"})
    assert engine.lcs("a", "b") == b"mytext"
    assert engine.lcs("a", "b", len=True) == 6
    assert engine.lcs("a", "b", idx=True) == [
        b"matches", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], b"len", 6,
    ]
    assert engine.lcs("a", "b", idx=True, minmatchlen=4, withmatchlen=True) == [
        b"matches", [[[4, 7], [5, 8], 4]], b"len", 6,
    ]
