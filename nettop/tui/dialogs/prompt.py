"""The line that takes the place of the title while something is typed: a filter, or what to look for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.highlighter import Highlighter
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from nettop import format as text
from nettop.fields import View
from nettop.query import QueryError
from nettop.tui.dialogs.suggest import Collector, Completion, Suggestion, complete
from nettop.tui.drawing.line import Line, Pieces, cells, piece
from nettop.tui.drawing.theme import Look

LABEL = 8
"""Cells of what stands before the text, as in nettop.tcss."""
HISTORY = 100
"""Filters of a view that are remembered."""


@dataclass(frozen=True)
class Prompt:
    """What the line is opened for."""

    label: str
    text: str
    """To begin with."""
    typed: Callable[[str], None]
    """Called with the text whenever it changes; QueryError says what is wrong with it."""
    step: Callable[[int], None] | None = None
    """What ↓ (1) and ↑ (-1) do; without it they go through `past`."""
    past: Sequence[str] = ()
    """What was typed before, the newest last."""
    view: View | None = None
    """Whose fields are suggested, if any."""
    collector: Collector | None = None
    """Where the values of fields come from."""
    saved: Mapping[str, str] | None = None
    """Filters with a name."""
    hint: str = ""
    """The keys of the line."""


def remember(past: list[str], filter_text: str) -> None:
    """Put a filter at the end of what was typed before, and nowhere else."""
    if filter_text:
        past[:] = [*(known for known in past if known != filter_text), filter_text][-HISTORY:]


_COMMANDS = ("enter", "ctrl+c")
"""Keys that Textual's input has a use for and this line has not."""


class _Mark(Highlighter):
    """Marks the place of an error."""

    def __init__(self) -> None:
        self.column: int | None = None

    def highlight(self, text: Text) -> None:
        if self.column is not None:
            text.stylize("reverse", self.column, self.column + 1)


