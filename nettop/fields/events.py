"""The fields of events."""

from __future__ import annotations

from collections.abc import Callable

from nettop.fields.machine import MACHINE
from nettop.fields.view import Field, Kind, Value, view_of
from nettop.model import EVENT_KINDS, Event


def _event(name: str) -> Callable[[Event, float], Value]:
    index = Event._fields.index(name)

    def get(event: Event, _now: float) -> Value:
        value: Value = event[index]
        return value

    return get


# fmt: off
EVENTS = view_of(
    "events",
    "Events",
    (
        Field("time", "TIME", Kind.TIME, 12, "when it happened", _event("time")),
        Field("kind", "KIND", Kind.TEXT, 10, " ".join(EVENT_KINDS), _event("kind")),
        Field("pid", "PID", Kind.NUMBER, 7, "process it happened to", _event("pid")),
        Field("ppid", "PPID", Kind.NUMBER, 7, "the process that started it", _event("ppid")),
        Field("parent", "PARENT", Kind.TEXT, 15, "name of the process that started it", _event("parent")),
        Field("tid", "TID", Kind.NUMBER, 7, "thread it happened to", _event("tid")),
        Field("comm", "NAME", Kind.TEXT, 15, "name of the process", _event("comm")),
        Field("detail", "DETAIL", Kind.TEXT, 30, "command, exit code or signal, new id or name; both ends of a socket, and what became of it", _event("detail"), flexible=True),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of its network namespace", _event("netns")),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container it runs in", _event("container"), flexible=True),
        MACHINE,
    ),
    columns="time kind pid comm parent detail container",
    optional="container parent",
    sort="time",
    rows=lambda snapshot: snapshot.events.values(),
    anchors="time kind",
)
# fmt: on
