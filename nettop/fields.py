"""THE field registry: every column, sort key, filter word, JSON key and help line of every view.

A view is a name, the row type of `Snapshot` it shows, and its fields in their natural order. A field is addressed by
its name everywhere: `-c`, `-s`, filters, JSON, `nettop fields`, the column chooser. `get` returns the raw value (a
number, text, a tuple for lists, None for unknown); `format.cell` is the only place that makes text of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from operator import attrgetter, itemgetter
from typing import Any

from nettop.model import EVENT_KINDS, PROTOCOLS, Event, ProtocolCounters, Socket, SocketStats
from nettop.snapshot import Connection, ContainerRow, NamespaceRow, Snapshot

Value = str | int | float | bool | tuple[Any, ...] | None


class Kind(Enum):
    """How a value is printed, parsed from a filter, and aligned."""

    TEXT = "text"
    NUMBER = "number"
    BYTES = "bytes"
    RATE = "bytes/s"
    FREQUENCY = "1/s"
    SECONDS = "s"
    MILLISECONDS = "ms"
    PERCENT = "%"
    TIME = "epoch seconds"
    ADDRESS = "address"
    PORT = "port"
    LIST = "list"

    @property
    def numeric(self) -> bool:
        """Right-aligned, compared as a number, None sorts last."""
        return self not in (Kind.TEXT, Kind.ADDRESS, Kind.LIST)


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a view knows of its rows."""

    name: str
    title: str
    kind: Kind
    width: int
    """Cells a column of it wants; flexible text columns get what is left over."""
    help: str
    get: Callable[[Any, float], Value]
    """(row, seconds since the epoch of its picture) → raw value."""
    member: tuple[str, int] | None = None
    """Where the value stands as it is: (attribute of the row that holds a tuple, or none for the row, place in it). Whoever wants a whole
    column takes it from there at once, ten times faster than row by row."""
    flexible: bool = False
    """May be wider than `width` when there is room."""
    difference: bool = False
    """Between two pictures: what a row says of it in the first one is not known yet."""

    @property
    def unit(self) -> str:
        return "" if self.kind in (Kind.TEXT, Kind.LIST, Kind.NUMBER, Kind.ADDRESS, Kind.PORT) else self.kind.value


@dataclass(frozen=True, slots=True)
class View:
    """A list of rows that a person can look at."""

    name: str
    title: str
    fields: Mapping[str, Field]
    columns: tuple[str, ...]
    """Shown unless asked otherwise, the most telling first: a narrow screen drops from `optional`."""
    optional: tuple[str, ...]
    """Of `columns`, the first to go when the screen is too narrow for all, in that order."""
    sort: str
    """Field to sort by unless asked otherwise; a leading - means descending."""
    rows: Callable[[Snapshot], Iterable[Any]]
    rank: Callable[[Any], int]
    """Of rows that are equal in the field sorted by, the lower rank comes first: what a person rather looks for."""
    table: str = ""
    """The mapping of `Snapshot` that holds its rows by id, and perhaps others; empty where they are made otherwise."""
    anchors: tuple[str, ...] = ()
    """The fields that tell which row it is: they stay while the others are scrolled."""

    def first(self) -> View:
        """The view of a picture without an interval: differences are unknown there, whatever the rows say.

        Rows say zero, and need not all be made again for the second picture: 15 MB, with 40,000 of them."""
        known = {
            name: replace(field, get=_unknown, member=None) if field.difference else field
            for name, field in self.fields.items()
        }
        return replace(self, fields=known)

    def field(self, name: str) -> Field:
        """The field of that name; KeyError with a sentence that names the nearest one."""
        try:
            return self.fields[name]
        except KeyError:
            raise KeyError(unknown_field(name, self)) from None


def _unknown(_row: Any, _now: float) -> Value:
    return None


def unknown_field(name: str, view: View) -> str:
    """The one-line error for a field that a view does not have."""
    import difflib  # only on the way to an error

    near = difflib.get_close_matches(name, view.fields, n=1)
    hint = f"did you mean {near[0]}?" if near else f"`nettop fields {view.name}` lists them"
    return f"{view.name} has no field {name!r}; {hint}"


def _view(
    name: str,
    title: str,
    fields: Iterable[Field],
    columns: str,
    optional: str,
    sort: str,
    rows: Callable[[Snapshot], Iterable[Any]],
    rank: Callable[[Any], int] = lambda _: 0,
    *,
    anchors: str,
) -> View:
    registry = {f.name: f for f in fields}
    shown, first_to_go, stay = tuple(columns.split()), tuple(optional.split()), tuple(anchors.split())
    return View(name, title, registry, shown, first_to_go, sort, rows, rank, name, stay)


