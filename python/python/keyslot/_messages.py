"""Messages: the commands that send them, and those who listen to channels."""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from . import _keyslot
from ._closing import Closing
from ._typing import Executor, Word
from ._words import one_or_many

Handler = Callable[[dict[str, Any]], Any]
"""What a message of a channel is given to."""

_KINDS = {
    "subscribe": ("channels", True),
    "unsubscribe": ("channels", False),
    "psubscribe": ("patterns", True),
    "punsubscribe": ("patterns", False),
    "ssubscribe": ("shard_channels", True),
    "sunsubscribe": ("shard_channels", False),
}
_MESSAGES = {"message": "channels", "pmessage": "patterns", "smessage": "shard_channels"}


class MessageCommands(Executor):
    """Messages."""

    __slots__ = ()

    def publish(self, channel: Word, message: Word) -> int:
        """Send a message to a channel, and return how many clients it reached."""
        reply: int = self.execute_command("PUBLISH", channel, message)
        return reply

    def spublish(self, shard_channel: Word, message: Word) -> int:
        """Send a message to a channel of a slot, and return how many clients it reached."""
        reply: int = self.execute_command("SPUBLISH", shard_channel, message)
        return reply

    def pubsub_channels(self, pattern: Word = "*") -> list[bytes]:
        """Return the channels that have listeners and match a glob pattern."""
        reply: list[bytes] = self.execute_command("PUBSUB", "CHANNELS", pattern)
        return reply

    def pubsub_shardchannels(self, pattern: Word = "*") -> list[bytes]:
        """Return the channels of slots that have listeners and match a glob pattern."""
        reply: list[bytes] = self.execute_command("PUBSUB", "SHARDCHANNELS", pattern)
        return reply

    def pubsub_numpat(self) -> int:
        """Return how many patterns are listened to."""
        reply: int = self.execute_command("PUBSUB", "NUMPAT")
        return reply

    def pubsub_numsub(self, *args: Word) -> list[tuple[bytes, int]]:
        """Return channels with how many listen to each."""
        return self.ask(_pairs, "PUBSUB", "NUMSUB", *args)

    def pubsub_shardnumsub(self, *args: Word) -> list[tuple[bytes, int]]:
        """Return channels of slots with how many listen to each."""
        return self.ask(_pairs, "PUBSUB", "SHARDNUMSUB", *args)


def _pairs(reply: Any) -> list[tuple[bytes, int]]:
    return list(zip(reply[::2], reply[1::2]))


