"""One line of text that is repainted only when its text changed, and the pieces lines are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

Pieces = list[Segment]


def piece(text: str, style: Style) -> Segment:
    """A run of text in one style. Text of the machine must have gone through `format.safe`."""
    return Segment(text, style)


def cells(pieces: Iterable[Segment]) -> int:
    """How wide they are on the screen."""
    return sum(segment.cell_length for segment in pieces)


def joined(groups: Sequence[Pieces], gap: Segment) -> Pieces:
    """The groups in a row with a gap between any two."""
    row: Pieces = []
    for group in groups:
        if row:
            row.append(gap)
        row.extend(group)
    return row


def between(left: Pieces, right: Pieces, width: int, fill: Style) -> Pieces:
    """Left-aligned pieces, then right-aligned ones; the left is cut where there is no room for both."""
    room = max(0, width - cells(right))
    kept = list(Strip(left).crop(0, room))
    return [*kept, Segment(" " * (room - cells(kept)), fill), *right]


class Line(Widget):
    """One line of the screen."""

    DEFAULT_CSS = "Line { height: 1; }"

    def __init__(self, fill: Style, name: str | None = None) -> None:
        super().__init__(id=name)
        self._fill = fill
        self._pieces: Pieces = []
        self._right = False

    def show(self, pieces: Pieces, *, right: bool = False) -> None:
        """Show these pieces, at the right end if asked; nothing happens where they are the ones shown."""
        if pieces != self._pieces or right != self._right:
            self._pieces, self._right = pieces, right
            self.refresh()

    def render_line(self, y: int) -> Strip:
        if y:
            return Strip.blank(self.size.width, self._fill)
        width = self.size.width
        if self._right:
            return Strip(between([], list(Strip(self._pieces).crop(0, width)), width, self._fill), width)
        return Strip(between(self._pieces, [], width, self._fill), width)
