"""The table: draws the rows of a pane that are in sight, and refreshes the lines that changed.

Textual's own tables measure every row when it arrives; this one never touches a row that is not on the screen.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import Any

from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from nettop.names import Names
from nettop.tui.drawing.layout import Layout
from nettop.tui.drawing.place import SAMPLE, place
from nettop.tui.drawing.theme import Look, Signs
from nettop.tui.drawing.trim import Trim
from nettop.tui.lifeline import NOTHING, Lifeline
from nettop.tui.lists.panes import Pane

WHEEL = 3
"""Rows a turn of the mouse wheel moves."""


class Table(Widget, can_focus=True):
    """Header and visible rows of one pane at a time."""

    class Moved(Message):
        """The mouse moved the cursor."""

    def __init__(self, pane: Pane, look: Look, signs: Signs, names: Names | None = None) -> None:
        super().__init__(id="table")
        self.pane = pane
        self.names = names
        """What addresses and ports are called; None shows their numbers."""
        self.lifeline: Lifeline = NOTHING
        """The rows that wear the sign of nettop's own session."""
        self._look = look
        self._signs = signs
        self._layout: Layout | None = None
        self._first = True
        self._sampled = False
        """The columns were placed with rows at hand."""
        self._drawn: dict[int, tuple[Any, Trim, Strip]] = {}
        """Row id → (row object, what it wears, its strip) in the present layout; rows in sight only."""
        self._lines: list[Strip] = []
        """What each line of the widget shows, the header first."""

    @property
    def page(self) -> int:
        """How many rows fit."""
        return max(1, self.size.height - 1)

    @property
    def layout_now(self) -> Layout:
        """The columns as they are placed."""
        pane = self.pane
        if self._layout is None or (pane.ids and not self._sampled) or self._first != pane.first:
            self._layout = self._lay_out()
            self._drawn = {}
        return self._layout

    def show(self, pane: Pane) -> None:
        """Draw another pane, or the same one with its columns placed afresh."""
        self.pane = pane
        self._layout = None
        self.update()

    def show_order(self) -> None:
        """Mark the column the rows are now sorted by; columns stay where they are, if it is among them."""
        if self.layout_now.shows(self.pane.order.field.name):
            self.layout_now.show_order(self.pane.order)
        else:
            self._layout = None
        self.update()

    def update(self) -> None:
        """Refresh the lines that look different from when they were last drawn."""
        width, height = self.size
        if not (width and height):
            return
        before = self._lines
        lines = self._draw(height)
        if len(before) != height:
            self._lines = lines
            self.refresh()
            return
        changed = []
        for y, line in enumerate(lines):
            if line is before[y]:
                continue
            if line == before[y]:
                lines[y] = before[y]
            else:
                changed.append(Region(0, y, width, 1))
        self._lines = lines
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """One line, as the last `update` decided."""
        return self._lines[y] if y < len(self._lines) else Strip.blank(self.size.width, self._look.text)

    def _draw(self, height: int) -> list[Strip]:
        """Every line of the widget. A row that did not change is the same object as before."""
        pane, layout = self.pane, self.layout_now
        pane.scroll(height - 1)
        lines = [layout.header]
        drawn: dict[int, tuple[Any, Trim, Strip]] = {}
        for index, row_id in enumerate(pane.ids[pane.top : pane.top + height - 1], pane.top):
            row, trim = pane.drawn(row_id), pane.trim(row_id)
            if not trim.sign and self.lifeline.holds(row):
                trim = trim._replace(sign="own")
            known = self._drawn.get(row_id)
            if known is None or known[0] is not row or known[1] != trim or layout.moves:
                known = (row, trim, layout.draw(row, pane.now, trim))
            drawn[row_id] = known
            line = known[2] if index != pane.line else layout.draw_cursor(row, pane.now, trim)
            lines.append(pane.search.marked(line) if pane.search and pane.search.matches(row, pane.now) else line)
        self._drawn = drawn
        if not pane.ids:
            lines.append(layout.message(_why_empty(pane)))
        lines += [layout.blank] * (height - len(lines))
        return lines

    def _lay_out(self) -> Layout:
        pane, width = self.pane, self.size.width
        self._sampled = bool(pane.ids)
        step = max(1, len(pane.ids) // SAMPLE)
        in_sight = islice(pane.ids, pane.top, pane.top + self.page)
        sample = [pane.rows[row_id] for row_id in chain(in_sight, islice(pane.ids, 0, None, step))]
        self._first = pane.first
        view = pane.view.first() if pane.first else pane.view
        order, columns, names = pane.order.field.name, pane.columns, self.names
        placed = place(view, sample, pane.now, width - 1, pane.scrolled, chosen=columns, names=names, sorted_by=order)
        return Layout(placed, pane.order, width, self._look, self._signs)

    # --- events ---

    def on_resize(self, _event: events.Resize) -> None:
        self._lines = []
        self.show(self.pane)

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        self._wheel(WHEEL)

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        self._wheel(-WHEEL)

    def on_click(self, event: events.Click) -> None:
        if 1 <= event.y <= len(self.pane.ids) - self.pane.top:
            self.pane.move_to(self.pane.top + event.y - 1)
            self._moved()

    def _wheel(self, lines: int) -> None:
        self.pane.move(lines)
        self._moved()

    def _moved(self) -> None:
        self.update()
        self.post_message(self.Moved())


def _why_empty(pane: Pane) -> str:
    """The sentence that stands where rows would."""
    if pane.pending:
        return "reading ..."
    if pane.filter_text:
        return "no row matches the filter; Esc clears it"
    if pane.sight.mark:
        return "nothing is new, gone or has moved bytes since the mark; m shows everything"
    return f"no {pane.view.name} here"
