"""What pages of details are built of: headings, facts, figures, paragraphs, and blocks side by side.

A block is a list of lines for a given width. Nothing here knows what it shows; whatever comes from the machine must
have gone through `format.safe` before.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style

from nettop import format as text
from nettop.tui.dialogs.page import Link, PageLine
from nettop.tui.drawing.line import Pieces, cells, piece
from nettop.tui.drawing.theme import Look, Signs

WIDE = 100
"""Columns from which two blocks stand side by side."""

_LABEL = 12
_NUMBER = 7
_UNIT = 5
_GUTTER = 3
_WORDS = re.compile(r" +|[0-9][0-9.,]* [kMGTPE]?B\b[^ ]*|[^ ]+")  # a figure stays with its unit

Block = list[PageLine]


class Fact(NamedTuple):
    """A label, what it is, and a remark."""

    label: str
    value: str
    note: str = ""
    target: Hashable | None = None
    """What the value leads to."""
    style: Style | None = None


class Figure(NamedTuple):
    """A label, a number with its unit, and what it means."""

    label: str
    number: str
    unit: str = ""
    words: str = ""
    style: Style | None = None


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a block is drawn on: so many columns, in these styles and signs."""

    width: int
    look: Look
    signs: Signs

    @property
    def wide(self) -> bool:
        """There is room for two blocks side by side."""
        return self.width >= WIDE

    def halves(self) -> tuple[Canvas, Canvas]:
        """Two canvases side by side where there is room, else twice the whole."""
        if not self.wide:
            return self, self
        left = (self.width - _GUTTER) // 2
        return replace(self, width=left), replace(self, width=self.width - _GUTTER - left)

    def beside(self, left: Block, right: Block) -> Block:
        """Two blocks drawn on `halves`: side by side, or the second below the first."""
        if not self.wide:
            return [*left, *right]
        at = (self.width - _GUTTER) // 2 + _GUTTER
        lines = []
        for y in range(max(len(left), len(right))):
            pieces, links = left[y] if y < len(left) else PageLine([])
            pieces = [*pieces, piece(" " * (at - cells(pieces)), self.look.text)]
            if y < len(right):
                pieces += right[y].pieces
                links += tuple(Link(link.target, link.start + at, link.end + at) for link in right[y].links)
            lines.append(PageLine(pieces, links))
        return lines

    def heading(self, title: str, note: str = "") -> Block:
        """An empty line and a title with a rule; beside it a remark."""
        look, rule = self.look, self.signs.rule
        pieces = [piece(f" {rule}{rule} ", look.dim), piece(title, look.strong)]
        if note:
            room = max(0, self.width - cells(pieces) - 5)
            pieces.append(piece(f"  {text.fit(note, min(room, text.cell_width(note)))}", look.dim))
        pieces.append(piece(" " + rule * max(0, self.width - cells(pieces) - 2), look.dim))
        return [PageLine([]), PageLine(pieces)]

    def facts(self, facts: Iterable[Fact]) -> Block:
        """Labels and values below each other; what is too long goes on in the next line, under its beginning."""
        block: Block = []
        start = _LABEL + 2
        for fact in facts:
            style = fact.style or (self.look.strong if fact.value != text.UNKNOWN else self.look.dim)
            flowing = [piece(fact.value, style)]
            if fact.note:
                flowing.append(piece(f"  {fact.note}", self.look.dim))
            first, *others = flow(flowing, self.width - start - 1) or [[]]
            end = min(start + text.cell_width(fact.value), self.width)
            links = () if fact.target is None else (Link(fact.target, start, end),)
            block.append(PageLine([self._label(fact.label), *first], links))
            block += [PageLine([piece(" " * start, self.look.text), *line]) for line in others]
        return block

    def figures(self, figures: Iterable[Figure]) -> Block:
        """Labels and numbers, aligned where the unit begins, each followed by what it means."""
        block: Block = []
        for figure in figures:
            style = figure.style or (self.look.strong if figure.number != text.UNKNOWN else self.look.dim)
            number = [
                piece(f"{figure.number:>{_NUMBER}}", style),
                piece(f" {figure.unit:<{_UNIT}} ", self.look.dim),
            ]
            indent = _LABEL + 2 + cells(number)
            lines = flow([piece(figure.words, self.look.text)], max(10, self.width - indent - 1)) or [[]]
            block.append(PageLine([self._label(figure.label), *number, *lines[0]]))
            block += [PageLine([piece(" " * indent, self.look.text), *line]) for line in lines[1:]]
        return block

    def paragraph(self, sentence: str, style: Style, indent: int = 1) -> Block:
        """A sentence in as many lines as it takes."""
        return self.flowing([piece(sentence, style)], indent)

    def warning(self, sentence: str) -> Block:
        """A sentence to worry about, with a sign before it."""
        first, *others = self.paragraph(sentence, self.look.warning, 3)
        return [PageLine([piece(f" {self.signs.warning} ", self.look.warning), *first.pieces[1:]]), *others]

    def flowing(self, pieces: Pieces, indent: int) -> Block:
        """Pieces in as many lines as they take."""
        margin = piece(" " * indent, self.look.text)
        return [PageLine([margin, *line]) for line in flow(pieces, self.width - indent - 1)]

    def _label(self, label: str) -> Segment:
        return piece(f" {text.fit(label, _LABEL)} ", self.look.dim)


def flow(pieces: Iterable[Segment], width: int) -> list[Pieces]:
    """The pieces as lines of at most that many cells, broken at blanks, and within a word only where it must be."""
    lines: list[Pieces] = []
    line: Pieces = []
    room = width
    for run, style, _ in pieces:
        for found in _WORDS.finditer(run):
            word = found.group()
            size = text.cell_width(word)
            if word[0] == " ":
                if room < width:
                    _append(line, word[:room], style)
                    room -= min(size, room)
                continue
            if size > room and room < width and (size <= width or room < width // 3):
                lines.append(line)
                line, room = [], width
            while size > room:
                cut = _cut(word, room) or room // width  # one character at least, on a line of its own
                if cut:
                    _append(line, word[:cut], style)
                lines.append(line)
                line, room, word = [], width, word[cut:]
                size = text.cell_width(word)
            _append(line, word, style)
            room -= size
    return [*lines, line] if line else lines


def _append(line: Pieces, run: str, style: Style | None) -> None:
    if line and line[-1].style is style:
        line[-1] = Segment(line[-1].text + run, style)
    else:
        line.append(Segment(run, style))


def _cut(word: str, room: int) -> int:
    """How many characters fit."""
    used = 0
    for index, character in enumerate(word):
        used += text.cell_width(character)
        if used > room:
            return index
    return len(word)
