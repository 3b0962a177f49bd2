"""A lock that is a key."""

import threading

import pytest

import keyslot


def test_one_holds_it_at_a_time(engine):
    first, second = engine.lock("l"), engine.lock("l", blocking=False)
    assert first.acquire() and first.locked() and first.owned()
    assert not second.acquire() and not second.owned()
    with pytest.raises(keyslot.LockError), second:
        pass
    first.release()
    assert not first.locked()
    with pytest.raises(keyslot.LockError):
        first.release()
    with second:
        assert second.owned()


def test_its_time_is_over_and_prolonged():
    clock = keyslot.ManualClock(1_000)
    with keyslot.Engine(clock=clock) as engine:
        lock = engine.lock("l", timeout=10)
        assert lock.acquire()
        clock.advance_ms(4_000)
        assert lock.extend(10)
        assert engine.pttl("l") == 16_000
        assert lock.extend(3, replace_ttl=True)
        assert engine.pttl("l") == 3_000
        assert lock.reacquire()
        assert engine.pttl("l") == 10_000
        clock.advance_ms(10_001)
        other = engine.lock("l", timeout=10)
        assert other.acquire(blocking=False)
        for late in (lock.extend, lambda _: lock.reacquire(), lambda _: lock.release()):
            with pytest.raises(keyslot.LockNotOwnedError):
                late(1)
        assert other.owned()
        with pytest.raises(keyslot.LockError):
            engine.lock("m", timeout=0)


def test_it_excludes_threads(engine):
    total = [0]

    def add():
        for _ in range(50):
            with engine.lock("l", sleep=0.0001):
                seen = total[0]
                engine.ping()
                total[0] = seen + 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == [200]
    assert not engine.exists("l")
