"""What a view sees: one immutable picture of the machine, with rates.

A row that did not change between two pictures is the same object in both, so `old is new` tells what to repaint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from nettop.machines import machine_of_row
from nettop.model import (
    CLOSED,
    NO_TRAFFIC,
    Container,
    Destination,
    Event,
    Health,
    Host,
    Interface,
    InterfaceCounters,
    Namespace,
    Nat,
    Owner,
    Process,
    ProtocolCounters,
    Socket,
    SocketStats,
    Tracking,
    Traffic,
    Usage,
)


class PeerIndex:
    """Who knows both ends of the connections on this host; this one knows none."""

    def prepare(self) -> Iterator[None]:
        """Get ready in slices to be asked, where somebody waits for keys: the first question takes long otherwise."""
        yield from ()

    def of(self, _row: Connection) -> Connection | None:
        """The row at the other end, as of now; None where it is not on this host, or not known."""
        return None

    def behind(self, _row: Connection) -> Nat | None:
        """Whom the process at the other end forwards the connection to, where it says so."""
        return None

    def __eq__(self, other: object) -> bool:
        """Rows that say the same are equal, whomever they ask."""
        return isinstance(other, PeerIndex)

    def __hash__(self) -> int:
        return 0


class Place(NamedTuple):
    """A container, unit or program, by the id of its row."""

    id: int
    container: Container


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
    nat: Nat | None = None
    """Who is at the other end in truth, where the remote end was translated on the way."""
    peers: PeerIndex = PeerIndex()
    """Asked for the row at the other end."""
    closed: float | None = None
    """When the socket ended, in seconds since the epoch."""
    place: Place | None = None
    """Where its cgroup says that it belongs, if no process is known to hold it."""

    @property
    def belongs(self) -> int | None:
        """Row id of the container, unit or program it belongs to."""
        if self.process is not None:
            return self.process.belongs
        return self.place.id if self.place else None

    @property
    def ended(self) -> bool:
        """The socket is no more; its row is shown for a while still, with its last figures. `ss` does not list it."""
        return self.stats.state == CLOSED

    @property
    def behind(self) -> Nat | None:
        """Who is at the other end in truth: behind NAT, or behind a proxy on this host that says for whom it is."""
        return self.nat or self.peers.behind(self)

    @property
    def peer(self) -> Connection | None:
        """The row at the other end, where that is on this host and known."""
        return self.peers.of(self)

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
    """Of all sockets it ever held first, as long as it did; None where it had none whose bytes are known."""
    tx_bytes: int | None
    rx_rate: float | None
    tx_rate: float | None
    retrans: int | None
    rx_before: int = 0
    """Of `rx_bytes`, what had moved before the collector began."""
    tx_before: int = 0
    opened: int = 0
    """TCP connections made since then."""
    accepted: int = 0
    failed: int = 0
    """Connects that came to nothing."""
    closed: int = 0

    @property
    def ended(self) -> bool:
        """The process is no more; its row is shown for a while still."""
        return self.usage.state == "X"


class ContainerRow(NamedTuple):
    """One container, unit or program as the containers view shows it, with the sums over its processes and sockets."""

    id: int
    container: Container
    processes: int
    connections: int
    """Sockets its processes hold first that have a remote end."""
    listening: int
    sockets: int
    rx_bytes: int | None
    """Of all sockets that its processes ever held first, as long as they did; None where it had none whose bytes are
    known."""
    tx_bytes: int | None
    rx_rate: float | None
    tx_rate: float | None
    retrans: int | None
    cpu: float | None
    """Percent of one processor; None until a second sample."""
    rss: int
    """Bytes its processes hold in memory; what they share counts for each."""
    rx_before: int = 0
    """Of `rx_bytes`, what had moved before the collector began."""
    tx_before: int = 0
    opened: int = 0
    """TCP connections made since then."""
    accepted: int = 0
    failed: int = 0
    """Connects that came to nothing."""
    closed: int = 0

    @property
    def ended(self) -> bool:
        """Nothing is left of it; its row is shown for a while still. One that its runtime will start again has not."""
        return not self.processes and not self.sockets and self.container.state != "restarting"


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
    """Bytes a second over its outer interfaces: its cards, and where it has none all but loopback and bridges. None
    where they are not known."""
    tx_rate: float | None
    rx_bytes: int = 0
    """Payload of all its TCP sockets that were ever seen, and of the UDP sockets there are, where counted."""
    tx_bytes: int = 0
    opened: int = 0
    """TCP connections made since the collector began."""
    accepted: int = 0
    failed: int = 0
    closed: int = 0
    protocols: ProtocolCounters | None = None
    """What TCP and UDP count there, as of some pictures ago."""
    protocol_rates: tuple[float | None, ...] | None = None
    """The same a second, parallel to `protocols`; None until it was read twice."""
    tracking: Tracking | None = None
    """None where no connections are tracked."""


class Sample(NamedTuple):
    """What a history tells of a row in one picture of the past."""

    time: float
    """Of the picture, in seconds since the epoch."""
    rx_rate: float
    """Bytes a second."""
    tx_rate: float
    rtt: float | None
    """Microseconds; None where it is not known, and for rows that are no connection."""
    retrans_rate: float
    """Segments sent again, a second."""


class LinkRate(NamedTuple):
    """What one interface carried in the last interval."""

    name: str
    rx_rate: float
    """Bytes a second."""
    tx_rate: float


class HostRates(NamedTuple):
    """The machine in the last interval; None until a second sample."""

    cpu: float | None
    """Percent of all processors together."""
    rx_rate: float | None
    """Bytes a second over the outer interfaces of the host's namespace, as in `NamespaceRow`."""
    tx_rate: float | None
    retrans_percent: float | None
    """Segments sent again, of all segments sent."""
    forks: float | None
    """Processes started a second."""
    collector_cpu: float | None
    """Percent of one processor nettop's collector used."""
    links: Sequence[LinkRate] = ()
    """Each outer interface of the host's namespace, the busiest first."""


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
    closed: int = 0
    """TCP connections that have ended since the collector began, and connects that came to nothing."""
    closed_owned: int = 0
    """Of these, the ones whose process is known."""
    bytes_moved: int = 0
    """What `bytes_owned` is the share of."""