def _milliseconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1000


def _elapsed(since: float | None, now: float) -> float | None:
    return None if since is None else max(0.0, now - since)


# --- connections -----------------------------------------------------------------------------------------------------


_Member = tuple[Callable[[Connection, float], Value], tuple[str, int]]


def _end(name: str) -> _Member:
    place = Socket._fields.index(name)
    return lambda c, _: c.socket[place], ("socket", place)


def _stat(name: str) -> _Member:
    place = SocketStats._fields.index(name)
    return lambda c, _: c.stats[place], ("stats", place)


def _row(name: str) -> _Member:
    place = Connection._fields.index(name)
    get: Callable[[Connection], Value] = itemgetter(place)
    return lambda c, _: get(c), ("", place)


def _owners(row: Connection) -> tuple[dict[str, Value], ...]:
    owners = row.owners
    if not row.others:  # nearly always: 40,000 of them are printed
        comm = row.process.comm if row.process else None
        return tuple([{"pid": owner.pid, "comm": comm, "fd": owner.fd} for owner in owners])
    return tuple(
        {"pid": owner.pid, "comm": process.comm if process else None, "fd": owner.fd}
        for owner, process in zip(owners, row.holders, strict=True)
    )


def _container(row: Connection) -> str | None:
    if row.process is not None:
        return row.process.container
    return row.place.container.name if row.place and row.place.container.contained else None


def _unit(row: Connection) -> str | None:
    if row.process is not None:
        return row.process.unit
    return row.place.container.unit if row.place else None


def _peer(row: Connection) -> str | None:
    """The process at the other end."""
    peer = row.peer
    if peer is None or not peer.owners:
        return None
    pid = peer.owners[0].pid
    text = f"{peer.process.comm} ({pid})" if peer.process else f"({pid})"
    if peer.socket.netns == row.socket.netns:
        return text
    return f"{text} in {(peer.namespace and peer.namespace.name) or peer.socket.netns}"


_PLACE = {proto: 10 * place for place, proto in enumerate(PROTOCOLS)}
_WAITING = {"ESTAB": 0, "LISTEN": 2, "UNCONN": 3, "TIME-WAIT": 4}
"""States by how much there is to see; those of a connection being made or closed lie between."""


def _connection_rank(row: Connection) -> int:
    return _PLACE.get(row.socket.proto, 0) + _WAITING.get(row.stats.state, 1)


def waits_for_anybody(row: Connection) -> bool:
    """It listens, or takes datagrams at a port from wherever they come: what `ss -l` lists."""
    return row.stats.state == "LISTEN" or (
        row.stats.state == "UNCONN" and row.socket.lport is not None and row.socket.proto.startswith("udp")
    )


