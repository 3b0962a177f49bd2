"""Those who listen: to channels, and to what is carried out."""

import threading

import pytest

import keyslot


def test_messages_arrive_in_their_order(engine):
    with engine.pubsub() as listener:
        listener.subscribe("news", b"sport")
        listener.psubscribe("n*")
        kinds = [listener.get_message(timeout=5) for _ in range(3)]
        assert kinds == [
            {"type": "subscribe", "pattern": None, "channel": b"news", "data": 1},
            {"type": "subscribe", "pattern": None, "channel": b"sport", "data": 2},
            {"type": "psubscribe", "pattern": None, "channel": b"n*", "data": 3},
        ]
        assert engine.pubsub_channels() in ([b"news", b"sport"], [b"sport", b"news"])
        assert engine.pubsub_numsub("news", "other") == [(b"news", 1), (b"other", 0)]
        assert engine.pubsub_numpat() == 1
        assert engine.publish("news", "hello") == 2
        assert listener.get_message() == {
            "type": "message",
            "pattern": None,
            "channel": b"news",
            "data": b"hello",
        }
        assert listener.get_message() == {
            "type": "pmessage",
            "pattern": b"n*",
            "channel": b"news",
            "data": b"hello",
        }
        assert listener.get_message() is None
        listener.ping("are you there")
        pong = {"type": "pong", "pattern": None, "channel": None, "data": b"are you there"}
        assert listener.get_message() == pong


def test_who_leaves_hears_nothing(engine):
    listener = engine.pubsub(ignore_subscribe_messages=True)
    assert not listener.subscribed
    assert listener.get_message(timeout=0.01) is None
    listener.subscribe("a", "b")
    listener.unsubscribe("a")
    while listener.get_message(timeout=0) is not None or b"a" in listener.channels:
        pass
    assert engine.publish("a", 1) == 0
    assert engine.publish("b", 1) == 1
    assert [message["data"] for message in [listener.get_message(timeout=5)]] == [b"1"]
    listener.unsubscribe()
    assert list(listener.listen()) == []
    assert not listener.subscribed
    listener.close()
    with pytest.raises(keyslot.ClosedError):
        listener.subscribe("a")


def test_messages_wake_who_sleeps(engine):
    listener = engine.pubsub(ignore_subscribe_messages=True)
    listener.ssubscribe("shard")
    assert listener.get_message(timeout=5) is None
    heard = []
    thread = threading.Thread(target=lambda: heard.append(listener.get_message(timeout=None)))
    thread.start()
    assert engine.spublish("shard", b"\x00\xff") == 1
    thread.join(timeout=30)
    assert heard[0]["type"] == "smessage"
    assert heard[0]["data"] == b"\x00\xff"
    assert engine.pubsub_shardchannels() == [b"shard"]
    assert engine.pubsub_shardnumsub("shard") == [(b"shard", 1)]
    listener.sunsubscribe()
    assert list(listener.listen()) == []


def test_handlers_get_messages_in_a_thread(engine):
    heard, both = [], threading.Event()

    def note(message):
        heard.append((message["channel"], message["data"]))
        if len(heard) == 2:
            both.set()

    listener = engine.pubsub()
    listener.subscribe(news=note)
    listener.psubscribe(**{"sp*": note})
    thread = listener.run_in_thread(sleep_time=0.01)
    engine.publish("news", "one")
    engine.publish("sport", "two")
    assert both.wait(30)
    thread.stop()
    thread.join(timeout=30)
    assert sorted(heard) == [(b"news", b"one"), (b"sport", b"two")]
    assert engine.pubsub_numsub("news") == [(b"news", 0)]
    silent = engine.pubsub()
    silent.subscribe("unhandled")
    with pytest.raises(ValueError):
        silent.run_in_thread()


def test_keyspace_events_are_messages(engine):
    engine.config_set("notify-keyspace-events", "KEA")
    with engine.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("__keyevent@0__:*")
        engine.set("k", "v")
        engine.delete("k")
        heard = []
        while len(heard) < 2:
            message = listener.get_message(timeout=30)
            if message is not None:
                heard.append((message["channel"], message["data"]))
        assert heard == [(b"__keyevent@0__:set", b"k"), (b"__keyevent@0__:del", b"k")]


def test_a_monitor_sees_commands(engine):
    with engine.monitor() as monitor, engine.session() as session:
        session.select(3)
        session.execute("SET", 'a "quoted" key', "v")
        commands = []
        while not commands or "SET" not in commands[-1]["command"]:
            commands.append(monitor.next_command())
        seen = commands[-1]
        assert seen["command"] == 'SET a "quoted" key v'
        assert seen["db"] == 3
        assert seen["time"] > 0
