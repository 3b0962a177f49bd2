"""The sorted set commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Union

from ._typing import Executor, Word
from ._words import (
    Cast,
    each,
    flag,
    limit,
    only_one,
    option,
    page,
    to_float,
    to_scored,
    unless_none,
)
from .exceptions import DataError

Bound = Union[float, str, bytes]
Weighted = Union[Sequence[Word], Mapping[Any, float]]


class SortedSetCommands(Executor):
    """Sorted sets."""

    __slots__ = ()

    def zadd(
        self,
        name: Word,
        mapping: Mapping[Any, Any],
        nx: bool = False,
        xx: bool = False,
        ch: bool = False,
        incr: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> int | float | None:
        """Add the members of a mapping with their scores. Return how many are new, or with ``ch``
        how many are new or changed. ``nx`` adds only, ``xx`` changes only, ``gt`` and ``lt`` change
        to greater or lesser scores only. With ``incr`` the score of the one member grows by what is
        given, and the new score is returned, ``None`` if a condition does not hold."""
        if not mapping:
            raise DataError("ZADD requires at least one element/score pair")
        only_one(nx=nx, xx=xx)
        only_one(nx=nx, gt=gt, lt=lt)
        if incr and len(mapping) != 1:
            raise DataError("ZADD increments one member at a time")
        words: list[Any] = ["ZADD", name]
        for word, on in zip(("NX", "XX", "CH", "INCR", "GT", "LT"), (nx, xx, ch, incr, gt, lt)):
            flag(word, on, words)
        for member, score in mapping.items():
            words += [score, member]
        return self.ask(to_float, *words) if incr else self.execute_command(*words)

    def zcard(self, name: Word) -> int:
        """Return how many members there are."""
        reply: int = self.execute_command("ZCARD", name)
        return reply

    def zcount(self, name: Word, min: Bound, max: Bound) -> int:
        """Return how many members have a score between these; ``(1`` leaves 1 out."""
        reply: int = self.execute_command("ZCOUNT", name, min, max)
        return reply

    def zdiff(self, keys: Sequence[Word], withscores: bool = False) -> list[Any]:
        """Return the members of the first sorted set that are in none of the others."""
        words: list[Any] = ["ZDIFF", len(keys), *keys]
        flag("WITHSCORES", withscores, words)
        reply: list[Any] = self.execute_command(*words)
        return reply

    def zdiffstore(self, dest: Word, keys: Sequence[Word]) -> int:
        """Store what ``zdiff`` returns. Return how many members it has."""
        reply: int = self.execute_command("ZDIFFSTORE", dest, len(keys), *keys)
        return reply

    def zincrby(self, name: Word, amount: float, value: Word) -> float | None:
        """Add to the score of a member. Return the sum."""
        return self.ask(to_float, "ZINCRBY", name, amount, value)

    def zinter(
        self, keys: Weighted, aggregate: str | None = None, withscores: bool = False
    ) -> list[Any]:
        """Return the members that are in all of the sorted sets. A mapping gives their weights;
        ``aggregate`` says what becomes of the scores: ``SUM``, ``MIN`` or ``MAX``."""
        return self._range(_aggregate(["ZINTER"], keys, aggregate), withscores, float)

    def zintercard(self, numkeys: int, keys: Sequence[Word], limit: int = 0) -> int:
        """Return how many members are in all of the sorted sets, counting no further than
        ``limit``."""
        reply: int = self.execute_command("ZINTERCARD", numkeys, *keys, "LIMIT", limit)
        return reply

    def zinterstore(self, dest: Word, keys: Weighted, aggregate: str | None = None) -> int:
        """Store what ``zinter`` returns. Return how many members it has."""
        reply: int = self.execute_command(*_aggregate(["ZINTERSTORE", dest], keys, aggregate))
        return reply

    def zlexcount(self, name: Word, min: Word, max: Word) -> int:
        """Return how many members lie between these texts, if all scores are the same."""
        reply: int = self.execute_command("ZLEXCOUNT", name, min, max)
        return reply

    def zmpop(
        self,
        num_keys: int,
        keys: Sequence[Word],
        min: bool | None = False,
        max: bool | None = False,
        count: int | None = 1,
    ) -> list[Any] | None:
        """Take up to ``count`` members from an end of the first sorted set that has any. Return
        its key, and the members with their scores."""
        if bool(min) == bool(max):
            raise DataError("ZMPOP takes from one end: 'min' or 'max'")
        words: list[Any] = ["ZMPOP", num_keys, *keys, "MIN" if min else "MAX"]
        if count != 1:
            option("COUNT", count, words)
        reply: list[Any] | None = self.execute_command(*words)
        return reply

    def zmscore(self, key: Word, members: Iterable[Word]) -> list[float | None]:
        """Return the scores of members, ``None`` for those that do not exist."""
        words = list(members)
        if not words:
            raise DataError("ZMSCORE members must be a non-empty list")
        scores: list[float | None] = self.ask(each(to_float), "ZMSCORE", key, *words)
        return scores

    def zpopmax(self, name: Word, count: int | None = None) -> list[tuple[bytes, float]]:
        """Take out the ``count`` members with the highest scores."""
        words = () if count is None else (count,)
        return self.ask(_popped, "ZPOPMAX", name, *words)

    def zpopmin(self, name: Word, count: int | None = None) -> list[tuple[bytes, float]]:
        """Take out the ``count`` members with the lowest scores."""
        words = () if count is None else (count,)
        return self.ask(_popped, "ZPOPMIN", name, *words)

    def zrandmember(
        self, key: Word, count: int | None = None, withscores: bool = False
    ) -> bytes | list[Any] | None:
        """Return a member chosen by chance, or a list of ``count``, which may repeat if
        negative."""
        words: list[Any] = ["ZRANDMEMBER", key]
        if count is not None:
            words.append(count)
        flag("WITHSCORES", withscores, words)
        reply: bytes | list[Any] | None = self.execute_command(*words)
        return reply

    def zrange(
        self,
        name: Word,
        start: Any,
        end: Any,
        desc: bool = False,
        withscores: bool = False,
        score_cast_func: Cast = float,
        byscore: bool = False,
        bylex: bool = False,
        offset: int | None = None,
        num: int | None = None,
    ) -> list[Any]:
        """Return the members from one place to another, or with ``byscore`` and ``bylex`` from one
        score or text to another; with ``desc`` from the highest down. ``withscores`` makes pairs
        of them."""
        if bylex and withscores:
            raise DataError("'withscores' does not go with 'bylex'")
        words = ["ZRANGE", name, start, end]
        _range_options(words, byscore, bylex, desc, offset, num)
        return self._range(words, withscores, score_cast_func)

    def zrangestore(
        self,
        dest: Word,
        name: Word,
        start: Any,
        end: Any,
        byscore: bool = False,
        bylex: bool = False,
        desc: bool = False,
        offset: int | None = None,
        num: int | None = None,
    ) -> int:
        """Store what ``zrange`` returns. Return how many members it has."""
        words = ["ZRANGESTORE", dest, name, start, end]
        _range_options(words, byscore, bylex, desc, offset, num)
        reply: int = self.execute_command(*words)
        return reply

    def zrevrange(
        self,
        name: Word,
        start: int,
        end: int,
        withscores: bool = False,
        score_cast_func: Cast = float,
    ) -> list[Any]:
        """Return the members from one place to another, from the highest score down."""
        return self._range(["ZREVRANGE", name, start, end], withscores, score_cast_func)

    def zrangebylex(
        self,
        name: Word,
        min: Word,
        max: Word,
        start: int | None = None,
        num: int | None = None,
    ) -> list[bytes]:
        """Return the members between two texts, if all scores are the same."""
        words: list[Any] = ["ZRANGEBYLEX", name, min, max]
        limit(start, num, words)
        reply: list[bytes] = self.execute_command(*words)
        return reply

    def zrevrangebylex(
        self,
        name: Word,
        max: Word,
        min: Word,
        start: int | None = None,
        num: int | None = None,
    ) -> list[bytes]:
        """Return the members between two texts, from the last back."""
        words: list[Any] = ["ZREVRANGEBYLEX", name, max, min]
        limit(start, num, words)
        reply: list[bytes] = self.execute_command(*words)
        return reply

    def zrangebyscore(
        self,
        name: Word,
        min: Bound,
        max: Bound,
        start: int | None = None,
        num: int | None = None,
        withscores: bool = False,
        score_cast_func: Cast = float,
    ) -> list[Any]:
        """Return the members with scores between two."""
        words: list[Any] = ["ZRANGEBYSCORE", name, min, max]
        limit(start, num, words)
        return self._range(words, withscores, score_cast_func)

    def zrevrangebyscore(
        self,
        name: Word,
        max: Bound,
        min: Bound,
        start: int | None = None,
        num: int | None = None,
        withscores: bool = False,
        score_cast_func: Cast = float,
    ) -> list[Any]:
        """Return the members with scores between two, from the highest down."""
        words: list[Any] = ["ZREVRANGEBYSCORE", name, max, min]
        limit(start, num, words)
        return self._range(words, withscores, score_cast_func)

    def _range(self, words: list[Any], withscores: bool, cast: Cast) -> list[Any]:
        flag("WITHSCORES", withscores, words)
        if withscores:
            return self.ask(lambda reply: to_scored(reply, cast), *words)
        reply: list[Any] = self.execute_command(*words)
        return reply

    def zrank(
        self,
        name: Word,
        value: Word,
        withscore: bool = False,
        score_cast_func: Cast = float,
    ) -> int | list[Any] | None:
        """Return how many members come before this one, with its score if asked for."""
        rank: int | list[Any] | None = self._rank(
            "ZRANK", name, value, withscore, score_cast_func
        )
        return rank

    def zrevrank(
        self,
        name: Word,
        value: Word,
        withscore: bool = False,
        score_cast_func: Cast = float,
    ) -> int | list[Any] | None:
        """Return how many members come after this one, with its score if asked for."""
        rank: int | list[Any] | None = self._rank(
            "ZREVRANK", name, value, withscore, score_cast_func
        )
        return rank

    def _rank(self, command: str, name: Word, value: Word, withscore: bool, cast: Cast) -> Any:
        if not withscore:
            return self.execute_command(command, name, value)
        with_score = unless_none(lambda reply: [reply[0], cast(reply[1])])
        return self.ask(with_score, command, name, value, "WITHSCORE")

    def zrem(self, name: Word, *values: Word) -> int:
        """Remove members. Return how many there were."""
        reply: int = self.execute_command("ZREM", name, *values)
        return reply

    def zremrangebylex(self, name: Word, min: Word, max: Word) -> int:
        """Remove the members between two texts. Return how many there were."""
        reply: int = self.execute_command("ZREMRANGEBYLEX", name, min, max)
        return reply

    def zremrangebyrank(self, name: Word, min: int, max: int) -> int:
        """Remove the members from one place to another. Return how many there were."""
        reply: int = self.execute_command("ZREMRANGEBYRANK", name, min, max)
        return reply

    def zremrangebyscore(self, name: Word, min: Bound, max: Bound) -> int:
        """Remove the members with scores between two. Return how many there were."""
        reply: int = self.execute_command("ZREMRANGEBYSCORE", name, min, max)
        return reply

    def zscan(
        self,
        name: Word,
        cursor: int = 0,
        match: Word | None = None,
        count: int | None = None,
        score_cast_func: Cast = float,
    ) -> tuple[int, list[tuple[bytes, Any]]]:
        """Return the cursor that goes on from here, and some members with their scores."""
        words: list[Any] = ["ZSCAN", name, cursor]
        option("MATCH", match, words)
        option("COUNT", count, words)
        found: tuple[int, list[tuple[bytes, Any]]]
        found = self.ask(page(lambda found: to_scored(found, score_cast_func)), *words)
        return found

    def zscan_iter(
        self,
        name: Word,
        match: Word | None = None,
        count: int | None = None,
        score_cast_func: Cast = float,
    ) -> Iterator[tuple[bytes, Any]]:
        """Iterate over the members and their scores by ``zscan``."""
        cursor = -1
        while cursor:
            cursor, found = self.zscan(name, max(cursor, 0), match, count, score_cast_func)
            yield from found

    def zscore(self, name: Word, value: Word) -> float | None:
        """Return the score of a member, or ``None``."""
        return self.ask(to_float, "ZSCORE", name, value)

    def zunion(
        self,
        keys: Weighted,
        aggregate: str | None = None,
        withscores: bool = False,
        score_cast_func: Cast = float,
    ) -> list[Any]:
        """Return the members that are in any of the sorted sets, as ``zinter`` does."""
        words = _aggregate(["ZUNION"], keys, aggregate)
        return self._range(words, withscores, score_cast_func)

    def zunionstore(self, dest: Word, keys: Weighted, aggregate: str | None = None) -> int:
        """Store what ``zunion`` returns. Return how many members it has."""
        reply: int = self.execute_command(*_aggregate(["ZUNIONSTORE", dest], keys, aggregate))
        return reply


def _popped(reply: Any) -> list[tuple[bytes, float]]:
    # The newer protocol answers one member as a flat pair.
    flat_pair = len(reply) == 2 and isinstance(reply[1], float)
    return [(reply[0], reply[1])] if flat_pair else to_scored(reply)


def _range_options(
    words: list[Any],
    byscore: bool,
    bylex: bool,
    desc: bool,
    offset: int | None,
    num: int | None,
) -> None:
    only_one(byscore=byscore, bylex=bylex)
    flag("BYSCORE", byscore, words)
    flag("BYLEX", bylex, words)
    flag("REV", desc, words)
    limit(offset, num, words)


def _aggregate(start: list[Any], keys: Weighted, aggregate: str | None) -> list[Any]:
    words = [*start, len(keys), *keys]
    if isinstance(keys, Mapping):
        words += ["WEIGHTS", *keys.values()]
    if aggregate:
        if aggregate.upper() not in ("SUM", "MIN", "MAX"):
            raise DataError("aggregate can be sum, min or max.")
        words += ["AGGREGATE", aggregate]
    return words
