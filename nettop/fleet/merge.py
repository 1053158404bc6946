"""The rows of several machines as those of one picture.

The rows are those of the machines' own pictures, and the mapping of a view is the one before with what changed; where
nothing did it is the same one. What is copied each time is the table of references, 0.5 ms for 42,000 rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from nettop.fleet.joins import Joins
from nettop.fleet.member import Cut
from nettop.machines import first_number
from nettop.model import Event
from nettop.snapshot import Connection
from nettop.store import EVENTS_KEPT

VIEWS = ("connections", "processes", "namespaces", "containers")
"""Those whose rows are there while their machine is reached. Events stay: that they happened remains true."""
_SLICE = 2000
"""Rows between two places where the caller may do something else: 1 ms."""


class Merger:
    """Follows the pictures of several machines."""

    def __init__(self, joins: Joins, events_kept: int = EVENTS_KEPT) -> None:
        self.rows: dict[str, Mapping[int, Any]] = {view: {} for view in VIEWS}
        """View → its rows by id."""
        self.events: Mapping[int, Event] = {}
        """The last `events_kept`, in the order they were heard of."""
        self.events_total = 0
        self.changed: Mapping[str, Set[int]] = {}
        """View → ids of rows that are new, different or gone, as of the last `take`."""
        self._joins = joins
        self._told: dict[int, int] = {}  # machine → its events that were taken, as `Snapshot.events_total` counts them
        self._events_kept = events_kept

    def take(self, cuts: Sequence[Cut]) -> Iterator[None]:
        """Bring the rows up to the newest pictures, in slices. What is told here changes at the end of it."""
        news = [cut for cut in cuts if cut.now is not cut.before]
        rows, changed = dict(self.rows), dict[str, Set[int]]()
        for view in VIEWS:
            rows[view], changed[view] = yield from self._view(view, news)
        self.events, changed["events"] = self._events(news)
        self.rows, self.changed = rows, changed

    def _view(self, view: str, news: Sequence[Cut]) -> Generator[None, None, tuple[Mapping[int, Any], Set[int]]]:
        before = self.rows[view]
        told = [(cut, _ids(cut, view)) for cut in news]
        if not any(ids for _, ids in told):
            return before, frozenset()
        rows, changed = dict(before), set[int]()
        yield
        for cut, ids in told:
            table: Mapping[int, Any] = getattr(cut.now, view) if cut.now else {}
            for some in _portions(ids):
                for row_id in some:
                    row = table.get(row_id)
                    if row is rows.get(row_id):
                        continue
                    changed.add(row_id)
                    if row is None:
                        del rows[row_id]
                    else:
                        rows[row_id] = row
                yield
        if view == "connections":
            yield from self._retell(before, rows, changed)
        return rows, changed

    def _retell(
        self, before: Mapping[int, Connection], rows: dict[int, Connection], changed: set[int]
    ) -> Iterator[None]:
        """Make the rows anew whose other end, on another machine, is another one now: as `Connections.retell` does
        within one."""
        touched: set[int] = set()
        for some in _portions(list(changed) if self._joins.asked else ()):
            for row_id in some:
                touched |= self._joins.touched(before.get(row_id), rows.get(row_id))
            yield
        for row_id in touched:
            if row_id in rows and row_id not in changed:
                rows[row_id] = Connection._make(rows[row_id])
                changed.add(row_id)

    def _events(self, news: Sequence[Cut]) -> tuple[Mapping[int, Event], Set[int]]:
        """The events there are now, and which of them come or go."""
        fresh: dict[int, Event] = {}
        for number, _, now, _ in news:
            if now is not None:
                told = self._told.get(number, first_number(number))
                later = itertools.takewhile(told.__le__, reversed([*now.events]))
                fresh.update((each, now.events[each]) for each in reversed([*later]))
                self.events_total += now.events_total - told
                self._told[number] = now.events_total
        if not fresh:
            return self.events, frozenset()
        events = {**self.events, **fresh}
        old = list(itertools.islice(events, max(0, len(events) - self._events_kept)))
        for each in old:
            del events[each]
        return events, fresh.keys() ^ set(old)


def _ids(cut: Cut, view: str) -> Set[int]:
    """Of the rows that may be others than in the picture before."""
    if cut.before is None or cut.now is None:
        rows: Mapping[int, Any] = getattr(cut.now or cut.before, view)
        return rows.keys()
    return cut.changed.get(view, frozenset())


def _portions(ids: Iterable[int]) -> Iterator[list[int]]:
    waiting = iter(ids)
    while some := list(itertools.islice(waiting, _SLICE)):
        yield some
