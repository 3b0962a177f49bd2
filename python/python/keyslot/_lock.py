"""A lock that is a key."""

from __future__ import annotations

import threading
import time
import uuid
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any

from ._typing import Executor, Word
from .exceptions import LockError, LockNotOwnedError

if TYPE_CHECKING:
    from typing_extensions import Self


class Lock:
    """A lock whose owner holds a key with a token that only it knows, in the shape of redis-py's.

    ``timeout`` is after how many seconds it is free again by itself, ``None`` for never. ``sleep`` is
    for how many to wait before trying again. ``blocking`` says whether ``acquire`` waits, and
    ``blocking_timeout`` for how many seconds at most. With ``thread_local`` a thread sees only a token
    of its own.
    """

    def __init__(
        self,
        client: Executor,
        name: Word,
        timeout: float | None = None,
        sleep: float = 0.1,
        blocking: bool = True,
        blocking_timeout: float | None = None,
        thread_local: bool = True,
    ) -> None:
        if timeout is not None and int(timeout * 1000) <= 0:
            raise LockError("'timeout' must be a positive time")
        self.client = client
        self.name = name
        self.timeout = timeout
        self.sleep = sleep
        self.blocking = blocking
        self.blocking_timeout = blocking_timeout
        self.local: Any = threading.local() if thread_local else SimpleNamespace()
        self.local.token = None

    def acquire(
        self,
        sleep: float | None = None,
        blocking: bool | None = None,
        blocking_timeout: float | None = None,
        token: str | bytes | None = None,
    ) -> bool:
        """Take the lock, and return whether that was possible."""
        sleep = self.sleep if sleep is None else sleep
        blocking = self.blocking if blocking is None else blocking
        limit = self.blocking_timeout if blocking_timeout is None else blocking_timeout
        mine = uuid.uuid1().hex.encode() if token is None else _bytes(token)
        deadline = None if limit is None else time.monotonic() + limit
        while not self._try(mine):
            if not blocking or (deadline is not None and time.monotonic() + sleep > deadline):
                return False
            time.sleep(sleep)
        self.local.token = mine
        return True

    def release(self) -> None:
        """Give the lock back. Raise ``LockNotOwnedError`` if it is another's by now."""
        token = self._token("Cannot release an unlocked lock")
        self.local.token = None
        if not self.client.execute_command("DELIFEQ", self.name, token):
            raise LockNotOwnedError("Cannot release a lock that's no longer owned")

    def extend(self, additional_time: float, replace_ttl: bool = False) -> bool:
        """Hold the lock for longer: for so many seconds more, or with ``replace_ttl`` so many from
        now on."""
        token = self._token("Cannot extend an unlocked lock")
        if self.timeout is None:
            raise LockError("Cannot extend a lock with no timeout")
        left_ms = 0 if replace_ttl else max(0, self.client.execute_command("PTTL", self.name))
        return self._hold(token, left_ms + int(additional_time * 1000), "extend")

    def reacquire(self) -> bool:
        """Hold the lock for its whole time again."""
        token = self._token("Cannot reacquire an unlocked lock")
        if self.timeout is None:
            raise LockError("Cannot reacquire a lock with no timeout")
        return self._hold(token, int(self.timeout * 1000), "reacquire")

    def locked(self) -> bool:
        """Return whether anybody has the lock."""
        return self.client.execute_command("GET", self.name) is not None

    def owned(self) -> bool:
        """Return whether this one has the lock."""
        token = getattr(self.local, "token", None)
        return token is not None and self.client.execute_command("GET", self.name) == token

    def _try(self, token: bytes) -> bool:
        words: list[Any] = ["SET", self.name, token, "NX"]
        if self.timeout is not None:
            words += ["PX", int(self.timeout * 1000)]
        return self.client.execute_command(*words) is not None

    def _hold(self, token: bytes, ms: int, what: str) -> bool:
        words = ("SET", self.name, token, "IFEQ", token, "PX", ms)
        if self.client.execute_command(*words) is None:
            raise LockNotOwnedError(f"Cannot {what} a lock that's no longer owned")
        return True

    def _token(self, text: str) -> bytes:
        token: bytes | None = getattr(self.local, "token", None)
        if token is None:
            raise LockError(text)
        return token

    def __enter__(self) -> Self:
        if not self.acquire():
            raise LockError("Unable to acquire lock within the time specified")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def _bytes(token: str | bytes) -> bytes:
    return token.encode() if isinstance(token, str) else token


class Locks:
    """What a client has to lock others out."""

    __slots__ = ()

    def lock(
        self,
        name: Word,
        timeout: float | None = None,
        sleep: float = 0.1,
        blocking: bool = True,
        blocking_timeout: float | None = None,
        lock_class: type[Lock] | None = None,
        thread_local: bool = True,
    ) -> Lock:
        """Make a lock that is a key, which other threads, and other clients of a server around this
        engine, respect."""
        made = Lock if lock_class is None else lock_class
        client: Any = self
        return made(client, name, timeout, sleep, blocking, blocking_timeout, thread_local)
