"""redis-py's RedisCluster against keyslot-servers that share a topology file."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

redis = pytest.importorskip("redis")
from redis.backoff import ConstantBackoff  # noqa: E402
from redis.cluster import ClusterNode, RedisCluster  # noqa: E402
from redis.retry import Retry  # noqa: E402

NODES = 3


def free_ports(count):
    """Ports to which Redis's convention of adding 10,000 applies."""
    ports = []
    for port in range(15_000 + os.getpid() % 5_000, 25_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no port is free")


def redis_cli(*words):
    done = subprocess.run(["redis-cli", "--cluster", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def ports():
    program = os.environ.get("KEYSLOT_SERVER")
    if program is None or shutil.which("redis-cli") is None:
        pytest.skip("no KEYSLOT_SERVER, or no redis-cli")
    # Making files durable takes long on a disk.
    memory = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        ports = free_ports(NODES)
        servers = [
            subprocess.Popen(
                [program, "--port", str(port), "--cluster", f"{directory}/topology"],
                stdout=subprocess.DEVNULL,
            )
            for port in ports
        ]
        try:
            for port in ports:
                wait_for(port)
            redis_cli("create", *(f"127.0.0.1:{port}" for port in ports), "--cluster-yes")
            yield ports
        finally:
            for server in servers:
                server.kill()
                server.wait()


def wait_for(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("keyslot-server does not come up")


def connect(ports):
    nodes = [ClusterNode("127.0.0.1", port) for port in ports]
    retry = Retry(ConstantBackoff(0.005), 100)
    return RedisCluster(startup_nodes=nodes, retry=retry, decode_responses=True)


def test_keys_are_found_wherever_they_are(ports):
    with connect(ports) as client:
        for number in range(3_000):
            client.set(f"key:{number}", number)
        assert all(client.get(f"key:{number}") == str(number) for number in range(3_000))
        assert client.dbsize(target_nodes=RedisCluster.PRIMARIES) == 3_000
        assert len(client.get_primaries()) == NODES
        pipe = client.pipeline()
        for number in range(100):
            pipe.incr(f"key:{number}")
        assert pipe.execute() == [number + 1 for number in range(100)]
        assert client.mget_nonatomic(*(f"key:{number}" for number in range(100, 200))) == [
            str(number) for number in range(100, 200)
        ]
        with pytest.raises(redis.exceptions.RedisClusterException):
            client.mget("a", "b")
        assert client.flushall()


def test_no_increment_is_lost_while_slots_move(ports):
    counts, stop = {}, threading.Event()
    names = [f"count:{number}" for number in range(400)]

    def write():
        with connect(ports) as client:
            while not stop.is_set():
                for name in names:
                    client.incr(name)
                    counts[name] = counts.get(name, 0) + 1

    writer = threading.Thread(target=write)
    writer.start()
    with connect(ports) as client:
        target = client.cluster_myid(client.get_node("127.0.0.1", ports[1]))
    where = f"127.0.0.1:{ports[0]}"
    options = ["--cluster-slots", "80", "--cluster-yes"]
    redis_cli("reshard", where, "--cluster-from", "all", "--cluster-to", target, *options)
    stop.set()
    writer.join()
    with connect(ports) as client:
        assert {name: int(client.get(name)) for name in names} == counts
    assert "[OK] All nodes agree about slots configuration." in redis_cli("check", where)
