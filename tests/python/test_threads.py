"""Many threads, one engine: every read is checked, and long calls let the others run."""

import threading
import time

import pytest

import keyslot

THREADS = 4


def run_all(work):
    """Runs `work(number)` in as many threads, and raises what went wrong in one of them."""
    failures = []

    def guarded(number):
        try:
            work(number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


def test_every_thread_reads_what_it_wrote():
    with keyslot.Engine() as engine:

        def work(number):
            for step in range(5_000):
                key = f"{number}:{step % 50}"
                value = b"%d" % step
                engine.set(key, value)
                assert engine.get(key) == value
                assert engine.incr("all") > 0
                if step % 10 == 0:
                    assert engine.mget(key, "none") == [value, None]
                    assert engine.execute("APPEND", key, "!") == len(value) + 1
                if step % 100 == 0:
                    assert engine.delete(key) == 1
                    assert engine.get(key) is None

        run_all(work)
        assert engine.get("all") == b"%d" % (THREADS * 5_000)


def test_a_reader_sees_whole_values_only():
    with keyslot.Engine(shards=1) as engine:
        values = [bytes([65 + number]) * 2_000 for number in range(THREADS)]
        engine.set("key", values[0])

        def work(number):
            for _ in range(3_000):
                engine.set("key", values[number])
                assert engine.get("key") in values

        run_all(work)


def test_threads_may_share_a_session():
    with keyslot.Engine() as engine, engine.session() as session:

        def work(number):
            for _ in range(2_000):
                session.feed(b"INCR n\r\n")
                assert session.execute("INCR", "n") > 0

        run_all(work)
        assert engine.get("n") == b"%d" % (THREADS * 4_000)
        assert len(session.take_output().splitlines()) == THREADS * 2_000


def test_walks_and_changes_go_together():
    with keyslot.Engine() as engine:
        stay = {b"stay:%d" % number for number in range(2_000)}
        engine.mset(dict.fromkeys(stay, "x"))

        def work(number):
            if number == 0:
                for _ in range(10):
                    assert stay <= set(engine.scan_iter(count=100))
                    assert stay <= set(engine.keys())
            else:
                for step in range(5_000):
                    engine.set(f"{number}:{step}", step)
                    engine.delete(f"{number}:{step - 10}")

        run_all(work)


def test_closing_meets_running_calls():
    engine = keyslot.Engine()

    def work(number):
        if number == 0:
            time.sleep(0.05)
            engine.close()
            return
        with pytest.raises(keyslot.ClosedError):
            for step in range(10_000_000):
                engine.set(step % 1_000, step)
                engine.execute("GET", step % 1_000)

    run_all(work)


def test_long_calls_let_other_threads_run():
    with keyslot.Engine() as engine:
        for start in range(0, 300_000, 10_000):
            engine.mset({f"key:{number}": "x" for number in range(start, start + 10_000)})
        done = threading.Event()

        def walk():
            # The pattern matches nothing, so that all the time is the engine's.
            for _ in range(5):
                engine.keys("*[a]*[b]*[c]*")
            done.set()

        thread = threading.Thread(target=walk)
        thread.start()
        ticks = 0
        while not done.is_set():
            ticks += 1
            time.sleep(0.0005)
        thread.join()
        assert ticks > 5
