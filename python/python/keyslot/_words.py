"""What the families share: arguments made words of, and replies made results of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ._typing import Word, text
from .exceptions import DataError

Score = TypeVar("Score")
Cast = Callable[[Any], Any]


def one_or_many(first: Word | Iterable[Word], rest: Iterable[Word] = ()) -> list[Word]:
    """Return the words of a parameter that takes one or a list, with those that came after it."""
    if isinstance(first, (bytes, bytearray, memoryview, str, int, float)):
        return [first, *rest]
    return [*first, *rest]


def flat(mapping: Mapping[Any, Word]) -> list[Any]:
    """Return the keys and values of a mapping, one after another."""
    return [word for pair in mapping.items() for word in pair]


def limit(start: int | None, num: int | None, words: list[Any]) -> None:
    """Append LIMIT, whose two numbers come together or not at all."""
    if (start is None) != (num is None):
        raise DataError("an offset and a number of elements are given together")
    if start is not None:
        words += ["LIMIT", start, num]


def option(name: str, value: Word | None, words: list[Any]) -> None:
    """Append the name of an option and its value, if it is given."""
    if value is not None:
        words += [name, value]


def flag(name: str, given: object, words: list[Any]) -> None:
    """Append the name of an option that is on."""
    if given:
        words.append(name)


def only_one(**options: object) -> None:
    """Refuse more than one of these options."""
    if sum(bool(value) for value in options.values()) > 1:
        raise DataError(f"only one of {', '.join(options)} may be given")


def is_ok(reply: Any) -> bool:
    """Return whether a reply says that it was done."""
    return bool(reply == b"OK")


def each(convert: Cast) -> Cast:
    """Make a function for the parts of a list of one for a part."""
    return lambda reply: [convert(part) for part in reply]


def unless_none(convert: Cast) -> Cast:
    """Let a function leave out what is missing."""
    return lambda reply: None if reply is None else convert(reply)


def page(convert: Cast) -> Cast:
    """Make a function for what a scan found of one for the reply to a scan."""
    return lambda reply: (int(reply[0]), convert(reply[1]))


def to_dict(reply: Any) -> dict[Any, Any]:
    """Return a map, which the older protocol has as a list of keys and values."""
    if reply is None:
        return {}
    if isinstance(reply, dict):
        return reply
    return dict(zip(reply[::2], reply[1::2]))


def to_named(reply: Any) -> dict[str, Any]:
    """Return a map whose keys are names."""
    return {text(name): value for name, value in to_dict(reply).items()}


def to_float(reply: Any) -> float | None:
    """Return a number that may be missing."""
    return None if reply is None else float(reply)


def to_scored(reply: Any, cast: Cast = float) -> list[tuple[bytes, Any]]:
    """Return members with their scores, which the newer protocol has as pairs."""
    if reply and isinstance(reply[0], list):
        return [(member, _cast(cast, score)) for member, score in reply]
    return [(m, _cast(cast, score)) for m, score in zip(reply[::2], reply[1::2])]


def _cast(cast: Cast, score: Any) -> Any:
    """Let the caller's type read a score; one that cannot read an exponent gets the number."""
    try:
        return cast(score)
    except (TypeError, ValueError):
        return cast(float(score))
