"""Two machines on one screen, made by hand: what they number themselves is alike, as it is on real ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nettop.machines import first_number
from nettop.model import Health
from nettop.snapshot import Connection, Coverage, HostRates, LinkRate, Machine, PeerIndex, Snapshot
from tests.support import rows
from tests.support.rows import HOST_NETNS, NOW

NAMES = {1: "web-01", 2: "db-1"}
ADDRESSES = {1: "10.0.0.1", 2: "10.0.0.2"}
PID = 4242
"""Of nginx on the one machine, of postgres on the other."""
TROUBLE = "the connection ended (timed out); connecting again"


class _OtherEnds(PeerIndex):
    """Who is at the other end of whom, by row id."""

    def __init__(self) -> None:
        self.rows: dict[int, Connection] = {}

    def of(self, row: Connection) -> Connection | None:
        return self.rows.get(row.id)


def number(machine: int, own: int) -> int:
    """A number of a machine."""
    return first_number(machine) + own


def _own(machine: int, comm: str, peers: _OtherEnds) -> Snapshot:
    """The picture of one of them: its first process, and one with a connection to the other machine."""
    netns, start, near = number(machine, HOST_NETNS), number(machine, 90210), machine == 1
    ends: dict[str, Any] = {"local": ADDRESSES[machine], "remote": ADDRESSES[3 - machine], "netns": netns, "comm": comm}
    ports = {"lport": 40000, "rport": 5432} if near else {"lport": 5432, "rport": 40000}
    unit = f"{comm}.service"
    process: dict[str, Any] = {"pid": PID, "start_time": start, "netns": netns, "comm": comm, "unit": unit}
    process["cgroup"] = f"/system.slice/{unit}"
    connection = rows.connection(
        id=number(machine, 1),
        **ends,
        **ports,
        pid=PID,
        start_time=start,
        netns_name="host",
        rx_rate=1000.0 * machine,
        tx_rate=500.0,
    )._replace(peers=peers)
    init = {"pid": 1, "ppid": 0, "start_time": number(machine, 3), "netns": netns, "comm": "systemd", "unit": None}
    picture = rows.snapshot(
        [connection],
        [
            rows.process_row(
                id=number(machine, 2), **process, command=f"{comm}: worker", ppid=1, rx_rate=1000.0 * machine
            ),
            rows.process_row(id=number(machine, 3), **init, command="/sbin/init"),
        ],
        [rows.namespace_row(id=number(machine, 4), netns=netns, name="host")],
        containers=[rows.container_row(id=number(machine, 5), name=comm, netns=netns)],
        events=[rows.event(pid=PID, comm=comm, netns=netns, kind="exec", detail=f"{comm} -D")],
    )
    events = {number(machine, own): event for own, event in picture.events.items()}
    return replace(picture, events=events, host=rows.host(hostname=NAMES[machine], own_pid=1))


def several(*, lost: bool = False, sequence: int = 1) -> Snapshot:
    """Both, or where the second is `lost` the first alone."""
    peers = _OtherEnds()
    own = {machine: _own(machine, comm, peers) for machine, comm in ((1, "nginx"), (2, "postgres"))}
    client, server = (own[machine].connections[number(machine, 1)] for machine in (1, 2))
    if lost:
        del own[2]
    else:
        peers.rows = {client.id: server, server.id: client}
    health = (Health("machine:db-1", "unavailable", f"db-1: {TROUBLE}", None, 1),) if lost else ()

    def together(view: str) -> dict[int, Any]:
        return {row_id: row for picture in own.values() for row_id, row in getattr(picture, view).items()}

    return Snapshot(
        sequence=sequence,
        time=NOW,
        interval=1.0,
        connections=together("connections"),
        processes=together("processes"),
        namespaces=together("namespaces"),
        containers=together("containers"),
        events=together("events"),
        events_total=len(own),
        host=rows.host(hostname="", own_pid=0, cpus=2 * len(own), mem_total=(16 << 30) * len(own)),
        rates=HostRates(
            12.0, 3e6, 1e6, 0.1, 3.0, 0.9, [LinkRate(NAMES[machine], 1e6 * machine, 5e5) for machine in own]
        ),
        health=health,
        coverage=Coverage(0.998, 100 * len(own), 3, len(own), len(own), 0),
        machines={
            machine: Machine(name, own.get(machine), None if machine in own else TROUBLE)
            for machine, name in NAMES.items()
        },
    )
