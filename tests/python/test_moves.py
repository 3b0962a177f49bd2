"""Slots that move whole between keyslot-servers, asked for by CLUSTER MIGRATESLOTS, while RedisCluster
writes; and servers that are killed while the topology's file is asked who shall have a slot."""

import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

redis = pytest.importorskip("redis")
from test_cluster import connect, free_ports, redis_cli, wait_for  # noqa: E402

PATIENCE = 30


class Nodes:
    """Servers that share a topology file, which may be killed and started again."""

    def __init__(self, directory, count, *options):
        self.program = os.environ["KEYSLOT_SERVER"]
        self.directory = pathlib.Path(directory)
        self.options = options
        self.ports = free_ports(count)
        self.servers = {}
        for port in self.ports:
            self.start(port)

    def start(self, port, wait=True):
        words = [self.program, "--port", str(port), "--cluster", self.directory / "topology"]
        output = self.directory / f"{port}.log"
        with output.open("ab") as log:
            self.servers[port] = subprocess.Popen([*words, *self.options], stdout=log, stderr=log)
        if wait:
            wait_for(port)

    def kill(self, port):
        self.servers[port].kill()
        self.servers.pop(port).wait()

    def client(self, number):
        return redis.Redis("127.0.0.1", self.ports[number], decode_responses=True)

    def name(self, number):
        return self.client(number).execute_command("CLUSTER", "MYID")

    def move(self, source, target, *ranges):
        words = ["CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", *ranges, "NODE", self.name(target)]
        assert self.client(source).execute_command(*words) in ("OK", True)

    def migrations(self, number):
        rows = self.client(number).execute_command("CLUSTER", "GETSLOTMIGRATIONS")
        return [dict(zip(row[::2], row[1::2])) if isinstance(row, list) else row for row in rows]

    def kept(self, kind):
        return [path.name for path in self.directory.iterdir() if f".{kind}." in path.name]

    def end(self):
        for port in list(self.servers):
            self.kill(port)


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture
def directory():
    if "KEYSLOT_SERVER" not in os.environ or shutil.which("redis-cli") is None:
        pytest.skip("no KEYSLOT_SERVER, or no redis-cli")
    memory = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield directory


@pytest.fixture
def nodes(directory):
    nodes = Nodes(directory, 3)
    try:
        where = [f"127.0.0.1:{port}" for port in nodes.ports]
        redis_cli("create", *where, "--cluster-yes")
        yield nodes
    finally:
        nodes.end()


@pytest.fixture
def pair(directory):
    """Two nodes, of which the first has all slots. What moves is made durable."""
    nodes = Nodes(directory, 2, "--durable-moves", "yes", "--cluster-require-full-coverage", "no")
    try:
        nodes.client(0).execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        nodes.client(0).execute_command("CLUSTER", "MEET", "127.0.0.1", nodes.ports[1])
        until(lambda: knows(nodes, 1, 0) and knows(nodes, 0, 1), "the nodes know each other")
        yield nodes
    finally:
        nodes.end()


def knows(nodes, number, other):
    return nodes.name(other) in str(nodes.client(number).execute_command("CLUSTER", "NODES"))


def test_no_increment_is_lost_while_slots_move_whole(nodes):
    counts, stop = {}, threading.Event()
    names = [f"count:{number}" for number in range(300)]

    def write():
        with connect(nodes.ports) as client:
            while not stop.is_set():
                for name in names:
                    client.incr(name)
                    counts[name] = counts.get(name, 0) + 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        nodes.move(0, 1, 0, 59, 200, 259)
        nodes.move(2, 1, 12000, 12059)
        ends(nodes, 0, 120)
        ends(nodes, 2, 60)
        nodes.move(1, 2, 6000, 6059, 200, 209)
        ends(nodes, 1, 70)
    finally:
        stop.set()
        writer.join()
    with connect(nodes.ports) as client:
        assert {name: int(client.get(name)) for name in names} == counts
    check = redis_cli("check", f"127.0.0.1:{nodes.ports[0]}")
    assert "[OK] All nodes agree about slots configuration." in check
    assert nodes.kept("leaving") == nodes.kept("arrived") == []


