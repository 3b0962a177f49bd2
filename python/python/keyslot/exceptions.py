"""What can go wrong, under redis-py's names where it has one. Texts are Redis's."""

from __future__ import annotations

__all__ = [
    "AskError",
    "AuthenticationError",
    "BusyKeyError",
    "BusyLoadingError",
    "ClosedError",
    "ClusterCrossSlotError",
    "ClusterDownError",
    "DataError",
    "ExecAbortError",
    "KeyslotError",
    "LockError",
    "LockNotOwnedError",
    "MovedError",
    "NoPermissionError",
    "NoScriptError",
    "OutOfMemoryError",
    "ReadOnlyError",
    "ResponseError",
    "TryAgainError",
    "WatchError",
    "WrongTypeError",
]


class KeyslotError(Exception):
    """The base of all that this package raises of its own."""


class ClosedError(KeyslotError):
    """The engine or the session was closed."""


class DataError(KeyslotError):
    """Arguments that no request can be made of."""


class WatchError(KeyslotError):
    """A key that was watched has changed, and the transaction was not carried out."""


class LockError(KeyslotError, ValueError):
    """A lock cannot be taken, or was not taken by who gives it back."""


class LockNotOwnedError(LockError):
    """A lock is another's by now, or nobody's."""


class ResponseError(KeyslotError):
    """An error reply.

    As redis-py does, the text leaves out the prefix where the class says the same, and ``ERR``.
    """

    number: int = 1
    """The stable number of the kind of error, the same in every language."""

    kind: str = "ERR"
    """The first word of the error reply, such as ``ERR`` or ``WRONGTYPE``."""


class WrongTypeError(ResponseError):
    """The key holds another type than the command works on."""


class OutOfMemoryError(ResponseError):
    """Over ``maxmemory``, and nothing may be evicted. Nothing was changed."""


class BusyKeyError(ResponseError):
    """The key that RESTORE was to make exists."""


class TryAgainError(ResponseError):
    """Some keys of the command are here and some are not, while their slot moves."""


class ClusterCrossSlotError(ResponseError):
    """The keys of the command are in different slots."""


class ClusterDownError(ResponseError):
    """The slot is not served."""


class AuthenticationError(ResponseError):
    """The session has not authenticated, or name or password is wrong."""


class NoPermissionError(ResponseError):
    """The user may not do this."""


class ExecAbortError(ResponseError):
    """The transaction was refused while it was queued."""


class NoScriptError(ResponseError):
    """No script has this digest."""


class ReadOnlyError(ResponseError):
    """A write at a replica."""


class BusyLoadingError(ResponseError):
    """The data is being loaded."""


class AskError(ResponseError):
    """The key may be at the node that imports its slot: ask there, with ASKING, this once."""

    slot_id: int
    """The slot of the key."""
    host: str
    """Where to ask."""
    port: int
    """Where to ask."""
    node_addr: tuple[str, int]
    """Host and port."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        slot, _, address = text.partition(" ")
        host, _, port = address.rpartition(":")
        self.slot_id = int(slot)
        self.node_addr = self.host, self.port = host, int(port)


class MovedError(AskError):
    """The slot belongs to another node: ask there from now on."""


# Those whose prefix redis-py takes off the text.
_STRIPPED: dict[str, type[ResponseError]] = {
    "ERR": ResponseError,
    "OOM": OutOfMemoryError,
    "MOVED": MovedError,
    "ASK": AskError,
    "TRYAGAIN": TryAgainError,
    "CROSSSLOT": ClusterCrossSlotError,
    "CLUSTERDOWN": ClusterDownError,
    "NOAUTH": AuthenticationError,
    "WRONGPASS": AuthenticationError,
    "NOPERM": NoPermissionError,
    "EXECABORT": ExecAbortError,
    "NOSCRIPT": NoScriptError,
    "READONLY": ReadOnlyError,
    "LOADING": BusyLoadingError,
}

_WHOLE: dict[str, type[ResponseError]] = {
    "WRONGTYPE": WrongTypeError,
    "BUSYKEY": BusyKeyError,
}


def error_from_reply(number: int, kind: str, line: str) -> ResponseError:
    """Make the exception for an error reply: its number, its prefix and its whole line."""
    kind = kind or line.partition(" ")[0]
    if kind in _STRIPPED:
        error = _STRIPPED[kind](line.removeprefix(kind + " "))
    else:
        error = _WHOLE.get(kind, ResponseError)(line)
    error.number = number
    error.kind = kind
    return error
