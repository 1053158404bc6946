"""The words everything else is written in: frozen rows, and the `Delta` that carries them.

Everything the screen, the plain views, a recording or a remote reader knows arrives as a stream of `Delta`s: a key
frame first, then what changed. A Delta holds *tables*; a table maps a small integer row id, chosen by the collector
and never reused within a stream, to one frozen row. What a row says splits by how often it changes, so that a busy
socket resends its counters and not its addresses:

========== ========================== =====================================================
table      row                        changes
========== ========================== =====================================================
sockets    `Socket`                   hardly ever: who the two ends are
stats      `SocketStats`, same id     with traffic: state, queues, counters, tcp_info
owners     `Owners`, same id          when a socket is passed, inherited, closed
processes  `Process`                  on exec, rename, change of namespace
usage      `Usage`, same id           whenever the process runs
namespaces `Namespace`                when one appears, is named, or can no longer be read
interfaces `Interface`                when an address or the link state changes
counters   `InterfaceCounters`        with traffic, same id as its interface
host       `Host`, the only row: id 0 every tick
health     `Health`, one per source   when a source degrades or heals
========== ========================== =====================================================

Where several tables share ids, only the first is told that a row is gone; its companions go with it (`COMPANIONS`).
Counters are cumulative; rates are the store's business, so a replay shows what the live screen showed. Unknown is
None, never 0. This module must stay importable by Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Type

PROTOCOLS = ("tcp", "udp", "udplite", "raw", "icmp", "mptcp", "sctp", "unix", "packet", "netlink", "vsock")

EVENT_KINDS = ("fork", "exec", "exit", "uid", "gid", "sid", "comm", "ptrace", "coredump")
"""What cn_proc reports, in the words of the events view."""


class ProcessKey(NamedTuple):
    """A process for as long as the machine runs: a pid alone is reused."""

    pid: int
    start_time: int
    """Clock ticks after boot, field 22 of /proc/PID/stat."""


class Owner(NamedTuple):
    """One open file descriptor that refers to a socket."""

    pid: int
    start_time: int
    fd: int

    @property
    def process(self) -> ProcessKey:
        return ProcessKey(self.pid, self.start_time)


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


class SocketStats(NamedTuple):
    """What moves: state, queues and counters of one socket. None where the kernel does not say."""

    state: str
    """As `ss` prints it: ESTAB, LISTEN, TIME-WAIT, UNCONN ..."""
    recvq: Optional[int]
    """Bytes not yet read by the program; for a TCP listener the connections waiting to be accepted."""
    sendq: Optional[int]
    """Bytes not yet acknowledged; for a TCP listener the limit of the accept queue."""
    rx_bytes: Optional[int]
    """Payload received since the socket was made (TCP: bytes_received, which counts the FIN as one byte)."""
    tx_bytes: Optional[int]
    """Payload acknowledged by the remote end (TCP: bytes_acked, which counts SYN and FIN as one byte each)."""
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


class Owners(NamedTuple):
    """Who holds a socket, and how that is known."""

    by: str
    """exact: its file descriptor was seen; none: nobody is known to hold it."""
    holders: Tuple[Owner, ...]
    """Oldest process first; a shared listener or an inherited socket has several."""


NO_OWNERS = Owners("none", ())


class Process(NamedTuple):
    """Who a process is. comm and command are whatever the process says: print them through `format.safe`."""

    pid: int
    start_time: int
    ppid: int
    uid: int
    user: Optional[str]
    comm: str
    command: str
    """Arguments joined by spaces; for kernel threads and zombies the comm in brackets."""
    started: float
    """Seconds since the epoch."""
    netns: Optional[int]
    """None where the namespace link may not be read."""
    cgroup: Optional[str]
    container: Optional[str]
    """Short id of the container its cgroup names."""
    unit: Optional[str]
    """systemd unit its cgroup names."""
    kernel: bool
    """A kernel thread."""

    @property
    def key(self) -> ProcessKey:
        return ProcessKey(self.pid, self.start_time)


class Usage(NamedTuple):
    """What a process uses."""

    state: str
    """The letter of /proc/PID/stat: R S D Z T I ..."""
    cpu_time: float
    """User and system seconds since it started."""
    rss: int
    """Bytes."""
    threads: int
    nice: int
    fds: Optional[int]
    """Open file descriptors (Linux 6.2), None where not readable."""


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


class InterfaceCounters(NamedTuple):
    rx_bytes: int
    tx_bytes: int
    rx_packets: int
    tx_packets: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int
    tx_dropped: int


class Host(NamedTuple):
    """The machine as a whole; counters since boot (events: since the collector began)."""

    hostname: str
    boot_time: float
    load1: float
    load5: float
    load15: float
    cpus: int
    cpu_busy: float
    """Seconds, all processors together."""
    cpu_total: float
    mem_used: int
    mem_total: int
    tcp_out_segs: Optional[int]
    """Segments sent in the host's namespace (/proc/net/snmp OutSegs), without retransmitted ones."""
    tcp_retrans_segs: Optional[int]
    forks: int
    """Processes started, threads not counted."""
    execs: int
    exits: int
    events_lost: int
    """Times the kernel's event queue overran; every one was healed by reading /proc again."""
    collector_cpu: float
    """Seconds the collector has used."""
    collector_memory: int
    """Bytes of it that no other process shares."""
    own_pid: int
    """The collector."""


class Health(NamedTuple):
    """The state of one source of facts. A source that works fully is not listed."""

    source: str
    """cn_proc, sock_diag:sctp, netns:4026532177, procfs ..."""
    status: str
    """degraded: a lesser way is used; unavailable: nothing is known from it; lossy: it lost and healed; absent: this
    kernel does not have it, which `nettop doctor` tells and the coverage line does not."""
    reason: str
    """A sentence: what was refused, by whom, and what is shown instead."""
    remedy: Optional[str]
    """A command that would help."""
    times: int
    """How many times, or how many things are affected."""


class Event(NamedTuple):
    """Something that happened once. Later kinds join `EVENT_KINDS`; fields that do not apply are None."""

    time: float
    """Seconds since the epoch."""
    kind: str
    pid: Optional[int]
    tid: Optional[int]
    ppid: Optional[int]
    comm: Optional[str]
    detail: str
    """exec: the command; exit: the code or signal; comm: the new name; uid, gid: the ids ..."""
    netns: Optional[int]
    container: Optional[str]


TABLES: Mapping[str, Type[Any]] = {
    "namespaces": Namespace,
    "interfaces": Interface,
    "counters": InterfaceCounters,
    "processes": Process,
    "usage": Usage,
    "sockets": Socket,
    "stats": SocketStats,
    "owners": Owners,
    "host": Host,
    "health": Health,
}
"""Every table of a Delta and the row it holds, in the order a reader must apply them."""

COMPANIONS: Mapping[str, Tuple[str, ...]] = {
    "sockets": ("stats", "owners"),
    "processes": ("usage",),
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
