"""Sockets: who the two ends are, what moves, who holds them, and how they end."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from nettop.model.processes import Owner

PROTOCOLS = ("tcp", "udp", "udplite", "raw", "icmp", "mptcp", "sctp", "unix", "packet", "netlink", "vsock")


class Socket(NamedTuple):
    """Who the two ends of a socket are. Addresses are plain: no brackets, no zone, no port."""

    netns: int
    """Inode of the network namespace it lives in."""
    proto: str
    """One of `PROTOCOLS`."""
    family: str
    """inet, inet6, unix, packet, netlink or vsock."""
    kind: str
    """stream, dgram, seqpacket, raw."""
    local: Optional[str]
    """Address; for unix the path (an abstract one begins with @), for packet and netlink the protocol's name."""
    lport: Optional[int]
    """Port; for netlink the port id. None where the family has none."""
    remote: Optional[str]
    rport: Optional[int]
    inode: Optional[int]
    """None for sockets without one: TIME-WAIT, SYN-RECV, closed by their program."""
    uid: Optional[int]
    user: Optional[str]
    cookie: Optional[int]
    """The kernel's own id of the socket, unique for as long as the machine runs; None when read from /proc."""
    iface: Optional[str]
    """The interface the socket is bound to."""
    cgroup: Optional[int]
    """Inode of its cgroup v2 directory (INET_DIAG_CGROUP_ID)."""
    mark: Optional[int]
    congestion: Optional[str]
    """Congestion control of a TCP socket."""
    v6only: Optional[bool]
    peer_inode: Optional[int]
    """The other end of a unix socket."""
    since: Optional[float]
    """Seconds since the epoch when it was first seen; None where it is older than the collector."""

    @property
    def ownable(self) -> bool:
        """A process may hold it: it has an inode, and is not the kernel's own end of netlink (port id 0)."""
        return self.inode is not None and not (self.proto == "netlink" and self.lport == 0)

    @property
    def ends(self) -> Optional[Tuple[str, int, str, int]]:
        """Local address and port, remote address and port; None where it has no remote end. An IPv4 address that an
        IPv6 socket shows (::ffff:10.0.0.1) is given as IPv4, as the other end and a router on the way show it."""
        local, lport, remote, rport = self.local, self.lport, self.remote, self.rport
        if local is None or lport is None or remote is None or rport is None:
            return None
        if remote.startswith("::ffff:") and "." in remote:
            return local[7:], lport, remote[7:], rport
        return local, lport, remote, rport


class SocketStats(NamedTuple):
    """What moves: state, queues and counters of one socket. None where the kernel does not say."""

    state: str
    """As `ss` prints it: ESTAB, LISTEN, TIME-WAIT, UNCONN ...; `CLOSED` where the socket has ended."""
    recvq: Optional[int]
    """Bytes not yet read by the program; for a TCP listener the connections waiting to be accepted."""
    sendq: Optional[int]
    """Bytes not yet acknowledged; for a TCP listener the limit of the accept queue."""
    rx_bytes: Optional[int]
    """Payload received since the socket was made (TCP: see `kernel.tcp_info`; UDP: unknown here, see `Datagrams`)."""
    tx_bytes: Optional[int]
    """Payload acknowledged by the remote end."""
    rx_packets: Optional[int]
    tx_packets: Optional[int]
    rtt: Optional[int]
    """Smoothed round-trip time in microseconds, as every time in this row."""
    rttvar: Optional[int]
    min_rtt: Optional[int]
    rto: Optional[int]
    retrans: Optional[int]
    """Segments sent again, since the socket was made."""
    lost: Optional[int]
    unacked: Optional[int]
    backoff: Optional[int]
    """How often in a row the retransmission timer has now fired without an answer."""
    cwnd: Optional[int]
    ssthresh: Optional[int]
    mss: Optional[int]
    snd_wnd: Optional[int]
    """The window the remote end offers, in bytes (Linux 5.4)."""
    notsent: Optional[int]
    """Bytes in the send queue that have not been sent once."""
    pacing_rate: Optional[int]
    """Bytes a second."""
    delivery_rate: Optional[int]
    app_limited: Optional[bool]
    """The delivery rate was measured while the program had nothing to send."""
    busy: Optional[int]
    """Microseconds with data to send, of these `rwnd_limited` and `sndbuf_limited` waited for that."""
    rwnd_limited: Optional[int]
    sndbuf_limited: Optional[int]
    reordering: Optional[int]
    drops: Optional[int]
    """Packets the kernel threw away at this socket."""
    rcvbuf: Optional[int]
    sndbuf: Optional[int]


CLOSED = "CLOSED"
"""State of a socket that has ended, which `ss` does not list; its figures are the last ones."""


class Closed(NamedTuple):
    """The end of a socket."""

    time: float
    """Seconds since the epoch."""


class Owners(NamedTuple):
    """Who holds a socket, or held it last, and how that is known."""

    by: str
    """exact: its file descriptor was seen; listener: it was accepted on a port that only this program listens at; peer:
    nobody else in its namespace can have talked to that remote end; gone: its owner has closed it or exited, while
    the kernel still keeps it; none: nobody is known to hold it."""
    holders: Tuple[Owner, ...]
    """Oldest process first; a shared listener or an inherited socket has several."""


NO_OWNERS = Owners("none", ())


class Nat(NamedTuple):
    """The true other end of a socket, where connection tracking says that it was translated on the way; of a socket
    that connected to somewhere else since, None."""

    remote: Optional[str]
    rport: Optional[int]


class Datagrams(NamedTuple):
    """What a UDP socket sent and received, by the counters of its tracked flows; None where one of them has none."""

    rx_bytes: Optional[int]
    """Payload, without the headers of UDP and IP."""
    tx_bytes: Optional[int]
    rx_packets: Optional[int]
    tx_packets: Optional[int]


class Destination(NamedTuple):
    """What became of the connections made to one address and port from one network namespace, since the collector
    began: also of those that no dump has seen. Only the destinations used last are kept."""

    netns: int
    remote: Optional[str]
    rport: Optional[int]
    """None where the kernel forgot it, as it does when a program waits for a connect that fails."""
    opened: int
    """Connections made."""
    failed: int
    """Connects that came to nothing: refused, or not answered."""
    rx_bytes: int
    """Payload of those that have ended."""
    tx_bytes: int
    retrans: int
    """Segments that these have sent again."""
