"""Deltas in, pictures out: joins the tables, computes rates, keeps short histories.

The store is the only place where time passes: a rate is the difference of two cumulative counters divided by the time
between the two Deltas, so a replay shows what the live screen showed. Work is in proportion to what changed; the rows
of what did not are handed on from picture to picture.

connections.py processes.py namespaces.py   the rows of a view, joined from the tables of the Delta
sums.py                                     sums over sockets, one change at a time
limits.py                                   why a connection is not faster
history.py                                  the last rates of what moved
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from nettop.model import Delta, Event, Health, Host
from nettop.snapshot import EMPTY, Coverage, HostRates, Snapshot
from nettop.store.connections import Connections
from nettop.store.history import LENGTH, Histories, Sample
from nettop.store.namespaces import Namespaces
from nettop.store.processes import Processes
from nettop.store.sums import Key, Ledger

EVENTS_KEPT = 10_000
"""Events a picture holds at most."""
_SLICE = 200
"""Rows between two places where the caller may do something else: 1 ms. A key takes some eight turns of the loop from
the terminal to the screen, and waits for a slice at each."""

_NO_RATES = EMPTY.rates


class Store:
    """One machine, as its stream of Deltas tells it."""

    def __init__(self, events_kept: int = EVENTS_KEPT) -> None:
        """Pictures hold the last `events_kept` events."""
        self.snapshot: Snapshot = EMPTY
        """The last complete picture."""
        self._events: dict[int, Event] = {}  # by number of arrival
        self._events_kept = events_kept
        self._events_total = 0
        self._forget()

    def _forget(self) -> None:
        """Begin anew, events excepted: what a key frame asks for."""
        self._ledger = Ledger()
        self._namespaces = Namespaces(self._ledger)
        self._processes = Processes(self._ledger, self._namespaces.of)
        self._connections = Connections(self._ledger, self._processes.of, self._namespaces.of)
        self._health: dict[int, Health] = {}
        self._host: Host | None = None
        self._host_before: Host | None = None
        self._clock: float | None = None  # of the last complete picture
        self._renamed: set[int] = set()  # namespaces
        self._histories = {"connections": Histories(), "processes": Histories()}
        self._host_history: collections.deque[HostRates] = collections.deque(maxlen=LENGTH)

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
        renamed = self._namespaces.take(delta.changes)
        pids = self._processes.take(delta.changes)
        self._take_machine(delta)
        touched = self._connections.take(delta.changes)
        touched |= self._connections.held_by(pids) | self._connections.inside(renamed)
        self._renamed |= renamed
        yield from self._rebuild(touched, elapsed)
        if not delta.complete:
            return
        yield from self._rebuild(self._connections.restless(), elapsed)
        yield self._publish(delta, elapsed)

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        """Received and sent bytes a second of a connection or process in the last pictures, oldest first."""
        return self._histories[view].of(row_id) if view in self._histories else ()

    def host_history(self) -> Sequence[HostRates]:
        """The machine's rates in the last pictures, oldest first."""
        return tuple(self._host_history)

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
        if "host" in delta.changes:
            self._host = next(iter(delta.changes["host"].rows.values()), self._host)

    def _rebuild(self, ids: Iterable[int], elapsed: float | None) -> Iterator[None]:
        waiting = iter(ids)
        while some := list(itertools.islice(waiting, _SLICE)):
            self._connections.rebuild(some, elapsed)
            yield None
        yield None

    def _publish(self, delta: Delta, elapsed: float | None) -> Snapshot:
        rates = self._process_rates(elapsed)
        self._processes.rebuild(
            self._ledger.touched,
            self._renamed,
            rates,
            elapsed,
            self._host.mem_total if self._host else 0,
        )
        self._namespaces.rebuild(self._processes.in_namespace, elapsed)
        self._remember(rates, elapsed)
        connections = dict(self._connections.rows)
        processes = dict(self._processes.rows)
        namespaces = dict(self._namespaces.rows)
        events = dict(self._events)
        shown = self.snapshot
        self.snapshot = Snapshot(
            sequence=shown.sequence + 1,
            time=delta.time,
            interval=elapsed,
            connections=connections,
            processes=processes,
            namespaces=namespaces,
            events=events,
            events_total=self._events_total,
            host=self._host,
            rates=self._host_rates(elapsed),
            health=tuple(self._health.values()),
            coverage=self._coverage(),
            changed={
                "connections": self._different(shown.connections, connections, self._connections.changed),
                "processes": self._different(shown.processes, processes, self._processes.changed),
                "namespaces": self._different(shown.namespaces, namespaces, self._namespaces.changed),
                "events": shown.events.keys() ^ events.keys(),
            },
        )
        self._host_history.append(self.snapshot.rates)
        self._close_picture(delta.clock)
        return self.snapshot

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
        self._processes.close_picture()
        self._namespaces.close_picture()

    def _process_rates(self, elapsed: float | None) -> dict[Key, tuple[float, float]]:
        if not elapsed:
            return {}
        moved: dict[Key, tuple[int, int]] = {}
        for row_id, (rx_bytes, tx_bytes, _) in self._connections.moved.items():
            holders = self._connections.rows[row_id].owners
            if holders:
                key = holders[0][:2]
                rx_before, tx_before = moved.get(key, (0, 0))
                moved[key] = (rx_before + rx_bytes, tx_before + tx_bytes)
        return {key: (rx_bytes / elapsed, tx_bytes / elapsed) for key, (rx_bytes, tx_bytes) in moved.items()}

    def _remember(self, rates: dict[Key, tuple[float, float]], elapsed: float | None) -> None:
        if elapsed:
            moved = self._connections.moved.items()
            self._histories["connections"].add({i: (rx / elapsed, tx / elapsed) for i, (rx, tx, _) in moved})
            ids = ((self._processes.row_id(key), rate) for key, rate in rates.items())
            self._histories["processes"].add({i: rate for i, rate in ids if i is not None})

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
        )

    def _host_rates(self, elapsed: float | None) -> HostRates:
        now, before = self._host, self._host_before
        if not elapsed or now is None or before is None:
            return _NO_RATES
        cpu_total = now.cpu_total - before.cpu_total
        home = next((row for row in self._namespaces.rows.values() if row.namespace.kind == "host"), None)
        return HostRates(
            cpu=100 * max(0.0, now.cpu_busy - before.cpu_busy) / cpu_total if cpu_total > 0 else None,
            rx_rate=home.rx_rate if home else None,
            tx_rate=home.tx_rate if home else None,
            retrans_percent=_retransmitted(before, now),
            forks=max(0, now.forks - before.forks) / elapsed,
            collector_cpu=100 * max(0.0, now.collector_cpu - before.collector_cpu) / elapsed,
        )


def _retransmitted(before: Host, now: Host) -> float | None:
    """Percent of the segments sent in the interval that were sent again; None where the kernel does not say."""
    if None in (now.tcp_out_segs, before.tcp_out_segs, now.tcp_retrans_segs, before.tcp_retrans_segs):
        return None
    again = max(0, (now.tcp_retrans_segs or 0) - (before.tcp_retrans_segs or 0))
    sent = max(0, (now.tcp_out_segs or 0) - (before.tcp_out_segs or 0)) + again
    return 100 * again / sent if sent > 0 else 0.0
