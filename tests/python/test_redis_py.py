"""The same calls by redis-py to a real redis-server: names, arguments and results agree."""

import datetime
import inspect

import pytest

import keyslot

# Calls in order, on one keyspace: (method, arguments, keyword arguments).
CALLS = [
    ("set", ("a", "1"), {}),
    ("set", ("a", "2"), {"nx": True}),
    ("set", ("n", "2"), {"xx": True}),
    ("set", ("a", "2"), {"get": True}),
    ("set", ("z", "2"), {"get": True}),
    ("set", ("t", "2"), {"ex": datetime.timedelta(seconds=100)}),
    ("set", ("t", "3"), {"keepttl": True}),
    ("ttl", ("t",), {}),
    ("set", ("t", "3"), {"ex": 1, "px": 1}),
    ("set", ("t", "3"), {"ex": 0}),
    ("set", ("t", None), {}),
    ("setnx", ("a", 1), {}),
    ("setex", ("x", 100, "v"), {}),
    ("setex", ("x", 0, "v"), {}),
    ("psetex", ("x", 100_000, "v"), {}),
    ("getset", ("x", "w"), {}),
    ("getset", ("y", "w"), {}),
    ("getdel", ("y",), {}),
    ("getdel", ("y",), {}),
    ("getex", ("x",), {"ex": 100}),
    ("getex", ("x",), {"persist": True}),
    ("mset", ({"a": 1, "b": b"two"},), {}),
    ("mget", ("a", "b", "c"), {}),
    ("mget", (["a", "b"], "c"), {}),
    ("mget", ([],), {}),
    ("msetnx", ({"a": 1, "q": 2},), {}),
    ("msetnx", ({"p": 1, "q": 2},), {}),
    ("append", ("s", "Hello"), {}),
    ("strlen", ("s",), {}),
    ("getrange", ("s", 1, -2), {}),
    ("substr", ("s", 1), {}),
    ("setrange", ("s", 7, "x"), {}),
    ("setrange", ("s", -1, "x"), {}),
    ("get", ("s",), {}),
    ("incr", ("i",), {}),
    ("incr", ("i", 5), {}),
    ("incr", ("s",), {}),
    ("incr", ("i", "five"), {}),
    ("incrby", ("i", 5), {}),
    ("decr", ("i",), {}),
    ("decrby", ("i", 3), {}),
    ("incrbyfloat", ("f", 0.1), {}),
    ("incrbyfloat", ("f", 1e20), {}),
    ("incrbyfloat", ("s", 1), {}),
    ("lcs", ("s", "b"), {}),
    ("lcs", ("s", "b"), {"len": True}),
    ("lcs", ("s", "s"), {"idx": True, "withmatchlen": True}),
    ("exists", ("a", "b", "none", "a"), {}),
    ("touch", ("a", "none"), {}),
    ("type", ("a",), {}),
    ("type", ("none",), {}),
    ("keys", ("[ab]",), {}),
    ("rename", ("a", "a2"), {}),
    ("rename", ("none", "a2"), {}),
    ("renamenx", ("a2", "b"), {}),
    ("renamenx", ("a2", "a3"), {}),
    ("copy", ("a3", "a4"), {}),
    ("copy", ("a3", "a4"), {}),
    ("copy", ("a3", "a4"), {"replace": True}),
    ("copy", ("a3", "a4"), {"destination_db": 1}),
    ("move", ("a4", 1), {}),
    ("move", ("a3", 1), {}),
    ("dump", ("none",), {}),
    ("restore", ("r", 0, b"garbage"), {}),
    ("expire", ("b", 100), {}),
    ("expire", ("b", 50), {"gt": True}),
    ("expire", ("b", 50), {"lt": True}),
    ("expire", ("b", 50), {"nx": True, "xx": True}),
    ("expire", ("none", 50), {}),
    ("expire", ("b", "soon"), {}),
    ("pexpire", ("b", datetime.timedelta(seconds=1_000)), {"xx": True}),
    ("expireat", ("b", 4_000_000_000), {}),
    ("expiretime", ("b",), {}),
    ("pexpireat", ("b", datetime.datetime.fromtimestamp(4_000_000_001)), {}),
    ("pexpiretime", ("b",), {}),
    ("persist", ("b",), {}),
    ("persist", ("b",), {}),
    ("ttl", ("b",), {}),
    ("pttl", ("none",), {}),
    ("object", ("encoding", "s"), {}),
    ("object", ("encoding", "i"), {}),
    ("object", ("refcount", "s"), {}),
    ("object", ("nothing", "s"), {}),
    ("ping", (), {}),
    ("echo", ("hello",), {}),
    ("dbsize", (), {}),
    ("swapdb", (0, 1), {}),
    ("swapdb", (0, 1), {}),
    ("scan", (), {"count": 1_000, "match": "a*"}),
    ("scan", (), {"count": 1_000, "_type": "list"}),
    ("scan", ("x",), {}),
    ("config_get", ("maxmemory",), {}),
    ("config_set", ("maxmemory", "many"), {}),
    ("config_resetstat", (), {}),
    ("client_getname", (), {}),
    ("client_setname", ("two words",), {}),
    ("memory_usage", ("none",), {}),
    ("delete", ("a", "b", "c"), {}),
    ("unlink", ("s", "none"), {}),
    ("delete", (), {}),
    ("get", ("s",), {}),
    ("__contains__", ("s",), {}),
    ("__setitem__", ("s", 5), {}),
    ("__getitem__", ("s",), {}),
    ("__contains__", ("s",), {}),
    ("__delitem__", ("s",), {}),
    ("__getitem__", ("s",), {}),
    ("flushdb", (), {"asynchronous": True}),
    ("flushall", (), {}),
    ("randomkey", (), {}),
]

