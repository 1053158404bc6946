"""A short list of rows within a page: the first ones of a pane, drawn as in its own table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nettop.fields import View
from nettop.order import parse_sort
from nettop.snapshot import Snapshot
from nettop.tui.details.blocks import Block, Canvas
from nettop.tui.dialogs.page import Link, PageLine
from nettop.tui.drawing.layout import Layout
from nettop.tui.drawing.line import piece
from nettop.tui.drawing.place import place
from nettop.tui.lists.levels import Known
from nettop.tui.lists.panes import Pane
from nettop.tui.lists.scopes import Scope


class Target(NamedTuple):
    """A row to go to."""

    view: str
    row_id: int


class Listing:
    """The rows of a scope, each a link to its own page."""

    def __init__(self, view: View, scope: Scope, columns: str, sort: str, most: int = 12) -> None:
        self._pane = Pane(view, scope)
        self._pane.set_order(parse_sort(sort, view))
        self._columns = tuple(columns.split())
        self._most = most
        self._layout: tuple[tuple[int, bool], Layout] | None = None

    def know(self, known: Known) -> None:
        """Show what machines are called."""
        self._pane.view = known(self._pane.view)
        self._layout = None

    def update(self, snapshot: Snapshot) -> Iterator[None]:
        """Bring the list up to a picture, in slices: see `Pane.update`."""
        return self._pane.update(snapshot)

    @property
    def ready(self) -> bool:
        """It has seen a picture."""
        return not self._pane.pending

    @property
    def ids(self) -> list[int]:
        """Of every row, in order."""
        return self._pane.ids

    @property
    def rows(self) -> list[Any]:
        """Every row, in order."""
        return [self._pane.rows[row_id] for row_id in self._pane.ids]

    def draw(self, canvas: Canvas, empty: str) -> Block:
        """A header and the first rows; how many more there are; or the sentence for none."""
        pane = self._pane
        if not pane.ids:
            return [PageLine([piece(f"  {empty if self.ready else 'reading ...'}", canvas.look.dim)])]
        layout = self._lay_out(canvas)
        block = [PageLine(list(layout.header))]
        view = pane.view.name
        for row_id in pane.ids[: self._most]:
            link = Link(Target(view, row_id), 0, canvas.width)
            block.append(PageLine(list(layout.draw(pane.rows[row_id], pane.now)), (link,)))
        more = len(pane.ids) - self._most
        if more > 0:
            block.append(PageLine([piece(f"  and {more:,} more", canvas.look.dim)]))
        return block

    def _lay_out(self, canvas: Canvas) -> Layout:
        pane = self._pane
        key = (canvas.width, pane.first)
        if self._layout is None or self._layout[0] != key:
            view = pane.view.first() if pane.first else pane.view
            sample = [pane.rows[row_id] for row_id in pane.ids[: self._most]]
            placed = place(view, sample, pane.now, canvas.width - 1, chosen=self._columns)
            self._layout = key, Layout(placed, pane.order, canvas.width, canvas.look, canvas.signs)
        return self._layout[1]
