"""Two hosts on one screen: real ones as far as the kernel goes, each with processes and a network of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from nettop.fields import CONNECTIONS, of_machines
from nettop.fleet import Fleet
from nettop.machines import machine_of_row, own_netns
from nettop.requests import CloseSocket, InspectProcess, Signal
from nettop.snapshot import Connection, Snapshot
from tests.support.hosts import Host, Pair
from tests.support.lines import until

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of any kind are made by root"),
]

INTERVAL = 0.2
NAMES = {1: "web-01", 2: "db-1"}

_SERVER = """
import socket, threading
listener = socket.create_server(("10.77.0.2", 5432))
print("listening", flush=True)
connection, _ = listener.accept()
while data := connection.recv(65536):
    connection.send(data)
"""
_CLIENT = """
import socket, time
connection = socket.create_connection(("10.77.0.2", 5432))
print("connected", flush=True)
while True:
    connection.send(b"x" * 1000)
    connection.recv(65536)
    time.sleep(0.02)
"""


def started(host: Host, program: str) -> None:
    """A program runs in there, and has said so."""
    output = host.start(program).stdout
    assert output is not None
    assert output.readline()


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two of them; a program of the first talks to one of the second."""
    with Pair("web-01", "db-1") as (web, db):
        started(db, _SERVER)
        started(web, _CLIENT)
        yield web, db


class Shown:
    """What a fleet shows."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.notices: list[str | None] = []
        self.picture: Snapshot | None = None

    def show(self, picture: Snapshot) -> None:
        self.picture = picture

    def ends(self) -> dict[int, Connection]:
        """The connection between the two, by machine."""
        rows = self.picture.connections.values() if self.picture else ()
        return {
            machine_of_row(row): row for row in rows if row.socket.ends and not row.ended and 5432 in row.socket.ends
        }

    @property
    def joined(self) -> bool:
        return len(self.ends()) == 2 and all(row.peer is not None for row in self.ends().values())


@asynccontextmanager
async def watched(web: Host, db: Host) -> AsyncIterator[Shown]:
    origins = {"web-01": web.collector(INTERVAL), "db-1": db.collector(INTERVAL)}
    shown = Shown(Fleet(origins, INTERVAL))
    running = asyncio.create_task(shown.fleet.run(shown.show, shown.notices.append))
    try:
        yield shown
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        shown.fleet.close()


async def test_a_connection_between_two_hosts_is_joined_at_both_ends(hosts: tuple[Host, Host]) -> None:
    async with watched(*hosts) as shown:
        await until(lambda: shown.joined)
        client, server = shown.ends()[1], shown.ends()[2]
        assert client.peer is not None
        assert server.peer is not None
        assert (client.peer.id, server.peer.id) == (server.id, client.id)
        view = of_machines(CONNECTIONS, NAMES, several=True)

        def say(name: str, row: Connection) -> object:
            return view.fields[name].get(row, 0.0)

        assert [say("machine", row) for row in (client, server)] == ["web-01", "db-1"]
        assert server.process is not None
        assert say("peer", client) == f"{server.process.comm} ({server.process.pid}) on db-1"
        assert say("netns", client) == own_netns(client.socket.netns)
        await until(lambda: (shown.ends()[1].rx_rate or 0) > 10_000 and (shown.ends()[2].rx_rate or 0) > 10_000)


async def test_every_row_and_event_is_of_its_host(hosts: tuple[Host, Host]) -> None:
    async with watched(*hosts) as shown:
        await until(lambda: shown.joined)
        picture = shown.picture
        assert picture is not None
        for number, name in NAMES.items():
            own = picture.machines[number].picture
            assert own is not None
            assert own.host is not None
            assert own.host.hostname == name
            assert {machine_of_row(row) for row in own.processes.values()} == {number}
            init = [row for row in picture.processes.values() if row.process.pid == 1 and machine_of_row(row) == number]
            assert len(init) == 1, "each has a first process, and they are two rows"


async def test_a_signal_ends_the_process_on_its_host_though_both_have_that_pid(hosts: tuple[Host, Host]) -> None:
    async with watched(*hosts) as shown:
        await until(lambda: shown.joined)
        client, server = shown.ends()[1], shown.ends()[2]
        assert client.process is not None
        assert server.process is not None
        answer = await shown.fleet.ask(InspectProcess(*server.process.key))
        assert answer.ok
        assert isinstance(answer.facts, dict)
        answer = await shown.fleet.ask(Signal(*server.process.key, signal.SIGKILL, False))
        assert answer.ok, answer.text
        await until(lambda: not shown.joined)
        assert shown.picture is not None
        assert client.process.key in {row.process.key for row in shown.picture.processes.values()}


async def test_a_socket_is_closed_on_its_host(hosts: tuple[Host, Host]) -> None:
    async with watched(*hosts) as shown:
        await until(lambda: shown.joined)
        answer = await shown.fleet.ask(CloseSocket.of(shown.ends()[2].socket))
        assert answer.ok, answer.text
        await until(lambda: not shown.ends())


async def test_a_host_that_dies_is_told_of_and_the_other_goes_on(hosts: tuple[Host, Host]) -> None:
    async with watched(*hosts) as shown:
        await until(lambda: shown.joined)
        hosts[1].close()
        await until(lambda: shown.picture and shown.picture.machines[2].picture is None)
        assert shown.picture is not None
        assert {machine_of_row(row) for row in shown.picture.connections.values()} == {1}
        [complaint] = [health for health in shown.picture.health if health.source == "machine:db-1"]
        assert complaint.status == "unavailable"
        assert complaint.reason.startswith("db-1: ")
        assert all(row.peer is None for row in shown.ends().values())
        sequence = shown.picture.sequence
        await until(later(shown, sequence + 3))
        assert set(shown.notices) == {None}


def later(shown: Shown, sequence: int) -> Callable[[], bool]:
    return lambda: shown.picture is not None and shown.picture.sequence > sequence
