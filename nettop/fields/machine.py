"""The field that every view has: which machine a row is of; and the views of several machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any

from nettop.fields.view import Field, Kind, Value, View
from nettop.machines import machine_of_row, own_netns
from nettop.snapshot import Connection

MACHINE = Field(
    "machine",
    "MACHINE",
    Kind.TEXT,
    10,
    "the machine it is of; of several, by what --host calls it",
    lambda _row, _now: None,
)
"""Unbound: nobody has told what machines are called."""

_NETNS_OF: Mapping[str, Any] = {
    "connections": attrgetter("socket.netns"),
    "processes": attrgetter("process.netns"),
    "namespaces": attrgetter("namespace.netns"),
    "containers": attrgetter("container.netns"),
    "events": attrgetter("netns"),
}


def of_machines(view: View, names: Mapping[int, str], *, several: bool) -> View:
    """A view that knows what machines are called, by number; `names` may be filled later.

    Where there are several the name is a column beside the first one, which stays when the others are scrolled, and the
    numbers of namespaces are those their machines know them by."""
    fields = {**view.fields, MACHINE.name: replace(MACHINE, get=lambda row, _: names.get(machine_of_row(row)))}
    if not several:
        return replace(view, fields=fields)
    netns_of = _NETNS_OF[view.table]
    fields["netns"] = replace(fields["netns"], get=lambda row, _: own_netns(netns_of(row)), member=None)
    if "peer" in fields:
        fields["peer"] = replace(fields["peer"], get=lambda row, _: peer(row, names))
    first, *others = view.columns
    return replace(view, fields=fields, columns=(first, MACHINE.name, *others), anchors=(*view.anchors, MACHINE.name))


def has_several(view: View) -> bool:
    """A view shows the rows of several machines."""
    return MACHINE.name in view.columns


def peer(row: Connection, names: Mapping[int, str]) -> Value:
    """The process at the other end, and where that is if it is elsewhere: in another namespace, on another machine."""
    other = row.peer
    if other is None or not other.owners:
        return None
    pid = other.owners[0].pid
    text = f"{other.process.comm} ({pid})" if other.process else f"({pid})"
    if other.socket.netns == row.socket.netns:
        return text
    namespace, there = other.namespace, machine_of_row(other)
    if there == machine_of_row(row):
        return f"{text} in {(namespace and namespace.name) or own_netns(other.socket.netns)}"
    inside = f" in {namespace.name}" if namespace and namespace.name and namespace.kind != "host" else ""
    return f"{text}{inside} on {names.get(there, 'another machine')}"
