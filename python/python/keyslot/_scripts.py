"""The commands about scripts, and about functions, which are scripts that have a name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from . import _keyslot
from ._typing import Executor, Word, text
from ._words import each, flag, flat, is_ok, to_dict
from .exceptions import DataError, NoScriptError


class ScriptCommands(Executor):
    """Scripts and functions."""

    __slots__ = ()

    def eval(self, script: Word, numkeys: int, *keys_and_args: Word) -> Any:
        """Run a script and return what it returns. The first ``numkeys`` words after it are its
        ``KEYS``, the others its ``ARGV``."""
        return self.execute_command("EVAL", script, numkeys, *keys_and_args)

    def eval_ro(self, script: Word, numkeys: int, *keys_and_args: Word) -> Any:
        """Run a script that only reads: ``eval`` otherwise."""
        return self.execute_command("EVAL_RO", script, numkeys, *keys_and_args)

    def evalsha(self, sha: Word, numkeys: int, *keys_and_args: Word) -> Any:
        """Run the script of a digest, which has run before or was loaded."""
        return self.execute_command("EVALSHA", sha, numkeys, *keys_and_args)

    def evalsha_ro(self, sha: Word, numkeys: int, *keys_and_args: Word) -> Any:
        """Run the script of a digest, which only reads: ``evalsha`` otherwise."""
        return self.execute_command("EVALSHA_RO", sha, numkeys, *keys_and_args)

    def script_exists(self, *args: Word) -> list[bool]:
        """Return of each digest whether its script is known."""
        found: list[bool] = self.ask(each(bool), "SCRIPT", "EXISTS", *args)
        return found

    def script_flush(self, sync_type: str | None = None) -> bool:
        """Forget all scripts. ``sync_type`` is ``SYNC`` or ``ASYNC``, which are the same here."""
        if sync_type not in (None, "SYNC", "ASYNC"):
            raise DataError("SCRIPT FLUSH takes SYNC or ASYNC")
        words = () if sync_type is None else (sync_type,)
        return self.ask(is_ok, "SCRIPT", "FLUSH", *words)

    def script_kill(self) -> bool:
        """End the script that runs, of another thread, unless it has written."""
        return self.ask(is_ok, "SCRIPT", "KILL")

    def script_load(self, script: Word) -> str:
        """Make a script known, and return its digest."""
        return self.ask(text, "SCRIPT", "LOAD", script)

    def register_script(self, script: str | bytes) -> Script:
        """Return a script as something to call."""
        return Script(self, script)

    def function_load(self, code: Word, replace: bool | None = False) -> bytes:
        """Load a library of functions, and return its name. With ``replace`` it takes the place of
        one that has the name."""
        words: list[Word] = []
        flag("REPLACE", replace, words)
        name: bytes = self.execute_command("FUNCTION", "LOAD", *words, code)
        return name

    def function_delete(self, library: Word) -> bool:
        """Forget a library."""
        return self.ask(is_ok, "FUNCTION", "DELETE", library)

    def function_flush(self, mode: str = "SYNC") -> bool:
        """Forget all libraries. ``mode`` is ``SYNC`` or ``ASYNC``, which are the same here."""
        return self.ask(is_ok, "FUNCTION", "FLUSH", mode)

    def function_list(self, library: Word | None = "*", withcode: bool | None = False) -> list[Any]:
        """Return what is known of the libraries whose names match a glob pattern, with their code
        if that is asked for."""
        words: list[Word] = ["LIBRARYNAME", "*" if library is None else library]
        flag("WITHCODE", withcode, words)
        libraries: list[Any] = self.ask(each(_library), "FUNCTION", "LIST", *words)
        return libraries

    def fcall(self, function: Word, numkeys: int, *keys_and_args: Word) -> Any:
        """Call a function and return what it returns. The first ``numkeys`` words after it are its
        keys, the others its arguments."""
        return self.execute_command("FCALL", function, numkeys, *keys_and_args)

    def fcall_ro(self, function: Word, numkeys: int, *keys_and_args: Word) -> Any:
        """Call a function that only reads: ``fcall`` otherwise."""
        return self.execute_command("FCALL_RO", function, numkeys, *keys_and_args)

    def function_dump(self) -> bytes:
        """Return all libraries as bytes that ``function_restore`` takes, and Redis too."""
        payload: bytes = self.execute_command("FUNCTION", "DUMP")
        return payload

    def function_restore(self, payload: Word, policy: str | None = "APPEND") -> bool:
        """Take in the libraries of a payload: ``APPEND`` refuses all of them if one is there, to
        ``REPLACE`` lets them take the place of those with the same names, ``FLUSH`` of all."""
        words = () if policy is None else (policy,)
        return self.ask(is_ok, "FUNCTION", "RESTORE", payload, *words)

    def function_kill(self) -> bytes:
        """End the function that runs, of another thread, unless it has written."""
        reply: bytes = self.execute_command("FUNCTION", "KILL")
        return reply

    def function_stats(self) -> dict[bytes, Any]:
        """Return what is known of the function that runs, and how many there are."""
        return self.ask(_stats, "FUNCTION", "STATS")


def _library(reply: Any) -> list[Any]:
    """Return names and values one after another, which the newer protocol has as a map."""
    fields = to_dict(reply)
    fields[b"functions"] = [_function(function) for function in fields[b"functions"]]
    return flat(fields)


def _function(reply: Any) -> list[Any]:
    fields = to_dict(reply)
    fields[b"flags"] = list(fields[b"flags"])
    return flat(fields)


def _stats(reply: Any) -> dict[bytes, Any]:
    stats = to_dict(reply)
    running, engines = stats[b"running_script"], to_dict(stats[b"engines"])
    return {
        b"running_script": None if running is None else to_dict(running),
        b"engines": {name: to_dict(figures) for name, figures in engines.items()},
    }


class Script:
    """A script to call, made by ``register_script``."""

    __slots__ = ("registered_client", "script", "sha")

    def __init__(self, registered_client: ScriptCommands, script: str | bytes) -> None:
        self.registered_client = registered_client
        """Who runs the script unless told otherwise."""
        self.script = script
        """Its text."""
        code = script.encode() if isinstance(script, str) else script
        self.sha: str = hashlib.sha1(code).hexdigest()
        """Its digest."""

    def __call__(
        self,
        keys: Iterable[Word] | None = None,
        args: Iterable[Word] | None = None,
        client: ScriptCommands | None = None,
    ) -> Any:
        """Run the script and return what it returns. In a pipeline it waits for its turn."""
        client = self.registered_client if client is None else client
        names = list(keys or ())
        words = [*names, *(args or ())]
        if isinstance(client, _keyslot.Pipeline):
            # When it is its turn the script may be forgotten.
            return client.eval(self.script, len(names), *words)
        try:
            return client.evalsha(self.sha, len(names), *words)
        except NoScriptError:
            return client.eval(self.script, len(names), *words)

    def __repr__(self) -> str:
        return f"<keyslot.Script {self.sha}>"