class _Input(Input):
    """An input that leaves ↑, ↓ and Tab to the line it is in, and → where there is nothing to the right."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
        Binding("tab", "complete", show=False),
    ]

    def __init__(self, mark: _Mark, line: PromptLine) -> None:
        super().__init__(compact=True, highlighter=mark, select_on_focus=False)
        self.cursor_blink = False
        self._line = line

    def action_step(self, lines: int) -> None:
        self._line.step(lines)

    def action_complete(self) -> None:
        self._line.complete()

    def action_cursor_right(self, select: bool = False) -> None:
        if select or not self.cursor_at_end or not self._line.complete():
            super().action_cursor_right(select)


class PromptLine(Horizontal):
    """The input, what is wrong with its text, and how it may go on."""

    def __init__(self, look: Look, breathe: Callable[[], Awaitable[None]]) -> None:
        """`breathe` is waited for between two slices of work."""
        super().__init__(id="prompt")
        self._look = look
        self._breathe = breathe
        self._mark = _Mark()
        self._input = _Input(self._mark, self)
        self._label = Line(look.band_strong, "prompt-label")
        self._side = Line(look.band, "prompt-side")
        self._prompt = Prompt("", "", _nothing)
        self._completion = Completion(0, ())
        self._back = 0
        """Steps into the past, 0: what is being typed."""
        self._draft = ""
        self._error: QueryError | None = None
        self.collecting = False
        """Values of fields are being counted."""
        self.display = False

    def compose(self) -> ComposeResult:
        yield self._label
        yield self._input
        yield self._side

    def open(self, prompt: Prompt) -> None:
        """Show the line and put the cursor behind the text."""
        self._prompt, self._back, self._draft = prompt, 0, prompt.text
        self.display = True
        self._label.show([piece(f" {prompt.label} ", self._look.band_strong)])
        self._put(prompt.text, silently=True)
        self.show_error(None)
        self.suggest()
        self.screen.set_focus(self._input)  # at once: the next keys may have been typed already

    def close(self) -> None:
        """Hide the line. What was typed before may still be on its way, and is told when it arrives."""
        self.display = False

    def takes(self, key: events.Key) -> bool:
        """A letter of the text, or what edits it; every other key is a command, whatever is being typed."""
        return key.is_printable or (key.key not in _COMMANDS and key.key in self._input._bindings.key_to_bindings)  # noqa: SLF001

    async def told(self) -> None:
        """Wait until the keys that were typed so far have changed the text, and the text has been told."""
        for pump in (self._input, self._input, self):  # keys; the change they make; its way up
            passed = asyncio.Event()
            pump.call_later(passed.set)
            await passed.wait()

    def step(self, lines: int) -> None:
        """↓ or ↑."""
        prompt = self._prompt
        if prompt.step:
            prompt.step(lines)
        elif 0 <= self._back - lines <= len(prompt.past):
            if not self._back:
                self._draft = self._input.value
            self._back -= lines
            self._put(prompt.past[-self._back] if self._back else self._draft)

    def complete(self) -> bool:
        """Go on with the first suggestion; False where there is none."""
        completion = self._completion
        if not (completion.suggestions and self._input.cursor_at_end):
            return False
        self._put(self._input.value[: completion.start] + completion.suggestions[0].text)
        return True

    def suggest(self) -> None:
        """Suggest how the text may go on."""
        prompt, typed = self._prompt, self._input.value
        self._completion = Completion(len(typed), ())
        if prompt.view is not None and prompt.collector is not None:
            self._completion = complete(typed, prompt.view, prompt.collector.values, prompt.saved or {})
            missing = prompt.collector.missing(self._completion.needs)
            if missing and not self.collecting:
                self.collecting = True
                self.run_worker(self._collect(prompt.collector, missing), name="values")
        self._show_side()

    def show_error(self, error: QueryError | None) -> None:
        """Mark where the text does not parse and say why, or take the mark away."""
        self._error = error
        self._mark.column = error.column if error else None
        self._input.refresh()
        self._show_side()

    async def _collect(self, collector: Collector, names: Sequence[str]) -> None:
        for _ in collector.collect(names):
            await self._breathe()
        self.collecting = False
        self.suggest()

    def _put(self, value: str, *, silently: bool = False) -> None:
        if silently:
            with self.prevent(Input.Changed):
                self._input.value = value
        else:
            self._input.value = value
        self._input.cursor_position = len(value)

    def _show_side(self) -> None:
        look, suggestions, error = self._look, self._completion.suggestions, self._error
        half = self.app.size.width // 2
        # what only is not finished yet, suggestions finish
        if error and not (suggestions and error.column >= len(self._input.value)):
            said = [piece(f"! {text.safe(error.message)} ", look.band_alarm)]
            free = self.app.size.width - LABEL - text.cell_width(self._input.value) - 1
            self._side.styles.width = max(half, min(cells(said), free))
            self._side.show(said, right=True)
        else:
            self._side.styles.width = half
            self._side.show(_suggested(suggestions, half, look))

    def on_resize(self) -> None:
        self._show_side()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        fault = None
        try:
            self._prompt.typed(event.value)
        except QueryError as error:
            fault = error
        self.show_error(fault)
        self.suggest()


def _suggested(suggestions: Sequence[Suggestion], width: int, look: Look) -> Pieces:
    """The suggestions that fit, the one that Tab takes first, and what it means where there is room left."""
    if not suggestions:
        return []
    pieces = [piece("Tab ", look.key)]
    for index, suggestion in enumerate(suggestions):
        shown = text.safe(suggestion.text)
        if index and cells(pieces) + text.cell_width(shown) + 2 > width:
            break
        pieces.append(piece(shown + "  ", look.band if index else look.band_strong))
    meaning = suggestions[0].help
    if cells(pieces) + text.cell_width(meaning) + 3 < width:
        pieces.append(piece(f" {meaning}", look.band_dim))
    return pieces


def _nothing(_text: str) -> None:
    """What happens to what is typed while nobody listens."""
