"""The page about an event: what happened, to whom, and what else happened to the same process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nettop import format as text
from nettop.fields import EVENTS
from nettop.model import Event
from nettop.snapshot import ProcessRow
from nettop.tui.details.blocks import Block, Canvas, Fact
from nettop.tui.details.listing import Listing, Target
from nettop.tui.details.subject import History, Jump, Subject
from nettop.tui.lists.scopes import Scope, process_of, process_scope

KINDS: Mapping[str, str] = {
    "fork": "a process was started",
    "exec": "it became another program",
    "exit": "it ended",
    "uid": "it became another user",
    "gid": "it joined another group",
    "sid": "it began a session of its own",
    "comm": "it took another name",
    "ptrace": "a debugger took hold of it, or let go",
    "coredump": "it crashed, and its memory was written down",
    "connect": "it made a connection",
    "accept": "it accepted a connection",
    "listen": "it began to wait for connections",
    "close": "a connection of it ended",
    "fail": "a connection of it was refused, timed out or was reset",
    "retransmit": "what it had sent had to be sent again",
}
"""What each kind of event says."""


class EventPage(Subject[Event]):
    """One event."""

    view = "events"
    kind = Event
    commands = ("signal", "copy")

    def __init__(self, row_id: int, row: Event) -> None:
        super().__init__(row_id, row)
        self.title = f"{text.safe(row.kind)} {row.pid if row.pid is not None else ''}".strip()
        about = Scope(self.title, {"events": lambda event: event.pid is not None and event.pid == row.pid})
        self._others = Listing(EVENTS, about, "time kind tid comm detail", "-time", 30)
        self.listings = (self._others,)

    def same(self, row: Event) -> bool:
        return row == self.row

    def jumps(self) -> Mapping[str, Jump]:
        process = self._process()
        if process is None:
            return {}
        jumps = {
            "p": Jump("process", Target("processes", process.id)),
            "c": Jump("connections", process_scope(process)),
        }
        namespace = self.namespace_row(process.process.netns)
        if namespace:
            jumps["n"] = Jump("namespace", Target("namespaces", namespace.id))
        return jumps

    def draw(self, canvas: Canvas, history: History) -> Block:  # noqa: ARG002  # an event moves nothing
        return [
            *canvas.heading("What happened"),
            *canvas.facts(self._what()),
            *canvas.heading("To the same process", "the newest first"),
            *self._others.draw(canvas, "nothing else"),
            *self.every_field(canvas),
        ]

    def _what(self) -> Iterator[Fact]:
        event, now = self.row, self.snapshot.time
        ago = text.duration(max(0.0, now - event.time))
        yield from self.machine_fact()
        yield Fact("time", text.time_of_day(event.time, now, precise=True), f"{ago} ago")
        yield Fact("kind", text.safe(event.kind), KINDS.get(event.kind, ""))
        yield Fact("detail", text.safe(event.detail or text.UNKNOWN))
        process = self._process()
        if process:
            yield self.process_fact(
                "process", process.process, "has ended" if process.usage.state in "XZ" else "still running"
            )
        else:
            name = text.safe(event.comm or text.UNKNOWN)
            yield Fact("process", f"{name} ({event.pid})" if event.pid is not None else name, "not running any more")
        if event.tid is not None and event.tid != event.pid:
            yield Fact("thread", str(event.tid))
        parent = self._with_pid(event.ppid)
        if parent:
            yield self.process_fact("parent", parent.process)
        elif event.ppid is not None:
            started = f"{text.safe(event.parent)} ({event.ppid})" if event.parent else str(event.ppid)
            yield Fact("parent", started, "not running any more")
        yield self.namespace_fact(event.netns)
        if event.container:
            yield Fact("container", text.safe(event.container))

    def _process(self) -> ProcessRow | None:
        """The process it happened to, if that still runs."""
        return process_of(self.row, self.snapshot.processes.values())

    def _with_pid(self, pid: int | None) -> ProcessRow | None:
        return next((row for row in self.snapshot.processes.values() if row.process.pid == pid), None)
