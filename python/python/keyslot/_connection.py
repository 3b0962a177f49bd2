"""The commands of a client about itself."""

from __future__ import annotations

from ._typing import Executor, Word, text
from ._words import is_ok, unless_none

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


def _is_pong(reply: bytes) -> bool:
    return reply == b"PONG"


def _client(reply: bytes) -> dict[str, str | int]:
    fields = client_fields(text(reply).strip())
    return {
        name: int(value) if name in _CLIENT_NUMBERS else value for name, value in fields.items()
    }


def _clients(reply: bytes) -> list[dict[str, str]]:
    return [client_fields(line) for line in text(reply).splitlines()]


def client_fields(line: str) -> dict[str, str]:
    """Read what CLIENT LIST says of a client."""
    pairs = (field.partition("=") for field in line.split(" ") if "=" in field)
    return {name: value for name, _, value in pairs}
