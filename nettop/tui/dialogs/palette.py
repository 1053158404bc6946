"""The palette: everything one can do, by name. What is typed narrows the list, Enter does what is marked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.strip import Strip
from textual.widget import Widget

from nettop import format as text
from nettop.config import LONGEST, SHORTEST
from nettop.fields import VIEWS, View
from nettop.order import Order
from nettop.query import QueryError, parse
from nettop.tui.dialogs.standing import Overlay, standing
from nettop.tui.drawing.line import Pieces, between, piece
from nettop.tui.drawing.theme import THEMES, Look, Theme

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen

INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between two pictures that are offered; any other can be typed."""

MAX_TYPED = 100
"""Characters."""


class Entry(NamedTuple):
    """Something the palette offers."""

    name: str
    help: str
    key: str
    """The keys that do the same, as a person writes them."""
    run: Callable[[MainScreen], object]


def entries(main: MainScreen) -> list[Entry]:
    """All that can be done now: the commands, filters from the settings, fields to sort by, themes, intervals."""
    offered = [
        Entry(command.name, command.help, command.shown, partial(_command, name=command.name))
        for command in main.offered.values()
    ]
    offered += [
        Entry(f"filter {name}", expression, "", partial(apply_filter, expression=expression))
        for name, expression in main.config.filters.items()
    ]
    offered += [
        Entry(f"sort by {field.name}", field.help, "", partial(_sort, name=field.name))
        for field in main.pane.view.fields.values()
    ]
    offered += [
        Entry(f"theme {theme.name}", theme.help, "", partial(_use, theme=theme))
        for theme in THEMES.values()
        if theme.widgets.name in main.app.available_themes
    ]
    return offered + [_interval(seconds) for seconds in INTERVALS]


def _command(main: MainScreen, name: str) -> None:
    main.call_later(main.action_command, name)


def apply_filter(main: MainScreen, expression: str) -> None:
    """Filter the pane one looks at, or the first other one whose rows have these fields."""
    if not _understood(expression, main.pane.view):
        main.levels.open(next(view.name for view in VIEWS.values() if _understood(expression, view)))
    main.pane.set_filter(expression)
    main.arrive()


def _understood(expression: str, view: View) -> bool:
    try:
        parse(expression, view)
    except QueryError:
        return False
    return True


def open_palette(main: MainScreen) -> None:
    """Let something be chosen, and do it."""

    def chosen(entry: Entry | None) -> None:
        if entry is not None:
            entry.run(main)

    palette = standing(main, PaletteScreen)
    palette.offer(entries(main))
    main.app.push_screen(palette, chosen)


def _sort(main: MainScreen, name: str) -> None:
    field = main.pane.view.fields[name]
    main.sort(Order(field, descending=field.kind.numeric))


def _use(main: MainScreen, theme: Theme) -> None:
    main.use_theme(theme)


def _interval(seconds: float) -> Entry:
    return Entry(
        f"interval {seconds:g}",
        f"a picture every {text.duration(seconds)}",
        "",
        lambda main: main.source.set_interval(seconds),
    )


def matching(offered: Iterable[Entry], typed: str) -> list[Entry]:
    """The entries that what is typed may mean, those it most probably means first."""
    words = typed.lower().split()
    ranked = [(rank, entry) for entry in offered if (rank := _rank(entry, words)) is not None]
    ranked.sort(key=lambda pair: pair[0])
    found = [entry for _, entry in ranked]
    if len(words) == 2 and words[0] == "interval":
        with contextlib.suppress(ValueError):
            seconds = float(words[1])
            if SHORTEST <= seconds <= LONGEST:
                found = [_interval(seconds)]
    return found


def _rank(entry: Entry, words: Sequence[str]) -> int | None:
    """How far an entry is from some words: none for those that may not mean it."""
    name = entry.name.lower().replace("_", " ")
    spoken = " ".join(words).replace("_", " ")
    everything = f" {name} {entry.help.lower()}"
    fits = (
        name == spoken,
        name.startswith(spoken),
        spoken in name,
        all(f" {word}" in everything for word in words),
        all(word in everything for word in words),
    )
    if any(fits):
        return fits.index(True)
    letters = iter(name)
    return len(fits) if all(letter in letters for letter in spoken.replace(" ", "")) else None


