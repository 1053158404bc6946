"""A machine made up from nothing, and the stream of Deltas that tells of it: what the store is held to."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

from nettop.model import (
    CLOSED,
    COMPANIONS,
    NO_OWNERS,
    NO_TRAFFIC,
    TABLES,
    Cgroup,
    Change,
    Closed,
    Delta,
    Event,
    Health,
    InterfaceCounters,
    Owner,
    Owners,
    Traffic,
)
from nettop.snapshot import EMPTY, Connection, NamespaceRow, ProcessRow, Snapshot
from nettop.store import Store
from tests.support.rows import (
    HOST_NETNS,
    NOW,
    connection,
    container_row,
    event,
    host,
    interface,
    namespace_row,
    process_row,
)

NAMESPACES = (HOST_NETNS, HOST_NETNS + 1, HOST_NETNS + 2)
PIDS = (10, 11, 12)
CGROUPS = (500, 501)

Tables = dict[str, dict[int, Any]]


class Machine:
    """What is true now, by table and row id; `tell` says what changed since it was last called."""

    def __init__(self) -> None:
        self.tables: Tables = {name: {} for name in TABLES}
        self.clock = 100.0
        self._told: Tables = {name: {} for name in TABLES}
        self._next_id = 1

    def new_id(self) -> int:
        """An id no row had before."""
        self._next_id += 1
        return self._next_id - 1

    def open_socket(self, cookie: int, owners: Owners = NO_OWNERS, **overrides: Any) -> int:
        """A new socket; overrides as in `rows.connection`. Its row id."""
        row_id = self.new_id()
        row = connection(**{"cookie": cookie, "inode": cookie, **overrides})
        self.tables["sockets"][row_id] = row.socket
        self.tables["stats"][row_id] = row.stats
        self.tables["owners"][row_id] = owners
        return row_id

    def start_process(self, pid: int, **overrides: Any) -> int:
        """A new process that has used no processor time; overrides as in `rows.process_row`. Its row id."""
        row_id = self.new_id()
        row = process_row(**{"pid": pid, "start_time": row_id, "cpu_time": 0.0, **overrides})
        self.tables["processes"][row_id] = row.process
        self.tables["usage"][row_id] = row.usage
        return row_id

    def add_namespace(self, netns: int, **overrides: Any) -> int:
        """A new namespace; overrides as in `rows.namespace_row`. Its row id."""
        row_id = self.new_id()
        self.tables["namespaces"][row_id] = namespace_row(netns=netns, **overrides).namespace
        return row_id

    def add_container(self, **overrides: Any) -> int:
        """A new container; overrides as in `rows.container_row`. Its row id."""
        row_id = self.new_id()
        self.tables["containers"][row_id] = container_row(**overrides).container
        return row_id

    def add_interface(self, netns: int, name: str, **overrides: Any) -> int:
        """A new interface without traffic; overrides as in `rows.interface`. Its row id."""
        row_id = self.new_id()
        self.tables["interfaces"][row_id] = interface(netns=netns, name=name, **overrides)
        self.tables["counters"][row_id] = InterfaceCounters(0, 0, 0, 0, 0, 0, 0, 0)
        return row_id

    def set(self, table: str, row_id: int, **columns: Any) -> None:
        """Change a row; without columns it is said again as it is."""
        self.tables[table][row_id] = self.tables[table][row_id]._replace(**columns)

    def owner(self, row_id: int, fd: int = 3) -> Owner:
        """An open file of the process with this row id."""
        process = self.tables["processes"][row_id]
        return Owner(process.pid, process.start_time, fd)

    def held(self, *processes: int) -> Owners:
        """What says that the processes with these row ids hold a socket."""
        return Owners("exact", tuple(map(self.owner, processes)))

    def remove(self, table: str, row_id: int) -> None:
        """A row and its companions are gone."""
        for name in (table, *COMPANIONS.get(table, ())):
            self.tables[name].pop(row_id, None)

    def tell(self, seconds: float = 1.0, key: bool = False, events: tuple[Event, ...] = ()) -> Delta:
        """The tick `seconds` after the last one; a key frame says everything."""
        self.clock += seconds
        told: Tables = {name: {} for name in TABLES} if key else self._told
        companions = {name for names in COMPANIONS.values() for name in names}
        changes = {}
        for name, rows in self.tables.items():
            news = {row_id: row for row_id, row in rows.items() if told[name].get(row_id) is not row}
            gone = [] if name in companions else [row_id for row_id in told[name] if row_id not in rows]
            if news or gone:
                changes[name] = Change(news, gone)
        self._told = {name: dict(rows) for name, rows in self.tables.items()}
        return Delta(key, True, NOW + self.clock, self.clock, changes, events, 0)


class Watched(Machine):
    """A machine and the store that is told of it."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.tables["host"][0] = host()

    def picture(self, seconds: float = 1.0) -> Snapshot:
        """The picture after the next tick; the first is a key frame."""
        shown = self.store.apply(self.tell(seconds, key=self.store.snapshot is EMPTY))
        assert shown is not None
        return shown

    def connection(self, row_id: int) -> Connection:
        """The row of a socket in the last picture."""
        return self.store.snapshot.connections[row_id]

    def process(self, row_id: int) -> ProcessRow:
        """The row of a process in the last picture."""
        return self.store.snapshot.processes[row_id]

    def namespace(self, row_id: int) -> NamespaceRow:
        """The row of a namespace in the last picture."""
        return self.store.snapshot.namespaces[row_id]

    def receive(self, row_id: int, more: int) -> None:
        """A socket receives so many bytes."""
        self.set("stats", row_id, rx_bytes=self.tables["stats"][row_id].rx_bytes + more)


