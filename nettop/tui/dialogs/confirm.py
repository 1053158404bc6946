"""Dialogs that ask before something is done: yes or no, and where the session itself is at stake, a word to type.

What is dangerous is not done by Enter alone. Keys work from the moment a dialog opens, also those that arrive in one
piece with the one that opened it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from nettop import format as text
from nettop.tui.dialogs.standing import Overlay
from nettop.tui.drawing.line import Pieces, cells, cut, piece
from nettop.tui.drawing.theme import Look, Signs

WORD = "yes"
"""To be typed in full where the session nettop is used in is at stake."""

FRAME = Size(6, 4)
"""Cells and lines of a dialog's border and padding."""

NICEST, LEAST_NICE = -20, 19
BESIDE_NICE = 17
"""Cells of what is and what will be, behind a process."""

_Result = TypeVar("_Result")


class _Box(Widget):
    """Lines of text in a frame, as large as they need, as far as there is room."""

    def __init__(self, title: str, look: Look) -> None:
        super().__init__(id="dialog")
        self.border_title = title
        self._look = look
        self._lines: Sequence[Pieces] = ()

    def show(self, lines: Sequence[Pieces]) -> None:
        self._lines = lines
        self.styles.width = min(max(map(cells, lines), default=0) + FRAME.width, self.app.size.width)
        self.styles.height = min(len(lines) + FRAME.height, self.app.size.height)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line = self._lines[y] if y < len(self._lines) else []
        return Strip(cut(line, width)).adjust_cell_length(width, self._look.band)


class Dialog(Overlay[_Result]):
    """A box in the middle of the screen. Subclasses say what is in it with `lines`, and bind the keys."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 0%; }
    #dialog {
        padding: 1 2; background: $panel; border: round $primary; border-title-color: $foreground;
        border-subtitle-color: $foreground;
    }
    Dialog.ascii #dialog { border: ascii $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "app.quit", show=False, priority=True)]

    def __init__(self, title: str, look: Look, signs: Signs) -> None:
        """`title` is nettop's own word: what the machine says belongs into `lines`."""
        super().__init__(classes="" if signs.ellipsis == text.ELLIPSIS else "ascii")
        self.look = look
        self.signs = signs
        self._box = _Box(title, look)

    def compose(self) -> ComposeResult:
        self.draw()  # first, for the box to be laid out once
        yield self._box

    def on_resize(self, _event: events.Resize) -> None:
        self.draw()

    def draw(self) -> None:
        """Show the lines as they are now."""
        self._box.show(self.lines())

    def lines(self) -> list[Pieces]:
        """What the box says."""
        raise NotImplementedError

    @property
    def room(self) -> Size:
        """Cells and lines there are for what the box says."""
        return self.app.size - FRAME

    def wrapped(self, sentence: str, style: Style) -> list[Pieces]:
        """A sentence of nettop's own on as many lines as it takes."""
        return [[piece(line, style)] for line in textwrap.wrap(sentence, self.room.width)]

    def listed(self, rows: Sequence[Pieces], others: int) -> list[Pieces]:
        """As many rows as fit beside that many other lines, and how many more there are."""
        room = max(2, self.room.height - others)
        if len(rows) <= room:
            return list(rows)
        return [*rows[: room - 1], [piece(f"  and {len(rows) - room + 1} more", self.look.band_dim)]]


class ConfirmScreen(Dialog[bool]):
    """A question to be answered with yes or no; true for yes."""

    BINDINGS = [
        Binding("y", "dismiss(True)", show=False),
        Binding("n,escape,q", "dismiss(False)", show=False),
        Binding("enter", "choose", show=False),
        Binding("left,right,tab,shift+tab,h,l", "turn", show=False),
    ]

    def __init__(
        self, title: str, question: str, rows: Sequence[Pieces], look: Look, signs: Signs, *, dangerous: bool
    ) -> None:
        """`rows` are what it is about, one line each; Enter means no where it is `dangerous`."""
        super().__init__(title, look, signs)
        self._question = question
        self._rows = rows
        self._yes = not dangerous

    def lines(self) -> list[Pieces]:
        look = self.look
        question = self.wrapped(self._question, look.band_strong)
        return [*question, [], *self.listed(self._rows, len(question) + 3), [], _buttons(self._yes, look)]

    def action_turn(self) -> None:
        self._yes = not self._yes
        self.draw()

    def action_choose(self) -> None:
        self.dismiss(self._yes)


