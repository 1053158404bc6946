"""Rows made by hand: everything a view can show, with sensible defaults, so that a test names only what it is about.

Overrides are flat: `connection(state="LISTEN", comm="nginx", rx_rate=1e6)` reaches into the socket, its counters and
its owner alike. An override no part of the row knows is a TypeError, so a renamed field cannot go unnoticed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nettop.model import (
    Container,
    Destination,
    Event,
    Health,
    Host,
    Interface,
    InterfaceCounters,
    Namespace,
    Owner,
    Process,
    Socket,
    SocketStats,
    Usage,
)
from nettop.snapshot import Connection, ContainerRow, Coverage, HostRates, NamespaceRow, ProcessRow, Snapshot

NOW = 1_700_000_000.0
"""The time of every picture made here, in seconds since the epoch."""

HOST_NETNS = 4026531840

_SOCKET: Mapping[str, Any] = Socket(
    netns=HOST_NETNS,
    proto="tcp",
    family="inet",
    kind="stream",
    local="10.0.0.1",
    lport=40000,
    remote="203.0.113.9",
    rport=443,
    inode=12345,
    uid=1000,
    user="web",
    cookie=77,
    iface=None,
    cgroup=None,
    mark=None,
    congestion="cubic",
    v6only=None,
    peer_inode=None,
    since=NOW - 60,
)._asdict()

_STATS: Mapping[str, Any] = {
    **dict.fromkeys(SocketStats._fields),
    "state": "ESTAB",
    "recvq": 0,
    "sendq": 0,
    "rx_bytes": 5000,
    "tx_bytes": 900,
    "rx_packets": 12,
    "tx_packets": 9,
    "rtt": 1200,
    "rttvar": 300,
    "min_rtt": 900,
    "rto": 201_000,
    "retrans": 0,
    "lost": 0,
    "unacked": 0,
    "backoff": 0,
    "cwnd": 10,
    "mss": 1448,
    "drops": 0,
}

_PROCESS: Mapping[str, Any] = Process(
    pid=4242,
    start_time=90210,
    ppid=1,
    uid=1000,
    user="web",
    comm="nginx",
    command="nginx: worker process",
    started=NOW - 3600,
    netns=HOST_NETNS,
    cgroup="/system.slice/nginx.service",
    container=None,
    unit="nginx.service",
    belongs=None,
    kernel=False,
)._asdict()

_USAGE: Mapping[str, Any] = Usage(
    state="S", cpu_time=1.5, rss=12 << 20, threads=1, nice=0, fds=9
)._asdict()  # fmt: skip

_NAMESPACE: Mapping[str, Any] = Namespace(
    netns=HOST_NETNS,
    name="host",
    kind="host",
    pid=1,
    via="netlink",
    reason=None,
    container=None,
    nsid=None,
    holder=None,
)._asdict()


def connection(**overrides: Any) -> Connection:
    """An established TCP connection of nginx.

    Beside the fields of Socket, SocketStats and Connection it takes those of its process (`pid`, `comm`, `command`,
    `container`, `unit`), `fd`, and `netns_name`; `comm=None` means that nobody is known to hold it.
    """
    socket = Socket(**_take(_SOCKET, overrides))
    stats = SocketStats(**_take(_STATS, overrides))
    fd = overrides.pop("fd", 7)
    owned = overrides.get("comm", "nginx") is not None
    holder = Process(**{**_take(_PROCESS, overrides), "netns": socket.netns, "uid": socket.uid, "user": socket.user})
    name = overrides.pop("netns_name", "host" if socket.netns == HOST_NETNS else None)
    row = {
        "id": 1,
        "socket": socket,
        "stats": stats,
        "owners": (Owner(holder.pid, holder.start_time, fd),) if owned else (),
        "owner_by": "exact" if owned else "none",
        "process": holder if owned else None,
        "others": (),
        "namespace": Namespace(**{**_NAMESPACE, "netns": socket.netns, "name": name}),
        "rx_rate": 0.0,
        "tx_rate": 0.0,
        "retrans_rate": 0.0,
        "limit": None,
        "nat": None,
        "place": None,
    }
    return Connection(**_only(row, overrides))


def process_row(**overrides: Any) -> ProcessRow:
    """An nginx worker; takes the fields of Process, Usage and ProcessRow, and `netns_name`."""
    process = Process(**_take(_PROCESS, overrides))
    name = overrides.pop("netns_name", "host" if process.netns == HOST_NETNS else None)
    row = {
        "id": 1,
        "process": process,
        "usage": Usage(**_take(_USAGE, overrides)),
        "namespace": Namespace(**{**_NAMESPACE, "netns": process.netns, "name": name}) if process.netns else None,
        "cpu": 1.5,
        "mem": 0.1,
        "connections": 1,
        "listening": 0,
        "sockets": 1,
        "rx_bytes": 5000,
        "tx_bytes": 900,
        "rx_rate": 0.0,
        "tx_rate": 0.0,
        "retrans": 0,
    }
    return ProcessRow(**_only(row, overrides))


_CONTAINER: Mapping[str, Any] = Container(
    kind="container",
    container_id="3f5a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f90",
    name="web",
    runtime="docker",
    image="nginx:1.25",
    pod=None,
    k8s_namespace=None,
    k8s_container=None,
    service=None,
    task=None,
    state="running",
    unit=None,
    cgroup="/docker/3f5a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f90",
    labels=("role=front",),
    pid=4242,
    netns=HOST_NETNS + 1,
    started=NOW - 3600,
    restarts=0,
    oom_kills=0,
)._asdict()


def container_row(**overrides: Any) -> ContainerRow:
    """A running container with one process; takes the fields of Container and ContainerRow."""
    container = Container(**_take(_CONTAINER, overrides))
    row = {
        "id": 1,
        "processes": 1,
        "connections": 2,
        "listening": 1,
        "sockets": 3,
        "rx_bytes": 5000,
        "tx_bytes": 900,
        "rx_rate": 0.0,
        "tx_rate": 0.0,
        "retrans": 0,
        "cpu": 1.5,
        "rss": 12 << 20,
        "failed": 0,
    }
    return ContainerRow(container=container, **_only(row, overrides))


def interface(**overrides: Any) -> Interface:
    """An Ethernet interface with one address."""
    row = {
        "netns": HOST_NETNS,
        "ifindex": 2,
        "name": "eth0",
        "kind": None,
        "state": "up",
        "mtu": 1500,
        "mac": "02:00:00:00:00:01",
        "addresses": ("10.0.0.1/24",),
        "loopback": False,
        "master": None,
        "peer": None,
        "peer_netns": None,
        "speed": None,
        "duplex": None,
    }
    return Interface(**_only(row, overrides))


def namespace_row(**overrides: Any) -> NamespaceRow:
    """The host's namespace with one interface; takes the fields of Namespace and NamespaceRow."""
    namespace = Namespace(**_take(_NAMESPACE, overrides))
    row = {
        "id": 1,
        "namespace": namespace,
        "processes": 3,
        "connections": 2,
        "listening": 1,
        "sockets": 4,
        "interfaces": ((interface(netns=namespace.netns), InterfaceCounters(1000, 500, 10, 5, 0, 0, 0, 0)),),
        "rx_rate": 0.0,
        "tx_rate": 0.0,
        "protocols": None,
        "protocol_rates": None,
        "tracking": None,
    }
    return NamespaceRow(**_only(row, overrides))


