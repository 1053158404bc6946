"""Connection rows: sockets, stats and owners joined with their process and namespace, with rates."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nettop.model import (
    CLOSED,
    NO_OWNERS,
    Change,
    Closed,
    Datagrams,
    Namespace,
    Nat,
    Owners,
    Socket,
    SocketStats,
)
from nettop.snapshot import Connection, Place
from nettop.store.limits import limit
from nettop.store.peers import Abroad, Peers
from nettop.store.processes import Processes
from nettop.store.sums import Ledger

Moved = tuple[int, int, int]
"""Bytes received and sent, and segments sent again, since the last picture."""

_STILL: Moved = (0, 0, 0)
_UNKNOWN = (None, None, None)
_NO_RATES = (0.0, 0.0, 0.0)
_NOTHING: Change = Change({}, [])


class Connections:
    """Every socket of the machine; rebuilds the rows that a Delta touches, and no others."""

    def __init__(
        self,
        ledger: Ledger,
        processes: Processes,
        namespace_of: Callable[[int], Namespace | None],
        place_of: Callable[[int | None], Place | None],
        abroad: Abroad | None = None,
    ) -> None:
        """`place_of` tells what a cgroup belongs to, `abroad` who is at the other end on another machine."""
        self.rows: dict[int, Connection] = {}
        self.changed: set[int] = set()
        """Rows new, different or gone since `close_picture`."""
        self.moved: dict[int, Moved] = {}
        """What moved since then, of the rows that did."""
        self.peers = Peers(self.rows, abroad)
        self._ledger = ledger
        self._processes = processes
        self._namespace_of = namespace_of
        self._place_of = place_of
        # what a Delta said of rows not rebuilt since; of all others it stands in the row itself, once
        self._sockets: dict[int, Socket] = {}
        self._stats: dict[int, SocketStats] = {}
        self._owners: dict[int, Owners] = {}
        self._nat: dict[int, Nat] = {}
        self._datagrams: dict[int, Datagrams] = {}
        self._closed: dict[int, Closed] = {}
        self._shown: Mapping[int, Connection] = {}  # the rows of the last picture
        self._restless: set[int] = set()  # rows that differ in the next picture even if nothing moves
        self._due: set[int] = set()  # of the last picture, those not rebuilt yet
        self._held: dict[int, dict[int, None]] = {}  # pid → rows it holds; a dict is half as large as a set

    def take(self, changes: Mapping[str, Change]) -> set[int]:
        """Note a Delta's rows; the ids whose rows must be rebuilt. Rows of sockets that are gone go."""
        sockets = changes.get("sockets", _NOTHING)
        for row_id in sockets.gone:
            self._drop(row_id)
        self._sockets.update(sockets.rows)
        self._stats.update(changes.get("stats", _NOTHING).rows)
        self._owners.update(changes.get("owners", _NOTHING).rows)
        self._nat.update(changes.get("nat", _NOTHING).rows)
        self._datagrams.update(changes.get("datagrams", _NOTHING).rows)
        self._closed.update(changes.get("closed", _NOTHING).rows)
        return {*self._sockets, *self._stats, *self._owners, *self._nat, *self._datagrams, *self._closed}

    def held_by(self, pids: Iterable[int]) -> set[int]:
        """Ids of the rows that show one of these processes."""
        return {row_id for pid in pids for row_id in self._held.get(pid, ())}

    def names(self, pid: int) -> bool:
        """A row shows the process with that pid, or another one that had it."""
        return pid in self._held

    def inside(self, namespaces: set[int]) -> set[int]:
        """Ids of the rows that show one of these namespaces."""
        if not namespaces:
            return set()
        return {row_id for row_id, row in self.rows.items() if row.socket.netns in namespaces}

    def placed(self, cgroups: set[int]) -> set[int]:
        """Ids of the rows without a process that are in one of these cgroups."""
        if not cgroups:
            return set()
        return {i for i, row in self.rows.items() if row.process is None and row.socket.cgroup in cgroups}

    def restless(self) -> set[int]:
        """Ids whose rows change with the picture although no Delta touched them: what moved and now stands still."""
        return set(self._due)

    def rebuild(self, ids: Iterable[int], elapsed: float | None) -> None:
        """Make the rows of these ids anew; `elapsed` seconds after the last picture, None where there was none."""
        for row_id in ids:
            self._due.discard(row_id)
            old = self.rows.get(row_id)
            new = self._join(row_id, old, elapsed)
            if new is None or (old is not None and new == old):
                continue
            shown = self._shown.get(row_id)
            if shown is not None and shown is not old and new == shown:
                new = shown  # changed and changed back: nothing to repaint
            self.rows[row_id] = new
            self.changed.add(row_id)
            self._ledger.replace(old, new)
            self.peers.replace(old, new)
            if old is None or old.owners is not new.owners:
                self._index(row_id, old, new)

    def retell(self) -> None:
        """Make the rows anew whose peer is another one, or held by somebody else: they say so by themselves, but who
        has painted them must know."""
        for row_id in self.peers.take_touched() & self.rows.keys():
            self.rows[row_id] = Connection._make(self.rows[row_id])
            self.changed.add(row_id)

    def tables(self, ids: Iterable[int]) -> Mapping[str, Mapping[int, Any]]:
        """What Deltas told of the sockets of these rows and is true still, by table and row id."""
        rows = {row_id: self.rows[row_id] for row_id in ids}
        return {
            "sockets": {row_id: row.socket for row_id, row in rows.items()},
            "stats": {row_id: row.stats for row_id, row in rows.items()},
            "owners": {row_id: Owners(row.owner_by, row.owners) for row_id, row in rows.items()},
            "closed": {row_id: Closed(row.closed) for row_id, row in rows.items() if row.closed is not None},
            "nat": {row_id: row.nat for row_id, row in rows.items() if row.nat is not None},
        }

    def close_picture(self, shown: Mapping[int, Connection]) -> None:
        """The picture shows these rows; what changes from here on belongs to the next."""
        self.changed, self.moved = set(), {}
        self._shown = shown
        self._due, self._restless = self._restless, set()

    def _join(self, row_id: int, old: Connection | None, elapsed: float | None) -> Connection | None:
        """The row of an id; None where a Delta contradicts itself and leaves out what a row needs."""
        socket = self._sockets.pop(row_id, None) or (old.socket if old else None)
        stats = self._stats.pop(row_id, None) or (old.stats if old else None)
        told = self._owners.pop(row_id, None)
        if told is not None:
            owner_by, owners = told
        else:
            owner_by, owners = (old.owner_by, old.owners) if old else NO_OWNERS
        nat, closed = (old.nat, old.closed) if old else (None, None)
        if row_id in self._nat:
            told_nat = self._nat.pop(row_id)
            nat = told_nat if told_nat.remote is not None else None
        if row_id in self._closed:
            closed = self._closed.pop(row_id).time
        if socket is None or stats is None:
            return None
        if socket.proto == "udp":
            stats = self._counted(row_id, stats, old)
        shown = self._shown.get(row_id)
        before = shown.stats if shown is not None else None
        if stats is not before and (elapsed or stats.recvq or stats.sendq):  # a queue that stays shows by not moving
            self._restless.add(row_id)
        young = socket.since is not None or closed is not None
        rx_rate, tx_rate, retrans_rate = self._rates(row_id, young, stats, before, elapsed)
        process, *others = map(self._processes.of, owners or (None,))
        if process is None and owners and _former(owner_by, stats):
            process = self._processes.former(owners[0])
        return _connection(
            (
                row_id,
                socket,
                stats,
                owners,
                owner_by,
                process,
                tuple(others),
                self._namespace_of(socket.netns),
                rx_rate,
                tx_rate,
                retrans_rate,
                limit(before, stats),
                nat,
                self.peers,
                closed,
                self._place_of(socket.cgroup) if process is None else None,
            )
        )

    def _counted(self, row_id: int, stats: SocketStats, old: Connection | None) -> SocketStats:
        """The stats of a UDP socket with the bytes that connection tracking counts for it."""
        told = self._datagrams.pop(row_id, None)
        if told is not None:
            return stats._replace(**told._asdict())
        if stats.rx_bytes is not None or old is None or old.stats.rx_bytes is None:
            return stats
        before = old.stats
        return stats._replace(
            rx_bytes=before.rx_bytes,
            tx_bytes=before.tx_bytes,
            rx_packets=before.rx_packets,
            tx_packets=before.tx_packets,
        )

    def _rates(
        self, row_id: int, young: bool, stats: SocketStats, before: SocketStats | None, elapsed: float | None
    ) -> tuple[float | None, float | None, float | None]:
        if not elapsed:  # a picture without an interval, whose rates nobody looks at
            return _NO_RATES if stats.rx_bytes is not None and stats.tx_bytes is not None else _UNKNOWN
        moved = _moved(before, stats, young)
        if moved is None or moved == _STILL:
            self.moved.pop(row_id, None)
            return _UNKNOWN if moved is None else _NO_RATES
        self.moved[row_id] = moved
        return moved[0] / elapsed, moved[1] / elapsed, moved[2] / elapsed

    def _index(self, row_id: int, old: Connection | None, new: Connection | None) -> None:
        for owner in old.owners if old else ():
            held = self._held.get(owner.pid)
            if held is not None:
                held.pop(row_id, None)
                if not held:
                    del self._held[owner.pid]
        for owner in new.owners if new else ():
            held = self._held.get(owner.pid)
            if held is None:
                held = self._held[owner.pid] = {}
            held[row_id] = None

    def _drop(self, row_id: int) -> None:
        for table in (self._sockets, self._stats, self._owners, self._nat, self._datagrams, self._closed, self.moved):
            table.pop(row_id, None)
        self._restless.discard(row_id)
        self._due.discard(row_id)
        old = self.rows.pop(row_id, None)
        if old is not None:
            self.changed.add(row_id)
            self._ledger.replace(old, None)
            self.peers.replace(old, None)
            self._index(row_id, old, None)


# what _make does, without a Python frame a row
_connection = functools.partial(tuple.__new__, Connection)


def _former(owner_by: str, stats: SocketStats) -> bool:
    """Nobody holds the socket any more: its owner is who held it last."""
    return owner_by == "gone" or stats.state == CLOSED


def _moved(before: SocketStats | None, now: SocketStats, young: bool) -> Moved | None:
    """What moved since the last picture, in which a `young` socket may not have been; None where that is unknown.

    Never negative: counters that run backwards belong to another life of the socket (disconnect and connect)."""
    if now.rx_bytes is None or now.tx_bytes is None:
        return None
    if before is None:  # opened since the last picture: it began at zero
        return (now.rx_bytes, now.tx_bytes, now.retrans or 0) if young else None
    if before.rx_bytes is None or before.tx_bytes is None:
        return None
    return (
        max(0, now.rx_bytes - before.rx_bytes),
        max(0, now.tx_bytes - before.tx_bytes),
        max(0, (now.retrans or 0) - (before.retrans or 0)),
    )