# fmt: off
CONNECTIONS = _view(
    "connections",
    "Connections",
    (
        Field("proto", "PROTO", Kind.TEXT, 7, "protocol: tcp udp udplite raw icmp mptcp sctp unix packet netlink vsock", *_end("proto")),
        Field("family", "FAMILY", Kind.TEXT, 7, "address family: inet inet6 unix packet netlink vsock", *_end("family")),
        Field("kind", "KIND", Kind.TEXT, 9, "socket type: stream dgram seqpacket raw", *_end("kind")),
        Field("state", "STATE", Kind.TEXT, 10, "state, in the words of ss; CLOSED where it has ended", *_stat("state")),
        Field("local", "LOCAL", Kind.ADDRESS, 15, "this end: address, or path of a unix socket", *_end("local"), flexible=True),
        Field("lport", "LPORT", Kind.PORT, 5, "this end: port", *_end("lport")),
        Field("remote", "REMOTE", Kind.ADDRESS, 15, "the other end: address", *_end("remote"), flexible=True),
        Field("rport", "RPORT", Kind.PORT, 5, "the other end: port", *_end("rport")),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of the network namespace", *_end("netns")),
        Field("netns_name", "NS", Kind.TEXT, 8, "name of the network namespace", lambda c, _: c.namespace.name if c.namespace else None, flexible=True),
        Field("pid", "PID", Kind.NUMBER, 7, "process that holds it (the oldest, where several do)", lambda c, _: c.owners[0].pid if c.owners else None),
        Field("comm", "COMMAND", Kind.TEXT, 15, "name of that process", lambda c, _: c.process.comm if c.process else None, flexible=True),
        Field("fd", "FD", Kind.NUMBER, 5, "its file descriptor in that process", lambda c, _: c.owners[0].fd if c.owners else None),
        Field("owners", "OWNERS", Kind.LIST, 24, "every process that holds it: pid, comm, fd", lambda c, _: _owners(c), flexible=True),
        Field("owner_by", "BY", Kind.TEXT, 8, "how the owner is known: exact (its fd was seen), listener (only that program listens at its port), gone (closed it or ended), none", *_row("owner_by")),
        Field("uid", "UID", Kind.NUMBER, 6, "user id the socket belongs to", *_end("uid")),
        Field("user", "USER", Kind.TEXT, 10, "user the socket belongs to", *_end("user")),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container of the process, or that its cgroup names", lambda c, _: _container(c), flexible=True),
        Field("unit", "UNIT", Kind.TEXT, 18, "systemd unit of the process, or that its cgroup names", lambda c, _: _unit(c), flexible=True),
        Field("inode", "INODE", Kind.NUMBER, 9, "inode number of the socket", *_end("inode")),
        Field("cookie", "COOKIE", Kind.NUMBER, 9, "the kernel's own id of the socket", *_end("cookie")),
        Field("recvq", "RECVQ", Kind.BYTES, 6, "bytes the program has not read; listener: connections waiting to be accepted", *_stat("recvq")),
        Field("sendq", "SENDQ", Kind.BYTES, 6, "bytes the other end has not acknowledged; listener: limit of the accept queue", *_stat("sendq")),
        Field("rx_bytes", "RX", Kind.BYTES, 6, "payload received (udp: where connections are tracked and counted)", *_stat("rx_bytes")),
        Field("tx_bytes", "TX", Kind.BYTES, 6, "payload acknowledged by the other end", *_stat("tx_bytes")),
        Field("rx_rate", "RX/s", Kind.RATE, 6, "bytes received a second", *_row("rx_rate"), difference=True),
        Field("tx_rate", "TX/s", Kind.RATE, 6, "bytes sent a second", *_row("tx_rate"), difference=True),
        Field("rate", "RATE", Kind.RATE, 6, "bytes a second, both ways", lambda c, _: None if c.rx_rate is None else c.rx_rate + (c.tx_rate or 0.0), difference=True),
        Field("rx_packets", "RXSEG", Kind.NUMBER, 7, "segments received", *_stat("rx_packets")),
        Field("tx_packets", "TXSEG", Kind.NUMBER, 7, "segments sent", *_stat("tx_packets")),
        Field("rtt", "RTT", Kind.MILLISECONDS, 6, "round-trip time, smoothed", lambda c, _: _milliseconds(c.stats.rtt)),
        Field("rttvar", "RTTVAR", Kind.MILLISECONDS, 6, "how much the round-trip time varies", lambda c, _: _milliseconds(c.stats.rttvar)),
        Field("min_rtt", "MINRTT", Kind.MILLISECONDS, 6, "smallest round-trip time seen", lambda c, _: _milliseconds(c.stats.min_rtt)),
        Field("rto", "RTO", Kind.MILLISECONDS, 6, "retransmission time-out", lambda c, _: _milliseconds(c.stats.rto)),
        Field("retrans", "RETR", Kind.NUMBER, 5, "segments sent again since it was opened", *_stat("retrans")),
        Field("retrans_rate", "RETR/s", Kind.FREQUENCY, 6, "segments sent again, a second", *_row("retrans_rate"), difference=True),
        Field("lost", "LOST", Kind.NUMBER, 5, "segments now believed lost", *_stat("lost")),
        Field("unacked", "UNACK", Kind.NUMBER, 5, "segments in flight", *_stat("unacked")),
        Field("backoff", "BACKOFF", Kind.NUMBER, 7, "time-outs in a row without an answer", *_stat("backoff")),
        Field("cwnd", "CWND", Kind.NUMBER, 5, "congestion window, in segments", *_stat("cwnd")),
        Field("ssthresh", "SSTHR", Kind.NUMBER, 5, "slow-start threshold, in segments", *_stat("ssthresh")),
        Field("mss", "MSS", Kind.NUMBER, 5, "largest segment sent", *_stat("mss")),
        Field("snd_wnd", "SNDWND", Kind.BYTES, 6, "window the other end offers", *_stat("snd_wnd")),
        Field("notsent", "NOTSENT", Kind.BYTES, 6, "bytes queued that were not sent once", *_stat("notsent")),
        Field("pacing_rate", "PACING", Kind.RATE, 6, "rate the kernel paces it at", *_stat("pacing_rate")),
        Field("delivery_rate", "DELIVERY", Kind.RATE, 8, "rate of the last acknowledged data", *_stat("delivery_rate")),
        Field("drops", "DROPS", Kind.NUMBER, 5, "packets thrown away at this socket", *_stat("drops")),
        Field("rcvbuf", "RCVBUF", Kind.BYTES, 6, "receive buffer", *_stat("rcvbuf")),
        Field("sndbuf", "SNDBUF", Kind.BYTES, 6, "send buffer", *_stat("sndbuf")),
        Field("congestion", "CC", Kind.TEXT, 6, "congestion control", *_end("congestion")),
        Field("mark", "MARK", Kind.NUMBER, 6, "firewall mark (SO_MARK)", *_end("mark")),
        Field("cgroup", "CGROUP", Kind.NUMBER, 8, "inode of its cgroup v2 directory", *_end("cgroup")),
        Field("age", "AGE", Kind.SECONDS, 6, "time since it was opened, or for how long it was; unknown where it is older than nettop", lambda c, now: _elapsed(c.socket.since, c.closed or now)),
        Field("closed", "CLOSED", Kind.TIME, 8, "when it ended", *_row("closed")),
        Field("limit", "LIMIT", Kind.TEXT, 8, "what keeps it from going faster: app sndbuf receiver network reader backlog", *_row("limit")),
        Field("iface", "IFACE", Kind.TEXT, 8, "interface it is bound to", *_end("iface")),
        Field("nat_remote", "NAT REMOTE", Kind.ADDRESS, 15, "the other end in truth, where NAT or docker-proxy hides it: address", lambda c, _: nat.remote if (nat := c.behind) else None, flexible=True),
        Field("nat_rport", "NATPORT", Kind.PORT, 7, "the other end in truth: port", lambda c, _: nat.rport if (nat := c.behind) else None),
        Field("peer", "PEER", Kind.TEXT, 20, "process at the other end, where that is on this host: name (pid), and its namespace if it is another one", lambda c, _: _peer(c), flexible=True),
    ),
    columns="proto state local lport remote rport rx_rate tx_rate rx_bytes tx_bytes recvq sendq rtt retrans limit netns_name container pid comm",
    optional="rx_bytes tx_bytes container sendq retrans netns_name recvq rtt proto limit state rx_rate lport local",
    sort="-rate",
    rows=lambda snapshot: snapshot.connections.values(),
    rank=_connection_rank,
    anchors="local lport remote rport",
)
# fmt: on

