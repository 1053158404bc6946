"""What a view and its fields are: how a value is called, printed, aligned, and taken from a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from nettop.snapshot import Snapshot

Value = str | int | float | bool | tuple[Any, ...] | None


class Kind(Enum):
    """How a value is printed, parsed from a filter, and aligned."""

    TEXT = "text"
    NUMBER = "number"
    BYTES = "bytes"
    RATE = "bytes/s"
    FREQUENCY = "1/s"
    SECONDS = "s"
    MILLISECONDS = "ms"
    PERCENT = "%"
    TIME = "epoch seconds"
    ADDRESS = "address"
    PORT = "port"
    LIST = "list"

    @property
    def numeric(self) -> bool:
        """Right-aligned, compared as a number, None sorts last."""
        return self not in (Kind.TEXT, Kind.ADDRESS, Kind.LIST)


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a view knows of its rows."""

    name: str
    title: str
    kind: Kind
    width: int
    """Cells a column of it wants; flexible text columns get what is left over."""
    help: str
    get: Callable[[Any, float], Value]
    """(row, seconds since the epoch of its picture) → raw value."""
    member: tuple[str, int] | None = None
    """Where the value stands as it is: (attribute of the row that holds a tuple, or none for the row, place in it). Whoever wants a whole
    column takes it from there at once, ten times faster than row by row."""
    flexible: bool = False
    """May be wider than `width` when there is room."""
    difference: bool = False
    """Between two pictures: what a row says of it in the first one is not known yet."""

    @property
    def unit(self) -> str:
        return "" if self.kind in (Kind.TEXT, Kind.LIST, Kind.NUMBER, Kind.ADDRESS, Kind.PORT) else self.kind.value


@dataclass(frozen=True, slots=True)
class View:
    """A list of rows that a person can look at."""

    name: str
    title: str
    fields: Mapping[str, Field]
    columns: tuple[str, ...]
    """Shown unless asked otherwise, the most telling first: a narrow screen drops from `optional`."""
    optional: tuple[str, ...]
    """Of `columns`, the first to go when the screen is too narrow for all, in that order."""
    sort: str
    """Field to sort by unless asked otherwise; a leading - means descending."""
    rows: Callable[[Snapshot], Iterable[Any]]
    rank: Callable[[Any], int]
    """Of rows that are equal in the field sorted by, the lower rank comes first: what a person rather looks for."""
    table: str = ""
    """The mapping of `Snapshot` that holds its rows by id, and perhaps others; empty where they are made otherwise."""
    anchors: tuple[str, ...] = ()
    """The fields that tell which row it is: they stay while the others are scrolled."""

    def first(self) -> View:
        """The view of a picture without an interval: differences are unknown there, whatever the rows say.

        Rows say zero, and need not all be made again for the second picture: 15 MB, with 40,000 of them."""
        known = {
            name: replace(field, get=_unknown, member=None) if field.difference else field
            for name, field in self.fields.items()
        }
        return replace(self, fields=known)

    def field(self, name: str) -> Field:
        """The field of that name; KeyError with a sentence that names the nearest one."""
        try:
            return self.fields[name]
        except KeyError:
            raise KeyError(unknown_field(name, self)) from None


def _unknown(_row: Any, _now: float) -> Value:
    return None


def unknown_field(name: str, view: View) -> str:
    """The one-line error for a field that a view does not have."""
    import difflib  # only on the way to an error

    near = difflib.get_close_matches(name, view.fields, n=1)
    hint = f"did you mean {near[0]}?" if near else f"`nettop fields {view.name}` lists them"
    return f"{view.name} has no field {name!r}; {hint}"


def view_of(
    name: str,
    title: str,
    fields: Iterable[Field],
    columns: str,
    optional: str,
    sort: str,
    rows: Callable[[Snapshot], Iterable[Any]],
    rank: Callable[[Any], int] = lambda _: 0,
    *,
    anchors: str,
) -> View:
    registry = {f.name: f for f in fields}
    shown, first_to_go, stay = tuple(columns.split()), tuple(optional.split()), tuple(anchors.split())
    return View(name, title, registry, shown, first_to_go, sort, rows, rank, name, stay)


def milliseconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1000


def elapsed(since: float | None, now: float) -> float | None:
    return None if since is None else max(0.0, now - since)
