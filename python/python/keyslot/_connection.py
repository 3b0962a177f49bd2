"""The commands of a client about itself."""

from __future__ import annotations

from typing import Any

from ._typing import Executor, Word, text
from ._words import is_ok, option, unless_none
from .exceptions import DataError

_CLIENT_NUMBERS = frozenset(
    "id age idle db sub psub ssub multi qbuf qbuf-free obl argv-mem oll omem tot-mem".split()
)


class ConnectionCommands(Executor):
    """The conversation."""

    __slots__ = ()

    def ping(self) -> bool:
        """Return ``True``."""
        return self.ask(_is_pong, "PING")

    def echo(self, value: Word) -> bytes:
        """Return ``value``."""
        reply: bytes = self.execute_command("ECHO", value)
        return reply

    def select(self, index: int) -> bool:
        """Choose the database of this client's keys. Threads that share a client share the
        choice."""
        return self.ask(is_ok, "SELECT", index)

    def client_id(self) -> int:
        """Return the number of this client."""
        reply: int = self.execute_command("CLIENT", "ID")
        return reply

    def client_getname(self) -> str | None:
        """Return the name of this client, or ``None``."""
        name: str | None = self.ask(unless_none(text), "CLIENT", "GETNAME")
        return name

    def client_setname(self, name: Word) -> bool:
        """Name this client."""
        return self.ask(is_ok, "CLIENT", "SETNAME", name)

    def client_setinfo(self, attr: str, value: Word) -> bool:
        """Say what library this client is: ``lib-name`` or ``lib-ver``."""
        return self.ask(is_ok, "CLIENT", "SETINFO", attr, value)

    def client_info(self) -> dict[str, str | int]:
        """Return what the engine knows of this client."""
        return self.ask(_client, "CLIENT", "INFO")

    def client_list(
        self, _type: str | None = None, client_id: list[Word] | None = None
    ) -> list[dict[str, str]]:
        """Return what the engine knows of each of its clients, or of those of a type, or of those
        with these numbers."""
        words: list[Word] = ["CLIENT", "LIST"]
        if _type is not None:
            words += ["TYPE", _type]
        if client_id:
            words += ["ID", *client_id]
        return self.ask(_clients, *words)

    def client_no_evict(self, mode: str) -> bytes:
        """Let this client be spared when clients are evicted: ``on`` or ``off``."""
        reply: bytes = self.execute_command("CLIENT", "NO-EVICT", mode)
        return reply

    def client_no_touch(self, mode: str) -> bytes:
        """Let reads of this client leave alone when a key was last used: ``on`` or ``off``."""
        reply: bytes = self.execute_command("CLIENT", "NO-TOUCH", mode)
        return reply

    def auth(self, password: Word, username: Word | None = None) -> bool:
        """Say who this client is."""
        words = (password,) if username is None else (username, password)
        return self.ask(is_ok, "AUTH", *words)

    def client_getredir(self) -> int:
        """Return the number of the client that is told instead of this one what changed; 0 if
        none is, -1 if this one does not track."""
        reply: int = self.execute_command("CLIENT", "GETREDIR")
        return reply

    def client_kill(self, address: str) -> bool:
        """End the session of the client at an address."""
        return self.ask(is_ok, "CLIENT", "KILL", address)

    def client_kill_filter(
        self,
        _id: Word | None = None,
        _type: str | None = None,
        addr: str | None = None,
        skipme: bool | None = None,
        laddr: str | None = None,
        user: str | None = None,
        maxage: int | None = None,
    ) -> int:
        """End the sessions to which all of this applies, and return how many there were."""
        words: list[Word] = ["CLIENT", "KILL"]
        option("TYPE", _type, words)
        option("SKIPME", None if skipme is None else "YES" if skipme else "NO", words)
        option("ID", _id, words)
        option("ADDR", addr, words)
        option("LADDR", laddr, words)
        option("USER", user, words)
        option("MAXAGE", maxage, words)
        if len(words) == 2:
            raise DataError("CLIENT KILL needs at least one of its filters")
        reply: int = self.execute_command(*words)
        return reply

    def client_pause(self, timeout: int, all: bool = True) -> bool:
        """Hold back what all clients ask for, or only what they write, for so many milliseconds."""
        return self.ask(is_ok, "CLIENT", "PAUSE", timeout, "ALL" if all else "WRITE")

    def client_unpause(self) -> bytes:
        """Hold back nothing any longer."""
        reply: bytes = self.execute_command("CLIENT", "UNPAUSE")
        return reply

    def client_unblock(self, client_id: int, error: bool = False) -> bool:
        """End the wait of a client as if its time were over, or with an error. Return whether it
        waited."""
        words = ("ERROR",) if error else ()
        return self.ask(bool, "CLIENT", "UNBLOCK", client_id, *words)

    def client_trackinginfo(self) -> list[Any]:
        """Return whether this client is told what changed, and how."""
        return self.ask(_tracking, "CLIENT", "TRACKINGINFO")

    def role(self) -> list[Any]:
        """Return what this node is to others: a master without replicas."""
        reply: list[Any] = self.execute_command("ROLE")
        return reply


def _is_pong(reply: bytes) -> bool:
    return reply == b"PONG"


def _client(reply: bytes) -> dict[str, str | int]:
    fields = client_fields(text(reply).strip())
    return {
        name: int(value) if name in _CLIENT_NUMBERS else value for name, value in fields.items()
    }


def _clients(reply: bytes) -> list[dict[str, str]]:
    return [client_fields(line) for line in text(reply).splitlines()]


def _tracking(reply: Any) -> list[Any]:
    return [text(word) if isinstance(word, bytes) else word for word in reply]


def client_fields(line: str) -> dict[str, str]:
    """Read what CLIENT LIST says of a client."""
    pairs = (field.partition("=") for field in line.split(" ") if "=" in field)
    return {name: value for name, _, value in pairs}
