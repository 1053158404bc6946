"""A list in the middle of the screen, to choose from. What is typed goes to the entry that begins so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.markup import escape

from nettop import format as text
from nettop.tui.dialogs.confirm import FRAME, Dialog
from nettop.tui.dialogs.page import WHEEL
from nettop.tui.drawing.line import Pieces, piece
from nettop.tui.drawing.theme import Look, Signs

WIDEST = 84
"""Cells of a line: what a longer one says is not worth the table behind it."""

KEYS = "jkgGq"
"""Letters that move or close, as everywhere, unless they go on from what was typed."""


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
        Binding("backspace", "untype", show=False),
        Binding("down,j,tab", "move(1)", show=False),
        Binding("up,k,shift+tab", "move(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("home,g", "move(-1000)", show=False),
        Binding("end,G", "move(1000)", show=False),
    ]

    def __init__(
        self,
        title: str,
        items: Sequence[Item],
        look: Look,
        signs: Signs,
        *,
        chosen: str = "",
        head: Item | None = None,
    ) -> None:
        """`items` are some; that with the name `chosen` is marked, else the first. `head` are the titles above them."""
        super().__init__(title, look, signs)
        self._items = items
        self._head = head
        self._line = next((line for line, item in enumerate(items) if item.name == chosen), 0)
        self._top = 0
        self._typed = ""

    @property
    def _page(self) -> int:
        """How many items are in sight at most."""
        return max(1, self.app.size.height * 4 // 5 - FRAME.height - bool(self._head))

    def lines(self) -> list[Pieces]:
        look, page = self.look, self._page
        self._top = max(self._line - page + 1, min(self._top, self._line))
        shown = range(self._top, min(self._top + page, len(self._items)))
        lines = [self._drawn(self._head, look.band_dim, look.band_dim)] if self._head else []
        for line in shown:
            label, meaning = (look.cursor, look.cursor) if line == self._line else (look.band_strong, look.band)
            lines.append(self._drawn(self._items[line], label, meaning))
        return lines

    def draw(self) -> None:
        """Show the lines as they are now, and in the frame what was typed and where in a long list one is."""
        place = f"{self._line + 1}/{len(self._items)}" if len(self._items) > self._page else ""
        self._box.border_subtitle = f"{escape(self._typed)} {place}".strip()
        super().draw()

    def _drawn(self, item: Item, label: Style, meaning: Style) -> Pieces:
        """Every line is as wide as the widest, for the marked one to be a bar."""
        items = [*self._items, self._head] if self._head else self._items
        labels = max(text.cell_width(each.label) for each in items)
        room = min(self.room.width, WIDEST) - labels - 4
        helps = min(max(text.cell_width(each.help) for each in items), room)
        return [
            piece(f" {text.fit(item.label, labels)}  ", label),
            piece(f"{text.fit(item.help, helps)} ", meaning),
        ]

    def on_key(self, event: events.Key) -> None:
        """A character that goes on to no item is a key, or nothing."""
        if event.character is None or not event.is_printable or (not self._typed and event.character in KEYS):
            return
        if self._go_to(self._typed + event.character.lower()):
            event.stop()

    def _go_to(self, typed: str) -> bool:
        """Mark the item that is called what was typed, or whose name or a word of its label begins so."""
        for exactly in (True, False):
            for line, item in enumerate(self._items):
                words = [word.lower() for word in (item.name, item.label, *item.label.split())]
                if typed in words if exactly else any(word.startswith(typed) for word in words):
                    self._typed, self._line = typed, line
                    self.draw()
                    return True
        return False

    def action_untype(self) -> None:
        self._typed = self._typed[:-1]
        self.draw()

    def action_move(self, lines: int) -> None:
        self._typed = ""
        self._line = max(0, min(self._line + lines, len(self._items) - 1))
        self.draw()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * self._page)

    def action_choose(self) -> None:
        self.dismiss(self._items[self._line].name)

    # --- the mouse ---

    def on_click(self, event: events.Click) -> None:
        """A click on an item chooses it, one beside the box closes it."""
        place = event.get_content_offset(self._box)
        if place is None:
            if event.widget is not self._box:
                self.dismiss(None)
            return
        line = self._top + place.y - bool(self._head)
        if self._top <= line < min(self._top + self._page, len(self._items)):
            self._line = line
            self.action_choose()

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        self.action_move(WHEEL)

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        self.action_move(-WHEEL)
