"""The page about a container, a systemd unit or a program: what it is, what it uses, its processes and sockets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nettop import format as text
from nettop.fields import CONNECTIONS, PROCESSES
from nettop.snapshot import ContainerRow, ProcessRow
from nettop.tui.details.blocks import Block, Canvas, Fact, Figure
from nettop.tui.details.listing import Listing, Target
from nettop.tui.details.measures import count, said, share, size, speed
from nettop.tui.details.subject import History, Jump, Subject
from nettop.tui.drawing.line import piece
from nettop.tui.lists.scopes import container_scope

KINDS: Mapping[str, str] = {
    "container": "processes with a view of the machine of their own",
    "sandbox": "it only holds the namespaces of a pod",
    "pod": "of Kubernetes; which container is not told",
    "service": "a systemd service",
    "scope": "processes that systemd did not start itself",
    "session": "somebody has logged in",
    "slice": "a group of systemd units",
    "vm": "a virtual machine",
    "monitor": "it watches a container from outside",
    "program": "neither a container nor a systemd unit: processes of one name",
}

_PROCESSES = "pid user comm connections listening rx_rate tx_rate cpu rss command"
_SOCKETS = "proto state local lport remote rport comm rx_rate tx_rate rtt retrans limit"


class ContainerPage(Subject[ContainerRow]):
    """One container, unit or program."""

    view = "containers"
    kind = ContainerRow
    commands = ("signal", "copy")

    def __init__(self, row_id: int, row: ContainerRow) -> None:
        super().__init__(row_id, row)
        scope = container_scope(row)
        self._processes = Listing(PROCESSES, scope, _PROCESSES, "-rate", 8)
        self._sockets = Listing(CONNECTIONS, scope, _SOCKETS, "-rate", 8)
        self.listings = (self._processes, self._sockets)

    @property
    def title(self) -> str:  # type: ignore[override]  # its runtime may tell another name while one looks
        return text.safe(self.row.container.name)

    def same(self, row: ContainerRow) -> bool:
        mine, other = self.row.container, row.container
        if mine.container_id is None and other.container_id is None:
            return (mine.kind, mine.name, mine.cgroup) == (other.kind, other.name, other.cgroup)
        return mine.container_id == other.container_id

    def jumps(self) -> Mapping[str, Jump]:
        jumps = {"c": Jump("connections", container_scope(self.row))}
        first = self._first()
        if first:
            jumps["p"] = Jump("process", Target("processes", first.id))
        namespace = self.namespace_row(self.row.container.netns)
        if namespace:
            jumps["n"] = Jump("namespace", Target("namespaces", namespace.id))
        return jumps

    def draw(self, canvas: Canvas, history: History) -> Block:
        left, right = canvas.halves()
        container = self.row.container
        block = self.farewell(canvas)
        block += canvas.beside(
            [*left.heading(container.kind.capitalize()), *left.facts(self._what())],
            [*right.heading("What it uses"), *right.figures(self._use(canvas))],
        )
        block += canvas.heading("The last minutes") + self.traffic(canvas, history)
        block += canvas.heading("Processes", "the busiest first") + self._processes.draw(canvas, "none is left")
        block += canvas.heading("Sockets", "the busiest first; c lists them all")
        block += self._sockets.draw(canvas, "it has no socket")
        return [*block, *self._labels(canvas), *self.every_field(canvas)]

    def _labels(self, canvas: Canvas) -> Block:
        if not self.row.container.labels:
            return []
        pairs = [
            (text.safe(name), text.safe(value))
            for name, _, value in (label.partition("=") for label in self.row.container.labels)
        ]
        widest = min(max(text.cell_width(name) for name, _ in pairs), canvas.width // 2)
        block = canvas.heading("Labels")
        for name, value in pairs:
            label = name if text.cell_width(name) > widest else text.fit(name, widest)
            block += canvas.flowing([piece(f"{label}  ", canvas.look.dim), piece(value, canvas.look.text)], 1)
        return block

    def _what(self) -> Iterator[Fact]:
        container, now = self.row.container, self.snapshot.time
        yield from self.machine_fact()
        yield Fact("name", text.safe(container.name))
        yield Fact("kind", text.safe(container.kind), KINDS.get(container.kind, "of systemd"))
        if container.contained:
            yield Fact("runtime", text.safe(container.runtime or text.UNKNOWN))
            yield Fact("id", text.safe(container.container_id or text.UNKNOWN))
            yield Fact("image", text.safe(container.image or text.UNKNOWN))
            yield Fact("state", text.safe(container.state or text.UNKNOWN), self._restarted())
        for label, value, note in (
            ("pod", container.pod, container.k8s_namespace and f"in {container.k8s_namespace}"),
            ("service", container.service, container.task and f"task {container.task}"),
            ("cgroup", container.cgroup, None),
        ):
            if value:
                yield Fact(label, text.safe(value), text.safe(note or ""))
        if container.started is not None:
            age = text.duration(max(0.0, now - container.started))
            yield Fact("started", text.time_of_day(container.started, now, precise=True), f"{age} ago")
        yield self.namespace_fact(container.netns)
        first = self._first()
        if first:
            yield self.process_fact("held by", first.process, "its oldest process")

    def _restarted(self) -> str:
        restarts = self.row.container.restarts
        return f"started again {restarts:,} times" if restarts else ""

    def _use(self, canvas: Canvas) -> Iterator[Figure]:
        row, look = self.row, canvas.look
        known = self.snapshot.interval is not None
        yield Figure("processes", *count(row.processes))
        words = f"{row.connections:,} with a remote end, {row.listening:,} listening"
        yield Figure("sockets", *count(row.sockets), words)
        for label, rate, total in (("receives", row.rx_rate, row.rx_bytes), ("sends", row.tx_rate, row.tx_bytes)):
            words = "" if total is None else f"{said(size(total))} so far"
            yield Figure(label, *speed(rate if known else None), words)
        yield Figure("sent again", *count(row.retrans), "segments", look.warning if row.retrans else None)
        words = f"{row.opened:,} made, {row.accepted:,} accepted since nettop began"
        yield Figure("connects", *count(row.failed), f"failed; {words}", look.warning if row.failed else None)
        yield Figure("processor", *share(row.cpu), "of one")
        yield Figure("memory", *size(row.rss), "resident; what processes share counts for each")
        kills = row.container.oom_kills
        if kills is not None:
            words = "processes ended by the kernel for want of memory"
            yield Figure("oom kills", *count(kills), words, look.warning if kills else None)

    def _first(self) -> ProcessRow | None:
        pid = self.row.container.pid
        return next((row for row in self.snapshot.processes.values() if row.process.pid == pid), None)
