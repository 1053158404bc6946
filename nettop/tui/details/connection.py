"""The page about a connection: both ends, how it goes, and what keeps it from going faster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nettop import format as text
from nettop.machines import machine_of_row
from nettop.model import SocketStats
from nettop.snapshot import Connection, Snapshot
from nettop.store.limits import evidence
from nettop.tui.details import tcp_words
from nettop.tui.details.blocks import Block, Canvas, Fact, Figure
from nettop.tui.details.graph import graph
from nettop.tui.details.listing import Target
from nettop.tui.details.measures import often, said, size, span, speed
from nettop.tui.details.subject import History, Jump, Subject, called
from nettop.tui.dialogs.page import PageLine
from nettop.tui.drawing.columns import ends
from nettop.tui.lists.scopes import process_scope

WHY: Mapping[str, str] = {
    "app": "the program has nothing more to send",
    "sndbuf": "its send buffer is full: it is too small for this way",
    "receiver": "the other end takes no more: its window is full",
    "network": "segments are lost, or wait in a queue on the way",
    "reader": "this program does not read what has arrived",
    "backlog": "the program accepts too slowly: its queue is full, or nearly so",
}
"""What each word of the `limit` field says."""

_WHY_THERE: Mapping[str, str] = {
    **WHY,
    "app": "its program has nothing more to send",
    "receiver": "this end takes no more: its window is full",
    "reader": "its program does not read what has arrived",
}
"""The same of the other end."""

HOLDERS = 8
"""Further holders of a socket that are listed."""


class ConnectionPage(Subject[Connection]):
    """One socket."""

    view = "connections"
    kind = Connection
    commands = ("copy", "close_socket", "signal")

    def __init__(self, row_id: int, row: Connection) -> None:
        super().__init__(row_id, row)
        self._before: SocketStats | None = None  # what the picture before said: the evidence rests on the difference
        self._peer: Connection | None = None
        self._looked_up = False
        self._tallest: dict[int, int] = {}  # width → lines that what limits it took at most

    @property
    def title(self) -> str:  # type: ignore[override]  # a socket may get another end while one looks
        proto, (here, there) = text.safe(self.row.socket.proto), ends(self.row)
        return f"{proto} {here} - {there}" if there != text.UNKNOWN else f"{proto} {here}"

    def same(self, row: Connection) -> bool:
        mine, other = self.row.socket, row.socket
        if mine.cookie is not None or other.cookie is not None:
            return (mine.netns, mine.cookie) == (other.netns, other.cookie)
        return mine[:9] == other[:9]  # both ends, and the inode

    def follow(self, snapshot: Snapshot) -> None:
        follows = snapshot.sequence == self.snapshot.sequence + 1 and snapshot.interval is not None
        stats = self.row.stats
        if snapshot.sequence != self.snapshot.sequence:
            self._before = stats if follows else None
        super().follow(snapshot)

    def look_up(self) -> Iterator[None]:
        yield from self.row.peers.prepare()
        self._peer = None if self.gone else self.row.peer
        self._looked_up = True

    def jumps(self) -> Mapping[str, Jump]:
        jumps = {}
        owner = self.process_row(self.row.process.key) if self.row.process else None
        if owner:
            jumps["p"] = Jump("process", Target("processes", owner.id))
        namespace = self.namespace_row(self.row.socket.netns)
        if namespace:
            jumps["n"] = Jump("namespace", Target("namespaces", namespace.id))
        if owner:
            jumps["c"] = Jump("connections", process_scope(owner))
        if self._peer:
            jumps["o"] = Jump("other end", Target("connections", self._peer.id))
        return jumps

    def draw(self, canvas: Canvas, history: History) -> Block:
        left, right = canvas.halves()
        look = canvas.look
        stats = self.row.stats
        listens = stats.state == "LISTEN"
        block = [*self.farewell(canvas), *self._why(canvas)]
        block += canvas.beside(
            [*left.heading("Both ends"), *left.facts(self._ends())],
            [*right.heading("Now"), *right.figures([*self._account(), *tcp_words.queues(stats, look)])],
        )
        if not listens and stats.rx_bytes is not None:
            block += canvas.heading("The last minutes")
            block += self.traffic(canvas, history)
            if stats.rtt is not None:
                block += self._way(canvas, history)
        words = list(tcp_words.tcp(stats, look))
        if words:
            block += [*canvas.heading("In the words of TCP"), *canvas.figures(words)]
        if self._looked_up:  # some fields tell of the peer
            # of a listener the queues are connections, not bytes
            block += self.every_field(canvas, ("recvq", "sendq") if listens else ())
        return block

    def _why(self, canvas: Canvas) -> Block:
        """What limits it, and the figures that rests on, in as many lines as ever before, for the page to stand."""
        block = self._limit(canvas)
        lines = self._tallest[canvas.width] = max(len(block), self._tallest.get(canvas.width, 0))
        return block + [PageLine([])] * (lines - len(block))

    def _limit(self, canvas: Canvas) -> Block:
        """The same in as many lines as it takes."""
        limit, stats, look = self.row.limit, self.row.stats, canvas.look
        if self.over or (stats.rtt is None and stats.state != "LISTEN"):
            return []
        if not limit:
            return [PageLine([]), *canvas.paragraph(self._nothing(), look.dim), PageLine([])]
        worry = limit != "app"
        sentence = f"Limited by {limit}: {WHY[limit]}."
        block = [PageLine([]), *(canvas.warning(sentence) if worry else canvas.paragraph(sentence, look.text))]
        figures = evidence(self._before, stats)
        if not figures:
            return [*block, PageLine([])]
        return block + canvas.paragraph(f"{figures[0].upper()}{figures[1:]}.", look.text, 3 if worry else 1)

    def _nothing(self) -> str:
        """That nothing limits it, or nothing here."""
        there = self._peer.limit if self._peer else None
        if there:
            return f"Nothing at this end holds it up. The other one is limited by {there}: {_WHY_THERE[there]}."
        if (self.row.rx_rate or 0) > (self.row.tx_rate or 0):
            return "Nothing at this end holds it up: it gets what the other end sends."
        return "Nothing holds it up, as far as the kernel counts."

    def _ends(self) -> Iterator[Fact]:
        row = self.row
        socket = row.socket
        here, there = ends(row)
        yield from self.machine_fact()
        yield Fact("this end", here, f"on {text.safe(socket.iface)}" if socket.iface else "")
        yield from self._holders()
        yield Fact("other end", there)
        if self._peer:
            yield Fact("", *self._other_holder(self._peer), Target("connections", self._peer.id))
        if row.nat:
            yield Fact("translated", text.endpoint(row.nat.remote, row.nat.rport), "who the other end is in truth")
        yield Fact("state", row.stats.state, tcp_words.STATES.get(row.stats.state, ""))
        yield self.namespace_fact(socket.netns)
        yield from self.membership(row.belongs, row.process.unit if row.process else None)
        yield from self._made()
        seen = text.UNKNOWN if socket.since is None else f"{text.duration(self.snapshot.time - socket.since)} ago"
        yield Fact("first seen", seen, "" if socket.since is not None else "older than nettop")
        yield Fact("user", text.safe(socket.user or text.UNKNOWN), "" if socket.uid is None else f"uid {socket.uid}")
        kind = " ".join(filter(None, (socket.family, socket.kind, socket.congestion)))
        yield Fact("socket", text.safe(kind), f"inode {socket.inode or '-'}, cookie {socket.cookie or '-'}")

    def _other_holder(self, peer: Connection) -> tuple[str, str]:
        who = called(peer.process) if peer.process else "a socket nobody is known to hold"
        name = peer.namespace.name if peer.namespace else None
        there = machine_of_row(peer)
        where = (
            "this host" if there == machine_of_row(self.row) else text.safe(self.machines.get(there, "another host"))
        )
        return who, f"on {where}, in {text.safe(name)}" if name else f"on {where}"

    def _made(self) -> Iterator[Fact]:
        """What became of all connections made to the same address and port."""
        socket = self.row.socket
        where = socket.netns, socket.remote, socket.rport
        made = next((made for made in self.snapshot.destinations.values() if made[:3] == where), None)
        if made is not None:
            ended = f"those that ended: received {said(size(made.rx_bytes))}, sent {said(size(made.tx_bytes))}"
            again = f", {made.retrans} segments again" if made.retrans else ""
            yield Fact("made there", f"{made.opened} opened, {made.failed} failed", ended + again)

    def _holders(self) -> Iterator[Fact]:
        row = self.row
        if not row.owners:
            yield Fact("held by", "nobody known")
        for place, (owner, process) in enumerate(zip(row.owners, row.holders, strict=True)):
            if place > HOLDERS:
                yield Fact("", f"and {len(row.owners) - place} more")
                break
            label = "" if place else "held by"
            if process is None:
                yield Fact(label, f"pid {owner.pid}", f"fd {owner.fd}; it is not listed any more")
            else:
                yield self.process_fact(label, process, f"fd {owner.fd}")

    def _account(self) -> Sequence[Figure]:
        row = self.row
        if row.stats.state == "LISTEN":
            return []
        received, sent = size(row.stats.rx_bytes), size(row.stats.tx_bytes)
        known = self.snapshot.interval is not None
        return [
            Figure("receives", *speed(row.rx_rate if known else None), f"{said(received)} since it was opened"),
            Figure("sends", *speed(row.tx_rate if known else None), f"{said(sent)} since it was opened"),
        ]

    def _way(self, canvas: Canvas, history: History) -> Block:
        """Graphs of round-trip time and retransmits."""
        samples = history(self.view, self.row_id)
        left, right = canvas.halves()
        look, number = canvas.look, self.snapshot.sequence
        return canvas.beside(
            graph(left, "round trip", samples, lambda s: s.rtt, lambda v: said(span(v)), look.good, number),
            graph(
                right, "sent again", samples, lambda s: s.retrans_rate, lambda v: said(often(v)), look.warning, number
            ),
        )
