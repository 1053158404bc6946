"""Real connections made slow on purpose, all at once, each in one way: the `limit` of both ends names it, and stays."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from nettop.model import SocketStats
from nettop.store.limits import evidence
from screenshots import slowline
from tests.support.forks import forked
from tests.support.sockets import SocketRoom
from tests.support.watching import Watch, connections, inode_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

TICKS, INTERVAL = 6, 0.5
"""Pictures that are looked at, from the first one on in which everything has settled: from there the word stays."""
PATIENCE = 15.0
"""Seconds that may take: slow start, on a busy processor."""

NEAR, FAR = "198.18.0.1", "198.18.0.2"
"""The ends of the long line (of the range for measurements, RFC 2544)."""


EXAMPLES: dict[str, tuple[str | None, str | None]] = {
    "sends to one that does not read": ("receiver", "its window was full for 100% of the time"),
    "does not read": ("reader", "; 0 were read since"),
    "sends to one that reads slowly": ("receiver", "its window was full for"),
    "reads slowly": ("reader", "unread in a buffer of 40,000"),
    "sends now and then": ("app", "sent since the last picture"),
    "reads what comes": (None, None),
    "says nothing": (None, None),
    "does not accept": ("backlog", "5 connections to be accepted, where 4 may wait"),
    "accepts": (None, None),
    "fills the queue of a line": ("network", "times the shortest"),
    "gets all there is": (None, None),
    "sends over a line that loses": ("network", "sent again since the last picture"),
    "sends over a line that was cut": ("network", "in a row without an answer"),
    "has a small send buffer": ("sndbuf", "in the send buffer of 16,000"),
}
"""What each is called: the word, and a part of the sentence about the figures it rests on."""


class Seen(NamedTuple):
    """What one picture said of a socket."""

    word: str | None
    figures: str | None


class Ends:
    """The sockets that are watched, by what they are examples of, and the processes that use them.

    Processes and not threads: these would wait for Python's lock while a picture is made, and what was full would be
    half empty in it."""

    def __init__(self) -> None:
        self.inodes: dict[str, int] = {}
        self._users: list[int] = []

    def watch(self, name: str, end: socket.socket) -> None:
        self.inodes[name] = inode_of(end.fileno())

    def pump(self, end: socket.socket, size: int = 1 << 16, every: float = 0.0) -> None:
        """Write that many bytes at a time, as fast as they are taken or one portion `every` so many seconds."""
        self._repeat(lambda: end.send(bytes(size)), every)

    def drain(self, end: socket.socket, size: int = 1 << 16, every: float = 0.0) -> None:
        """Read up to that many bytes at a time, at once or after `every` so many seconds."""
        self._repeat(lambda: end.recv(size), every)

    def stop(self) -> None:
        while self._users:
            pid = self._users.pop()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _repeat(self, act: Callable[[], object], every: float) -> None:
        def use() -> None:
            while True:
                act()
                time.sleep(every)

        self._users.append(forked(use))


@pytest.fixture(scope="module")
def history() -> Iterator[dict[str, list[Seen]]]:
    """What every picture said of every example, once they had settled."""
    ends = Ends()
    with contextlib.ExitStack() as stack:
        stack.callback(ends.stop)
        healthy(stack.enter_context(SocketRoom("slow-ends")), ends)
        if shutil.which("tc"):
            full_line(stack.enter_context(SocketRoom("slow-line")), ends)
        if shutil.which("nft"):
            losses(stack.enter_context(SocketRoom("slow-loss")), ends)
        if os.path.exists("/dev/net/tun"):
            stack.enter_context(long_line(ends))
        yield observe(ends)


def observe(ends: Ends) -> dict[str, list[Seen]]:
    seen: dict[str, list[Seen]] = {name: [] for name in ends.inodes}
    before: dict[str, SocketStats] = {}
    with Watch() as watch:
        due = time.monotonic()
        deadline = due + PATIENCE
        settled, left = False, TICKS
        while left:
            due += INTERVAL
            time.sleep(max(0.0, due - time.monotonic()))
            picture = watch.tick()
            for name, inode in ends.inodes.items():
                (row,) = connections(picture, inode)
                seen[name].append(Seen(row.limit, evidence(before.get(name), row.stats)))
                before[name] = row.stats
            settled = settled or time.monotonic() > deadline or all(says(*seen[name][-1], name) for name in seen)
            left -= settled
    return {name: pictures[-TICKS:] for name, pictures in seen.items()}


def says(word: str | None, figures: str | None, name: str) -> bool:
    """This is what there is to say of that example."""
    right, part = EXAMPLES[name]
    return word == right and (part in figures if part and figures else figures is part)


def healthy(room: SocketRoom, ends: Ends) -> None:
    """Ends that are slow, or not, by themselves: the way between them is as good as it gets."""
    near, far = room.tcp_pair()
    ends.watch("sends to one that does not read", near)
    ends.watch("does not read", far)
    ends.pump(near)

    near, far = room.tcp_pair()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    ends.watch("sends to one that reads slowly", near)
    ends.watch("reads slowly", far)
    ends.pump(near)
    ends.drain(far, every=0.2)

    near, far = room.tcp_pair()
    ends.watch("sends now and then", near)
    ends.watch("reads what comes", far)
    ends.pump(near, 20_000, 0.02)
    ends.drain(far)

    near, far = room.tcp_pair()
    near.send(bytes(1000))
    far.recv(1000)
    ends.watch("says nothing", near)

    listener = room.listener(backlog=4)
    room.queued(listener, 5)
    ends.watch("does not accept", listener)
    ends.watch("accepts", room.listener(backlog=4))


def configure(room: SocketRoom, command: str) -> None:
    room.run(*command.split())


def full_line(room: SocketRoom, ends: Ends) -> None:
    """A line of 4 Mbit/s with a queue that holds 0.4 s of it, and one sender that fills it."""
    configure(room, "ip link set lo mtu 1500")
    configure(room, "tc qdisc add dev lo root tbf rate 4mbit burst 8k latency 400ms")
    near, far = room.tcp_pair()
    ends.watch("fills the queue of a line", near)
    ends.watch("gets all there is", far)
    ends.pump(near)
    ends.drain(far)


def losses(room: SocketRoom, ends: Ends) -> None:
    """A line that loses every tenth packet to port 7001, and every one to port 7002."""
    with room.listener(port=7001) as first, room.listener(port=7002) as second:
        lossy, lossy_end = room.connect(first)
        cut, _ = room.connect(second)
    ends.watch("sends over a line that loses", lossy)
    ends.watch("sends over a line that was cut", cut)
    configure(room, "nft add table inet slow")
    room.run(
        *[
            "nft",
            "add",
            "chain",
            "inet",
            "slow",
            "lose",
            "{",
            "type",
            "filter",
            "hook",
            "input",
            "priority",
            "0",
            ";",
            "}",
        ]
    )
    room.run(
        *[
            "nft",
            "add",
            "rule",
            "inet",
            "slow",
            "lose",
            "tcp",
            "dport",
            "7001",
            "numgen",
            "inc",
            "mod",
            "10",
            "==",
            "0",
            "drop",
        ]
    )
    configure(room, "nft add rule inet slow lose tcp dport 7002 drop")
    ends.pump(lossy, 1000, 0.005)
    ends.drain(lossy_end)
    cut.send(bytes(5000))


@contextlib.contextmanager
def long_line(ends: Ends) -> Iterator[None]:
    """A line of 40 ms and any width, and a sender with a small buffer: what is under way fills that."""
    with SocketRoom("slow-near") as near_room, SocketRoom("slow-far") as far_room:
        descriptors = []
        for room, address in ((near_room, NEAR), (far_room, FAR)):
            descriptors.append(slowline.device(room.name, "line"))
            configure(room, f"ip address add {address}/24 dev line")
            configure(room, "ip link set line up")
        near_line, far_line = descriptors
        pid = forked(lambda: slowline.carry((near_line, far_line), delay=0.02, loss=0.0))
        try:
            near = near_room.open(socket.AF_INET, socket.SOCK_STREAM)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_000)
            with far_room.listener(FAR) as listener:
                near.connect(listener.getsockname())
                far, _ = listener.accept()
            with far:
                ends.watch("has a small send buffer", near)
                ends.pump(near, 2_000)
                ends.drain(far)
                yield
                ends.stop()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            for descriptor in descriptors:
                os.close(descriptor)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_connection_that(history: dict[str, list[Seen]], name: str) -> None:
    if name not in history:
        pytest.skip("needs tc, nft or /dev/net/tun to be made slow in this way")
    wrong = [seen for seen in history[name] if not says(*seen, name)]
    assert not wrong, f"{len(wrong)} of {TICKS} pictures"