# Where redis-py answers a method that the language wants as a truth value otherwise.
AS_TRUTH = {"__contains__"}


def outcome(client, method, arguments, options):
    """What a call returns or raises, in a form that may be compared."""
    try:
        result = getattr(client, method)(*arguments, **options)
    except Exception as error:
        return type(error).__name__, str(error)
    if method in AS_TRUTH:
        return bool(result)
    if isinstance(result, list) and method in ("keys",):
        return sorted(result)
    return result, type(result)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_calls_agree(redis_client):
    redis_client.flushall()
    with keyslot.Engine() as engine:
        for call in CALLS:
            assert outcome(engine, *call) == outcome(redis_client, *call), call


def test_values_travel_by_dump(redis_client):
    with keyslot.Engine() as engine:
        for value in (b"text", b"12345", b"x" * 100_000, bytes(range(256))):
            redis_client.set("key", value)
            engine.restore("key", 0, redis_client.dump("key"), replace=True)
            assert engine.get("key") == value


def test_info_has_the_same_shape(redis_client):
    redis_client.set("key", 1)
    with keyslot.Engine() as engine:
        engine.set("key", 1)
        ours, theirs = engine.info(), redis_client.info()
        # Redis 7.4, which the peer is too old for, also tells of fields that expire.
        assert set(ours["db0"]) == set(theirs["db0"]) | {"subexpiry"}
        common = set(ours) & set(theirs)
        assert {"redis_version", "used_memory", "keyspace_hits"} <= common
        for name in common - {"db0"}:
            numbers = (int, float)
            assert isinstance(ours[name], numbers) == isinstance(theirs[name], numbers), name


NEWER_OPTIONS = {"lock", "set", "xadd", "xread", "xreadgroup"}


def parameters(method):
    signature = inspect.signature(method)
    kinds = (inspect.Parameter.VAR_KEYWORD,)
    return [name for name, item in signature.parameters.items() if item.kind not in kinds]


def test_parameters_have_redis_pys_names_and_order():
    redis = pytest.importorskip("redis")
    # The options of `transaction` and `pubsub` are keyword arguments there that no signature tells;
    # `command_docs`, `command_info` and `latency_graph` only say there that they are not implemented.
    own = {
        "ask", "close", "closed", "command_docs", "command_info", "database", "decline_links",
        "execute", "figures", "latency_graph", "link_fileno", "maintain", "next_expiry_ms",
        "open_metrics", "poll_link", "pubsub", "serve_links", "session", "transaction",
    }
    for name in dir(keyslot.Engine):
        if name.startswith("_") or name in own:
            continue
        ours = parameters(getattr(keyslot.Engine, name))
        theirs = parameters(getattr(redis.Redis, name))
        # Some have options there that came after Redis 8.2; they come last.
        assert theirs[: len(ours)] == ours, name
        assert name in NEWER_OPTIONS or theirs == ours, name
