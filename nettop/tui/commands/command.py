"""What a command is, and the keys that call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.binding import Binding, BindingType

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen


@dataclass(frozen=True, slots=True)
class Command:
    """Something a person can do."""

    name: str
    """Unique; the name by which the configuration gives it other keys and the palette finds it."""
    keys: str
    """In Textual's names, comma-separated."""
    shown: str
    """The keys as a person writes them."""
    run: Callable[[MainScreen], None]
    help: str
    footer: str = ""
    """One word for the footer; empty where it is not listed there."""
    group: str = ""
    """Heading in the help."""
    on_row: bool = False
    """Acts on the row under the cursor, and so waits until the list shows what was asked of it by the keys before."""
    on_page: bool = False
    """Exists on the page about a row, too, and is for that row there."""
    acts: bool = False
    """Changes something on the machine: does not exist where nettop is read-only."""


def bindings(commands: Iterable[Command]) -> list[BindingType]:
    """The same for Textual: each key runs its command by name.

    Priority: before the next key is looked at. Over a slow line `/nginx`, Enter and Enter may arrive in one piece.
    """
    return [
        Binding(
            command.keys,
            f"command('{command.name}')",
            command.help,
            show=False,
            priority=True,
            id=command.name,
        )
        for command in commands
    ]
