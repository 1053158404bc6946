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
    at_once: bool = False
    """Acts before the next key is looked at, so that `/nginx` and Enter may arrive in one piece, over a slow line."""


def bindings(commands: Iterable[Command]) -> list[BindingType]:
    """The same for Textual: each key runs its command by name."""
    return [
        Binding(
            command.keys,
            f"command('{command.name}')",
            command.help,
            show=False,
            priority=command.at_once,
            id=command.name,
        )
        for command in commands
    ]
