"""Whoever closes first, and however: what was received is the payload, to the byte, or off by the one that is said.

The kernel counts the FIN of the other end as a byte if it arrives while the socket lives, and says nowhere whether it
did (see `kernel.tcp_info` and `Endings._final`).
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from nettop.snapshot import Connection, Snapshot
from tests.support.sockets import SocketRoom
from tests.support.watching import Watch

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

ASKED, ANSWERED = 500, 300
_LATE = 0.06
"""Seconds after which no acknowledgement is delayed any more (40 ms at most where nothing is lost)."""

Received = tuple[int | None, int | None]
"""Payload the connecting and the accepted end were sent; None where its program had the figures wiped."""
Order = Callable[[socket.socket, socket.socket], Received]


def wait() -> None:
    """The kernel does the rest of it, which nothing tells of."""
    time.sleep(_LATE)


def read_to_the_end(end: socket.socket) -> None:
    while end.recv(4096):
        pass


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def connecting_end_first(near: socket.socket, far: socket.socket) -> Received:
    near.close()
    wait()
    read_to_the_end(far)
    far.close()
    return ANSWERED, ASKED


def connecting_end_first_and_the_other_at_once(near: socket.socket, far: socket.socket) -> Received:
    near.close()
    read_to_the_end(far)
    far.close()
    return ANSWERED, ASKED


def connecting_end_first_and_the_other_does_not_read_on(near: socket.socket, far: socket.socket) -> Received:
    near.close()
    wait()
    far.close()
    return ANSWERED, ASKED


def accepted_end_first(near: socket.socket, far: socket.socket) -> Received:
    far.close()
    wait()
    read_to_the_end(near)
    near.close()
    return ANSWERED, ASKED


def accepted_end_first_and_the_other_does_not_read_on(near: socket.socket, far: socket.socket) -> Received:
    far.close()
    wait()
    near.close()
    return ANSWERED, ASKED


def both_at_the_same_time(near: socket.socket, far: socket.socket) -> Received:
    near.close()
    far.close()
    return ANSWERED, ASKED


def with_the_last_data(near: socket.socket, far: socket.socket) -> Received:
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    near.sendall(bytes(9))
    near.close()
    wait()
    read_to_the_end(far)
    far.close()
    return ANSWERED, ASKED + 9


def half_closed_and_left(near: socket.socket, far: socket.socket) -> Received:
    near.shutdown(socket.SHUT_WR)
    wait()
    near.close()
    wait()
    read_to_the_end(far)
    far.close()
    return ANSWERED, ASKED


def aborted_by_the_connecting_end(near: socket.socket, far: socket.socket) -> Received:
    reset(near)
    wait()
    far.close()
    return None, ASKED


def aborted_by_the_accepted_end(near: socket.socket, far: socket.socket) -> Received:
    reset(far)
    wait()
    near.close()
    return ANSWERED, None


def left_unread_by_the_connecting_end(near: socket.socket, far: socket.socket) -> Received:
    far.sendall(bytes(40))
    wait()
    near.close()
    wait()
    far.close()
    return ANSWERED + 40, ASKED


def left_unread_by_the_accepted_end(near: socket.socket, far: socket.socket) -> Received:
    near.sendall(bytes(40))
    wait()
    far.close()
    wait()
    near.close()
    return ANSWERED, ASKED + 40


def half_closed_and_read_to_the_end(near: socket.socket, far: socket.socket) -> Received:
    near.shutdown(socket.SHUT_WR)
    wait()
    read_to_the_end(far)
    far.close()
    wait()
    read_to_the_end(near)
    near.close()
    return ANSWERED, ASKED


def data_after_the_end(near: socket.socket, far: socket.socket) -> Received:
    near.close()
    wait()
    far.sendall(bytes(50))
    wait()
    far.close()
    return ANSWERED, ASKED


EXACT: tuple[Order, ...] = (
    connecting_end_first,
    connecting_end_first_and_the_other_at_once,
    connecting_end_first_and_the_other_does_not_read_on,
    accepted_end_first,
    accepted_end_first_and_the_other_does_not_read_on,
    both_at_the_same_time,
    with_the_last_data,
    half_closed_and_left,
    aborted_by_the_connecting_end,
    aborted_by_the_accepted_end,
    left_unread_by_the_connecting_end,
    left_unread_by_the_accepted_end,
)
OFF_BY_ONE: tuple[Order, ...] = (half_closed_and_read_to_the_end, data_after_the_end)
"""Between two looks: a FIN that arrived although an entry is left, and one that did not although none is."""


Told = dict[tuple[bool, str], tuple[Received, Received]]
"""Whether dumps saw it while it lived, and the order → what nettop says that either end received, and what it did."""


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """Every order at once: each takes a few pictures."""
    with SocketRoom("orders") as room:
        listener = room.listener(backlog=64)
        with Watch() as watch:
            watch.until(lambda picture: len(of_room(picture, room)) == 1)
            yield {**gone_through(room, listener, watch, False), **gone_through(room, listener, watch, True)}


def of_room(picture: Snapshot, room: SocketRoom) -> list[Connection]:
    return [r for r in picture.connections.values() if r.socket.netns == room.netns and r.socket.proto == "tcp"]


def gone_through(room: SocketRoom, listener: socket.socket, watch: Watch, seen: bool) -> Told:
    """A connection for each order; `seen` by a dump while it lived."""
    made = {order: room.connect(listener) for order in (*EXACT, *OFF_BY_ONE)}
    ports = {order: near.getsockname()[1] for order, (near, _) in made.items()}
    for near, far in made.values():
        near.sendall(bytes(ASKED))
        far.recv(ASKED, socket.MSG_WAITALL)
        far.sendall(bytes(ANSWERED))
        near.recv(ANSWERED, socket.MSG_WAITALL)
    if seen:
        local = set(ports.values())
        watch.until(lambda picture: local <= {row.socket.lport for row in of_room(picture, room)})
    truths = {order: order(*ends) for order, ends in made.items()}

    def over(picture: Snapshot) -> dict[tuple[int | None, int | None], int | None]:
        """By the ports of this end and the other one, what was received."""
        ended = [row for row in of_room(picture, room) if row.closed is not None]
        return {(row.socket.lport, row.socket.rport): row.stats.rx_bytes for row in ended}

    server = listener.getsockname()[1]
    expected = {
        ends
        for order, (near, far) in truths.items()
        for ends, sent in (((ports[order], server), near), ((server, ports[order]), far))
        if sent is not None
    }
    watch.until(lambda picture: expected <= over(picture).keys())
    said = over(watch.tick())  # the entries that were left have been listed
    received = {order: (said.get((port, server)), said.get((server, port))) for order, port in ports.items()}
    return {(seen, order.__name__): (received[order], truths[order]) for order in made}


def differences(told: Told, seen: bool, order: Order) -> list[int]:
    """How much too much, of those ends whose program did not have the figures wiped."""
    said, truth = told[seen, order.__name__]
    return [0 if sent is None else (got or 0) - sent for got, sent in zip(said, truth, strict=True)]


@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen"])
@pytest.mark.parametrize("order", EXACT, ids=lambda order: order.__name__)
def test_what_was_received_is_the_payload(told: Told, order: Order, seen: bool) -> None:
    assert differences(told, seen, order) == [0, 0]


@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen"])
@pytest.mark.parametrize("order", OFF_BY_ONE, ids=lambda order: order.__name__)
def test_one_byte_is_all_that_is_ever_wrong(told: Told, order: Order, seen: bool) -> None:
    assert set(differences(told, seen, order)) <= {-1, 0, 1}
