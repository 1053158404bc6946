"""The main screen: shows one pane at a time between the lines that are always in sight, and what commands do to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from nettop.config import DEFAULTS, Config
from nettop.config.session import Session
from nettop.fields import View, of_machines
from nettop.names import Hosts, Names, Services
from nettop.order import Order
from nettop.query import QueryError
from nettop.snapshot import EMPTY, Snapshot
from nettop.tui import lifeline
from nettop.tui.attention import Attention
from nettop.tui.commands import COMMANDS, TRAVELLING
from nettop.tui.commands.command import Command, bindings
from nettop.tui.dialogs.page import PageScreen
from nettop.tui.dialogs.prompt import Prompt, PromptLine
from nettop.tui.drawing import status
from nettop.tui.drawing.line import Line
from nettop.tui.drawing.paint import DiffCompositor
from nettop.tui.drawing.table import Table
from nettop.tui.drawing.theme import Signs, Theme
from nettop.tui.drawing.timeline import timeline
from nettop.tui.keymap import remapped
from nettop.tui.lifeline import Lifeline
from nettop.tui.lists.levels import Levels
from nettop.tui.lists.panes import Pane
from nettop.tui.own import OwnUse
from nettop.tui.source import Journey, Source

SMALLEST = (60, 20)
"""Columns and lines below which there is nothing sensible to show."""

KINDRED = 16
"""Pictures between two looks at what nettop's own session hangs on: it hardly ever changes."""

PATIENCE = 1.0
"""Seconds a command waits for the list to show what was asked of it."""


