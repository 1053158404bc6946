"""Screens that open over the main one: a page of text, and a list to choose from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from nettop import format as text
from nettop.fields import View
from nettop.model import Health
from nettop.tui.commands.command import Command
from nettop.tui.line import Line, Pieces, piece
from nettop.tui.theme import Look


class _Page(Widget, can_focus=True):
    """Lines of text, of which a window is drawn."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="page")
        self._look = look
        self._lines: list[Pieces] = []
        self._top = 0

    def show(self, lines: list[Pieces]) -> None:
        if lines != self._lines:
            self._lines = lines
            self.scroll_by(0)
            self.refresh()

    def scroll_by(self, lines: int) -> None:
        top = max(0, min(self._top + lines, len(self._lines) - self.size.height))
        if top != self._top:
            self._top = top
            self.refresh()

    def render_line(self, y: int) -> Strip:
        index = self._top + y
        line = Strip(self._lines[index] if index < len(self._lines) else [])
        width = self.size.width
        if line.cell_length > width:
            line = Strip([*line.crop(0, width - 1), piece(text.ELLIPSIS, self._look.dim)])
        return line.adjust_cell_length(width, self._look.text)

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        self.scroll_by(3)

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        self.scroll_by(-3)


class PageScreen(Screen[None]):
    """A title and a page of text made afresh with every picture; any of the usual keys leaves it."""

    BINDINGS = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", show=False),
        Binding("ctrl+c", "app.quit", show=False, priority=True),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("home,g", "scroll(-1000000)", show=False),
        Binding("end,G", "scroll(1000000)", show=False),
    ]

    def __init__(self, look: Look, title: str, lines: Callable[[], list[Pieces]]) -> None:
        super().__init__()
        self._look = look
        self._heading = title
        self._make = lines
        self._head = Line(look.band)
        self._page = _Page(look)
        self._foot = Line(look.band)

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._page
        yield self._foot

    def on_mount(self) -> None:
        look = self._look
        self._page.focus()
        self._foot.show([piece(" Esc", look.key), piece(" back   ", look.band), piece("↑ ↓ PgUp PgDn", look.key)])
        self.update()

    def update(self) -> None:
        """Show the text as it is now; only what changed is repainted."""
        self._head.show([piece(f" {self._heading}", self._look.band_strong)])
        self._page.show(self._make())

    def action_scroll(self, lines: int) -> None:
        self._page.scroll_by(lines)

    def action_page(self, pages: int) -> None:
        self._page.scroll_by(pages * max(1, self._page.size.height - 1))


class ChoiceScreen(ModalScreen[str | None]):
    """A small menu; gives the id of what was chosen, None where nothing was."""

    BINDINGS = [
        Binding("escape,q", "dismiss(None)", show=False),
        Binding("ctrl+c", "app.quit", show=False, priority=True),
        Binding("j", "cursor(1)", show=False),
        Binding("k", "cursor(-1)", show=False),
    ]

    def __init__(self, title: str, options: Iterable[tuple[str, str]], chosen: str) -> None:
        super().__init__()
        self._options = list(options)
        self._chosen = chosen
        self._list = OptionList(*(Option(text, id=name) for name, text in self._options), id="choice", markup=False)
        self._list.border_title = title

    def compose(self) -> ComposeResult:
        yield self._list

    def on_mount(self) -> None:
        self._list.highlighted = next((i for i, (name, _) in enumerate(self._options) if name == self._chosen), 0)
        self._list.focus()

    def action_cursor(self, lines: int) -> None:
        if lines > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option.id)


def help_lines(commands: Iterable[Command], view: View, health: Sequence[Health], look: Look) -> list[Pieces]:
    """Every key, then every field of a view: from the bindings and the registry; last, what cannot be seen here."""
    lines: list[Pieces] = []
    group = ""
    for command in commands:
        if command.group != group:
            group = command.group
            lines += [[], [piece(f" {group}", look.strong)]]
        lines.append([piece(f"  {command.shown:<12}", look.rx), piece(command.help, look.text)])
    lines += [[], [piece(f" Fields of {view.name}", look.strong)]]
    for field in view.fields.values():
        unit = f" ({field.unit})" if field.unit else ""
        lines.append([piece(f"  {field.name:<14}", look.rx), piece(field.help + unit, look.text)])
    lines += [[], [piece(" Filters", look.strong)]]
    for example, meaning in FILTERS:
        lines.append([piece(f"  {example:<34}", look.rx), piece(meaning, look.text)])
    if health:
        lines += [[], [piece(" What cannot be seen here, or only in part", look.strong)]]
    for row in health:
        remedy = f"; try: {row.remedy}" if row.remedy else ""
        reason = text.safe(f"{row.reason}{remedy}")
        lines.append([piece(f"  {text.safe(row.source):<18}", look.rx), piece(f"{row.status}: {reason}", look.text)])
    return lines


FILTERS = (
    ("nginx", "any text column contains it; capitals matter only if you type some"),
    ("comm:nginx rate>10k", "both: a field contains a text, another is above 10 kB/s"),
    ("netns=web or container:nginx", "either"),
    ("!comm:sshd   not state=LISTEN", "not"),
    ("dst=10.0.0.0/8 dport=443,8443", "the other end: network, ports"),
    ("rtt>50ms  age<5m  sendq>64k", "with units"),
    ("/^ng.*x$/  comm~^ng", "regular expression: any text column, or one field"),
)
