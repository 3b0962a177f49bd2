"""The same calls on every type by redis-py to a real redis-server: arguments and results agree."""

import datetime

import pytest

import keyslot
from test_redis_py import outcome

LISTS = [
    ("rpush", ("l", "a", "b", "c", 1, 2.5), {}),
    ("lpush", ("l", "x", "y"), {}),
    ("lpushx", ("none", "x"), {}),
    ("rpushx", ("l", "z"), {}),
    ("llen", ("l",), {}),
    ("lrange", ("l", 0, -1), {}),
    ("lindex", ("l", -1), {}),
    ("lindex", ("l", 99), {}),
    ("lset", ("l", 0, "first"), {}),
    ("lset", ("l", 99, "first"), {}),
    ("linsert", ("l", "BEFORE", "a", "before"), {}),
    ("linsert", ("l", "after", "nothing", "after"), {}),
    ("lrem", ("l", 1, "b"), {}),
    ("ltrim", ("l", 0, 4), {}),
    ("lpos", ("l", "a"), {}),
    ("lpos", ("l", "a"), {"rank": -1, "maxlen": 10}),
    ("lpos", ("l", "a"), {"count": 0}),
    ("lpop", ("l",), {}),
    ("lpop", ("l", 2), {}),
    ("rpop", ("l", 1), {}),
    ("rpop", ("none",), {}),
    ("rpop", ("none", 1), {}),
    ("rpush", ("l", 3, 1, 2), {}),
    ("lmove", ("l", "m"), {}),
    ("lmove", ("l", "m", "RIGHT", "LEFT"), {}),
    ("rpoplpush", ("l", "m"), {}),
    ("lmpop", (2, "none", "m"), {"direction": "LEFT"}),
    ("lmpop", (1, "m"), {"direction": "RIGHT", "count": 5}),
    ("lmpop", (1, "m"), {"direction": "RIGHT"}),
    ("rpush", ("n", 3, 1, 2), {}),
    ("mset", ({"w_1": 30, "w_2": 20, "w_3": 10, "o_1": "one", "o_2": "two"},), {}),
    ("sort", ("n",), {}),
    ("sort", ("n",), {"desc": True, "start": 0, "num": 2}),
    ("sort", ("n",), {"start": 0}),
    ("sort", ("n",), {"by": "w_*", "get": "o_*"}),
    ("sort", ("n",), {"by": "w_*", "get": ["#", "o_*"], "groups": True}),
    ("sort", ("n",), {"store": "sorted", "alpha": True}),
    ("sort_ro", ("n",), {"by": "nosort"}),
]

HASHES = [
    ("hset", ("h", "a", 1), {}),
    ("hset", ("h",), {"mapping": {"b": 2, "c": b"three"}, "items": ["d", 4]}),
    ("hset", ("h",), {}),
    ("hget", ("h", "a"), {}),
    ("hget", ("h", "none"), {}),
    ("hgetall", ("h",), {}),
    ("hgetall", ("none",), {}),
    ("hmget", ("h", "a", "none"), {}),
    ("hmget", ("h", ["a", "b"], "c"), {}),
    ("hmset", ("h", {"e": 5}), {}),
    ("hmset", ("h", {}), {}),
    ("hkeys", ("h",), {}),
    ("hvals", ("h",), {}),
    ("hlen", ("h",), {}),
    ("hexists", ("h", "a"), {}),
    ("hsetnx", ("h", "a", 9), {}),
    ("hstrlen", ("h", "c"), {}),
    ("hincrby", ("h", "a"), {}),
    ("hincrby", ("h", "c"), {}),
    ("hincrbyfloat", ("h", "a", 0.5), {}),
    ("hscan", ("h",), {}),
    ("hscan", ("h",), {"match": "a*", "count": 100}),
    ("hscan", ("none",), {}),
    ("hrandfield", ("none",), {}),
    ("hrandfield", ("none", 2), {}),
    ("hrandfield", ("h", 0), {}),
    ("hdel", ("h", "a", "none"), {}),
]

