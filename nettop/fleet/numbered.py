"""An origin whose numbers bear that of its machine: see `machines`.

What comes from the far end is checked like everything else that does: a number that has no room beside the machine's
could be taken for another machine's, and ends the connection with the reason. Requests go back with the numbers as
their machine knows them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nettop import wire
from nettop.machines import MOST_INODES, MOST_ROWS, MOST_TICKS, first_number, machine_of, own_number
from nettop.model import TABLES, Change, Delta, Owner, Owners
from nettop.origin import Origin
from nettop.requests import Answer, Reply, Request

INODES: Mapping[str, tuple[str, ...]] = {
    "sockets": ("netns",),
    "processes": ("netns",),
    "containers": ("netns",),
    "namespaces": ("netns",),
    "interfaces": ("netns", "peer_netns"),
    "destinations": ("netns",),
}
"""Table → its columns that hold inodes of namespaces; events have one, too."""
TICKS: Mapping[str, tuple[str, ...]] = {"processes": ("start_time",)}
"""Table → its columns that hold start times; those of `owners` stand within its lists."""
ROWS: Mapping[str, tuple[str, ...]] = {"processes": ("belongs",), "cgroups": ("container",)}
"""Table → its columns that hold ids of rows."""

_NAMED = ("netns", "start_time")
"""What a request names its socket, namespace or process by, beside what any machine may have."""


class Numbered:
    """See `origin.Origin`."""

    def __init__(self, origin: Origin, machine: int) -> None:
        self.ended = origin.ended
        self.missing = origin.missing
        self._origin = origin
        self._machine = machine
        self._streams = 0
        self._connection: socket.socket | None = None

    async def open(self) -> socket.socket:
        """See `origin.Origin`; another connection than before tells of rows with other ids."""
        connection = await self._origin.open()
        if connection is not self._connection:
            self._connection = connection
            self._streams += 1
        return connection

    def close(self, patience: float = 0.0) -> str:
        """See `origin.Origin`."""
        self._connection = None
        return self._origin.close(patience)

    def set_interval(self, seconds: float) -> None:
        """See `origin.Origin`."""
        self._origin.set_interval(seconds)

    def hear(self, line: bytes) -> Iterator[tuple[Delta | Reply, bytes]]:
        """See `origin.Origin`; raises `wire.WireError` for numbers there is no room for, too."""
        for heard, told in self._origin.hear(line):
            yield heard if isinstance(heard, Reply) else numbered(heard, self._machine, self._streams), told

    async def answer(self, request: Request) -> Answer | None:
        """See `origin.Origin`."""
        return await self._origin.answer(request)


class _Raised(dict[Any, Any]):
    """Number → the same beside that of its machine, made once as many rows have it; what is not known stays so."""

    def __init__(self, what: str, first: int, most: int) -> None:
        super().__init__({None: None})
        self._what = what
        self._first = first
        self._most = most

    def __missing__(self, number: int) -> int:
        if not 0 <= number < self._most:
            raise wire.WireError(f"{self._what} {number} is out of range")
        raised = self[number] = self._first + number
        return raised


def numbered(delta: Delta, machine: int, stream: int) -> Delta:
    """A Delta with the numbers of a machine, its rows those of the `stream`th connection to it. Raises
    `wire.WireError` where one of its own has no room. It takes 2 µs a socket."""
    inodes = _Raised("the namespace", first_number(machine), MOST_INODES)
    ticks = _Raised("the start time", first_number(machine), MOST_TICKS)
    first = first_number(machine, stream)
    ids = _Raised("the row", first, MOST_ROWS)
    changes = {}
    for table, change in delta.changes.items():
        highest = max(max(change.rows, default=0), max(change.gone, default=0))
        if highest >= MOST_ROWS:
            raise wire.WireError(f"the row {highest} is out of range")
        rows = list(change.rows.values())
        for names, raised in ((INODES, inodes), (TICKS, ticks), (ROWS, ids)):
            for name in names.get(table, ()):
                rows = _with(rows, TABLES[table], name, raised)
        if table == "owners":
            rows = [_held(owners, ticks) for owners in rows]
        numbers = [first + row_id for row_id in change.rows]
        changes[table] = Change(dict(zip(numbers, rows, strict=True)), [first + row_id for row_id in change.gone])
    nowhere = first_number(machine)  # where the namespace is not known, the machine is all the same
    events = [event._replace(netns=inodes[event.netns] or nowhere) for event in delta.events]
    return delta._replace(changes=changes, events=tuple(events))


def _with(rows: Sequence[Any], kind: type[Any], name: str, raised: _Raised) -> list[Any]:
    """Rows of one kind with one column raised."""
    place, new = kind._fields.index(name), tuple.__new__  # what _make does, without a Python frame a row
    return [new(kind, (*row[:place], raised[row[place]], *row[place + 1 :])) for row in rows]


def _held(owners: Owners, ticks: _Raised) -> Owners:
    new = tuple.__new__
    holders = tuple([new(Owner, (pid, ticks[start_time], fd)) for pid, start_time, fd in owners.holders])
    return new(Owners, (owners.by, holders))


def machine_asked(request: Request) -> int:
    """The machine a request is for: that of the process, socket or namespace it names."""
    return max(machine_of(getattr(request, name, 0)) for name in _NAMED)


def as_there(request: Request) -> Request:
    """A request with the numbers as its machine knows them."""
    asked: Any = request
    known: Request = asked._replace(
        **{name: own_number(getattr(asked, name)) for name in _NAMED if name in asked._fields}
    )
    return known
