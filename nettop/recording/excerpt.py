"""The part of a stream that a filter asks for: connections that match, and what they need to be understood.

That is their processes with their events, their namespaces with the interfaces, their containers, and the machine's own
figures; sums over all connections of a process are those over the ones that are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nettop.collector.outbox import parts
from nettop.model import COMPANIONS, Change, Delta, Event
from nettop.query import Query
from nettop.snapshot import Snapshot
from nettop.store import Store

Tables = Mapping[str, Mapping[int, Any]]

_LATER = frozenset(name for names in COMPANIONS.values() for name in names)
"""Tables whose rows go with those of another one."""


class Excerpt:
    """What was told of it so far, and what is to be told next."""

    def __init__(self, query: Query) -> None:
        """`query` is over connections."""
        self._query = query
        self._told: Tables = {}
        self._before: Tables = {}
        self._now = self._moment = (0.0, 0.0)  # times and clocks of these two
        self._events_total = 0

    def next(self, store: Store, delta: Delta) -> Delta:
        """What is new in the picture that the store has just completed by that Delta; everything, where a stream began
        with it. Raises QueryError where the filter takes too long."""
        snapshot = store.snapshot
        first = snapshot.interval is None
        if first:
            self._told = {}
        tables = self._tables(store)
        changes = {}
        for name, rows in tables.items():
            before = self._told.get(name, {})
            news = {row_id: row for row_id, row in rows.items() if before.get(row_id) != row}
            gone = [] if name in _LATER else [row_id for row_id in before if row_id not in rows]
            if news or gone:
                changes[name] = Change(news, gone)
        self._before, self._told = self._told, tables
        self._moment, self._now = self._now, (delta.time, delta.clock)
        return Delta(first, True, delta.time, delta.clock, changes, self._events(snapshot, tables), 0)

    def key_frame(self, size: int) -> Iterator[Delta]:
        """All that had been told before the last `next`, in parts of at most so many rows."""
        changes = {name: Change(dict(rows), []) for name, rows in self._before.items() if rows}
        yield from parts(Delta(True, True, *self._moment, changes, (), 0), size)

    def _tables(self, store: Store) -> Tables:
        """What of all that is known belongs to connections that match."""
        snapshot = store.snapshot
        rows = self._query.filter(list(snapshot.connections.values()), snapshot.time)
        holders = {owner.process for row in rows for owner in row.owners}
        known = store.tables(row.id for row in rows)
        processes = {i: row for i, row in known["processes"].items() if row.key in holders}
        namespaces = {row.socket.netns for row in rows} | {row.netns for row in processes.values()}
        cgroups = {row.socket.cgroup for row in rows if not row.owners}
        places = {i: row for i, row in known["cgroups"].items() if row.cgroup in cgroups}
        containers = {row.belongs for row in processes.values()} | {row.container for row in places.values()}
        kept: dict[str, set[int]] = {
            "containers": containers,
            "namespaces": {i for i, row in known["namespaces"].items() if row.netns in namespaces},
            "processes": set(processes),
            "interfaces": {i for i, row in known["interfaces"].items() if row.netns in namespaces},
        }
        tables = dict(known)
        for name, ids in kept.items():
            for each in (name, *COMPANIONS[name]):
                tables[each] = {row_id: known[each][row_id] for row_id in ids if row_id in known[each]}
        return {**tables, "cgroups": places}

    def _events(self, snapshot: Snapshot, tables: Tables) -> tuple[Event, ...]:
        """Those since the last time of processes that are kept."""
        pids = {process.pid for process in tables["processes"].values()}
        since, self._events_total = self._events_total, snapshot.events_total
        return tuple(event for number, event in snapshot.events.items() if number >= since and event.pid in pids)
