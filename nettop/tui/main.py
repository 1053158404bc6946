"""The main screen: shows one pane at a time between the lines that are always in sight, and does what keys ask."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from nettop.order import Order
from nettop.query import QueryError
from nettop.snapshot import EMPTY, Connection, Snapshot
from nettop.tui import status
from nettop.tui.columns import scrollable
from nettop.tui.detail import detail_lines, detail_title
from nettop.tui.filter import FilterLine
from nettop.tui.keys import ACTIONS, bindings
from nettop.tui.line import Line, Pieces
from nettop.tui.paint import DiffCompositor
from nettop.tui.panes import Levels, Pane
from nettop.tui.screens import ChoiceScreen, PageScreen, help_lines
from nettop.tui.source import Source
from nettop.tui.table import Table
from nettop.tui.theme import Look, Signs

SMALLEST = (60, 20)
"""Columns and lines below which there is nothing sensible to show."""

QUIET = 0.03
"""Seconds after a key during which work on the list waits, so that the key's effect is painted first."""


class MainScreen(Screen[None]):
    """Host line, coverage line, panes, footer."""

    BINDINGS = bindings(ACTIONS)
    AUTO_FOCUS = "Table"

    def __init__(self, source: Source, look: Look, signs: Signs) -> None:
        super().__init__()
        self._compositor = DiffCompositor()
        self.source = source
        self.look = look
        self.signs = signs
        self.levels = Levels(status.PANES[0])
        self.latest = EMPTY
        """The newest picture: what the lines at the top tell."""
        self.snapshot = EMPTY
        """The picture the table shows; stays behind while frozen."""
        self.frozen = False
        self.notice: str | None = None
        self.settled = asyncio.Event()
        """Set while the list shows all that was asked of it."""
        self._message: str | None = None
        self._wanted = asyncio.Event()
        self._key_time = 0.0
        self._own = _Own()
        self._host = Line(look.text)
        self._coverage = Line(look.dim)
        self._tabs = Line(look.band)
        self._title = Line(look.text)
        self._filter = FilterLine(look)
        self._table = Table(self.levels.pane, look, signs)
        self._footer = Line(look.band)
        self._small = Static(f"too small: nettop needs {SMALLEST[0]} by {SMALLEST[1]}", id="small")

    def compose(self) -> ComposeResult:
        yield self._host
        yield self._coverage
        yield self._tabs
        yield self._title
        yield self._filter
        yield self._table
        yield self._footer
        yield self._small

    def on_mount(self) -> None:
        self.run_worker(self._keep_up(), name="list")

    # --- pictures ---

    def show(self, snapshot: Snapshot) -> None:
        """A new picture has arrived."""
        self.latest = snapshot
        self._own.tick(snapshot, self.source.memory())
        if not self.frozen:
            self.snapshot = snapshot
            self._want()
        self._show_status()
        if self.app.screen is not self and isinstance(self.app.screen, PageScreen):
            self.app.screen.update()

    def show_notice(self, notice: str | None) -> None:
        """The stream of pictures broke, or is whole again (None)."""
        self.notice = notice
        self._show_status()

    @property
    def pane(self) -> Pane:
        return self.levels.pane

    async def _keep_up(self) -> None:
        """Bring the pane one looks at up to what was asked, a slice at a time, for as long as the screen lives."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            pane, asked = self.pane, self.pane.asked
            for _ in pane.update(self.snapshot):
                await asyncio.sleep(0)
                while (quiet := self._key_time + QUIET - time.monotonic()) > 0:
                    await asyncio.sleep(quiet)
                if pane is not self.pane or asked != pane.asked:
                    self._wanted.set()
                    break
            else:
                self._table.update()
                self._show_title()
                if not self._wanted.is_set():
                    self.settled.set()

    def key_pressed(self) -> None:
        """Work on the list waits until the effect of the key is on the screen."""
        self._key_time = time.monotonic()

    @property
    def unattended(self) -> float:
        """Seconds since the last key."""
        return time.monotonic() - self._key_time

    def _want(self) -> None:
        self.settled.clear()
        self._wanted.set()

    # --- lines ---

    def _show_status(self) -> None:
        width, look, signs = self.size.width, self.look, self.signs
        self._host.show(status.host_line(self.latest, self.source.host_history(), width, look, signs))
        self._coverage.show(status.coverage_line(self.latest, self._own.cost, self.notice, width, look, signs))
        self._tabs.show(status.tabs_line(self.latest, self.levels, self.frozen, width, look, signs))
        self._show_title()

    def _show_title(self) -> None:
        width, look = self.size.width, self.look
        self._title.show(status.title_line(self.pane, width, look, self.signs))
        self._footer.show(status.footer_line(self._message, width, look))

    def _tell(self, message: str | None) -> None:
        """Say something in the footer until the next key."""
        self._message = message
        self._footer.show(status.footer_line(message, self.size.width, self.look))

    # --- events ---

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        self.set_class(width < SMALLEST[0] or height < SMALLEST[1], "small")
        self._compositor_forget()
        self._show_status()

    def on_screen_resume(self) -> None:
        self._compositor_forget()

    def on_table_moved(self) -> None:
        self._show_title()

    def on_filter_line_typed(self, event: FilterLine.Typed) -> None:
        try:
            self.pane.set_filter(event.text)
        except QueryError as error:
            self._filter.show_error(error)
        else:
            self._filter.show_error(None)
            self._want()

    def _compositor_forget(self) -> None:
        if isinstance(self._compositor, DiffCompositor):
            self._compositor.forget()

    # --- moving ---

    def action_move(self, lines: int) -> None:
        self._moved_to(self.pane.line + lines)

    def action_page(self, pages: int) -> None:
        self._moved_to(self.pane.line + pages * self._table.page)

    def action_first(self) -> None:
        self._moved_to(0)

    def action_last(self) -> None:
        self._moved_to(len(self.pane.ids) - 1)

    def action_scroll(self, columns: int) -> None:
        pane = self.pane
        pane.scrolled = max(0, min(pane.scrolled + columns, len(scrollable(pane.view)) - 1))
        self._table.show(pane)
        self._show_title()

    def _moved_to(self, line: int) -> None:
        self.pane.move_to(line)
        self._table.update()
        self._message = None
        self._show_title()

    # --- where one is ---

    def action_pane(self, view: str) -> None:
        self.levels.open(view)
        self._arrived()

    def action_next_pane(self, step: int) -> None:
        panes = status.PANES
        self.action_pane(panes[(panes.index(self.levels.level.active) + step) % len(panes)])

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """While a filter is typed, a slash is a letter of it."""
        return not (action == "filter" and self._filter.display)

    def action_open(self) -> None:
        """Keep the filter that is being typed; else go into the row under the cursor."""
        if self._filter.display:
            self._close_filter()
            return
        row = self.pane.row
        if isinstance(row, Connection):
            self._open_detail(row)
        elif self.levels.drill():
            self._arrived()

    def action_back(self) -> None:
        """One step: closes the filter line, then clears the filter, then leaves what was opened."""
        if self._filter.display:
            self._close_filter()
        elif self.pane.filter_text:
            self.pane.set_filter("")
            self._show_title()
            self._want()
        elif self.levels.back():
            self._arrived()

    def _arrived(self) -> None:
        self._close_filter()
        self._message = None
        self._table.show(self.pane)
        self._show_status()
        self._want()

    def _open_detail(self, row: Any) -> None:
        view, row_id = self.pane.view, row.id

        def lines() -> list[Pieces]:
            now = getattr(self.snapshot, view.name).get(row_id)
            return detail_lines(view, now, self.snapshot.time, self.look)

        title = detail_title(row)
        self.app.push_screen(PageScreen(self.look, title, lines))

    # --- rows ---

    def action_filter(self) -> None:
        self._title.display = False
        self._filter.open(self.pane.filter_text)

    def _close_filter(self) -> None:
        if self._filter.display:
            self._filter.close()
            self._title.display = True
            self.set_focus(self._table)
            self._show_title()

    def action_sort_by(self, name: str) -> None:
        view = self.pane.view
        if name not in view.fields:
            self._tell(f"{view.name} have no {name} to sort by")
            return
        self._sort(Order(view.fields[name], descending=name not in ("pid", "age")))

    def action_sort_step(self, step: int) -> None:
        names = [column.field.name for column in self._table.layout_now.columns]
        now = self.pane.order.field.name
        index = names.index(now) + step if now in names else (0 if step > 0 else len(names) - 1)
        field = self.pane.view.fields[names[index % len(names)]]
        self._sort(Order(field, descending=field.kind.numeric))

    def action_invert(self) -> None:
        order = self.pane.order
        self._sort(Order(order.field, not order.descending))

    def action_sort_menu(self) -> None:
        pane = self.pane

        def chosen(name: str | None) -> None:
            if name is not None:
                field = pane.view.fields[name]
                self._sort(Order(field, descending=field.kind.numeric))

        options = [(field.name, f"{field.title:<10} {field.help}") for field in pane.view.fields.values()]
        self.app.push_screen(ChoiceScreen(f"sort {pane.view.name} by", options, pane.order.field.name), chosen)

    def _sort(self, order: Order) -> None:
        self._message = None
        self.pane.set_order(order)
        self._table.show_order()
        self._show_title()
        self._want()

    def action_hold(self) -> None:
        self.pane.hold = not self.pane.hold
        self._show_title()
        self._want()

    def action_freeze(self) -> None:
        self.frozen = not self.frozen
        if not self.frozen:
            self.snapshot = self.latest
            self._want()
        self._show_status()

    # --- the program ---

    def action_help(self) -> None:
        view = self.pane.view
        self.app.push_screen(
            PageScreen(
                self.look, "nettop: keys, fields, filters", lambda: help_lines(view, self.latest.health, self.look)
            )
        )

    def action_redraw(self) -> None:
        self._compositor_forget()
        self.refresh()

    def action_quit(self) -> None:
        self.app.exit()


class _Own:
    """What nettop uses: its collector, told by the picture, and this process."""

    def __init__(self) -> None:
        self.cost = status.OwnCost(None, 0)
        """Of both processes, as of the last picture."""
        self._before: tuple[float, float] | None = None

    def tick(self, snapshot: Snapshot, memory: int) -> None:
        """Once a picture; `memory` of this process, in bytes."""
        used, at = time.process_time(), time.monotonic()
        collector = snapshot.rates.collector_cpu
        cpu = None
        if self._before and collector is not None and at > self._before[1]:
            cpu = collector + 100 * (used - self._before[0]) / (at - self._before[1])
        self._before = used, at
        self.cost = status.OwnCost(cpu, memory + (snapshot.host.collector_memory if snapshot.host else 0))
