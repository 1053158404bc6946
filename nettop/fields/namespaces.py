"""The fields of network namespaces."""

from __future__ import annotations

from collections.abc import Callable

from nettop.fields.machine import MACHINE
from nettop.fields.view import Field, Kind, Value, view_of
from nettop.model import ProtocolCounters
from nettop.snapshot import NamespaceRow


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
NAMESPACES = view_of(
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
        Field("rx_rate", "RX/s", Kind.RATE, 6, "bytes received a second by its cards; where it has none, by all but loopback and bridges", lambda n, _: n.rx_rate),
        Field("tx_rate", "TX/s", Kind.RATE, 6, "bytes sent a second by the same", lambda n, _: n.tx_rate),
        Field("interfaces", "INTERFACES", Kind.LIST, 14, "its interfaces", lambda n, _: _interfaces(n), flexible=True),
        Field("addresses", "ADDRESSES", Kind.LIST, 20, "its addresses, loopback excluded", lambda n, _: _addresses(n), flexible=True),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container it belongs to", lambda n, _: n.namespace.container, flexible=True),
        Field("pid", "PID", Kind.NUMBER, 7, "a process inside it", lambda n, _: n.namespace.pid),
        Field("holder", "HOLDER", Kind.NUMBER, 7, "of an orphan: a process outside that keeps it by an open file or socket", lambda n, _: n.namespace.holder),
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
        MACHINE,
    ),
    columns="netns_name kind netns processes connections listening rx_rate tx_rate pid interfaces addresses container",
    optional="container interfaces pid netns listening kind",
    sort="-connections",
    rows=lambda snapshot: snapshot.namespaces.values(),
    anchors="netns_name",
)
# fmt: on
