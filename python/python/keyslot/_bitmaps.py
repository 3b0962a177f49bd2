"""The commands on the bits of strings, and on HyperLogLogs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ._typing import Executor, Word
from ._words import is_ok
from .exceptions import DataError

if TYPE_CHECKING:
    from typing_extensions import Self


class BitmapCommands(Executor):
    """Bits of strings."""

    __slots__ = ()

    def bitcount(
        self,
        key: Word,
        start: int | None = None,
        end: int | None = None,
        mode: str | None = None,
    ) -> int:
        """Return how many bits are set, in the bytes from ``start`` to ``end``, or in those bits
        with the mode ``BIT``."""
        if (start is None) != (end is None):
            raise DataError("Both start and end must be specified")
        words = [word for word in (start, end, mode) if word is not None]
        reply: int = self.execute_command("BITCOUNT", key, *words)
        return reply

    def bitfield(self, key: Word, default_overflow: str | None = None) -> BitFieldOperation:
        """Begin operations on integers of any width within a string. Those that are added to what
        is returned are carried out by its ``execute``."""
        return BitFieldOperation(self, key, default_overflow)

    def bitfield_ro(
        self,
        key: Word,
        encoding: str,
        offset: int | str,
        items: Iterable[tuple[str, int | str]] | None = None,
    ) -> list[int]:
        """Return the integer of a width such as ``u8`` at an offset in bits, and those of
        ``items``."""
        words: list[Any] = []
        for width, place in ((encoding, offset), *(items or ())):
            words += ["GET", width, place]
        reply: list[int] = self.execute_command("BITFIELD_RO", key, *words)
        return reply

    def bitop(self, operation: str, dest: Word, *keys: Word) -> int:
        """Store the strings of keys combined bit by bit: by ``AND``, ``OR``, ``XOR`` or ``NOT``.
        Return the length."""
        reply: int = self.execute_command("BITOP", operation, dest, *keys)
        return reply

    def bitpos(
        self,
        key: Word,
        bit: int,
        start: int | None = None,
        end: int | None = None,
        mode: str | None = None,
    ) -> int:
        """Return the place of the first bit that is ``bit``, or -1."""
        if bit not in (0, 1):
            raise DataError("bit must be 0 or 1")
        if start is None and end is not None:
            raise DataError("start argument is not set, when end is specified")
        words = [word for word in (start, end, mode) if word is not None]
        reply: int = self.execute_command("BITPOS", key, bit, *words)
        return reply

    def getbit(self, name: Word, offset: int) -> int:
        """Return a bit."""
        reply: int = self.execute_command("GETBIT", name, offset)
        return reply

    def setbit(self, name: Word, offset: int, value: int) -> int:
        """Set a bit. Return what it was."""
        reply: int = self.execute_command("SETBIT", name, offset, 1 if value else 0)
        return reply


class BitFieldOperation:
    """Operations on integers within a string, to be carried out together."""

    __slots__ = ("_client", "_default_overflow", "_key", "_overflow", "_words")

    def __init__(self, client: Executor, key: Word, default_overflow: str | None = None) -> None:
        self._client = client
        self._key = key
        self._default_overflow = default_overflow
        self.reset()

    def reset(self) -> None:
        """Forget the operations that were added."""
        self._words: list[Any] = []
        self._overflow = "WRAP"
        if self._default_overflow is not None:
            self.overflow(self._default_overflow)

    def overflow(self, overflow: str) -> Self:
        """Say what additions from here on do where the sum does not fit: ``WRAP``, ``SAT`` or
        ``FAIL``."""
        overflow = overflow.upper()
        if overflow != self._overflow:
            self._overflow = overflow
            self._words += ["OVERFLOW", overflow]
        return self

    def get(self, fmt: str, offset: int | str) -> Self:
        """Read the integer of a width such as ``u8`` at an offset in bits, or ``#`` and a number
        of widths."""
        self._words += ["GET", fmt, offset]
        return self

    def set(self, fmt: str, offset: int | str, value: int) -> Self:
        """Write an integer; the result is the one before."""
        self._words += ["SET", fmt, offset, value]
        return self

    def incrby(
        self, fmt: str, offset: int | str, increment: int, overflow: str | None = None
    ) -> Self:
        """Add to an integer; the result is the sum."""
        if overflow is not None:
            self.overflow(overflow)
        self._words += ["INCRBY", fmt, offset, increment]
        return self

    @property
    def command(self) -> list[Any]:
        """The words of the command."""
        return ["BITFIELD", self._key, *self._words]

    def execute(self) -> list[int | None]:
        """Carry out the operations and return their results."""
        words = self.command
        self.reset()
        reply: list[int | None] = self._client.execute_command(*words)
        return reply


class HyperLogLogCommands(Executor):
    """Estimates of how many different elements there were."""

    __slots__ = ()

    def pfadd(self, name: Word, *values: Word) -> int:
        """Note elements. Return whether the estimate changed."""
        reply: int = self.execute_command("PFADD", name, *values)
        return reply

    def pfcount(self, *sources: Word) -> int:
        """Return the estimate over all of the keys."""
        reply: int = self.execute_command("PFCOUNT", *sources)
        return reply

    def pfmerge(self, dest: Word, *sources: Word) -> bool:
        """Put what the sources noted into ``dest``."""
        return self.ask(is_ok, "PFMERGE", dest, *sources)
