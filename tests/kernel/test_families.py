"""Unix, packet and netlink sockets by sock_diag, against the sockets themselves and against `ss`."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

import pytest

from nettop.kernel.families import Family, FamilyTable, Origin, read_family
from nettop.kernel.inet_diag import Found
from nettop.kernel.netlink import DiagSocket, DiagUnavailable
from nettop.kernel.netlink_diag import NETLINK
from nettop.kernel.packet_diag import PACKET
from nettop.kernel.unix_diag import UNIX
from nettop.kernel.vsock_diag import VSOCK
from nettop.model import Socket, SocketStats
from tests.support.sockets import SocketRoom

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    with SocketRoom("families") as made:
        yield made


@pytest.fixture
def diag(room: SocketRoom) -> Iterator[DiagSocket]:
    opened = DiagSocket(f"/run/netns/{room.name}")
    yield opened
    opened.close()


def inode(made: socket.socket) -> int:
    return os.fstat(made.fileno()).st_ino


def read(family: Family, room: SocketRoom, diag: DiagSocket) -> dict[int | None, tuple[Socket, SocketStats]]:
    """Rows by inode."""
    origin = Origin(room.netns, {0: "root"}.get, {1: "lo"}.get)
    rows = [family.parse_message(message, origin) for message in read_family(family, diag)]
    return {row.inode: (row, stats) for row, stats in rows}


def test_unix_sockets_are_what_ss_shows(room: SocketRoom, diag: DiagSocket) -> None:
    listener = room.unix_listener(f"@{room.name}")
    client = room.open(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(f"\0{room.name}")
    left, right = room.unix_pair(socket.SOCK_DGRAM)
    left.send(b"not read")
    kinds = {"stream": "u_str", "dgram": "u_dgr", "seqpacket": "u_seq"}
    shown = [line.split()[:8] for line in room.run("ss", "-xanH").splitlines()]
    origin = Origin(room.netns)
    rows = [UNIX.parse_message(message, origin) for message in read_family(UNIX, diag)]
    assert sorted(
        [
            kinds[s.kind],
            n.state,
            str(n.recvq),
            str(n.sendq),
            s.local or "*",
            str(s.inode or 0),
            "*",
            str(s.peer_inode or 0),
        ]
        for s, n in rows
    ) == sorted(shown)
    found = read(UNIX, room, diag)
    assert (found[inode(listener)][1].state, found[inode(listener)][1].recvq) == ("LISTEN", 1)
    assert found[inode(left)][0].peer_inode == inode(right)
    assert found[inode(right)][1].recvq == len(b"not read")
    assert found[inode(left)][0].user == "root"


def test_a_packet_socket_is_what_ss_shows(room: SocketRoom, diag: DiagSocket) -> None:
    made = room.open(socket.AF_PACKET, socket.SOCK_DGRAM)
    made.bind(("lo", 0x0800))
    row, stats = read(PACKET, room, diag)[inode(made)]
    kind, state, recvq, _, local, *_ = room.run("ss", "-0anH").split()
    assert (kind, state, int(recvq)) == ("p_dgr", stats.state, stats.recvq)
    assert local in ("ip:lo", "[2048]:lo")  # ss 6.1 knows no name but *
    assert (row.kind, row.user, row.local, row.iface) == ("dgram", "root", "ip", "lo")
    assert stats.rcvbuf == made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def test_a_netlink_socket_is_known_by_its_port_id(room: SocketRoom, diag: DiagSocket) -> None:
    made = room.open(socket.AF_NETLINK, socket.SOCK_RAW)
    made.bind((0, 0))
    row, stats = read(NETLINK, room, diag)[inode(made)]
    assert (row.local, row.lport, row.remote) == ("rtnl", made.getsockname()[0], None)
    assert (row.kind, stats.state) == ("raw", "UNCONN")


def test_a_family_this_kernel_cannot_list_is_an_error_and_not_an_empty_table(diag: DiagSocket) -> None:
    try:
        messages = read_family(VSOCK, diag)
    except DiagUnavailable:
        return
    for message in messages:
        VSOCK.parse_message(message, Origin(0))
    pytest.skip("this kernel has vsock_diag")


def test_the_table_tells_what_is_new_what_moved_and_what_is_gone(room: SocketRoom, diag: DiagSocket) -> None:
    table = FamilyTable(UNIX, Origin(room.netns), itertools.count(1).__next__)
    left, right = room.unix_pair()
    first = table.read(diag, 100.0)
    assert {(row.inode, row.since) for _, row in first.sockets} == {(inode(left), None), (inode(right), None)}
    assert len(table) == len(table.rows()) == 2

    assert table.read(diag, 101.0) == Found.nothing()

    left.send(b"12345")
    moved = table.read(diag, 102.0)
    assert moved.sockets == []
    assert moved.gone == []
    assert 5 in [stats.recvq for _, stats in moved.stats]

    listener = room.unix_listener(f"@{room.name}")
    [(late, row)] = table.read(diag, 103.0).sockets
    assert (row.inode, row.since) == (inode(listener), 103.0)

    listener.close()
    assert table.read(diag, 104.0).gone == [late]
