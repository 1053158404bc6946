"""The commands one copies run as they are in a shell, and show the very socket."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from nettop.snapshot import Connection, Snapshot
from nettop.tui.commands.recipes import recipes
from tests.support.sockets import SocketRoom
from tests.support.watching import Watch, connections, inode_of, namespace, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes sockets in a namespace"),
]

TRACKING = "add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c ct state new"
"""Rules of nftables that make the kernel track connections in a namespace."""

SOCKETS: dict[str, Callable[[SocketRoom], socket.socket]] = {
    "tcp": lambda room: room.tcp_pair()[0],
    "tcp, accepted": lambda room: room.tcp_pair()[1],
    "tcp over IPv6": lambda room: room.tcp_pair("::1")[1],
    "tcp of both families": lambda room: room.connect(room.dual_stack_listener(), "127.0.0.1")[1],
    "a listener": lambda room: room.listener(),
    "a listener of IPv6": lambda room: room.listener("::1"),
    "a listener on any address": lambda room: room.listener("0.0.0.0"),
    "a listener of both families": lambda room: room.dual_stack_listener(),
    "udp": lambda room: room.udp(),
    "udp, connected": lambda room: room.udp_connected(),
    "unix": lambda room: room.unix_pair()[0],
    "packet": lambda room: room.open(socket.AF_PACKET, socket.SOCK_RAW, 3),
}


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    with SocketRoom("recipes") as made:
        yield made


def seen(room: SocketRoom, made: socket.socket) -> Connection:
    """The collector's row of a socket of the room."""
    inode = inode_of(made.fileno())

    def find(picture: Snapshot) -> Connection | None:
        return next((row for row in connections(picture, inode) if row.socket.netns == room.netns), None)

    with Watch() as watch:
        return watch.until(find)


def command(row: object, tool: str) -> str:
    return next(recipe.command for recipe in recipes(row) if recipe.tool == tool)


def run(line: str) -> str:
    """What the command prints; it may be wrong with nothing."""
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", SOCKETS)
def test_ss_shows_that_socket_and_no_other(room: SocketRoom, kind: str) -> None:
    made = SOCKETS[kind](room)
    others = [room.listener(), *room.tcp_pair(), room.udp(), *room.unix_pair()]
    row = seen(room, made)
    line = command(row, "nsenter")
    printed = run(line)
    for _ in range(3):  # ss does not ask again where a list of the kernel has a hole, as one of UDP may have
        printed = printed if str(row.socket.inode) in printed else run(line)
    assert str(row.socket.inode) in printed
    for other in others:
        if other.family != socket.AF_UNIX:
            assert f"ino:{inode_of(other.fileno())} " not in printed


def test_ss_needs_no_detour_in_the_host_s_namespace() -> None:
    with socket.create_server(("127.0.0.1", 0)) as made, Watch() as watch:
        row = watch.until(lambda picture: next(iter(connections(picture, inode_of(made.fileno()))), None))
        line = command(row, "ss")
    assert line.startswith("ss ")


@pytest.mark.skipif(not shutil.which("conntrack"), reason="needs conntrack")
@pytest.mark.parametrize("kind", ["tcp", "tcp, accepted", "tcp over IPv6", "tcp of both families", "udp, connected"])
def test_conntrack_shows_the_flow_from_either_end(room: SocketRoom, kind: str) -> None:
    room.run("nft", TRACKING)
    made = SOCKETS[kind](room)
    if made.type == socket.SOCK_DGRAM:
        made.send(b"x")
    row = seen(room, made)
    flows = run(command(row, "conntrack")).splitlines()
    assert len(flows) == 1
    for port in (row.socket.lport, row.socket.rport):
        assert f"port={port} " in flows[0]


@pytest.mark.skipif(not shutil.which("tcpdump"), reason="needs tcpdump")
@pytest.mark.parametrize("kind", [kind for kind in SOCKETS if kind not in ("unix", "packet")])
def test_tcpdump_takes_the_filter(room: SocketRoom, kind: str) -> None:
    row = seen(room, SOCKETS[kind](room))
    assert run(command(row, "tcpdump").replace("tcpdump", "tcpdump -d", 1))


def test_a_process_and_a_namespace(room: SocketRoom) -> None:
    made = room.listener()
    with Watch() as watch:
        picture = watch.until(lambda picture: picture if connections(picture, inode_of(made.fileno())) else None)
    own, space = process(picture, os.getpid()), namespace(picture, room.netns)
    assert own is not None
    with socket.create_server(("127.0.0.1", 0)) as here:
        assert f":{here.getsockname()[1]} " in run(command(own, "ss"))
    assert f":{made.getsockname()[1]} " in run(command(space, "nsenter"))
