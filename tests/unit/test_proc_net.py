"""The text of /proc/PID/net, line by line."""

from __future__ import annotations

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nettop.kernel.families import Origin
from nettop.kernel.proc_net import INET_FILES, parse_inet, parse_netlink, parse_packet, parse_unix

HERE = Origin(netns=1, user={0: "root", 1000: "web"}.get, interface={2: "eth0"}.get)

little_endian = pytest.mark.skipif(
    sys.byteorder != "little", reason="the recorded addresses are of a little-endian host"
)

TCP = b"""  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 31337 1 00f6 100 0 0 10 0
   1: 0100007F:1F90 0200007F:C350 01 00000010:00000020 01:00000014 00000002     0        0 31338 1 00c6 20 4 30 10 -1
   2: 0100007F:1F90 0300007F:C351 06 00000000:00000000 03:00000EE3 00000000     0        0 0 3 00a6
"""
TCP6 = b"""  sl  local_address   remote_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:0016 B80D0120000000000000000001000000:C350 \
01 00000000:00000000 02:000AFC2A 00000000     0        0 5 1 000081c7 20 4 0 14 7
"""
UDP = b"""  sl local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref pointer drops
  123: 00000000:0035 00000000:0000 07 00000100:00000200 00:00000000 00000000  1000        0 77 2 0000000081c76daa 9
"""
UNIX = b"""Num       RefCount Protocol Flags    Type St Inode Path
00000000abff0d35: 00000003 00000000 00000000 0001 03  1479
00000000abff0d36: 00000002 00000000 00010000 0001 01  1480 /run/with space.sock
00000000abff0d37: 00000002 00000000 00000000 0002 01  1481 @abstract@@
00000000abff0d38: 00000002 00000000 00000000 0005 02     0 two
lines
"""
HEADER = UNIX[: UNIX.index(b"\n") + 1]
PACKET = b"""sk               RefCnt Type Proto  Iface R Rmem   User   Inode
000000008c14e480 3      3    0003   2     1 4096   0      99
000000008c14e481 3      2    88cc   0     1 0      1000   98
"""
NETLINK = b"""sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
000000008c14e480 0   0          00000000 0        0        0     2        0        4
000000008c14e481 15  4294963189 00000001 512      256      0     2        7        5
"""


@little_endian
def test_a_listener_tells_who_waits_and_not_how_many_may() -> None:
    socket, stats = parse_inet(TCP, INET_FILES["tcp"], HERE)[0]
    assert (socket.netns, socket.proto, socket.family, socket.kind) == (1, "tcp", "inet", "stream")
    assert (socket.local, socket.lport, socket.remote, socket.rport) == ("127.0.0.1", 8080, "0.0.0.0", 0)
    assert (socket.inode, socket.uid, socket.user, socket.cookie) == (31337, 1000, "web", None)
    assert (stats.state, stats.recvq, stats.sendq) == ("LISTEN", 3, None)


@little_endian
def test_a_connection_tells_its_queues_and_its_timer_and_no_byte_counts() -> None:
    socket, stats = parse_inet(TCP, INET_FILES["tcp"], HERE)[1]
    assert (socket.remote, socket.rport) == ("127.0.0.2", 50000)
    assert (stats.state, stats.recvq, stats.sendq) == ("ESTAB", 0x20, 0x10)
    assert (stats.rto, stats.backoff, stats.cwnd, stats.ssthresh) == (200_000, 2, 10, None)
    assert (stats.rx_bytes, stats.tx_bytes, stats.rtt, stats.drops) == (None, None, None, None)


def test_time_wait_has_no_inode_and_nobody_to_own_it() -> None:
    socket, stats = parse_inet(TCP, INET_FILES["tcp"], HERE)[2]
    assert stats.state == "TIME-WAIT"
    assert (socket.inode, socket.uid, socket.user) == (None, None, None)


@little_endian
def test_an_ipv6_address_is_four_native_words() -> None:
    [(socket, stats)] = parse_inet(TCP6, INET_FILES["tcp6"], HERE)
    assert (socket.family, socket.local, socket.lport, socket.remote) == ("inet6", "::1", 22, "2001:db8::1")
    assert stats.ssthresh == 7


def test_udp_counts_its_drops() -> None:
    [(socket, stats)] = parse_inet(UDP, INET_FILES["udp"], HERE)
    assert (socket.proto, socket.kind, socket.lport) == ("udp", "dgram", 53)
    assert (stats.state, stats.recvq, stats.sendq, stats.drops) == ("UNCONN", 0x200, 0x100, 9)


def test_unix_sockets_have_paths_that_may_be_absent_spaced_abstract_or_broken() -> None:
    rows = parse_unix(UNIX, HERE)
    assert [socket.local for socket, _ in rows] == [None, "/run/with space.sock", "@abstract@@", "two\nlines"]
    assert [socket.inode for socket, _ in rows] == [1479, 1480, 1481, None]
    assert [socket.kind for socket, _ in rows] == ["stream", "stream", "dgram", "seqpacket"]
    assert [stats.state for _, stats in rows] == ["ESTAB", "LISTEN", "UNCONN", "SYN-SENT"]


@given(st.binary(max_size=108))
@example(b"\n")
@example(b"a\n00000000abff0d35: ")
@example(b"a\n\n\n\x1b[2J")
def test_no_path_hides_the_socket_after_it(path: bytes) -> None:
    line = b"00000000abff0d35: 00000002 00000000 00010000 0001 01  1480"
    rows = parse_unix(HEADER + line + b" " + path + b"\n" + line.replace(b"1480", b"1481") + b" /last\n", HERE)
    assert (rows[0][0].inode, rows[-1][0].inode, rows[-1][0].local) == (1480, 1481, "/last")


def test_packet_sockets_name_what_they_capture_and_where() -> None:
    rows = parse_packet(PACKET, HERE)
    assert [(s.local, s.kind, s.iface, s.user, s.inode) for s, _ in rows] == [
        ("*", "raw", "eth0", "root", 99),
        ("lldp", "dgram", None, "web", 98),
    ]
    assert [stats.recvq for _, stats in rows] == [4096, 0]


def test_netlink_sockets_name_their_protocol() -> None:
    rows = parse_netlink(NETLINK, HERE)
    assert [(s.local, s.lport, s.inode) for s, _ in rows] == [("rtnl", 0, 4), ("uevent", 4294963189, 5)]
    assert [(stats.recvq, stats.sendq, stats.drops) for _, stats in rows] == [(0, 0, 0), (512, 256, 7)]


@pytest.mark.parametrize("name", INET_FILES)
def test_an_empty_table_has_no_rows(name: str) -> None:
    assert parse_inet(b"  sl  local_address\n", INET_FILES[name], HERE) == []
