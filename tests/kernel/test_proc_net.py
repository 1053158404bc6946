"""/proc/PID/net against what `ss` says of the same namespace, by sock_diag."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator

import pytest

from nettop.kernel import netns
from nettop.kernel.families import Origin
from nettop.kernel.proc_net import INET_FILES, Row, parse_inet, parse_netlink, parse_packet, parse_unix, read_table_at
from tests.support.sockets import SocketRoom

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    with SocketRoom("procnet") as made:
        yield made


def read(room: SocketRoom, name: str) -> bytes:
    return read_table_at(f"/run/netns/{room.name}", name)


def inet(room: SocketRoom, *names: str) -> list[Row]:
    return [row for name in names for row in parse_inet(read(room, name), INET_FILES[name], Origin(room.netns))]


def end(address: str | None, port: int | None) -> str:
    shown = f"[{address}]" if address and ":" in address else address
    return f"{shown}:{port or '*'}"


def as_ss(rows: list[Row]) -> list[tuple[str, str, str, str, str]]:
    """Rows the way `ss -tun` prints them, the limit of a listener's queue left out."""
    return sorted(
        (
            stats.state,
            str(stats.recvq),
            "-" if stats.sendq is None else str(stats.sendq),
            end(socket.local, socket.lport),
            end(socket.remote, socket.rport),
        )
        for socket, stats in rows
    )


def ss(room: SocketRoom, option: str) -> list[tuple[str, str, str, str, str]]:
    lines = [line.split()[:5] for line in room.run("ss", "-anH", option).splitlines()]
    return sorted(
        (state, recvq, "-" if state == "LISTEN" else sendq, here, there) for state, recvq, sendq, here, there in lines
    )


def test_tcp_in_every_state_is_what_ss_shows(room: SocketRoom) -> None:
    listener = room.listener()
    room.listener("::1")
    room.queued(listener, 2)
    room.tcp_pair()
    room.tcp_pair("::1")
    room.half_closed()
    room.time_wait()
    room.stuck()
    room.syn_sent()
    rows = inet(room, "tcp", "tcp6")
    assert as_ss(rows) == ss(room, "-t")
    assert {stats.state for _, stats in rows} == {
        "LISTEN", "ESTAB", "FIN-WAIT-2", "CLOSE-WAIT", "TIME-WAIT", "SYN-SENT",
    }  # fmt: skip


def test_udp_is_what_ss_shows(room: SocketRoom) -> None:
    room.udp()
    room.udp_connected()
    room.udp("::1")
    assert as_ss(inet(room, "udp", "udp6")) == ss(room, "-u")


@pytest.mark.parametrize(
    ("name", "family", "kind", "protocol", "port"),
    [
        ("raw", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP, socket.IPPROTO_ICMP),
        ("raw6", socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6, socket.IPPROTO_ICMPV6),
        ("icmp", socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP, 4711),
        ("udplite", socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE, 4711),
    ],
)
def test_raw_ping_and_udplite_sockets_are_listed(
    room: SocketRoom, name: str, family: int, kind: int, protocol: int, port: int
) -> None:
    room.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 0")
    with netns.in_namespace(f"/run/netns/{room.name}", lambda: socket.socket(family, kind, protocol)) as made:
        if port == 4711:
            made.bind(("127.0.0.1", port))
        [(row, _)] = inet(room, name)
        assert (row.inode, row.lport) == (os.fstat(made.fileno()).st_ino, port)


def test_unix_sockets_are_what_ss_shows(room: SocketRoom) -> None:
    room.unix_listener(f"@{room.name}")
    room.unix_pair()
    room.unix_pair(socket.SOCK_DGRAM)
    shown = {}
    for line in room.run("ss", "-xanH").splitlines():
        kind, state, _, _, name, inode = line.split()[:6]
        shown[int(inode)] = (kind, state, None if name == "*" else name)
    kinds = {"stream": "u_str", "dgram": "u_dgr", "seqpacket": "u_seq"}
    rows = parse_unix(read(room, "unix"), Origin(room.netns))
    assert {row.inode: (kinds[row.kind], stats.state, row.local) for row, stats in rows} == shown
    assert len(rows) == 5


def test_a_path_with_a_newline_hides_nothing(room: SocketRoom) -> None:
    hostile = room.unix_listener(f"@{room.name}\nNum: \x1b[2J")
    other = room.unix_listener(f"@{room.name}-b")
    names = {row.inode: row.local for row, _ in parse_unix(read(room, "unix"), Origin(room.netns))}
    assert names == {
        os.fstat(hostile.fileno()).st_ino: f"@{room.name}\nNum: \x1b[2J",
        os.fstat(other.fileno()).st_ino: f"@{room.name}-b",
    }


def test_packet_sockets_are_what_ss_shows(room: SocketRoom) -> None:
    made = room.open(socket.AF_PACKET, socket.SOCK_RAW)
    made.bind(("lo", 0x0806))
    [(row, _)] = parse_packet(read(room, "packet"), Origin(room.netns, interface={1: "lo"}.get))
    assert row.inode == os.fstat(made.fileno()).st_ino
    assert (row.local, row.iface) == ("arp", "lo")
    assert room.run("ss", "-0anH").split()[4] in ("arp:lo", "[2054]:lo")  # ss 6.1 knows no name but *


def test_netlink_sockets_are_what_ss_shows(room: SocketRoom) -> None:
    made = room.open(socket.AF_NETLINK, socket.SOCK_RAW)
    made.bind((0, 0))
    port = made.getsockname()[0]
    rows = parse_netlink(read(room, "netlink"), Origin(room.netns))
    assert (port, os.fstat(made.fileno()).st_ino) in {(row.lport, row.inode) for row, _ in rows}
    shown = re.findall(r"^\S+\s+\S+\s+\S+\s+(\S+):kernel", room.run("ss", "-f", "netlink", "-aH"), re.M)
    assert sorted(row.local or "" for row, _ in rows if row.lport == 0) == sorted(shown)