# fmt: off
LISTENERS = replace(
    CONNECTIONS,
    name="listeners",
    title="Listeners",
    columns=("proto", "local", "lport", "recvq", "sendq", "limit", "user", "netns_name", "container", "unit", "pid", "comm"),
    optional=("unit", "user", "limit", "container", "netns_name", "sendq", "recvq", "proto"),
    sort="lport",
    rows=lambda snapshot: filter(waits_for_anybody, snapshot.connections.values()),
)
# fmt: on
"""Who holds which port: the sockets anybody may talk to."""

# --- processes -------------------------------------------------------------------------------------------------------

# fmt: off
PROCESSES = _view(
    "processes",
    "Processes",
    (
        Field("pid", "PID", Kind.NUMBER, 7, "process id", lambda p, _: p.process.pid),
        Field("ppid", "PPID", Kind.NUMBER, 7, "its parent", lambda p, _: p.process.ppid),
        Field("user", "USER", Kind.TEXT, 10, "user it runs as", lambda p, _: p.process.user or str(p.process.uid)),
        Field("uid", "UID", Kind.NUMBER, 6, "user id it runs as", lambda p, _: p.process.uid),
        Field("state", "S", Kind.TEXT, 1, "R running, S sleeping, D waiting for a disk, Z zombie, T stopped, I idle, X ended", lambda p, _: p.usage.state),
        Field("cpu", "CPU%", Kind.PERCENT, 5, "share of one processor", lambda p, _: p.cpu),
        Field("mem", "MEM%", Kind.PERCENT, 5, "share of the memory of the machine", lambda p, _: p.mem),
        Field("rss", "RSS", Kind.BYTES, 6, "resident memory", lambda p, _: p.usage.rss),
        Field("threads", "THR", Kind.NUMBER, 4, "threads", lambda p, _: p.usage.threads),
        Field("nice", "NI", Kind.NUMBER, 3, "nice value", lambda p, _: p.usage.nice),
        Field("fds", "FDS", Kind.NUMBER, 5, "open file descriptors", lambda p, _: p.usage.fds),
        Field("started", "STARTED", Kind.TIME, 8, "when it started", lambda p, _: p.process.started),
        Field("age", "AGE", Kind.SECONDS, 6, "time since it started", lambda p, now: _elapsed(p.process.started, now)),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of its network namespace", lambda p, _: p.process.netns),
        Field("netns_name", "NS", Kind.TEXT, 8, "name of its network namespace", lambda p, _: p.namespace.name if p.namespace else None, flexible=True),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container it runs in", lambda p, _: p.process.container, flexible=True),
        Field("unit", "UNIT", Kind.TEXT, 18, "systemd unit it belongs to", lambda p, _: p.process.unit, flexible=True),
        Field("connections", "CONN", Kind.NUMBER, 5, "sockets with a remote end", lambda p, _: p.connections),
        Field("listening", "LISTEN", Kind.NUMBER, 6, "listening sockets", lambda p, _: p.listening),
        Field("sockets", "SOCKS", Kind.NUMBER, 5, "sockets of every kind", lambda p, _: p.sockets),
        Field("rx_bytes", "RX", Kind.BYTES, 6, "payload it received, by sockets it has and had", lambda p, _: p.rx_bytes),
        Field("tx_bytes", "TX", Kind.BYTES, 6, "payload it sent, by sockets it has and had", lambda p, _: p.tx_bytes),
        Field("rx_before", "RXOLD", Kind.BYTES, 6, "payload received before nettop was started, by sockets open then", lambda p, _: p.rx_before),
        Field("tx_before", "TXOLD", Kind.BYTES, 6, "payload sent before nettop was started, by sockets open then", lambda p, _: p.tx_before),
        Field("opened", "OPENED", Kind.NUMBER, 6, "tcp connections it made since nettop was started", lambda p, _: p.opened),
        Field("accepted", "ACCEPT", Kind.NUMBER, 6, "tcp connections it accepted", lambda p, _: p.accepted),
        Field("failed", "FAILED", Kind.NUMBER, 6, "tcp connects that were refused, or not answered", lambda p, _: p.failed),
        Field("closed", "CLOSED", Kind.NUMBER, 6, "its tcp connections that ended, and connects that failed", lambda p, _: p.closed),
        Field("rx_rate", "RX/s", Kind.RATE, 6, "bytes received a second", lambda p, _: p.rx_rate),
        Field("tx_rate", "TX/s", Kind.RATE, 6, "bytes sent a second", lambda p, _: p.tx_rate),
        Field("rate", "RATE", Kind.RATE, 6, "bytes a second, both ways", lambda p, _: None if p.rx_rate is None else p.rx_rate + (p.tx_rate or 0.0)),
        Field("retrans", "RETR", Kind.NUMBER, 5, "segments it sent again", lambda p, _: p.retrans),
        Field("comm", "NAME", Kind.TEXT, 15, "name of the program", lambda p, _: p.process.comm),
        Field("command", "COMMAND", Kind.TEXT, 28, "program and arguments", lambda p, _: p.process.command, flexible=True),
    ),
    columns="pid user state cpu mem rss connections listening rx_rate tx_rate retrans netns_name container command",
    optional="container retrans mem netns_name rss state listening user connections",
    sort="-rate",
    rows=lambda snapshot: snapshot.processes.values(),
    rank=lambda p: 2 * p.process.kernel + (not p.sockets),
    anchors="pid comm",
)
# fmt: on