class Listener(Closing):
    """A conversation in which messages arrive. It sleeps on the conversation's descriptor."""

    def __init__(self, engine: _keyslot.Engine) -> None:
        self._session = _keyslot.Session(engine)
        self._poll = select.poll()
        self._poll.register(self._session.fileno(), select.POLLIN)
        self._arrived: deque[Any] = deque()

    def _next(self, timeout: float | None) -> Any:
        """Return what arrives next, or ``None`` if nothing does in so many seconds; ``None`` as a
        time is for ever."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._arrived:
            self._session.poll()
            self._arrived += self._session.take_replies()
            if self._arrived:
                break
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._poll.poll(None if left is None else left * 1000)
        reply = self._arrived.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply

    def close(self) -> None:
        """End the conversation. Closing twice is no error."""
        self._session.close()


class PubSub(Listener):
    """One who listens to channels, in the shape of redis-py's.

    A message is a dictionary: its ``type``, the ``pattern`` that its channel matched, its
    ``channel`` and its ``data``. A channel that is given as a keyword has its value as a handler,
    which is called with its messages; these are not returned then.
    """

    def __init__(
        self, engine: _keyslot.Engine, ignore_subscribe_messages: bool = False
    ) -> None:
        super().__init__(engine)
        self.ignore_subscribe_messages = ignore_subscribe_messages
        self.channels: dict[bytes, Handler | None] = {}
        self.patterns: dict[bytes, Handler | None] = {}
        self.shard_channels: dict[bytes, Handler | None] = {}
        self._leaving: set[tuple[str, bytes]] = set()
        self._listens = threading.Event()

    @property
    def subscribed(self) -> bool:
        """Whether it listens to anything, or waits to hear that it does not any longer."""
        return self._listens.is_set()

    def subscribe(self, *args: Word, **kwargs: Handler) -> None:
        """Listen to channels."""
        self._listen("SUBSCRIBE", self.channels, args, kwargs)

    def psubscribe(self, *args: Word, **kwargs: Handler) -> None:
        """Listen to the channels that match glob patterns."""
        self._listen("PSUBSCRIBE", self.patterns, args, kwargs)

    def ssubscribe(self, *args: Word, **kwargs: Handler) -> None:
        """Listen to channels of slots."""
        self._listen("SSUBSCRIBE", self.shard_channels, args, kwargs)

    def unsubscribe(self, *args: Word) -> None:
        """Listen to channels no longer, to all if none are named."""
        self._leave("UNSUBSCRIBE", "channels", args)

    def punsubscribe(self, *args: Word) -> None:
        """Listen to patterns no longer, to all if none are named."""
        self._leave("PUNSUBSCRIBE", "patterns", args)

    def sunsubscribe(self, *args: Word) -> None:
        """Listen to channels of slots no longer, to all if none are named."""
        self._leave("SUNSUBSCRIBE", "shard_channels", args)

    def ping(self, message: Word | None = None) -> None:
        """Ask for a message of type ``pong``."""
        self._session.send("PING", "" if message is None else message)

    def get_message(
        self, ignore_subscribe_messages: bool = False, timeout: float | None = 0.0
    ) -> dict[str, Any] | None:
        """Return the next message, or ``None`` if none comes in ``timeout`` seconds or the next is
        handled or ignored; ``None`` as a time is for ever."""
        if not self.subscribed:
            started = time.monotonic()
            if not self._listens.wait(timeout):
                return None
            if timeout is not None:
                timeout = max(0.0, timeout - (time.monotonic() - started))
        reply = self._next(timeout)
        return None if reply is None else self._handle(reply, ignore_subscribe_messages)

    get_sharded_message = get_message

    def listen(self) -> Iterator[dict[str, Any]]:
        """Iterate over the messages for as long as anything is listened to."""
        while self.subscribed:
            message = self._handle(self._next(None), False)
            if message is not None:
                yield message

    def run_in_thread(
        self,
        sleep_time: float = 0.0,
        daemon: bool = False,
        exception_handler: Callable[[Exception, PubSub, PubSubThread], Any] | None = None,
    ) -> PubSubThread:
        """Start a thread that gives messages to their handlers; each channel must have one. The
        thread's ``stop`` ends it. ``sleep_time`` is how many seconds it may take to notice that."""
        for handlers in (self.channels, self.patterns, self.shard_channels):
            for name, handler in handlers.items():
                if handler is None:
                    raise ValueError(f"{name!r} has no handler registered")
        thread = PubSubThread(self, sleep_time, daemon, exception_handler)
        thread.start()
        return thread

    def reset(self) -> None:
        """End the conversation: ``close`` by another name."""
        self.close()

    def _listen(
        self,
        command: str,
        handlers: dict[bytes, Handler | None],
        names: tuple[Any, ...],
        handled: dict[str, Handler],
    ) -> None:
        new: dict[bytes, Handler | None] = {}
        for name in names and one_or_many(names[0], names[1:]):
            new[_word(name)] = None
        new.update({_word(name): handler for name, handler in handled.items()})
        handlers.update(new)
        kind = _KINDS[command.lower()][0]
        self._leaving.difference_update((kind, name) for name in new)
        if new:
            self._listens.set()
        self._session.send(command, *new)

    def _leave(self, command: str, kind: str, names: tuple[Any, ...]) -> None:
        words = one_or_many(names[0], names[1:]) if names else list(getattr(self, kind))
        self._leaving.update((kind, _word(name)) for name in words)
        self._session.send(command, *(words if names else ()))

    def _handle(self, reply: Any, ignore: bool) -> dict[str, Any] | None:
        message = _message(reply)
        kind = message["type"]
        if kind in _KINDS:
            self._note(kind, message["channel"])
            if ignore or self.ignore_subscribe_messages:
                return None
        elif kind in _MESSAGES:
            handlers = getattr(self, _MESSAGES[kind])
            handler = handlers.get(message["pattern"] or message["channel"])
            if handler is not None:
                handler(message)
                return None
        return message

    def _note(self, kind: str, name: bytes | None) -> None:
        family, begins = _KINDS[kind]
        if begins or name is None:
            return
        # A slot that left takes its listeners' channels with it, so that nobody had to ask.
        if (family, name) in self._leaving or family == "shard_channels":
            self._leaving.discard((family, name))
            getattr(self, family).pop(name, None)
        if not (self.channels or self.patterns or self.shard_channels):
            self._listens.clear()


