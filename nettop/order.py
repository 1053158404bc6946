"""Sorting the rows of a view by one field: `rate`, `-rate`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from nettop.fields import Field, Kind, View
from nettop.query.address import address_number


@dataclass(frozen=True, slots=True)
class Order:
    """A field to sort by and a direction."""

    field: Field
    descending: bool

    def sort(self, rows: Iterable[Any], now: float) -> list[Any]:
        """A new list of the rows, in order; `now` is the time of their picture.

        Numbers by size, text without regard to case, addresses by number. Unknown values come last either way, and
        rows with equal values stay in the order they came.
        """
        listed = list(rows)
        values: list[Any] = list(map(self.field.get, listed, repeat(now)))
        places: Iterable[int] = range(len(listed))
        unknown: list[int] = []
        if None in values:
            places = [place for place, value in enumerate(values) if value is not None]
            unknown = [place for place, value in enumerate(values) if value is None]
        key = _KEYS.get(self.field.kind)
        if key:
            values = [None if value is None else key(value) for value in values]
        known = sorted(places, key=values.__getitem__, reverse=self.descending)
        return [listed[place] for place in (*known, *unknown)]

    def key(self) -> Callable[[Any, float], Any]:
        """(row, time of its picture) → what `sort` compares the row by, None where it is unknown.

        For a caller that keeps a sorted list and places only the rows that changed.
        """
        get, comparable = self.field.get, _KEYS.get(self.field.kind)
        if comparable is None:
            return get

        def key(row: Any, now: float) -> Any:
            value = get(row, now)
            return None if value is None else comparable(value)

        return key

    def __str__(self) -> str:
        return f"-{self.field.name}" if self.descending else self.field.name


def parse_sort(text: str, view: View) -> Order:
    """The order that `-s` names: a field, descending with a - before it. ValueError says in one line what is wrong."""
    name = text.removeprefix("-")
    try:
        return Order(view.field(name), text.startswith("-"))
    except KeyError as error:
        raise ValueError(error.args[0]) from None


_NO_ADDRESS = 1 << 129
"""Beyond the last IPv6 address on the line of `nettop.query.address`."""


def _address_key(address: str) -> tuple[int, str]:
    """IPv4 by number, then IPv6 by number, then everything else by its text."""
    number = address_number(address)
    return (_NO_ADDRESS, address.lower()) if number is None else (number, "")


def _list_key(values: tuple[Any, ...]) -> str:
    return " ".join(str(v["comm"] if isinstance(v, dict) else v) for v in values).lower()


_KEYS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: str.lower,
    Kind.ADDRESS: _address_key,
    Kind.LIST: _list_key,
}
"""What a value of these kinds is compared by; the others are numbers and compare as they are."""
