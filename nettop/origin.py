"""Where a stream of Deltas comes from: a collector that was started for it, or a service (`service.served`)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from nettop import wire
from nettop.collector.spawn import Running, reap, start
from nettop.model import Delta
from nettop.requests import Answer, Reply, Request
from nettop.runtimes.places import PLACES, Places

FAREWELL = 1.0
"""Seconds a collector may take to notice that nobody listens: it may be in the middle of a tick."""
_CHUNK = 1 << 18


class Origin(Protocol):
    """The other end of a connection over which Deltas come and requests go, and how to get another one."""

    ended: str
    """A sentence for when that has ended, {} being why."""
    missing: str
    """The same for when there is none to be had."""

    async def open(self) -> socket.socket:
        """The connection: the one there is, or a new one. Raises OSError."""

    def close(self, patience: float = 0.0) -> str:
        """Give it up, waiting `patience` seconds for the other end to notice; why it ended, if it did."""

    def set_interval(self, seconds: float) -> None:
        """Whoever is at the other end is asked for a tick every so many seconds."""

    def hear(self, line: bytes) -> Iterator[tuple[Delta | Reply, bytes]]:
        """What there is to tell after a line, if anything, and the line that says it. Raises `wire.WireError`."""

    async def answer(self, request: Request) -> Answer | None:
        """What became of a request that the other end is not to be asked; None of one that it is."""


class Child:
    """A collector in a process of its own, and the next one."""

    ended = "the collector ended ({}); starting it again"
    missing = "the collector cannot be started: {}; trying again"

    def __init__(
        self,
        running: Running,
        interval: float,
        read_only: bool = False,
        max_cpu: float | None = None,
        places: Places = PLACES,
    ) -> None:
        """`running` was started with these: see `collector.child.serve`."""
        self._running: Running | None = running
        self._interval = interval
        self._read_only = read_only
        self._max_cpu = max_cpu
        self._places = places

    async def open(self) -> socket.socket:
        """See `Origin`."""
        if self._running is None:
            self._running = start(self._interval, self._read_only, self._max_cpu, self._places)
        return self._running.connection

    def close(self, patience: float = 0.0) -> str:
        """See `Origin`."""
        if self._running is None:
            return "nobody knows why"
        running, self._running = self._running, None
        return reap(running, patience)

    def set_interval(self, seconds: float) -> None:
        """That of the next one; see `Origin`."""
        self._interval = seconds

    def hear(self, line: bytes) -> Iterator[tuple[Delta | Reply, bytes]]:
        """See `Origin`."""
        yield wire.hear(line), line

    async def answer(self, request: Request) -> None:
        """It does everything; see `Origin`."""
        del request


async def lines(connection: socket.socket) -> AsyncIterator[bytes]:
    """Every line that arrives over the connection of an origin, until the other end closes. Raises `wire.WireError`."""
    loop = asyncio.get_running_loop()
    connection.setblocking(False)
    pending = bytearray()
    while True:
        try:
            data = await loop.sock_recv(connection, _CHUNK)
        except ConnectionError:
            return
        if not data:
            return
        await asyncio.sleep(0)  # what comes without end would leave no time for keys
        searched = len(pending)
        pending += data
        while (end := pending.find(b"\n", searched)) >= 0:
            line = bytes(pending[:end])
            del pending[: end + 1]
            searched = 0
            yield line
        if len(pending) > wire.MAX_LINE:
            raise wire.WireError(f"a line longer than {wire.MAX_LINE} bytes")
