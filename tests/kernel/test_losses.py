"""What the kernel drops for want of room is counted, made good where that is possible, and told.

Of process events that is in test_collector, of tracked connections in test_conntrack; interfaces and addresses are
listed anew each time, so there is nothing to lose."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nettop.kernel.inet_destroy import DestroyListener, batch, parse_destroyed
from nettop.kernel.inet_protocols import PROTOCOLS
from nettop.kernel.netlink import DiagSocket, payloads
from nettop.kernel.recvmmsg import Batch
from nettop.snapshot import Snapshot
from tests.support import netns
from tests.support.sockets import SocketRoom
from tests.support.watching import DEADLINE, Watch, complaint

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

MANY = 200
"""Sockets; the queue below takes a few of their messages."""
SMALL = 4096


def end_many(room: SocketRoom) -> None:
    for _ in range(MANY):
        near, far = room.tcp_pair()
        near.close()
        far.close()


def test_messages_of_ended_sockets_that_were_dropped_are_counted_and_later_ones_come() -> None:
    with SocketRoom("losses") as room:
        ends, received = DestroyListener(f"/run/netns/{room.name}", SMALL), batch()
        try:
            end_many(room)
            first = list(ends.drain(received))
            lost = ends.take_lost()
            assert len(first) > 0
            assert 0 < lost < 4 * MANY
            assert ends.take_lost() == 0, "each is told once"
            ports: set[int] = set()
            later: set[int] = set()
            deadline = time.monotonic() + DEADLINE
            while not ports & later:
                assert time.monotonic() < deadline, f"nothing is told of {ports}"
                near, far = room.tcp_pair()
                ports.add(near.getsockname()[1])
                near.close()
                far.close()
                later.update(told.lport for told in map(parse_destroyed, ends.drain(received)) if told is not None)
        finally:
            ends.close()


def test_the_picture_says_that_ended_sockets_were_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DestroyListener.__init__, "__defaults__", (SMALL,))
    with SocketRoom("losses") as room, Watch() as watch:
        end_many(room)

        def told(picture: Snapshot) -> Any:
            return complaint(picture, "sock_destroy")

        said = watch.until(told)
    assert (said.status, said.times > 0) == ("lossy", True)
    assert "not counted" in said.reason


class Failing:
    """A netlink socket one of whose answers breaks off: the first datagram is not to be had, nor is what follows."""

    def __init__(self, real: socket.socket, code: int) -> None:
        self._real = real
        self._code = code

    def recv(self, _size: int) -> bytes:
        raise OSError(self._code, os.strerror(self._code))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    """With so many sockets that the kernel sends a list of them in several parts, the later ones when asked."""
    with SocketRoom("losses") as made:
        for _ in range(3 * MANY):
            made.udp()
        yield made


@pytest.mark.parametrize("away", [True, False])
@pytest.mark.parametrize("code", [errno.ENOBUFS, errno.EAGAIN])
def test_after_an_answer_that_broke_off_the_next_one_is_whole(room: SocketRoom, away: bool, code: int) -> None:
    """With ENOBUFS that is the same call still; a kernel that does not answer in time is an error first."""
    with contextlib.nullcontext() if away else netns.entered(room.name):
        diag = DiagSocket(f"/run/netns/{room.name}" if away else None)
        try:
            request = PROTOCOLS["udp"].requests[0]
            diag._socket = Failing(diag._socket, code)  # type: ignore[assignment]  # noqa: SLF001
            if code != errno.ENOBUFS:
                with pytest.raises(BlockingIOError):
                    diag.dump(*request)
            assert len(list(payloads(diag.dump(*request)))) == 3 * MANY
            assert diag.take_holes() == (code == errno.ENOBUFS)
            assert diag.take_holes() == 0, "each is told once"
        finally:
            diag.close()


def test_the_kernel_begins_no_list_before_the_last_one_is_read(room: SocketRoom) -> None:
    """Which is why the one that broke off cannot be left where it is."""
    diag = DiagSocket(f"/run/netns/{room.name}")
    try:
        request = PROTOCOLS["udp"].requests[0]
        diag._socket = Failing(real := diag._socket, errno.EAGAIN)  # type: ignore[assignment]  # noqa: SLF001
        with pytest.raises(BlockingIOError):
            diag.dump(*request)
        diag._socket, diag._unfinished = real, False  # noqa: SLF001
        with pytest.raises(OSError, match="busy"):
            diag.dump(*request)
    finally:
        diag.close()


def test_the_picture_says_how_often_a_list_of_sockets_had_a_hole(
    room: SocketRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Watch() as watch:
        assert complaint(watch.tick(), "sock_diag:holes") is None
        inner = DiagSocket._dump  # noqa: SLF001
        broken: list[DiagSocket] = []

        def dump(self: DiagSocket, kind: int, request: bytes, batch: Batch | None) -> list[bytes] | None:
            if len(broken) < 2 and not isinstance(self._socket, Failing):
                broken.append(self)
                self._socket = Failing(self._socket, errno.ENOBUFS)  # type: ignore[assignment]
            return inner(self, kind, request, batch)

        monkeypatch.setattr(DiagSocket, "_dump", dump)
        late = room.udp()

        def told(picture: Snapshot) -> Any:
            return complaint(picture, "sock_diag:holes")

        said = watch.until(told)
        assert (said.status, said.times, said.remedy) == ("lossy", 2, None)
        assert said.reason == "lists of sockets had a hole 2 times, and were asked for again"
        shown = [row for row in watch.tick().connections.values() if row.socket.lport == late.getsockname()[1]]
        assert [row.socket.netns for row in shown] == [room.netns], "nothing is missing for that"
