"""Namespace rows: what a namespace is, its interfaces with their rates, the sums over its sockets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nettop.model import (
    NO_TRAFFIC,
    Change,
    Interface,
    InterfaceCounters,
    Namespace,
    ProtocolCounters,
    Tracking,
    Traffic,
)
from nettop.snapshot import NamespaceRow
from nettop.store.sums import Ledger

_NOTHING: Change = Change({}, [])


class _Protocols:
    """What the protocols of a namespace count, and how fast: read every few pictures, and shown until the next time."""

    __slots__ = ("clock", "counters", "rates")

    def __init__(self) -> None:
        self.clock: float | None = None
        self.counters: ProtocolCounters | None = None
        self.rates: tuple[float | None, ...] | None = None

    def take(self, counters: ProtocolCounters, clock: float) -> None:
        """They were read again, at this moment."""
        if self.counters is not None and self.clock is not None and clock > self.clock:
            seconds = clock - self.clock
            self.rates = tuple(
                None if now is None or before is None else max(0, now - before) / seconds
                for now, before in zip(counters, self.counters, strict=True)
            )
        self.counters, self.clock = counters, clock


class Namespaces:
    """Every network namespace of the machine."""

    def __init__(self, ledger: Ledger) -> None:
        self.rows: dict[int, NamespaceRow] = {}
        self.changed: set[int] = set()
        """Rows new, different or gone since `close_picture`."""
        self._ledger = ledger
        self._namespaces: dict[int, Namespace] = {}
        self._traffic: dict[int, Traffic] = {}
        self._interfaces: dict[int, Interface] = {}
        self._counters: dict[int, InterfaceCounters] = {}
        self._before: dict[int, InterfaceCounters] = {}  # of the last picture
        self._protocols: dict[int, _Protocols] = {}
        self._tracking: dict[int, Tracking] = {}
        self._ids: dict[int, int] = {}  # inode → row id
        self._links: dict[int, dict[int, None]] = {}  # inode → ids of its interfaces, in their order

    def of(self, netns: int) -> Namespace | None:
        """The namespace with this inode."""
        return self._namespaces.get(self._ids.get(netns, -1))

    def take(self, changes: Mapping[str, Change], clock: float) -> set[int]:
        """Put the rows of a Delta of that moment into the tables; inodes of the namespaces that are new, different or
        gone."""
        namespaces, interfaces = changes.get("namespaces", _NOTHING), changes.get("interfaces", _NOTHING)
        touched: set[int] = set()
        for row_id in namespaces.gone:
            gone = self._namespaces.pop(row_id, None)
            self._traffic.pop(row_id, None)
            self._protocols.pop(row_id, None)
            self._tracking.pop(row_id, None)
            if gone is not None:
                touched.add(gone.netns)
                if self._ids.get(gone.netns) == row_id:
                    del self._ids[gone.netns]
            if self.rows.pop(row_id, None) is not None:
                self.changed.add(row_id)
        for row_id, namespace in namespaces.rows.items():
            self._namespaces[row_id] = namespace
            self._ids[namespace.netns] = row_id
            touched.add(namespace.netns)
        for row_id in interfaces.gone:
            self._counters.pop(row_id, None)
            self._before.pop(row_id, None)
            self._unlink(row_id)
        for row_id, interface in interfaces.rows.items():
            self._unlink(row_id, interface.netns)
            self._interfaces[row_id] = interface
            self._links.setdefault(interface.netns, {})[row_id] = None
        self._counters.update(changes.get("counters", _NOTHING).rows)
        self._traffic.update(changes.get("inside", _NOTHING).rows)
        self._tracking.update(changes.get("tracking", _NOTHING).rows)
        for row_id, counters in changes.get("protocols", _NOTHING).rows.items():
            self._protocols.setdefault(row_id, _Protocols()).take(counters, clock)
        return touched

    def rebuild(self, processes: Mapping[int, int], elapsed: float | None) -> None:
        """Make all rows anew: there are few. `processes` tells how many are inside each, by inode."""
        for row_id, namespace in self._namespaces.items():
            ids = self._links.get(namespace.netns, {})
            sums = self._ledger.of_namespace(namespace.netns)
            traffic = self._traffic.get(row_id, NO_TRAFFIC)
            protocols = self._protocols.get(row_id)
            row = NamespaceRow(
                id=row_id,
                namespace=namespace,
                processes=processes.get(namespace.netns, 0),
                connections=sums.connections,
                listening=sums.listening,
                sockets=sums.sockets,
                interfaces=tuple((self._interfaces[i], self._counters.get(i)) for i in ids),
                rx_rate=self._rate(ids, "rx_bytes", elapsed),
                tx_rate=self._rate(ids, "tx_bytes", elapsed),
                rx_bytes=sums.rx_bytes + traffic.rx_bytes,
                tx_bytes=sums.tx_bytes + traffic.tx_bytes,
                opened=traffic.opened,
                accepted=traffic.accepted,
                failed=traffic.failed,
                closed=traffic.closed,
                protocols=protocols.counters if protocols else None,
                protocol_rates=protocols.rates if protocols else None,
                tracking=self._tracking.get(row_id),
            )
            if row != self.rows.get(row_id):
                self.rows[row_id] = row
                self.changed.add(row_id)

    def close_picture(self) -> None:
        """What changes from here on belongs to the next picture."""
        self.changed = set()
        self._before = dict(self._counters)

    def _unlink(self, row_id: int, netns: int | None = None) -> None:
        """Forget an interface, unless it stays in this namespace and keeps its place there."""
        interface = self._interfaces.get(row_id)
        if interface is not None and interface.netns != netns:
            del self._interfaces[row_id]
            links = self._links[interface.netns]
            del links[row_id]
            if not links:
                del self._links[interface.netns]

    def _rate(self, ids: Iterable[int], counter: str, elapsed: float | None) -> float | None:
        known = [i for i in ids if i in self._before and i in self._counters and not self._interfaces[i].loopback]
        if not known or not elapsed:
            return None
        column = InterfaceCounters._fields.index(counter)
        moved: int = sum(max(0, self._counters[i][column] - self._before[i][column]) for i in known)
        return moved / elapsed
