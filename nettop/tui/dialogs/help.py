"""The help: keys from the commands, fields from the registry, and in words what the signs and figures mean."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual.binding import Binding

from nettop import format as text
from nettop.fields import View
from nettop.model import Health
from nettop.tui.commands.command import Command
from nettop.tui.details.connection import WHY
from nettop.tui.dialogs.page import PageLine, PageScreen
from nettop.tui.drawing.line import Pieces, cells, piece
from nettop.tui.drawing.theme import Look, Signs

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen

FILTERS = (
    ("nginx", "any visible text column contains it; capitals matter only if you type some"),
    ("comm:nginx rate>10k", "both: a field contains a text, another is above 10 kB/s"),
    ("netns=web or container:nginx", "either"),
    ("!comm:sshd  not state=LISTEN", "not"),
    ("(comm:a or comm:b) rtt>50ms", "brackets"),
    ("dst 10.0.0.0/8 dport=443,8443", "the other end: a network, one of several ports"),
    ("port=8000-8999  host 10.0.0.7", "either end: a range of ports, an address"),
    ("rtt>50ms age<5m sendq>64k", "with units"),
    ("state:connected", "the sets of ss: connected, synchronized, bucket, big; what ss takes works as it is"),
    ("/^ng.*x$/  comm~^ng", "regular expression: any text column, or one field"),
    ("pid=-", "unknown"),
)
"""Examples, and what they find."""

TOP = (
    ("retr", "segments sent again, of all that were sent in the host's own network namespace"),
    ("owners", "the share of the bytes moved since the last picture whose process is known"),
    ("namespaces", "network namespaces whose sockets can be read, of all there are"),
    ("events lost", "times the kernel told of more than could be taken; each was healed by reading /proc again"),
    ("nettop", "what nettop itself uses: of one processor, and memory"),
)
"""Words of the two lines at the top that do not explain themselves."""

_GUTTER = 1
_SHORTEST_TERM, _LONGEST_TERM = 12, 30


def help_lines(
    commands: Iterable[Command], view: View, health: Sequence[Health], width: int, look: Look, signs: Signs
) -> list[tuple[str, list[Pieces]]]:
    """The chapters, each with its lines, at most `width` cells wide."""

    def chapter(title: str, terms: Iterable[tuple[str, str]]) -> tuple[str, list[Pieces]]:
        return title, list(_terms([(text.safe(term), text.safe(meaning)) for term, meaning in terms], width, look))

    keys: dict[str, list[tuple[str, str]]] = {}
    for command in commands:
        keys.setdefault(command.group, []).append((command.shown, command.help))
    chapters = [chapter(f"Keys: {group}", terms) for group, terms in keys.items()]
    chapters += [
        chapter("Signs before a row", _gutter_signs(signs)),
        chapter(
            "Signs in a title", [(f"{signs.up} {signs.down}", "sorted by it, from the lowest up or the highest down")]
        ),
        chapter("LIMIT: why it is not faster", WHY.items()),
        chapter("The two lines at the top", TOP),
        chapter("Filters", FILTERS),
        chapter(
            f"Fields of {view.name}",
            [
                (field.name, f"{field.help} ({field.unit})" if field.unit else field.help)
                for field in view.fields.values()
            ],
        ),
    ]
    if health:
        chapters.append(
            chapter(
                "What cannot be seen here, or only in part",
                [
                    (row.source, f"{row.status}: {row.reason}" + (f"; try: {row.remedy}" if row.remedy else ""))
                    for row in health
                ],
            )
        )
    return chapters


def _gutter_signs(signs: Signs) -> list[tuple[str, str]]:
    return [
        (signs.tag, "tagged: what an action is for"),
        (signs.own, "part of nettop's own session: the connection it is looked at through, and what carries it"),
        (signs.ended, "it is no more; stays in sight for a few seconds"),
        (f"{signs.new} {signs.gone} {signs.grown}", "since the mark: new, gone, has moved bytes"),
    ]


def _terms(terms: Sequence[tuple[str, str]], width: int, look: Look) -> Iterable[Pieces]:
    """Terms in one column, their meanings in another, as many lines as these need."""
    column = min(_LONGEST_TERM, max([_SHORTEST_TERM, *(text.cell_width(term) for term, _ in terms)]))
    indent = _GUTTER + column + 2
    for term, meaning in terms:
        lines = textwrap.wrap(meaning, max(20, width - indent - 1), break_on_hyphens=False) or [""]
        if text.cell_width(term) > column:
            yield [piece(" " * _GUTTER + term, look.rx)]
        else:
            yield [piece(" " * _GUTTER + text.fit(term, column) + "  ", look.rx), piece(lines.pop(0), look.text)]
        for line in lines:
            yield [piece(" " * indent + line, look.text)]


class HelpScreen(PageScreen):
    """The help, on the pane one came from."""

    BINDINGS = [
        Binding("tab,n", "chapter(1)", show=False),
        Binding("shift+tab,p", "chapter(-1)", show=False),
    ]

    def __init__(self, main: MainScreen, settings: str) -> None:
        """`settings` is the file they are in, or would be."""
        super().__init__(main.look, "nettop help", list)
        self._main = main
        self._view = main.pane.view
        self._settings = settings
        self._chapters: list[int] = []
        """The lines they begin at."""

    def lines(self) -> Sequence[PageLine]:
        main, look, width = self._main, self.look, self.size.width
        chapters = help_lines(main.offered.values(), self._view, main.latest.health, width, look, main.signs)
        chapters.append(("Settings", list(_terms([(self._settings, "`nettop config` prints one")], width, look))))
        page: list[PageLine] = []
        self._chapters = []
        for title, lines in chapters:
            self._chapters.append(len(page))
            page.append(PageLine([piece(f" {title}", look.strong)]))
            page += map(PageLine, lines)
            page.append(PageLine([]))
        return page

    def foot(self) -> Pieces:
        look = self.look
        keys = (("Esc", "back"), ("Tab", "the next chapter"), ("PgDn PgUp", "scroll"), ("g G", "to the ends"))
        pieces: Pieces = []
        for key, word in keys:
            group = [piece(f" {key}", look.key), piece(f" {word}  ", look.band)]
            if cells(pieces) + cells(group) <= self.size.width:
                pieces += group
        return pieces

    def action_chapter(self, step: int) -> None:
        """To where the next chapter begins, or to where this one or the one before did."""
        top = self.page.top
        starts = [line for line in self._chapters if (line - top) * step > 0]
        if starts:
            self.page.scroll_to_line(min(starts) if step > 0 else max(starts))
