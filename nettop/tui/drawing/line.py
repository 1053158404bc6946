"""One line of text that is repainted only when its text changed, and the pieces lines are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from nettop import format as text

Pieces = list[Segment]


def piece(run: str, style: Style) -> Segment:
    """A run of text in one style. Text of the machine must have gone through `format.safe`."""
    return Segment(run, style)


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


def cut(pieces: Pieces, width: int) -> Pieces:
    """The pieces as far as there is room, with `…` at the end where something had to go."""
    if cells(pieces) <= width:
        return pieces
    kept = list(Strip(pieces).crop(0, max(0, width - 1)))
    return [*kept, Segment(text.ELLIPSIS, kept[-1].style)] if kept else []


def between(left: Pieces, right: Pieces, width: int, fill: Style) -> Pieces:
    """Left-aligned pieces, then right-aligned ones; the left is cut where there is no room for both."""
    right = cut(right, width)
    room = width - cells(right)
    kept = cut(left, room)
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
        left, right = ([], self._pieces) if self._right else (self._pieces, [])
        return Strip(between(left, right, width, self._fill), width)
