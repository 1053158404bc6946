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
closed     `Closed`, same id          once: when the socket has ended, and is shown for a while still
nat        `Nat`, same id             once, of sockets whose remote end was translated
datagrams  `Datagrams`, same id       with traffic, of UDP sockets whose packets connection tracking counts
processes  `Process`                  on exec, rename, change of namespace
usage      `Usage`, same id           whenever the process runs
traffic    `Traffic`, same id         when a socket of the process was opened, closed or passed on
containers `Container`                when one appears, is named, or something happens to it
together   `Traffic`, same id         the same of all sockets its processes held
cgroups    `Cgroup`                   hardly ever: of sockets whose process may not be seen
namespaces `Namespace`                when one appears, is named, or can no longer be read
inside     `Traffic`, same id         the same of all sockets of the namespace
protocols  `ProtocolCounters`, same id every few ticks
tracking   `Tracking`, same id        with the flows of the namespace
interfaces `Interface`                when an address or the link state changes
counters   `InterfaceCounters`        with traffic, same id as its interface
host       `Host`, the only row: id 0 every tick
everywhere `Traffic`, only row: id 0  of all namespaces, those that are gone included
health     `Health`, one per source   when a source degrades or heals
========== ========================== =====================================================

Where several tables share ids, only the first is told that a row is gone; its companions go with it (`COMPANIONS`).
Counters are cumulative; rates are the store's business, so a replay shows what the live screen showed. Unknown is
None, never 0. This module must stay importable by Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Type

PROTOCOLS = ("tcp", "udp", "udplite", "raw", "icmp", "mptcp", "sctp", "unix", "packet", "netlink", "vsock")

PROCESS_EVENTS = ("fork", "exec", "exit", "uid", "gid", "sid", "comm", "ptrace", "coredump")
"""What cn_proc reports, in the words of the events view."""
SOCKET_EVENTS = ("connect", "accept", "listen", "close", "fail", "retransmit")
"""What happens to TCP sockets; close to UDP sockets with a remote end, too."""
EVENT_KINDS = PROCESS_EVENTS + SOCKET_EVENTS


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
    """Name of the container it runs in; its short id until a runtime has told the name."""
    unit: Optional[str]
    """systemd unit its cgroup names."""
    belongs: Optional[int]
    """Row id of its container, unit or program in `containers`; None of kernel threads, and where its cgroup may not
    be read."""
    kernel: bool
    """A kernel thread."""

    @property
    def key(self) -> ProcessKey:
        return ProcessKey(self.pid, self.start_time)


class Usage(NamedTuple):
    """What a process uses."""

    state: str
    """The letter of /proc/PID/stat: R S D Z T I ...; X of a process that has ended, and is shown for a while still."""
    cpu_time: float
    """User and system seconds since it started."""
    rss: int
    """Bytes."""
    threads: int
    nice: int
    fds: Optional[int]
    """Open file descriptors (Linux 6.2), None where not readable."""


class Traffic(NamedTuple):
    """What the TCP sockets of a process, a container, a namespace or the whole machine have done, beyond what their
    rows say.

    A total is the sum over the `SocketStats` of the rows there are, closed ones included, and what is settled here.
    Numbers only grow, but for the settled ones of a process or container: they take back what a
    socket it was passed had moved."""

    rx_bytes: int
    """Payload of sockets whose rows are gone, and of those passed on, until then."""
    tx_bytes: int
    retrans: int
    """Segments sent again."""
    rx_unseen: int
    """Of `rx_bytes`, that of sockets which never had a row: with the rows' differences it makes the rate."""
    tx_unseen: int
    rx_before: int
    """Of the total, what had moved before the collector began."""
    tx_before: int
    opened: int
    """Connections made from here since the collector began."""
    accepted: int
    failed: int
    """Connects that came to nothing: refused, or not answered."""
    closed: int
    """Connections ended, and connects that came to nothing."""
    owned: int
    """Of `closed`, those whose process is known."""


NO_TRAFFIC = Traffic(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class Container(NamedTuple):
    """What processes belong to: a container, a systemd unit, or a program that is neither. What a runtime says of it is
    None until that has answered."""

    kind: str
    """container; sandbox, which only holds the namespaces of a pod; pod, where the container is not told; service,
    scope, session, slice and other kinds of units; vm; monitor, which watches a container; program."""
    container_id: Optional[str]
    """Of a container, in full; of a pod its uid."""
    name: str
    """Of a container what its runtime calls it, in a pod POD/CONTAINER, the short id until that is known; of a unit and
    a program its name."""
    runtime: Optional[str]
    """docker, containerd, crio, podman, lxc, nspawn; kubernetes where it is in a pod and nobody says more."""
    image: Optional[str]
    pod: Optional[str]
    k8s_namespace: Optional[str]
    k8s_container: Optional[str]
    service: Optional[str]
    """Of Swarm or Compose: STACK/SERVICE."""
    state: Optional[str]
    """created, running, paused, exited ..., in the runtime's words."""
    unit: Optional[str]
    """The systemd unit it is."""
    cgroup: Optional[str]
    """Path of the cgroup that all of it is in; None of a program."""
    labels: Tuple[str, ...]
    """NAME=VALUE."""
    pid: Optional[int]
    """Its oldest process."""
    netns: Optional[int]
    """Of that process."""
    started: Optional[float]
    """Seconds since the epoch."""
    restarts: Optional[int]
    oom_kills: Optional[int]
    """Processes in its cgroup that the kernel ended for want of memory."""

    @property
    def contained(self) -> bool:
        """It is a container, and neither a unit nor a program."""
        return self.runtime is not None


class Cgroup(NamedTuple):
    """A cgroup by the id that sockets carry."""

    cgroup: int
    """Inode of its version 2 directory, as in `Socket`."""
    container: int
    """Row id of what it belongs to."""


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
    """Something that happened once; fields that do not apply are None."""

    time: float
    """Seconds since the epoch."""
    kind: str
    pid: Optional[int]
    tid: Optional[int]
    ppid: Optional[int]
    comm: Optional[str]
    detail: str
    """exec: the command; exit: the code or signal; comm: the new name; uid, gid: the ids; of a socket both ends, and
    what became of it."""
    netns: Optional[int]
    container: Optional[str]


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
