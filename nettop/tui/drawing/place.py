"""Which columns fit a width, and how wide each is.

Widths are decided when the width of the screen or the pane changes, from the rows then at hand; between two pictures
they never change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from nettop import format as text
from nettop.fields import Kind, View
from nettop.names import Names
from nettop.tui.drawing.columns import Column, columns_of, scrollable

SAMPLE = 200
"""Rows looked at to decide how wide columns are."""

ROOMY = 99
"""From this width on an end of a connection is shown whole before another column is added."""

NARROWEST = 8
"""Cells a flexible column of words keeps before another column is dropped for it."""

SHORT_WORD = 6
"""Cells of words like TIME-WAIT that are kept where an address has to be shortened otherwise."""

LEAST: Mapping[str, int] = {"command": 20, "addresses": 18, "detail": 40, "proto": 5, "limit": 8}
"""Field name → cells it keeps, where that is neither of the two."""

TIGHT: Mapping[str, int] = {"state": 7}
"""Field name → cells of its words that do on a screen that is not roomy: running, SYN-SE…"""

SUDDEN = frozenset({"limit", "rx_rate", "tx_rate"})
"""Fields that say nothing while nothing happens, and are what one looks for when something does: they neither go for
being empty nor are as narrow as what they say now."""

TOGETHER: Mapping[str, str] = {"rx_bytes": "tx_bytes"}
"""Field name → another that goes with it: what was sent is half of what one reads the two for."""

WIDEST = 60
"""Cells a flexible column takes at most while others want room too."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A column and its width."""

    column: Column
    width: int


def place(
    view: View,
    rows: Sequence[Any],
    now: float,
    width: int,
    scrolled: int = 0,
    *,
    chosen: tuple[str, ...] | None = None,
    names: Names | None = None,
    sorted_by: str = "",
) -> list[Placed]:
    """The columns of a view, or those that were chosen, that fit a width, and how wide they are.

    Each column has a width it cannot do without and one it would like; what tells which row it is, is whole. Columns go
    in the order of `View.optional`, then those that were chosen besides, the last first, until the rest fit. What is
    left is shared among those that would like more; the rest goes to what tells most when it is long, or to a flexible
    last column. `scrolled` so many columns to the side, what follows the anchors is shown as far as it fits, whatever
    it is. `names` tells what addresses and ports are called, None shows numbers. What the rows are `sorted_by` stays
    whatever the width, and comes behind the anchors where it is none of the view's own columns.
    """
    shown = view.columns if chosen is None else chosen
    if scrolled:
        columns = columns_of(view, view.anchors, names)
        columns += scrollable(view, shown, names)[scrolled:]
    else:
        columns = columns_of(view, _with_sorted(view, sorted_by) if chosen is None else chosen, names)
    needs = {
        column.field.name: _need(column, rows, now, width >= ROOMY, column.field.name in view.anchors)
        for column in (*columns, *columns_of(view, [column.port.name for column in columns if column.port]))
    }
    if scrolled:
        ends = accumulate(needs[column.field.name][0] + 1 for column in columns)
        columns = [column for column, end in zip(columns, ends, strict=True) if end <= width]
    else:
        optional = view.optional if chosen is None else (*view.optional, *reversed(chosen[1:]))
        optional = tuple(name for name in optional if name != sorted_by)
        columns = _without_optional(columns, optional, rows, now, needs, width)
    widths = [needs[column.field.name][0] for column in columns]
    wishes = [needs[column.field.name][1] for column in columns]
    spare = width - sum(widths) - len(widths)
    if spare < 0:
        spare = _squeeze(columns, widths, spare)
    spare += _shorten_words(columns, widths, wishes, spare)
    spare = _share(columns, widths, wishes, spare)
    flexible = [index for index, column in enumerate(columns) if column.field.flexible]
    longest = [index for index in flexible if columns[index].field.name in LEAST]
    if spare > 0 and flexible and (longest or flexible[-1] == len(columns) - 1):
        widths[(longest or flexible)[-1]] += spare
    return [Placed(column, cells) for column, cells in zip(columns, widths, strict=True)]


def _with_sorted(view: View, sorted_by: str) -> tuple[str, ...]:
    """The view's own columns, and the one the rows are sorted by; both rates tell of their sum."""
    shown = view.columns
    told = sorted_by in shown or (sorted_by == "rate" and {"rx_rate", "tx_rate"} <= {*shown})
    if told or sorted_by not in view.fields:
        return shown
    place = 1 + max((index for index, name in enumerate(shown) if name in view.anchors), default=-1)
    return (*shown[:place], sorted_by, *shown[place:])


