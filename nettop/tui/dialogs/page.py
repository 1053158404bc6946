"""A page of text that scrolls, with links in it that a cursor goes along, and the screen that shows one."""

from __future__ import annotations

import collections
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from nettop.fields import View
from nettop.tui.drawing.line import Line, Pieces, cut, piece
from nettop.tui.drawing.paint import DiffCompositor
from nettop.tui.drawing.theme import Look

WHEEL = 3
"""Lines a turn of the mouse wheel scrolls."""


class Link(NamedTuple):
    """Cells of a line that lead somewhere."""

    target: Hashable
    """What it leads to."""
    start: int
    end: int


Place = tuple[Hashable, int]
"""Which link: its target, and the how manieth on the page that leads there."""


class PageLine(NamedTuple):
    """One line of a page."""

    pieces: Pieces
    links: tuple[Link, ...] = ()


class Page(Widget, can_focus=True):
    """Lines of text, of which a window is drawn."""

    class Followed(Message):
        """A link was clicked."""

        def __init__(self, target: Hashable) -> None:
            super().__init__()
            self.target = target

    def __init__(self, look: Look) -> None:
        super().__init__(id="page")
        self._look = look
        self._lines: Sequence[PageLine] = ()
        self._drawn: list[Strip] = []
        self.top = 0
        """The first line in sight."""
        self._links: list[tuple[int, Place, Link]] = []  # with its line, in the order of reading
        self.chosen: Place | None = None
        """The link under the cursor: it stays there when lines move."""

    def show(self, lines: Sequence[PageLine]) -> None:
        """Show these lines; only those in sight that look different are painted again."""
        self._lines = lines
        met: collections.Counter[Hashable] = collections.Counter()
        self._links = []
        for y, line in enumerate(lines):
            for link in line.links:
                self._links.append((y, (link.target, met[link.target]), link))
                met[link.target] += 1
        self.scroll_to_line(self.top)

    def scroll_to_line(self, top: int) -> None:
        """Bring that line to the top, as far as there are enough below it."""
        self.top = max(0, min(top, len(self._lines) - self.size.height))
        self._update()

    def move(self, step: int) -> None:
        """Bring the cursor to the next link, down (1) or up (-1), if it is in sight; else scroll by a line towards
        it."""
        ahead = self._ahead(step)
        if ahead is None or not self._in_sight(ahead[0]):
            self.scroll_to_line(self.top + step)
        if ahead is not None and self._in_sight(ahead[0]):
            self.chosen = ahead[1]
            self._update()

    def _ahead(self, step: int) -> tuple[int, Place] | None:
        """Line and place of the first link behind the cursor; where that is out of sight, of the first in sight or
        behind."""
        links = self._links[::step]
        for index, (y, place, _) in enumerate(links):
            if place == self.chosen and self._in_sight(y):
                return links[index + 1][:2] if index + 1 < len(links) else None
        edge = self.top if step > 0 else self.top + self.size.height - 1
        return next(((y, place) for y, place, _ in links if (y - edge) * step >= 0), None)

    def _in_sight(self, y: int) -> bool:
        return self.top <= y < self.top + self.size.height

    def _update(self) -> None:
        """Paint the lines that look different from when they were last drawn."""
        width, height = self.size
        if not (width and height):
            return
        before, self._drawn = self._drawn, [self._draw(self.top + y, width) for y in range(height)]
        if len(before) != height:
            self.refresh()
            return
        changed = [Region(0, y, width, 1) for y, line in enumerate(self._drawn) if line != before[y]]
        if changed:
            self.refresh(*changed)

    def _draw(self, index: int, width: int) -> Strip:
        if index >= len(self._lines):
            return Strip.blank(width, self._look.text)
        line = self._lines[index]
        strip = Strip(cut(line.pieces, width)).adjust_cell_length(width, self._look.text)
        for y, place, link in self._links if line.links else ():
            if y == index and place == self.chosen:
                marked = "".join(segment.text for segment in strip.crop(link.start, link.end))
                rest = strip.crop(link.end, width) if link.end < width else ()
                strip = Strip([*strip.crop(0, link.start), piece(marked, self._look.cursor), *rest])
        return strip

    def render_line(self, y: int) -> Strip:
        """One line, as it was last drawn."""
        return self._drawn[y] if y < len(self._drawn) else Strip.blank(self.size.width, self._look.text)

    def on_resize(self, _event: events.Resize) -> None:
        self._drawn = []
        self.scroll_to_line(self.top)

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        self.scroll_to_line(self.top + WHEEL)

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        self.scroll_to_line(self.top - WHEEL)

    def on_click(self, event: events.Click) -> None:
        """The first click chooses a link, another one follows it."""
        for y, place, link in self._links:
            if y == self.top + event.y and link.start <= event.x < link.end:
                if place == self.chosen:
                    self.post_message(self.Followed(link.target))
                self.chosen = place
                self._update()


class PageScreen(Screen[None]):
    """A title, a page of text made afresh with every picture, and the keys that leave it."""

    BINDINGS = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", show=False),
        Binding("ctrl+c", "app.quit", show=False, priority=True),
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown,space,ctrl+f", "page(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("home,g", "scroll_to(0)", show=False),
        Binding("end,G", "scroll_to(1000000)", show=False),
    ]

    def __init__(self, look: Look, title: str, lines: Callable[[], list[Pieces]]) -> None:
        """`lines` are asked for with every picture."""
        super().__init__()
        self._compositor = DiffCompositor()
        self.look = look
        self.page = Page(look)
        self._heading = title
        self._make = lines
        self._head = Line(look.band)
        self._foot = Line(look.band)
        self._message: str | None = None

    def compose(self) -> ComposeResult:
        yield self._head
        yield self.page
        yield self._foot

    def on_mount(self) -> None:
        self.page.focus()
        self.update()

    def on_resize(self) -> None:
        self.update()

    def update(self) -> None:
        """Show the text as it is now."""
        self._head.show(self.head())
        self.page.show(self.lines())
        self._show_foot()

    def tell(self, message: str | None) -> None:
        """Say something, safe for the terminal, where the keys are told; None: tell these again."""
        if message != self._message:
            self._message = message
            self._show_foot()

    def _show_foot(self) -> None:
        message, look = self._message, self.look
        self._foot.show(self.foot() if message is None else [piece(f" {message}", look.band_strong)])

    @property
    def about(self) -> tuple[View, Any] | None:
        """The row this page is about, if any, and its view."""
        return None

    def head(self) -> Pieces:
        """The line above the page."""
        return [piece(f" {self._heading}", self.look.band_strong)]

    def lines(self) -> Sequence[PageLine]:
        """The page."""
        return [PageLine(pieces) for pieces in self._make()]

    def foot(self) -> Pieces:
        """The line below the page: its keys."""
        look = self.look
        return [piece(" Esc", look.key), piece(" back   ", look.band), piece("↑ ↓ PgUp PgDn", look.key)]

    def action_move(self, step: int) -> None:
        self.page.move(step)

    def action_page(self, pages: int) -> None:
        self.page.scroll_to_line(self.page.top + pages * max(1, self.page.size.height - 1))

    def action_scroll_to(self, line: int) -> None:
        self.page.scroll_to_line(line)
