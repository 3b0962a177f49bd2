"""The string commands that are words and a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._typing import Executor, Word


class StringCommands(Executor):
    """Strings."""

    __slots__ = ()

    def append(self, key: Word, value: Word) -> int:
        """Append to the string of a key. Return its new length."""
        reply: int = self.execute_command("APPEND", key, value)
        return reply

    def getdel(self, name: Word) -> bytes | None:
        """Return the value of a key, or ``None``, and delete the key."""
        reply: bytes | None = self.execute_command("GETDEL", name)
        return reply

    def getrange(self, key: Word, start: int, end: int) -> bytes:
        """Return the bytes from ``start`` to ``end``, both included; negative ones count from the
        end."""
        reply: bytes = self.execute_command("GETRANGE", key, start, end)
        return reply

    def getset(self, name: Word, value: Word) -> bytes | None:
        """Store a value and return the previous one, or ``None``."""
        reply: bytes | None = self.execute_command("GETSET", name, value)
        return reply

    def incrbyfloat(self, name: Word, amount: float = 1.0) -> float:
        """Add ``amount`` to the number that a key holds, zero if it does not exist. Return the
        sum."""
        return self.ask(float, "INCRBYFLOAT", name, amount)

    def lcs(
        self,
        key1: Word,
        key2: Word,
        len: bool | None = False,
        idx: bool | None = False,
        minmatchlen: int | None = 0,
        withmatchlen: bool | None = False,
    ) -> Any:
        """Return the longest common subsequence of two strings; with ``len`` its length; with
        ``idx`` a list of where its parts are, of ``minmatchlen`` bytes at least, and with
        ``withmatchlen`` their lengths."""
        words: list[Word] = ["LCS", key1, key2]
        if len:
            words.append("LEN")
        if idx:
            words.append("IDX")
        if minmatchlen:
            words += ["MINMATCHLEN", minmatchlen]
        if withmatchlen:
            words.append("WITHMATCHLEN")
        return self.execute_command(*words)

    def msetnx(self, mapping: Mapping[Any, Word]) -> bool:
        """Store the values of a mapping under its keys if none of them exists. Return whether that
        was so."""
        return self.ask(bool, "MSETNX", *(word for pair in mapping.items() for word in pair))

    def setnx(self, name: Word, value: Word) -> bool:
        """Store a value if the key does not exist. Return whether that was so."""
        return self.ask(bool, "SETNX", name, value)

    def setrange(self, name: Word, offset: int, value: Word) -> int:
        """Overwrite a string from ``offset`` on, with zero bytes up to there if it is shorter.
        Return its new length."""
        reply: int = self.execute_command("SETRANGE", name, offset, value)
        return reply

    def strlen(self, name: Word) -> int:
        """Return the length of a string, zero if the key does not exist."""
        reply: int = self.execute_command("STRLEN", name)
        return reply

    def substr(self, name: Word, start: int, end: int = -1) -> bytes:
        """Return the bytes from ``start`` to ``end``, both included: an older ``getrange``."""
        reply: bytes = self.execute_command("SUBSTR", name, start, end)
        return reply