class MainScreen(Screen[None]):
    """Host line, coverage line, panes, footer."""

    BINDINGS = bindings((*TRAVELLING, *COMMANDS))
    AUTO_FOCUS = "Table"

    def __init__(
        self,
        source: Source,
        theme: Theme,
        signs: Signs,
        config: Config = DEFAULTS,
        session: Session | None = None,
        environ: Mapping[str, str] = os.environ,
        *,
        several: bool = False,
        elsewhere: bool = False,
    ) -> None:
        """`session` tells how to begin, where not as `config` says; `environ` of the terminal and of ssh; `several`
        machines are watched, or one that is `elsewhere`. Raises ConfigError for keys that cannot be."""
        super().__init__()
        self._compositor = DiffCompositor()
        self.source = source
        self.look = theme.look
        self.signs = signs
        self.config = config
        self.environ = environ
        self.commands = {
            command.name: command
            for command in remapped(COMMANDS, config.keys, others=TRAVELLING)
            if not (config.read_only and command.acts)
        }
        self.travelling = {command.name: command for command in remapped(TRAVELLING, config.keys, others=COMMANDS)}
        session = session or Session.begin(config)
        self.several = several
        """More than one machine is watched."""
        self.elsewhere = several or elsewhere
        """What is watched is not this machine: where something is changed, it must be said on which one."""
        self.machines: dict[int, str] = {}
        """What they are called, by number."""
        self.levels = Levels(session.pane or config.pane, session, self.known)
        self.known_names: Names = Hosts() if config.resolve else Services()
        """What they are shown by once they are wanted."""
        self.names: Names | None = self.known_names if config.names else None
        """What addresses and ports are called; None shows their numbers."""
        self.past_filters: dict[str, list[str]] = {}
        """View name → what was filtered by before, the newest last."""
        self.latest = EMPTY
        """The newest picture: what the lines at the top tell."""
        self.snapshot = EMPTY
        """The picture the table shows; stays behind while frozen."""
        self.frozen = False
        self.lifeline = lifeline.NOTHING
        """What nettop's own session hangs on, as of some pictures ago."""
        self.notice: str | None = None
        self.unusable: str | None = None
        """What of the settings is ignored, told for as long as the screen lives."""
        self.attention = Attention()
        self.settled = self.attention.settled
        """Set while the list shows all that was asked of it."""
        self._message: str | None = None
        self._wanted = asyncio.Event()
        self._key: events.Key | None = None
        self._own = OwnUse()
        self._make_widgets()

    def _make_widgets(self) -> None:
        """Everything that is drawn, in the colours of `look`."""
        look, signs = self.look, self.signs
        self._host = Line(look.text)
        self._coverage = Line(look.dim)
        self._unusable = Line(look.warning)
        self._timeline = Line(look.band)
        self._timeline.display = self.journey is not None
        self._tabs = Line(look.band)
        self._title = Line(look.text)
        self._prompt = PromptLine(look, self.attention.rest)
        self.table = Table(self.levels.pane, look, signs, self.names)
        self.table.lifeline = self.lifeline
        self._footer = Line(look.band)
        self._small = Static(f"too small: nettop needs {SMALLEST[0]} by {SMALLEST[1]}", id="small")

    def compose(self) -> ComposeResult:
        yield self._host
        yield self._coverage
        yield self._unusable
        yield self._timeline
        yield self._tabs
        yield self._title
        yield self._prompt
        yield self.table
        yield self._footer
        yield self._small

    def on_mount(self) -> None:
        self.run_worker(self._keep_up(), name="list")

    # --- pictures ---

    def show(self, snapshot: Snapshot) -> None:
        """A new picture has arrived."""
        if snapshot.interval is None and self.latest is not EMPTY and not self.journey:
            self.levels.forget()  # a new stream has begun
        self.latest = snapshot
        self.machines.update(snapshot.names())
        if self.lifeline is lifeline.NOTHING or snapshot.sequence % KINDRED == 0:
            self.lifeline = self.table.lifeline = self.find_lifeline()
        self._own.tick(snapshot, self.source.memory())
        if not self.frozen:
            self.snapshot = snapshot
            self._want()
        if self.names and self.names.news():
            self.table.show(self.pane)
        self._show_status()
        if self.page:
            self.page.update()

    def show_notice(self, notice: str | None) -> None:
        """The stream of pictures broke, or is whole again (None)."""
        if notice != self.notice:
            self.notice = notice
            self._show_status()

    async def _keep_up(self) -> None:
        """Bring the pane one looks at up to what was asked, a slice at a time, for as long as the screen lives."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self.snapshot is EMPTY:
                continue  # the list goes on saying that it is being read
            pane, asked = self.pane, self.pane.asked
            try:
                for _ in pane.update(self.snapshot):
                    await self.attention.breathe()
                    if pane is not self.pane or asked != pane.asked:
                        self._wanted.set()
                        break
                else:
                    self.table.update()
                    self._show_title()
                    if pane.search and (note := pane.search.said()):
                        self.tell(note)
                    if not self._wanted.is_set():
                        self.settled.set()
            except QueryError as error:
                self._give_up(error)

    def _give_up(self, error: QueryError) -> None:
        """A filter takes too long: the pane has gone back to the one before it."""
        if self.typing:
            self._prompt.show_error(error)
        else:
            self.tell(error.message)
        self._want()

    def key_pressed(self, key: events.Key) -> None:
        """A key was pressed: other work waits until its effect is on the screen."""
        self._key = key
        self.attention.key_pressed()
        if self.page or (self._message and not self.typing):
            self.tell(None)

    def _want(self) -> None:
        if self.snapshot is not EMPTY:
            self.settled.clear()
        self._wanted.set()

    # --- lines ---

    def _show_status(self) -> None:
        width, look, signs = self.size.width, self.look, self.signs
        self._host.show(status.host_line(self.latest, self.source.host_history(), width, look, signs))
        self._coverage.show(status.coverage_line(self.latest, self._own.cost, self.notice, width, look, signs))
        self._unusable.display = self.unusable is not None
        self._unusable.show(status.unusable_line(self.unusable, width, look, signs))
        self._tabs.show(status.tabs_line(self.latest, self.levels, self.frozen, width, look, signs))
        if self.journey or self._timeline.display:
            self.show_timeline()
        self._show_title()

    def show_timeline(self) -> None:
        """Where one is in time has changed, or that one is in the past at all."""
        journey = self.journey
        self._timeline.display = journey is not None
        if journey:
            moment = (journey.span, journey.now, journey.speed)
            self._timeline.show(timeline(*moment, self.size.width, self.look, self.signs))

    def _show_title(self) -> None:
        self._title.show(status.title_line(self.pane, self.names is not None, self.size.width, self.look, self.signs))
        self._show_footer()

    def _show_footer(self) -> None:
        self._footer.show(status.footer_line(self._message, self.offered, self.levels, self.size.width, self.look))

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

    def _compositor_forget(self) -> None:
        if isinstance(self._compositor, DiffCompositor):
            self._compositor.forget()

    # --- what commands do with it ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While something is typed, the keys that belong to it are no commands, and none that are not offered now."""
        if action == "command" and parameters[0] not in self.offered:
            return False
        return not (action == "command" and self.typing and self._key and self._prompt.takes(self._key))

    async def action_command(self, name: str) -> None:
        """A key asks for a command. It acts on what the keys before it have asked for, if that comes in time."""
        command = self.offered.get(name)
        if command is None:  # nettop is read-only
            return
        try:
            async with asyncio.timeout(PATIENCE):
                if self.typing:
                    await self._prompt.told()
                elif command.on_row:
                    await self._caught_up()
        except TimeoutError:
            self.tell("the list is not ready yet: press the key again")
        else:
            command.run(self)

    async def _caught_up(self) -> None:
        """Wait until the pane shows what was asked of it."""
        while self.pane.pending and self.snapshot is not EMPTY:
            self.attention.hurry()
            self._want()
            await self.settled.wait()

    @property
    def pane(self) -> Pane:
        """The list one looks at."""
        return self.levels.pane

    @property
    def page(self) -> PageScreen | None:
        """The page that is open above the list."""
        return next((screen for screen in reversed(self.app.screen_stack) if isinstance(screen, PageScreen)), None)

    @property
    def journey(self) -> Journey | None:
        """Where one is in the past; None while one looks at the present."""
        return self.source.travel.journey if self.source.travel else None

    @property
    def offered(self) -> Mapping[str, Command]:
        """The commands there are now, by name."""
        return {**self.commands, **self.travelling} if self.journey else self.commands

    @property
    def typing(self) -> bool:
        """A filter, or what to look for, is being typed."""
        return self._prompt.display

    def known(self, view: View) -> View:
        """A view that knows what machines are called."""
        return of_machines(view, self.machines, several=self.several)

    def find_lifeline(self) -> Lifeline:
        """What nettop's own session hangs on now."""
        return Lifeline.of(self.latest, self.environ)

    def tell(self, message: str | None) -> None:
        """Say something in the footer until the next key."""
        if self.page:
            self.page.tell(message)
            return
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
        self.close_prompt()
        self._message = None
        self.table.show(self.pane)
        self._show_status()
        self._want()

    def show_pane(self) -> None:
        """Draw the pane afresh: its columns are others."""
        self.table.show(self.pane)
        self._show_title()

    def ask(self, *, at_once: bool = False) -> None:
        """Something else is asked of the pane: show what, and bring the list up to it; `at_once` where nothing else is
        to be painted before."""
        if at_once:
            self.attention.hurry()
        self._show_title()
        self._want()

    def sort(self, order: Order) -> None:
        """Sort the pane by something else."""
        self._message = None
        self.pane.set_order(order)
        self.table.show_order()
        self.ask()

    def open_prompt(self, prompt: Prompt) -> None:
        """Let something be typed in place of the title."""
        self._title.display = False
        self._prompt.open(prompt)
        self.tell(prompt.hint)

    def close_prompt(self) -> None:
        """Keep what is typed and go back to the list."""
        if self.typing:
            self._prompt.close()
            self._title.display = True
            self.set_focus(self.table)
            self._message = None
            self._show_title()

    def choose_columns(self, names: tuple[str, ...] | None) -> None:
        """Show these fields of the view one looks at from now on, or its own."""
        self.levels.choose_columns(names)
        self.show_pane()
        self.ask()

    def show_names(self, names: Names | None) -> None:
        """Say what addresses and ports are called; None: show their numbers."""
        self.names = self.table.names = names
        self.show_pane()

    def freeze(self, frozen: bool) -> None:
        """Keep the picture the table shows, or go on with the newest."""
        self.frozen = frozen
        if not frozen:
            self.snapshot = self.latest
            self._want()
        self._show_status()

    def use_theme(self, theme: Theme) -> None:
        """Draw in other colours from now on."""
        self.look = theme.look
        self.app.theme = theme.widgets.name
        self.call_later(self._remake)

    async def _remake(self) -> None:
        self._make_widgets()
        await self.recompose()
        self.set_focus(self.table)
        self._show_status()

    def repaint(self) -> None:
        """Draw everything again, whatever the terminal shows."""
        self._compositor_forget()
        self.refresh()
