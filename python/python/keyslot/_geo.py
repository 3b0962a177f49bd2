"""The commands on places, which are the members of sorted sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._typing import Executor, Word, text
from ._words import Cast, each, flag, only_one, option, to_float, unless_none
from .exceptions import DataError

UNITS = ("m", "km", "mi", "ft")


class GeoCommands(Executor):
    """Places on the globe."""

    __slots__ = ()

    def geoadd(
        self,
        name: Word,
        values: Sequence[Word],
        nx: bool = False,
        xx: bool = False,
        ch: bool = False,
    ) -> int:
        """Add places: longitude, latitude and name of each, one after another. Return how many are
        new, or with ``ch`` how many are new or moved."""
        only_one(nx=nx, xx=xx)
        if len(values) % 3 != 0:
            raise DataError("GEOADD requires places with lon, lat and name values")
        words: list[Any] = ["GEOADD", name]
        flag("NX", nx, words)
        flag("XX", xx, words)
        flag("CH", ch, words)
        reply: int = self.execute_command(*words, *values)
        return reply

    def geodist(
        self, name: Word, place1: Word, place2: Word, unit: str | None = None
    ) -> float | None:
        """Return the distance between two places, in metres or ``unit``."""
        if unit and unit not in UNITS:
            raise DataError("GEODIST invalid unit")
        words = (unit,) if unit else ()
        return self.ask(to_float, "GEODIST", name, place1, place2, *words)

    def geohash(self, name: Word, *values: Word) -> list[str | None]:
        """Return the Geohash texts of places."""
        hashes: list[str | None] = self.ask(each(unless_none(text)), "GEOHASH", name, *values)
        return hashes

    def geopos(self, name: Word, *values: Word) -> list[tuple[float, float] | None]:
        """Return longitude and latitude of places, ``None`` for those that do not exist."""
        points: list[tuple[float, float] | None]
        points = self.ask(each(unless_none(_point)), "GEOPOS", name, *values)
        return points

    def georadius(
        self,
        name: Word,
        longitude: float,
        latitude: float,
        radius: float,
        unit: str | None = None,
        withdist: bool = False,
        withcoord: bool = False,
        withhash: bool = False,
        count: int | None = None,
        sort: str | None = None,
        store: Word | None = None,
        store_dist: Word | None = None,
        any: bool = False,
    ) -> Any:
        """Return the places around a point: an older ``geosearch``."""
        words: list[Any] = ["GEORADIUS", name, longitude, latitude, radius, _unit(unit or "m")]
        return self._search(
            words, sort, count, any, (withdist, withhash, withcoord), store, store_dist
        )

    def georadiusbymember(
        self,
        name: Word,
        member: Word,
        radius: float,
        unit: str | None = None,
        withdist: bool = False,
        withcoord: bool = False,
        withhash: bool = False,
        count: int | None = None,
        sort: str | None = None,
        store: Word | None = None,
        store_dist: Word | None = None,
        any: bool = False,
    ) -> Any:
        """Return the places around one of them: an older ``geosearch``."""
        words: list[Any] = ["GEORADIUSBYMEMBER", name, member, radius, _unit(unit or "m")]
        return self._search(
            words, sort, count, any, (withdist, withhash, withcoord), store, store_dist
        )

    def geosearch(
        self,
        name: Word,
        member: Word | None = None,
        longitude: float | None = None,
        latitude: float | None = None,
        unit: str = "m",
        radius: float | None = None,
        width: float | None = None,
        height: float | None = None,
        sort: str | None = None,
        count: int | None = None,
        any: bool = False,
        withcoord: bool = False,
        withdist: bool = False,
        withhash: bool = False,
    ) -> list[Any]:
        """Return the places around a member or a point, within a radius or a box. ``sort`` is
        ``ASC`` or ``DESC`` by distance; ``count`` how many to return, ``any`` without looking for
        the nearest. ``withdist``, ``withhash`` and ``withcoord`` add those to each, in this
        order."""
        words: list[Any] = ["GEOSEARCH", name]
        words += _around(member, longitude, latitude)
        words += _within(unit, radius, width, height)
        found: list[Any] = self._search(words, sort, count, any, (withdist, withhash, withcoord))
        return found

    def geosearchstore(
        self,
        dest: Word,
        name: Word,
        member: Word | None = None,
        longitude: float | None = None,
        latitude: float | None = None,
        unit: str = "m",
        radius: float | None = None,
        width: float | None = None,
        height: float | None = None,
        sort: str | None = None,
        count: int | None = None,
        any: bool = False,
        storedist: bool = False,
    ) -> int:
        """Store the places that ``geosearch`` finds, or with ``storedist`` their distances. Return
        how many they are."""
        words: list[Any] = ["GEOSEARCHSTORE", dest, name]
        words += _around(member, longitude, latitude)
        words += _within(unit, radius, width, height)
        _order(words, sort, count, any)
        flag("STOREDIST", storedist, words)
        reply: int = self.execute_command(*words)
        return reply

    def _search(
        self,
        words: list[Any],
        sort: str | None,
        count: int | None,
        any: bool,
        wanted: tuple[bool, bool, bool],
        store: Word | None = None,
        store_dist: Word | None = None,
    ) -> Any:
        only_one(store=store, store_dist=store_dist)
        _order(words, sort, count, any)
        for word, on in zip(("WITHDIST", "WITHHASH", "WITHCOORD"), wanted):
            flag(word, on, words)
        option("STORE", store, words)
        option("STOREDIST", store_dist, words)
        if store is not None or store_dist is not None or not sum(wanted):
            return self.execute_command(*words)
        all_casts: tuple[Cast, Cast, Cast] = (float, int, _point)
        casts = [cast for cast, on in zip(all_casts, wanted) if on]
        return self.ask(
            each(lambda place: [place[0], *(cast(part) for cast, part in zip(casts, place[1:]))]),
            *words,
        )


def _point(place: Any) -> tuple[float, float]:
    longitude, latitude = place
    return float(longitude), float(latitude)


def _unit(unit: str) -> str:
    if unit.lower() not in UNITS:
        raise DataError("a unit is m, km, mi or ft")
    return unit


def _around(member: Word | None, longitude: float | None, latitude: float | None) -> list[Any]:
    if member is not None:
        only_one(member=True, longitude=longitude, latitude=latitude)
        return ["FROMMEMBER", member]
    if longitude is None or latitude is None:
        raise DataError("GEOSEARCH must have member or longitude and latitude")
    return ["FROMLONLAT", longitude, latitude]


def _within(
    unit: str, radius: float | None, width: float | None, height: float | None
) -> list[Any]:
    if radius is not None:
        only_one(radius=True, width=width, height=height)
        return ["BYRADIUS", radius, _unit(unit)]
    if width is None or height is None:
        raise DataError("GEOSEARCH must have radius or width and height")
    return ["BYBOX", width, height, _unit(unit)]


def _order(words: list[Any], sort: str | None, count: int | None, any: bool) -> None:
    if sort:
        if sort.upper() not in ("ASC", "DESC"):
            raise DataError("places are sorted ASC or DESC")
        words.append(sort)
    if any and not count:
        raise DataError("'any' goes with 'count'")
    option("COUNT", count, words)
    flag("ANY", any, words)
