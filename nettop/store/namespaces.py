"""Namespace rows: what a namespace is, its interfaces with their rates, the sums over its sockets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from nettop.model import (
    NO_TRAFFIC,
    PROTOCOLS_EVERY,
    Change,
    Interface,
    InterfaceCounters,
    Namespace,
    ProtocolCounters,
    Tracking,
    Traffic,
)
from nettop.snapshot import LinkRate, NamespaceRow
from nettop.store.sums import Ledger

_NOTHING: Change = Change({}, [])
_INNER = ("bridge", "bond", "team", "dummy", "ifb")
"""Kinds of interfaces that pass on what others carry, or carry nothing."""


class _Protocols:
    """What the protocols of a namespace count, and how fast: read every few pictures, and shown until the next time.

    A `turn` is the moment of the picture `PROTOCOLS_EVERY` before this one: what was not told since has not moved."""

    __slots__ = ("clock", "counters", "rates")

    def __init__(self) -> None:
        self.clock: float | None = None
        self.counters: ProtocolCounters | None = None
        self.rates: tuple[float | None, ...] | None = None

    def take(self, counters: ProtocolCounters, clock: float, turn: float) -> None:
        """They were read again, at this moment."""
        if self.counters is not None and self.clock is not None:
            seconds = clock - max(self.clock, turn)
            if seconds > 0:
                self.rates = tuple(
                    None if now is None or before is None else max(0, now - before) / seconds
                    for now, before in zip(counters, self.counters, strict=True)
                )
        self.counters, self.clock = counters, clock

    def rates_in(self, turn: float) -> tuple[float | None, ...] | None:
        """How fast they grow as of the picture with that turn."""
        if self.counters is not None and self.clock is not None and self.clock <= turn:
            self.rates = tuple(None if count is None else 0.0 for count in self.counters)
        return self.rates


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
        self._clock = 0.0
        self._pictures: deque[float] = deque(maxlen=PROTOCOLS_EVERY)  # moments of the last ones
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
            self._protocols.setdefault(row_id, _Protocols()).take(counters, clock, self._turn())
        self._clock = clock
        return touched

    def rebuild(self, processes: Mapping[int, int], elapsed: float | None) -> None:
        """Make all rows anew: there are few. `processes` tells how many are inside each, by inode."""
        turn = self._turn()
        for row_id, namespace in self._namespaces.items():
            ids = self._links.get(namespace.netns, {})
            sums = self._ledger.of_namespace(namespace.netns)
            traffic = self._traffic.get(row_id, NO_TRAFFIC)
            protocols = self._protocols.get(row_id)
            rates = self._rates(namespace.netns, elapsed)
            row = NamespaceRow(
                id=row_id,
                namespace=namespace,
                processes=processes.get(namespace.netns, 0),
                connections=sums.connections,
                listening=sums.listening,
                sockets=sums.sockets,
                interfaces=tuple((self._interfaces[i], self._counters.get(i)) for i in ids),
                rx_rate=rates[0],
                tx_rate=rates[1],
                rx_bytes=sums.rx_bytes + traffic.rx_bytes,
                tx_bytes=sums.tx_bytes + traffic.tx_bytes,
                opened=traffic.opened,
                accepted=traffic.accepted,
                failed=traffic.failed,
                closed=traffic.closed,
                protocols=protocols.counters if protocols else None,
                protocol_rates=protocols.rates_in(turn) if protocols else None,
                tracking=self._tracking.get(row_id),
            )
            if row != self.rows.get(row_id):
                self.rows[row_id] = row
                self.changed.add(row_id)

    def tables(self) -> Mapping[str, Mapping[int, Any]]:
        """What a Delta told of namespaces and is true still, by table and row id."""
        protocols = {row_id: known.counters for row_id, known in self._protocols.items() if known.counters}
        return {
            "namespaces": self._namespaces,
            "interfaces": self._interfaces,
            "counters": self._counters,
            "inside": self._traffic,
            "protocols": protocols,
            "tracking": self._tracking,
        }

    def busiest(self, netns: int, elapsed: float | None) -> list[LinkRate]:
        """What the outer interfaces of a namespace carry, those that carry most first; none where it is not known."""
        ids = outer((i, self._interfaces[i]) for i in self._links.get(netns, ()))
        found = []
        for i in ids:
            if elapsed and i in self._before and i in self._counters:
                now, before = self._counters[i], self._before[i]
                received, sent = max(0, now.rx_bytes - before.rx_bytes), max(0, now.tx_bytes - before.tx_bytes)
                found.append(LinkRate(self._interfaces[i].name, received / elapsed, sent / elapsed))
        return sorted(found, key=lambda link: -(link.rx_rate + link.tx_rate))

    def close_picture(self) -> None:
        """What changes from here on belongs to the next picture."""
        self.changed = set()
        self._before = dict(self._counters)
        self._pictures.append(self._clock)

    def _turn(self) -> float:
        """See `_Protocols`."""
        return self._pictures[0] if len(self._pictures) == PROTOCOLS_EVERY else float("-inf")

    def _unlink(self, row_id: int, netns: int | None = None) -> None:
        """Forget an interface, unless it stays in this namespace and keeps its place there."""
        interface = self._interfaces.get(row_id)
        if interface is not None and interface.netns != netns:
            del self._interfaces[row_id]
            links = self._links[interface.netns]
            del links[row_id]
            if not links:
                del self._links[interface.netns]

    def _rates(self, netns: int, elapsed: float | None) -> tuple[float | None, float | None]:
        """Bytes received and sent a second over all outer interfaces of a namespace; None where they are not known."""
        links = self.busiest(netns, elapsed)
        return (sum(link.rx_rate for link in links), sum(link.tx_rate for link in links)) if links else (None, None)


def outer(interfaces: Iterable[tuple[int, Interface]]) -> list[int]:
    """Ids of those by which bytes come into the namespace and leave it. What a container sends over a bridge passes
    its veth, the bridge and the card: it counts once, on the card, where there is one."""
    links = [(row_id, link) for row_id, link in interfaces if not link.loopback]
    return (
        [row_id for row_id, link in links if link.kind is None]
        or [row_id for row_id, link in links if link.kind not in _INNER]
        or [row_id for row_id, _ in links]
    )
