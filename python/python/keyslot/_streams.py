"""The stream commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._typing import Executor, Word
from ._words import each, flag, flat, is_ok, only_one, option, to_dict, to_named
from .exceptions import DataError

POLICIES = ("KEEPREF", "DELREF", "ACKED")


class StreamCommands(Executor):
    """Streams and their consumer groups."""

    __slots__ = ()

    def xack(self, name: Word, groupname: Word, *ids: Word) -> int:
        """Say that a group is done with entries. Return how many it was not done with before."""
        reply: int = self.execute_command("XACK", name, groupname, *ids)
        return reply

    def xackdel(
        self, name: Word, groupname: Word, *ids: Word, ref_policy: str = "KEEPREF"
    ) -> list[int]:
        """Say that a group is done with entries, and delete them as ``ref_policy`` allows."""
        words = ["XACKDEL", name, groupname, *_policy(ref_policy), "IDS", len(ids), *ids]
        reply: list[int] = self.execute_command(*words)
        return reply

    def xadd(
        self,
        name: Word,
        fields: Mapping[Any, Any],
        id: Word = "*",
        maxlen: int | None = None,
        approximate: bool = True,
        nomkstream: bool = False,
        minid: Word | None = None,
        limit: int | None = None,
        ref_policy: str | None = None,
    ) -> bytes | None:
        """Add an entry and return its identifier. ``maxlen`` and ``minid`` say what to trim the
        stream to, about so if ``approximate``; ``nomkstream`` leaves alone a stream that does not
        exist."""
        if not isinstance(fields, Mapping) or not fields:
            raise DataError("XADD fields must be a non-empty dict")
        words: list[Any] = ["XADD", name]
        flag("NOMKSTREAM", nomkstream, words)
        words += _policy(ref_policy)
        words += _trim(maxlen, minid, approximate, limit)
        reply: bytes | None = self.execute_command(*words, id, *flat(fields))
        return reply

    def xautoclaim(
        self,
        name: Word,
        groupname: Word,
        consumername: Word,
        min_idle_time: int,
        start_id: Word = "0-0",
        count: int | None = None,
        justid: bool = False,
    ) -> list[Any]:
        """Let a consumer take over entries that were idle for that many milliseconds. Return where
        to go on, the entries, and the identifiers of those that do not exist any more; or with
        ``justid`` the identifiers alone."""
        words: list[Any] = ["XAUTOCLAIM", name, groupname, consumername, min_idle_time, start_id]
        option("COUNT", count, words)
        flag("JUSTID", justid, words)
        claimed: list[Any] = self.ask(_second if justid else _claimed, *words)
        return claimed

    def xclaim(
        self,
        name: Word,
        groupname: Word,
        consumername: Word,
        min_idle_time: int,
        message_ids: Sequence[Word],
        idle: int | None = None,
        time: int | None = None,
        retrycount: int | None = None,
        force: bool = False,
        justid: bool = False,
    ) -> list[Any]:
        """Let a consumer take over these entries, if they were idle for that many milliseconds.
        Return them, or with ``justid`` their identifiers."""
        if not isinstance(message_ids, (list, tuple)) or not message_ids:
            raise DataError("XCLAIM message_ids must be a non empty list or tuple")
        words = ["XCLAIM", name, groupname, consumername, min_idle_time, *message_ids]
        option("IDLE", idle, words)
        option("TIME", time, words)
        option("RETRYCOUNT", retrycount, words)
        flag("FORCE", force, words)
        flag("JUSTID", justid, words)
        if not justid:
            return self.ask(_entries, *words)
        reply: list[Any] = self.execute_command(*words)
        return reply

    def xdel(self, name: Word, *ids: Word) -> int:
        """Delete entries. Return how many there were."""
        reply: int = self.execute_command("XDEL", name, *ids)
        return reply

    def xdelex(self, name: Word, *ids: Word, ref_policy: str = "KEEPREF") -> list[int]:
        """Delete entries as ``ref_policy`` allows."""
        words = ["XDELEX", name, *_policy(ref_policy), "IDS", len(ids), *ids]
        reply: list[int] = self.execute_command(*words)
        return reply

    def xgroup_create(
        self,
        name: Word,
        groupname: Word,
        id: Word = "$",
        mkstream: bool = False,
        entries_read: int | None = None,
    ) -> bool:
        """Make a group that begins after an entry, ``$`` for the last. ``mkstream`` makes the
        stream if it does not exist."""
        words: list[Any] = ["XGROUP", "CREATE", name, groupname, id]
        flag("MKSTREAM", mkstream, words)
        option("ENTRIESREAD", entries_read, words)
        return self.ask(is_ok, *words)

    def xgroup_createconsumer(self, name: Word, groupname: Word, consumername: Word) -> int:
        """Make a consumer. Return whether it is new."""
        reply: int = self.execute_command("XGROUP", "CREATECONSUMER", name, groupname, consumername)
        return reply

    def xgroup_delconsumer(self, name: Word, groupname: Word, consumername: Word) -> int:
        """Delete a consumer. Return how many entries it was not done with."""
        reply: int = self.execute_command("XGROUP", "DELCONSUMER", name, groupname, consumername)
        return reply

    def xgroup_destroy(self, name: Word, groupname: Word) -> bool:
        """Delete a group. Return whether there was one."""
        return self.ask(bool, "XGROUP", "DESTROY", name, groupname)

    def xgroup_setid(
        self, name: Word, groupname: Word, id: Word, entries_read: int | None = None
    ) -> bool:
        """Let a group go on after another entry."""
        words: list[Any] = ["XGROUP", "SETID", name, groupname, id]
        option("ENTRIESREAD", entries_read, words)
        return self.ask(is_ok, *words)

    def xinfo_consumers(self, name: Word, groupname: Word) -> list[dict[str, Any]]:
        """Return what is known of the consumers of a group."""
        consumers: list[dict[str, Any]]
        consumers = self.ask(each(to_named), "XINFO", "CONSUMERS", name, groupname)
        return consumers

    def xinfo_groups(self, name: Word) -> list[dict[str, Any]]:
        """Return what is known of the groups of a stream."""
        groups: list[dict[str, Any]] = self.ask(each(to_named), "XINFO", "GROUPS", name)
        return groups

    def xinfo_stream(self, name: Word, full: bool = False) -> dict[str, Any]:
        """Return what is known of a stream, with ``full`` its entries and groups too."""
        if full:
            return self.ask(_whole_stream, "XINFO", "STREAM", name, "FULL")
        return self.ask(_stream, "XINFO", "STREAM", name)

    def xlen(self, name: Word) -> int:
        """Return how many entries there are."""
        reply: int = self.execute_command("XLEN", name)
        return reply

    def xpending(self, name: Word, groupname: Word) -> dict[str, Any]:
        """Return how many entries a group is not done with: in all, the first and the last of
        them, and for each consumer."""
        return self.ask(_pending, "XPENDING", name, groupname)

    def xpending_range(
        self,
        name: Word,
        groupname: Word,
        min: Word,
        max: Word,
        count: int,
        consumername: Word | None = None,
        idle: int | None = None,
    ) -> list[dict[str, Any]]:
        """Return entries that a group is not done with: whose they are, for how long in
        milliseconds, and how often they were delivered."""
        words: list[Any] = ["XPENDING", name, groupname]
        option("IDLE", idle, words)
        words += [min, max, count]
        if consumername:
            words.append(consumername)
        names = ("message_id", "consumer", "time_since_delivered", "times_delivered")
        entries: list[dict[str, Any]] = self.ask(
            each(lambda entry: dict(zip(names, entry))), *words
        )
        return entries

    def xrange(
        self, name: Word, min: Word = "-", max: Word = "+", count: int | None = None
    ) -> list[Any]:
        """Return the entries from one to another, both included."""
        words: list[Any] = ["XRANGE", name, min, max]
        option("COUNT", count, words)
        return self.ask(_entries, *words)

    def xrevrange(
        self, name: Word, max: Word = "+", min: Word = "-", count: int | None = None
    ) -> list[Any]:
        """Return the entries from one back to another, both included."""
        words: list[Any] = ["XREVRANGE", name, max, min]
        option("COUNT", count, words)
        return self.ask(_entries, *words)

    def xread(
        self,
        streams: Mapping[Any, Word],
        count: int | None = None,
        block: int | None = None,
    ) -> list[Any]:
        """Return the entries of streams after these, ``count`` of each. ``block`` is for how many
        milliseconds to wait for some, zero for ever."""
        words: list[Any] = ["XREAD"]
        option("BLOCK", block, words)
        option("COUNT", count, words)
        return self._read(words, streams)

    def xreadgroup(
        self,
        groupname: Word,
        consumername: Word,
        streams: Mapping[Any, Word],
        count: int | None = None,
        block: int | None = None,
        noack: bool = False,
    ) -> list[Any]:
        """Return entries that no consumer of a group has had yet, for ``>``, or those after an
        entry that this one is not done with."""
        words: list[Any] = ["XREADGROUP", "GROUP", groupname, consumername]
        option("COUNT", count, words)
        option("BLOCK", block, words)
        flag("NOACK", noack, words)
        return self._read(words, streams)

    def _read(self, words: list[Any], streams: Mapping[Any, Word]) -> list[Any]:
        if not isinstance(streams, Mapping) or not streams:
            raise DataError("streams must be a non empty dict")
        return self.ask(_read, *words, "STREAMS", *streams.keys(), *streams.values())

    def xtrim(
        self,
        name: Word,
        maxlen: int | None = None,
        approximate: bool = True,
        minid: Word | None = None,
        limit: int | None = None,
        ref_policy: str | None = None,
    ) -> int:
        """Delete the oldest entries. Return how many they were."""
        if maxlen is None and minid is None:
            raise DataError("One of ``maxlen`` or ``minid`` must be specified")
        trim = _trim(maxlen, minid, approximate, limit)
        reply: int = self.execute_command("XTRIM", name, *trim, *_policy(ref_policy))
        return reply


def _trim(
    maxlen: int | None, minid: Word | None, approximate: bool, limit: int | None
) -> list[Any]:
    only_one(maxlen=maxlen is not None, minid=minid is not None)
    about = ["~"] if approximate else []
    words: list[Any] = []
    if maxlen is not None:
        words += ["MAXLEN", *about, maxlen]
    if minid is not None:
        words += ["MINID", *about, minid]
    option("LIMIT", limit, words)
    return words


def _policy(policy: str | None) -> list[str]:
    if policy is None:
        return []
    if policy not in POLICIES:
        raise DataError(f"what becomes of references is one of {', '.join(POLICIES)}")
    return [policy]


def _second(reply: Any) -> Any:
    return reply[1]


def _claimed(reply: Any) -> list[Any]:
    return [reply[0], _entries(reply[1]), *reply[2:]]


def _stream(reply: Any) -> dict[str, Any]:
    known = to_named(reply)
    for end in ("first-entry", "last-entry"):
        entry = known[end]
        known[end] = entry and (entry[0], to_dict(entry[1]))
    return known


def _whole_stream(reply: Any) -> dict[str, Any]:
    known = to_named(reply)
    known["entries"] = {entry: to_dict(fields) for entry, fields in known["entries"]}
    known["groups"] = [to_named(group) for group in known["groups"]]
    for group in known["groups"]:
        group["consumers"] = [to_named(consumer) for consumer in group["consumers"]]
    return known


def _pending(reply: Any) -> dict[str, Any]:
    pending, first, last, consumers = reply
    counts = [{"name": consumer, "pending": int(count)} for consumer, count in consumers or []]
    return {"pending": pending, "min": first, "max": last, "consumers": counts}


def _read(reply: Any) -> list[Any]:
    pairs = reply.items() if isinstance(reply, dict) else reply or []
    return [[name, _entries(entries)] for name, entries in pairs]


def _entries(reply: Any) -> list[Any]:
    """Return entries as redis-py does: an identifier and the fields of each."""
    return [
        (None, None) if entry is None else (entry[0], to_dict(entry[1])) for entry in reply or []
    ]