def event(**overrides: Any) -> Event:
    """The exec of a shell."""
    row = {
        "time": NOW,
        "kind": "exec",
        "pid": 4242,
        "tid": 4242,
        "ppid": 1,
        "parent": "systemd",
        "comm": "sh",
        "detail": "sh -c true",
        "netns": HOST_NETNS,
        "container": None,
    }
    return Event(**_only(row, overrides))


def destination(**overrides: Any) -> Destination:
    """A web server, called once."""
    row = {
        "netns": HOST_NETNS,
        "remote": "192.0.2.80",
        "rport": 80,
        "opened": 1,
        "failed": 0,
        "rx_bytes": 900,
        "tx_bytes": 300,
        "retrans": 0,
    }
    return Destination(**_only(row, overrides))


def host(**overrides: Any) -> Host:
    """A small machine, half an hour after its start."""
    row = {
        "hostname": "web-01",
        "boot_time": NOW - 1800,
        "load1": 0.42,
        "load5": 0.35,
        "load15": 0.30,
        "cpus": 2,
        "cpu_busy": 400.0,
        "cpu_total": 3600.0,
        "mem_used": 3 << 30,
        "mem_total": 16 << 30,
        "tcp_out_segs": 100_000,
        "tcp_retrans_segs": 100,
        "forks": 50,
        "execs": 40,
        "exits": 45,
        "events_lost": 0,
        "collector_cpu": 1.0,
        "collector_memory": 30 << 20,
        "own_pid": 99,
    }
    return Host(**_only(row, overrides))


