"""The page about a network namespace: what it is, its interfaces, routes and neighbours, who is busy in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.style import Style

from nettop import format as text
from nettop.fields import CONNECTIONS, PROCESSES
from nettop.machines import own_netns
from nettop.model import Interface, InterfaceCounters
from nettop.requests import InspectNamespace, Request
from nettop.snapshot import NamespaceRow, Snapshot
from nettop.tui.details.blocks import Block, Canvas, Fact, Figure
from nettop.tui.details.facts import Surroundings
from nettop.tui.details.listing import Listing, Target
from nettop.tui.details.measures import count, often, said, share, speed
from nettop.tui.details.subject import History, Jump, Subject, namespace_called
from nettop.tui.details.tables import LINKS, NEIGHBOURS, ROUTES, Carried, table
from nettop.tui.lists.scopes import namespace_scope

KINDS: Mapping[str, str] = {
    "host": "the one the machine started with",
    "named": "made by ip netns, or mounted like that",
    "container": "of a container",
    "anonymous": "held by processes alone",
    "orphan": "no process is inside; a mount or a socket holds it",
}

FULL = 90.0
"""Percent from which on a table of tracked connections is worrying."""

VIA: Mapping[str, str] = {
    "netlink": "sockets are read by netlink, with all figures",
    "procfs": "sockets are read from /proc, without byte counts",
    "none": "its sockets cannot be read",
}

PROTOCOLS: Mapping[str, tuple[str, str, bool]] = {
    "out_segs": ("segments", "sent", False),
    "retrans_segs": ("sent again", "segments", True),
    "timeouts": ("timeouts", "retransmission timers that fired", True),
    "out_of_order": ("out of order", "segments that came before one sent earlier", False),
    "attempt_fails": ("failed", "connections, while being made", False),
    "resets": ("reset", "connections that ended so", False),
    "listen_overflows": ("queue full", "connections that nobody accepted in time", True),
    "listen_drops": ("dropped", "connections, by a listener", True),
    "rcv_pruned": ("pruned", "times a full receive buffer lost data", True),
    "udp_in": ("received", "datagrams", False),
    "udp_out": ("sent", "datagrams", False),
    "udp_errors": ("errors", "datagrams thrown away on arrival", True),
    "udp_rcvbuf_errors": ("not read", "of these, because a program was too slow", True),
    "udp_sndbuf_errors": ("not sent", "datagrams: a send buffer was full", True),
    "udp_no_port": ("no port", "datagrams for a port nobody had open", False),
}
"""Column of `model.ProtocolCounters` → its label, what it counts, and whether it is wrong that it grows."""

_SOCKETS = "proto state local lport remote rport comm rx_rate tx_rate rtt retrans limit"
_PROCESSES = "pid user comm connections listening rx_rate tx_rate cpu rss command"


class NamespacePage(Subject[NamespaceRow]):
    """One network namespace."""

    view = "namespaces"
    kind = NamespaceRow

    def __init__(self, row_id: int, row: NamespaceRow) -> None:
        super().__init__(row_id, row)
        scope = namespace_scope(row)
        self.title = namespace_called(row)
        self._processes = Listing(PROCESSES, scope, _PROCESSES, "-rate", 8)
        self._sockets = Listing(CONNECTIONS, scope, _SOCKETS, "-rate", 8)
        self.listings = (self._processes, self._sockets)
        self._before: Mapping[int, InterfaceCounters | None] = {}
        self._links: Sequence[Carried] = ()

    def same(self, row: NamespaceRow) -> bool:
        return row.namespace.netns == self.row.namespace.netns

    def follow(self, snapshot: Snapshot) -> None:
        if snapshot.sequence != self.snapshot.sequence:
            follows = snapshot.sequence == self.snapshot.sequence + 1
            self._before = {i.ifindex: counters for i, counters in self.row.interfaces} if follows else {}
        super().follow(snapshot)
        elapsed = snapshot.interval
        self._links = [
            Carried(
                interface, now, *_rates(self._before.get(interface.ifindex), now, elapsed), self._other_end(interface)
            )
            for interface, now in self.row.interfaces
        ]

    def _other_end(self, interface: Interface) -> str | None:
        """`eth0 in web`."""
        if interface.peer is None or interface.peer_netns is None:
            return interface.peer
        there = self.namespace_row(interface.peer_netns)
        name = there.namespace.name if there else None
        return f"{interface.peer} in {name or own_netns(interface.peer_netns)}"

    def requests(self) -> Sequence[Request]:
        return () if self.gone else (InspectNamespace(self.row.namespace.netns),)

    def jumps(self) -> Mapping[str, Jump]:
        jumps = {"c": Jump("connections", namespace_scope(self.row))}
        holder = self._holder_id()
        if holder is not None:
            jumps["p"] = Jump("process", Target("processes", holder))
        return jumps

    def draw(self, canvas: Canvas, history: History) -> Block:
        left, right = canvas.halves()
        block = self.farewell(canvas)
        block += canvas.beside(
            [*left.heading("Namespace"), *left.facts(self._what())],
            [*right.heading("What is inside"), *right.figures([*self._counts(), *self._tracked(right)])],
        )
        block += canvas.heading("The last minutes", "over its outer interfaces")
        block += self.traffic(canvas, history)
        block += canvas.heading("Interfaces") + table(
            canvas, LINKS, self._links, "it has none, or they are not known yet"
        )
        block += self._protocols(canvas)
        block += canvas.heading("Processes", "the busiest first") + self._processes.draw(canvas, "no process is inside")
        block += canvas.heading("Sockets", "the busiest first; c lists them all")
        block += self._sockets.draw(canvas, "there is no socket in it")
        return [*block, *self._surroundings(canvas)]

    def _what(self) -> Iterator[Fact]:
        namespace = self.row.namespace
        yield from self.machine_fact()
        yield Fact("name", text.safe(namespace.name or text.UNKNOWN))
        yield Fact("kind", text.safe(namespace.kind), KINDS.get(namespace.kind, ""))
        number = "" if namespace.nsid is None else f", nsid {namespace.nsid}"
        inode = own_netns(namespace.netns)
        yield Fact("inode", str(inode), f"net:[{inode}]{number}")
        if namespace.container:
            yield Fact("container", text.safe(namespace.container))
        yield self._holder()
        yield Fact("read by", text.safe(namespace.via), text.safe(namespace.reason or VIA.get(namespace.via, "")))

    def _holder(self) -> Fact:
        namespace, row_id = self.row.namespace, self._holder_id()
        if namespace.pid is None and namespace.holder is None:
            return Fact("held by", text.UNKNOWN, "no process; something mounted")
        note = (
            "the oldest process inside" if namespace.pid is not None else "an open file or socket of a process outside"
        )
        if row_id is None:
            return Fact("held by", f"pid {namespace.pid or namespace.holder}", note)
        return self.process_fact("held by", self.snapshot.processes[row_id].process, note)

    def _holder_id(self) -> int | None:
        pid = self.row.namespace.pid or self.row.namespace.holder
        return next((row.id for row in self.snapshot.processes.values() if row.process.pid == pid), None)

    def _counts(self) -> Iterator[Figure]:
        row = self.row
        yield Figure("processes", *count(row.processes))
        yield Figure(
            "sockets", *count(row.sockets), f"{row.connections:,} with a remote end, {row.listening:,} listening"
        )
        alone = row.interfaces and all(interface.loopback for interface, _ in row.interfaces)
        over = "it has no interface but loopback" if alone else "over its outer interfaces"
        yield Figure("receives", *speed(row.rx_rate), over)
        yield Figure("sends", *speed(row.tx_rate))

    def _tracked(self, canvas: Canvas) -> Iterator[Figure]:
        tracking = self.row.tracking
        if tracking is not None and tracking.most:
            percent = 100 * tracking.flows / tracking.most
            words = f"connections, {said(share(percent))} of the {tracking.most:,} there is room for"
            yield Figure("tracked", *count(tracking.flows), words, canvas.look.warning if percent > FULL else None)

    def _protocols(self, canvas: Canvas) -> Block:
        """What TCP and UDP count here, beside how fast it grows."""
        counters = self.row.protocols
        if counters is None:
            return []
        rates = self.row.protocol_rates or (None,) * len(counters)
        figures = {
            name: Figure(*_protocol(name, value, rate, canvas))
            for name, value, rate in zip(counters._fields, counters, rates, strict=True)
        }
        left, right = canvas.halves()
        udp = [figure for name, figure in figures.items() if name.startswith("udp")]
        tcp = [figure for name, figure in figures.items() if not name.startswith("udp")]
        return canvas.beside(
            [*left.heading("TCP", "since it was made"), *left.figures(tcp)],
            [*right.heading("UDP", "since it was made"), *right.figures(udp)],
        )

    def _surroundings(self, canvas: Canvas) -> Block:
        refusal = self.refusal(InspectNamespace, canvas)
        found = Surroundings.of(self.answers.get(InspectNamespace))
        if refusal is not None or found is None:
            return canvas.heading("Routes and neighbours") + (refusal or [])
        return [
            *canvas.heading("Routes"),
            *table(canvas, ROUTES, found.routes, "nothing can leave: there is no route"),
            *canvas.heading("Neighbours", "what answers, or should, on its links"),
            *table(canvas, NEIGHBOURS, found.neighbours, "it has spoken to none"),
        ]


def _protocol(
    name: str, value: int | None, rate: float | None, canvas: Canvas
) -> tuple[str, str, str, str, Style | None]:
    """The label, the number, its unit, what it means and how it looks: one that grows and should not is a warning."""
    label, words, wrong = PROTOCOLS[name]
    grows = f"; {said(often(rate))}" if rate else ""
    number, unit = count(value)
    return label, number, unit, words + grows, canvas.look.warning if wrong and rate else None


def _rates(
    before: InterfaceCounters | None, now: InterfaceCounters | None, elapsed: float | None
) -> tuple[float | None, float | None]:
    if before is None or now is None or not elapsed:
        return None, None
    return (
        max(0, now.rx_bytes - before.rx_bytes) / elapsed,
        max(0, now.tx_bytes - before.tx_bytes) / elapsed,
    )
