"""What the tests share: engines, clocks, a real redis-server to compare with, and the last line."""

import shutil
import subprocess
import tempfile
import time

import pytest

import keyslot

START_MS = 1_700_000_000_000


@pytest.fixture
def clock():
    return keyslot.ManualClock(START_MS)


@pytest.fixture
def engine(clock):
    with keyslot.Engine(clock=clock) as engine:
        yield engine


@pytest.fixture(scope="session")
def redis_client():
    """A redis-py client of a redis-server of its own."""
    redis = pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/redis.sock"
        options = ["--port", "0", "--save", "", "--daemonize", "no", "--unixsocket", path]
        server = subprocess.Popen(
            [program, *options], cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        try:
            client = redis.Redis(unix_socket_path=path)
            wait_for(client, redis.exceptions.ConnectionError)
            yield client
            client.close()
        finally:
            server.terminate()
            server.wait()


def wait_for(client, refusal):
    for _ in range(200):
        try:
            client.ping()
            return
        except refusal:
            time.sleep(0.05)
    raise RuntimeError("redis-server does not answer")


def pytest_unconfigure(config):
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    passed = len(reporter.stats.get("passed", []))
    failed = len(reporter.stats.get("failed", [])) + len(reporter.stats.get("error", []))
    print(f"{passed} passed, {failed} failed", flush=True)
