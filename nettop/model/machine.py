"""The machine as a whole: its figures, its totals, what cannot be read of it, and what happens on it."""

from __future__ import annotations

from typing import NamedTuple, Optional


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


PROCESS_EVENTS = ("fork", "exec", "exit", "uid", "gid", "sid", "comm", "ptrace", "coredump")
"""What cn_proc reports, in the words of the events view."""

SOCKET_EVENTS = ("connect", "accept", "listen", "close", "fail", "retransmit")
"""What happens to TCP sockets; close to UDP sockets with a remote end, too."""

EVENT_KINDS = PROCESS_EVENTS + SOCKET_EVENTS


class Event(NamedTuple):
    """Something that happened once; fields that do not apply are None."""

    time: float
    """Seconds since the epoch."""
    kind: str
    pid: Optional[int]
    tid: Optional[int]
    ppid: Optional[int]
    """Who started it, also where that process is gone and it has been given another parent."""
    parent: Optional[str]
    """The name of that process."""
    comm: Optional[str]
    """The process's name then; None where it was gone before anybody could read it."""
    detail: str
    """exec: the command; exit: the code or signal; comm: the new name; uid, gid: the ids; of a socket both ends, and
    what became of it."""
    netns: Optional[int]
    container: Optional[str]
