"""Measure ``engine.get`` beside a plain dict and beside redis-py, in nanoseconds a call.

Run by the scenario ``python``, which gives the socket of a redis-server that holds the keys. Prints
a line for each peer: its name, the engine's median and the peer's.
"""

import gc
import random
import statistics
import sys
import time

try:
    import keyslot
    import redis
except ImportError as error:
    sys.exit(f"{error.name} cannot be imported by {sys.executable}: tests/python/run installs it")

KEYS = 1_000_000
CALLS = 300_000
# One of these is a round trip.
REDIS_CALLS = 20_000
ROUNDS = 7
VALUE_LEN = 64


def key(number):
    return b"user:profile:session:id:%08x" % number


def value(number):
    return b"%064x" % number


def chosen(count):
    """Return keys chosen uniformly. They are new objects, whose hash nobody has taken before."""
    return [key(random.randrange(KEYS)) for _ in range(count)]


def ns_per_call(get, count):
    keys = chosen(count)
    start = time.perf_counter_ns()
    for one in keys:
        get(one)
    return (time.perf_counter_ns() - start) / count


def interleave(ours, theirs, theirs_count):
    """Let two sides take turns and return each side's median."""
    check(ours)
    check(theirs)
    figures = [
        (ns_per_call(ours, CALLS), ns_per_call(theirs, theirs_count)) for _ in range(ROUNDS)
    ]
    return [statistics.median(side) for side in zip(*figures, strict=True)]


def check(get):
    for one in chosen(1_000):
        found = get(one)
        if type(found) is not bytes or len(found) != VALUE_LEN:
            sys.exit(f"{get} returned {found!r} for {one!r}")


def main():
    (socket,) = sys.argv[1:]
    random.seed(1)
    engine = keyslot.Engine()
    plain = {}
    for number in range(KEYS):
        engine.set(key(number), value(number))
        plain[key(number)] = value(number)
    client = redis.Redis(unix_socket_path=socket)
    # Nothing here makes cycles, and a collection would look at all of it.
    gc.disable()
    print("dict", *interleave(engine.get, plain.get, CALLS))
    print("redis", *interleave(engine.get, client.get, REDIS_CALLS))


main()
