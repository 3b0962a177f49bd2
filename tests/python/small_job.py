"""A program as users write it: a cache with a time to live in front of something slow, a rate
limiter, and a conversation by bytes. Prints what it did, and fails if an answer is wrong."""

import sys

import keyslot


def load_profile(number):
    """The slow thing that the cache is for."""
    load_profile.calls += 1
    return f"profile of user {number}".encode()


load_profile.calls = 0


def cached_profile(engine, number):
    key = f"profile:{number}"
    profile = engine.get(key)
    if profile is None:
        profile = load_profile(number)
        engine.set(key, profile, ex=60)
    return profile


def is_allowed(engine, user, requests_max=3, seconds=10):
    """Lets a user have some requests in a window that starts with the first one."""
    key = f"rate:{user}"
    requests = engine.incr(key)
    if requests == 1:
        engine.expire(key, seconds)
    return requests <= requests_max


def check(what, answer, expected):
    if answer != expected:
        sys.exit(f"{what}: {answer!r} instead of {expected!r}")
    print(f"{what}: {answer!r}")


def use_cache(engine, clock):
    for _ in range(3):
        check("profile", cached_profile(engine, 7), b"profile of user 7")
    check("loads while it is cached", load_profile.calls, 1)
    clock.advance_ms(60_000)
    cached_profile(engine, 7)
    check("loads in the last millisecond", load_profile.calls, 1)
    clock.advance_ms(1)
    cached_profile(engine, 7)
    check("loads after it expired", load_profile.calls, 2)


def use_limiter(engine, clock):
    answers = [is_allowed(engine, "ada") for _ in range(5)]
    check("requests in one window", answers, [True, True, True, False, False])
    check("another user", is_allowed(engine, "grace"), True)
    clock.advance_ms(10_001)
    check("the next window", is_allowed(engine, "ada"), True)


def converse(engine):
    with engine.session() as session:
        request = b"*3\r\n$3\r\nSET\r\n$4\r\nname\r\n$8\r\nkey\r\nslo\r\nGET name\r\nINCR name\r\n"
        for part in (request[:9], request[9:30], request[30:]):
            session.feed(part)
        reply = session.take_output()
        expected = (
            b"+OK\r\n$8\r\nkey\r\nslo\r\n-ERR value is not an integer or out of range\r\n"
        )
        check("reply", reply, expected)
        session.feed(b"QUIT\r\n")
        check("last words", session.take_output(), b"+OK\r\n")
        check("closing", session.closing, True)


def main():
    clock = keyslot.ManualClock(1_700_000_000_000)
    with keyslot.Engine(clock=clock) as engine:
        use_cache(engine, clock)
        use_limiter(engine, clock)
        converse(engine)


if __name__ == "__main__":
    main()
