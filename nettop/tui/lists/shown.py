"""The rows of a list as they are shown, and where one is among them: cursor, window, tags, what stands beside a row."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from nettop.tui.drawing.trim import PLAIN, Trim
from nettop.tui.lists.marks import Since, has_ended
from nettop.tui.lists.tree import Arranged

HOLD = 3.0
"""Seconds the order holds after the cursor moved, so that rows do not run away from it."""


class Shown:
    """Rows in an order. The cursor, tags and the row one follows belong to rows, not to lines."""

    def __init__(self, *, log: bool = False) -> None:
        """The rows of a `log` never change places: new ones come in above and move nothing on the screen."""
        self.rows: Mapping[int, Any] = {}
        """Every row of the view in the picture shown, and those kept from the mark."""
        self.now = 0.0
        """The time of that picture, in seconds since the epoch."""
        self.ids: list[int] = []
        """The rows shown, in the order shown."""
        self.arranged: Arranged | None = None
        """The tree that is shown; None while it is a list."""
        self.cursor: int | None = None
        """Id of the row under the cursor; None until one moves: the cursor is on the first row, whichever it is."""
        self.line = 0
        """Index of the cursor in `ids`."""
        self.top = 0
        """Index in `ids` of the first row on the screen."""
        self.scrolled = 0
        """Columns that are out of sight to the left."""
        self.hold = False
        """Asked by the user to leave the order alone."""
        self.tags: dict[int, None] = {}
        """Ids of the rows one has tagged, shown or not."""
        self.followed: int | None = None
        """Id of the row the cursor is bound to until one moves; it comes back to it when the row does."""
        self._log = log
        self._held_until = 0.0
        self._live: Mapping[int, Any] = {}  # of `rows`, without those kept from the mark
        self._since: Since | None = None
        self._passing: dict[int, None] = {}  # a set of 42,000 would be three times as large

    # --- rows ---

    @property
    def row(self) -> Any | None:
        """The row under the cursor."""
        return self.rows.get(self.ids[self.line]) if self.ids else None

    def drawn(self, row_id: int) -> Any:
        """What is shown for a row: itself, or the sums over what is folded below it."""
        summed = self.arranged.summed.get(row_id) if self.arranged else None
        return summed or self.rows[row_id]

    def trim(self, row_id: int) -> Trim:
        """What the row wears besides its values."""
        row, arranged = self.rows[row_id], self.arranged
        change = self._since.change(row_id, row, self._live) if self._since else None
        ended = has_ended(row)
        sign = "tag" if row_id in self.tags else change or ("ended" if ended else "")
        faint = ended or change == "gone"
        if arranged:
            faint = faint or row_id not in self._passing
            return Trim(sign, arranged.guides[row_id], arranged.counts.get(row_id, 0), faint)
        return Trim(sign, dim=faint) if sign else PLAIN

    @property
    def notes(self) -> list[str]:
        """What one has to know of the list beside its filter and order."""
        notes = []
        if self.tags:
            notes.append(f"{len(self.tags)} tagged")
        if self.followed is not None:
            notes.append(
                "following" if self._showing(self.followed) is not None else "following a row that is not here"
            )
        if self.arranged:
            notes.append("tree")
        return notes

    # --- tags ---

    def chosen(self) -> list[Any]:
        """What an action is for: the tagged rows, those in sight first, else the one under the cursor."""
        if not self.tags:
            return [] if self.row is None else [self.row]
        in_sight = [row_id for row_id in self.ids if row_id in self.tags]
        return [self.rows[row_id] for row_id in dict.fromkeys((*in_sight, *self.tags))]

    def tag(self, ids: Iterable[int]) -> None:
        """Tag these rows; where all of them are, take their tags away."""
        wanted = dict.fromkeys(ids)
        if wanted.keys() <= self.tags.keys():
            self.tags = {row_id: None for row_id in self.tags if row_id not in wanted}
        else:
            self.tags.update(wanted)

    # --- the cursor ---

    @property
    def held(self) -> bool:
        """Rows stay where they are for now, whatever their values."""
        loose = not self._log and self.followed is None
        return self.hold or (loose and time.monotonic() < self._held_until)

    def move(self, lines: int) -> None:
        """Move the cursor that many rows, as far as there are any."""
        self.move_to(self.line + lines)

    def move_to(self, line: int) -> None:
        """Move the cursor to that index, or the nearest there is; it follows no row any more."""
        if not self.ids:
            return
        self.line = max(0, min(line, len(self.ids) - 1))
        # at the top of a log the newest come in
        self.cursor = None if self._log and not self.line else self.ids[self.line]
        self.followed = None
        self._held_until = time.monotonic() + HOLD

    def follow(self) -> None:
        """Bind the cursor to its row, or let it go."""
        if self.followed is not None or not self.ids:
            self.followed = None
        else:
            self.cursor = self.followed = self.ids[self.line]

    def scroll(self, height: int) -> None:
        """Bring the cursor into a window of that many rows, moving the window as little as possible."""
        last = max(0, len(self.ids) - height)
        self.top = max(0, min(self.top, self.line, last), min(self.line - height + 1, last))

    def _find_cursor(self) -> None:
        """Put the cursor onto its row; where that is folded away, onto the one that shows it; where it is gone, onto
        the one now on its line."""
        line = self.line
        wanted = self._showing(self.followed)
        if wanted is None:
            wanted = self._showing(self.cursor)
        if wanted is not None:
            self.line, self.cursor = self.ids.index(wanted), wanted
        elif self.cursor is None or not self.ids:
            self.line, self.cursor = 0, None
        else:
            self.line = min(line, len(self.ids) - 1)
            self.cursor = self.ids[self.line]
        if self._log and self.cursor is not None:
            self.top += self.line - line

    def _showing(self, row_id: int | None) -> int | None:
        """The row on the screen that shows a row: itself, or the one it is folded into; None where it is not here."""
        arranged = self.arranged
        if row_id is None or arranged is None:
            return row_id if row_id in self._passing else None
        return row_id if row_id in arranged.guides else arranged.inside.get(row_id)
