"""The commands about the engine as a whole."""

from __future__ import annotations

from typing import Any

from ._typing import Executor, Word, text
from ._words import is_ok, to_named


class ServerCommands(Executor):
    """The engine."""

    __slots__ = ()

    def config_get(self, pattern: Word = "*", *args: Word) -> dict[str, str]:
        """Return the settings whose names match a glob pattern."""
        return self.ask(_settings, "CONFIG", "GET", pattern, *args)

    def config_resetstat(self) -> bool:
        """Set the figures of ``info`` back."""
        return self.ask(is_ok, "CONFIG", "RESETSTAT")

    def config_set(self, name: Word, value: Word, *args: Word) -> bool:
        """Change settings: all that are given, or none if one is not allowed."""
        return self.ask(is_ok, "CONFIG", "SET", name, value, *args)

    def dbsize(self) -> int:
        """Return how many keys the database has."""
        reply: int = self.execute_command("DBSIZE")
        return reply

    def flushall(self, asynchronous: bool = False) -> bool:
        """Delete all keys of all databases."""
        return self.ask(is_ok, "FLUSHALL", *_async(asynchronous))

    def flushdb(self, asynchronous: bool = False) -> bool:
        """Delete all keys of the database."""
        return self.ask(is_ok, "FLUSHDB", *_async(asynchronous))

    def info(self, section: str | None = None, *args: str) -> dict[str, Any]:
        """Return facts and figures of the engine, of some sections if they are named."""
        sections = () if section is None else (section, *args)
        return self.ask(_info, "INFO", *sections)

    def memory_usage(self, key: Word, samples: int | None = None) -> int | None:
        """Return the bytes that a key takes with its value, or ``None``."""
        words: tuple[Word, ...] = () if samples is None else ("SAMPLES", samples)
        reply: int | None = self.execute_command("MEMORY", "USAGE", key, *words)
        return reply

    def swapdb(self, first: int, second: int) -> bool:
        """Exchange two databases."""
        return self.ask(is_ok, "SWAPDB", first, second)

    def time(self) -> tuple[int, int]:
        """Return the engine's time: seconds since the Unix epoch, and microseconds."""
        return self.ask(_seconds_and_rest, "TIME")


def _async(asynchronous: bool) -> tuple[str, ...]:
    return ("ASYNC",) if asynchronous else ()


def _settings(reply: Any) -> dict[str, str]:
    return {name: text(value) for name, value in to_named(reply).items()}


def _seconds_and_rest(reply: Any) -> tuple[int, int]:
    seconds, microseconds = reply
    return int(seconds), int(microseconds)


def _info(report: bytes) -> dict[str, Any]:
    lines = (line for line in text(report).splitlines() if line and not line.startswith("#"))
    pairs = (line.partition(":") for line in lines)
    return {name: _info_value(value) for name, _, value in pairs}


def _info_value(value: str) -> Any:
    """Read one value as redis-py does: a number, a text, a list of those or a dictionary."""
    if "=" in value:
        pairs = (item.rpartition("=") for item in value.split(",") if item)
        return {name: _info_value(part) if sign else True for name, sign, part in pairs}
    if "," in value:
        return [_info_value(part) for part in value.split(",") if part]
    try:
        return float(value) if "." in value else int(value)
    except ValueError:
        return value