class Machine(NamedTuple):
    """One of several machines that are watched."""

    name: str
    """What whoever watches calls it."""
    picture: Snapshot | None
    """Of it alone; None while it is not reached: a row says that something is so now."""
    trouble: str | None
    """Why it is not reached, or what is wrong with its pictures."""


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
    containers: Mapping[int, ContainerRow]
    events: Mapping[int, Event]
    """The last ones, oldest first, by the number of their arrival; bounded."""
    events_total: int
    """All that ever arrived, so that a reader sees how many of `events` are new to it."""
    host: Host | None
    rates: HostRates
    health: Sequence[Health]
    coverage: Coverage
    traffic: Traffic = NO_TRAFFIC
    """Of all namespaces: as in `model.Traffic`, but the bytes are totals, with those of the sockets there are."""
    destinations: Mapping[int, Destination] = field(default_factory=dict)
    """What became of the connections made to each address and port; the same object while nothing changed."""
    changed: Mapping[str, Set[int]] = field(default_factory=dict)
    """View name → ids of rows that are new, different or gone since the picture before."""
    machines: Mapping[int, Machine] = field(default_factory=dict)
    """By number (see `machines`), where this is a picture of several; empty where it is of one."""

    def names(self) -> Mapping[int, str]:
        """What the machines are called, by number: those that are watched, or the only one."""
        if self.machines:
            return {number: machine.name for number, machine in self.machines.items()}
        return {0: self.host.hostname} if self.host else {}

    def pictures(self) -> Sequence[Snapshot]:
        """Of each machine that is reached."""
        return [machine.picture for machine in self.machines.values() if machine.picture] if self.machines else [self]

    def around(self, row: Any) -> Snapshot:
        """The picture of the machine that a row is of: a pid means something in there only."""
        return self.of(machine_of_row(row))

    def of(self, number: int) -> Snapshot:
        """The picture of a machine; an empty one while that is not reached, and this one where it is of one alone."""
        machine = self.machines.get(number)
        if machine is None:
            return self
        return machine.picture or replace(EMPTY, sequence=self.sequence, time=self.time)


EMPTY = Snapshot(
    sequence=0,
    time=0.0,
    interval=None,
    connections={},
    processes={},
    namespaces={},
    containers={},
    events={},
    events_total=0,
    host=None,
    rates=HostRates(None, None, None, None, None, None),
    health=(),
    coverage=Coverage(None, 0, 0, 0, 0, 0),
)
"""Before the first frame."""
