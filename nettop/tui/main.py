"""The main screen: shows one pane at a time between the lines that are always in sight, and what commands do to it."""

from __future__ import annotations

import asyncio
import time

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from nettop.order import Order
from nettop.query import QueryError
from nettop.snapshot import EMPTY, Snapshot
from nettop.tui import status
from nettop.tui.commands import COMMANDS
from nettop.tui.commands.command import bindings
from nettop.tui.filter import FilterLine
from nettop.tui.line import Line
from nettop.tui.paint import DiffCompositor
from nettop.tui.panes import Levels, Pane
from nettop.tui.screens import PageScreen
from nettop.tui.source import Source
from nettop.tui.table import Table
from nettop.tui.theme import Look, Signs

SMALLEST = (60, 20)
"""Columns and lines below which there is nothing sensible to show."""

QUIET = 0.03
"""Seconds after a key during which work on the list waits, so that the key's effect is painted first."""


class MainScreen(Screen[None]):
    """Host line, coverage line, panes, footer."""

    BINDINGS = bindings(COMMANDS)
    AUTO_FOCUS = "Table"

    def __init__(self, source: Source, look: Look, signs: Signs) -> None:
        super().__init__()
        self._compositor = DiffCompositor()
        self.source = source
        self.look = look
        self.signs = signs
        self.commands = {command.name: command for command in COMMANDS}
        self.levels = Levels(next(iter(status.PANES)))
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
        self.table = Table(self.levels.pane, look, signs)
        self._footer = Line(look.band)
        self._small = Static(f"too small: nettop needs {SMALLEST[0]} by {SMALLEST[1]}", id="small")

    def compose(self) -> ComposeResult:
        yield self._host
        yield self._coverage
        yield self._tabs
        yield self._title
        yield self._filter
        yield self.table
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
                self.table.update()
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
        self._title.show(status.title_line(self.pane, self.size.width, self.look, self.signs))
        self._show_footer()

    def _show_footer(self) -> None:
        self._footer.show(status.footer_line(self._message, self.commands.values(), self.size.width, self.look))

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

    # --- what commands do with it ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a filter is typed, a slash is a letter of it."""
        return not (self.typing and action == "command" and parameters == ("filter",))

    def action_command(self, name: str) -> None:
        """A key asks for a command."""
        self.commands[name].run(self)

    @property
    def pane(self) -> Pane:
        """The list one looks at."""
        return self.levels.pane

    @property
    def typing(self) -> bool:
        """A filter is being typed."""
        return self._filter.display

    def tell(self, message: str | None) -> None:
        """Say something in the footer until the next key."""
        self._message = message
        self._show_footer()

    def move_to(self, line: int) -> None:
        """Put the cursor onto a row."""
        self.pane.move_to(line)
        self.table.update()
        self._message = None
        self._show_title()

    def arrive(self) -> None:
        """Show the pane that `levels` now leads to."""
        self.close_filter()
        self._message = None
        self.table.show(self.pane)
        self._show_status()
        self._want()

    def show_pane(self) -> None:
        """Draw the pane afresh: its columns are others."""
        self.table.show(self.pane)
        self._show_title()

    def ask(self) -> None:
        """Something else is asked of the pane: show what, and bring the list up to it."""
        self._show_title()
        self._want()

    def sort(self, order: Order) -> None:
        """Sort the pane by something else."""
        self._message = None
        self.pane.set_order(order)
        self.table.show_order()
        self.ask()

    def open_filter(self) -> None:
        """Let a filter be typed."""
        self._title.display = False
        self._filter.open(self.pane.filter_text)

    def close_filter(self) -> None:
        """Keep what is typed and go back to the list."""
        if self.typing:
            self._filter.close()
            self._title.display = True
            self.set_focus(self.table)
            self._show_title()

    def freeze(self, frozen: bool) -> None:
        """Keep the picture the table shows, or go on with the newest."""
        self.frozen = frozen
        if not frozen:
            self.snapshot = self.latest
            self._want()
        self._show_status()

    def repaint(self) -> None:
        """Draw everything again, whatever the terminal shows."""
        self._compositor_forget()
        self.refresh()


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
