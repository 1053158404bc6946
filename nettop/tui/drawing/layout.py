"""How a row is drawn in the columns that were placed for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from nettop import format as text
from nettop.fields import Kind, Value
from nettop.order import Order
from nettop.tui.drawing.place import Placed
from nettop.tui.drawing.theme import Look, Signs
from nettop.tui.drawing.trim import BLANK, CORNER, PIPE, PLAIN, TEE, Trim

STEMS = ("command", "comm")
"""The columns that carry the guides of a tree: the first of them that is shown."""

STEM, SHORT_STEM = 12, 6
"""Cells of such a column that guides leave to what it says; where half of it is less, that, and the second at least."""


class Layout:
    """The placed columns of a pane, and rows drawn in them: a blank, then each cell followed by a blank."""

    def __init__(self, placed: Sequence[Placed], order: Order, width: int, look: Look, signs: Signs) -> None:
        self.columns = tuple(p.column for p in placed)
        self.moves = any(column.field.kind is Kind.SECONDS for column in self.columns)
        """Rows must be drawn afresh with every picture: they tell how long ago something was."""
        self._placed = tuple((p.column, p.width, _STYLES.get(p.column.field.name, _plain)) for p in placed)
        stems = [column for name in STEMS for column in self.columns if column.field.name == name]
        self._stem = stems[0] if stems else None
        self._steps = str.maketrans(
            {PIPE: signs.pipe, BLANK: " " * len(signs.pipe), TEE: signs.tee, CORNER: signs.corner}
        )
        self._width = width
        self._look = look
        self._signs = signs
        self.show_order(order)
        self.blank = Strip.blank(width, look.text)

    def draw(self, row: Any, now: float, trim: Trim = PLAIN) -> Strip:
        """A row in its colours, with what it wears."""
        look = self._look
        segments = [self._gutter(trim, _GUTTER.get(trim.sign, "text"))]
        for column, width, style in self._placed:
            stem = self._guide(trim, width) if column is self._stem else ""
            if stem:
                segments.append(Segment(stem, look.dim))
            value, cell = column.text(row, now, width - len(stem))
            segments.append(Segment(cell + " ", look.dim if trim.dim else style(value, look)))
        return self._strip(segments, look.text)

    def draw_cursor(self, row: Any, now: float, trim: Trim = PLAIN) -> Strip:
        """The row under the cursor."""
        look = self._look
        segments = [self._gutter(trim, "cursor")]
        for column, width, _ in self._placed:
            stem = self._guide(trim, width) if column is self._stem else ""
            segments.append(Segment(f"{stem}{column.text(row, now, width - len(stem))[1]} ", look.cursor))
        return self._strip(segments, look.cursor)

    def _gutter(self, trim: Trim, style: str) -> Segment:
        sign = getattr(self._signs, trim.sign) if trim.sign else " "
        return Segment(sign, getattr(self._look, style))

    def _guide(self, trim: Trim, width: int) -> str:
        """What leads from the row's parent to its name; of a long way, its end."""
        if not (trim.guide or trim.folded):
            return ""
        way = trim.guide.translate(self._steps) + (f"[+{trim.folded}] " if trim.folded else "")
        room = max(0, width - min(STEM, max(SHORT_STEM, width // 2)))
        return way if len(way) <= room else way[len(way) - room :]

    def shows(self, name: str) -> bool:
        """There is a column of that field, or as its port beside an address."""
        return any(name in (column.field.name, column.port and column.port.name) for column in self.columns)

    def message(self, sentence: str) -> Strip:
        """A line that stands where rows would."""
        return self._strip([Segment(f"  {sentence}", self._look.dim)], self._look.text)

    def show_order(self, order: Order) -> None:
        """Draw the header with a mark at the column the rows are sorted by."""
        look = self._look
        segments = [Segment(" ", look.header)]
        for column, width, _ in self._placed:
            field = column.field
            if order.field.name not in (field.name, column.port and column.port.name):
                title = text.fit(field.title, width, "right" if column.right else "left")
                segments.append(Segment(title + " ", look.header))
                continue
            mark = self._signs.down if order.descending else self._signs.up
            short = field.title[: max(0, width - 1)]
            title = (mark + short).rjust(width) if column.right else (short + mark).ljust(width)
            segments.append(Segment(title + " ", look.header_sort))
        self.header = self._strip(segments, look.header)

    def _strip(self, segments: list[Segment], fill: Style) -> Strip:
        return Strip(segments).adjust_cell_length(self._width, fill)


_GUTTER: Mapping[str, str] = {
    "tag": "warning",
    "own": "warning",
    "ended": "dim",
    "new": "good",
    "grown": "rx",
    "gone": "dim",
}
"""Sign → the style of `Look` it is drawn in."""

StyleOf = Callable[[Value, Look], Style]


def _plain(value: Value, look: Look) -> Style:
    return look.text if value else look.dim


def _named(value: Value, look: Look) -> Style:
    return look.strong if value else look.dim


def _received(value: Value, look: Look) -> Style:
    return look.rx if value else look.dim


def _sent(value: Value, look: Look) -> Style:
    return look.tx if value else look.dim


def _worry(value: Value, look: Look) -> Style:
    return look.warning if value else look.dim


def _connection_state(value: Value, look: Look) -> Style:
    if value == "LISTEN":
        return look.good
    return look.text if value == "ESTAB" else look.dim


_PROCESS_STATES = {"R": "good", "D": "warning", "Z": "alarm", "T": "warning"}


def _state(value: Value, look: Look) -> Style:
    if isinstance(value, str) and len(value) == 1:
        style: Style = getattr(look, _PROCESS_STATES.get(value, "dim"))
        return style
    return _connection_state(value, look)


def _limit(value: Value, look: Look) -> Style:
    return look.warning if value and value != "app" else look.dim


_STYLES: Mapping[str, StyleOf] = {
    "comm": _named,
    "command": _named,
    "netns_name": _named,
    "rx_rate": _received,
    "rx_bytes": _received,
    "tx_rate": _sent,
    "tx_bytes": _sent,
    "retrans": _worry,
    "retrans_rate": _worry,
    "drops": _worry,
    "failed": _worry,
    "oom_kills": _worry,
    "lost": _worry,
    "backoff": _worry,
    "reason": _worry,
    "state": _state,
    "limit": _limit,
}
"""Field name → the style of a value. A sign, a word or the figure itself always tells the same without colour."""
