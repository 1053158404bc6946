"""What is left of a socket or a process that has ended: its row for a while, its figures for good, its events."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from nettop import query
from nettop.batch import select
from nettop.fields import CONNECTIONS
from nettop.snapshot import Connection, ProcessRow, Snapshot
from tests.support.sockets import SocketRoom
from tests.support.watching import Watch, inode_of, namespace, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

ME = os.getpid()


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    with SocketRoom("endings") as made:
        yield made


@pytest.fixture
def watch(room: SocketRoom) -> Iterator[Watch]:
    """It watches from when the room is there."""
    assert room.netns
    with Watch() as made:
        yield made


def rows(picture: Snapshot, room: SocketRoom) -> list[Connection]:
    """TCP rows of the room that have a remote end."""
    inside = [row for row in picture.connections.values() if row.socket.netns == room.netns]
    return [row for row in inside if row.socket.proto == "tcp" and row.socket.rport is not None]


def told(watch: Watch, room: SocketRoom, kind: str) -> str:
    """The detail of the first event of a kind in the room."""

    def seen(picture: Snapshot) -> str | None:
        found = [event for event in picture.events.values() if event.kind == kind and event.netns == room.netns]
        return found[0].detail if found else None

    return watch.until(seen)


def test_a_closed_connection_is_shown_with_its_last_figures_and_its_owner(room: SocketRoom, watch: Watch) -> None:
    near, far = room.tcp_pair()
    watch.until(lambda picture: len(rows(picture, room)) == 2)
    near.sendall(bytes(700))
    far.recv(700, socket.MSG_WAITALL)
    far.close()
    near.close()

    def closed(picture: Snapshot) -> Connection | None:
        return next((row for row in rows(picture, room) if row.ended), None)

    row = watch.until(closed)
    assert (row.stats.state, row.stats.tx_bytes, row.stats.rx_bytes) == ("CLOSED", 700, 0)
    assert [owner.pid for owner in row.owners] == [ME]
    assert row.closed is not None
    picture = watch.tick()
    everything = query.parse(f"netns={room.netns} rport>0", CONNECTIONS)
    listed = select(picture, CONNECTIONS, everything, None, None, picture.time)
    assert {row.stats.state for row in listed} == {"TIME-WAIT"}, "as `ss` lists it"
    assert row.id in {row.id for row in select(picture, CONNECTIONS, everything, None, None, picture.time, ended=True)}


def test_a_connection_between_two_looks_is_shown_too(room: SocketRoom, watch: Watch) -> None:
    listener = room.listener()
    watch.until(lambda picture: any(row.socket.netns == room.netns for row in picture.connections.values()))
    near, far = room.connect(listener)
    near.sendall(bytes(300))
    far.recv(300, socket.MSG_WAITALL)
    far.sendall(bytes(20))
    near.recv(20, socket.MSG_WAITALL)
    near.close()
    far.close()

    def both(picture: Snapshot) -> set[tuple[int | None, int | None, str]]:
        found = {(row.stats.rx_bytes, row.stats.tx_bytes, row.owner_by) for row in rows(picture, room)}
        return found if len(found) == 2 else set()

    assert watch.until(both) == {(20, 300, "none"), (300, 20, "listener")}
    row = namespace(watch.tick(), room.netns)
    assert row is not None
    assert (row.rx_bytes, row.tx_bytes, row.opened, row.accepted, row.closed) == (320, 320, 1, 1, 2)


def test_what_happens_to_a_connection_is_told(room: SocketRoom, watch: Watch) -> None:
    listener = room.listener()
    port = listener.getsockname()[1]
    assert told(watch, room, "listen") == f"tcp 127.0.0.1:{port}"
    near, far = room.connect(listener)
    ends = f"tcp 127.0.0.1:{near.getsockname()[1]} → 127.0.0.1:{port}"
    assert told(watch, room, "connect") == ends
    assert told(watch, room, "accept").startswith(f"tcp 127.0.0.1:{port} ← ")
    near.sendall(bytes(42))
    far.recv(42, socket.MSG_WAITALL)
    near.close()
    assert told(watch, room, "close").startswith(f"{ends}, 0 B received, 42 B sent, lived ")


def test_what_had_ended_before_is_not_counted(room: SocketRoom) -> None:
    """What is left of a connection when nettop starts, and a socket that only has an address, ended nobody knows when,
    or not at all."""
    room.time_wait()
    room.open(socket.AF_INET, socket.SOCK_STREAM).bind(("127.0.0.1", 0))
    with Watch() as watch:
        for _ in range(3):
            row = namespace(watch.tick(), room.netns)
            assert row is not None
            assert (row.opened, row.accepted, row.closed) == (0, 0, 0)


def test_a_socket_that_only_has_an_address_is_no_connection(room: SocketRoom, watch: Watch) -> None:
    bound = room.open(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    watch.tick()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    watch.tick()
    bound.close()

    def over(picture: Snapshot) -> bool:
        return not [r for r in picture.connections.values() if r.socket.lport == port and not r.ended]

    watch.until(over)
    row = namespace(watch.tick(), room.netns)
    assert row is not None
    assert (row.opened, row.accepted, row.failed, row.closed) == (0, 0, 0, 0)


@pytest.mark.parametrize("patience", [None, 5.0])
def test_a_refused_connect_is_a_failure(room: SocketRoom, watch: Watch, patience: float | None) -> None:
    made = room.open(socket.AF_INET, socket.SOCK_STREAM)
    made.settimeout(patience)
    with pytest.raises(ConnectionRefusedError):
        made.connect(("127.0.0.1", 1))
    made.close()
    assert ", refused" in told(watch, room, "fail")
    row = namespace(watch.tick(), room.netns)
    assert row is not None
    assert (row.failed, row.opened, row.closed) == (1, 0, 1)


def test_a_connect_without_an_answer_is_a_failure_of_who_gave_up(room: SocketRoom, watch: Watch) -> None:
    made = room.syn_sent()
    watch.until(lambda picture: any(row.owners for row in rows(picture, room)))
    made.close()
    assert ", timed out" in told(watch, room, "fail")
    assert "192.0.2.99:443" in told(watch, room, "fail")


def test_a_connection_that_is_reset_is_a_failure(room: SocketRoom, watch: Watch) -> None:
    near, far = room.tcp_pair()
    watch.tick()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    near.close()
    far.close()
    assert ", reset" in told(watch, room, "fail")


def test_what_a_socket_moved_stays_with_who_held_it(room: SocketRoom, watch: Watch) -> None:
    """A process makes a connection, sends, hands it to another and ends; the other one sends the rest."""
    listener = room.listener()
    code = f"""