# --- namespaces ------------------------------------------------------------------------------------------------------


def _interfaces(row: NamespaceRow) -> tuple[str, ...]:
    return tuple(interface.name for interface, _ in row.interfaces)


def _addresses(row: NamespaceRow) -> tuple[str, ...]:
    return tuple(a for interface, _ in row.interfaces if not interface.loopback for a in interface.addresses)


def _protocol(name: str) -> Callable[[NamespaceRow, float], Value]:
    place = ProtocolCounters._fields.index(name)
    return lambda n, _: n.protocols[place] if n.protocols else None


def _protocol_rate(*names: str) -> Callable[[NamespaceRow, float], Value]:
    places = [ProtocolCounters._fields.index(name) for name in names]

    def get(row: NamespaceRow, _now: float) -> Value:
        rates = row.protocol_rates
        known = [rate for place in places if (rate := rates[place]) is not None] if rates else []
        return sum(known) if known else None

    return get


# fmt: off
NAMESPACES = _view(
    "namespaces",
    "Namespaces",
    (
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of the namespace", lambda n, _: n.namespace.netns),
        Field("netns_name", "NAME", Kind.TEXT, 14, "its name: of ip netns, or of its container", lambda n, _: n.namespace.name, flexible=True),
        Field("nsid", "NSID", Kind.NUMBER, 5, "number under which the namespace of nettop knows it, as in ip link", lambda n, _: n.namespace.nsid),
        Field("kind", "KIND", Kind.TEXT, 10, "host, named, container, anonymous, or orphan (held by no process)", lambda n, _: n.namespace.kind),
        Field("processes", "PROCS", Kind.NUMBER, 6, "processes inside", lambda n, _: n.processes),
        Field("connections", "CONN", Kind.NUMBER, 6, "sockets with a remote end", lambda n, _: n.connections),
        Field("listening", "LISTEN", Kind.NUMBER, 6, "listening sockets", lambda n, _: n.listening),
        Field("sockets", "SOCKS", Kind.NUMBER, 6, "sockets of every kind", lambda n, _: n.sockets),
        Field("rx_rate", "RX/s", Kind.RATE, 6, "bytes received a second by its interfaces, loopback excluded", lambda n, _: n.rx_rate),
        Field("tx_rate", "TX/s", Kind.RATE, 6, "bytes sent a second by its interfaces, loopback excluded", lambda n, _: n.tx_rate),
        Field("interfaces", "INTERFACES", Kind.LIST, 14, "its interfaces", lambda n, _: _interfaces(n), flexible=True),
        Field("addresses", "ADDRESSES", Kind.LIST, 20, "its addresses, loopback excluded", lambda n, _: _addresses(n), flexible=True),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container it belongs to", lambda n, _: n.namespace.container, flexible=True),
        Field("pid", "PID", Kind.NUMBER, 7, "a process inside it", lambda n, _: n.namespace.pid),
        Field("rx_bytes", "RX", Kind.BYTES, 6, "payload received by its tcp sockets, those that are gone included", lambda n, _: n.rx_bytes),
        Field("tx_bytes", "TX", Kind.BYTES, 6, "payload sent by its tcp sockets, those that are gone included", lambda n, _: n.tx_bytes),
        Field("opened", "OPENED", Kind.NUMBER, 6, "tcp connections made from it since nettop was started", lambda n, _: n.opened),
        Field("accepted", "ACCEPT", Kind.NUMBER, 6, "tcp connections accepted in it", lambda n, _: n.accepted),
        Field("failed", "FAILED", Kind.NUMBER, 6, "tcp connects that were refused, or not answered", lambda n, _: n.failed),
        Field("closed", "CLOSED", Kind.NUMBER, 6, "tcp connections that ended, and connects that failed", lambda n, _: n.closed),
        Field("retrans_rate", "RETR/s", Kind.FREQUENCY, 6, "tcp segments sent again, a second", _protocol_rate("retrans_segs")),
        Field("drops_rate", "DROP/s", Kind.FREQUENCY, 6, "connections its listeners dropped and datagrams its programs did not read, a second", _protocol_rate("listen_drops", "udp_rcvbuf_errors")),
        Field("tracked", "FLOWS", Kind.NUMBER, 6, "connections tracked there (conntrack)", lambda n, _: n.tracking.flows if n.tracking else None),
        Field("tracked_percent", "FLOW%", Kind.PERCENT, 5, "how full its table of tracked connections is: when full, new ones are dropped", lambda n, _: 100 * n.tracking.flows / n.tracking.most if n.tracking and n.tracking.most else None),
        Field("out_segs", "TXSEG", Kind.NUMBER, 8, "tcp segments sent since it was made, without those sent again", _protocol("out_segs")),
        Field("retrans_segs", "RETR", Kind.NUMBER, 6, "tcp segments sent again since it was made", _protocol("retrans_segs")),
        Field("timeouts", "RTO", Kind.NUMBER, 6, "retransmission timers that fired", _protocol("timeouts")),
        Field("out_of_order", "OFO", Kind.NUMBER, 6, "tcp segments that arrived before one sent earlier", _protocol("out_of_order")),
        Field("attempt_fails", "CFAIL", Kind.NUMBER, 6, "tcp connections that failed while being made", _protocol("attempt_fails")),
        Field("resets", "RESET", Kind.NUMBER, 6, "tcp connections that ended by a reset", _protocol("resets")),
        Field("listen_overflows", "LOVER", Kind.NUMBER, 6, "connections that found the accept queue full", _protocol("listen_overflows")),
        Field("listen_drops", "LDROP", Kind.NUMBER, 6, "connections refused by a listener for any reason", _protocol("listen_drops")),
        Field("rcv_pruned", "PRUNED", Kind.NUMBER, 6, "times data was thrown away because a tcp receive buffer was full", _protocol("rcv_pruned")),
        Field("udp_in", "UDPRX", Kind.NUMBER, 7, "datagrams received", _protocol("udp_in")),
        Field("udp_out", "UDPTX", Kind.NUMBER, 7, "datagrams sent", _protocol("udp_out")),
        Field("udp_errors", "UDPERR", Kind.NUMBER, 6, "datagrams that arrived and were thrown away", _protocol("udp_errors")),
        Field("udp_rcvbuf_errors", "UDPRBUF", Kind.NUMBER, 7, "of these, because a program did not read", _protocol("udp_rcvbuf_errors")),
        Field("udp_sndbuf_errors", "UDPSBUF", Kind.NUMBER, 7, "datagrams not sent because a send buffer was full", _protocol("udp_sndbuf_errors")),
        Field("udp_no_port", "NOPORT", Kind.NUMBER, 6, "datagrams for a port nobody had open", _protocol("udp_no_port")),
        Field("via", "VIA", Kind.TEXT, 7, "how its sockets are read: netlink, procfs, none", lambda n, _: n.namespace.via),
        Field("reason", "REASON", Kind.TEXT, 20, "why it is not read by netlink", lambda n, _: n.namespace.reason, flexible=True),
    ),
    columns="netns_name kind netns processes connections listening rx_rate tx_rate pid interfaces addresses container",
    optional="container interfaces pid netns listening kind",
    sort="-connections",
    rows=lambda snapshot: snapshot.namespaces.values(),
    anchors="netns_name",
)
# fmt: on

