"""The types that signatures speak of."""

from __future__ import annotations

from typing import Any, Union

Word = Union[bytes, bytearray, memoryview, str, int, float]
"""A word of a request: bytes, text (sent as UTF-8) or a number."""


class Executor:
    """What the command families build on; the native classes have it."""

    __slots__ = ()

    def execute(self, *words: Word) -> Any:
        """Carry out one command and return its reply as it is."""
        raise NotImplementedError


def text(reply: bytes) -> str:
    """Read a reply that is text by nature."""
    return reply.decode("utf-8", "replace")
