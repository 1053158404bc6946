"""The fields of connections: one socket each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter

from nettop.fields.machine import MACHINE, peer
from nettop.fields.view import Field, Kind, Value, elapsed, milliseconds, view_of
from nettop.model import PROTOCOLS, Socket, SocketStats
from nettop.snapshot import Connection

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
CONNECTIONS = view_of(
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
        Field("owner_by", "BY", Kind.TEXT, 8, "how the owner is known: exact (its fd was seen), listener (only that program listens at its port), peer (nobody else can have made it), gone (closed it or ended), none", *_row("owner_by")),
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
        Field("rtt", "RTT", Kind.MILLISECONDS, 6, "round-trip time, smoothed", lambda c, _: milliseconds(c.stats.rtt)),
        Field("rttvar", "RTTVAR", Kind.MILLISECONDS, 6, "how much the round-trip time varies", lambda c, _: milliseconds(c.stats.rttvar)),
        Field("min_rtt", "MINRTT", Kind.MILLISECONDS, 6, "smallest round-trip time seen", lambda c, _: milliseconds(c.stats.min_rtt)),
        Field("rto", "RTO", Kind.MILLISECONDS, 6, "retransmission time-out", lambda c, _: milliseconds(c.stats.rto)),
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
        Field("age", "AGE", Kind.SECONDS, 6, "time since it was opened, or for how long it was; unknown where it is older than nettop", lambda c, now: elapsed(c.socket.since, c.closed or now)),
        Field("closed", "CLOSED", Kind.TIME, 8, "when it ended", *_row("closed")),
        Field("limit", "LIMIT", Kind.TEXT, 8, "what keeps it from going faster: app sndbuf receiver network reader backlog", *_row("limit")),
        Field("iface", "IFACE", Kind.TEXT, 8, "interface it is bound to", *_end("iface")),
        Field("nat_remote", "NAT REMOTE", Kind.ADDRESS, 15, "the other end in truth, where NAT or docker-proxy hides it: address", lambda c, _: nat.remote if (nat := c.behind) else None, flexible=True),
        Field("nat_rport", "NATPORT", Kind.PORT, 7, "the other end in truth: port", lambda c, _: nat.rport if (nat := c.behind) else None),
        Field("peer", "PEER", Kind.TEXT, 20, "process at the other end, where that is watched too: name (pid), and its namespace and machine if they are others", lambda c, _: peer(c, {}), flexible=True),
        MACHINE,
    ),
    columns="proto state local lport remote rport rx_rate tx_rate rx_bytes tx_bytes recvq sendq rtt retrans limit netns_name container pid comm",
    optional="rx_bytes tx_bytes container sendq retrans netns_name recvq rtt proto limit state local rx_rate lport",
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