def rates(row: Connection | ProcessRow | NamespaceRow) -> tuple[float | None, float | None]:
    """Bytes received and sent a second."""
    return row.rx_rate, row.tx_rate


@st.composite
def streams(draw: st.DrawFn, longest: int = 8) -> list[Delta]:
    """The first ticks of a machine on which anything may happen; the first is a key frame."""
    rng = draw(st.randoms(use_true_random=False))
    machine = Machine()
    told = []
    for tick in range(draw(st.integers(1, longest))):
        for _ in range(draw(st.integers(0, 8))):
            _happen(machine, rng)
        machine.tables["host"][0] = _host(machine, rng)
        seconds = rng.choice((1.0, 1.0, 0.5, 2.0))
        events = (event(time=NOW + tick),) * rng.randrange(3)
        told.append(machine.tell(seconds, key=not tick or rng.random() < 0.1, events=events))
    return told


def _happen(machine: Machine, rng: random.Random) -> None:
    """One thing out of all that can happen; nothing, where it cannot happen now."""
    tables = machine.tables
    kind = rng.choice(
        (
            "sockets",
            "sockets",
            "stats",
            "stats",
            "owners",
            "processes",
            "usage",
            "namespaces",
            "links",
            "traffic",
            "ends",
            "containers",
        )
    )
    sockets, processes, namespaces = (sorted(tables[name]) for name in ("sockets", "processes", "namespaces"))
    if kind == "sockets":
        _open_or_close(machine, rng, sockets)
    elif kind == "stats" and sockets:
        machine.set("stats", rng.choice(sockets), **_stats(rng))
    elif kind == "owners" and sockets:
        tables["owners"][rng.choice(sockets)] = _owners(machine, rng)
    elif kind == "processes":
        _start_or_end(machine, rng, processes)
    elif kind == "usage" and processes:
        machine.set("usage", rng.choice(processes), cpu_time=rng.choice((0.0, 0.25, 3.0)), rss=rng.randrange(3) << 20)
    elif kind == "namespaces":
        _appear_or_vanish(machine, rng, namespaces)
    elif kind == "links":
        _link(machine, rng)
    elif kind == "traffic":
        _settle(machine, rng, processes, namespaces)
    elif kind == "containers":
        _contain(machine, rng, processes)
    elif kind == "ends":
        _end(machine, rng, sockets, processes)


def _settle(machine: Machine, rng: random.Random, processes: list[int], namespaces: list[int]) -> None:
    """Something is entered in somebody's books."""
    containers = sorted(machine.tables["containers"])
    books = (("traffic", processes), ("together", containers), ("inside", namespaces), ("everywhere", [0]))
    for table, rows in books:
        if rows and rng.random() < 0.5:
            row_id = rng.choice(rows)
            before = machine.tables[table].get(row_id, NO_TRAFFIC)
            machine.tables[table][row_id] = Traffic._make(figure + rng.choice((0, 0, 5)) for figure in before)


def _contain(machine: Machine, rng: random.Random, processes: list[int]) -> None:
    """A container appears, gets a name, a member or a cgroup, or ends."""
    containers = sorted(machine.tables["containers"])
    if not containers or rng.random() < 0.3:
        machine.add_container()
    elif rng.random() < 0.2:
        machine.remove("containers", rng.choice(containers))
    elif rng.random() < 0.3:
        machine.set("containers", rng.choice(containers), name=rng.choice(("web", "db")))
    elif rng.random() < 0.5 and processes:
        machine.set("processes", rng.choice(processes), belongs=rng.choice((*containers, None)))
    else:
        cgroup = rng.choice(CGROUPS)
        before = [i for i, row in machine.tables["cgroups"].items() if row.cgroup == cgroup]
        if before and rng.random() < 0.4:
            machine.remove("cgroups", before[0])
        elif before:
            machine.set("cgroups", before[0], container=rng.choice(containers))
        else:
            machine.tables["cgroups"][machine.new_id()] = Cgroup(cgroup, rng.choice(containers))


