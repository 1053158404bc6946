"""What the kernel drops for want of room is counted, made good where that is possible, and told.

Of process events that is in test_collector, of tracked connections in test_conntrack; interfaces and addresses are
listed anew each time, so there is nothing to lose."""

from __future__ import annotations

import errno
import os
import socket
import time
from typing import Any

import pytest

from nettop.kernel.inet_destroy import DestroyListener, batch, parse_destroyed
from nettop.kernel.inet_diag import PROTOCOLS
from nettop.kernel.netlink import DiagSocket, payloads
from nettop.snapshot import Snapshot
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
            first = ends.drain(received)
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


class Dropping:
    """A netlink socket whose first answer has a hole."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real
        self.dropped = 0

    def recv(self, size: int) -> bytes:
        if not self.dropped:
            self.dropped = len(self._real.recv(size))
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        return self._real.recv(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def test_a_list_of_sockets_with_a_hole_is_asked_for_again() -> None:
    with SocketRoom("losses") as room:
        for _ in range(40):  # some datagrams
            room.tcp_pair()
        diag = DiagSocket(f"/run/netns/{room.name}")
        try:
            [request] = PROTOCOLS["tcp"].requests
            whole = len(list(payloads(diag.dump(*request))))
            assert whole >= 80
            diag._socket = dropping = Dropping(diag._socket)  # type: ignore[assignment]  # noqa: SLF001
            assert len(list(payloads(diag.dump(*request)))) == whole
            assert dropping.dropped
            assert len(list(payloads(diag.dump(*request)))) == whole, "nothing of an answer before is left"
        finally:
            diag.close()