class PaletteScreen(Overlay[Entry | None]):
    """Gives the entry that was chosen, None where nothing was.

    What is typed is edited here and not in an Input: keys that arrive in one piece with the one that opens the palette,
    as they do over a slow line, come before any widget could have the focus.
    """

    BINDINGS = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("ctrl+c", "app.quit", show=False, priority=True),
        Binding("enter", "choose", show=False),
        Binding("down,ctrl+n,tab", "move(1)", show=False),
        Binding("up,ctrl+p,shift+tab", "move(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
    ]

    def __init__(self, main: MainScreen) -> None:
        super().__init__()
        self._offered: Sequence[Entry] = ()
        self._list = _Entries(main.look)

    def offer(self, offered: Sequence[Entry]) -> None:
        """Begin anew, with these entries."""
        self._offered = offered
        self._type("")

    def compose(self) -> ComposeResult:
        yield self._list

    def on_key(self, event: events.Key) -> None:
        if event.key == "backspace":
            self._type(self._list.typed[:-1])
        elif event.key == "ctrl+u":
            self._type("")
        elif event.key == "ctrl+w":
            self._type(self._list.typed.rstrip().rpartition(" ")[0])
        elif event.is_printable and event.character:
            self._type(self._list.typed + event.character)
        else:
            return
        event.stop()

    def on_paste(self, event: events.Paste) -> None:
        self._type(self._list.typed + text.safe(event.text))

    def on_click(self, event: events.Click) -> None:
        if event.widget is not self._list:
            self.dismiss(None)

    def _type(self, typed: str) -> None:
        typed = typed[:MAX_TYPED].lstrip()
        self._list.show(typed, matching(self._offered, typed), len(self._offered))

    def action_move(self, lines: int) -> None:
        self._list.move(lines)

    def action_page(self, pages: int) -> None:
        self._list.move(pages * self._list.page)

    def action_choose(self) -> None:
        if self._list.chosen is not None:
            self.dismiss(self._list.chosen)


class _Entries(Widget):
    """The line one types into, and below it the entries."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="palette")
        self.border_title = "do"
        self.border_subtitle = "Enter does it   Esc closes"
        self.typed = ""
        self._look = look
        self._found: list[Entry] = []
        self._of = 0
        self._line = 0
        self._top = 0

    @property
    def page(self) -> int:
        """How many entries are in sight."""
        return max(1, self.size.height - 1)

    @property
    def chosen(self) -> Entry | None:
        """The entry that is marked."""
        return self._found[self._line] if self._found else None

    def show(self, typed: str, found: list[Entry], of: int) -> None:
        """Show what is typed and the entries found among so many; the first is marked."""
        self.typed, self._found, self._of = typed, found, of
        self._line = self._top = 0
        self.refresh()

    def move(self, lines: int) -> None:
        """Mark another entry, as far as there are any."""
        self._line = max(0, min(self._line + lines, len(self._found) - 1))
        self._top = max(self._line - self.page + 1, min(self._top, self._line))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, look = self.size.width, self._look
        if y == 0:
            left = [piece(" : ", look.key), piece(self.typed, look.band_strong), piece(" ", look.active)]
            count = f"{len(self._found)} of {self._of} "
            return Strip(between(left, [piece(count, look.band_dim)], width, look.band))
        index = self._top + y - 1
        if index < len(self._found):
            return Strip(self._entry(self._found[index], width, marked=index == self._line))
        return Strip.blank(width, look.band)

    def _entry(self, entry: Entry, width: int, *, marked: bool) -> Pieces:
        look = self._look
        name, rest, key = (look.cursor,) * 3 if marked else (look.band_strong, look.band, look.key)
        names = max(12, min(24, width // 4))
        keys = text.cell_width(entry.key)
        helps = width - names - keys - 5
        return [
            piece(" " + text.fit(text.safe(entry.name), names), name),
            piece("  " + text.fit(text.safe(entry.help), helps) + " ", rest),
            piece(entry.key + " ", key),
        ]

    def on_click(self, event: events.Click) -> None:
        index = self._top + event.y - 2  # the border and the line one types into
        if 0 <= index < len(self._found) and event.y >= 2:
            self._line = index
            self.refresh()
            self.screen.action_choose()  # type: ignore[attr-defined]
