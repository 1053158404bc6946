"""Pictures in, series out: what each thing has counted since the picture before goes to the series of its name.

Work is in proportion to what changed, as in the store. The counters of a thing begin with what its first picture says,
so that they are what the plain views print. After a key frame, when a collector was started again, things are the same
and their numbers are new: the series go on from where they stood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from nettop.export.listeners import Endpoint, Listeners
from nettop.export.metrics import (
    CONTAINER,
    HOST,
    LISTENER,
    NAMESPACE,
    PROGRAM,
    SCOPES,
    UNIT,
    Labels,
    Scope,
    program,
)
from nettop.export.series import Table, moved
from nettop.snapshot import EMPTY, Connection, Snapshot

SETTLING = 30.0
"""Seconds within which a thing may get its proper name: runtimes are asked, owners are looked for."""
_MICRO = 1e-6


class _Thing(NamedTuple):
    """What is known of one thing that counts."""

    labels: Labels
    values: tuple[float | None, ...]
    """Its counters, as of its last change."""
    since: float
    """When it was first seen, in seconds since the epoch."""


class Book:
    """The things of one scope, and their series."""

    def __init__(self, scope: Scope, most: int) -> None:
        """At most `most` names get series of their own."""
        self.scope = scope
        self.table = Table(len(scope.labels), len(scope.counters), most)
        self._things: dict[Hashable, _Thing] = {}
        self._nothing = (None,) * len(scope.counters)

    def labels(self, id_: Hashable) -> Labels | None:
        """Those of a thing; None of one that is not told of."""
        thing = self._things.get(id_)
        return thing.labels if thing else None

    @property
    def unnamed(self) -> int:
        """Names of things that have no series of their own."""
        return len({thing.labels for thing in self._things.values()} - self.table.named.keys() - {()})

    def take(self, rows: Mapping[Any, Any], ids: Iterable[Hashable], now: float, anew: bool) -> None:
        """Count what the things of these ids have done since the last call; `anew`: counting begins with what they say
        now."""
        if anew:
            self._things.clear()
        moving: dict[Labels, float] = {}
        done: list[tuple[Labels, list[float | None]]] = []
        for id_ in ids:
            before = self._things.get(id_)
            thing = self._read(rows.get(id_), before, now)
            if thing is None:
                self._things.pop(id_, None)
                continue
            self._things[id_] = thing
            start = thing.values if anew else before.values if before else self._nothing
            differences = list(map(_difference, thing.values, start))
            moving[thing.labels] = moving.get(thing.labels, 0.0) + moved(differences)
            done.append((thing.labels, differences))
        self.table.welcome(moving, now)
        for labels, differences in done:
            self.table.of(labels).add(differences, now)
        if self.table.due(now):
            self.table.review({thing.labels for thing in self._things.values()}, now)

    def _read(self, row: Any, before: _Thing | None, now: float) -> _Thing | None:
        """A thing as it is now; None where it is gone, or not told of. One that was told of remains so: what it passes
        on is taken back from it."""
        if row is None:
            return None
        labels = self.scope.of(row)
        if labels is None:
            if before is None:
                return None
            labels = before.labels
        if before and labels != before.labels and self.scope.settles and now - before.since <= SETTLING:
            self.table.rename(before.labels, labels, now)
        values = tuple([metric.get(row) for metric in self.scope.counters])
        return _Thing(labels, values, before.since if before else now)


class _Where(NamedTuple):
    """What a connection belongs to."""

    belongs: int | None
    comm: str | None
    netns: int
    listener: Endpoint | None


class Account:
    """All series, as of the last picture."""

    def __init__(self, most: int) -> None:
        """At most `most` names of a scope get series of their own."""
        self.snapshot = EMPTY
        self.pictures = 0
        self.books = {scope.name: Book(scope, most) for scope in SCOPES}
        """By the name of the scope."""
        self._listeners = Listeners()
        self._namespaces: dict[int, int] = {}  # inode → row

    def take(self, snapshot: Snapshot) -> None:
        """Count what happened since the picture before; none may be left out, but for those before a key frame."""
        first = not self.pictures
        anew = snapshot.interval is None and not first
        known: Mapping[int, Connection] = self.snapshot.connections
        if anew:
            self._listeners, known = Listeners(), {}
        self._namespaces = {row.namespace.netns: row_id for row_id, row in snapshot.namespaces.items()}
        changed = snapshot.connections if first or anew else snapshot.changed.get("connections", ())
        touched = self._listeners.take(known, snapshot.connections, changed)
        self.snapshot = snapshot
        self.pictures += 1
        for book in self.books.values():
            things, view = self.things(book.scope), book.scope.view
            ids = touched if view == "listeners" else things if first or anew else snapshot.changed.get(view, things)
            book.take(things, ids, snapshot.time, anew)
        self._observe(changed)

    def things(self, scope: Scope) -> Mapping[Any, Any]:
        """All that the last picture tells of in this scope, by id; what has ended a moment ago included."""
        if scope.view == "host":
            return {0: self.snapshot}
        if scope.view == "listeners":
            return self._listeners.rows
        things: Mapping[int, Any] = getattr(self.snapshot, scope.view)
        return things

    def states(self) -> Mapping[str, Mapping[tuple[Labels, str], int]]:
        """TCP sockets of the last picture: name of the scope → (labels as shown, state) → how many."""
        found: Counter[tuple[_Where, str]] = Counter(
            [
                (self._where(row), row.stats.state)
                for row in self.snapshot.connections.values()
                if row.socket.proto == "tcp" and not row.ended
            ]
        )
        counts: dict[str, Counter[tuple[Labels, str]]] = {name: Counter() for name in self.books}
        for (where, state), many in found.items():
            for book, labels in self._told(where):
                counts[book.scope.name][book.table.shown(labels), state] += many
        return counts

    def _observe(self, changed: Iterable[int]) -> None:
        for row_id in changed:
            row = self.snapshot.connections.get(row_id)
            if row is not None and row.stats.rtt is not None and (row.rx_rate or row.tx_rate):
                seconds = row.stats.rtt * _MICRO
                for book, labels in self._told(self._where(row)):
                    book.table.of(labels).observe(seconds)

    def _where(self, row: Connection) -> _Where:
        comm = row.process.comm if row.process else None
        return _Where(row.belongs, comm, row.socket.netns, self._listeners.of(row))

    def _told(self, where: _Where) -> Iterator[tuple[Book, Labels]]:
        """Every scope that tells of a connection there, and its labels in it."""
        yield self.books[HOST.name], ()
        for scope, id_ in (
            (CONTAINER, where.belongs),
            (UNIT, where.belongs),
            (NAMESPACE, self._namespaces.get(where.netns)),
            (LISTENER, where.listener),
        ):
            book = self.books[scope.name]
            labels = None if id_ is None else book.labels(id_)
            if labels is not None:
                yield book, labels
        if where.comm is not None:
            yield self.books[PROGRAM.name], program(where.comm)


def _difference(new: float | None, old: float | None) -> float | None:
    """What was added; None where nothing is, or was, known."""
    return None if new is None and old is None else (new or 0) - (old or 0)
