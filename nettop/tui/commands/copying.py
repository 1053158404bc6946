"""Copying a row, or the command that shows it in another tool, to the clipboard of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nettop import format as text
from nettop.fields import View
from nettop.jsonlines import json_lines
from nettop.tui import clipboard
from nettop.tui.commands.command import Command
from nettop.tui.commands.recipes import recipes
from nettop.tui.commands.targets import chosen
from nettop.tui.dialogs.menu import Item, MenuScreen
from nettop.tui.drawing.columns import Column
from nettop.tui.terminal import follows_xterm

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen


def copy(main: MainScreen) -> None:
    """Let something be chosen of the rows that are, and copy it."""
    view, rows, columns, now = chosen(main)
    if not rows:
        main.tell("there is no row to copy")
        return
    if not follows_xterm(main.environ):
        main.tell("this terminal has no clipboard that a program could reach")
        return
    what = "the row" if len(rows) == 1 else f"the {len(rows)} rows"
    texts: dict[str, tuple[str, list[str]]] = {
        "row": (f"{what} as shown, in full", as_shown(columns, rows, now)),
        "json": (f"{what} as JSON, every field", as_json(view, rows, now)),
    }
    for tool, command in recipes(rows[0]) if len(rows) == 1 else ():
        texts[tool] = (command, [command])
    items = [Item(tool, f"{number} {tool}", what) for number, (tool, (what, _)) in enumerate(texts.items(), 1)]

    def copied(tool: str | None) -> None:
        if tool is not None:
            _put(main, texts[tool][1], tool)

    main.app.push_screen(MenuScreen("copy", items, main.look, main.signs), copied)


def _put(main: MainScreen, lines: list[str], tool: str) -> None:
    kept = clipboard.fitting(lines)
    main.app.copy_to_clipboard("\n".join(kept))
    if len(kept) < len(lines):
        main.tell(f"copied the first {len(kept)} of {len(lines)} lines: a terminal takes no more")
    elif len(kept) == 1:
        main.tell(f"copied: {kept[0]}")
    else:
        main.tell(f"copied {len(kept)} lines: {tool}")


def as_shown(columns: Sequence[Column], rows: Sequence[Any], now: float) -> list[str]:
    """The columns of some rows, none of them cut, safe for a terminal; of several under their titles."""
    table = [[column.text(row, now)[1] for column in columns] for row in rows]
    if len(rows) > 1:
        table.insert(0, [column.field.title for column in columns])
    widths = [max(map(text.cell_width, cells)) for cells in zip(*table, strict=True)]
    sides: list[text.Align] = ["right" if column.right else "left" for column in columns]
    return ["  ".join(text.fit(*cell) for cell in zip(cells, widths, sides, strict=True)).rstrip() for cells in table]


def as_json(view: View, rows: Sequence[Any], now: float) -> list[str]:
    """As `nettop VIEW --json` prints them, one a line."""
    written: list[str] = []
    json_lines(view, rows, None, now, now, written.append)
    return "".join(written).splitlines()


COMMANDS = (
    Command(
        "copy",
        "y",
        "y",
        copy,
        "copy the row, or the ss, nsenter, tcpdump or conntrack command for it",
        "copy",
        "Act",
        on_row=True,
        on_page=True,
    ),
)
