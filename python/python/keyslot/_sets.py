"""The set commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ._typing import Executor, Word
from ._words import one_or_many, option, page

Keys = Iterable[Word]


class SetCommands(Executor):
    """Sets."""

    __slots__ = ()

    def sadd(self, name: Word, *values: Word) -> int:
        """Add members. Return how many are new."""
        reply: int = self.execute_command("SADD", name, *values)
        return reply

    def scard(self, name: Word) -> int:
        """Return how many members there are."""
        reply: int = self.execute_command("SCARD", name)
        return reply

    def sdiff(self, keys: Word | Keys, *args: Word) -> set[bytes]:
        """Return the members of the first set that are in none of the others."""
        return self.ask(set, "SDIFF", *one_or_many(keys, args))

    def sdiffstore(self, dest: Word, keys: Word | Keys, *args: Word) -> int:
        """Store what ``sdiff`` returns. Return how many members it has."""
        reply: int = self.execute_command("SDIFFSTORE", dest, *one_or_many(keys, args))
        return reply

    def sinter(self, keys: Word | Keys, *args: Word) -> set[bytes]:
        """Return the members that are in all of the sets."""
        return self.ask(set, "SINTER", *one_or_many(keys, args))

    def sintercard(self, numkeys: int, keys: Keys, limit: int = 0) -> int:
        """Return how many members are in all of the sets, counting no further than ``limit``."""
        reply: int = self.execute_command("SINTERCARD", numkeys, *keys, "LIMIT", limit)
        return reply

    def sinterstore(self, dest: Word, keys: Word | Keys, *args: Word) -> int:
        """Store what ``sinter`` returns. Return how many members it has."""
        reply: int = self.execute_command("SINTERSTORE", dest, *one_or_many(keys, args))
        return reply

    def sismember(self, name: Word, value: Word) -> int:
        """Return 1 if it is a member, else 0."""
        reply: int = self.execute_command("SISMEMBER", name, value)
        return reply

    def smembers(self, name: Word) -> set[bytes]:
        """Return all members."""
        return self.ask(set, "SMEMBERS", name)

    def smismember(self, name: Word, values: Word | Keys, *args: Word) -> list[int]:
        """Return 1 for each value that is a member, 0 for each that is not."""
        reply: list[int] = self.execute_command("SMISMEMBER", name, *one_or_many(values, args))
        return reply

    def smove(self, src: Word, dst: Word, value: Word) -> bool:
        """Move a member to another set. Return whether it was one."""
        return self.ask(bool, "SMOVE", src, dst, value)

    def spop(self, name: Word, count: int | None = None) -> bytes | list[bytes] | None:
        """Take out a member chosen by chance, or a list of ``count``."""
        words = () if count is None else (count,)
        reply: bytes | list[bytes] | None = self.ask(_as_list, "SPOP", name, *words)
        return reply

    def srandmember(self, name: Word, number: int | None = None) -> bytes | list[bytes] | None:
        """Return a member chosen by chance, or a list of ``number``, which may repeat if
        negative."""
        words = () if number is None else (number,)
        reply: bytes | list[bytes] | None = self.ask(_as_list, "SRANDMEMBER", name, *words)
        return reply

    def srem(self, name: Word, *values: Word) -> int:
        """Remove members. Return how many there were."""
        reply: int = self.execute_command("SREM", name, *values)
        return reply

    def sscan(
        self, name: Word, cursor: int = 0, match: Word | None = None, count: int | None = None
    ) -> tuple[int, list[bytes]]:
        """Return the cursor that goes on from here, and some members."""
        words: list[Any] = ["SSCAN", name, cursor]
        option("MATCH", match, words)
        option("COUNT", count, words)
        found: tuple[int, list[bytes]] = self.ask(page(list), *words)
        return found

    def sscan_iter(
        self, name: Word, match: Word | None = None, count: int | None = None
    ) -> Iterator[bytes]:
        """Iterate over the members by ``sscan``."""
        cursor = -1
        while cursor:
            cursor, members = self.sscan(name, max(cursor, 0), match, count)
            yield from members

    def sunion(self, keys: Word | Keys, *args: Word) -> set[bytes]:
        """Return the members that are in any of the sets."""
        return self.ask(set, "SUNION", *one_or_many(keys, args))

    def sunionstore(self, dest: Word, keys: Word | Keys, *args: Word) -> int:
        """Store what ``sunion`` returns. Return how many members it has."""
        reply: int = self.execute_command("SUNIONSTORE", dest, *one_or_many(keys, args))
        return reply


def _as_list(reply: Any) -> Any:
    return list(reply) if isinstance(reply, set) else reply
