"""All families of commands in one class."""

from __future__ import annotations

from ._access import AccessCommands
from ._bitmaps import BitmapCommands, HyperLogLogCommands
from ._connection import ConnectionCommands
from ._geo import GeoCommands
from ._hashes import HashCommands
from ._insight import InsightCommands
from ._keys import KeyCommands
from ._lists import ListCommands
from ._messages import MessageCommands
from ._scripts import ScriptCommands
from ._server import ServerCommands
from ._sets import SetCommands
from ._sorted_sets import SortedSetCommands
from ._streams import StreamCommands
from ._strings import StringCommands
from ._waiting import WaitingCommands


class Commands(
    StringCommands,
    BitmapCommands,
    HyperLogLogCommands,
    ListCommands,
    HashCommands,
    SetCommands,
    SortedSetCommands,
    GeoCommands,
    StreamCommands,
    KeyCommands,
    ScriptCommands,
    ConnectionCommands,
    WaitingCommands,
    MessageCommands,
    ServerCommands,
    InsightCommands,
    AccessCommands,
):
    """The commands that are words and a conversion; the native classes have the others."""

    __slots__ = ()