# --- containers ------------------------------------------------------------------------------------------------------


def _of_container(name: str) -> Callable[[ContainerRow, float], Value]:
    get: Callable[[Any], Value] = attrgetter(f"container.{name}")
    return lambda row, _: get(row)


def _together(name: str) -> Callable[[ContainerRow, float], Value]:
    get: Callable[[Any], Value] = attrgetter(name)
    return lambda row, _: get(row)


def _container_rank(row: ContainerRow) -> int:
    """Containers before units, and those before programs."""
    container = row.container
    return (0 if container.contained else 1 if container.unit else 2) * 2 + (not row.sockets)


# fmt: off
CONTAINERS = _view(
    "containers",
    "Containers",
    (
        Field("container", "NAME", Kind.TEXT, 20, "what its runtime calls it, in a pod POD/CONTAINER; name of the unit or program", _of_container("name"), flexible=True),
        Field("id", "ID", Kind.TEXT, 12, "id of the container, in full; uid of the pod", _of_container("container_id")),
        Field("kind", "KIND", Kind.TEXT, 9, "container, sandbox (holds the namespaces of a pod), pod; service, scope, session, slice ...; program, which is neither", _of_container("kind")),
        Field("runtime", "RUNTIME", Kind.TEXT, 10, "docker containerd crio podman lxc nspawn; kubernetes where nobody says more", _of_container("runtime")),
        Field("image", "IMAGE", Kind.TEXT, 20, "image it was made of", _of_container("image"), flexible=True),
        Field("state", "STATE", Kind.TEXT, 9, "created running paused exited ..., as the runtime says", _of_container("state")),
        Field("pod", "POD", Kind.TEXT, 18, "its pod", _of_container("pod"), flexible=True),
        Field("k8s_namespace", "K8S NS", Kind.TEXT, 12, "namespace of the pod", _of_container("k8s_namespace"), flexible=True),
        Field("k8s_container", "K8S CONT", Kind.TEXT, 14, "its name within the pod", _of_container("k8s_container"), flexible=True),
        Field("service", "SERVICE", Kind.TEXT, 16, "its service of Swarm or Compose: STACK/SERVICE", _of_container("service"), flexible=True),
        Field("unit", "UNIT", Kind.TEXT, 18, "the systemd unit it is", _of_container("unit"), flexible=True),
        Field("processes", "PROCS", Kind.NUMBER, 6, "processes", _together("processes")),
        Field("connections", "CONN", Kind.NUMBER, 6, "sockets with a remote end", _together("connections")),
        Field("listening", "LISTEN", Kind.NUMBER, 6, "listening sockets", _together("listening")),
        Field("sockets", "SOCKS", Kind.NUMBER, 6, "sockets of every kind", _together("sockets")),
        Field("rx_bytes", "RX", Kind.BYTES, 6, "payload received, by sockets its processes have and had", _together("rx_bytes")),
        Field("tx_bytes", "TX", Kind.BYTES, 6, "payload sent, by sockets its processes have and had", _together("tx_bytes")),
        Field("rx_before", "RXOLD", Kind.BYTES, 6, "payload received before nettop was started, by sockets open then", _together("rx_before")),
        Field("tx_before", "TXOLD", Kind.BYTES, 6, "payload sent before nettop was started, by sockets open then", _together("tx_before")),
        Field("rx_rate", "RX/s", Kind.RATE, 6, "bytes received a second", _together("rx_rate")),
        Field("tx_rate", "TX/s", Kind.RATE, 6, "bytes sent a second", _together("tx_rate")),
        Field("rate", "RATE", Kind.RATE, 6, "bytes a second, both ways", lambda c, _: None if c.rx_rate is None else c.rx_rate + (c.tx_rate or 0.0)),
        Field("retrans", "RETR", Kind.NUMBER, 5, "segments sent again", _together("retrans")),
        Field("opened", "OPENED", Kind.NUMBER, 6, "tcp connections made since nettop was started", _together("opened")),
        Field("accepted", "ACCEPT", Kind.NUMBER, 6, "tcp connections accepted", _together("accepted")),
        Field("failed", "FAILED", Kind.NUMBER, 6, "tcp connects that were refused, or not answered", _together("failed")),
        Field("closed", "CLOSED", Kind.NUMBER, 6, "tcp connections that ended, and connects that failed", _together("closed")),
        Field("cpu", "CPU%", Kind.PERCENT, 5, "share of one processor, all its processes together", _together("cpu")),
        Field("rss", "RSS", Kind.BYTES, 6, "resident memory of its processes; what they share counts for each", _together("rss")),
        Field("oom_kills", "OOM", Kind.NUMBER, 4, "processes that the kernel ended there for want of memory", _of_container("oom_kills")),
        Field("restarts", "RESTART", Kind.NUMBER, 7, "times its runtime started it again", _of_container("restarts")),
        Field("started", "STARTED", Kind.TIME, 8, "when its runtime started it", _of_container("started")),
        Field("age", "AGE", Kind.SECONDS, 6, "time since then", lambda c, now: _elapsed(c.container.started, now)),
        Field("pid", "PID", Kind.NUMBER, 7, "its oldest process", _of_container("pid")),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of that process's network namespace", _of_container("netns")),
        Field("cgroup", "CGROUP", Kind.TEXT, 20, "path of its cgroup", _of_container("cgroup"), flexible=True),
        Field("labels", "LABELS", Kind.LIST, 20, "its labels, as the runtime says", _of_container("labels"), flexible=True),
    ),
    columns="container kind state processes connections listening rx_rate tx_rate retrans failed cpu rss oom_kills restarts image",
    optional="restarts oom_kills failed image retrans listening rss state processes kind cpu",
    sort="-rate",
    rows=lambda snapshot: snapshot.containers.values(),
    rank=_container_rank,
    anchors="container",
)
# fmt: on

