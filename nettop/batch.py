"""The plain views: a table and JSON lines on a stream, from the same snapshot the screen shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat
from json.encoder import encode_basestring_ascii
from typing import Any

from nettop.fields import Field, Kind, View
from nettop.format import UNKNOWN, cell_width, fit, formatter, unit_aligned
from nettop.model import Event
from nettop.order import Order
from nettop.query import Query
from nettop.snapshot import Snapshot

Write = Callable[[str], object]
"""Takes text that ends in a newline: `sys.stdout.write`."""

_BLOCK = 500
"""Rows made into text at a time: their values stay in the processor's cache, and the first come out early."""


def select(
    snapshot: Snapshot, view: View, query: Query, order: Order | None, limit: int | None, now: float
) -> list[Any]:
    """The rows of the view that pass the filter, in order (None: as they come), at most `limit` (None: all)."""
    rows = query.filter(view.rows(snapshot), now)
    if order is not None:
        rows = order.sort(rows, now)
    return rows if limit is None else rows[:limit]


def new_events(snapshot: Snapshot, seen_total: int) -> tuple[Sequence[Event], int]:
    """The events since the snapshot whose second answer was `seen_total` (at first 0), and what to pass the next time.

    Oldest first. Of more events than a snapshot keeps only the last are here; a total below the one seen means that
    the stream began anew.
    """
    total = snapshot.events_total
    new = total - seen_total if total >= seen_total else total
    return snapshot.events[max(0, len(snapshot.events) - new) :], total


# --- table -----------------------------------------------------------------------------------------------------------


def table(view: View, rows: Sequence[Any], columns: Sequence[str], now: float, header: bool, write: Write) -> None:
    """Write the rows as a table: a column is as wide as its widest cell, two blanks stand between columns.

    Every cell is safe for a terminal (`format.safe`), and the last column is not padded. KeyError for a column the
    view does not have.
    """
    texts = [_column(view.field(name), rows, now, header) for name in columns]
    for line in zip(*texts, strict=True):
        write("  ".join(line).rstrip() + "\n")


def _column(field: Field, rows: Sequence[Any], now: float, header: bool) -> list[str]:
    """The cells of a column, title first if wanted, all of the same width."""
    text = formatter(field, now)
    values = map(field.get, rows, repeat(now))
    cells = [UNKNOWN if value is None else text(value) for value in values]
    if field.kind in (Kind.BYTES, Kind.RATE) and any(cell[-1].isalpha() for cell in cells):
        cells = [unit_aligned(cell) for cell in cells]
    if header:
        cells.insert(0, field.title)
    width = max(map(cell_width, cells), default=0)
    align: Any = "right" if field.kind.numeric else "left"
    return [fit(cell, width, align) for cell in cells]


# --- JSON lines ------------------------------------------------------------------------------------------------------


def json_lines(
    view: View, rows: Iterable[Any], columns: Sequence[str] | None, now: float, time: float, write: Write
) -> None:
    """Write one JSON object a line: `time` (seconds since the epoch) first, then the columns (None: every field).

    Raw values, unknown is null, in ASCII, so that no control character gets through. An event has a time of its own,
    which is the one shown. KeyError for a column the view does not have.
    """
    fields = [view.field(name) for name in columns or view.fields]
    times = view.fields.get("time", Field("time", "", Kind.TIME, 0, "", lambda _row, _now: time))
    fields = [times, *(field for field in fields if field.name != "time")]
    line = "{" + ",".join(f'"{field.name}":%s' for field in fields) + "}\n"
    encoders = [_encoder(field.kind) for field in fields]
    for block in _blocks(rows):
        values = [encode(map(field.get, block, repeat(now))) for field, encode in zip(fields, encoders, strict=True)]
        write("".join(map(line.__mod__, zip(*values, strict=True))))


def _blocks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(rows)
    while block := list(islice(source, _BLOCK)):
        yield block


_COMPACT = json.JSONEncoder(separators=(",", ":"))


class _Strings(dict[Any, str]):
    """text → its JSON: most columns hold few different texts."""

    def __missing__(self, text: str) -> str:
        encoded = self[text] = encode_basestring_ascii(text)
        return encoded


def _encoder(kind: Kind) -> Callable[[Iterable[Any]], Iterable[str]]:
    """What makes JSON of the values of one column.

    Encoding by column instead of `json.dumps` of a dict for each row: 0.55 s instead of 0.75 s for 42,000 rows of 55
    fields, of which the getters are 0.23 s.
    """
    if kind is Kind.LIST:
        return lambda values: map(_COMPACT.encode, values)
    if kind.numeric:
        return lambda values: ["null" if value is None else repr(value) for value in values]
    known = _Strings({None: "null"})
    return lambda values: map(known.__getitem__, values)


# --- the registry ----------------------------------------------------------------------------------------------------


def print_fields(views: Iterable[View], write: Write) -> None:
    """Write every field of the views: name, unit, meaning."""
    for number, view in enumerate(views):
        if number:
            write("\n")
        write(f"{view.name}\n")
        names = max(len(name) for name in view.fields)
        units = max(len(field.unit) for field in view.fields.values())
        for field in view.fields.values():
            write(f"  {field.name:{names}}  {field.unit:{units}}  {field.help}\n")