def _without_optional(
    columns: list[Column],
    optional: Sequence[str],
    rows: Sequence[Any],
    now: float,
    needs: Mapping[str, tuple[int, int]],
    width: int,
) -> list[Column]:
    """The columns without those there is no room for. First go those that say nothing and will not soon, for the others
    to be whole."""

    def fit(which: int) -> bool:
        return sum(needs[column.field.name][which] + 1 for column in columns) <= width

    lasting = {column.field.name: column.field for column in columns if column.field.name not in SUDDEN}
    for name in optional:
        if not fit(1) and rows and name in lasting and all(lasting[name].get(row, now) is None for row in rows):
            columns = [column for column in columns if column.field.name != name]
    for name in optional:
        if fit(0):
            break
        for each in {name, TOGETHER.get(name, name)} & {*optional}:
            columns = [kept for column in columns for kept in _without(column, each)]
    return columns


def _without(column: Column, name: str) -> tuple[Column, ...]:
    """A column, or where it is of that name what is left of it: of an address its port."""
    if column.field.name != name:
        return (column,)
    return (replace(column, field=column.port, port=None),) if column.port else ()


def _shorten_words(columns: Sequence[Column], widths: list[int], wishes: Sequence[int], spare: int) -> int:
    """Cells taken from words because an address needs them more: the end of an address tells two hosts apart."""
    addresses = [index for index, column in enumerate(columns) if column.field.kind is Kind.ADDRESS]
    missing = sum(wishes[index] - widths[index] for index in addresses) - spare
    taken = 0
    for index, column in enumerate(columns):
        field = column.field
        if field.kind is Kind.TEXT and not field.flexible and missing > taken:
            least = max(LEAST.get(field.name, SHORT_WORD), len(field.title))
            give = min(missing - taken, max(0, widths[index] - least))
            widths[index] -= give
            taken += give
    return taken


def _share(columns: Sequence[Column], widths: list[int], wishes: Sequence[int], spare: int) -> int:
    """Give cells to the columns that would like more, to flexible ones first, and to all alike, so that those that lack
    little are whole; how many are left."""
    for flexible in (True, False):
        those = [index for index, column in enumerate(columns) if column.field.flexible is flexible]
        wanting = sorted((wishes[index] - widths[index], index) for index in those)
        for rank, (lack, index) in enumerate(wanting):
            given = max(0, min(lack, spare // (len(wanting) - rank)))
            widths[index] += given
            spare -= given
    return spare


def _squeeze(columns: Sequence[Column], widths: list[int], spare: int) -> int:
    """Take missing cells (`spare` is negative) from long texts, the widest first; how many are missing then."""
    fields = [column.field for column in columns]
    words = [index for index, field in enumerate(fields) if field.flexible and field.kind is not Kind.ADDRESS]
    for index in sorted(words, key=widths.__getitem__, reverse=True):
        taken = min(-spare, max(0, widths[index] - NARROWEST))
        widths[index] -= taken
        spare += taken
    return spare


def _need(column: Column, rows: Sequence[Any], now: float, roomy: bool, anchor: bool) -> tuple[int, int]:
    """(cells it cannot do without, cells it would like).

    Figures grow while one looks, so a column of figures has the width its field asks for. Process ids and words come
    from a known set: the longest at hand is enough.
    """
    field = column.field
    title, numbered = len(field.title), field.name in ("pid", "ppid")
    steady = not field.flexible and (field.kind is not Kind.TEXT or field.name in SUDDEN)
    if steady and not (numbered and not roomy):
        return max(title, field.width), max(title, field.width)
    lengths = sorted(text.cell_width(column.text(row, now)[1]) for row in rows) or [field.width]
    if field.flexible:
        least = LEAST.get(field.name, NARROWEST)
        usual = field.width + (1 + column.port.width if column.port else 0)
        if field.kind is Kind.ADDRESS:
            least = usual if roomy else field.width
        elif anchor or (roomy and field.name in LEAST):
            least = field.width
        # a few very long values do not make a column wide
        longest = max(title, min(WIDEST, lengths[-1 - len(lengths) // 20]), min(usual, lengths[-1]))
        return max(title, min(least, longest)), longest
    if numbered:
        return max(title, min(field.width, lengths[-1])), max(title, field.width)
    most = field.width if roomy else TIGHT.get(field.name, field.width)
    return max(title, min(most, lengths[-1])), max(title, field.width)
