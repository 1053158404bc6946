"""The cursor and the columns."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nettop.tui.commands.command import Command
from nettop.tui.drawing.columns import scrollable

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen


def move(main: MainScreen, lines: int) -> None:
    main.move_to(main.pane.line + lines)


def page(main: MainScreen, pages: int) -> None:
    main.move_to(main.pane.line + pages * main.table.page)


def first(main: MainScreen) -> None:
    main.move_to(0)


def last(main: MainScreen) -> None:
    main.move_to(len(main.pane.ids) - 1)


def scroll(main: MainScreen, columns: int) -> None:
    """Columns further to the side; those that tell which row it is stay."""
    pane = main.pane
    pane.scrolled = max(
        0, min(pane.scrolled + columns, len(scrollable(pane.view, pane.columns or pane.view.columns)) - 1)
    )
    main.show_pane()


COMMANDS = (
    Command("up", "up,k", "↑ k", partial(move, lines=-1), "up", group="Move"),
    Command("down", "down,j", "↓ j", partial(move, lines=1), "down", group="Move"),
    Command("page_up", "pageup,ctrl+b", "PgUp", partial(page, pages=-1), "a page up", group="Move"),
    Command("page_down", "pagedown,ctrl+f", "PgDn", partial(page, pages=1), "a page down", group="Move"),
    Command("first", "home,g", "Home g", first, "the first row", group="Move"),
    Command("last", "end,G", "End G", last, "the last row", group="Move"),
    Command("left", "left", "←", partial(scroll, columns=-1), "columns further to the left", group="Move"),
    Command(
        "right",
        "right",
        "→",
        partial(scroll, columns=1),
        "columns further to the right, every field there is",
        group="Move",
    ),
)
