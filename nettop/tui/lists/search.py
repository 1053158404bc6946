"""Looking for rows without hiding the others: which one is next, and what marks those in sight."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from nettop.query import Query, QueryError
from nettop.tui.lists.pace import Pace

FOUND = Style(bold=True, underline=True)
"""On top of the style of what was found: a line below it, whatever the colours."""


class Search:
    """What is looked for, and the way to the row that is wanted next."""

    def __init__(self, query: Query, line: int) -> None:
        """Looks from that line on, and the line itself first."""
        self.query = query
        self._note: str | None = None
        self._start: int | None = line
        self._step = 1
        self._words = _words(query)

    @property
    def wanted(self) -> bool:
        """A row is to be found."""
        return self._start is not None

    def go_on(self, line: int, step: int) -> None:
        """Look on from that line, downwards with a step of 1, upwards with one of -1."""
        self._start, self._step = line + step, step

    def said(self) -> str | None:
        """What there is to say of the last step, once: that it went round, or found nothing."""
        note, self._note = self._note, None
        return note

    def seek(self, ids: Sequence[int], rows: Mapping[int, Any], now: float) -> Generator[None, None, int | None]:
        """The line of the row that is wanted, in slices; None where none is wanted, or none matches."""
        start, step, count = self._start, self._step, len(ids)
        if start is None:
            return None
        self._note = "no row matches what is looked for"
        found, pace = None, Pace()
        try:
            for line in range(start, start + step * count, step):
                if self.query.matches(rows[ids[line % count]], now):
                    found = line % count
                    self._note = _gone_round(line, count)
                    break
                if pace.spent:
                    yield
        except QueryError as error:
            self._note = error.message
        self._start = None
        return found

    def matches(self, row: Any, now: float) -> bool:
        """Whether a row is one that is looked for."""
        try:
            return self.query.matches(row, now)
        except QueryError:  # its regular expression takes too long
            return False

    def marked(self, strip: Strip) -> Strip:
        """The line of a row that matches: the words looked for underlined, or all of it where none is in sight."""
        line = strip.text
        spans = [found.span() for found in self._words.finditer(line) if found[0]] if self._words else []
        return _underlined(strip, spans or [(len(line) - len(line.lstrip()), len(line.rstrip()))])


def _gone_round(line: int, count: int) -> str | None:
    """What to say of a line that is beyond one end of the list."""
    if 0 <= line < count:
        return None
    return "went on from the end" if line < 0 else "went on from the top"


def _words(query: Query) -> re.Pattern[str] | None:
    """What finds its words in a line, smart-case as the filter does."""
    found = [re.escape(word) if word != word.lower() else f"(?i:{re.escape(word)})" for word in query.words if word]
    return re.compile("|".join(found)) if found else None


def _underlined(strip: Strip, spans: Sequence[tuple[int, int]]) -> Strip:
    """The line with what stands between these places, from and to, underlined."""
    segments: list[Segment] = []
    at = 0
    for segment in strip:
        text, end = segment.text, at + len(segment.text)
        cuts = sorted({at, end, *(min(max(cut, at), end) for span in spans for cut in span)})
        for first, last in pairwise(cuts):
            found = any(start <= first and last <= stop for start, stop in spans)
            style = (segment.style or Style()) + FOUND if found else segment.style
            segments.append(Segment(text[first - at : last - at], style))
        at = end
    return Strip(segments, strip.cell_length)
