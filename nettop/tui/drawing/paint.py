"""Sends the terminal the cells that changed, and nothing else.

Textual repaints whole spans and wraps every segment in a set and a reset of its style: 13 to 30 KB for a screen of 160
by 50 of which a few figures moved. Over ssh that is the cost one feels, so the compositor's partial updates are
rewritten here: what every span last looked like is kept, runs of unchanged segments are skipped, and a style is sent
only where it differs from the one before.

`_compositor` is internal to Textual; pyproject.toml pins its major version and tests/tui/test_paint.py holds the
result against an emulated terminal.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console, RenderableType
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip

Painted = dict[int, dict[int, Strip]]
"""Line → column → what the terminal shows from there on."""

SHORT_GAP = 6
"""Unchanged cells that are cheaper to send again than to jump over: a jump takes about this many bytes."""


class DiffCompositor(Compositor):
    """A compositor whose partial updates hold only the cells that changed."""

    def __init__(self) -> None:
        super().__init__()
        self.painted: Painted = {}

    def forget(self) -> None:
        """Assume nothing about what the terminal shows."""
        self.painted.clear()

    def lines(self, crop: Region) -> list[Strip]:
        """What the screen shows in a region, whole lines of it."""
        lines = range(crop.y, crop.bottom)
        chops = self._render_chops(crop, lines.__contains__)
        return [Strip.join(chops[y].values()).crop(crop.x, crop.right) for y in lines]

    def render_update(
        self, full: bool = False, screen_stack: list[Screen[object]] | None = None, simplify: bool = False
    ) -> RenderableType | None:
        """What to send: a whole screen, the changed cells of the dirty regions, or None."""
        update = super().render_update(full=full, screen_stack=screen_stack, simplify=simplify)
        if isinstance(update, ChopsUpdate):
            return DiffUpdate(update, self.painted)
        if update is not None:
            self.forget()
        return update


class DiffUpdate(ChopsUpdate):
    """The difference between some lines and what the terminal shows of them."""

    def __init__(self, update: ChopsUpdate, painted: Painted) -> None:
        super().__init__(update.chops, update.spans, update.chop_ends)
        self._painted = painted

    def render_segments(self, console: Console) -> str:
        """The characters to send; afterwards the terminal shows the new lines."""
        pen = Pen(COLOR_SYSTEMS[console.color_system] if console.color_system else None)
        for y in sorted({y for y, _, _ in self.spans}):
            chops = self.chops[y]
            shown = self._painted.get(y)
            if shown is None or not shown.keys() <= chops.keys():
                # widgets have moved: what is remembered was cut elsewhere
                shown = self._painted[y] = {}
            for x, strip in chops.items():
                if strip is None:
                    continue
                before = shown.get(x)
                if before is not strip:
                    shown[x] = strip
                    _draw_difference(pen, x, y, before, strip)
        return pen.finish()


class Pen:
    """Builds terminal output; knows where the cursor stands and which style is set."""

    def __init__(self, colors: ColorSystem | None) -> None:
        self._colors = colors
        self._out: list[str] = []
        self._style: Style | None = None
        self._at = (-1, -1)

    def draw(self, x: int, y: int, segment: Segment, width: int) -> None:
        """Put a segment of that many cells at a place."""
        if self._at != (x, y):
            self._out.append(f"\x1b[{y + 1};{x + 1}H")
        style = segment.style or Style.null()
        if style is not self._style and style != self._style:
            self._out.append(sgr(self._style, style, self._colors))
            self._style = style
        self._out.append(segment.text)
        self._at = (x + width, y)

    def finish(self) -> str:
        if self._style is not None:
            self._out.append("\x1b[0m")
        return "".join(self._out)


class WithoutColor(LineFilter):
    """Leaves bold, reverse and underlined as they are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  # there is none
        return [Segment(text, style and style.without_color, control) for text, style, control in segments]


@lru_cache(4096)
def sgr(before: Style | None, style: Style, colors: ColorSystem | None) -> str:
    """The shortest escape sequence that turns one style into another; None stands for whatever was set before."""
    attributes, foreground, background = _codes(style, colors)
    if before is not None:
        old_attributes, old_foreground, old_background = _codes(before, colors)
        if old_attributes == attributes:
            changed = [foreground or "39"] if foreground != old_foreground else []
            changed += [background or "49"] if background != old_background else []
            return f"\x1b[{';'.join(changed)}m" if changed else ""
    return f"\x1b[{';'.join(filter(None, ('0', attributes, foreground, background)))}m"


@lru_cache(512)
def _codes(style: Style, colors: ColorSystem | None) -> tuple[str, str, str]:
    """The numbers, joined by semicolons, that set its attributes, foreground and background (ECMA-48, 8.3.117)."""
    if colors is None:
        return "", "", ""
    foreground, background = (
        ";".join(color.downgrade(colors).get_ansi_codes(foreground=is_foreground)) if color else ""
        for color, is_foreground in ((style.color, True), (style.bgcolor, False))
    )
    drawn = style.without_color.render("x", color_system=colors)
    attributes = "" if drawn == "x" else drawn.partition("m")[0].removeprefix("\x1b[")
    return attributes, foreground, background


def _draw_difference(pen: Pen, x: int, y: int, before: Strip | None, after: Strip) -> None:
    """Draw the segments of `after` that differ; all of them where the two are cut into segments differently.

    A run of unchanged cells that is shorter than a jump over it is drawn again.
    """
    old = [segment for segment in before if segment.text] if before is not None else []
    skipped: list[tuple[int, Segment, int]] = []
    gap = 0
    column = x
    comparable = True
    drawn = False
    old_segments = iter(old)
    for segment in after:
        if not segment.text:
            continue
        width = segment.cell_length
        twin = next(old_segments, None) if comparable else None
        comparable = twin is not None and twin.cell_length == width
        if comparable and twin == segment:
            skipped.append((column, segment, width))
            gap += width
        else:
            if drawn and gap <= SHORT_GAP:
                for place, unchanged, cells in skipped:
                    pen.draw(place, y, unchanged, cells)
            pen.draw(column, y, segment, width)
            skipped, gap, drawn = [], 0, True
        column += width
