"""The connections view lists what `ss` lists inside each namespace: same sockets, states, queues and holders."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from nettop.snapshot import Snapshot
from tests.support.sockets import SocketRoom
from tests.support.ss import Row, of_picture, of_ss
from tests.support.watching import DEADLINE, Watch, inode_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not installed: nothing to compare with"),
]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def rooms() -> Iterator[tuple[SocketRoom, SocketRoom]]:
    with SocketRoom("ss-a") as first, SocketRoom("ss-b") as second:
        yield first, second


# --- two ways to ask -------------------------------------------------------------------------------------------------


def of_json(lines: Iterable[str]) -> list[Row]:
    """The rows that `nettop connections --json` prints."""
    rows = []
    for line in lines:
        row = json.loads(line)
        ends = (row["local"], row["lport"], row["remote"], row["rport"])
        held = tuple(sorted((owner["pid"], owner["fd"]) for owner in row["owners"] if row["owner_by"] == "exact"))
        rows.append(Row(row["proto"], row["state"], row["recvq"], row["sendq"], *ends, held))
    return sorted(rows, key=repr)


def compare(room: SocketRoom, ask: Callable[[SocketRoom], list[Row]]) -> list[Row]:
    """Ask between two equal answers of `ss`, timers may have moved something in between; then all must be the same."""
    deadline = time.monotonic() + DEADLINE
    while True:
        before, ours = of_ss(room), ask(room)
        if before == of_ss(room):
            break
        assert time.monotonic() < deadline, "the sockets of the room do not come to rest"
    assert ours == before
    return before


# --- the mix ---------------------------------------------------------------------------------------------------------


def furnish(room: SocketRoom) -> None:
    """Sockets of every state that lasts."""
    for address in ("127.0.0.1", "::1"):
        room.tcp_pair(address)
        room.half_closed(address)
        room.time_wait(address)
        room.udp(address)
        room.udp_connected(address)
    dual = room.dual_stack_listener()
    room.connect(dual, "127.0.0.1")
    room.connect(dual, "::1")
    v4_mapped(room, dual)
    room.workers(room.listener(), 3)
    room.queued(room.listener(backlog=4), 2)
    room.queued(room.listener("::1"), 1)
    room.syn_sent()
    room.stuck()
    clogged(room)
    room.udp("0.0.0.0")
    room.udp("::")
    bound_to_interface(room)
    unread_datagrams(room)


def v4_mapped(room: SocketRoom, listener: socket.socket) -> None:
    """A v6 socket that speaks v4 at both ends."""
    near = room.open(socket.AF_INET6, socket.SOCK_STREAM)
    near.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))


def clogged(room: SocketRoom) -> None:
    """Queues full at both ends: one sends until nothing more is taken, the other does not read."""
    near, _ = room.tcp_pair()
    near.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            near.send(bytes(1 << 20))


def bound_to_interface(room: SocketRoom) -> socket.socket:
    made = room.open(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    made.bind(("0.0.0.0", 0))
    return made


def unread_datagrams(room: SocketRoom) -> None:
    reader, writer = room.udp(), room.udp()
    for _ in range(3):
        writer.sendto(bytes(500), reader.getsockname())


def test_every_kind_of_socket_is_listed_as_ss_lists_it(rooms: tuple[SocketRoom, SocketRoom]) -> None:
    for room in rooms:
        furnish(room)
    with Watch() as watch:
        for room in rooms:
            rows = compare(room, lambda room: of_picture(watch.tick(), room))
            assert {row.state for row in rows} == {
                *("LISTEN", "ESTAB", "UNCONN", "SYN-SENT", "FIN-WAIT-2", "CLOSE-WAIT", "TIME-WAIT"),
            }
            assert any(row.proto == "udp" and row.recvq for row in rows)
            assert any(row.proto == "tcp" and row.sendq and row.state == "ESTAB" for row in rows)
            assert max(len(row.holders) for row in rows) == 4


def test_the_command_line_says_so_too(rooms: tuple[SocketRoom, SocketRoom]) -> None:
    for room in rooms:
        furnish(room)

    def ask(room: SocketRoom) -> list[Row]:
        wanted = f"netns={room.netns} (proto=tcp or proto=udp)"
        command = [sys.executable, "-m", "nettop", "connections", "--json", "--no-rates", "--filter", wanted]
        return of_json(
            subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        )

    for room in rooms:
        assert compare(room, ask)


def test_what_changes_while_watched_is_as_ss_lists_it(rooms: tuple[SocketRoom, SocketRoom]) -> None:
    """Connected, accepted, half closed, closed: each step, seen from the one before, not afresh."""
    room, _ = rooms
    with Watch() as watch:

        def agrees(picture: Snapshot) -> bool:
            return of_picture(picture, room) == of_ss(room)

        listener = room.listener()
        near = room.open(socket.AF_INET, socket.SOCK_STREAM)
        watch.until(agrees)
        near.connect(listener.getsockname())
        watch.until(agrees)
        far, _ = listener.accept()
        watch.until(agrees)
        far.shutdown(socket.SHUT_WR)
        watch.until(agrees)
        near.close()
        watch.until(agrees)
        far.close()
        watch.until(agrees)
        assert [row.state for row in of_ss(room)] == ["LISTEN", "TIME-WAIT"]
        datagrams = room.udp()
        watch.until(agrees)
        datagrams.connect(("127.0.0.1", 53))
        watch.until(agrees)
        datagrams.close()
        listener.close()
        watch.until(agrees)


def test_the_interface_a_socket_is_bound_to_is_named_in_the_first_picture(rooms: tuple[SocketRoom, SocketRoom]) -> None:
    inode = inode_of(bound_to_interface(rooms[0]).fileno())
    with Watch() as watch:
        [row] = [row for row in watch.tick().connections.values() if row.socket.inode == inode]
    assert row.socket.iface == "lo"
