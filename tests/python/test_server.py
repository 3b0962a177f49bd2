"""The methods about the engine and the client, and how an engine is opened and closed."""

import gc
import weakref

import pytest

import keyslot


def test_ping_and_echo(engine):
    assert engine.ping() is True
    assert engine.echo("hello") == b"hello"
    assert engine.echo(5) == b"5"


def test_databases(engine):
    engine.set("key", 0)
    assert engine.select(1) is True
    assert engine.get("key") is None
    engine.set("key", 1)
    assert engine.swapdb(0, 1) is True
    assert engine.get("key") == b"0"
    assert engine.flushdb() is True
    assert engine.dbsize() == 0
    engine.select(0)
    assert engine.get("key") == b"1"
    assert engine.flushall(asynchronous=True) is True
    assert engine.dbsize() == 0
    with pytest.raises(keyslot.ResponseError, match="DB index is out of range"):
        engine.select(16)


def test_fewer_databases():
    with keyslot.Engine(databases=1) as engine:
        with pytest.raises(keyslot.ResponseError, match="DB index is out of range"):
            engine.select(1)


def test_time_is_the_clocks(engine, clock):
    assert engine.time() == (1_700_000_000, 0)
    clock.advance_ms(1_250)
    assert engine.time() == (1_700_000_001, 250_000)
    assert clock.unix_ms == 1_700_000_001_250
    clock.set_unix_ms(5)
    assert engine.time() == (0, 5_000)
    assert repr(clock) == "ManualClock(unix_ms=5)"


def test_info_is_a_dictionary(engine):
    engine.set("key", 1)
    engine.set("timed", 1, ex=10)
    info = engine.info()
    assert info["db0"]["keys"] == 2
    assert info["db0"]["expires"] == 1
    assert info["redis_version"].startswith("7.2")
    assert set(engine.info("keyspace")) == {"db0"}


def test_settings(engine):
    assert engine.config_get("maxmemory") == {"maxmemory": "0"}
    assert engine.config_set("maxmemory", 1_000_000) is True
    assert engine.config_get("maxmemory") == {"maxmemory": "1000000"}
    assert engine.config_set("maxmemory", 0, "lfu-log-factor", 20) is True
    assert engine.config_get("lfu-*", "maxmemory")["lfu-log-factor"] == "20"
    assert len(engine.config_get()) > 5
    assert engine.config_resetstat() is True
    with pytest.raises(keyslot.ResponseError, match="Unknown option"):
        engine.config_set("no-such-setting", 1)


def test_settings_at_the_start():
    with keyslot.Engine(settings={"lfu-log-factor": 7, "maxmemory": "1mb"}) as engine:
        assert engine.config_get("maxmemory") == {"maxmemory": "1048576"}
        assert engine.config_get("lfu-log-factor") == {"lfu-log-factor": "7"}
    with keyslot.Engine(settings={b"databases": b"2"}) as engine:
        assert engine.select(1) is True
        with pytest.raises(keyslot.ResponseError):
            engine.select(2)
    with pytest.raises(keyslot.ResponseError):
        keyslot.Engine(settings={"no-such-setting": 1})
    with pytest.raises(keyslot.ResponseError):
        keyslot.Engine(settings={"maxmemory": "lots"})
    with pytest.raises(TypeError):
        keyslot.Engine(settings=["maxmemory"])
    with pytest.raises(keyslot.DataError):
        keyslot.Engine(settings={"maxmemory": None})


def test_a_password_is_asked_for_whatever_the_call():
    with keyslot.Engine(settings={"requirepass": "secret"}) as engine:
        for call in (lambda: engine.get("key"), lambda: engine.set("key", 1), engine.dbsize):
            with pytest.raises(keyslot.AuthenticationError, match="Authentication required."):
                call()
        assert engine.execute("AUTH", "secret") == b"OK"
        assert engine.set("key", 1) is True
        assert engine["key"] == b"1"