def snapshot(
    connections: Iterable[Connection] = (),
    processes: Iterable[ProcessRow] = (),
    namespaces: Iterable[NamespaceRow] = (),
    events: Iterable[Event] = (),
    *,
    containers: Iterable[ContainerRow] = (),
    events_total: int | None = None,
    health: Iterable[Health] = (),
    sequence: int = 1,
    time: float = NOW,
    changed: Mapping[str, frozenset[int]] | None = None,
) -> Snapshot:
    """One picture of these rows, keyed by their ids; rows with the same id would hide each other: an error."""
    log = list(events)
    total = len(log) if events_total is None else events_total
    return Snapshot(
        sequence=sequence,
        time=time,
        interval=1.0,
        connections=_keyed(connections),
        processes=_keyed(processes),
        namespaces=_keyed(namespaces),
        containers=_keyed(containers),
        events=dict(enumerate(log, total - len(log))),
        events_total=total,
        host=host(),
        rates=HostRates(12.0, 12.4e6, 3.1e6, 0.1, 3.0, 0.9),
        health=tuple(health),
        coverage=Coverage(0.998, 100, 3, 7, 7, 0),
        changed=changed or {},
    )


def many_connections(count: int, seed: int = 1) -> list[Connection]:
    """`count` different connections, the same ones at every call: 20 namespaces, 400 processes, one in 20 busy."""
    return list(_connections(count, random.Random(seed)))


def many_processes(count: int, seed: int = 1) -> list[ProcessRow]:
    """`count` different processes, the same ones at every call; one in 20 moves data."""
    rng = random.Random(seed)
    programs = ("nginx", "postgres", "sshd", "python3", "kworker/0:1", "envoy")
    rows = []
    for number in range(count):
        program = rng.choice(programs)
        busy = rng.random() < 0.05
        rows.append(
            process_row(
                id=number,
                pid=1000 + number,
                ppid=1000 + (number - 1) // 10,
                start_time=number * 7,
                started=NOW - rng.randrange(1_000_000),
                comm=program,
                command=f"{program} --worker {number}",
                netns=HOST_NETNS + number % 20,
                cpu=round(rng.random() * 30, 1) if busy else 0.0,
                rss=rng.randrange(1 << 20, 1 << 30),
                connections=rng.randrange(20),
                rx_rate=rng.random() * 1e6 if busy else 0.0,
                tx_rate=rng.random() * 1e5 if busy else 0.0,
            )
        )
    return rows


def _connections(count: int, rng: random.Random) -> Iterator[Connection]:
    programs = ("nginx", "postgres", "sshd", "python3", "redis-server", "envoy")
    namespaces = [
        Namespace(**{**_NAMESPACE, "netns": HOST_NETNS + n, "name": "host" if n == 0 else f"ns{n}"}) for n in range(20)
    ]
    processes = [
        Process(**{**_PROCESS, "pid": 1000 + n, "start_time": n, "comm": rng.choice(programs)}) for n in range(400)
    ]
    states = ("ESTAB",) * 16 + ("LISTEN", "TIME-WAIT", "CLOSE-WAIT", "SYN-SENT")
    template = connection()
    for number in range(count):
        busy = rng.random() < 0.05
        state = rng.choice(states)
        six = rng.random() < 0.2
        holder = None if state == "TIME-WAIT" else rng.choice(processes)
        namespace = namespaces[number % 20]
        yield Connection(
            id=number,
            socket=template.socket._replace(
                netns=namespace.netns,
                family="inet6" if six else "inet",
                local="2001:db8::1" if six else f"10.0.{number % 20}.7",
                lport=rng.randrange(1024, 65536),
                remote=f"2001:db8:1::{number:x}" if six else f"198.51.{number >> 8 & 255}.{number & 255}",
                rport=rng.choice((22, 80, 443, 5432, 6379)),
                inode=100_000 + number if holder else None,
                cookie=number + 1,
                since=NOW - rng.randrange(100_000),
            ),
            stats=template.stats._replace(
                state=state,
                rx_bytes=rng.randrange(1 << 30),
                tx_bytes=rng.randrange(1 << 30),
                rtt=rng.randrange(40, 300_000),
                retrans=rng.choice((0, 0, 0, 0, 3)),
            ),
            owners=(Owner(holder.pid, holder.start_time, number % 500),) if holder else (),
            owner_by="exact" if holder else "none",
            process=holder,
            others=(),
            namespace=namespace,
            rx_rate=rng.random() * 1e6 if busy else 0.0,
            tx_rate=rng.random() * 1e5 if busy else 0.0,
            retrans_rate=0.0,
            limit="network" if busy else "app",
        )


def _take(defaults: Mapping[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """The defaults with the overrides that belong to them, which are removed from `overrides`."""
    return {name: overrides.pop(name, default) for name, default in defaults.items()}


def _only(defaults: Mapping[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """As `_take`, for the last part of a row: an override that is left over is an error."""
    row = _take(defaults, overrides)
    if overrides:
        raise TypeError(f"no part of the row has: {', '.join(overrides)}")
    return row


def _keyed(rows: Iterable[Any]) -> dict[int, Any]:
    """Rows by id."""
    listed = list(rows)
    table = {row.id: row for row in listed}
    if len(table) != len(listed):
        raise ValueError("two rows have the same id")
    return table
