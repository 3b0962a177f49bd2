"""The commands about users and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._connection import client_fields
from ._typing import Executor, Word, text
from ._words import each, is_ok, unless_none
from .exceptions import DataError


class AccessCommands(Executor):
    """Who may do what."""

    __slots__ = ()

    def acl_cat(self, category: str | None = None) -> list[str]:
        """Return the categories of commands, or the commands in one."""
        return self.ask(_texts, "ACL", "CAT", *_given(category))

    def acl_deluser(self, *username: Word) -> int:
        """Remove users and end their sessions. Return how many there were."""
        reply: int = self.execute_command("ACL", "DELUSER", *username)
        return reply

    def acl_dryrun(self, username: Word, *args: Word) -> str:
        """Return ``"OK"`` if a user may give a command, or what the user lacks."""
        return self.ask(text, "ACL", "DRYRUN", username, *args)

    def acl_genpass(self, bits: int | None = None) -> str:
        """Return a new password of 256 bits, or of so many."""
        return self.ask(text, "ACL", "GENPASS", *_given(bits))

    def acl_getuser(self, username: Word) -> dict[str, Any] | None:
        """Return what a user is and may do, or ``None``."""
        user: dict[str, Any] | None = self.ask(unless_none(_user), "ACL", "GETUSER", username)
        return user

    def acl_list(self) -> list[str]:
        """Return all users, each as the line of a file of users."""
        return self.ask(_texts, "ACL", "LIST")

    def acl_load(self) -> bool:
        """Read the users from where the host keeps them."""
        return self.ask(is_ok, "ACL", "LOAD")

    def acl_log(self, count: int | None = None) -> list[dict[str, Any]]:
        """Return what was refused, the latest first, ten entries unless told otherwise."""
        entries: list[dict[str, Any]] = self.ask(each(_entry), "ACL", "LOG", *_given(count))
        return entries

    def acl_log_reset(self) -> bool:
        """Forget what was refused."""
        return self.ask(is_ok, "ACL", "LOG", "RESET")

    def acl_save(self) -> bool:
        """Write the users to where the host keeps them."""
        return self.ask(is_ok, "ACL", "SAVE")

    def acl_setuser(
        self,
        username: Word,
        enabled: bool = False,
        nopass: bool = False,
        passwords: str | Iterable[str] | None = None,
        hashed_passwords: str | Iterable[str] | None = None,
        categories: Iterable[str] | None = None,
        commands: Iterable[str] | None = None,
        keys: Iterable[str] | None = None,
        channels: Iterable[str] | None = None,
        selectors: Iterable[tuple[str, str]] | None = None,
        reset: bool = False,
        reset_keys: bool = False,
        reset_channels: bool = False,
        reset_passwords: bool = False,
    ) -> bool:
        """Make a user, or change one.

        ``passwords`` and ``hashed_passwords`` begin with ``+`` to be added and with ``-`` to be
        removed; ``categories`` and ``commands`` to be allowed and forbidden. ``selectors`` are pairs
        of a command with its sign and a pattern of keys with its ``~`` or ``%``.
        """
        if nopass and (passwords or hashed_passwords):
            raise DataError("Cannot set 'nopass' and supply 'passwords' or 'hashed_passwords'")
        flags = {
            "reset": reset,
            "resetkeys": reset_keys,
            "resetchannels": reset_channels,
            "resetpass": reset_passwords,
            "on" if enabled else "off": True,
        }
        rules = [rule for rule, is_set in flags.items() if is_set]
        rules += _signed("Password", passwords, ">", "<")
        rules += _signed("Hashed password", hashed_passwords, "#", "!")
        rules += ["nopass"] if nopass else []
        rules += _signed("Category", categories, "+@", "-@", "@")
        rules += _signed("Command", commands, "+", "-")
        rules += [key if key.startswith("%") else f"~{key}" for key in keys or ()]
        rules += [f"&{channel}" for channel in channels or ()]
        rules += [_selector(command, key) for command, key in selectors or ()]
        return self.ask(is_ok, "ACL", "SETUSER", username, *rules)

    def acl_users(self) -> list[str]:
        """Return the names of all users."""
        return self.ask(_texts, "ACL", "USERS")

    def acl_whoami(self) -> str:
        """Return the name of this client's user."""
        return self.ask(text, "ACL", "WHOAMI")


def _given(value: Any) -> tuple[Any, ...]:
    return () if value is None else (value,)


def _texts(reply: Iterable[bytes]) -> list[str]:
    return [text(item) for item in reply]


def _fields(reply: Any) -> dict[str, Any]:
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2])
    return {text(name): value for name, value in pairs}


def _user(reply: Any) -> dict[str, Any]:
    fields = _fields(reply)
    user: dict[str, Any] = {
        "flags": _texts(fields["flags"]),
        "passwords": _texts(fields["passwords"]),
    }
    rules = text(fields["commands"]).split(" ")
    user["commands"] = [rule for rule in rules if "@" not in rule]
    user["categories"] = [rule for rule in rules if "@" in rule]
    for name in ("keys", "channels"):
        user[name] = text(fields[name]).split()
    user["selectors"] = [
        {name: text(value) for name, value in _fields(selector).items()}
        for selector in fields["selectors"]
    ]
    user["enabled"] = "on" in user["flags"]
    return user


def _entry(reply: Any) -> dict[str, Any]:
    entry = {
        name: text(value) if isinstance(value, bytes) else value
        for name, value in _fields(reply).items()
    }
    entry["age-seconds"] = float(entry["age-seconds"])
    entry["client-info"] = client_fields(entry["client-info"])
    return entry


def _signed(
    what: str, values: str | Iterable[str] | None, add: str, remove: str, optional: str = ""
) -> list[str]:
    """Write values that begin with a plus or a minus as rules."""
    rules = []
    for value in [values] if isinstance(values, str) else values or ():
        sign, rest = value[:1], value[1:].removeprefix(optional)
        if sign not in ("+", "-"):
            # A password shall not be shown in an error.
            shown = what if "assword" in what else f'{what} "{value}"'
            raise DataError(f'{shown} must be prefixed with "+" or "-"')
        rules.append((add if sign == "+" else remove) + rest)
    return rules


def _selector(command: str, key: str) -> str:
    if command[:1] not in ("+", "-"):
        raise DataError(f'Command "{command}" must be prefixed with "+" or "-"')
    if key[:1] not in ("%", "~"):
        raise DataError(f'Key "{key}" must be prefixed with "%" or "~"')
    return f"({command} {key})"
