"""Network namespaces, their interfaces, and what their protocols count."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple


class Namespace(NamedTuple):
    """One network namespace."""

    netns: int
    name: Optional[str]
    kind: str
    """host, named, container, anonymous, or orphan: held by a mount or a socket and by no process."""
    pid: Optional[int]
    """A process inside it: the one to nsenter."""
    via: str
    """How its sockets are read: netlink, procfs, or none."""
    reason: Optional[str]
    """Why it is not read by netlink."""
    container: Optional[str]
    nsid: Optional[int]
    """The number under which the collector's own namespace knows it, as `ip link` shows it; None where it has none."""
    holder: Optional[int]
    """A process outside that keeps an orphan, by an open file of it or a socket in it; None where that is a mount."""


class Interface(NamedTuple):
    """One network interface."""

    netns: int
    ifindex: int
    name: str
    kind: Optional[str]
    """veth, bridge, wireguard ...; None for plain hardware."""
    state: str
    mtu: int
    mac: Optional[str]
    addresses: Tuple[str, ...]
    """With prefix length: 10.0.0.1/24."""
    loopback: bool
    master: Optional[str]
    """The bridge or bond it is part of."""
    peer: Optional[str]
    """Name of the other end of a veth, of the interface that a vlan or macvlan rests on."""
    peer_netns: Optional[int]
    """Inode of the namespace that is in, where it is another one; None where it is not known."""
    speed: Optional[int]
    """Mbit/s, as its driver says."""
    duplex: Optional[str]
    """half or full."""


class InterfaceCounters(NamedTuple):
    rx_bytes: int
    tx_bytes: int
    rx_packets: int
    tx_packets: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int
    tx_dropped: int


PROTOCOLS_EVERY = 5
"""Ticks between two readings of `ProtocolCounters`: 80 µs a namespace, in another tick for each. They are told where
anything moved in between."""


class ProtocolCounters(NamedTuple):
    """What TCP and UDP count in a network namespace, since it was made; IPv4 and IPv6 together. None where the kernel
    does not say."""

    out_segs: Optional[int]
    """TCP segments sent, without those sent again."""
    retrans_segs: Optional[int]
    timeouts: Optional[int]
    """Retransmission timers that fired."""
    out_of_order: Optional[int]
    """TCP segments that arrived before one sent earlier."""
    attempt_fails: Optional[int]
    """Connections that failed while being made."""
    resets: Optional[int]
    """Connections that ended by a reset."""
    listen_overflows: Optional[int]
    """Connections that found the accept queue full."""
    listen_drops: Optional[int]
    """Connections refused by a listener for any reason."""
    rcv_pruned: Optional[int]
    """Times a receive buffer was so full that data had to be thrown away."""
    udp_in: Optional[int]
    udp_out: Optional[int]
    """Datagrams received and sent."""
    udp_errors: Optional[int]
    udp_rcvbuf_errors: Optional[int]
    """Datagrams thrown away because a program did not read."""
    udp_sndbuf_errors: Optional[int]
    udp_no_port: Optional[int]
    """Datagrams for a port nobody had open."""


class Tracking(NamedTuple):
    """How full the table of tracked connections is."""

    flows: int
    """Of this namespace."""
    most: int
    """A new connection beyond it is dropped; each namespace counts its own."""
