"""Commands that are carried out together: one after the other, or as a transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from . import _keyslot
from ._closing import Closing
from ._commands import Commands
from .exceptions import WatchError


class Pipeline(_keyslot.Pipeline, Closing, Commands):
    """Commands that wait until ``execute`` carries them out, and returns their results as a list.

    A method of a command returns the pipeline, so that calls can be chained; ``execute`` makes of each
    reply what the method would have returned. After ``watch`` commands are carried out at once, until
    ``multi``. A pipeline is a conversation of its own, in the database of the client that made it. A
    command that would wait, such as ``BLPOP``, is answered as if it had waited in vain.

    Use it in a ``with`` statement, at the end of which it is ``reset``.
    """

    __slots__ = ("__weakref__",)

    def discard(self) -> None:
        """Forget the commands that wait, and watch no keys any longer: ``reset`` by another name."""
        self.reset()

    def close(self) -> None:
        """Forget the commands that wait, and watch no keys any longer: ``reset`` by another name."""
        self.reset()

    def __repr__(self) -> str:
        return f"<keyslot.Pipeline of {len(self)}>"


class Pipelines:
    """What a client has to carry out several commands together."""

    __slots__ = ()

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Begin a pipeline. Its commands are carried out as one, which nobody sees a part of, unless
        ``transaction`` is false. ``shard_hint`` is there for redis-py's sake and means nothing."""
        assert isinstance(self, _keyslot.Client)
        return Pipeline(self, transaction)

    def transaction(
        self,
        func: Callable[[Pipeline], Any],
        *watches: Any,
        shard_hint: str | None = None,
        value_from_callable: bool = False,
        watch_delay: float | None = None,
    ) -> Any:
        """Watch keys, let ``func`` read and then queue commands, and carry these out; all of it
        again for as long as a watched key changes meanwhile. Return the results, or with
        ``value_from_callable`` what ``func`` returned. ``watch_delay`` is for how many seconds to
        wait before trying again."""
        with self.pipeline(True, shard_hint) as pipe:
            while True:
                try:
                    if watches:
                        pipe.watch(*watches)
                    value = func(pipe)
                    results = pipe.execute()
                    return value if value_from_callable else results
                except WatchError:
                    if watch_delay is not None and watch_delay > 0:
                        time.sleep(watch_delay)
