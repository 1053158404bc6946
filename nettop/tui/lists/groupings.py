"""What rows can be grouped by, and the list of groups as a view of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nettop.fields import CONNECTIONS, MACHINE, PROCESSES, VIEWS, Field, Kind, Value, View, has_several
from nettop.machines import machine_of, machine_of_row
from nettop.snapshot import Connection
from nettop.tui.lists.sums import Sums, of_connection, of_process

Key = Callable[[Any], Value]
"""Row → the value that its group has in common; None is a group too: those of which it is not known."""


@dataclass(frozen=True, slots=True)
class By:
    """Something rows can be grouped by."""

    name: str
    """As a person says it."""
    common: str
    """The field of the rows that holds its text, and the first column of the groups."""
    keys: Mapping[str, Key]
    """Table of `Snapshot` → what tells the groups of its rows apart. Where `destinations` are among them, it is told
    how many connections were made to a group."""
    help: str
    named: bool = False
    """A group is called what that field says, which is not the value its rows have in common."""
    local: bool = False
    """That value means something on one machine only."""


class GroupRow(NamedTuple):
    """One group as a list of groups shows it."""

    id: int
    value: Value
    """What its rows have in common."""
    label: Value
    """The same for the eye."""
    processes: int
    """How many hold its rows."""
    sums: Sums
    opened: int | None = None
    """Connections made there since nettop began, those nobody saw included; None where rows are left out, as nobody
    knows whose they were."""
    failed: int | None = None


def _text(view: View, name: str) -> Key:
    get = view.fields[name].get
    return lambda row: get(row, 0.0)


def _same(name: str, *views: View) -> Mapping[str, Key]:
    """Groups of rows with the same value of a field."""
    return {view.table: _text(view, name) for view in views}


def _remote(row: Connection) -> Value:
    return row.socket.remote if row.socket.rport and row.stats.state != "LISTEN" else None


def _rport(row: Connection) -> Value:
    return row.socket.rport or None


_NETNS: Mapping[str, Key] = {
    "connections": lambda row: row.socket.netns,
    "processes": lambda row: row.process.netns,
    "namespaces": lambda row: row.namespace.netns,
    "events": lambda event: event.netns,
}

_container_of = CONNECTIONS.fields["container"].get

# two containers may have the same name
_CONTAINER: Mapping[str, Key] = {
    "connections": lambda row: row.belongs if _container_of(row, 0.0) is not None else None,
    "processes": lambda row: row.process.belongs if row.process.container is not None else None,
    "containers": lambda row: row.id if row.container.contained else None,
}

GROUPINGS: tuple[By, ...] = (
    By(
        "program",
        "comm",
        {**_same("comm", CONNECTIONS, PROCESSES), "events": lambda event: event.comm},
        "the name of the process",
    ),
    By("user", "user", _same("user", CONNECTIONS, PROCESSES), "whose they are"),
    By(
        "container",
        "container",
        _CONTAINER,
        "the container of the process",
        named=True,
        local=True,
    ),
    By("unit", "unit", _same("unit", CONNECTIONS, PROCESSES), "the systemd unit of the process"),
    By("namespace", "netns_name", _NETNS, "the network namespace", named=True, local=True),
    By(
        "remote host",
        "remote",
        {"connections": _remote, "destinations": lambda made: made.remote},
        "the address of the other end",
    ),
    By(
        "remote port",
        "rport",
        {"connections": _rport, "destinations": lambda made: made.rport},
        "the port of the other end",
    ),
    By(
        MACHINE.name,
        MACHINE.name,
        {
            **dict.fromkeys(VIEWS, machine_of_row),
            "destinations": lambda made: machine_of(made.netns),
        },
        "the machine",
        named=True,
    ),
)


def groupings(view: View) -> list[By]:
    """What the rows of a view can be grouped by."""
    return [
        by
        for by in GROUPINGS
        if view.table in COUNTED and view.table in by.keys and (by.common != MACHINE.name or has_several(view))
    ]


# --- the list of groups as a view ------------------------------------------------------------------------------------

_Get = Callable[[GroupRow, float], Value]


def _sum(name: str) -> _Get:
    return lambda group, _: getattr(group.sums, name)


def _rate(group: GroupRow, _now: float) -> Value:
    sums = group.sums
    return None if sums.rx_rate is None or sums.tx_rate is None else sums.rx_rate + sums.tx_rate


# fmt: off
_FIELDS = {
    each.name: each
    for each in (
        Field("processes", "PROCS", Kind.NUMBER, 6, "processes of the group", lambda group, _: group.processes),
        Field("cpu", "CPU%", Kind.PERCENT, 6, "share of one processor, all together", _sum("cpu")),
        Field("mem", "MEM%", Kind.PERCENT, 5, "share of the memory of the machine", _sum("mem")),
        Field("rss", "RSS", Kind.BYTES, 6, "resident memory", _sum("rss")),
        Field("threads", "THR", Kind.NUMBER, 5, "threads", _sum("threads")),
        Field("connections", "CONN", Kind.NUMBER, 6, "sockets with a remote end", _sum("connections")),
        Field("listening", "LISTEN", Kind.NUMBER, 6, "listening sockets", _sum("listening")),
        Field("sockets", "SOCKS", Kind.NUMBER, 6, "sockets of every kind", _sum("sockets")),
        Field("rx_rate", "RX/s", Kind.RATE, 7, "bytes received a second", _sum("rx_rate"), difference=True),
        Field("tx_rate", "TX/s", Kind.RATE, 7, "bytes sent a second", _sum("tx_rate"), difference=True),
        Field("rate", "RATE", Kind.RATE, 7, "bytes a second, both ways", _rate, difference=True),
        Field("rx_bytes", "RX", Kind.BYTES, 7, "payload received", _sum("rx_bytes")),
        Field("tx_bytes", "TX", Kind.BYTES, 7, "payload sent", _sum("tx_bytes")),
        Field("retrans", "RETR", Kind.NUMBER, 6, "segments sent again", _sum("retrans")),
    )
}
_MADE = {
    each.name: each
    for each in (
        Field("opened", "OPENED", Kind.NUMBER, 7, "made there, however short", lambda group, _: group.opened),
        Field("failed", "FAILED", Kind.NUMBER, 7, "connects there that came to nothing", lambda group, _: group.failed),
    )
}
# fmt: on


def view_of_groups(view: View, by: By) -> View:
    """The groups of a view's rows as a view of its own: what they have in common, then the sums."""
    shown, counted = view.fields[by.common], COUNTED[view.table]
    common = Field(
        by.common,
        shown.title,
        shown.kind,
        shown.width,
        by.help,
        lambda group, _: group.label,
        flexible=not shown.kind.numeric,
    )
    figures = {name: _FIELDS[name] for name in counted.fields} | (_MADE if "destinations" in by.keys else {})
    return View(
        name=f"{view.name} by {by.name}",
        title=f"{view.title} by {by.name}",
        fields={by.common: common, **figures},
        columns=(by.common, *figures),
        optional=(*counted.optional[:2], *(name for name in _MADE if name in figures), *counted.optional[2:]),
        sort="-rate",
        rows=lambda _: (),
        rank=lambda group: -group.sums.rows,
        anchors=(by.common,),
    )


Holder = tuple[int, int]
"""Pid and start time, as in `model.ProcessKey`."""


class Counted(NamedTuple):
    """How rows of one kind are counted, and what is shown of the sums."""

    sums: Callable[[Any], Sums]
    holders: Callable[[Any], Iterable[Holder]]
    """Row → the processes it belongs to."""
    fields: tuple[str, ...]
    """Of the sums, those such rows have."""
    optional: tuple[str, ...]
    """Of these, the first to go when the screen is too narrow for all."""


COUNTED: Mapping[str, Counted] = {
    "connections": Counted(
        of_connection,
        lambda row: {owner[:2] for owner in row.owners},
        tuple(name for name in _FIELDS if name not in ("cpu", "mem", "rss", "threads")),
        ("sockets", "rate", "listening", "retrans", "tx_bytes", "rx_bytes"),
    ),
    "processes": Counted(
        of_process,
        lambda row: (row.process.key,),
        tuple(_FIELDS),
        ("threads", "sockets", "mem", "rate", "retrans", "listening", "tx_bytes", "rx_bytes", "rss"),
    ),
}
