"""The messages of sock_diag for unix, packet, netlink and vsock, byte by byte."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel.families import Origin, parse_attributes, parse_memory
from nettop.kernel.netlink_diag import NETLINK
from nettop.kernel.packet_diag import PACKET
from nettop.kernel.unix_diag import UNIX, parse_name
from nettop.kernel.vsock_diag import VSOCK

HERE = Origin(netns=1, user={0: "root"}.get, interface={2: "eth0"}.get)
MEMORY = struct.pack("=9I", 100, 200, 300, 400, 0, 0, 0, 0, 5)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def test_a_unix_listener_has_a_path_a_user_and_a_queue_of_connections() -> None:
    message = struct.pack("=BBBxIQ", 1, 1, 10, 1480, 7)
    message += attribute(0, b"/run/x.sock\0") + attribute(4, struct.pack("=II", 3, 128))
    message += attribute(5, MEMORY) + attribute(7, bytes(4))
    socket, stats = UNIX.parse_message(message, HERE)
    assert message[UNIX.cookie] == struct.pack("=Q", 7)
    assert (socket.kind, socket.local, socket.inode, socket.cookie) == ("stream", "/run/x.sock", 1480, 7)
    assert (socket.uid, socket.user, socket.peer_inode) == (0, "root", None)
    assert (stats.state, stats.recvq, stats.sendq) == ("LISTEN", 3, 128)
    assert (stats.rcvbuf, stats.sndbuf, stats.drops) == (200, 400, 5)


def test_a_unix_socket_of_an_old_kernel_says_less() -> None:
    socket, stats = UNIX.parse_message(
        struct.pack("=BBBxIQ", 1, 5, 1, 0, 7) + attribute(2, struct.pack("=I", 99)), HERE
    )
    assert (socket.kind, socket.local, socket.inode, socket.uid, socket.peer_inode) == (
        "seqpacket",
        None,
        None,
        None,
        99,
    )
    assert (stats.state, stats.recvq, stats.sendq, stats.rcvbuf) == ("ESTAB", None, None, None)


@given(st.binary(max_size=108))
def test_any_name_becomes_text(sun_path: bytes) -> None:
    name = parse_name(sun_path)
    name.encode()
    assert "\0" not in name


def test_an_abstract_name_keeps_every_byte_and_a_path_ends_at_its_nul() -> None:
    assert parse_name(b"\0a\0\0") == "@a@@"
    assert parse_name(b"/a\0") == "/a"


def test_a_packet_socket_names_its_protocol_and_its_interface() -> None:
    message = struct.pack("=BBHIQ", 17, 3, 0x0800, 12, 8)
    message += attribute(0, struct.pack("=6I", 2, 0, 0, 0, 0, 0)) + attribute(5, bytes(4)) + attribute(6, MEMORY)
    socket, stats = PACKET.parse_message(message, HERE)
    assert (socket.proto, socket.kind, socket.local, socket.iface, socket.user) == (
        "packet",
        "raw",
        "ip",
        "eth0",
        "root",
    )
    assert (stats.state, stats.recvq, stats.sendq, stats.drops) == ("UNCONN", 100, 300, 5)


@pytest.mark.parametrize(("state", "remote", "rport"), [(0, None, None), (1, "4", 0)])
def test_a_netlink_socket_has_another_end_only_when_connected(
    state: int, remote: str | None, rport: int | None
) -> None:
    message = struct.pack("=BBBBIIIIQ", 16, 3, 15, state, 1234, 0, 4, 13, 9) + attribute(0, MEMORY)
    socket, stats = NETLINK.parse_message(message, HERE)
    assert message[NETLINK.cookie] == struct.pack("=Q", 9)
    assert (socket.local, socket.lport, socket.remote, socket.rport) == ("uevent", 1234, remote, rport)
    assert (socket.inode, socket.cookie, socket.uid) == (13, 9, None)
    assert (stats.recvq, stats.drops) == (100, 5)


def test_a_vsock_listener_takes_any_context() -> None:
    message = struct.pack("=BBBxIIIIIQ", 40, 1, 10, 0xFFFFFFFF, 1024, 0xFFFFFFFF, 0xFFFFFFFF, 14, 10)
    socket, stats = VSOCK.parse_message(message, HERE)
    assert message[VSOCK.cookie] == struct.pack("=Q", 10)
    assert (socket.local, socket.lport, socket.remote, socket.rport) == ("*", 1024, "*", None)
    assert (socket.proto, socket.inode, stats.state, stats.recvq) == ("vsock", 14, "LISTEN", None)


@given(st.binary(max_size=200))
def test_attributes_end_with_the_message_whatever_their_lengths_say(payload: bytes) -> None:
    for value in parse_attributes(payload, 0).values():
        assert value in payload


def test_counters_the_kernel_left_out_are_unknown() -> None:
    assert set(parse_memory(None)) == set(parse_memory(b"\0" * 8)) == {None}
