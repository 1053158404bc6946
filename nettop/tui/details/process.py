"""The page about a process: who it is, what it uses, its traffic and sockets, its family, its files, limits and
environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nettop import format as text
from nettop.fields import CONNECTIONS, EVENTS
from nettop.requests import InspectEnvironment, InspectProcess, Request
from nettop.snapshot import ProcessRow
from nettop.tui.details.blocks import Block, Canvas, Fact, Figure
from nettop.tui.details.facts import ProcessFacts, environment
from nettop.tui.details.listing import Listing, Target
from nettop.tui.details.measures import count, said, share, size, speed
from nettop.tui.details.subject import History, Jump, Subject, called
from nettop.tui.dialogs.page import Link, PageLine
from nettop.tui.drawing.line import piece
from nettop.tui.lists.scopes import Scope, process_scope

STATES: Mapping[str, str] = {
    "R": "runs, or could",
    "S": "sleeps until something happens",
    "D": "waits for a disk or another device, and cannot be interrupted",
    "Z": "a zombie: it has ended, and its parent has not asked how",
    "T": "stopped by a signal",
    "t": "stopped by a debugger",
    "I": "an idle kernel thread",
    "X": "dead",
}
"""The letter of the state, as in proc_pid_stat(5)."""

CHILDREN = 10
"""Children that are listed."""
FILES = 20
"""Named files that are listed."""

_SOCKETS = "proto state local lport remote rport rx_rate tx_rate rtt retrans limit peer"


class ProcessPage(Subject[ProcessRow]):
    """One process."""

    view = "processes"
    kind = ProcessRow
    commands = ("signal", "copy", "nice_more")

    def __init__(self, row_id: int, row: ProcessRow) -> None:
        super().__init__(row_id, row)
        key, pid = row.process.key, row.process.pid
        scope = process_scope(row)
        columns = " ".join(name for name in _SOCKETS.split() if name in CONNECTIONS.fields)
        self._sockets = Listing(CONNECTIONS, scope, columns, "-rate")
        happened = Scope(scope.title, {"events": lambda event: event.pid == pid})
        self._events = Listing(EVENTS, happened, "time kind tid detail", "-time", 8)
        self.listings = (self._sockets, self._events)
        self._key = key

    @property
    def title(self) -> str:  # type: ignore[override]  # a process renames itself, and execs
        return called(self.row.process)

    def same(self, row: ProcessRow) -> bool:
        return row.process.key == self._key

    def requests(self) -> Sequence[Request]:
        if self.over:
            return ()
        inspect = InspectProcess(*self._key)
        return (inspect, InspectEnvironment(*self._key)) if self.revealed else (inspect,)

    def jumps(self) -> Mapping[str, Jump]:
        jumps = {"c": Jump("connections", process_scope(self.row))}
        namespace = self.namespace_row(self.row.process.netns)
        if namespace:
            jumps["n"] = Jump("namespace", Target("namespaces", namespace.id))
        parent = self._parent(self.row)
        if parent:
            jumps["p"] = Jump("parent", Target("processes", parent.id))
        return jumps

    def draw(self, canvas: Canvas, history: History) -> Block:
        left, right = canvas.halves()
        row, look = self.row, canvas.look
        facts = ProcessFacts.of(self.answers.get(InspectProcess))
        block = [*self.farewell(canvas), PageLine([]), *canvas.paragraph(text.safe(row.process.command), look.strong)]
        block += canvas.beside(
            [*left.heading("Who"), *left.facts(self._who(facts))],
            [*right.heading("What it uses"), *right.figures(self._use(facts, canvas))],
        )
        block += canvas.heading("The last minutes") + self.traffic(canvas, history)
        note = f"{row.sockets:,}, the busiest first; c lists them all" if row.sockets else ""
        block += canvas.heading("Sockets", note) + self._sockets.draw(canvas, "it holds no socket")
        block += canvas.heading("Family") + self._family(canvas)
        block += canvas.heading("Events", "the newest first") + self._events.draw(canvas, "none since nettop began")
        return [*block, *self._inspected(canvas, facts)]

    # --- who and what ---

    def _who(self, facts: ProcessFacts | None) -> Iterator[Fact]:
        process, usage, now = self.row.process, self.row.usage, self.snapshot.time
        inner = [pid for pid in facts.pids[1:] if pid != process.pid] if facts else []
        yield from self.machine_fact()
        yield Fact("pid", str(process.pid), f"{inner[-1]} in its own pid namespace" if inner else "")
        parent = self._parent(self.row)
        yield self.process_fact("parent", parent.process) if parent else Fact("parent", str(process.ppid or "-"))
        yield Fact("user", text.safe(process.user or str(process.uid)), f"uid {process.uid}")
        yield Fact("state", usage.state, STATES.get(usage.state, "") + (f"; nice {usage.nice}" if usage.nice else ""))
        age = text.duration(max(0.0, now - process.started))
        yield Fact("started", text.time_of_day(process.started, now, precise=True), f"{age} ago")
        yield self.namespace_fact(process.netns)
        yield from self.membership(process.belongs, process.unit)
        if process.cgroup and process.cgroup != "/":
            yield Fact("cgroup", text.safe(process.cgroup))
        if facts:
            for name, label in (("exe", "executable"), ("cwd", "directory"), ("root", "root")):
                path = facts.path(name)
                if path is not None and (name, path) != ("root", "/"):
                    yield Fact(label, path, facts.unreadable.get(name, ""))

    def _use(self, facts: ProcessFacts | None, canvas: Canvas) -> Iterator[Figure]:
        row, look = self.row, canvas.look
        known = self.snapshot.interval is not None
        yield Figure("processor", *share(row.cpu), "of one", look.warning if (row.cpu or 0.0) > 90 else None)
        words = f"{said(share(row.mem))} of the machine"
        if facts and facts.peak:
            words += f"; at most {said(size(facts.peak))} so far"
        words += f"; {said(size(facts.swapped))} swapped out" if facts and facts.swapped else ""
        yield Figure("memory", *size(row.usage.rss), words)
        yield Figure("threads", *count(row.usage.threads), facts.thread_names() if facts else "")
        yield self._files_figure(facts, canvas)
        words = f"{row.connections:,} with a remote end, {row.listening:,} listening"
        yield Figure("sockets", *count(row.sockets), words)
        for label, rate, total in (("receives", row.rx_rate, row.rx_bytes), ("sends", row.tx_rate, row.tx_bytes)):
            words = "" if total is None else f"{said(size(total))} so far"
            yield Figure(label, *speed(rate if known else None), words)
        yield Figure("sent again", *count(row.retrans), "segments", look.warning if row.retrans else None)
        if facts and facts.io:
            yield Figure("reads", *size(facts.io.get("read")), f"{said(size(facts.io.get('disk_read')))} from disks")
            yield Figure(
                "writes", *size(facts.io.get("written")), f"{said(size(facts.io.get('disk_written')))} to disks"
            )

    def _files_figure(self, facts: ProcessFacts | None, canvas: Canvas) -> Figure:
        used, limit = self.row.usage.fds, facts.limit("open files") if facts else None
        if used is None or limit is None or limit.soft is None:
            return Figure("open files", *count(used))
        near = used > 0.8 * limit.soft
        words = f"of {limit.soft:,} it may have"
        if used >= 0.01 * limit.soft:
            words += f", {said(share(100 * used / max(1, limit.soft)))}"
        return Figure("open files", *count(used), words, canvas.look.warning if near else None)

    # --- family ---

    def _parent(self, row: ProcessRow) -> ProcessRow | None:
        pid = row.process.ppid
        return next((each for each in self.snapshot.processes.values() if each.process.pid == pid), None)

    def _family(self, canvas: Canvas) -> Block:
        """Its ancestors from init on, itself, and its children."""
        rows = {row.process.pid: row for row in self.snapshot.processes.values()}
        line = [self.row]
        while (parent := rows.get(line[0].process.ppid)) and parent not in line:
            line.insert(0, parent)
        block = [self._relative(canvas, row, depth, last=True) for depth, row in enumerate(line)]
        pid = self.row.process.pid
        children = sorted(
            (row for row in rows.values() if row.process.ppid == pid),
            key=lambda row: (-(row.rx_rate or 0.0) - (row.tx_rate or 0.0), row.process.pid),
        )
        shown = children[:CHILDREN]
        for place, child in enumerate(shown, 1):
            block.append(self._relative(canvas, child, len(line), last=place == len(children)))
        if len(children) > len(shown):
            indent = " " * (3 * len(line) - 1)
            block.append(
                PageLine([piece(f"{indent}and {len(children) - len(shown):,} more children", canvas.look.dim)])
            )
        return block

    def _relative(self, canvas: Canvas, row: ProcessRow, depth: int, *, last: bool) -> PageLine:
        look, signs = canvas.look, canvas.signs
        guide = f"{'   ' * (depth - 1)}{signs.corner if last else signs.tee} " if depth else ""
        own = row.process.key == self._key
        name = called(row.process)
        pieces = [piece(f"  {guide}", look.dim), piece(name, look.strong if own else look.text)]
        start = 2 + text.cell_width(guide)
        end = start + text.cell_width(name)
        room = canvas.width - end - 4
        if room > 0:
            pieces.append(piece(f"  {text.shorten_middle(text.safe(row.process.command), room)}", look.dim))
        return PageLine(pieces, () if own else (Link(Target("processes", row.id), start, end),))

    # --- asked of the collector ---

    def _inspected(self, canvas: Canvas, facts: ProcessFacts | None) -> Block:
        refusal = self.refusal(InspectProcess, canvas)
        if self.over and facts is None:
            return []
        if refusal is not None or facts is None:
            return canvas.heading("Open files, limits, environment") + (refusal or [])
        left, right = canvas.halves()
        block = canvas.beside(
            [*left.heading("Open files", facts.files_note), *self._files(left, facts)],
            [*right.heading("Limits", "what it may have; at most"), *self._limits(right, facts)],
        )
        return [*block, *self._environment(canvas)]

    def _files(self, canvas: Canvas, facts: ProcessFacts) -> Block:
        if "files" in facts.unreadable:
            return self._unreadable(canvas, facts.unreadable["files"])
        kinds = [Figure(text.safe(kind), *count(many)) for kind, many in facts.kinds.items()]
        block = canvas.figures(kinds)
        for fd, path in facts.paths[:FILES]:
            room = canvas.width - 8
            block.append(
                PageLine(
                    [piece(f" {fd:>5} ", canvas.look.dim), piece(text.shorten_middle(path, room), canvas.look.text)]
                )
            )
        more = len(facts.paths) - FILES
        if more > 0 or facts.more:
            said_more = f"and {more:,} more with a name" if not facts.more else "and many more"
            block.append(PageLine([piece(f"       {said_more}", canvas.look.dim)]))
        return block

    def _limits(self, canvas: Canvas, facts: ProcessFacts) -> Block:
        if "limits" in facts.unreadable:
            return self._unreadable(canvas, facts.unreadable["limits"])
        block = []
        for limit in facts.limits:
            soft, hard = limit.said(limit.soft), limit.said(limit.hard)
            pieces = [piece(f" {limit.name:<18} ", canvas.look.dim), piece(f"{soft:>13}", canvas.look.text)]
            pieces.append(piece(f"  {hard if hard != soft else ''}", canvas.look.dim))
            block.append(PageLine(pieces))
        return block

    def _unreadable(self, canvas: Canvas, reason: str) -> Block:
        return canvas.paragraph(f"may not be read: {reason}", canvas.look.warning, 2)

    def _environment(self, canvas: Canvas) -> Block:
        block = canvas.heading("Environment", "as it was when the program began")
        if not self.revealed:
            return block + canvas.paragraph(
                "It may hold secrets, and is not read until you press v.", canvas.look.text, 2
            )
        refusal = self.refusal(InspectEnvironment, canvas)
        if refusal is not None:
            return block + refusal
        variables, more = environment(self.answers.get(InspectEnvironment))
        for name, value in variables:
            pieces = [piece(name, canvas.look.strong), piece(f"={value}", canvas.look.text)]
            block += canvas.flowing(pieces, 2)
        if more or not variables:
            block += canvas.paragraph("and more" if more else "it is empty", canvas.look.dim, 2)
        return block
