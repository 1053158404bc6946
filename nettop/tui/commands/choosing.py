"""Which rows are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nettop.tui.commands.command import Command

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen


def filter_rows(main: MainScreen) -> None:
    main.open_filter()


COMMANDS = (Command("filter", "slash,f4", "/ F4", filter_rows, "filter as you type", "filter", "Rows", at_once=True),)
