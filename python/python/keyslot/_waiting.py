"""The commands that wait. A thread that calls one sleeps, and others run meanwhile; in a pipeline
and in a transaction they are answered at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._typing import Executor, Word
from ._words import one_or_many, option, unless_none
from .exceptions import DataError


class WaitingCommands(Executor):
    """Commands that wait for a value. A ``timeout`` is in seconds; 0 and ``None`` are for ever."""

    __slots__ = ()

    def blpop(
        self, keys: Word | Iterable[Word], timeout: float | None = 0
    ) -> tuple[bytes, bytes] | None:
        """Take the first element of the first list that has one, and return its key and it."""
        words = ("BLPOP", *one_or_many(keys), timeout or 0)
        reply: tuple[bytes, bytes] | None = self.ask(_pair, *words)
        return reply

    def brpop(
        self, keys: Word | Iterable[Word], timeout: float | None = 0
    ) -> tuple[bytes, bytes] | None:
        """Take the last element of the first list that has one, and return its key and it."""
        words = ("BRPOP", *one_or_many(keys), timeout or 0)
        reply: tuple[bytes, bytes] | None = self.ask(_pair, *words)
        return reply

    def brpoplpush(self, src: Word, dst: Word, timeout: float | None = 0) -> bytes | None:
        """Move the last element of a list to the front of another, and return it."""
        reply: bytes | None = self.execute_command("BRPOPLPUSH", src, dst, timeout or 0)
        return reply

    def blmove(
        self,
        first_list: Word,
        second_list: Word,
        timeout: float,
        src: str = "LEFT",
        dest: str = "RIGHT",
    ) -> bytes | None:
        """Move an element from an end of a list to an end of another, and return it."""
        words = ("BLMOVE", first_list, second_list, src, dest, timeout)
        reply: bytes | None = self.execute_command(*words)
        return reply

    def blmpop(
        self,
        timeout: float,
        numkeys: int,
        *args: Word,
        direction: str,
        count: int | None = 1,
    ) -> list[Any] | None:
        """Take up to ``count`` elements from an end of the first list that has any. Return its key
        and the elements."""
        words: list[Any] = ["BLMPOP", timeout, numkeys, *args, direction]
        option("COUNT", count, words)
        reply: list[Any] | None = self.execute_command(*words)
        return reply

    def bzpopmax(
        self, keys: Word | Iterable[Word], timeout: float | None = 0
    ) -> tuple[bytes, bytes, float] | None:
        """Take the member of the highest score from the first sorted set that has one. Return its
        key, it and its score."""
        words = ("BZPOPMAX", *one_or_many(keys), timeout or 0)
        reply: tuple[bytes, bytes, float] | None = self.ask(_scored, *words)
        return reply

    def bzpopmin(
        self, keys: Word | Iterable[Word], timeout: float | None = 0
    ) -> tuple[bytes, bytes, float] | None:
        """Take the member of the lowest score from the first sorted set that has one. Return its
        key, it and its score."""
        words = ("BZPOPMIN", *one_or_many(keys), timeout or 0)
        reply: tuple[bytes, bytes, float] | None = self.ask(_scored, *words)
        return reply

    def bzmpop(
        self,
        timeout: float,
        numkeys: int,
        keys: Iterable[Word],
        min: bool | None = False,
        max: bool | None = False,
        count: int | None = 1,
    ) -> list[Any] | None:
        """Take up to ``count`` members from an end of the first sorted set that has any. Return
        its key, and the members with their scores."""
        if bool(min) == bool(max):
            raise DataError("BZMPOP takes from one end: 'min' or 'max'")
        words: list[Any] = ["BZMPOP", timeout, numkeys, *keys, "MIN" if min else "MAX"]
        option("COUNT", count, words)
        reply: list[Any] | None = self.execute_command(*words)
        return reply

    def wait(self, num_replicas: int, timeout: int) -> int:
        """Return how many replicas have all writes of this client: none, at once if none are asked
        for and else after ``timeout`` milliseconds."""
        reply: int = self.execute_command("WAIT", num_replicas, timeout)
        return reply

    def waitaof(self, num_local: int, num_replicas: int, timeout: int) -> list[int]:
        """Return on how many disks the writes of this client are: here, and at replicas."""
        reply: list[int] = self.execute_command("WAITAOF", num_local, num_replicas, timeout)
        return reply


def _scored_pair(reply: Any) -> tuple[bytes, bytes, float]:
    key, member, score = reply
    return key, member, float(score)


_pair = unless_none(tuple)
_scored = unless_none(_scored_pair)
