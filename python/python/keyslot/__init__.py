"""Redis in your process, without a server.

>>> import keyslot
>>> engine = keyslot.Engine()
>>> engine.set("greeting", "hello", ex=60)
True
>>> engine.get("greeting")
b'hello'

An engine holds the keys. Its methods have the names, arguments and return values of redis-py's with
``decode_responses=False``; whatever has no method goes through ``execute``. It may be used from any
number of threads. A session is a conversation with an engine by RESP bytes, for those who bring the
sockets.
"""

from ._keyslot import Link, ManualClock
from ._links import LinkCarrier
from ._lock import Lock
from ._messages import Monitor, PubSub
from ._pipeline import Pipeline
from ._scripts import Script
from .engine import Engine, Session
from .exceptions import (
    AskError,
    AuthenticationError,
    BusyKeyError,
    BusyLoadingError,
    ClosedError,
    ClusterCrossSlotError,
    ClusterDownError,
    DataError,
    ExecAbortError,
    KeyslotError,
    LockError,
    LockNotOwnedError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
    WatchError,
    WrongTypeError,
)

__all__ = [
    "AskError",
    "AuthenticationError",
    "BusyKeyError",
    "BusyLoadingError",
    "ClosedError",
    "ClusterCrossSlotError",
    "ClusterDownError",
    "DataError",
    "Engine",
    "ExecAbortError",
    "KeyslotError",
    "Link",
    "LinkCarrier",
    "Lock",
    "LockError",
    "LockNotOwnedError",
    "ManualClock",
    "Monitor",
    "MovedError",
    "NoPermissionError",
    "NoScriptError",
    "OutOfMemoryError",
    "Pipeline",
    "PubSub",
    "ReadOnlyError",
    "ResponseError",
    "Script",
    "Session",
    "TryAgainError",
    "WatchError",
    "WrongTypeError",
]
