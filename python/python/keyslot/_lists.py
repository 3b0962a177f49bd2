"""The list commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._typing import Executor, Word
from ._words import flag, is_ok, limit, one_or_many, option
from .exceptions import DataError


class ListCommands(Executor):
    """Lists, and sorting of whatever has members."""

    __slots__ = ()

    def lindex(self, name: Word, index: int) -> bytes | None:
        """Return an element by its place; negative ones count from the end."""
        reply: bytes | None = self.execute_command("LINDEX", name, index)
        return reply

    def linsert(self, name: Word, where: str, refvalue: Word, value: Word) -> int:
        """Insert ``BEFORE`` or ``AFTER`` the first element that is ``refvalue``. Return the new
        length, or -1 if there is no such element."""
        reply: int = self.execute_command("LINSERT", name, where, refvalue, value)
        return reply

    def llen(self, name: Word) -> int:
        """Return the length of a list."""
        reply: int = self.execute_command("LLEN", name)
        return reply

    def lmove(
        self, first_list: Word, second_list: Word, src: str = "LEFT", dest: str = "RIGHT"
    ) -> bytes | None:
        """Move an element from an end of one list to an end of another, and return it."""
        reply: bytes | None = self.execute_command("LMOVE", first_list, second_list, src, dest)
        return reply

    def lmpop(
        self, num_keys: int, *args: Word, direction: str, count: int | None = 1
    ) -> list[Any] | None:
        """Take up to ``count`` elements from an end of the first list that has any. Return its key
        and the elements."""
        words: list[Any] = ["LMPOP", num_keys, *args, direction]
        if count != 1:
            option("COUNT", count, words)
        reply: list[Any] | None = self.execute_command(*words)
        return reply

    def lpop(self, name: Word, count: int | None = None) -> bytes | list[bytes] | None:
        """Take the first element, or a list of the first ``count``."""
        words = () if count is None else (count,)
        reply: bytes | list[bytes] | None = self.execute_command("LPOP", name, *words)
        return reply

    def lpos(
        self,
        name: Word,
        value: Word,
        rank: int | None = None,
        count: int | None = None,
        maxlen: int | None = None,
    ) -> int | list[int] | None:
        """Return the place of an element, or with ``count`` a list of places. ``rank`` says with
        which match to begin, from the end if negative; ``maxlen`` how many are compared."""
        words: list[Any] = ["LPOS", name, value]
        option("RANK", rank, words)
        option("COUNT", count, words)
        option("MAXLEN", maxlen, words)
        reply: int | list[int] | None = self.execute_command(*words)
        return reply

    def lpush(self, name: Word, *values: Word) -> int:
        """Add elements at the front, one after another. Return the new length."""
        reply: int = self.execute_command("LPUSH", name, *values)
        return reply

    def lpushx(self, name: Word, *values: Word) -> int:
        """Add elements at the front if the list exists. Return the new length."""
        reply: int = self.execute_command("LPUSHX", name, *values)
        return reply

    def lrange(self, name: Word, start: int, end: int) -> list[bytes]:
        """Return the elements from ``start`` to ``end``, both included; negative ones count from
        the end."""
        reply: list[bytes] = self.execute_command("LRANGE", name, start, end)
        return reply

    def lrem(self, name: Word, count: int, value: Word) -> int:
        """Remove elements that are ``value``: the first ``count``, the last ones if negative, all
        if zero. Return how many were removed."""
        reply: int = self.execute_command("LREM", name, count, value)
        return reply

    def lset(self, name: Word, index: int, value: Word) -> bool:
        """Put an element in the place of another."""
        return self.ask(is_ok, "LSET", name, index, value)

    def ltrim(self, name: Word, start: int, end: int) -> bool:
        """Keep the elements from ``start`` to ``end`` alone."""
        return self.ask(is_ok, "LTRIM", name, start, end)

    def rpop(self, name: Word, count: int | None = None) -> bytes | list[bytes] | None:
        """Take the last element, or a list of the last ``count``."""
        words = () if count is None else (count,)
        reply: bytes | list[bytes] | None = self.execute_command("RPOP", name, *words)
        return reply

    def rpoplpush(self, src: Word, dst: Word) -> bytes | None:
        """Move the last element of one list to the front of another, and return it."""
        reply: bytes | None = self.execute_command("RPOPLPUSH", src, dst)
        return reply

    def rpush(self, name: Word, *values: Word) -> int:
        """Add elements at the end. Return the new length."""
        reply: int = self.execute_command("RPUSH", name, *values)
        return reply

    def rpushx(self, name: Word, *values: Word) -> int:
        """Add elements at the end if the list exists. Return the new length."""
        reply: int = self.execute_command("RPUSHX", name, *values)
        return reply

    def sort(
        self,
        name: Word,
        start: int | None = None,
        num: int | None = None,
        by: Word | None = None,
        get: Word | Iterable[Word] | None = None,
        desc: bool = False,
        alpha: bool = False,
        store: Word | None = None,
        groups: bool = False,
    ) -> Any:
        """Return the members of a list, set or sorted set in order, ``num`` of them from ``start``
        on. ``by`` is a pattern of keys to compare by, ``get`` patterns of keys to return instead;
        with ``groups`` what belongs together is a tuple. ``store`` is a key to put them in; then
        their number is returned."""
        words: list[Any] = ["SORT", name]
        option("BY", by, words)
        limit(start, num, words)
        patterns = [] if get is None else one_or_many(get)
        for pattern in patterns:
            words += ["GET", pattern]
        flag("DESC", desc, words)
        flag("ALPHA", alpha, words)
        option("STORE", store, words)
        if groups and len(patterns) < 2:
            raise DataError("groups are made of two patterns or more to get")
        if not groups or store is not None:
            return self.execute_command(*words)
        size = len(patterns)
        return self.ask(
            lambda reply: [tuple(reply[at : at + size]) for at in range(0, len(reply), size)],
            *words,
        )

    def sort_ro(
        self,
        key: Word,
        start: int | None = None,
        num: int | None = None,
        by: Word | None = None,
        get: Word | Iterable[Word] | None = None,
        desc: bool = False,
        alpha: bool = False,
    ) -> Any:
        """Return the members of a list, set or sorted set in order, as ``sort`` does."""
        return self.sort(key, start, num, by, get, desc, alpha)
