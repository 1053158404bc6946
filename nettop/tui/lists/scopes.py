"""What one can drill into, and which rows of each view belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nettop.fields import waits_for_anybody
from nettop.machines import machine_of_row, own_number
from nettop.model import Event
from nettop.snapshot import ContainerRow, NamespaceRow, ProcessRow
from nettop.tui.lists.marks import Test

CLOCKS = 1.0
"""Seconds by which the start of a process, counted from boot, and the time of an event may differ."""


@dataclass(frozen=True)
class Scope:
    """What one has drilled into: the rows of each view that belong to it."""

    title: str
    tests: Mapping[str, Test]
    """Table of `Snapshot` → does a row belong; a table that is not named is not narrowed."""

    def within(self, outer: Scope | None) -> Scope:
        """Narrowed further, to what belongs to another scope too."""
        if outer is None:
            return self
        tests = {**outer.tests, **self.tests}
        for table in outer.tests.keys() & self.tests.keys():
            tests[table] = _both(outer.tests[table], self.tests[table])
        return Scope(self.title, tests)


def _both(first: Test, second: Test) -> Test:
    return lambda row: first(row) and second(row)


def process_scope(row: ProcessRow) -> Scope:
    """A process: the sockets it holds, first or not; its namespace; what happened to it and its children."""
    key, pid, machine = row.process.key, row.process.pid, machine_of_row(row)
    since = row.process.started - CLOCKS
    return Scope(
        f"{row.process.comm} ({row.process.pid})",
        {
            "connections": lambda c: any(owner.process == key for owner in c.owners),
            "processes": lambda p: p.process.key == key,
            "namespaces": lambda n: n.namespace.netns == row.process.netns,
            "containers": lambda c: c.id == row.process.belongs,
            "events": lambda e: pid in (e.pid, e.ppid) and e.time >= since and machine_of_row(e) == machine,
        },
    )


def process_of(event: Event, processes: Iterable[ProcessRow]) -> ProcessRow | None:
    """The process of its machine something happened to, while it is there; its pid may belong to a later one by now."""
    for row in processes:
        if row.process.pid == event.pid and row.process.started - CLOCKS <= event.time:
            return row
    return None


def container_scope(row: ContainerRow) -> Scope:
    """A container, unit or program: its processes, their sockets and namespaces, and what happened in it."""
    row_id, container, machine = row.id, row.container, machine_of_row(row)
    name = container.name if container.contained else None

    def happened_inside(event: Event) -> bool:
        inside = event.container == name if name else event.pid == container.pid
        return inside and machine_of_row(event) == machine

    return Scope(
        container.name,
        {
            "connections": lambda c: c.belongs == row_id,
            "processes": lambda p: p.process.belongs == row_id,
            "namespaces": lambda n: n.namespace.netns == container.netns,
            "containers": lambda c: c.id == row_id,
            "events": happened_inside,
        },
    )


def namespace_scope(row: NamespaceRow) -> Scope:
    """A network namespace: the processes and sockets inside, and what happened there."""
    netns, name = row.namespace.netns, row.namespace.name
    return Scope(
        # the breadcrumb begins with the machine, which is called host too
        name if name and row.namespace.kind != "host" else f"netns {name or own_number(netns)}",
        {
            "connections": lambda c: c.socket.netns == netns,
            "processes": lambda p: p.process.netns == netns,
            "namespaces": lambda n: n.namespace.netns == netns,
            "containers": lambda c: c.container.netns == netns,
            "events": lambda e: e.netns == netns,
        },
    )


LISTENING = Scope(
    "listeners",
    {
        "connections": waits_for_anybody,
        "processes": lambda p: p.listening > 0,
        "namespaces": lambda n: n.listening > 0,
        "containers": lambda c: c.listening > 0,
    },
)
"""Whoever waits to be called, on the whole machine."""
