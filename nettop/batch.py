"""The plain views: which rows, and a table of them on a stream, from the same snapshot the screen shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from nettop.fields import Field, Kind, View
from nettop.format import UNKNOWN, cell_width, fit, formatter, unit_aligned
from nettop.jsonlines import Write
from nettop.model import Event
from nettop.order import Order
from nettop.query import Query
from nettop.snapshot import Snapshot


def select(
    snapshot: Snapshot,
    view: View,
    query: Query,
    order: Order | None,
    limit: int | None,
    now: float,
    *,
    ended: bool = False,
) -> list[Any]:
    """The rows of the view that pass the filter, in order (None: as they come), at most `limit` (None: all).

    Sockets and processes that are no more, as `ss` and `ps` do not list them, are among them if `ended`."""
    rows = view.rows(snapshot)
    if not ended and view.name in ("processes", "connections", "containers"):
        rows = [row for row in rows if not row.ended]
    rows = query.filter(rows, now)
    if order is not None:
        rows = order.sort(sorted(rows, key=view.rank), now)
    return rows if limit is None else rows[:limit]


def new_events(snapshot: Snapshot, seen_total: int) -> dict[int, Event]:
    """The events since the snapshot whose `events_total` was `seen_total` (at first 0), oldest first.

    Of more events than a snapshot keeps only the last are here; a total below the one seen means that the stream began
    anew.
    """
    events = list(snapshot.events.items())
    new = snapshot.events_total - (seen_total if snapshot.events_total >= seen_total else 0)
    return dict(events[max(0, len(events) - new) :])


# --- table -----------------------------------------------------------------------------------------------------------


_GAP = "  "


def table(
    view: View,
    rows: Sequence[Any],
    columns: Sequence[str] | None,
    now: float,
    header: bool,
    write: Write,
    room: int | None = None,
) -> None:
    """Write the rows as a table: a column is as wide as its widest cell, two blanks stand between columns.

    Where the view's own columns (None) take more than `room`, those are left out that are worth least, and in the end
    the lines are cut. Every cell is safe for a terminal (`format.safe`), and the last column is not padded.
    KeyError for a column the view does not have.
    """
    names = list(columns or view.columns)
    texts = {name: _column(view.field(name), rows, now, header) for name in names}
    if room is not None and (rows or header):
        for name in view.optional:
            # every cell of a column is as wide as its first
            if sum(cell_width(texts[shown][0]) + len(_GAP) for shown in names) - len(_GAP) > room:
                names.remove(name)
    for cells in zip(*(texts[name] for name in names), strict=True):
        line = _GAP.join(cells).rstrip()
        write((line if room is None or cell_width(line) <= room else fit(line, room)) + "\n")


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