def test_clients_know_themselves(engine):
    assert engine.client_getname() is None
    assert engine.client_setname("me") is True
    assert engine.client_getname() == "me"
    assert engine.client_setinfo("lib-name", "tests") is True
    info = engine.client_info()
    assert (info["name"], info["id"], info["db"]) == ("me", engine.client_id(), 0)
    with engine.session() as session:
        assert session.client_id() == session.id != engine.client_id()
        assert session.client_getname() is None
        names = {client["id"]: client["name"] for client in session.client_list()}
        assert names[str(engine.client_id())] == "me"


def test_a_client_that_does_not_touch_leaves_idle_times_alone(engine, clock):
    engine.set("key", 1)
    assert engine.client_no_touch("on") == b"OK"
    clock.advance_ms(7_000)
    assert engine.get("key") == b"1"
    assert engine.object("idletime", "key") == 7
    assert engine.client_no_touch("off") == b"OK"
    engine.get("key")
    assert engine.object("idletime", "key") == 0


def test_memory_usage(engine):
    engine.set("key", "x" * 1_000)
    assert 1_000 <= engine.memory_usage("key") <= 1_200
    assert engine.memory_usage("key", samples=0) == engine.memory_usage("key")
    assert engine.memory_usage("none") is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"shards": 3}, "shards must be a power of two from 1 to 16384, not 3"),
        ({"shards": 0}, "power of two"),
        ({"shards": 32_768}, "power of two"),
        ({"shards": 2_048, "scheme": "codis"}, "from 1 to 1024"),
        ({"databases": 0}, "databases must be from 1"),
        ({"scheme": "ring"}, "scheme is 'redis' or 'codis', not 'ring'"),
    ],
)
def test_impossible_engines_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        keyslot.Engine(**options)


@pytest.mark.parametrize("options", [{"shards": 1}, {"shards": 16_384}, {"scheme": "codis"}])
def test_engines_of_all_shapes_hold_keys(options):
    with keyslot.Engine(**options, seed=42) as engine:
        engine.mset({number: number for number in range(500)})
        assert engine.dbsize() == 500
        assert set(engine.scan_iter()) == {b"%d" % number for number in range(500)}


def test_the_seed_decides_what_chance_does():
    def choices(seed):
        with keyslot.Engine(seed=seed) as engine:
            engine.mset({number: number for number in range(100)})
            return [engine.randomkey() for _ in range(20)]

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)


def test_engines_do_not_see_each_other():
    with keyslot.Engine() as one, keyslot.Engine() as other:
        one.set("key", 1)
        assert other.get("key") is None


def test_a_closed_engine_refuses_everything():
    engine = keyslot.Engine()
    session = engine.session()
    engine.set("key", 1)
    with engine as same:
        assert same is engine
        assert not engine.closed
    assert engine.closed and session.closed
    calls = [
        lambda: engine.get("key"),
        lambda: engine.set("key", 1),
        lambda: engine.execute("PING"),
        lambda: engine.maintain(),
        lambda: engine.session(),
        lambda: session.feed(b"PING\r\n"),
        lambda: session.get("key"),
    ]
    for call in calls:
        with pytest.raises(keyslot.ClosedError):
            call()
    engine.close()
    assert repr(engine) == "<keyslot.Engine closed>"


def test_an_engine_lives_as_long_as_its_sessions():
    engine = keyslot.Engine()
    engine.set("key", 1)
    session = engine.session()
    gone = weakref.ref(engine)
    del engine
    gc.collect()
    assert gone() is None
    assert session.get("key") == b"1"


def test_figures_are_numbers_by_name() -> None:
    engine = keyslot.Engine()
    engine.set("k", "v")
    engine.get("k")
    engine.get("none")
    figures = engine.figures()
    assert (figures["keyspace_hits"], figures["keyspace_misses"]) == (1, 1)
    assert figures["databases"] == {0: {"keys": 1, "expiring_keys": 0}}
    assert figures["commands"]["get"]["calls"] == 2
    assert figures["errors"] == {}
    text = engine.open_metrics()
    assert "\nkeyslot_keyspace_hits_total 1\n" in text
    assert text.endswith("# EOF\n")