import os, socket, sys
near = socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}))
near.sendall(bytes(100)); sys.stdin.readline()
if os.fork(): os._exit(0)
print(os.getpid(), flush=True); sys.stdin.readline(); near.sendall(bytes(11)); sys.stdin.readline()
"""
    command = ["ip", "netns", "exec", room.name, sys.executable, "-I", "-S", "-c", code]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with running:
        assert running.stdin is not None
        assert running.stdout is not None
        far, _ = listener.accept()
        with far:
            watch.until(lambda picture: sent(picture, running.pid) == 100)
            first = process(watch.tick(), running.pid)
            assert first is not None
            running.stdin.write("go\n")
            running.stdin.flush()
            running.wait()
            heir = int(running.stdout.readline())
            watch.until(lambda picture: [row.owners[0].pid for row in rows(picture, room) if row.owners].count(heir))
            running.stdin.write("on\n")
            running.stdin.flush()
            watch.until(lambda picture: sent(picture, heir) == 11)
            over = watch.tick().processes[first.id]
            assert (over.ended, over.usage.state, over.tx_bytes) == (True, "X", 100)
            far.recv(111, socket.MSG_WAITALL)
            running.stdin.close()
    watch.until(lambda picture: (row := namespace(picture, room.netns)) and row.closed)
    row = namespace(watch.tick(), room.netns)
    assert row is not None
    assert (row.tx_bytes, row.rx_bytes) == (111, 111)


def sent(picture: Snapshot, pid: int) -> int | None:
    """What a living process has sent."""
    row: ProcessRow | None = process(picture, pid)
    return row.tx_bytes if row else None


def test_a_datagram_socket_leaves_a_row_without_figures(room: SocketRoom, watch: Watch) -> None:
    made = room.udp_connected()
    inode = inode_of(made.fileno())
    watch.until(lambda picture: any(row.socket.inode == inode and row.owners for row in picture.connections.values()))
    made.close()

    def closed(picture: Snapshot) -> Connection | None:
        inside = (row for row in picture.connections.values() if row.socket.netns == room.netns)
        return next((row for row in inside if row.socket.proto == "udp" and row.ended), None)

    row = watch.until(closed)
    assert (row.stats.rx_bytes, row.stats.tx_bytes, [owner.pid for owner in row.owners]) == (None, None, [ME])


def test_a_connection_counts_that_was_made_a_while_after_its_socket_got_an_address(
    room: SocketRoom, watch: Watch
) -> None:
    listener = room.listener()
    bound = room.open(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind(("127.0.0.1", 0))
    watch.tick()
    bound.connect(listener.getsockname())
    accepted, _ = listener.accept()
    with accepted:

        def counted(picture: Snapshot) -> tuple[int, int, int] | None:
            row = namespace(picture, room.netns)
            return (row.opened, row.accepted, row.closed) if row and row.opened and row.accepted else None

        assert watch.until(counted) == (1, 1, 0)
