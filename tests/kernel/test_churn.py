"""Nothing missed, nothing guessed: short connections counted to the byte, and nobody's taken for another's."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator

import pytest

from nettop.snapshot import Connection, Snapshot
from tests.support.churn import Churn, Client, ends_of
from tests.support.sockets import SocketRoom
from tests.support.watching import Pumped, namespace

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


@pytest.fixture
def rooms() -> Iterator[list[SocketRoom]]:
    with SocketRoom("churn-a") as first, SocketRoom("churn-b") as second, SocketRoom("churn-c") as third:
        yield [first, second, third]


def connections(picture: Snapshot, room: SocketRoom) -> list[Connection]:
    """TCP rows of a namespace that are or were connections."""
    return [
        row
        for row in picture.connections.values()
        if row.socket.netns == room.netns and row.socket.proto == "tcp" and row.stats.state != "LISTEN"
    ]


def test_a_thousand_short_connections_are_counted_to_the_byte(rooms: list[SocketRoom]) -> None:
    """From 20 short-lived processes and 2 long-lived ones, in 3 namespaces, 50 of them refused."""
    with Pumped() as watch, Churn([room.name for room in rooms]) as churn:
        watch.settled()
        clients = churn.run(watch.pump, short=20, long=2, connections=43, failures=2, hold=0.1)
        clients += churn.run(watch.pump, short=2, long=0, connections=2, failures=3)
        picture = watch.settled()
        made = sum(len(client.ports) for client in clients)
        assert (made, sum(client.failed for client in clients)) == (950, 50)
        for room in rooms:
            check_namespace(picture, room, [client for client in clients if client.netns == room.name])
        check_processes(picture, clients, churn)
        right, unknown = judge_owners(picture, rooms, clients, churn)
    share = picture.coverage.closed_owned / picture.coverage.closed
    print(f"owner known of {share:.1%} of {picture.coverage.closed}: {right} right, {unknown} unknown, 0 wrong")
    assert share > 0.5


def check_namespace(picture: Snapshot, room: SocketRoom, clients: list[Client]) -> None:
    """Every byte went through two sockets of the namespace."""
    row = namespace(picture, room.netns)
    assert row is not None
    moved = sum(client.sent + client.received for client in clients)
    made, failed = sum(len(client.ports) for client in clients), sum(client.failed for client in clients)
    assert (row.tx_bytes, row.rx_bytes) == (moved, moved)
    assert (row.opened, row.accepted, row.failed, row.closed) == (made, made, failed, 2 * made + failed)


def check_processes(picture: Snapshot, clients: list[Client], churn: Churn) -> None:
    """What is on a process's books it did, and not more; a server, which alone listens, did all of it."""
    rows = {row.process.pid: row for row in picture.processes.values()}
    for client in clients:
        row = rows.get(client.pid)
        if row is not None:
            assert (row.tx_bytes or 0) <= client.sent
            assert (row.rx_bytes or 0) <= client.received
            assert row.opened <= len(client.ports)
            assert row.failed <= client.failed
    for name, pid in churn.servers.items():
        mine = [client for client in clients if client.netns == name]
        assert rows[pid].tx_bytes == sum(client.received for client in mine)
        assert rows[pid].rx_bytes == sum(client.sent for client in mine)
        assert rows[pid].accepted == sum(len(client.ports) for client in mine)


def judge_owners(picture: Snapshot, rooms: list[SocketRoom], clients: list[Client], churn: Churn) -> tuple[int, int]:
    """How many rows of connections have the right owner and how many none; there must be no wrong one."""
    truths = ends_of(clients, churn.servers)
    verdicts: collections.Counter[str] = collections.Counter()
    for room in rooms:
        for row in connections(picture, room):
            truth = truths.get((room.name, row.socket.lport or 0, row.socket.rport or 0))
            if truth is not None:
                verdicts["unknown" if not row.owners else "right" if row.owners[0].pid == truth else "wrong"] += 1
    assert not verdicts["wrong"]
    assert sum(verdicts.values()) > 900
    return verdicts["right"], verdicts["unknown"]