def _buttons(yes: bool, look: Look) -> Pieces:
    """Both answers, the one Enter gives marked by brackets."""
    row: Pieces = []
    for chosen, word in ((yes, "yes"), (not yes, "no")):
        shown = f"[ {word} ]" if chosen else f"  {word}  "
        row += [piece(shown, look.active if chosen else look.band), piece("  ", look.band)]
    return [*row, piece("y", look.key), piece(" or ", look.band_dim), piece("n", look.key)]


class InsistScreen(Dialog[bool]):
    """The second confirmation: true once `WORD` was typed and Enter pressed."""

    def __init__(self, title: str, warning: str, rows: Sequence[Pieces], look: Look, signs: Signs) -> None:
        """`warning` says what will happen, in nettop's own words; `rows` are what it is about."""
        super().__init__(title, look, signs)
        self._warning = warning
        self._rows = rows
        self._typed = ""

    def lines(self) -> list[Pieces]:
        look = self.look
        warning = self.wrapped(self._warning, look.band_alarm)
        return [
            *warning,
            [],
            *self.listed(self._rows, len(warning) + 4),
            [],
            [
                piece(f"Type {WORD} and Enter to do it all the same: ", look.band),
                piece(text.fit(self._typed, len(WORD)), look.active),
            ],
            [piece("Esc", look.key), piece(" leave it", look.band_dim)],
        ]

    async def on_key(self, event: events.Key) -> None:
        event.stop()
        if event.key == "escape":
            self.dismiss(False)
        elif event.key == "enter":
            self.dismiss(self._typed == WORD)
        elif event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.character and event.is_printable and len(self._typed) < len(WORD):
            self._typed += event.character
        self.draw()


class NiceScreen(Dialog["int | None"]):
    """Which nice value: the step to add to those that are; None for none."""

    BINDINGS = [
        Binding("y,enter", "accept", show=False),
        Binding("n,escape,q", "dismiss(None)", show=False),
        Binding("left_square_bracket,f7,down,left,minus,j", "step(-1)", show=False),
        Binding("right_square_bracket,f8,up,right,plus,k", "step(1)", show=False),
    ]

    def __init__(self, rows: Sequence[tuple[Pieces, int]], step: int, look: Look, signs: Signs) -> None:
        """`rows` are the processes, and the nice value each has; `step` is what to begin with."""
        super().__init__("nice", look, signs)
        self._rows = rows
        self._step = step

    def lines(self) -> list[Pieces]:
        look = self.look
        widest = max(cells(row) for row, _ in self._rows)
        rows = [
            [
                *row,
                piece(" " * (widest - cells(row)), look.band),
                piece("   nice ", look.band_dim),
                piece(f"{nice:>3}", look.band),
                piece(f" {self.signs.crumb} ", look.band_dim),
                piece(f"{stepped(nice, self._step):>3}", look.band_strong),
            ]
            for row, nice in self._rows
        ]
        return [
            [piece("Give way more, or less? ", look.band_strong), piece(f"{self._step:+d}", look.band_strong)],
            [],
            *self.listed(rows, 4),
            [],
            [
                piece("[ ]", look.key),
                piece(" less, more   ", look.band_dim),
                piece("Enter", look.key),
                piece(" set it   ", look.band_dim),
                piece("Esc", look.key),
                piece(" leave it", look.band_dim),
            ],
        ]

    def action_step(self, step: int) -> None:
        self._step = max(NICEST - LEAST_NICE, min(self._step + step, LEAST_NICE - NICEST))
        self.draw()

    def action_accept(self) -> None:
        self.dismiss(self._step)


def stepped(nice: int, step: int) -> int:
    """A nice value so many steps on, as far as there are any."""
    return max(NICEST, min(nice + step, LEAST_NICE))
