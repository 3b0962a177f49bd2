"""The two that talk to the keys: an engine, which holds them, and a session with it."""

from __future__ import annotations


from . import _keyslot
from ._closing import Closing
from ._commands import Commands
from ._links import LinkCarrier
from ._lock import Locks
from ._messages import Listeners
from ._pipeline import Pipelines
from .exceptions import KeyslotError

__all__ = ["Engine", "Session"]


class Engine(_keyslot.Engine, Closing, Commands, Pipelines, Locks, Listeners):
    """An engine: the keys, and a conversation about them.

    ``shards`` is the number of locks over the keyspace, a power of two; more let more threads work
    at once. ``databases`` is how many there are to ``select``. ``scheme`` says how keys map to
    slots: ``"redis"`` or ``"codis"``. ``seed`` decides what chance decides: engines with the same
    seed, clock and input give the same output, but for passwords of ``acl_genpass``. ``clock`` is a ``ManualClock``, or ``None`` for the
    system's. ``settings`` are a mapping of what ``config_set`` takes, and of what may be chosen
    only here.

    Use it in a ``with`` statement to free everything at the end of it.
    """

    __slots__ = ("__weakref__", "_carrier")

    def session(self) -> Session:
        """Open a session, which keeps its own database, protocol version and name."""
        return Session(self)

    def serve_links(self) -> LinkCarrier:
        """Open the connections to other nodes that commands such as ``migrate`` ask for, on a thread
        that ends when what is returned is closed, or the engine. Without it such commands answer
        ``IOERR``."""
        if (carrier := getattr(self, "_carrier", None)) is not None and not carrier.closed:
            raise KeyslotError("the links of this engine are served already")
        self._carrier = LinkCarrier(self)
        return self._carrier

    def close(self) -> None:
        """Delete everything and end all conversations with the engine. Closing twice is no error."""
        if (carrier := getattr(self, "_carrier", None)) is not None:
            carrier.close()
        super().close()

    def __repr__(self) -> str:
        return f"<keyslot.Engine{' closed' if self.closed else ''}>"


class Session(_keyslot.Session, Closing, Commands, Pipelines, Locks):
    """A conversation with an engine, by bytes and by methods.

    Give it what arrives with ``feed``, send what ``take_output`` returns, and end the conversation
    when ``closing`` says so. Its methods answer in Python objects and leave the output alone.
    """

    __slots__ = ("__weakref__",)

    def __repr__(self) -> str:
        return f"<keyslot.Session{' closed' if self.closed else f' {self.id}'}>"