def _end(machine: Machine, rng: random.Random, sockets: list[int], processes: list[int]) -> None:
    """A socket or a process ends, and its row stays for a while."""
    if sockets:
        row_id = rng.choice(sockets)
        machine.set("stats", row_id, state=CLOSED)
        machine.tables["closed"][row_id] = Closed(NOW + machine.clock)
    if processes and rng.random() < 0.5:
        machine.set("usage", rng.choice(processes), state="X")


def _open_or_close(machine: Machine, rng: random.Random, sockets: list[int]) -> None:
    if sockets and rng.random() < 0.3:
        machine.remove("sockets", rng.choice(sockets))
        return
    machine.open_socket(
        rng.randrange(100),
        _owners(machine, rng),
        netns=rng.choice(NAMESPACES),
        inode=rng.choice((None, 5)),
        cgroup=rng.choice((None, *CGROUPS)),
        rport=rng.choice((None, 443)),
        since=rng.choice((None, NOW)),
        **_stats(rng),
    )


def _stats(rng: random.Random) -> dict[str, Any]:
    known = rng.random() < 0.8
    return {
        "state": rng.choice(("ESTAB", "ESTAB", "LISTEN", "CLOSE-WAIT", "UNCONN")),
        "rx_bytes": rng.choice((0, 10, 500)) if known else None,
        "tx_bytes": rng.choice((0, 7, 300)) if known else None,
        "retrans": rng.choice((None, 0, 2)),
        "recvq": rng.choice((0, 9)),
        "sendq": rng.choice((0, 12)),
        "busy": rng.choice((None, 0, 1000)),
        "rwnd_limited": rng.choice((None, 0, 900)),
    }


def _owners(machine: Machine, rng: random.Random) -> Owners:
    """Some of the processes, and now and then one that is not listed."""
    held = [machine.owner(row_id) for row_id in sorted(machine.tables["processes"]) if rng.random() < 0.4]
    if rng.random() < 0.1:
        held.insert(0, Owner(10, 999, 4))
    return Owners(rng.choice(("exact", "exact", "gone")), tuple(held)) if held else NO_OWNERS


def _start_or_end(machine: Machine, rng: random.Random, processes: list[int]) -> None:
    tables = machine.tables
    pid = rng.choice(PIDS)
    before = next((row_id for row_id in processes if tables["processes"][row_id].pid == pid), None)
    if before is not None:
        if rng.random() < 0.5:
            change = {"comm": rng.choice(("sh", "nginx"))} if rng.random() < 0.5 else {"netns": rng.choice(NAMESPACES)}
            machine.set("processes", before, **change)
            return
        machine.remove("processes", before)
        if rng.random() < 0.5:
            return
    machine.start_process(pid, netns=rng.choice((*NAMESPACES, None)), cpu_time=rng.choice((0.0, 0.5)))


def _appear_or_vanish(machine: Machine, rng: random.Random, namespaces: list[int]) -> None:
    netns = rng.choice(NAMESPACES)
    before = next((i for i in namespaces if machine.tables["namespaces"][i].netns == netns), None)
    if before is None:
        via = rng.choice(("netlink", "none"))
        machine.add_namespace(netns, kind="host" if netns == HOST_NETNS else "named", via=via)
    elif rng.random() < 0.5:
        machine.set("namespaces", before, name=rng.choice(("red", "blue", None)))
    else:
        machine.remove("namespaces", before)


def _link(machine: Machine, rng: random.Random) -> None:
    tables = machine.tables
    links = sorted(tables["interfaces"])
    if not links or rng.random() < 0.3:
        machine.add_interface(rng.choice(NAMESPACES), "eth0", loopback=rng.random() < 0.3)
    elif rng.random() < 0.2:
        machine.remove("interfaces", rng.choice(links))
    elif rng.random() < 0.2:
        machine.set("interfaces", rng.choice(links), state=rng.choice(("up", "down")))
    else:
        machine.set("counters", rng.choice(links), rx_bytes=rng.choice((0, 50, 70)), tx_bytes=rng.choice((0, 5, 9)))
    health = Health("netns", "degraded", "why", None, rng.randrange(3))
    if rng.random() < 0.3:
        tables["health"][machine.new_id()] = health
    elif tables["health"] and rng.random() < 0.3:
        machine.remove("health", min(tables["health"]))


def _host(machine: Machine, rng: random.Random) -> Any:
    return host(
        cpu_total=machine.clock * 2,
        cpu_busy=machine.clock + rng.choice((0.0, 0.5)),
        mem_total=rng.choice((1, 1, 1, 2)) << 30,
        tcp_out_segs=rng.choice((None, 1000, 1100)),
        tcp_retrans_segs=rng.choice((None, 10, 12)),
        forks=rng.choice((50, 55)),
        events_lost=rng.choice((0, 1)),
        collector_cpu=rng.choice((1.0, 1.5)),
    )
