"""A figure over the last pictures, as bars of several lines with an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.style import Style

from nettop import format as text
from nettop.snapshot import Sample
from nettop.tui.details.blocks import Block, Canvas
from nettop.tui.dialogs.page import PageLine
from nettop.tui.drawing.line import Pieces, between, cells, piece
from nettop.tui.drawing.theme import Look

HEIGHT = 4
"""Lines of bars."""
PICTURES = 120
"""Pictures a graph goes back at most; where it has fewer columns each stands for the highest of several pictures."""

_AXIS = 9
"""Cells left of the bars: the figure at the top, and the axis."""

Show = Callable[[float], str]
"""A figure as text, with its unit."""


def graph(
    canvas: Canvas,
    title: str,
    samples: Sequence[Sample],
    figure: Callable[[Sample], float | None],
    show: Show,
    style: Style,
    sequence: int,
) -> Block:
    """A title with what the figure is now and its extremes, the bars, and how far back they go.

    `sequence` is the number of the newest picture: columns that stand for several always take the same ones, so that
    the graph moves and does not flicker."""
    look, signs = canvas.look, canvas.signs
    room = canvas.width - _AXIS - 1
    values = [figure(sample) for sample in samples[-PICTURES:]]
    known = [value for value in values if value is not None]
    now = known[-1] if known and values[-1] is not None else None
    left = [piece(f" {title} ", look.dim), piece(text.UNKNOWN if now is None else show(now), style)]
    if not known:
        return [PageLine(left), PageLine([piece(f"{'':{_AXIS}}nothing moved in the last pictures", look.dim)])]
    columns = _columns(values, room, sequence)
    top = max(known)
    least = [piece("least ", look.dim), piece(show(min(known)), look.text)]
    most = [piece("  most ", look.dim), piece(show(top), look.text), piece(" ", look.text)]
    right = next((form for form in ([*least, *most], most) if cells(left) + cells(form) < canvas.width), [])
    block = [PageLine(between(left, right, canvas.width, look.text))]
    for line in range(HEIGHT - 1, -1, -1):
        label = {HEIGHT - 1: show(top).split("/")[0].strip(), 0: "0"}.get(line, "")
        mark = f"{text.fit(label, _AXIS - 1, 'right')}{signs.pipe[0]}"
        bars = "".join(_cell(value, top, line, signs.bars) for value in columns)
        block.append(PageLine([piece(mark, look.dim), piece(bars.rjust(room), style)]))
    block.append(PageLine(_times(samples[-PICTURES:], len(columns), room, look)))
    return block


def _columns(values: Sequence[float | None], room: int, sequence: int) -> list[float | None]:
    """One value a column, the highest of as many pictures as it takes for all of them to fit."""
    # the first column may stand for fewer pictures than the others, and so may the last
    each = 1 if room >= PICTURES else -(-(PICTURES - 1) // max(1, room - 1))
    first = sequence - len(values) + 1  # the number of the first picture
    columns: list[float | None] = []
    for index, value in enumerate(values):
        if not columns or (first + index) % each == 0:
            columns.append(value)
        elif value is not None:
            columns[-1] = value if columns[-1] is None else max(columns[-1], value)
    return columns[-room:]


def _cell(value: float | None, top: float, line: int, bars: str) -> str:
    """One cell of a bar; what is known and zero is the lowest of the bars, what is unknown is blank."""
    if value is None:
        return " "
    steps = len(bars)
    filled = 0 if not top else round(value / top * HEIGHT * steps) - line * steps
    if filled <= 0:
        return bars[0] if line == 0 else " "
    return bars[min(steps, filled) - 1]


def _times(samples: Sequence[Sample], columns: int, room: int, look: Look) -> Pieces:
    """How long ago the first column was, below it, and where now is."""
    line = "now".rjust(room)
    if len(samples) > 1:
        since = f"{text.duration(samples[-1].time - samples[0].time)} ago"
        at = room - columns
        if at + len(since) + 1 < room - len("now"):
            line = " " * at + since + line[at + len(since) :]
    return [piece(" " * _AXIS, look.text), piece(line, look.dim)]
