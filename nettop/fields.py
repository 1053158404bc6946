"""THE field registry: every column, sort key, filter word, JSON key and help line of every view.

A view is a name, the row type of `Snapshot` it shows, and its fields in their natural order. A field is addressed by
its name everywhere: `-c`, `-s`, filters, JSON, `nettop fields`, the column chooser. `get` returns the raw value (a
number, text, a tuple for lists, None for unknown); `format.cell` is the only place that makes text of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from nettop.model import PROTOCOLS, Event, Socket, SocketStats
from nettop.snapshot import Connection, NamespaceRow, Snapshot

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
) -> View:
    registry = {f.name: f for f in fields}
    return View(name, title, registry, tuple(columns.split()), tuple(optional.split()), sort, rows, rank)


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
    return lambda c, _: c[place], ("", place)


def _owners(row: Connection) -> tuple[dict[str, Value], ...]:
    owners = row.owners
    if not row.others:  # nearly always: 40,000 of them are printed
        comm = row.process.comm if row.process else None
        return tuple([{"pid": owner.pid, "comm": comm, "fd": owner.fd} for owner in owners])
    return tuple(
        {"pid": owner.pid, "comm": process.comm if process else None, "fd": owner.fd}
        for owner, process in zip(owners, row.holders, strict=True)
    )


_PLACE = {proto: 10 * place for place, proto in enumerate(PROTOCOLS)}
_WAITING = {"ESTAB": 0, "LISTEN": 2, "UNCONN": 3, "TIME-WAIT": 4}
"""States by how much there is to see; those of a connection being made or closed lie between."""


def _connection_rank(row: Connection) -> int:
    return _PLACE.get(row.socket.proto, 0) + _WAITING.get(row.stats.state, 1)


# fmt: off
CONNECTIONS = _view(
    "connections",
    "Connections",
    (
        Field("proto", "PROTO", Kind.TEXT, 7, "protocol: tcp udp udplite raw icmp mptcp sctp unix packet netlink vsock", *_end("proto")),
        Field("family", "FAMILY", Kind.TEXT, 7, "address family: inet inet6 unix packet netlink vsock", *_end("family")),
        Field("kind", "KIND", Kind.TEXT, 9, "socket type: stream dgram seqpacket raw", *_end("kind")),
        Field("state", "STATE", Kind.TEXT, 10, "state, in the words of ss", *_stat("state")),
        Field("local", "LOCAL", Kind.ADDRESS, 15, "this end: address, or path of a unix socket", *_end("local"), flexible=True),
        Field("lport", "LPORT", Kind.PORT, 5, "this end: port", *_end("lport")),
        Field("remote", "REMOTE", Kind.ADDRESS, 15, "the other end: address", *_end("remote"), flexible=True),
        Field("rport", "RPORT", Kind.PORT, 5, "the other end: port", *_end("rport")),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of the network namespace", *_end("netns")),
        Field("netns_name", "NS", Kind.TEXT, 8, "name of the network namespace", lambda c, _: c.namespace.name if c.namespace else None),
        Field("pid", "PID", Kind.NUMBER, 7, "process that holds it (the oldest, where several do)", lambda c, _: c.owners[0].pid if c.owners else None),
        Field("comm", "COMMAND", Kind.TEXT, 15, "name of that process", lambda c, _: c.process.comm if c.process else None, flexible=True),
        Field("fd", "FD", Kind.NUMBER, 5, "its file descriptor in that process", lambda c, _: c.owners[0].fd if c.owners else None),
        Field("owners", "OWNERS", Kind.LIST, 24, "every process that holds it: pid, comm, fd", lambda c, _: _owners(c), flexible=True),
        Field("owner_by", "BY", Kind.TEXT, 8, "how the owner is known: exact (its fd was seen) or none", *_row("owner_by")),
        Field("uid", "UID", Kind.NUMBER, 6, "user id the socket belongs to", *_end("uid")),
        Field("user", "USER", Kind.TEXT, 10, "user the socket belongs to", *_end("user")),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container of the process", lambda c, _: c.process.container if c.process else None, flexible=True),
        Field("unit", "UNIT", Kind.TEXT, 18, "systemd unit of the process", lambda c, _: c.process.unit if c.process else None, flexible=True),
        Field("inode", "INODE", Kind.NUMBER, 9, "inode number of the socket", *_end("inode")),
        Field("cookie", "COOKIE", Kind.NUMBER, 9, "the kernel's own id of the socket", *_end("cookie")),
        Field("recvq", "RECVQ", Kind.BYTES, 6, "bytes the program has not read; listener: connections waiting to be accepted", *_stat("recvq")),
        Field("sendq", "SENDQ", Kind.BYTES, 6, "bytes the other end has not acknowledged; listener: limit of the accept queue", *_stat("sendq")),
        Field("rx_bytes", "RX", Kind.BYTES, 7, "payload received (tcp: the FIN counts as one byte)", *_stat("rx_bytes")),
        Field("tx_bytes", "TX", Kind.BYTES, 7, "payload acknowledged by the other end (tcp: SYN and FIN count as one byte each)", *_stat("tx_bytes")),
        Field("rx_rate", "RX/s", Kind.RATE, 7, "bytes received a second", *_row("rx_rate"), difference=True),
        Field("tx_rate", "TX/s", Kind.RATE, 7, "bytes sent a second", *_row("tx_rate"), difference=True),
        Field("rate", "RATE", Kind.RATE, 7, "bytes a second, both ways", lambda c, _: None if c.rx_rate is None else c.rx_rate + (c.tx_rate or 0.0), difference=True),
        Field("rx_packets", "RXSEG", Kind.NUMBER, 7, "segments received", *_stat("rx_packets")),
        Field("tx_packets", "TXSEG", Kind.NUMBER, 7, "segments sent", *_stat("tx_packets")),
        Field("rtt", "RTT", Kind.MILLISECONDS, 7, "round-trip time, smoothed", lambda c, _: _milliseconds(c.stats.rtt)),
        Field("rttvar", "RTTVAR", Kind.MILLISECONDS, 7, "how much the round-trip time varies", lambda c, _: _milliseconds(c.stats.rttvar)),
        Field("min_rtt", "MINRTT", Kind.MILLISECONDS, 7, "smallest round-trip time seen", lambda c, _: _milliseconds(c.stats.min_rtt)),
        Field("rto", "RTO", Kind.MILLISECONDS, 7, "retransmission time-out", lambda c, _: _milliseconds(c.stats.rto)),
        Field("retrans", "RETR", Kind.NUMBER, 5, "segments sent again since it was opened", *_stat("retrans")),
        Field("retrans_rate", "RETR/s", Kind.FREQUENCY, 6, "segments sent again, a second", *_row("retrans_rate"), difference=True),
        Field("lost", "LOST", Kind.NUMBER, 5, "segments now believed lost", *_stat("lost")),
        Field("unacked", "UNACK", Kind.NUMBER, 5, "segments in flight", *_stat("unacked")),
        Field("backoff", "BACKOFF", Kind.NUMBER, 7, "time-outs in a row without an answer", *_stat("backoff")),
        Field("cwnd", "CWND", Kind.NUMBER, 5, "congestion window, in segments", *_stat("cwnd")),
        Field("ssthresh", "SSTHR", Kind.NUMBER, 5, "slow-start threshold, in segments", *_stat("ssthresh")),
        Field("mss", "MSS", Kind.NUMBER, 5, "largest segment sent", *_stat("mss")),
        Field("snd_wnd", "SNDWND", Kind.BYTES, 7, "window the other end offers", *_stat("snd_wnd")),
        Field("notsent", "NOTSENT", Kind.BYTES, 7, "bytes queued that were not sent once", *_stat("notsent")),
        Field("pacing_rate", "PACING", Kind.RATE, 7, "rate the kernel paces it at", *_stat("pacing_rate")),
        Field("delivery_rate", "DELIVERY", Kind.RATE, 8, "rate of the last acknowledged data", *_stat("delivery_rate")),
        Field("drops", "DROPS", Kind.NUMBER, 5, "packets thrown away at this socket", *_stat("drops")),
        Field("rcvbuf", "RCVBUF", Kind.BYTES, 7, "receive buffer", *_stat("rcvbuf")),
        Field("sndbuf", "SNDBUF", Kind.BYTES, 7, "send buffer", *_stat("sndbuf")),
        Field("congestion", "CC", Kind.TEXT, 6, "congestion control", *_end("congestion")),
        Field("mark", "MARK", Kind.NUMBER, 6, "firewall mark (SO_MARK)", *_end("mark")),
        Field("cgroup", "CGROUP", Kind.NUMBER, 8, "inode of its cgroup v2 directory", *_end("cgroup")),
        Field("age", "AGE", Kind.SECONDS, 6, "time since it was opened; unknown where it is older than nettop", lambda c, now: _elapsed(c.socket.since, now)),
        Field("limit", "LIMIT", Kind.TEXT, 8, "what keeps it from going faster: app sndbuf receiver network reader backlog", *_row("limit")),
        Field("iface", "IFACE", Kind.TEXT, 8, "interface it is bound to", *_end("iface")),
    ),
    columns="proto state local lport remote rport rx_rate tx_rate recvq sendq rtt retrans limit netns_name container pid comm",
    optional="container sendq retrans netns_name recvq limit rtt proto state rx_rate lport local",
    sort="-rate",
    rows=lambda snapshot: snapshot.connections.values(),
    rank=_connection_rank,
)
# fmt: on

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
        Field("state", "S", Kind.TEXT, 1, "R running, S sleeping, D waiting for a disk, Z zombie, T stopped, I idle", lambda p, _: p.usage.state),
        Field("cpu", "CPU%", Kind.PERCENT, 5, "share of one processor", lambda p, _: p.cpu),
        Field("mem", "MEM%", Kind.PERCENT, 5, "share of the memory of the machine", lambda p, _: p.mem),
        Field("rss", "RSS", Kind.BYTES, 6, "resident memory", lambda p, _: p.usage.rss),
        Field("threads", "THR", Kind.NUMBER, 4, "threads", lambda p, _: p.usage.threads),
        Field("nice", "NI", Kind.NUMBER, 3, "nice value", lambda p, _: p.usage.nice),
        Field("fds", "FDS", Kind.NUMBER, 5, "open file descriptors", lambda p, _: p.usage.fds),
        Field("started", "STARTED", Kind.TIME, 8, "when it started", lambda p, _: p.process.started),
        Field("age", "AGE", Kind.SECONDS, 6, "time since it started", lambda p, now: _elapsed(p.process.started, now)),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of its network namespace", lambda p, _: p.process.netns),
        Field("netns_name", "NS", Kind.TEXT, 8, "name of its network namespace", lambda p, _: p.namespace.name if p.namespace else None),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container it runs in", lambda p, _: p.process.container, flexible=True),
        Field("unit", "UNIT", Kind.TEXT, 18, "systemd unit it belongs to", lambda p, _: p.process.unit, flexible=True),
        Field("connections", "CONN", Kind.NUMBER, 5, "sockets with a remote end", lambda p, _: p.connections),
        Field("listening", "LISTEN", Kind.NUMBER, 6, "listening sockets", lambda p, _: p.listening),
        Field("sockets", "SOCKS", Kind.NUMBER, 5, "sockets of every kind", lambda p, _: p.sockets),
        Field("rx_bytes", "RX", Kind.BYTES, 7, "payload its open sockets received", lambda p, _: p.rx_bytes),
        Field("tx_bytes", "TX", Kind.BYTES, 7, "payload its open sockets sent", lambda p, _: p.tx_bytes),
        Field("rx_rate", "RX/s", Kind.RATE, 7, "bytes received a second", lambda p, _: p.rx_rate),
        Field("tx_rate", "TX/s", Kind.RATE, 7, "bytes sent a second", lambda p, _: p.tx_rate),
        Field("rate", "RATE", Kind.RATE, 7, "bytes a second, both ways", lambda p, _: None if p.rx_rate is None else p.rx_rate + (p.tx_rate or 0.0)),
        Field("retrans", "RETR", Kind.NUMBER, 5, "segments its open sockets sent again", lambda p, _: p.retrans),
        Field("comm", "NAME", Kind.TEXT, 15, "name of the program", lambda p, _: p.process.comm),
        Field("command", "COMMAND", Kind.TEXT, 20, "program and arguments", lambda p, _: p.process.command, flexible=True),
    ),
    columns="pid user state cpu mem rss connections listening rx_rate tx_rate retrans netns_name container command",
    optional="container retrans mem netns_name rss state listening user connections",
    sort="-rate",
    rows=lambda snapshot: snapshot.processes.values(),
    rank=lambda p: 2 * p.process.kernel + (not p.sockets),
)
# fmt: on

# --- namespaces ------------------------------------------------------------------------------------------------------


def _interfaces(row: NamespaceRow) -> tuple[str, ...]:
    return tuple(interface.name for interface, _ in row.interfaces)


def _addresses(row: NamespaceRow) -> tuple[str, ...]:
    return tuple(a for interface, _ in row.interfaces if not interface.loopback for a in interface.addresses)


# fmt: off
NAMESPACES = _view(
    "namespaces",
    "Namespaces",
    (
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of the namespace", lambda n, _: n.namespace.netns),
        Field("netns_name", "NAME", Kind.TEXT, 14, "its name: of ip netns, or of its container", lambda n, _: n.namespace.name, flexible=True),
        Field("kind", "KIND", Kind.TEXT, 10, "host, named, container, anonymous, or orphan (held by no process)", lambda n, _: n.namespace.kind),
        Field("processes", "PROCS", Kind.NUMBER, 6, "processes inside", lambda n, _: n.processes),
        Field("connections", "CONN", Kind.NUMBER, 6, "sockets with a remote end", lambda n, _: n.connections),
        Field("listening", "LISTEN", Kind.NUMBER, 6, "listening sockets", lambda n, _: n.listening),
        Field("sockets", "SOCKS", Kind.NUMBER, 6, "sockets of every kind", lambda n, _: n.sockets),
        Field("rx_rate", "RX/s", Kind.RATE, 7, "bytes received a second by its interfaces, loopback excluded", lambda n, _: n.rx_rate),
        Field("tx_rate", "TX/s", Kind.RATE, 7, "bytes sent a second by its interfaces, loopback excluded", lambda n, _: n.tx_rate),
        Field("interfaces", "INTERFACES", Kind.LIST, 14, "its interfaces", lambda n, _: _interfaces(n), flexible=True),
        Field("addresses", "ADDRESSES", Kind.LIST, 20, "its addresses, loopback excluded", lambda n, _: _addresses(n), flexible=True),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container it belongs to", lambda n, _: n.namespace.container, flexible=True),
        Field("pid", "PID", Kind.NUMBER, 7, "a process inside it", lambda n, _: n.namespace.pid),
        Field("via", "VIA", Kind.TEXT, 7, "how its sockets are read: netlink, procfs, none", lambda n, _: n.namespace.via),
        Field("reason", "REASON", Kind.TEXT, 20, "why it is not read by netlink", lambda n, _: n.namespace.reason, flexible=True),
    ),
    columns="netns_name kind netns processes connections listening rx_rate tx_rate pid interfaces addresses container",
    optional="container interfaces pid netns listening kind",
    sort="-connections",
    rows=lambda snapshot: snapshot.namespaces.values(),
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
        Field("kind", "KIND", Kind.TEXT, 9, "fork exec exit uid gid sid comm ptrace coredump", _event("kind")),
        Field("pid", "PID", Kind.NUMBER, 7, "process it happened to", _event("pid")),
        Field("ppid", "PPID", Kind.NUMBER, 7, "its parent", _event("ppid")),
        Field("tid", "TID", Kind.NUMBER, 7, "thread it happened to", _event("tid")),
        Field("comm", "NAME", Kind.TEXT, 15, "name of the process", _event("comm")),
        Field("detail", "DETAIL", Kind.TEXT, 30, "command, exit code or signal, new id or name", _event("detail"), flexible=True),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of its network namespace", _event("netns")),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container it runs in", _event("container"), flexible=True),
    ),
    columns="time kind pid ppid comm detail container",
    optional="container ppid",
    sort="time",
    rows=lambda snapshot: snapshot.events.values(),
)
# fmt: on

VIEWS: Mapping[str, View] = {view.name: view for view in (PROCESSES, CONNECTIONS, NAMESPACES, EVENTS)}
"""Every view, in the order of the panes."""
