"""A list to choose from."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.markup import escape
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option


class ChoiceScreen(ModalScreen[str | None]):
    """A small menu; gives the id of what was chosen, None where nothing was. Typing goes to what begins so."""

    BINDINGS = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("ctrl+c", "app.quit", show=False, priority=True),
        Binding("backspace", "untype", show=False),
    ]

    def __init__(self, title: str, options: Iterable[tuple[str, str]], chosen: str) -> None:
        super().__init__()
        self._options = list(options)
        self._chosen = chosen
        self._typed = ""
        self._list = OptionList(*(Option(text, id=name) for name, text in self._options), id="choice", markup=False)
        self._list.border_title = title

    def compose(self) -> ComposeResult:
        yield self._list

    def on_mount(self) -> None:
        self._list.highlighted = next((i for i, (name, _) in enumerate(self._options) if name == self._chosen), 0)
        self._list.focus()

    def on_key(self, event: events.Key) -> None:
        """A letter goes to the first option whose id or text begins with what was typed; others are no part of it."""
        if event.character and event.is_printable:
            event.stop()
            self._type(self._typed + event.character.lower())

    def action_untype(self) -> None:
        self._type(self._typed[:-1])

    def _type(self, typed: str) -> None:
        for index, (name, line) in enumerate(self._options):
            if name.lower().startswith(typed) or line.lower().startswith(typed):
                self._typed = typed
                self._list.highlighted = index
                self._list.border_subtitle = escape(typed)
                return

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option.id)
