"""The commands that tell what the engine does and what its commands are."""

from __future__ import annotations

from typing import Any

from ._typing import Executor, Word, text
from ._words import is_ok, option, to_dict, to_named
from .exceptions import DataError


class InsightCommands(Executor):
    """What takes long, what takes room, and what there is to ask for."""

    __slots__ = ()

    def slowlog_get(self, num: int | None = None) -> list[dict[str, Any]]:
        """Return the commands that took long, the latest first, ten unless told otherwise."""
        words = () if num is None else (num,)
        return self.ask(_slow_calls, "SLOWLOG", "GET", *words)

    def slowlog_len(self) -> int:
        """Return how many commands are kept that took long."""
        reply: int = self.execute_command("SLOWLOG", "LEN")
        return reply

    def slowlog_reset(self) -> bool:
        """Forget the commands that took long."""
        return self.ask(is_ok, "SLOWLOG", "RESET")

    def latency_latest(self) -> list[list[Any]]:
        """Return of each event its name, when it last was slow, how slow then and at most."""
        reply: list[list[Any]] = self.execute_command("LATENCY", "LATEST")
        return reply

    def latency_history(self, event: str) -> list[list[int]]:
        """Return when an event was slow, and how many milliseconds it took."""
        reply: list[list[int]] = self.execute_command("LATENCY", "HISTORY", event)
        return reply

    def latency_reset(self, *events: str) -> int:
        """Forget when these events were slow, or all of them. Return how many there were."""
        reply: int = self.execute_command("LATENCY", "RESET", *events)
        return reply

    def latency_graph(self, event: str) -> str:
        """Return a drawing of when an event was slow."""
        return self.ask(text, "LATENCY", "GRAPH", event)

    def latency_doctor(self) -> str:
        """Return a report on what was slow."""
        return self.ask(text, "LATENCY", "DOCTOR")

    def latency_histogram(self, *args: str) -> dict[str, dict[str, Any]]:
        """Return of commands, or of all, how many calls took at most how many microseconds."""
        return self.ask(_histograms, "LATENCY", "HISTOGRAM", *args)

    def memory_doctor(self) -> str:
        """Return a report on memory."""
        return self.ask(text, "MEMORY", "DOCTOR")

    def memory_malloc_stats(self) -> bytes:
        """Return what the allocator says of itself."""
        reply: bytes = self.execute_command("MEMORY", "MALLOC-STATS")
        return reply

    def memory_purge(self) -> bool:
        """Give back memory that is not used."""
        return self.ask(is_ok, "MEMORY", "PURGE")

    def memory_stats(self) -> dict[str, Any]:
        """Return what takes how much memory."""
        return self.ask(_memory, "MEMORY", "STATS")

    def command(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each command."""
        return self.ask(_commands, "COMMAND")

    def command_count(self) -> int:
        """Return how many commands there are."""
        reply: int = self.execute_command("COMMAND", "COUNT")
        return reply

    def command_docs(self, *args: str) -> dict[str, dict[str, Any]]:
        """Return what the documents say of commands, or of all."""
        return self.ask(_documents, "COMMAND", "DOCS", *args)

    def command_getkeys(self, *args: Word) -> list[str]:
        """Return the keys of a whole request."""
        return self.ask(_texts, "COMMAND", "GETKEYS", *args)

    def command_getkeysandflags(self, *args: Word) -> list[list[Any]]:
        """Return the keys of a whole request, each with what is done to it."""
        reply: list[list[Any]] = self.execute_command("COMMAND", "GETKEYSANDFLAGS", *args)
        return reply

    def command_info(self, *args: str) -> dict[str, dict[str, Any]]:
        """Return what is known of some commands; those that do not exist are left out."""
        return self.ask(_commands, "COMMAND", "INFO", *args)

    def command_list(
        self,
        module: str | None = None,
        category: str | None = None,
        pattern: str | None = None,
    ) -> list[bytes]:
        """Return the names of all commands, or of those of a module, of a category of access or
        that match a glob pattern."""
        words: list[Any] = []
        option("MODULE", module, words)
        option("ACLCAT", category, words)
        option("PATTERN", pattern, words)
        if len(words) > 2:
            raise DataError("only one of module, category and pattern may be given")
        filter_by = ["FILTERBY", *words] if words else []
        reply: list[bytes] = self.execute_command("COMMAND", "LIST", *filter_by)
        return reply


def _texts(reply: Any) -> list[str]:
    return [text(word) for word in reply]


def _slow_calls(reply: Any) -> list[dict[str, Any]]:
    names = ("id", "start_time", "duration", "command", "client_address", "client_name")
    calls = [dict(zip(names, entry)) for entry in reply]
    for call in calls:
        call["command"] = b" ".join(call["command"])
    return calls


def _histograms(reply: Any) -> dict[str, dict[str, Any]]:
    found = {}
    for name, histogram in to_named(reply).items():
        one = to_named(histogram)
        found[name] = {**one, "histogram_usec": to_dict(one["histogram_usec"])}
    return found


def _memory(reply: Any) -> dict[str, Any]:
    stats = {}
    for name, value in to_named(reply).items():
        if name.startswith("db."):
            value = to_named(value)
        stats[name] = text(value) if isinstance(value, bytes) else value
    return stats


def _commands(reply: Any) -> dict[str, dict[str, Any]]:
    return {text(entry[0]): _command(entry) for entry in reply if entry}


def _command(entry: list[Any]) -> dict[str, Any]:
    name, arity, flags, first, last, step, *more = entry
    known = {
        "name": text(name),
        "arity": arity,
        "flags": [text(flag) for flag in flags],
        "first_key_pos": first,
        "last_key_pos": last,
        "step_count": step,
    }
    return {
        **known,
        "acl_categories": [text(category) for category in more[0]],
        "tips": more[1],
        "key_specifications": more[2],
        "subcommands": more[3],
    }


def _documents(reply: Any) -> dict[str, dict[str, Any]]:
    return {name: to_named(document) for name, document in to_named(reply).items()}
