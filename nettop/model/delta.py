"""The tables of a Delta, and the Delta itself."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple, Type

from nettop.model.machine import Event, Health, Host, Traffic
from nettop.model.namespaces import Interface, InterfaceCounters, Namespace, ProtocolCounters, Tracking
from nettop.model.processes import Cgroup, Container, Process, Usage
from nettop.model.sockets import Closed, Datagrams, Destination, Nat, Owners, Socket, SocketStats

TABLES: Mapping[str, Type[Any]] = {
    "containers": Container,
    "together": Traffic,
    "cgroups": Cgroup,
    "namespaces": Namespace,
    "interfaces": Interface,
    "counters": InterfaceCounters,
    "processes": Process,
    "usage": Usage,
    "traffic": Traffic,
    "inside": Traffic,
    "protocols": ProtocolCounters,
    "tracking": Tracking,
    "everywhere": Traffic,
    "sockets": Socket,
    "stats": SocketStats,
    "owners": Owners,
    "closed": Closed,
    "nat": Nat,
    "datagrams": Datagrams,
    "destinations": Destination,
    "host": Host,
    "health": Health,
}
"""Every table of a Delta and the row it holds, in the order a reader must apply them."""

COMPANIONS: Mapping[str, Tuple[str, ...]] = {
    "sockets": ("stats", "owners", "closed", "nat", "datagrams"),
    "processes": ("usage", "traffic"),
    "containers": ("together",),
    "namespaces": ("inside", "protocols", "tracking"),
    "interfaces": ("counters",),
}
"""Table → the tables whose rows have the same ids and end with its row."""


class Change(NamedTuple):
    """What changed in one table: rows that are new or different, and ids that are gone."""

    rows: Dict[int, Any]
    """Of the type `TABLES` names."""
    gone: List[int]


class Delta(NamedTuple):
    """One part of what changed. A tick is one or more parts; the last one has `complete` set."""

    key: bool
    """First part of a key frame: the reader forgets everything before it."""
    complete: bool
    time: float
    """Seconds since the epoch when the tick was read."""
    clock: float
    """Monotonic seconds of the same moment: rates divide by differences of this one."""
    changes: Mapping[str, Change]
    events: Sequence[Event]
    events_skipped: int
    """Events of this tick that were counted (see `Host`) but not sent, the oldest first, to keep it bounded."""