def ends(nodes, number, slots):
    """The migrations of a node end well, and have moved so many slots."""
    until(
        lambda: all(row["state"] == "success" for row in nodes.migrations(number)),
        f"the migrations of node {number} end",
    )
    assert sum(row["slots_moved"] for row in nodes.migrations(number)) == slots


def test_a_migration_is_cancelled(nodes):
    client = nodes.client(0)
    slot = client.execute_command("CLUSTER", "KEYSLOT", "{a}")
    owner = next(
        number
        for number in range(3)
        if nodes.client(number).execute_command("CLUSTER", "COUNTKEYSINSLOT", slot) == 0
        and _serves(nodes, number)
    )
    target = (owner + 1) % 3
    # A target that was killed listens to nobody.
    nodes_target = nodes.ports[target]
    name = nodes.name(target)
    nodes.kill(nodes_target)
    words = ["SLOTSRANGE", slot, slot, "NODE", name]
    nodes.client(owner).execute_command("CLUSTER", "MIGRATESLOTS", *words)
    until(lambda: nodes.migrations(owner), "the migration begins")
    assert nodes.client(owner).execute_command("CLUSTER", "CANCELSLOTMIGRATIONS") in ("OK", True)
    until(
        lambda: nodes.migrations(owner)[0]["state"] == "cancelled",
        "the migration is cancelled",
    )
    assert nodes.client(owner).execute_command("SET", "{a}", "1") in ("OK", True)


def _serves(nodes, number):
    try:
        nodes.client(number).execute_command("GET", "{a}")
    except redis.exceptions.ResponseError:
        return False
    return True


class Held:
    """The lock of the topology's file, so that nobody's change to it goes through."""

    def __init__(self, nodes):
        self.file = (nodes.directory / "topology.lock").open("w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def give_up(self):
        self.file.close()


def decide_later(pair, slot):
    """Begins to move a slot, and stops where the file is asked who shall have it."""
    held = Held(pair)
    pair.move(0, 1, slot, slot)
    until(lambda: pair.kept("leaving") and pair.kept("arrived"), "the slot is ready")
    return held


def fill(pair):
    client = pair.client(0)
    slot = client.execute_command("CLUSTER", "KEYSLOT", "{a}")
    for number in range(50):
        client.set(f"{{a}}{number}", number)
    return slot


def test_a_target_that_is_killed_before_the_decision_has_the_slot_after(pair):
    slot = fill(pair)
    held = decide_later(pair, slot)
    pair.kill(pair.ports[1])
    pair.start(pair.ports[1], wait=False)
    held.give_up()
    wait_for(pair.ports[1])
    until(lambda: pair.migrations(0)[0]["state"] == "success", pair.migrations(0))
    target = pair.client(1)
    assert [target.get(f"{{a}}{number}") for number in range(50)] == [str(n) for n in range(50)]
    with pytest.raises(redis.exceptions.MovedError):
        pair.client(0).execute_command("GET", "{a}1")
    assert pair.kept("leaving") == []


def test_a_source_that_is_killed_before_the_decision_has_the_slot_after(pair):
    slot = fill(pair)
    held = decide_later(pair, slot)
    pair.kill(pair.ports[0])
    held.give_up()
    pair.start(pair.ports[0])
    # What it held is lost with it; but the slot is served, and the target has let go of it.
    until(lambda: pair.kept("leaving") == pair.kept("arrived") == [], "the records are gone")
    assert pair.client(0).set("{a}1", "new")
    with pytest.raises(redis.exceptions.MovedError):
        pair.client(1).execute_command("GET", "{a}1")
    pair.move(0, 1, slot, slot)
    until(lambda: pair.migrations(0)[0]["state"] == "success", pair.migrations(0))
    assert pair.client(1).get("{a}1") == "new"
