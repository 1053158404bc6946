"""The filter line: what is typed, and where it does not parse."""

from __future__ import annotations

from rich.highlighter import Highlighter
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from nettop import format as text
from nettop.query import QueryError
from nettop.tui.line import Line, piece
from nettop.tui.theme import Look


class _Mark(Highlighter):
    """Marks the place of an error."""

    def __init__(self) -> None:
        self.column: int | None = None

    def highlight(self, text: Text) -> None:
        if self.column is not None:
            text.stylize("reverse", self.column, self.column + 1)


class FilterLine(Horizontal):
    """Takes the place of the title line while a filter is typed."""

    class Typed(Message):
        """The text changed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, look: Look) -> None:
        super().__init__(id="filter")
        self._look = look
        self._mark = _Mark()
        self._input = Input(compact=True, highlighter=self._mark, select_on_focus=False)
        self._input.cursor_blink = False
        self._label = Line(look.band_strong, "filter-label")
        self._error = Line(look.band, "filter-error")
        self.display = False

    def compose(self) -> ComposeResult:
        yield self._label
        yield self._input
        yield self._error

    def open(self, text: str) -> None:
        """Show the line and put the cursor behind the text."""
        self.display = True
        self._label.show([piece(" filter ", self._look.band_strong)])
        with self.prevent(Input.Changed):
            self._input.value = text
        self._input.cursor_position = len(text)
        self.show_error(None)
        self.screen.set_focus(self._input)  # at once: the next keys may have been typed already

    def close(self) -> None:
        self.display = False

    def show_error(self, error: QueryError | None) -> None:
        """Mark where the text does not parse and say why, or take the mark away."""
        look = self._look
        self._mark.column = error.column if error else None
        self._input.refresh()
        if error is None:
            self._error.show([piece("Enter keep   Esc close ", look.band_dim)], right=True)
        else:
            self._error.show([piece(f"! {text.safe(error.message)} ", look.band_alarm)], right=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(event.value))
