"""What an engine tells of itself and of its clients, by methods."""

import pytest

import keyslot


def test_slow_calls_are_told_of(engine):
    engine.config_set("slowlog-log-slower-than", 0)
    engine.set("k", "v")
    assert engine.slowlog_len() > 0
    calls = [call for call in engine.slowlog_get() if call["command"] == b"SET k v"]
    assert calls and calls[0]["duration"] >= 0 and calls[0]["start_time"] > 0
    engine.config_set("slowlog-log-slower-than", -1)
    assert engine.slowlog_reset() is True
    assert engine.slowlog_get(5) == []


def test_what_is_slow_is_told_of(engine):
    engine.get("k")
    assert engine.latency_latest() == []
    assert engine.latency_history("command") == []
    assert engine.latency_reset() == 0
    assert "Dave" in engine.latency_doctor()
    with pytest.raises(keyslot.ResponseError):
        engine.latency_graph("command")
    engine.execute("LPUSH", "l", 1)
    histogram = engine.latency_histogram("lpush")["lpush"]
    assert histogram["calls"] == 1
    assert list(histogram["histogram_usec"].values()) == [1]


def test_memory_is_told_of(engine):
    engine.set("k", "v")
    stats = engine.memory_stats()
    assert stats["keys.count"] == 1
    assert stats["total.allocated"] > 0
    assert isinstance(engine.memory_doctor(), str)
    assert engine.memory_purge() is True


def test_commands_are_told_of(engine):
    known = engine.command()
    assert len(known) == engine.command_count()
    assert known["get"]["arity"] == 2
    assert "readonly" in known["get"]["flags"]
    assert set(engine.command_info("get", "no-such-command")) == {"get"}
    assert engine.command_docs("get")["get"]["summary"]
    assert engine.command_getkeys("MSET", "a", 1, "b", 2) == ["a", "b"]
    flagged = engine.command_getkeysandflags("GET", "a")
    assert flagged == [[b"a", [b"RO", b"access"]]]
    assert engine.command_list(pattern="hge*t") == [b"hget"]
    assert b"get" in engine.command_list(category="string")
    with pytest.raises(keyslot.DataError):
        engine.command_list(category="string", pattern="*")


def test_clients_are_governed(engine):
    with engine.session() as session:
        session.client_setname("victim")
        nothing = ["flags", [b"off"], "redirect", -1, "prefixes", []]
        assert session.client_trackinginfo() == nothing
        assert session.client_getredir() == -1
        assert engine.client_unblock(session.id) is False
        assert engine.client_kill_filter(_id=session.id) == 1
        session.poll()
        assert session.closing
    with pytest.raises(keyslot.DataError):
        engine.client_kill_filter()
    assert engine.client_pause(1, all=False) is True
    assert engine.client_unpause() == b"OK"
    assert engine.role() == [b"master", 0, []]
    engine.config_set("requirepass", "secret")
    with engine.session() as session:
        with pytest.raises(keyslot.AuthenticationError):
            session.get("k")
        assert session.auth("secret") is True
        assert session.get("k") is None
