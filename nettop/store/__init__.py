"""Deltas in, pictures out: joins the tables, computes rates, keeps short histories.

The store is the only place where time passes: a rate is the difference of two cumulative counters divided by the time
between the two Deltas, so a replay shows what the live screen showed. Work is in proportion to what changed; the rows
of what did not are handed on from picture to picture.

connections.py processes.py containers.py namespaces.py   the rows of a view, joined from the tables of the Delta
sums.py                                     sums over sockets, one change at a time
limits.py                                   why a connection is not faster
history.py                                  the last figures of what moved
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, TypeVar

from nettop.model import NO_TRAFFIC, Change, Delta, Destination, Event, Health, Host, Traffic
from nettop.snapshot import EMPTY, Coverage, HostRates, NamespaceRow, Sample, Snapshot
from nettop.store.connections import Connections
from nettop.store.containers import Containers
from nettop.store.history import LENGTH, NOT_KNOWN, Figures, Histories
from nettop.store.namespaces import Namespaces
from nettop.store.peers import Abroad, Peers
from nettop.store.processes import Processes
from nettop.store.sums import Key, Ledger

VIEWS_WITH_A_PAST = ("connections", "processes", "namespaces", "containers")
"""Those that have a history."""
EVENTS_KEPT = 10_000
"""Events a picture holds at most."""
_SLICE = 100
"""Rows between two places where the caller may do something else: 1 ms. A key takes some eight turns of the loop from
the terminal to the screen, and waits for a slice at each."""

_NO_RATES = EMPTY.rates
_K = TypeVar("_K")


class Store:
    """One machine, as its stream of Deltas tells it."""

    def __init__(
        self,
        events_kept: int = EVENTS_KEPT,
        sequence: int = 0,
        events_total: int = 0,
        abroad: Abroad | None = None,
    ) -> None:
        """Pictures hold the last `events_kept` events. Their sequence goes on from `sequence` and their events count
        from `events_total`: a store may begin in the middle of a stream. `abroad` knows other machines."""
        self.snapshot: Snapshot = replace(EMPTY, sequence=sequence) if sequence else EMPTY
        """The last complete picture."""
        self._events: dict[int, Event] = {}  # by number of arrival
        self._events_kept = events_kept
        self._events_total = events_total
        self._abroad = abroad
        self._forget()

    def _forget(self) -> None:
        """Begin anew, events excepted: what a key frame asks for."""
        self._ledger = Ledger()
        self._namespaces = Namespaces(self._ledger)
        self._processes = Processes(self._ledger, self._namespaces.of)
        self._containers = Containers(self._ledger)
        self._connections = Connections(
            self._ledger, self._processes, self._namespaces.of, self._containers.place_of, self._abroad
        )
        self._health: dict[int, Health] = {}
        self._destinations: dict[int, Destination] = {}
        self._host: Host | None = None
        self._traffic = NO_TRAFFIC  # of all namespaces
        self._host_before: Host | None = None
        self._clock: float | None = None  # of the last complete picture
        self._renamed: set[int] = set()  # namespaces
        self._histories = {view: Histories() for view in VIEWS_WITH_A_PAST}
        self._host_history: collections.deque[HostRates] = collections.deque(maxlen=LENGTH)

    @property
    def peers(self) -> Peers:
        """Both ends of its connections."""
        return self._connections.peers

    def apply(self, delta: Delta) -> Snapshot | None:
        """Take in one Delta; the new picture if it completes one."""
        return collections.deque(self.steps(delta), maxlen=1).pop()

    def steps(self, delta: Delta) -> Iterator[Snapshot | None]:
        """As `apply`, in steps of some 1 ms: a caller with keys to answer does so in between. The last step yields what
        `apply` returns, the others None. A Delta must be taken to its end before the next."""
        if delta.key:
            self._forget()
        self._note(delta.events)
        elapsed = delta.clock - self._clock if self._clock is not None and delta.clock > self._clock else None
        renamed = self._namespaces.take(delta.changes, delta.clock)
        pids = self._processes.take(delta.changes)
        placed = self._containers.take(delta.changes)
        self._take_machine(delta)
        touched = self._connections.take(delta.changes)
        touched |= self._connections.held_by(pids) | self._connections.inside(renamed)
        touched |= self._connections.placed(placed)
        self._renamed |= renamed
        yield None
        yield from self._rebuild(touched, elapsed)
        if not delta.complete:
            return
        yield from self._rebuild(self._connections.restless(), elapsed)
        yield from self._publish(delta, elapsed)

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        """A row of one of `VIEWS_WITH_A_PAST` in the last pictures, oldest first; empty where it never moved."""
        return self._histories[view].of(row_id) if view in self._histories else ()

    def host_history(self) -> Sequence[HostRates]:
        """The machine's rates in the last pictures, oldest first."""
        return tuple(self._host_history)

    def tables(self, connections: Iterable[int]) -> Mapping[str, Mapping[int, Any]]:
        """What Deltas told and is true still, by table and row id: of these connections, and of all else."""
        parts = (self._containers, self._namespaces, self._processes)
        told = {name: rows for part in parts for name, rows in part.tables().items()}
        return {**told, **self._machine(), **self._connections.tables(connections)}

    def key_frame(self, size: int) -> Iterator[Delta]:
        """All that is known as of the last picture, as a key frame of another stream would tell it: in parts of at most
        some `size` rows, the last of them complete. No Delta may be taken before the last part is.

        A store that is told this goes on as this one does, but for what rests on more than one picture: rates and
        limits."""
        time, clock, key = self.snapshot.time, self._clock or 0.0, True
        for tables in (
            self._containers.tables(),
            self._namespaces.tables(),
            self._machine(),
            self._processes.tables(),
            {"processes": self._processes.former_rows()},
        ):
            for changes in _pieces(tables, size):
                yield Delta(key, False, time, clock, changes, (), 0)
                key = False
        ids = iter(self._connections.rows)
        while some := list(itertools.islice(ids, size)):
            told = self._connections.tables(some)
            changes = {name: Change(dict(rows), []) for name, rows in told.items() if rows}
            yield Delta(False, False, time, clock, changes, (), 0)
        yield Delta(False, True, time, clock, {}, (), 0)

    def _machine(self) -> Mapping[str, Mapping[int, Any]]:
        host = {} if self._host is None else {0: self._host}
        return {
            "host": host,
            "everywhere": {0: self._traffic},
            "destinations": self._destinations,
            "health": self._health,
        }

    def _note(self, events: Sequence[Event]) -> None:
        self._events.update(enumerate(events, self._events_total))
        self._events_total += len(events)
        surplus = len(self._events) - self._events_kept
        for number in list(itertools.islice(self._events, max(0, surplus))):
            del self._events[number]

    def _take_machine(self, delta: Delta) -> None:
        for row_id in delta.changes["health"].gone if "health" in delta.changes else ():
            self._health.pop(row_id, None)
        if "health" in delta.changes:
            self._health.update(delta.changes["health"].rows)
        if "destinations" in delta.changes:
            gone, rows = frozenset(delta.changes["destinations"].gone), delta.changes["destinations"].rows
            kept = {row_id: row for row_id, row in self._destinations.items() if row_id not in gone}
            self._destinations = {**kept, **rows}  # not changed in place: a picture has it
        if "everywhere" in delta.changes:
            self._traffic = next(iter(delta.changes["everywhere"].rows.values()), self._traffic)
        if "host" in delta.changes:
            self._host = next(iter(delta.changes["host"].rows.values()), self._host)

    def _rebuild(self, ids: Iterable[int], elapsed: float | None) -> Iterator[None]:
        waiting = iter(ids)
        while some := list(itertools.islice(waiting, _SLICE)):
            self._connections.rebuild(some, elapsed)
            yield None
        yield None

    def _publish(self, delta: Delta, elapsed: float | None) -> Iterator[Snapshot | None]:
        rates, together = self._holders_rates(elapsed)
        yield None
        self._processes.rebuild(
            self._ledger.touched,
            self._renamed,
            rates,
            elapsed,
            self._host.mem_total if self._host else 0,
        )
        yield None
        self._namespaces.rebuild(self._processes.in_namespace, elapsed)
        self._containers.rebuild(self._processes.rows, self._processes.changed, together, elapsed)
        yield None
        self._remember(delta.time, rates, elapsed)
        yield None
        self._connections.retell()
        connections = dict(self._connections.rows)
        processes = dict(self._processes.rows)
        namespaces = dict(self._namespaces.rows)
        containers = dict(self._containers.rows)
        events = dict(self._events)
        yield None
        shown = self.snapshot
        changed = {
            "connections": self._different(shown.connections, connections, self._connections.changed),
            "processes": self._different(shown.processes, processes, self._processes.changed),
            "namespaces": self._different(shown.namespaces, namespaces, self._namespaces.changed),
            "containers": self._different(shown.containers, containers, self._containers.changed),
            "events": shown.events.keys() ^ events.keys(),
        }
        yield None
        self.snapshot = Snapshot(
            sequence=shown.sequence + 1,
            time=delta.time,
            interval=elapsed,
            connections=connections,
            processes=processes,
            namespaces=namespaces,
            containers=containers,
            events=events,
            events_total=self._events_total,
            host=self._host,
            rates=self._host_rates(elapsed),
            health=tuple(self._health.values()),
            coverage=self._coverage(),
            traffic=self._totals(),
            destinations=self._destinations,
            changed=changed,
        )
        self._host_history.append(self.snapshot.rates)
        self._close_picture(delta.clock)
        yield self.snapshot

    def _different(self, shown: Mapping[int, Any], now: Mapping[int, Any], changed: set[int]) -> Set[int]:
        """Ids of rows that are not the same as in the last picture, of those that `changed`; of all after a key
        frame."""
        if not shown:
            return now.keys()
        ids = shown.keys() | now.keys() if self._clock is None else changed
        return {row_id for row_id in ids if now.get(row_id) is not shown.get(row_id)}

    def _close_picture(self, clock: float) -> None:
        self._clock = clock
        self._host_before = self._host
        self._renamed = set()
        self._ledger.close_picture()
        self._connections.close_picture(self.snapshot.connections)
        self._processes.close_picture(self._connections.names)
        self._namespaces.close_picture()
        self._containers.close_picture()

    def _holders_rates(
        self, elapsed: float | None
    ) -> tuple[dict[Key, tuple[float, float]], dict[int, tuple[float, float]]]:
        """Bytes received and sent a second, by process, and by row id of what these belong to."""
        processes: dict[Key, tuple[int, int]] = {}
        containers: dict[int, tuple[int, int]] = {}
        for row_id, (rx_bytes, tx_bytes, _) in self._connections.moved.items():
            row = self._connections.rows[row_id]
            if row.owners:
                key = row.owners[0][:2]
                rx_before, tx_before = processes.get(key, (0, 0))
                processes[key] = (rx_before + rx_bytes, tx_before + tx_bytes)
            belongs = row.belongs
            if belongs is not None:
                rx_before, tx_before = containers.get(belongs, (0, 0))
                containers[belongs] = (rx_before + rx_bytes, tx_before + tx_bytes)
        return _a_second(processes, elapsed), _a_second(containers, elapsed)

    def _remember(self, time: float, rates: dict[Key, tuple[float, float]], elapsed: float | None) -> None:
        if not elapsed:
            return
        moved: dict[int, Figures] = {}
        for row_id, (rx_bytes, tx_bytes, retrans) in self._connections.moved.items():
            rtt = self._connections.rows[row_id].stats.rtt
            moved[row_id] = (
                rx_bytes / elapsed,
                tx_bytes / elapsed,
                NOT_KNOWN if rtt is None else rtt,
                retrans / elapsed,
            )
        self._histories["connections"].add(time, moved)
        ids = ((self._processes.row_id(key), rate) for key, rate in rates.items())
        self._histories["processes"].add(time, {i: rate for i, rate in ids if i is not None})
        for view, rows in (("namespaces", self._namespaces.rows), ("containers", self._containers.rows)):
            carried = ((row_id, row.rx_rate, row.tx_rate) for row_id, row in rows.items())
            self._histories[view].add(time, {i: (rx or 0.0, tx or 0.0) for i, rx, tx in carried if rx or tx})

    def _coverage(self) -> Coverage:
        known = total = 0
        for row_id, (rx_bytes, tx_bytes, _) in self._connections.moved.items():
            total += rx_bytes + tx_bytes
            if self._connections.rows[row_id].owners:
                known += rx_bytes + tx_bytes
        namespaces = [row.namespace for row in self._namespaces.rows.values()]
        return Coverage(
            bytes_owned=known / total if total else None,
            ownable=self._ledger.ownable,
            unowned=self._ledger.unowned,
            namespaces=len(namespaces),
            namespaces_read=sum(n.via != "none" for n in namespaces),
            events_lost=self._host.events_lost if self._host else 0,
            closed=self._traffic.closed,
            closed_owned=self._traffic.owned,
            bytes_moved=total,
        )

    def _totals(self) -> Traffic:
        """What all sockets did, those there are and those there were."""
        rx_bytes, tx_bytes, retrans = self._ledger.everywhere()
        settled = self._traffic
        return settled._replace(
            rx_bytes=settled.rx_bytes + rx_bytes,
            tx_bytes=settled.tx_bytes + tx_bytes,
            retrans=settled.retrans + retrans,
        )

    def _host_rates(self, elapsed: float | None) -> HostRates:
        now, before = self._host, self._host_before
        if not elapsed or now is None or before is None:
            return _NO_RATES
        cpu_total = now.cpu_total - before.cpu_total
        home = self._home(now.own_pid)
        return HostRates(
            cpu=100 * max(0.0, now.cpu_busy - before.cpu_busy) / cpu_total if cpu_total > 0 else None,
            rx_rate=home.rx_rate if home else None,
            tx_rate=home.tx_rate if home else None,
            retrans_percent=_retransmitted(before, now),
            forks=max(0, now.forks - before.forks) / elapsed,
            collector_cpu=100 * max(0.0, now.collector_cpu - before.collector_cpu) / elapsed,
            links=tuple(self._namespaces.busiest(home.namespace.netns, elapsed)) if home else (),
        )

    def _home(self, own_pid: int) -> NamespaceRow | None:
        """The host's namespace; where that is not seen, the one the collector runs in."""
        rows = self._namespaces.rows.values()
        host = next((row for row in rows if row.namespace.kind == "host"), None)
        if host is not None:
            return host
        own = next((row.process.netns for row in self._processes.rows.values() if row.process.pid == own_pid), None)
        return next((row for row in rows if row.namespace.netns == own), None)