# --- events ----------------------------------------------------------------------------------------------------------


def _event(name: str) -> Callable[[Event, float], Value]:
    index = Event._fields.index(name)

    def get(event: Event, _now: float) -> Value:
        value: Value = event[index]
        return value

    return get


# fmt: off
EVENTS = _view(
    "events",
    "Events",
    (
        Field("time", "TIME", Kind.TIME, 12, "when it happened", _event("time")),
        Field("kind", "KIND", Kind.TEXT, 10, " ".join(EVENT_KINDS), _event("kind")),
        Field("pid", "PID", Kind.NUMBER, 7, "process it happened to", _event("pid")),
        Field("ppid", "PPID", Kind.NUMBER, 7, "its parent", _event("ppid")),
        Field("tid", "TID", Kind.NUMBER, 7, "thread it happened to", _event("tid")),
        Field("comm", "NAME", Kind.TEXT, 15, "name of the process", _event("comm")),
        Field("detail", "DETAIL", Kind.TEXT, 30, "command, exit code or signal, new id or name; both ends of a socket, and what became of it", _event("detail"), flexible=True),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of its network namespace", _event("netns")),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container it runs in", _event("container"), flexible=True),
    ),
    columns="time kind pid ppid comm detail container",
    optional="container ppid",
    sort="time",
    rows=lambda snapshot: snapshot.events.values(),
    anchors="time kind",
)
# fmt: on

VIEWS: Mapping[str, View] = {view.name: view for view in (PROCESSES, CONNECTIONS, NAMESPACES, CONTAINERS, EVENTS)}
"""Every view, in the order of the panes."""
