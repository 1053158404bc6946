"""Many Deltas as one: what they say in the end.

Who comes late, or was not listened to for a while, is told that instead of all that was said before.
"""

from __future__ import annotations

import collections
import itertools
from typing import Any, Deque, Dict, List, Optional, Tuple

from nettop.model import COMPANIONS, TABLES, Change, Delta, Event, Process

FORMER = 2_000
"""Processes that are over, until it is asked which of them sockets still name."""
MAX_ROWS = 1_000_000
"""Of one table, or ids that are gone; a stream that claims more is not believed."""


class FoldError(ValueError):
    """The Deltas cannot be made one; says why."""


class Fold:
    """Takes Deltas, and gives the one that says the same."""

    def __init__(self, events_kept: int) -> None:
        """It holds the last `events_kept` events."""
        self.told = 0
        """Events so far."""
        self.tables: Dict[str, Dict[int, Any]] = {name: {} for name in TABLES}
        """Rows as of the last Delta: after a key frame, all there are."""
        self._gone: Dict[str, List[int]] = {name: [] for name in TABLES}
        self._former: Dict[int, Process] = {}  # not listed any more
        self._events: Deque[Event] = collections.deque(maxlen=events_kept)
        self._skipped = 0
        self._key = False
        self._last: Optional[Delta] = None

    def take(self, delta: Delta) -> None:
        """One more; raises FoldError where the rows become too many."""
        if delta.key:
            self._key = True
            for name, rows in self.tables.items():
                rows.clear()
                self._gone[name].clear()
            self._former.clear()
        for name, (rows, gone) in delta.changes.items():
            table = self.tables[name]
            for row_id in gone:
                row = table.pop(row_id, None)
                if name == "processes" and row is not None:
                    self._former[row_id] = row
                for companion in COMPANIONS.get(name, ()):
                    self.tables[companion].pop(row_id, None)
            if not self._key:  # after a key frame everything is said, and what is gone need not be
                self._gone[name].extend(gone)
            table.update(rows)
            if len(table) > MAX_ROWS or len(self._gone[name]) > MAX_ROWS:
                raise FoldError(f"it claims more than {MAX_ROWS:,} {name}")
        if len(self._former) > FORMER:
            self._former = self._named()
        self._events.extend(delta.events)
        self.told += len(delta.events)
        self._skipped += delta.events_skipped
        self._last = delta

    @property
    def events_dropped(self) -> int:
        """How many are not held any more."""
        return self.told - len(self._events)

    def events_since(self, told: int) -> Tuple[Event, ...]:
        """Those after the first `told`, as far as they are held."""
        return tuple(itertools.islice(self._events, max(0, told - self.events_dropped), None))

    def delta(self) -> Delta:
        """What they say: a key frame if there was one among them, else what changed. Raises FoldError where there was
        none at all. It shares its rows with this object: use it up before the next `take`."""
        if self._last is None:
            raise FoldError("nothing was told")
        changes = {
            name: Change(rows, self._gone[name]) for name, rows in self.tables.items() if rows or self._gone[name]
        }
        if self._key and self._former:
            self._former = self._named()
            told = {**self.tables["processes"], **self._former}
            changes["processes"] = Change(told, self._gone["processes"])
        last, skipped = self._last, self._skipped + self.events_dropped
        return Delta(self._key, last.complete, last.time, last.clock, changes, tuple(self._events), skipped)

    def _named(self) -> Dict[int, Process]:
        """Processes that are not listed any more, and that sockets name still: see `model.Process`."""
        pids = {holder.pid for row in self.tables["owners"].values() for holder in row.holders}
        return {row_id: row for row_id, row in self._former.items() if row.pid in pids}
