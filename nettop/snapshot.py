"""What a view sees: one immutable picture of the machine, with rates.

A row that did not change between two pictures is the same object in both, so `old is new` tells what to repaint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from nettop.model import (
    Event,
    Health,
    Host,
    Interface,
    InterfaceCounters,
    Namespace,
    Owner,
    Process,
    Socket,
    SocketStats,
    Usage,
)


class Connection(NamedTuple):
    """One socket as the connections view shows it."""

    id: int
    socket: Socket
    stats: SocketStats
    owners: tuple[Owner, ...]
    """Every file descriptor known to refer to it, oldest process first."""
    owner_by: str
    """How that is known, as in `model.Owners`."""
    process: Process | None
    """The first holder; its traffic is counted as this process's."""
    others: tuple[Process | None, ...]
    """The further holders, nearly always none."""
    namespace: Namespace | None
    rx_rate: float | None
    """Bytes a second since the picture before; None where bytes are unknown. Zero, and without a meaning, in a picture
    that has no interval: see `fields.View.first`."""
    tx_rate: float | None
    retrans_rate: float | None
    """Segments sent again, a second."""
    limit: str | None
    """What keeps it from going faster: app, sndbuf, receiver, network, reader, backlog."""

    @property
    def holders(self) -> tuple[Process | None, ...]:
        """Parallel to owners; None where a holder is not (or no longer) listed."""
        return (self.process, *self.others) if self.owners else ()


class ProcessRow(NamedTuple):
    """One process as the processes view shows it, with the sums over its sockets."""

    id: int
    process: Process
    usage: Usage
    namespace: Namespace | None
    cpu: float | None
    """Percent of one processor; None until a second sample."""
    mem: float
    """Percent of the machine's memory."""
    connections: int
    """Sockets it holds first that have a remote end."""
    listening: int
    sockets: int
    rx_bytes: int | None
    """None where it has no socket whose bytes are known."""
    tx_bytes: int | None
    rx_rate: float | None
    tx_rate: float | None
    retrans: int | None


class NamespaceRow(NamedTuple):
    """One network namespace as the namespaces view shows it."""

    id: int
    namespace: Namespace
    processes: int
    connections: int
    listening: int
    sockets: int
    interfaces: tuple[tuple[Interface, InterfaceCounters | None], ...]
    rx_rate: float | None
    """Bytes a second over its interfaces, loopback excluded; None where they are not known."""
    tx_rate: float | None


class HostRates(NamedTuple):
    """The machine in the last interval; None until a second sample."""

    cpu: float | None
    """Percent of all processors together."""
    rx_rate: float | None
    """Bytes a second over the interfaces of the host's namespace, loopback excluded."""
    tx_rate: float | None
    retrans_percent: float | None
    """Segments sent again, of all segments sent."""
    forks: float | None
    """Processes started a second."""
    collector_cpu: float | None
    """Percent of one processor nettop's collector used."""


class Coverage(NamedTuple):
    """How much of what happens nettop can explain."""

    bytes_owned: float | None
    """Share (0..1) of the bytes moved in the last interval whose process is known; None when none moved."""
    ownable: int
    """Sockets that should have an owner: those with an inode."""
    unowned: int
    """Of these, the ones without a known owner."""
    namespaces: int
    namespaces_read: int
    events_lost: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The machine at one moment. The mappings are keyed by row id; nothing in it may be changed."""

    sequence: int
    """Grows by one with every picture."""
    time: float
    """Seconds since the epoch."""
    interval: float | None
    """Seconds since the picture before, None for the first after a key frame."""
    connections: Mapping[int, Connection]
    processes: Mapping[int, ProcessRow]
    namespaces: Mapping[int, NamespaceRow]
    events: Mapping[int, Event]
    """The last ones, oldest first, by the number of their arrival; bounded."""
    events_total: int
    """All that ever arrived, so that a reader sees how many of `events` are new to it."""
    host: Host | None
    rates: HostRates
    health: Sequence[Health]
    coverage: Coverage
    changed: Mapping[str, Set[int]] = field(default_factory=dict)
    """View name → ids of rows that are new, different or gone since the picture before."""


EMPTY = Snapshot(
    sequence=0,
    time=0.0,
    interval=None,
    connections={},
    processes={},
    namespaces={},
    events={},
    events_total=0,
    host=None,
    rates=HostRates(None, None, None, None, None, None),
    health=(),
    coverage=Coverage(None, 0, 0, 0, 0, 0),
)
"""Before the first frame."""
