"""Which pane, into a row and back, freezing the picture, help, leaving."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nettop.config.files import config_path
from nettop.model import Event
from nettop.snapshot import Connection
from nettop.tui.commands import marking
from nettop.tui.commands.choosing import widen
from nettop.tui.commands.command import Command
from nettop.tui.details import open_details
from nettop.tui.dialogs.help import HelpScreen
from nettop.tui.dialogs.palette import open_palette
from nettop.tui.drawing import status
from nettop.tui.lists.scopes import process_of

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen


def pane(main: MainScreen, view: str) -> None:
    main.levels.open(view)
    main.arrive()


def next_pane(main: MainScreen, step: int) -> None:
    panes = list(status.PANES)
    pane(main, panes[(panes.index(main.levels.level.active) + step) % len(panes)])


def open_row(main: MainScreen) -> None:
    """Keep the filter that is being typed; else go into the row under the cursor."""
    if main.typing:
        main.close_prompt()
        return
    row = main.pane.row
    if isinstance(row, Event):
        row = process_of(row, main.snapshot.around(row).processes.values()) or row
    if isinstance(row, (Connection, Event)):
        open_details(main)
    elif main.levels.drill(row):
        main.arrive()


def enlarge(main: MainScreen) -> None:
    """A page about the row under the cursor."""
    if not open_details(main):
        main.tell("there is nothing more to tell of this row")


def back(main: MainScreen) -> None:
    """One step: closes the line that is typed in, then clears what narrows the pane, then leaves what was opened."""
    if main.typing:
        main.close_prompt()
    elif widen(main.pane, main.past_filters):
        main.ask()
    elif main.levels.ungroup():
        main.arrive()
    elif main.levels.trail:
        level = main.levels.level
        main.levels.back()
        main.arrive()
        if level.opened_from:
            level.opened_from()
    elif main.levels.sight.mark:
        marking.mark(main)


def freeze(main: MainScreen) -> None:
    main.freeze(not main.frozen)


def help_page(main: MainScreen) -> None:
    main.app.push_screen(HelpScreen(main, str(config_path(main.environ))))


def redraw(main: MainScreen) -> None:
    main.repaint()


def suspend(main: MainScreen) -> None:
    main.app.action_suspend_process()


def leave(main: MainScreen) -> None:
    main.app.exit()


COMMANDS = (
    Command("help", "question_mark,f1", "? F1", help_page, "this help", "help", "nettop"),
    Command("quit", "q,ctrl+c,f10", "q ^C", leave, "quit", "quit", "nettop"),
    Command(
        "palette",
        "colon,ctrl+p",
        ": ^P",
        open_palette,
        "everything one can do, by name; also saved filters, themes, the interval",
        "palette",
        "nettop",
    ),
    Command("suspend", "ctrl+z", "^Z", suspend, "stop, as any program in a shell does; fg goes on", group="nettop"),
    Command("redraw", "ctrl+l", "^L", redraw, "draw the screen again", group="nettop"),
    Command("processes", "1", "1", partial(pane, view="processes"), "processes", group="Look at"),
    Command("connections", "2", "2", partial(pane, view="connections"), "connections", group="Look at"),
    Command("namespaces", "3", "3", partial(pane, view="namespaces"), "network namespaces", group="Look at"),
    Command(
        "containers", "4", "4", partial(pane, view="containers"), "containers, units and programs", group="Look at"
    ),
    Command(
        "events", "5", "5", partial(pane, view="events"), "events: what happened, the newest first", group="Look at"
    ),
    Command("next_pane", "tab", "Tab", partial(next_pane, step=1), "the next pane", group="Look at"),
    Command("previous_pane", "shift+tab", "Shift-Tab", partial(next_pane, step=-1), "the pane before", group="Look at"),
    Command(
        "open",
        "enter",
        "Enter",
        open_row,
        "go into the row: a process, namespace or container shows its connections, a connection every field",
        "open",
        "Look at",
        on_row=True,
    ),
    Command(
        "enlarge",
        "e",
        "e",
        enlarge,
        "enlarge the row: a page with all there is to tell of it",
        "enlarge",
        "Look at",
        on_row=True,
    ),
    Command(
        "back", "escape", "Esc", back, "back: clears the filter first, then leaves what was opened", "back", "Look at"
    ),
    Command("freeze", "Z", "Z", freeze, "freeze the picture, or let it go on", "freeze", "Look at"),
)