SETS = [
    ("sadd", ("s", "a", "b", "c", 1), {}),
    ("sadd", ("t", "b", "c", "d"), {}),
    ("scard", ("s",), {}),
    ("sdiff", ("s", "t"), {}),
    ("sdiff", (["s", "t"],), {}),
    ("sdiffstore", ("u", "s", "t"), {}),
    ("sinter", (["s"], "t"), {}),
    ("sintercard", (2, ["s", "t"]), {"limit": 1}),
    ("sinterstore", ("u", ["s", "t"]), {}),
    ("sismember", ("s", "a"), {}),
    ("sismember", ("s", "z"), {}),
    ("smismember", ("s", "a", "z"), {}),
    ("smismember", ("s", ["a"], "z"), {}),
    ("smembers", ("s",), {}),
    ("smembers", ("none",), {}),
    ("smove", ("s", "t", "a"), {}),
    ("smove", ("s", "t", "z"), {}),
    ("spop", ("none",), {}),
    ("spop", ("none", 2), {}),
    ("srandmember", ("none",), {}),
    ("srandmember", ("none", 2), {}),
    ("srem", ("s", "b", "z"), {}),
    ("sunion", ("s", "t"), {}),
    ("sunionstore", ("u", "s", "t"), {}),
    ("sscan", ("none",), {"match": "a*", "count": 3}),
]

SORTED_SETS = [
    ("zadd", ("z", {"a": 1, "b": 2.5, "c": "inf"}), {}),
    ("zadd", ("z", {"a": 2, "d": 4}), {"ch": True}),
    ("zadd", ("z", {"a": 9}), {"nx": True}),
    ("zadd", ("z", {"a": 1}), {"xx": True, "gt": True}),
    ("zadd", ("z", {"a": 1}), {"incr": True}),
    ("zadd", ("z", {"a": 1}), {"incr": True, "nx": True}),
    ("zadd", ("z", {"a": "x"}), {}),
    ("zadd", ("y", {"b": 10, "c": 20, "e": 30}), {}),
    ("zcard", ("z",), {}),
    ("zcount", ("z", "-inf", "(3"), {}),
    ("zdiff", (["z", "y"],), {}),
    ("zdiff", (["z", "y"],), {"withscores": True}),
    ("zdiffstore", ("x", ["z", "y"]), {}),
    ("zincrby", ("z", 1.5, "a"), {}),
    ("zinter", (["z", "y"],), {}),
    ("zinter", ({"z": 2, "y": 1},), {"aggregate": "MAX", "withscores": True}),
    ("zintercard", (2, ["z", "y"]), {"limit": 1}),
    ("zinterstore", ("x", {"z": 2, "y": 1}), {"aggregate": "MIN"}),
    ("zunion", (["z", "y"],), {"withscores": True}),
    ("zunionstore", ("x", ["z", "y"]), {}),
    ("zlexcount", ("same", "-", "+"), {}),
    ("zmscore", ("z", ["a", "none"]), {}),
    ("zrange", ("z", 0, -1), {}),
    ("zrange", ("z", 0, -1), {"withscores": True}),
    ("zrange", ("z", 0, 1), {"desc": True, "withscores": True, "score_cast_func": str}),
    ("zrange", ("z", "-inf", "(5"), {"byscore": True, "offset": 1, "num": 1}),
    ("zadd", ("same", {"a": 1, "b": 1, "c": 1, "d": 1}), {}),
    ("zrange", ("same", "+", "[b"), {"bylex": True, "desc": True}),
    ("zrangestore", ("x", "z", 0, 1), {}),
    ("zrevrange", ("z", 0, 1), {"withscores": True}),
    ("zrangebylex", ("same", "-", "[c"), {"start": 0, "num": 2}),
    ("zrevrangebylex", ("same", "[c", "-"), {}),
    ("zrangebyscore", ("z", 1, 4), {"withscores": True, "start": 0, "num": 2}),
    ("zrevrangebyscore", ("z", 4, 1), {"withscores": True, "score_cast_func": int}),
    ("zrank", ("z", "b"), {}),
    ("zrank", ("z", "none"), {}),
    ("zrevrank", ("z", "b"), {}),
    ("zscore", ("z", "c"), {}),
    ("zscore", ("z", "none"), {}),
    ("zscan", ("z",), {}),
    ("zscan", ("z",), {"match": "[ab]", "score_cast_func": int}),
    ("zrandmember", ("none",), {}),
    ("zrandmember", ("none", 2), {}),
    ("zmpop", (2, ["none", "z"]), {"min": True}),
    ("zmpop", (1, ["none"]), {"max": True, "count": 2}),
    ("zpopmax", ("z",), {}),
    ("zpopmin", ("z", 2), {}),
    ("zpopmin", ("none",), {}),
    ("zrem", ("y", "b", "none"), {}),
    ("zremrangebyrank", ("y", 0, 0), {}),
    ("zremrangebyscore", ("x", 0, 1), {}),
    ("zremrangebylex", ("same", "-", "[b"), {}),
]

