"""A namespace where nothing happens is not listed again and again; one where something does is, with the next tick."""

from __future__ import annotations

import os
import shutil
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from nettop.collector.idleness import IDLE_EVERY
from nettop.kernel.netlink import TCPDIAG_GETSOCK, DiagSocket
from nettop.kernel.recvmmsg import Batch
from tests.support.sockets import SocketRoom
from tests.support.ss import Row, of_picture, of_ss
from tests.support.watching import Watch

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not installed: nothing to compare with"),
]

SETTLED = 8
"""Ticks after which a namespace counts as idle: two of them list the slow protocols."""
SOON = 4
"""Ticks in which a change must be seen, far fewer than `IDLE_EVERY`."""


class Furnished:
    """A room with sockets that rest, which a test then changes."""

    def __init__(self, room: SocketRoom) -> None:
        self.room = room
        self.listener = room.listener()
        self.near, self.far = room.tcp_pair()
        self.v6_near, self.v6_far = room.tcp_pair("::1")
        self.waiting = room.listener()
        room.queued(self.waiting)
        self.unread, self.reader = room.stuck()
        self.udp = room.udp()
        self.bare = room.open(socket.AF_INET, socket.SOCK_STREAM)


@pytest.fixture
def furnished() -> Iterator[Furnished]:
    with SocketRoom("idle") as room:
        yield Furnished(room)


@pytest.fixture
def dumps(monkeypatch: pytest.MonkeyPatch) -> Counter[str | None]:
    """How often TCP sockets were listed, by the path of the namespace."""
    counted: Counter[str | None] = Counter()
    paths: dict[int, str | None] = {}
    made, dumped = DiagSocket.__init__, DiagSocket.dump

    def make(self: DiagSocket, path: str | None = None, *rest: int) -> None:
        made(self, path, *rest)
        paths[id(self)] = path

    def dump(self: DiagSocket, kind: int, request: bytes, batch: Batch | None = None) -> list[bytes]:
        counted[paths[id(self)]] += kind == TCPDIAG_GETSOCK
        return dumped(self, kind, request, batch)

    monkeypatch.setattr(DiagSocket, "__init__", make)
    monkeypatch.setattr(DiagSocket, "dump", dump)
    return counted


def test_where_nothing_happens_nothing_is_listed(dumps: Counter[str | None]) -> None:
    with SocketRoom("idle") as room, Watch() as watch:
        room.listener()
        room.tcp_pair()
        path = f"/run/netns/{room.name}"
        for _ in range(SETTLED):
            watch.tick()
        dumps.clear()
        for _ in range(IDLE_EVERY):
            watch.tick()
        assert dumps[path] < IDLE_EVERY / 3, "rarely; more often where another program makes sockets in there"
        assert dumps[None] >= IDLE_EVERY, "its own namespace is listed at every tick"


def test_where_there_are_many_namespaces_a_change_is_seen_as_soon(
    furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nettop.collector.sockets.MANY", 0)
    with Watch() as watch:
        for _ in range(SETTLED):
            watch.tick()
        furnished.bare.listen()
        for _ in range(SOON):
            shown = unowned(of_picture(watch.tick(), furnished.room))
            if shown == unowned(of_ss(furnished.room)):
                return
        assert shown == unowned(of_ss(furnished.room))


def unowned(rows: list[Row]) -> list[Row]:
    """The rows without their holders, who are found by other means, and on a large machine later."""
    return [row._replace(holders=()) for row in rows]


def listen(there: Furnished) -> None:
    there.bare.listen()


def make_v6_listener(there: Furnished) -> None:
    there.room.listener("::1")


def stop_listening(there: Furnished) -> None:
    there.listener.close()


def bind_datagrams(there: Furnished) -> None:
    there.room.udp("::1")


def close_datagrams(there: Furnished) -> None:
    there.udp.close()


def connect(there: Furnished) -> None:
    there.room.connect(there.listener)


def accept(there: Furnished) -> None:
    there.taken = there.waiting.accept()[0]  # type: ignore[attr-defined]  # kept open


def send(there: Furnished) -> None:
    there.near.send(b"unread")


def send_datagram(there: Furnished) -> None:
    there.udp.sendto(b"unread", there.udp.getsockname())


def read_what_waited(there: Furnished) -> None:
    there.reader.recv(1_000)


def half_close(there: Furnished) -> None:
    there.v6_near.shutdown(socket.SHUT_WR)


def abort(there: Furnished) -> None:
    there.near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    there.near.close()


CHANGES = [
    listen,
    make_v6_listener,
    stop_listening,
    bind_datagrams,
    close_datagrams,
    connect,
    accept,
    send,
    send_datagram,
    read_what_waited,
    half_close,
    abort,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_without_traffic_beyond_the_namespace_is_seen_at_once(
    furnished: Furnished, change: Callable[[Furnished], None]
) -> None:
    with Watch() as watch:
        for _ in range(SETTLED):
            picture = watch.tick()
        before = unowned(of_ss(furnished.room))
        assert unowned(of_picture(picture, furnished.room)) == before
        change(furnished)
        for _ in range(SOON):
            expected = unowned(of_ss(furnished.room))
            shown = unowned(of_picture(watch.tick(), furnished.room))
            if shown == expected != before:
                return
        assert shown == expected
        assert expected != before


def test_what_leaves_no_trace_is_seen_in_the_end(furnished: Furnished) -> None:
    with Watch() as watch:
        for _ in range(SETTLED):
            watch.tick()
        furnished.udp.connect(("127.0.0.1", 53))
        for _ in range(IDLE_EVERY):
            picture = watch.tick()
        assert unowned(of_picture(picture, furnished.room)) == unowned(of_ss(furnished.room))
