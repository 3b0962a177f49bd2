"""The hash commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Union

from ._typing import Executor, Word
from ._words import flag, flat, is_ok, one_or_many, only_one, option, page, to_dict
from .exceptions import DataError

Span = Union[int, timedelta]
Moment = Union[int, datetime]


class HashCommands(Executor):
    """Hashes, and the times to live of their fields."""

    __slots__ = ()

    def hdel(self, name: Word, *keys: Word) -> int:
        """Delete fields. Return how many there were."""
        reply: int = self.execute_command("HDEL", name, *keys)
        return reply

    def hexists(self, name: Word, key: Word) -> bool:
        """Return whether a field exists."""
        return self.ask(bool, "HEXISTS", name, key)

    def hget(self, name: Word, key: Word) -> bytes | None:
        """Return the value of a field, or ``None``."""
        reply: bytes | None = self.execute_command("HGET", name, key)
        return reply

    def hgetall(self, name: Word) -> dict[bytes, bytes]:
        """Return all fields with their values."""
        return self.ask(to_dict, "HGETALL", name)

    def hgetdel(self, name: Word, *keys: Word) -> list[bytes | None]:
        """Return the values of fields, and delete the fields."""
        if not keys:
            raise DataError("'hgetdel' should have at least one key specified")
        reply: list[bytes | None] = self.execute_command("HGETDEL", name, "FIELDS", len(keys), *keys)
        return reply

    def hgetex(
        self,
        name: Word,
        *keys: Word,
        ex: Span | None = None,
        px: Span | None = None,
        exat: Moment | None = None,
        pxat: Moment | None = None,
        persist: bool = False,
    ) -> list[bytes | None]:
        """Return the values of fields, and set when the fields expire, or with ``persist`` let
        them not expire."""
        if not keys:
            raise DataError("'hgetex' should have at least one key specified")
        words: list[Any] = ["HGETEX", name, *_expiry(ex, px, exat, pxat, persist=persist)]
        flag("PERSIST", persist, words)
        reply: list[bytes | None] = self.execute_command(*words, "FIELDS", len(keys), *keys)
        return reply

    def hincrby(self, name: Word, key: Word, amount: int = 1) -> int:
        """Add to the integer in a field, zero if it does not exist. Return the sum."""
        reply: int = self.execute_command("HINCRBY", name, key, amount)
        return reply

    def hincrbyfloat(self, name: Word, key: Word, amount: float = 1.0) -> float:
        """Add to the number in a field, zero if it does not exist. Return the sum."""
        return self.ask(float, "HINCRBYFLOAT", name, key, amount)

    def hkeys(self, name: Word) -> list[bytes]:
        """Return the names of all fields."""
        reply: list[bytes] = self.execute_command("HKEYS", name)
        return reply

    def hlen(self, name: Word) -> int:
        """Return how many fields there are."""
        reply: int = self.execute_command("HLEN", name)
        return reply

    def hmget(self, name: Word, keys: Word | Iterable[Word], *args: Word) -> list[bytes | None]:
        """Return the values of fields, ``None`` for those that do not exist."""
        reply: list[bytes | None] = self.execute_command("HMGET", name, *one_or_many(keys, args))
        return reply

    def hmset(self, name: Word, mapping: Mapping[Any, Word]) -> bool:
        """Set the fields of a mapping: an older ``hset``."""
        if not mapping:
            raise DataError("'hmset' with 'mapping' of length 0")
        return self.ask(is_ok, "HMSET", name, *flat(mapping))

    def hrandfield(
        self, key: Word, count: int | None = None, withvalues: bool = False
    ) -> bytes | list[Any] | None:
        """Return a field chosen by chance, or a list of ``count``, which may repeat if negative."""
        words: list[Any] = ["HRANDFIELD", key]
        if count is not None:
            words.append(count)
        flag("WITHVALUES", withvalues, words)
        reply: bytes | list[Any] | None = self.execute_command(*words)
        return reply

    def hscan(
        self,
        name: Word,
        cursor: int = 0,
        match: Word | None = None,
        count: int | None = None,
        no_values: bool | None = None,
    ) -> tuple[int, Any]:
        """Return the cursor that goes on from here, and some fields with their values, or with
        ``no_values`` a list of some fields."""
        words: list[Any] = ["HSCAN", name, cursor]
        option("MATCH", match, words)
        option("COUNT", count, words)
        flag("NOVALUES", no_values is not None, words)
        found: tuple[int, Any] = self.ask(page(_names if no_values else to_dict), *words)
        return found

    def hscan_iter(
        self,
        name: Word,
        match: Word | None = None,
        count: int | None = None,
        no_values: bool | None = None,
    ) -> Iterator[Any]:
        """Iterate over the fields and their values by ``hscan``."""
        cursor = -1
        while cursor:
            cursor, found = self.hscan(name, max(cursor, 0), match, count, no_values)
            yield from found if no_values else found.items()

    def hset(
        self,
        name: Word,
        key: Word | None = None,
        value: Word | None = None,
        mapping: Mapping[Any, Word] | None = None,
        items: Sequence[Word] | None = None,
    ) -> int:
        """Set a field, those of a mapping, and those that a list of fields and values names.
        Return how many are new."""
        fields = _fields("hset", key, value, mapping, items)
        reply: int = self.execute_command("HSET", name, *fields)
        return reply

    def hsetex(
        self,
        name: Word,
        key: Word | None = None,
        value: Word | None = None,
        mapping: Mapping[Any, Word] | None = None,
        items: Sequence[Word] | None = None,
        ex: Span | None = None,
        px: Span | None = None,
        exat: Moment | None = None,
        pxat: Moment | None = None,
        data_persist_option: Any | None = None,
        keepttl: bool = False,
    ) -> int:
        """Set fields as ``hset`` does, and when they expire. ``data_persist_option`` is ``FNX`` to
        do it only if none of them exists, or ``FXX`` if all do. Return whether it was done."""
        fields = _fields("hsetex", key, value, mapping, items)
        words: list[Any] = ["HSETEX", name, *_expiry(ex, px, exat, pxat, keepttl=keepttl)]
        if data_persist_option is not None:
            words.append(getattr(data_persist_option, "value", data_persist_option))
        flag("KEEPTTL", keepttl, words)
        reply: int = self.execute_command(*words, "FIELDS", len(fields) // 2, *fields)
        return reply

    def hsetnx(self, name: Word, key: Word, value: Word) -> int:
        """Set a field if it does not exist. Return whether that was so."""
        reply: int = self.execute_command("HSETNX", name, key, value)
        return reply

    def hstrlen(self, name: Word, key: Word) -> int:
        """Return the length of the value of a field."""
        reply: int = self.execute_command("HSTRLEN", name, key)
        return reply

    def hvals(self, name: Word) -> list[bytes]:
        """Return the values of all fields."""
        reply: list[bytes] = self.execute_command("HVALS", name)
        return reply

    def hexpire(
        self,
        name: Word,
        seconds: Span,
        *fields: Word,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> list[int]:
        """Let fields expire after some seconds: 1 for each that will, 0 where the condition does
        not hold, 2 if it is gone at once, -2 if it does not exist."""
        return self._hexpire("HEXPIRE", name, _seconds(seconds), fields, nx, xx, gt, lt)

    def hpexpire(
        self,
        name: Word,
        milliseconds: Span,
        *fields: Word,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> list[int]:
        """Let fields expire after some milliseconds, as ``hexpire`` does."""
        return self._hexpire("HPEXPIRE", name, _ms(milliseconds), fields, nx, xx, gt, lt)

    def hexpireat(
        self,
        name: Word,
        unix_time_seconds: Moment,
        *fields: Word,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> list[int]:
        """Let fields expire at a time, as ``hexpire`` does."""
        time = _seconds(unix_time_seconds)
        return self._hexpire("HEXPIREAT", name, time, fields, nx, xx, gt, lt)

    def hpexpireat(
        self,
        name: Word,
        unix_time_milliseconds: Moment,
        *fields: Word,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> list[int]:
        """Let fields expire at a time in milliseconds, as ``hexpire`` does."""
        time = _ms(unix_time_milliseconds)
        return self._hexpire("HPEXPIREAT", name, time, fields, nx, xx, gt, lt)

    def _hexpire(
        self,
        command: str,
        name: Word,
        time: Word,
        fields: Sequence[Word],
        nx: bool,
        xx: bool,
        gt: bool,
        lt: bool,
    ) -> list[int]:
        conditions = [word for word, on in zip(("NX", "XX", "GT", "LT"), (nx, xx, gt, lt)) if on]
        if len(conditions) > 1:
            raise ValueError("Only one of 'nx', 'xx', 'gt', 'lt' can be specified.")
        words = [command, name, time, *conditions, "FIELDS", len(fields), *fields]
        reply: list[int] = self.execute_command(*words)
        return reply

    def hpersist(self, name: Word, *fields: Word) -> list[int]:
        """Let fields not expire: 1 for each that would have, -1 if it would not, -2 if it does not
        exist."""
        return self._of_fields("HPERSIST", name, fields)

    def hexpiretime(self, key: Word, *fields: Word) -> list[int]:
        """Return when fields expire, in seconds since the Unix epoch; -1 if one does not, -2 if it
        does not exist."""
        return self._of_fields("HEXPIRETIME", key, fields)

    def hpexpiretime(self, key: Word, *fields: Word) -> list[int]:
        """Return when fields expire, in milliseconds since the Unix epoch."""
        return self._of_fields("HPEXPIRETIME", key, fields)

    def httl(self, key: Word, *fields: Word) -> list[int]:
        """Return how long fields have to live, in seconds; -1 if one does not expire, -2 if it
        does not exist."""
        return self._of_fields("HTTL", key, fields)

    def hpttl(self, key: Word, *fields: Word) -> list[int]:
        """Return how long fields have to live, in milliseconds."""
        return self._of_fields("HPTTL", key, fields)

    def _of_fields(self, command: str, key: Word, fields: Sequence[Word]) -> list[int]:
        reply: list[int] = self.execute_command(command, key, "FIELDS", len(fields), *fields)
        return reply


def _names(reply: Any) -> list[Any]:
    return reply or []


def _fields(
    method: str,
    key: Word | None,
    value: Word | None,
    mapping: Mapping[Any, Word] | None,
    items: Sequence[Word] | None,
) -> list[Any]:
    if key is None and not mapping and not items:
        raise DataError(f"'{method}' with no key value pairs")
    pairs: list[Any] = list(items or ())
    if key is not None:
        pairs += [key, value]
    pairs += flat(mapping or {})
    return pairs


def _expiry(
    ex: Span | None,
    px: Span | None,
    exat: Moment | None,
    pxat: Moment | None,
    **other: bool,
) -> list[Any]:
    times = {"ex": ex, "px": px, "exat": exat, "pxat": pxat}
    only_one(**{name: time is not None for name, time in times.items()}, **other)
    words: list[Any] = []
    option("EX", None if ex is None else _seconds(ex), words)
    option("PX", None if px is None else _ms(px), words)
    option("EXAT", None if exat is None else _seconds(exat), words)
    option("PXAT", None if pxat is None else _ms(pxat), words)
    return words


def _seconds(time: int | timedelta | datetime) -> int:
    if isinstance(time, timedelta):
        return int(time.total_seconds())
    return int(time.timestamp()) if isinstance(time, datetime) else time


def _ms(time: int | timedelta | datetime) -> int:
    if isinstance(time, timedelta):
        return int(time.total_seconds() * 1000)
    return int(time.timestamp() * 1000) if isinstance(time, datetime) else time
