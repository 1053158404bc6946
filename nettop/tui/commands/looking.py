"""Which pane, into a row and back, freezing the picture, help, leaving."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nettop.snapshot import Connection
from nettop.tui import status
from nettop.tui.commands.command import Command
from nettop.tui.detail import detail_lines, detail_title
from nettop.tui.line import Pieces
from nettop.tui.screens import PageScreen, help_lines

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
        main.close_filter()
        return
    row = main.pane.row
    if isinstance(row, Connection):
        _open_detail(main, row)
    elif main.levels.drill():
        main.arrive()


def _open_detail(main: MainScreen, row: Connection) -> None:
    view, row_id = main.pane.view, row.id

    def lines() -> list[Pieces]:
        now = main.snapshot.connections.get(row_id)
        return detail_lines(view, now, main.snapshot.time, main.look)

    main.app.push_screen(PageScreen(main.look, detail_title(row), lines))


def back(main: MainScreen) -> None:
    """One step: closes the filter line, then clears the filter, then leaves what was opened."""
    if main.typing:
        main.close_filter()
    elif main.pane.filter_text:
        main.pane.set_filter("")
        main.ask()
    elif main.levels.back():
        main.arrive()


def freeze(main: MainScreen) -> None:
    main.freeze(not main.frozen)


def help_page(main: MainScreen) -> None:
    view = main.pane.view
    main.app.push_screen(
        PageScreen(
            main.look,
            "nettop: keys, fields, filters",
            lambda: help_lines(main.commands.values(), view, main.latest.health, main.look),
        )
    )


def redraw(main: MainScreen) -> None:
    main.repaint()


def leave(main: MainScreen) -> None:
    main.app.exit()


COMMANDS = (
    Command("help", "question_mark,f1", "? F1", help_page, "this help", "help", "nettop"),
    Command("quit", "q,ctrl+c,f10", "q ^C", leave, "quit", "quit", "nettop"),
    Command("redraw", "ctrl+l", "^L", redraw, "draw the screen again", group="nettop"),
    Command("processes", "1", "1", partial(pane, view="processes"), "processes", group="Look at"),
    Command("connections", "2", "2", partial(pane, view="connections"), "connections", group="Look at"),
    Command("namespaces", "3", "3", partial(pane, view="namespaces"), "network namespaces", group="Look at"),
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
        "go into the row: a process or namespace shows its connections, a connection every field",
        "open",
        "Look at",
        at_once=True,
    ),
    Command(
        "back", "escape", "Esc", back, "back: clears the filter first, then leaves what was opened", "back", "Look at"
    ),
    Command("freeze", "Z", "Z", freeze, "freeze the picture, or let it go on", "freeze", "Look at"),
)
