"""The room makes the sockets it says, as `ss` sees them."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import netns
from tests.support.sockets import HOLE, SocketRoom

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root"),
    pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not installed"),
]


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    with SocketRoom() as made:
        yield made


def states(room: SocketRoom, options: str = "-ta") -> list[str]:
    """The states `ss` prints, in order; of unix sockets it prints the kind first."""
    column = 1 if "x" in options else 0
    return sorted(line.split()[column] for line in room.run("ss", "-nH", options).splitlines())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_pair_is_two_established_ends(room: SocketRoom, address: str) -> None:
    near, far = room.tcp_pair(address)
    assert near.getsockname() == far.getpeername()
    assert states(room) == ["ESTAB", "ESTAB"]


def test_a_dual_stack_listener_takes_both_families(room: SocketRoom) -> None:
    listener = room.dual_stack_listener()
    near, _ = room.connect(listener, "127.0.0.1")
    assert near.family == socket.AF_INET
    assert states(room) == ["ESTAB", "ESTAB", "LISTEN"]


def test_workers_hold_the_listener_with_this_process(room: SocketRoom) -> None:
    pids = room.workers(room.listener(), 2)
    table = room.run("ss", "-tlnpH")
    assert all(f"pid={pid}," in table for pid in [os.getpid(), *pids])


def test_half_closed(room: SocketRoom) -> None:
    room.half_closed()
    assert states(room) == ["CLOSE-WAIT", "FIN-WAIT-2"]


def test_time_wait(room: SocketRoom) -> None:
    local, remote = room.time_wait()
    (row,) = room.run("ss", "-tanH").splitlines()
    assert row.split()[0] == "TIME-WAIT"
    assert f":{local}" in row
    assert f":{remote}" in row


def test_syn_sent_lasts(room: SocketRoom) -> None:
    room.syn_sent()
    room.syn_sent()
    assert states(room) == ["SYN-SENT", "SYN-SENT"]
    assert f"{HOLE}:443" in room.run("ss", "-tanH")


def test_queued_connections_wait_at_the_listener(room: SocketRoom) -> None:
    room.queued(room.listener(), 3)
    (row,) = room.run("ss", "-tlnH").splitlines()
    assert row.split()[1] == "3"


def test_what_is_stuck_waits_to_be_read(room: SocketRoom) -> None:
    _, far = room.stuck(5_000)
    (row,) = room.run("ss", "-tnH", f"sport = :{far.getsockname()[1]}").splitlines()
    assert row.split()[1] == "5000"


def test_udp_with_and_without_a_remote_end(room: SocketRoom) -> None:
    room.udp("::1")
    room.udp_connected()
    assert states(room, "-ua") == ["ESTAB", "UNCONN"]


def test_unix_sockets(room: SocketRoom, tmp_path: Path) -> None:
    room.unix_pair()
    room.unix_listener(tmp_path / "socket")
    room.unix_listener("@abstract")
    assert states(room, "-xa") == ["ESTAB", "ESTAB", "LISTEN", "LISTEN"]
    assert "@abstract" in room.run("ss", "-xanH")


def test_nothing_is_left() -> None:
    home = os.stat("/proc/thread-self/ns/net").st_ino
    with SocketRoom("gone") as room:
        (pid,) = room.workers(room.listener(), 1)
        assert netns.named(room.name)
    assert not netns.named(room.name)
    assert not Path(f"/proc/{pid}").exists()
    assert os.stat("/proc/thread-self/ns/net").st_ino == home
