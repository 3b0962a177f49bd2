"""Commands that wait: they sleep without the interpreter's lock, and wake at once."""

import signal
import threading

import pytest

import keyslot


def in_thread(work):
    result = []
    thread = threading.Thread(target=lambda: result.append(work()))
    thread.start()
    return thread, result


def waiting(engine):
    return engine.info("clients")["blocked_clients"]


def test_a_value_wakes_who_waits():
    with keyslot.Engine() as engine:
        thread, result = in_thread(lambda: engine.execute("BLPOP", "k", "l", 0))
        while not waiting(engine):
            pass
        # The same object serves this thread meanwhile.
        assert engine.execute("RPUSH", "l", "v") == 1
        thread.join()
        assert result == [[b"l", b"v"]]


def test_time_and_other_clients_end_a_wait():
    with keyslot.Engine() as engine:
        assert engine.execute("BLPOP", "k", 0.01) is None
        assert engine.execute("BZPOPMIN", "k", 0.01) is None
        engine.execute("RPUSH", "k", "v")
        assert engine.execute("BRPOP", "k", 0) == [b"k", b"v"]
        thread, result = in_thread(lambda: engine.execute("BLPOP", "k", 0))
        while not waiting(engine):
            pass
        lines = engine.execute("CLIENT", "LIST").decode().splitlines()
        (line,) = [line for line in lines if " flags=b " in line]
        number = line.split(" ")[0].removeprefix("id=")
        assert engine.execute("CLIENT", "UNBLOCK", number) == 1
        thread.join()
        assert result == [None]


def test_a_transaction_does_not_wait():
    with keyslot.Engine() as engine:
        engine.execute("MULTI")
        assert engine.execute("BLPOP", "k", 0) == b"QUEUED"
        assert engine.execute("EXEC") == [None]


def test_methods_wait_and_return_redis_pys_shapes():
    with keyslot.Engine() as engine:
        engine.rpush("l", "a", "b", "c", "d")
        assert engine.blpop(["none", "l"], timeout=1) == (b"l", b"a")
        assert engine.brpop("l") == (b"l", b"d")
        assert engine.brpoplpush("l", "m") == b"c"
        assert engine.blmove("l", "m", 1, "LEFT", "RIGHT") == b"b"
        assert engine.blmpop(1, 2, "l", "m", direction="LEFT", count=5) == [b"m", [b"c", b"b"]]
        engine.zadd("z", {"x": 1, "y": 2, "v": 3})
        assert engine.bzpopmin("z") == (b"z", b"x", 1.0)
        assert engine.bzpopmax(["none", "z"], 1) == (b"z", b"v", 3.0)
        assert engine.bzmpop(1, 1, ["z"], min=True) == [b"z", [[b"y", b"2"]]]
        assert engine.blpop("l", 0.01) is None
        assert engine.bzpopmin("z", 0.01) is None
        assert engine.wait(0, 10) == 0
        assert engine.waitaof(0, 0, 10) == [0, 0]


def test_a_signal_ends_a_wait():
    # A shell lets what it starts in the background ignore the signal, and Python heeds that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with keyslot.Engine() as engine:
        main = threading.main_thread().ident
        timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                engine.blpop("k", 60)
        finally:
            timer.join()
            signal.signal(signal.SIGINT, before)
        # Nobody waits any longer who would take this.
        assert engine.rpush("k", "v") == 1
        assert engine.lpop("k") == b"v"
