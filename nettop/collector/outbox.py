"""What changed since the last Delta: trackers put rows here, the collector takes Deltas out.

A reader that is slow takes fewer Deltas, and each says the latest only: what waits here is bounded by what exists (and
by `events_kept`), however long it does not read.
"""

from __future__ import annotations

import collections
import itertools
import math
from typing import Any, Deque, Dict, Iterable, Iterator, List, Tuple

from nettop.model import COMPANIONS, TABLES, Change, Delta, Event

EVENTS_KEPT = 5_000
"""Events that wait for the next Delta at most; of more the oldest are skipped, and counted."""


class Outbox:
    """Rows by table and id, the ids that are gone, and events, until `take`."""

    def __init__(self, events_kept: int = EVENTS_KEPT) -> None:
        self._rows: Dict[str, Dict[int, Any]] = {table: {} for table in TABLES}
        self._gone: Dict[str, List[int]] = {table: [] for table in TABLES}
        self._next_id = 1
        self._told = 0  # ids from here on are news to the reader
        self._events: Deque[Event] = collections.deque()
        self._events_kept = events_kept
        self._skipped = 0
        self._first = True

    def new_id(self) -> int:
        """A row id no row of this stream had before, whatever its table."""
        self._next_id += 1
        return self._next_id - 1

    def put(self, table: str, row_id: int, row: Any) -> None:
        """A new or changed row."""
        self._rows[table][row_id] = row

    def put_all(self, table: str, rows: Iterable[Tuple[int, Any]]) -> None:
        self._rows[table].update(rows)

    def drop(self, table: str, row_id: int) -> None:
        """A row and its companions are gone; nothing is said of one that came and went between two Deltas."""
        self._rows[table].pop(row_id, None)
        for companion in COMPANIONS.get(table, ()):
            self._rows[companion].pop(row_id, None)
        if row_id < self._told:
            self._gone[table].append(row_id)

    def add_event(self, event: Event) -> None:
        if len(self._events) >= self._events_kept:
            self._events.popleft()
            self._skipped += 1
        self._events.append(event)

    def __len__(self) -> int:
        """Sockets whose counters wait to be taken: most of what is in here, whenever it is much."""
        return len(self._rows["stats"])

    def take(self, time: float, clock: float, complete: bool = True) -> Delta:
        """Everything since the last one, as one Delta; the first is a key frame. With `complete` it ends the tick."""
        changes: Dict[str, Change] = {}
        for table, rows in self._rows.items():
            gone = self._gone[table]
            if rows or gone:
                changes[table] = Change(rows, gone)
                self._rows[table], self._gone[table] = {}, []
        events, skipped, first = tuple(self._events), self._skipped, self._first
        self._events.clear()
        self._skipped, self._first, self._told = 0, False, self._next_id
        return Delta(first, complete, time, clock, changes, events, skipped)


def parts(delta: Delta, size: int) -> Iterator[Delta]:
    """The same Delta in pieces of at most `size` rows or ids of a table and `size` events, a row's companions beside
    it; the last is complete if all is.

    Reader and writer can do something else in between, and both work on one key frame at the same time."""
    pieces: List[Dict[str, Change]] = [{}]
    for table in TABLES:
        if table in _COMPANIONS:
            continue
        changes = {name: delta.changes[name] for name in (table, *COMPANIONS.get(table, ())) if name in delta.changes}
        ids = list(dict.fromkeys(itertools.chain.from_iterable(change.rows for change in changes.values())))
        if all(len(listed) <= size for listed in (ids, *(change.gone for change in changes.values()))):
            pieces[0].update(changes)  # tables that fit share the first piece
            continue
        for name, (_, gone) in changes.items():
            pieces.extend({name: Change({}, gone[i : i + size])} for i in range(0, len(gone), size))
        pieces_needed = max(1, math.ceil(len(ids) / size))
        even = max(1, math.ceil(len(ids) / pieces_needed))  # 3,100 ids go as 3 x 1,034: a remnant costs as much to pack
        for start in range(0, len(ids), even):
            some = ids[start : start + even]
            pieces.append(
                {name: Change({i: rows[i] for i in some if i in rows}, []) for name, (rows, _) in changes.items()}
            )
    if not pieces[0] and len(pieces) > 1:
        del pieces[0]
    batches = [delta.events[i : i + size] for i in range(0, len(delta.events), size)] or [()]
    told = [()] * (len(pieces) - 1) + batches  # the last rows bring the first events
    pieces.extend({} for _ in batches[1:])
    for place, (some_changes, events) in enumerate(zip(pieces, told)):
        last = place == len(pieces) - 1
        yield Delta(
            delta.key and place == 0,
            delta.complete and last,
            delta.time,
            delta.clock,
            some_changes,
            events,
            delta.events_skipped if last else 0,
        )


_COMPANIONS = frozenset(itertools.chain.from_iterable(COMPANIONS.values()))
