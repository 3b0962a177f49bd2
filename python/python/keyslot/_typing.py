"""The types that signatures speak of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, Union

Word = Union[bytes, bytearray, memoryview, str, int, float]
"""A word of a request: bytes, text (sent as UTF-8) or a number."""


Result = TypeVar("Result")


class Executor:
    """What the command families build on; the native classes have it.

    A method of a family makes words of its arguments and hands them to one of these, and returns what
    that returns: the result, or the pipeline in which the command waits for its reply.
    """

    __slots__ = ()

    def execute_command(self, *args: Word) -> Any:
        """Carry out one command and return its reply as it is."""
        raise NotImplementedError

    def ask(self, convert: Callable[[Any], Result], *words: Word) -> Result:
        """Carry out one command and return what ``convert`` makes of its reply."""
        raise NotImplementedError


def text(reply: bytes) -> str:
    """Read a reply that is text by nature."""
    return reply.decode("utf-8", "replace")
