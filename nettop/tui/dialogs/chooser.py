"""Choosing the columns of a view: every field with its help, those shown first, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.strip import Strip
from textual.widget import Widget

from nettop import format as text
from nettop.fields import View
from nettop.tui.dialogs.standing import Overlay
from nettop.tui.drawing.line import Line, Pieces, joined, piece
from nettop.tui.drawing.theme import Look

KEYS = (("Space", "show"), ("[ ]", "move"), ("r", "reset"), ("Enter", "done"), ("Esc", "cancel"))


class Choice:
    """The fields of a view in an order, some of them shown, and the one the cursor is on."""

    def __init__(self, view: View, shown: Sequence[str]) -> None:
        self._view = view
        self.line = 0
        self.put(shown)

    def put(self, shown: Sequence[str]) -> None:
        """Show these, in that order; the others follow in theirs."""
        self.names = list(dict.fromkeys((*shown, *self._view.fields)))
        self.shown = set(shown)

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields shown, in order."""
        return tuple(name for name in self.names if name in self.shown)

    def move(self, lines: int) -> None:
        self.line = max(0, min(self.line + lines, len(self.names) - 1))

    def toggle(self) -> None:
        """Show the field or hide it, and go on to the next; the last one shown stays."""
        name = self.names[self.line]
        if name not in self.shown:
            self.shown.add(name)
        elif len(self.shown) > 1:
            self.shown.remove(name)
        self.move(1)

    def carry(self, lines: int) -> None:
        """Move the field with the cursor."""
        target = self.line + lines
        if 0 <= target < len(self.names):
            self.names.insert(target, self.names.pop(self.line))
            self.line = target

    def reset(self) -> None:
        """As the view has them by default."""
        self.put(self._view.columns)
        self.line = 0


class _Fields(Widget, can_focus=True):
    """The list of fields, of which a window is drawn."""

    def __init__(self, choice: Choice, view: View, look: Look) -> None:
        super().__init__(id="fields")
        self._choice = choice
        self._view = view
        fields = view.fields.values()
        self._widths = max(len(field.title) for field in fields), max(len(field.name) for field in fields)
        self._look = look
        self._top = 0

    @property
    def page(self) -> int:
        return max(1, self.size.height - 1)

    def update(self) -> None:
        """Draw the list as it now is."""
        line, height = self._choice.line, self.size.height
        last = max(0, len(self._choice.names) - height)
        self._top = max(0, min(self._top, line, last), min(line - height + 1, last))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index, width, look = self._top + y, self.size.width, self._look
        if index >= len(self._choice.names):
            return Strip.blank(width, look.band)
        field = self._view.fields[self._choice.names[index]]
        shown = field.name in self._choice.shown
        titles, names = self._widths
        called = f" [{'x' if shown else ' '}] {field.title:<{titles}} {field.name:<{names}}  "
        name, rest = look.band_strong if shown else look.band_dim, look.band if shown else look.band_dim
        if index == self._choice.line:
            name = rest = look.cursor
        return Strip([piece(called, name), piece(text.fit(field.help, width - len(called)), rest)], width)


class ColumnChooser(Overlay[tuple[str, ...] | None]):
    """Gives the fields to show, in order; None where nothing is to be changed."""

    BINDINGS = [
        Binding("escape,q", "dismiss(None)", show=False),
        Binding("ctrl+c", "app.quit", show=False, priority=True),
        Binding("enter,o", "done", show=False),
        Binding("space", "change('toggle')", show=False),
        Binding("r", "change('reset')", show=False),
        Binding("left_square_bracket,shift+up", "change('carry', -1)", show=False),
        Binding("right_square_bracket,shift+down", "change('carry', 1)", show=False),
        Binding("down,j", "change('move', 1)", show=False),
        Binding("up,k", "change('move', -1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("home,g", "change('move', -1000)", show=False),
        Binding("end,G", "change('move', 1000)", show=False),
    ]

    def __init__(self, view: View, shown: Sequence[str], look: Look) -> None:
        super().__init__()
        self._look = look
        self._choice = Choice(view, shown)
        self._fields = _Fields(self._choice, view, look)
        self._keys = Line(look.band)
        self._box = Vertical(self._fields, self._keys, id="chooser")
        self._box.border_title = f"columns of {view.name}"
        self._box.styles.height = len(view.fields) + 3  # its border, and the keys

    def compose(self) -> ComposeResult:
        yield self._box

    def on_mount(self) -> None:
        look = self._look
        groups: list[Pieces] = [[piece(key, look.key), piece(f" {what}", look.band)] for key, what in KEYS]
        self._keys.show([piece(" ", look.band), *joined(groups, piece("  ", look.band))])
        self._fields.focus()

    def action_change(self, what: str, lines: int | None = None) -> None:
        """Do that with the field under the cursor, or all of them."""
        method = getattr(self._choice, what)
        method() if lines is None else method(lines)
        self._fields.update()

    def action_page(self, pages: int) -> None:
        self.action_change("move", pages * self._fields.page)

    def action_done(self) -> None:
        self.dismiss(self._choice.columns)
