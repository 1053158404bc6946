"""A machine that could be: a web shop in containers, a VPN and a few units beside it, some of it in trouble.

The tables in tests/data/shop are what one would read on it; sums, peers and the next pictures follow from them, the
same at every call.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nettop.model import Event, Interface, InterfaceCounters, Nat, ProtocolCounters
from nettop.snapshot import (
    Connection,
    ContainerRow,
    Coverage,
    HostRates,
    NamespaceRow,
    PeerIndex,
    ProcessRow,
    Snapshot,
)
from tests.support import rows
from tests.support.rows import HOST_NETNS, NOW

DATA = Path(__file__).parents[1] / "data" / "shop"

SSH_CONNECTION = "198.51.100.23 52514 10.0.3.7 22"
"""Of whoever looks."""


def _table(name: str) -> list[str]:
    """The lines of a table below the one that says what its columns are."""
    return (DATA / f"{name}.txt").read_text().splitlines()[1:]


_NAMESPACES = {line.split()[0]: line.split()[1:] for line in _table("namespaces")}
"""Name → kind, oldest process, interfaces."""

_IMAGES = {
    "shop-web-1": "nginx:1.25-alpine",
    "shop-api-1": "registry.example/shop/api:2026.11.3",
    "shop-db-1": "postgres:16",
    "shop-cache-1": "redis:7.2-alpine",
    "shop-jobs-1": "registry.example/shop/jobs:2026.11.3",
    "shop-migrate-1": "registry.example/shop/api:2026.11.3",
}

_SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_FIRST_CONTAINER, _FIRST_NAMESPACE = 500, 600


class _Pairs(PeerIndex):
    """Finds the other end by its addresses."""

    def __init__(self) -> None:
        self.rows: dict[Any, Connection] = {}

    def of(self, row: Connection) -> Connection | None:
        ends = row.socket.ends
        return self.rows.get((*ends[2:], *ends[:2])) if ends else None


def shop(seconds: int = 0) -> Snapshot:
    """The machine, or what became of it some seconds later: bytes moved, a connection came, another one went."""
    containers = _container_ids()
    processes = dict(_processes(containers))
    connections = list(_connections(processes, seconds))
    others = list(_others(processes))
    held = [*connections, *others]
    picture = rows.snapshot(
        held,
        [
            row._replace(**_sums([c for c in held if c.process and c.process.pid == pid]))
            for pid, row in processes.items()
        ],
        list(_namespaces(processes, held, seconds)),
        [*_events(processes)],
        containers=list(_containers(containers, processes, held)),
        events_total=4212,
        sequence=1 + seconds,
        time=NOW + seconds,
    )
    return dataclasses.replace(
        picture,
        host=rows.host(own_pid=2190, boot_time=NOW - 1_048_000, load1=1.84, load5=1.22, load15=0.97),
        rates=HostRates(34.5, 1.4e6, 2.6e6, 0.7, 3.0, 0.9),
        coverage=Coverage(0.9987, 214, 2, len(_NAMESPACES), len(_NAMESPACES), 0, 310, 309),
        changed=_changed(picture, shop(seconds - 1)) if seconds else {},
    )


def _container_ids() -> dict[str, int]:
    """What processes belong to → its row id."""
    names = [line.split()[4] for line in _table("processes")]
    return {
        name: _FIRST_CONTAINER + n for n, name in enumerate(dict.fromkeys([*names, "shop-migrate-1"])) if name != "-"
    }


def _processes(containers: Mapping[str, int]) -> Iterator[tuple[int, ProcessRow]]:
    for number, line in enumerate(_table("processes")):
        pid, ppid, user, namespace, belongs, state, cpu, rss, threads, seconds, command = line.split(maxsplit=10)
        contained = belongs in _IMAGES
        comm = command.strip("[]").split(" ")[0].rpartition("/")[2].rstrip(":") or command.strip("[]")
        yield int(pid), rows.process_row(
            id=100 + number,
            pid=int(pid),
            start_time=100 * int(pid),
            ppid=int(ppid),
            uid=0 if user == "root" else 900 + len(user),
            user=user,
            comm=comm[:15],
            command=command,
            started=NOW - int(seconds),
            netns=_netns(namespace),
            netns_name=namespace,
            container=belongs if contained else None,
            unit=None if contained or belongs == "-" else _unit(belongs),
            cgroup=None if belongs == "-" else _cgroup(belongs),
            belongs=containers.get(belongs),
            kernel=ppid == "2" or pid == "2",
            state=state,
            cpu=float(cpu),
            mem=100 * _size(rss) / (16 << 30),
            rss=_size(rss),
            threads=int(threads),
            fds=12 + int(pid) % 40,
            nice=10 if "pg_dump" in command else 0,
        )  # fmt: skip


def _connections(processes: Mapping[int, ProcessRow], seconds: int) -> Iterator[Connection]:
    pairs = _Pairs()
    for number, line in enumerate(_table("connections"), 1):
        if not (seconds and "198.51.100.140:33871" in line):  # it ends, and is not shown any more
            yield _connection(pairs, processes, number, line, seconds)
    if seconds:
        came = "1438 22 ESTAB 172.18.0.2:443 203.0.113.120:46012 2.2K 61K 4K 90K 0 12K 35000 0 app"
        yield _connection(pairs, processes, 90, came, seconds)


def _connection(pairs: _Pairs, processes: Mapping[int, ProcessRow], number: int, line: str, seconds: int) -> Connection:
    pid, fd, state, local, remote, *figures, limit = line.split()
    rx_rate, tx_rate, received, sent, recvq, sendq, rtt, again = (None if f == "-" else _size(f) for f in figures)
    holder = processes[int(pid)].process if pid != "-" else None
    netns = holder.netns if holder else _netns("shop-web-1")
    flows = state in ("ESTAB", "CLOSE-WAIT", "SYN-SENT")
    host, port = _ends(local)
    other, rport = _ends(remote)
    row = rows.connection(
        id=number,
        netns=netns,
        netns_name=_name(netns),
        family="inet6" if ":" in (other or host or "") else "inet",
        state=state,
        local=host,
        lport=port,
        remote=other if other else "::" if ":" in (host or "") else "0.0.0.0",
        rport=rport,
        inode=41_000 + number if holder and state not in ("SYN-RECV", "CLOSED") else None,
        cookie=0x2000 + number,
        since=NOW - 37 * number if number % 3 else None,
        rx_bytes=None if received is None else received + (rx_rate or 0) * seconds,
        tx_bytes=None if sent is None else sent + (tx_rate or 0) * seconds,
        rx_packets=None if received is None else received // 1400,
        tx_packets=None if sent is None else sent // 1400,
        rx_rate=rx_rate,
        tx_rate=tx_rate,
        recvq=recvq,
        sendq=sendq,
        rtt=rtt,
        min_rtt=None if rtt is None else 11_800 if limit == "network" else rtt * 4 // 5,
        rttvar=None if rtt is None else rtt // 6,
        retrans=None if again is None else again + (seconds if limit == "network" else 0),
        retrans_rate=1.0 if limit == "network" else 0.0,
        lost=1 if limit == "network" else 0,
        unacked=18 if flows and sendq else 0,
        cwnd=24 if flows else None,
        ssthresh=19 if limit == "network" else 0x7FFFFFFF,
        snd_wnd=0 if limit == "receiver" else 64 << 10,
        notsent=(sendq or 0) // 3,
        backoff=4 if state == "SYN-SENT" else 0,
        pacing_rate=(tx_rate or 0) * 2 + 1_000_000,
        delivery_rate=(tx_rate or 0) + 400_000,
        app_limited=limit == "app",
        busy=8_000_000 + 900_000 * seconds,
        rwnd_limited=(2_000_000 + 880_000 * seconds) if limit == "receiver" else 0,
        sndbuf_limited=0,
        rcvbuf=6 << 20,
        sndbuf=2560 << 10,
        limit=None if limit == "-" else limit,
        nat=Nat("172.18.0.2", 443) if remote == "203.0.113.80:443" else None,
        comm=holder.comm if holder else None,
        pid=holder.pid if holder else 0,
        fd=int(fd) if holder else 0,
    )
    row = _held_by(row, processes.get(int(pid)) if holder else None)
    row = row._replace(peers=pairs, closed=NOW - 8 if state == "CLOSED" else None)
    if row.socket.ends:
        pairs.rows[row.socket.ends] = row
    return row


def _others(processes: Mapping[int, ProcessRow]) -> Iterator[Connection]:
    """Sockets without byte counts."""
    unknown = dict.fromkeys(("rx_bytes", "tx_bytes", "rtt", "min_rtt", "retrans", "rx_rate", "tx_rate", "cwnd"))
    for number, line in enumerate(_table("others"), 60):
        pid, fd, proto, local = line.split()
        host, port = _ends(local) if proto == "udp" else (local, None)
        row = rows.connection(
            id=number,
            proto=proto,
            family="inet" if proto == "udp" else proto,
            kind="stream" if proto == "unix" else "dgram",
            state="LISTEN" if proto == "unix" else "UNCONN",
            netns=processes[int(pid)].process.netns,
            netns_name=_name(processes[int(pid)].process.netns),
            local=host,
            lport=port,
            remote="0.0.0.0" if proto == "udp" else None,
            rport=None,
            inode=42_000 + number,
            cookie=None if proto == "unix" else 0x3000 + number,
            congestion=None,
            fd=int(fd),
            **unknown,
        )
        yield _held_by(row, processes[int(pid)])


def _held_by(row: Connection, holder: ProcessRow | None) -> Connection:
    """The row with that process, as its own row tells of it, for its only holder."""
    if holder is None:
        return row._replace(socket=row.socket._replace(uid=None, user=None))
    process = holder.process
    user = row.socket._replace(uid=process.uid, user=process.user)
    owner = row.owners[0]._replace(pid=process.pid, start_time=process.start_time)
    return row._replace(socket=user, owners=(owner,), process=process)


def _sums(held: Sequence[Connection]) -> dict[str, Any]:
    """What the rows of processes and containers say of their sockets."""
    counted = [c for c in held if c.stats.rx_bytes is not None]
    return {
        "connections": sum(c.socket.rport is not None for c in held),
        "listening": sum(c.stats.state == "LISTEN" for c in held),
        "sockets": len(held),
        "rx_bytes": sum(c.stats.rx_bytes or 0 for c in counted) if counted else None,
        "tx_bytes": sum(c.stats.tx_bytes or 0 for c in counted) if counted else None,
        "rx_rate": sum(c.rx_rate or 0.0 for c in counted) if counted else None,
        "tx_rate": sum(c.tx_rate or 0.0 for c in counted) if counted else None,
        "retrans": sum(c.stats.retrans or 0 for c in counted) if counted else None,
    }


def _containers(
    ids: Mapping[str, int], processes: Mapping[int, ProcessRow], held: Sequence[Connection]
) -> Iterator[ContainerRow]:
    for number, (name, row_id) in enumerate(ids.items()):
        members = [row for row in processes.values() if row.process.belongs == row_id and not row.ended]
        contained, unit = name in _IMAGES, _unit(name)
        number_ = f"{0x3F5A0B1C2D3E + 0x51CE7_0000 * number:012x}"
        yield rows.container_row(
            id=row_id,
            name=name if contained else unit,
            kind="container" if contained else unit.rpartition(".")[2],
            container_id=f"{number_}4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f90" if contained else None,
            runtime="docker" if contained else None,
            image=_IMAGES.get(name),
            service=f"shop/{name.split('-')[1]}" if contained else None,
            state=("running" if members else "exited") if contained else None,
            unit=None if contained else unit,
            cgroup=_cgroup(name),
            labels=("com.docker.compose.project=shop", "com.docker.compose.service=" + name.split("-")[1])
            if contained
            else (),
            pid=members[0].process.pid if members else None,
            netns=members[-1].process.netns if members else None,
            started=(NOW - 86_300 if members else NOW - 20) if contained else None,
            restarts=(3 if name == "shop-jobs-1" else 0) if contained else None,
            oom_kills=2 if name == "shop-jobs-1" else 0,
            processes=len(members),
            cpu=sum(row.cpu or 0.0 for row in members),
            rss=sum(row.usage.rss for row in members),
            **_sums([c for c in held if c.belongs == row_id]),
        )._replace(failed=14 if name == "shop-jobs-1" else 0, opened=3 * len(members))


def _namespaces(
    processes: Mapping[int, ProcessRow], held: Sequence[Connection], seconds: int
) -> Iterator[NamespaceRow]:
    for number, (name, (kind, pid, *links)) in enumerate(_NAMESPACES.items()):
        netns = _netns(name)
        inside = [c for c in held if c.socket.netns == netns]
        sums = _sums(inside)
        rx, tx = int(sums["rx_rate"] or 0), int(sums["tx_rate"] or 0)
        interfaces = [_loopback(netns), *_links(netns, links, rx * seconds, tx * seconds)]
        yield rows.namespace_row(
            id=_FIRST_NAMESPACE + number,
            netns=netns,
            name=name,
            kind=kind,
            pid=int(pid) or None,
            container=name if kind == "container" else None,
            processes=sum(row.process.netns == netns and not row.ended for row in processes.values()),
            connections=sums["connections"],
            listening=sums["listening"],
            sockets=sums["sockets"],
            interfaces=tuple(interfaces),
            rx_rate=float(rx),
            tx_rate=float(tx),
            protocols=ProtocolCounters(412_000, 380 + seconds, 41, 112, 9, 77, 6, 6, 0, 9100, 9080, 3, 3, 0, 14),
            protocol_rates=(820.0, 1.0, 0.0, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0),
        )


def _loopback(netns: int) -> tuple[Interface, InterfaceCounters]:
    lo = rows.interface(
        netns=netns, ifindex=1, name="lo", mtu=65536, mac=None, addresses=("127.0.0.1/8",), loopback=True
    )
    return lo, InterfaceCounters(81_000, 81_000, 400, 400, 0, 0, 0, 0)


def _links(netns: int, links: Sequence[str], received: int, sent: int) -> Iterator[tuple[Interface, InterfaceCounters]]:
    for place, link in enumerate(links):
        name, kind, addresses = link.split("=")
        tunnel = kind == "wireguard"
        interface = rows.interface(
            netns=netns,
            ifindex=2 + place,
            name=name,
            kind=None if kind == "-" else kind,
            mac=None if tunnel else f"02:42:ac:12:{netns & 255:02x}:{place:02x}",
            mtu=1420 if tunnel else 1500,
            addresses=tuple(filter(None, addresses.split(","))),
        )
        counters = (7_100_000 * (place + 1) + received, 9_400_000 + sent, 51_000, 48_000, 0, 0, 12 * place, 0)
        yield interface, InterfaceCounters(*counters)


def _events(processes: Mapping[int, ProcessRow]) -> Iterator[Event]:
    for line in _table("events"):
        ago, kind, pid, comm, detail = line.split(maxsplit=4)
        process = processes[int(pid)].process if pid != "-" else None
        yield rows.event(
            time=NOW - float(ago),
            kind=kind,
            pid=process.pid if process else None,
            tid=process.pid if process else None,
            ppid=process.ppid if process else None,
            comm=None if comm == "-" else comm,
            detail="" if detail == "-" else detail,
            netns=process.netns if process else _netns("shop-web-1"),
            container=process.container if process else None,
        )


def _changed(picture: Snapshot, before: Snapshot) -> dict[str, frozenset[int]]:
    """View → rows that are new, different or gone."""
    return {
        view: frozenset(i for i in now.keys() | then.keys() if now.get(i) != then.get(i))
        for view in ("connections", "processes", "namespaces", "containers")
        for now, then in [(getattr(picture, view), getattr(before, view))]
    }


# --- words of the tables ---------------------------------------------------------------------------------------------


def _size(figure: str) -> int:
    return int(float(figure[:-1]) * _SIZES[figure[-1]]) if figure[-1] in _SIZES else int(figure)


def _ends(end: str) -> tuple[str | None, int | None]:
    host, _, port = end.rpartition(":")
    return (None, None) if end == "-" else (host.strip("[]"), int(port))


def _netns(name: str) -> int:
    return HOST_NETNS + 37 * list(_NAMESPACES).index(name)


def _name(netns: int | None) -> str:
    return next(name for name in _NAMESPACES if _netns(name) == netns)


def _unit(name: str) -> str:
    return name if "." in name else f"{name}.service"


def _cgroup(name: str) -> str:
    if name in _IMAGES:
        return f"/system.slice/docker-{name}.scope"
    if name.startswith("session"):
        return f"/user.slice/user-1000.slice/{name}"
    return f"/system.slice/{_unit(name)}" if name != "init.scope" else "/init.scope"
