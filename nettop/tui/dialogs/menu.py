"""A small menu in the middle of the screen. What is typed in digits goes to the entry that begins so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual import events
from textual.binding import Binding

from nettop import format as text
from nettop.tui.dialogs.confirm import Dialog
from nettop.tui.drawing.line import Pieces, piece
from nettop.tui.drawing.theme import Look, Signs


class Item(NamedTuple):
    """One line of a menu."""

    name: str
    """What the menu gives when it is chosen."""
    label: str
    help: str
    """Both safe for the terminal."""


class MenuScreen(Dialog[str | None]):
    """Gives the name of the item that was chosen, None where none was."""

    BINDINGS = [
        Binding("escape,q", "dismiss(None)", show=False),
        Binding("enter", "choose", show=False),
        Binding("down,j,tab", "move(1)", show=False),
        Binding("up,k,shift+tab", "move(-1)", show=False),
        Binding("home,g", "move(-1000)", show=False),
        Binding("end,G", "move(1000)", show=False),
    ]

    def __init__(self, title: str, items: Sequence[Item], look: Look, signs: Signs) -> None:
        """`items` are some; the first is marked."""
        super().__init__(title, look, signs)
        self._items = items
        self._line = 0
        self._top = 0
        self._typed = ""

    def lines(self) -> list[Pieces]:
        room, look = self.room, self.look
        self._top = max(self._line - room.height + 1, min(self._top, self._line))
        labels = max(text.cell_width(item.label) for item in self._items)
        # every line as wide as the widest, for the marked one to be a bar
        helps = min(max(text.cell_width(item.help) for item in self._items), room.width - labels - 4)
        lines: list[Pieces] = []
        for line, item in enumerate(self._items[self._top : self._top + room.height], self._top):
            label, help_ = (look.cursor, look.cursor) if line == self._line else (look.band_strong, look.band)
            lines.append(
                [
                    piece(f" {text.fit(item.label, labels)}  ", label),
                    piece(f"{text.fit(text.shorten_middle(item.help, helps), helps)} ", help_),
                ]
            )
        return lines

    def on_key(self, event: events.Key) -> None:
        if event.character is None or not event.character.isdecimal():
            self._typed = ""
            return
        event.stop()
        self._typed += event.character
        if not self._go_to(self._typed):
            self._typed = event.character
            self._go_to(self._typed)

    def _go_to(self, typed: str) -> bool:
        """Mark the item whose label is what was typed, or begins so."""
        for exactly in (True, False):
            for line, item in enumerate(self._items):
                number = item.label.split()[0]
                if number == typed or (not exactly and number.startswith(typed)):
                    self._line = line
                    self.draw()
                    return True
        return False

    def action_move(self, lines: int) -> None:
        self._line = max(0, min(self._line + lines, len(self._items) - 1))
        self.draw()

    def action_choose(self) -> None:
        self.dismiss(self._items[self._line].name)