def _word(name: Word) -> bytes:
    return name.encode() if isinstance(name, str) else bytes(name)  # type: ignore[arg-type]


def _message(reply: Any) -> dict[str, Any]:
    if isinstance(reply, bytes):
        return {"type": "pong", "pattern": None, "channel": None, "data": reply}
    kind = reply[0].decode()
    if kind == "pong":
        return {"type": kind, "pattern": None, "channel": None, "data": reply[1]}
    pattern = reply[1] if kind == "pmessage" else None
    return {"type": kind, "pattern": pattern, "channel": reply[-2], "data": reply[-1]}


class PubSubThread(threading.Thread):
    """A thread that gives messages to their handlers."""

    def __init__(
        self,
        pubsub: PubSub,
        sleep_time: float,
        daemon: bool,
        exception_handler: Callable[[Exception, PubSub, PubSubThread], Any] | None,
    ) -> None:
        super().__init__(daemon=daemon)
        self._pubsub = pubsub
        # Without an end to its sleep it would not see that it shall stop.
        self._sleep_time = sleep_time or 0.1
        self._exception_handler = exception_handler
        self._stops = threading.Event()

    def run(self) -> None:
        """Wait for messages until it is stopped, and end the conversation then."""
        while not self._stops.is_set():
            try:
                self._pubsub.get_message(True, self._sleep_time)
            except Exception as error:
                if self._exception_handler is None:
                    raise
                self._exception_handler(error, self._pubsub, self)
        self._pubsub.close()

    def stop(self) -> None:
        """Let the thread end soon."""
        self._stops.set()


class Listeners:
    """What an engine has for those who listen."""

    __slots__ = ()

    def pubsub(self, ignore_subscribe_messages: bool = False) -> PubSub:
        """Make one who listens to channels."""
        assert isinstance(self, _keyslot.Engine)
        return PubSub(self, ignore_subscribe_messages)

    def monitor(self) -> Monitor:
        """Make one who sees every command that is carried out."""
        assert isinstance(self, _keyslot.Engine)
        return Monitor(self)


class Monitor(Listener):
    """One who sees every command that is carried out, in the shape of redis-py's. Use it in a
    ``with`` statement."""

    def __init__(self, engine: _keyslot.Engine) -> None:
        super().__init__(engine)
        self._session.send("MONITOR")
        # Its answer is no command.
        self._next(None)

    def next_command(self) -> dict[str, Any]:
        """Wait for the next command, and return its ``time``, ``db``, ``client_address``,
        ``client_port``, ``client_type`` and ``command``."""
        return _monitored(self._next(None).decode("utf-8", "replace"))

    def listen(self) -> Iterator[dict[str, Any]]:
        """Iterate over the commands."""
        while True:
            yield self.next_command()


def _monitored(line: str) -> dict[str, Any]:
    moment, _, rest = line.partition(" ")
    client, _, command = rest.removeprefix("[").partition("] ")
    db, _, address = client.partition(" ")
    host, port, kind = address, "", "tcp"
    if address == "lua":
        host, port, kind = "lua", "", "lua"
    elif address.startswith("unix:"):
        host, port, kind = "unix", address[5:], "unix"
    elif ":" in address:
        host, _, port = address.rpartition(":")
    words = command[1:-1].split('" "')
    return {
        "time": float(moment),
        "db": int(db),
        "client_address": host,
        "client_port": port,
        "client_type": kind,
        "command": " ".join(word.replace('\\"', '"') for word in words),
    }