BITS = [
    ("setbit", ("b", 7, 1), {}),
    ("setbit", ("b", 7, 0), {}),
    ("setbit", ("b", 12, True), {}),
    ("getbit", ("b", 12), {}),
    ("bitcount", ("b",), {}),
    ("bitcount", ("b", 0, 0), {}),
    ("bitcount", ("b", 0, 12, "BIT"), {}),
    ("bitcount", ("b", 0), {}),
    ("bitpos", ("b", 1), {}),
    ("bitpos", ("b", 1, 0, -1, "BIT"), {}),
    ("bitpos", ("b", 2), {}),
    ("bitop", ("NOT", "c", "b"), {}),
    ("bitop", ("AND", "c", "b", "c"), {}),
    ("bitfield_ro", ("b", "u8", 8), {"items": [("i4", "#1")]}),
    ("pfadd", ("p", "a", "b"), {}),
    ("pfadd", ("p", "a"), {}),
    ("pfcount", ("p", "none"), {}),
    ("pfmerge", ("q", "p"), {}),
]

GEO = [
    ("geoadd", ("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")), {}),
    ("geoadd", ("g", (13.5, 38.115556, "Palermo")), {"xx": True, "ch": True}),
    ("geoadd", ("g", (13.5, 38.115556)), {}),
    ("geodist", ("g", "Palermo", "Catania"), {}),
    ("geodist", ("g", "Palermo", "Catania", "km"), {}),
    ("geodist", ("g", "Palermo", "none"), {}),
    ("geohash", ("g", "Palermo"), {}),
    ("geopos", ("g", "Palermo", "none"), {}),
    ("geosearch", ("g",), {"member": "Palermo", "radius": 200, "unit": "km", "sort": "ASC"}),
    (
        "geosearch",
        ("g",),
        {
            "longitude": 15,
            "latitude": 37,
            "width": 400,
            "height": 400,
            "unit": "km",
            "sort": "DESC",
            "count": 2,
            "withdist": True,
            "withcoord": True,
            "withhash": True,
        },
    ),
    ("geosearchstore", ("k", "g"), {"member": "Palermo", "radius": 1, "storedist": True}),
    ("georadius", ("g", 15, 37), {"radius": 200, "unit": "km", "sort": "ASC", "withdist": True}),
    ("georadiusbymember", ("g", "Palermo", 200), {"unit": "km", "store": "k"}),
]

