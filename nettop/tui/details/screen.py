"""The screen of details: one page at a time, the way one came, and the keys that lead on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from textual import events
from textual.await_complete import AwaitComplete
from textual.binding import Binding

from nettop import format as text
from nettop.fields import VIEWS, View
from nettop.requests import Request
from nettop.snapshot import Snapshot
from nettop.tui.details.blocks import Canvas
from nettop.tui.details.connection import ConnectionPage
from nettop.tui.details.container import ContainerPage
from nettop.tui.details.event import EventPage
from nettop.tui.details.listing import Target
from nettop.tui.details.namespace import NamespacePage
from nettop.tui.details.process import ProcessPage
from nettop.tui.details.subject import Subject
from nettop.tui.dialogs.page import Page, PageLine, PageScreen, Place
from nettop.tui.dialogs.standing import standing
from nettop.tui.drawing.line import Pieces, between, cells, piece
from nettop.tui.lists.levels import Level
from nettop.tui.lists.scopes import Scope

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen

SUBJECTS: Mapping[str, type[Subject[Any]]] = {
    page.view: page for page in (ProcessPage, ConnectionPage, NamespacePage, ContainerPage, EventPage)
}
"""View name → the page about one of its rows."""

ASK_AGAIN = 5.0
"""Seconds between two questions about what is shown: files are opened, routes change."""


class Step:
    """A page one has come to, and where in it one was."""

    def __init__(self, subject: Subject[Any]) -> None:
        self.subject = subject
        self.top = 0
        self.chosen: Place | None = None


class DetailScreen(PageScreen):
    """Pages about rows, each opened from the one before."""

    BINDINGS = [
        Binding("escape,backspace,left,h", "back", show=False),
        Binding("q", "dismiss", show=False),
        Binding("question_mark,f1", "help", show=False),
        Binding("enter,right", "follow", show=False),
        *(Binding(key, f"jump('{key}')", show=False) for key in "pnco"),
        Binding("v", "reveal", show=False),
        Binding("Z", "freeze", show=False),
    ]

    def __init__(self, main: MainScreen) -> None:
        super().__init__(main.look, "", list)
        self._main = main
        self._commands = {
            key: command for command in main.commands.values() if command.on_page for key in command.keys.split(",")
        }
        """Key → what it does to the row the page is about."""
        self._steps: list[Step] = []
        """The way one came, last the page that is shown; none while the screen is closed: rows keep a picture alive."""
        self._wanted = asyncio.Event()
        self._asked = 0.0
        self.settled = asyncio.Event()
        """Set while the page shows all there is to show of the picture."""

    @property
    def subject(self) -> Subject[Any]:
        """What the page is about."""
        return self._steps[-1].subject

    @property
    def about(self) -> tuple[View, Any] | None:
        return (self._main.known(VIEWS[self.subject.view]), self.subject.row) if self._steps else None

    def on_mount(self) -> None:
        self.run_worker(self._keep_up(), name="page")  # Textual calls the `on_mount` of PageScreen, too

    def open(self, steps: list[Step]) -> None:
        """Show the page these lead to."""
        self._steps = steps
        self._arrive()
        self._main.app.push_screen(self)

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close it."""
        self._steps = []
        return super().dismiss(result)

    # --- pictures ---

    def update(self) -> None:
        """Show the page as of the picture the main screen shows."""
        if not self._steps:
            return
        # the next key may come before the screen has been laid out
        self.subject.follow(self._main.snapshot.around(self.subject.row))
        if self.is_mounted:
            super().update()
            self.settled.clear()
            self._wanted.set()

    async def _keep_up(self) -> None:
        """Bring the lists of the page up to the picture in slices, and ask the collector what only it knows."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._main.attention.breathe()  # what is known at once is painted first
            if self._steps:
                await self._complete(self.subject, self.subject.snapshot)

    async def _complete(self, subject: Subject[Any], snapshot: Snapshot) -> None:
        """Show what takes longer to find out, unless another page, or none, is shown by then."""
        listings = (listing.update(snapshot) for listing in subject.listings)
        for _ in chain(*listings, subject.look_up()):
            await self._main.attention.breathe()
            if not self._shows(subject):
                return
        self._ask(subject)
        super().update()
        if not self._wanted.is_set():
            self.settled.set()

    def _shows(self, subject: Subject[Any]) -> bool:
        return bool(self._steps) and subject is self.subject

    def _ask(self, subject: Subject[Any]) -> None:
        """Have asked what is not known yet; from time to time, everything again."""
        now = asyncio.get_running_loop().time()
        again = now - self._asked >= ASK_AGAIN
        requests = [
            request
            for request in subject.requests()
            if type(request) not in subject.waiting and (again or type(request) not in subject.answers)
        ]
        if again:
            self._asked = now
        for request in requests:
            subject.waiting.add(type(request))
            self.run_worker(self._learn(subject, request), name="question", group="questions")

    async def _learn(self, subject: Subject[Any], request: Request) -> None:
        try:
            subject.answers[type(request)] = await self._main.source.ask(request)
        finally:
            subject.waiting.discard(type(request))
        if self._shows(subject):
            super().update()

    # --- lines ---

    def head(self) -> Pieces:
        """The way from the machine to here."""
        look, signs = self.look, self._main.signs
        crumb = f" {signs.crumb} "
        titles = [*map(text.safe, self._main.levels.trail), *(step.subject.title for step in self._steps)]
        right = [piece(" FROZEN ", look.active)] if self._main.frozen else []
        room = self.size.width - 2 - cells(right)
        whole = crumb.join([text.safe(self.subject.machine or "host"), *titles])
        while text.cell_width(whole) > room and len(titles) > 1:
            titles = titles[1:]
            whole = crumb.join([signs.ellipsis, *titles])
        return between(
            [piece(f" {text.fit(whole, min(room, text.cell_width(whole)))} ", look.band_strong)],
            right,
            self.size.width,
            look.band,
        )

    def lines(self) -> Sequence[PageLine]:
        canvas = Canvas(self.size.width, self.look, self._main.signs)
        return self.subject.draw(canvas, self._main.source.history)

    def foot(self) -> Pieces:
        """The keys that do something here."""
        look = self.look
        keys = [("Esc", "back"), ("Enter", "open")]
        commands = filter(None, map(self._main.commands.get, self.subject.commands))
        keys += [(command.shown.split()[0], command.footer) for command in commands]
        keys += [(key, jump.word) for key, jump in sorted(self.subject.jumps().items())]
        if isinstance(self.subject, ProcessPage) and not self.subject.revealed:
            keys.append(("v", "environment"))
        pieces = [piece(" ", look.band)]
        for key, word in [*keys, ("Z", "freeze"), ("q", "list"), ("?", "help")]:
            group = [piece(key, look.key), piece(f" {word}  ", look.band)]
            if cells(pieces) + cells(group) <= self.size.width:
                pieces += group
        return pieces

    # --- keys ---

    def on_key(self, event: events.Key) -> None:
        """What acts on rows acts on the one the page is about."""
        command = self._commands.get(event.key)
        if command is not None:
            event.stop()
            command.run(self._main)

    def action_back(self) -> None:
        """One step: to the page one came from, then to the list."""
        if len(self._steps) == 1:
            self.dismiss()
            return
        self._steps.pop()
        self._arrive()

    def action_follow(self) -> None:
        """Open what the link under the cursor leads to."""
        target = self.page.chosen[0] if self.page.chosen else None
        if isinstance(target, Target):
            self._go(target)

    def action_jump(self, key: str) -> None:
        """To another page, or into a list of the main screen."""
        jump = self.subject.jumps().get(key)
        if jump is None:
            return
        if isinstance(jump.to, Scope):
            main, steps = self._main, self._steps
            self._leave_page()
            main.levels.enter(
                Level(jump.to, "connections", opened_from=lambda: standing(main, DetailScreen).open(steps))
            )
            self.dismiss()
            main.arrive()
        else:
            self._go(jump.to)

    def action_reveal(self) -> None:
        """Show what is hidden because it may be secret."""
        self.subject.revealed = True
        self.update()

    def action_freeze(self) -> None:
        self._main.freeze(not self._main.frozen)
        self.update()

    def action_help(self) -> None:
        self._main.commands["help"].run(self._main)

    def on_page_followed(self, event: Page.Followed) -> None:
        if isinstance(event.target, Target):
            self._go(event.target)

    def _go(self, target: Target) -> None:
        row = getattr(self._main.snapshot, target.view).get(target.row_id)
        if row is None:
            return
        self._leave_page()
        self._steps.append(Step(SUBJECTS[target.view](target.row_id, row)))
        self._arrive()

    def _leave_page(self) -> None:
        """Remember where in it one was."""
        step = self._steps[-1]
        step.top, step.chosen = self.page.top, self.page.chosen

    def _arrive(self) -> None:
        step, main = self._steps[-1], self._main
        step.subject.know(main.known, main.machines if main.several else {})
        self._asked = 0.0
        self.page.chosen = step.chosen
        self.update()
        self.page.scroll_to_line(step.top)


def open_details(main: MainScreen) -> bool:
    """Show the page about the row under the cursor of the main screen; False where there is none for its kind."""
    pane = main.pane
    page = next((page for page in SUBJECTS.values() if isinstance(pane.row, page.kind)), None)
    if page is None:
        return False
    standing(main, DetailScreen).open([Step(page(pane.ids[pane.line], pane.row))])
    return True
