"""The key commands that are words and a conversion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._typing import Executor, Word
from ._words import is_ok, one_or_many, page
from .exceptions import DataError


class KeyCommands(Executor):
    """Keys, whatever they hold."""

    __slots__ = ()

    def copy(
        self,
        source: Word,
        destination: Word,
        destination_db: int | str | None = None,
        replace: bool = False,
    ) -> bool:
        """Copy a value to another key, in another database if ``destination_db`` says so, over an
        existing one with ``replace``. Return whether it was copied."""
        words: list[Word] = ["COPY", source, destination]
        if destination_db is not None:
            words += ["DB", destination_db]
        if replace:
            words.append("REPLACE")
        return self.ask(bool, *words)

    def dump(self, name: Word) -> bytes | None:
        """Return a value in the form that ``restore`` takes, or ``None``."""
        reply: bytes | None = self.execute_command("DUMP", name)
        return reply

    def expiretime(self, key: Word) -> int:
        """Return when a key expires, in seconds since the Unix epoch; -1 if it does not expire, -2
        if it does not exist."""
        reply: int = self.execute_command("EXPIRETIME", key)
        return reply

    def keys(self, pattern: Word = "*") -> list[bytes]:
        """Return all keys that match a glob pattern."""
        reply: list[bytes] = self.execute_command("KEYS", pattern)
        return reply

    def migrate(
        self,
        host: str,
        port: int,
        keys: Word | list[Word],
        destination_db: int,
        timeout: int,
        copy: bool = False,
        replace: bool = False,
        auth: str | None = None,
    ) -> bytes:
        """Move keys to a database of another node, or with ``copy`` leave them here too; with
        ``replace`` over those that exist there. ``timeout`` is for how many milliseconds the other
        may be silent. Needs ``Engine.serve_links``."""
        names = one_or_many(keys)
        if not names:
            raise DataError("MIGRATE requires at least one key")
        words: list[Word] = ["MIGRATE", host, port, "", destination_db, timeout]
        if copy:
            words.append("COPY")
        if replace:
            words.append("REPLACE")
        if auth:
            words += ["AUTH", auth]
        reply: bytes = self.execute_command(*words, "KEYS", *names)
        return reply

    def move(self, name: Word, db: int) -> bool:
        """Move a key to another database. Return whether it was moved."""
        return self.ask(bool, "MOVE", name, db)

    def object(self, infotype: str, key: Word) -> Any:
        """Return what the engine knows of a value: ``encoding``, ``refcount``, ``idletime`` or
        ``freq``."""
        return self.execute_command("OBJECT", infotype, key)

    def persist(self, name: Word) -> bool:
        """Let a key not expire. Return whether it would have."""
        return self.ask(bool, "PERSIST", name)

    def pexpiretime(self, key: Word) -> int:
        """Return when a key expires, in milliseconds since the Unix epoch; -1 if it does not
        expire, -2 if it does not exist."""
        reply: int = self.execute_command("PEXPIRETIME", key)
        return reply

    def randomkey(self) -> bytes | None:
        """Return a key chosen by chance, or ``None`` if there is none."""
        reply: bytes | None = self.execute_command("RANDOMKEY")
        return reply

    def rename(self, src: Word, dst: Word) -> bool:
        """Give a value another key, whose own value is lost."""
        return self.ask(is_ok, "RENAME", src, dst)

    def renamenx(self, src: Word, dst: Word) -> bool:
        """Give a value another key unless that exists. Return whether it was renamed."""
        return self.ask(bool, "RENAMENX", src, dst)

    def restore(
        self,
        name: Word,
        ttl: float,
        value: Word,
        replace: bool = False,
        absttl: bool = False,
        idletime: int | None = None,
        frequency: int | None = None,
    ) -> bytes:
        """Store what ``dump`` returned under a key that expires after ``ttl`` milliseconds, or at
        that time with ``absttl``; zero for never."""
        words: list[Word] = ["RESTORE", name, ttl, value]
        if replace:
            words.append("REPLACE")
        if absttl:
            words.append("ABSTTL")
        if idletime is not None:
            words += ["IDLETIME", idletime]
        if frequency is not None:
            words += ["FREQ", frequency]
        reply: bytes = self.execute_command(*words)
        return reply

    def scan(
        self,
        cursor: int | str = 0,
        match: Word | None = None,
        count: int | None = None,
        _type: str | None = None,
    ) -> tuple[int, list[bytes]]:
        """Return some keys, and the cursor that goes on from there; zero at the end. Every key that
        is there from the first call to the last is returned at least once."""
        words: list[Word] = ["SCAN", cursor]
        if match is not None:
            words += ["MATCH", match]
        if count is not None:
            words += ["COUNT", count]
        if _type is not None:
            words += ["TYPE", _type]
        found: tuple[int, list[bytes]] = self.ask(page(list), *words)
        return found

    def scan_iter(
        self,
        match: Word | None = None,
        count: int | None = None,
        _type: str | None = None,
    ) -> Iterator[bytes]:
        """Iterate over the keys by ``scan``."""
        cursor = 0
        while True:
            cursor, keys = self.scan(cursor, match, count, _type)
            yield from keys
            if cursor == 0:
                return

    def touch(self, *args: Word) -> int:
        """Mark keys as used now. Return how many exist."""
        reply: int = self.execute_command("TOUCH", *args)
        return reply

    def type(self, name: Word) -> bytes:
        """Return the type of a value, ``b"none"`` if the key does not exist."""
        reply: bytes = self.execute_command("TYPE", name)
        return reply

    def unlink(self, *names: Word) -> int:
        """Delete keys, freeing their values by and by. Return how many there were."""
        reply: int = self.execute_command("UNLINK", *names)
        return reply
