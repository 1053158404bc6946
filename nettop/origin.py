"""Where a screen's stream of Deltas comes from: a collector it has started, or a service (`service.served`)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Protocol

from nettop import wire
from nettop.collector.spawn import Running, reap, start
from nettop.model import Delta
from nettop.requests import Answer, Reply, Request
from nettop.runtimes.places import PLACES, Places


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