def _pieces(tables: Mapping[str, Mapping[int, Any]], size: int) -> Iterator[dict[str, Change]]:
    """Tables whose rows have the same ids, in pieces of at most `size` ids; one that is empty, where there are none."""
    ids = iter(dict.fromkeys(itertools.chain.from_iterable(tables.values())))
    while True:
        some = list(itertools.islice(ids, size))
        told = {name: {row_id: rows[row_id] for row_id in some if row_id in rows} for name, rows in tables.items()}
        yield {name: Change(rows, []) for name, rows in told.items() if rows}
        if len(some) < size:
            return


def _a_second(moved: Mapping[_K, tuple[int, int]], elapsed: float | None) -> dict[_K, tuple[float, float]]:
    if not elapsed:
        return {}
    return {key: (rx_bytes / elapsed, tx_bytes / elapsed) for key, (rx_bytes, tx_bytes) in moved.items()}


def _retransmitted(before: Host, now: Host) -> float | None:
    """Percent of the segments sent in the interval that were sent again; None where the kernel does not say."""
    if None in (now.tcp_out_segs, before.tcp_out_segs, now.tcp_retrans_segs, before.tcp_retrans_segs):
        return None
    again = max(0, (now.tcp_retrans_segs or 0) - (before.tcp_retrans_segs or 0))
    sent = max(0, (now.tcp_out_segs or 0) - (before.tcp_out_segs or 0)) + again
    return 100 * again / sent if sent > 0 else 0.0