STREAMS = [
    ("xadd", ("x", {"a": 1}), {"id": "1-1"}),
    ("xadd", ("x", {"a": 2, "b": "two"}), {"id": "2-1"}),
    ("xadd", ("x", {"a": 3}), {"id": "3-1", "maxlen": 100}),
    ("xadd", ("x", {"a": 3}), {"id": "1-1"}),
    ("xadd", ("none", {"a": 3}), {"nomkstream": True}),
    ("xadd", ("x", {}), {}),
    ("xlen", ("x",), {}),
    ("xrange", ("x",), {}),
    ("xrange", ("x", "(1-1", "+"), {"count": 1}),
    ("xrevrange", ("x",), {"count": 2}),
    ("xread", ({"x": "1-1", "none": 0},), {"count": 1}),
    ("xread", ({"none": 0},), {}),
    ("xgroup_create", ("x", "g", 0), {}),
    ("xgroup_create", ("x", "g"), {}),
    ("xgroup_create", ("new", "g"), {"mkstream": True}),
    ("xgroup_createconsumer", ("x", "g", "c"), {}),
    ("xreadgroup", ("g", "c", {"x": ">"}), {"count": 2}),
    ("xreadgroup", ("g", "c", {"x": "0"}), {}),
    ("xpending", ("x", "g"), {}),
    ("xpending", ("new", "g"), {}),
    ("xack", ("x", "g", "1-1"), {}),
    ("xclaim", ("x", "g", "d", 0, ["2-1"]), {}),
    ("xclaim", ("x", "g", "c", 0, ["2-1"]), {"justid": True}),
    ("xautoclaim", ("x", "g", "d", 0), {"justid": True}),
    ("xautoclaim", ("x", "g", "d", 0), {"count": 5}),
    ("xgroup_setid", ("x", "g", "1-1"), {}),
    ("xinfo_groups", ("x",), {}),
    ("xgroup_delconsumer", ("x", "g", "c"), {}),
    ("xgroup_destroy", ("x", "g"), {}),
    ("xtrim", ("x", 2), {"approximate": False}),
    ("xtrim", ("x",), {"minid": "3-1", "approximate": False}),
    ("xtrim", ("x",), {}),
    ("xdel", ("x", "3-1"), {}),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "calls",
    [LISTS, HASHES, SETS, SORTED_SETS, BITS, GEO, STREAMS],
    ids=["lists", "hashes", "sets", "sorted sets", "bits", "geo", "streams"],
)
def test_calls_agree(redis_client, calls):
    redis_client.flushall()
    with keyslot.Engine() as engine:
        for call in calls:
            ours, theirs = outcome(engine, *call), outcome(redis_client, *call)
            # What redis-py itself refuses has a text of its own.
            if theirs[0] == "DataError":
                ours, theirs = ours[0], theirs[0]
            assert ours == theirs, call


def test_what_the_peer_is_too_old_for(engine, clock):
    assert engine.hset("h", mapping={"a": 1, "b": 2}) == 2
    assert engine.hexpire("h", datetime.timedelta(seconds=10), "a", "none") == [1, -2]
    assert engine.httl("h", "a", "b", "none") == [10, -1, -2]
    assert engine.hpersist("h", "a") == [1]
    assert engine.hgetex("h", "a", ex=5) == [b"1"]
    clock.advance_ms(5_001)
    assert engine.hgetall("h") == {b"b": b"2"}
    assert engine.hgetdel("h", "b") == [b"2"]
    assert engine.exists("h") == 0
    assert engine.hsetex("h", "a", 1, px=100) == 1
    clock.advance_ms(101)
    assert engine.hget("h", "a") is None
    with pytest.raises(ValueError):
        engine.hexpire("h", 1, "a", nx=True, xx=True)
    assert engine.zadd("z", {"a": 1.5}) == 1
    assert engine.zrank("z", "a", withscore=True) == [0, 1.5]


def test_integers_within_a_string(engine):
    fields = engine.bitfield("b").set("u8", 0, 255).incrby("u8", 0, 1, "sat").get("u4", "#1")
    assert fields.command[:2] == ["BITFIELD", "b"]
    assert fields.execute() == [0, 255, 15]
    assert fields.execute() == []
    assert engine.bitfield("b", "fail").incrby("u8", 0, 1).execute() == [None]


def test_walks_return_everything(engine):
    members = {f"m{number}".encode() for number in range(1_000)}
    engine.sadd("s", *members)
    engine.hset("h", mapping={member: b"v" for member in members})
    engine.zadd("z", {member: 1 for member in members})
    assert set(engine.sscan_iter("s")) == members
    assert dict(engine.hscan_iter("h")) == {member: b"v" for member in members}
    assert set(engine.hscan_iter("h", no_values=True)) == members
    assert dict(engine.zscan_iter("z")) == {member: 1.0 for member in members}


def test_results_are_the_same_in_the_newer_protocol(engine):
    engine.hset("h", "f", "v")
    engine.sadd("s", "m")
    engine.zadd("z", {"m": 1.5})
    engine.xadd("x", {"f": "v"}, id="1-1")

    def results():
        return [
            engine.hgetall("h"),
            engine.smembers("s"),
            engine.zrange("z", 0, -1, withscores=True),
            engine.zscore("z", "m"),
            engine.xread({"x": 0}),
            engine.xinfo_stream("x"),
            engine.zpopmin("z"),
        ]

    before = results()
    engine.zadd("z", {"m": 1.5})
    engine.execute("HELLO", 3)
    assert results() == before
