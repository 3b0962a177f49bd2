"""Commands that wait: they sleep without the interpreter's lock, and wake at once."""

import threading

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
