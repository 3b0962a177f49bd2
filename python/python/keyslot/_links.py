"""Connections to other nodes, for commands such as MIGRATE: one thread carries all of them."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading

from . import _keyslot
from ._closing import Closing
from .exceptions import ClosedError

READ_BYTES = 64 << 10


class LinkCarrier(Closing):
    """A thread that opens the connections that an engine's commands ask for, until it is closed.

    Made by ``Engine.serve_links``. Use it in a ``with`` statement, or ``close`` it; commands that wait
    for another node then fail.
    """

    def __init__(self, engine: _keyslot.Engine) -> None:
        self._engine = engine
        self._selector = selectors.DefaultSelector()
        self._bell, self._rope = socket.socketpair()
        self._wires: set[_Wire] = set()
        self._selector.register(engine.link_fileno(), selectors.EVENT_READ, self._open_all)
        self._selector.register(self._bell, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="keyslot links", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """End the connections and the thread. Closing twice is no error."""
        with contextlib.suppress(OSError):
            self._rope.send(b"x")
        self._thread.join()
        self._rope.close()

    def _run(self) -> None:
        try:
            # A closed engine asks for nothing any more.
            with contextlib.suppress(ClosedError):
                self._carry()
        finally:
            for wire in list(self._wires):
                self._end(wire)
            with contextlib.suppress(ClosedError):
                self._engine.decline_links()
            self._selector.close()
            self._bell.close()

    def _carry(self) -> None:
        while True:
            times = [wire.link.time_left for wire in self._wires]
            left = min((time for time in times if time is not None), default=None)
            for key, events in self._selector.select(left):
                if key.data is None:
                    return
                key.data(events)
            for wire in list(self._wires):
                wire.link.handle_timeout()
                self._settle(wire)

    def _open_all(self, _events: int) -> None:
        while (link := self._engine.poll_link()) is not None:
            wire = _Wire(link)
            self._wires.add(wire)
            if wire.connect():
                self._selector.register(link, selectors.EVENT_READ, wire.hear_bell)
                self._selector.register(wire.socket, selectors.EVENT_WRITE, wire.move)
            self._settle(wire)

    def _settle(self, wire: _Wire) -> None:
        """Let a connection wait for what it can do next, or end it."""
        if wire.ended or wire.link.closing:
            self._end(wire)
            return
        wants = selectors.EVENT_READ
        if not wire.connected or wire.link.output:
            wants |= selectors.EVENT_WRITE
        self._selector.modify(wire.socket, wants, wire.move)

    def _end(self, wire: _Wire) -> None:
        self._wires.discard(wire)
        for file in (wire.link, wire.socket):
            # One that never connected was not registered.
            with contextlib.suppress(KeyError, ValueError, ClosedError):
                self._selector.unregister(file)
        wire.socket.close()
        wire.link.close()


class _Wire:
    """A link with its connection."""

    def __init__(self, link: _keyslot.Link) -> None:
        self.link = link
        self.socket = socket.socket()
        self.connected = False
        self.ended = False

    def connect(self) -> bool:
        """Begin to connect, to the first address that does not refuse at once."""
        try:
            found = socket.getaddrinfo(self.link.host, self.link.port, type=socket.SOCK_STREAM)
        except OSError:
            found = []
        for family, kind, protocol, _, address in found:
            self.socket.close()
            self.socket = socket.socket(family, kind, protocol)
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.socket.connect(address)
            except BlockingIOError:
                return True
            except OSError:
                continue
            return True
        self.ended = True
        return False

    def hear_bell(self, _events: int) -> None:
        """Take up what a command has left for the link."""
        self.link.poll()

    def move(self, events: int) -> None:
        """Send and receive what is possible now."""
        try:
            if not self.connected:
                if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    self.ended = True
                    return
                self.connected = True
                self.link.handle_connected()
            if events & selectors.EVENT_READ:
                data = self.socket.recv(READ_BYTES)
                self.link.feed(data)
                self.ended = not data
            while output := self.link.output:
                self.link.consume_output(self.socket.send(output))
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
