"""The collector of this machine as a source of pictures: started, listened to, and started again should it end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Sequence

from nettop import requests, wire
from nettop.collector.spawn import Running, reap, start
from nettop.kernel.host import CostReader
from nettop.model import Delta
from nettop.requests import Answer, Reply, Request, SetInterval
from nettop.runtimes.places import PLACES, Places
from nettop.snapshot import HostRates, Sample, Snapshot
from nettop.store import Store

_CHUNK = 1 << 18
_PATIENCE = (0.2, 1.0, 5.0)
"""Seconds before a collector is started again: soon at first, the last one for as long as it keeps ending."""
_FAREWELL = 1.0
"""Seconds a collector may take to notice that nobody listens: it may be in the middle of a tick."""
_HEALTHY = 10.0
"""Seconds after which a collector counts as having worked."""
_ANSWERED = 10.0
"""Seconds after which an answer is not waited for: the collector gives one sooner, unless it hangs or the line does."""
_ASKING = 32
"""Requests without an answer at most."""


class Live:
    """The screen's source: a collector process and the store it fills. See `tui.source.Source`."""

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
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._store = Store()
        self._cost = CostReader()

    async def run(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        """Show every picture, until cancelled; a collector that ends is started again, and `notice` is told."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            if self._running is None:
                try:
                    self._running = start(self._interval, self._read_only, self._max_cpu, self._places)
                except OSError as error:
                    notice(f"the collector cannot be started: {error.strerror}; trying again")
            if self._running is not None:
                reason = await self._follow(self._running, show, notice)
                self._running = None
                self._give_up("the collector ended before it answered")
                notice(f"the collector ended ({reason}); starting it again")
            if loop.time() - began > _HEALTHY:
                failures = 0
            await asyncio.sleep(_PATIENCE[min(failures, len(_PATIENCE) - 1)])
            failures += 1

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        """A row in the last pictures, oldest first; empty where it never moved."""
        return self._store.history(view, row_id)

    def host_history(self) -> Sequence[HostRates]:
        """Recent rates of the machine, oldest first."""
        return self._store.host_history()

    def memory(self) -> int:
        """Bytes of memory that only this process uses, as of a few seconds ago."""
        return self._cost.read().private_bytes

    def set_interval(self, seconds: float) -> None:
        """Ask the collector for a picture every so many seconds."""
        if seconds != self._interval:
            self._interval = seconds
            if self._running is not None:
                self._send(self._running, SetInterval(seconds))

    async def ask(self, request: Request) -> Answer:
        """What the collector answers; without one in time, a sentence that says so."""
        if self._running is None:
            return Answer(False, "the collector is not running")
        if len(self._waiting) >= _ASKING:
            return Answer(False, "too many requests at once")
        number = self._send(self._running, request)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(waiting, _ANSWERED)
        except TimeoutError:
            return Answer(False, f"no answer within {_ANSWERED:.0f} seconds")
        finally:
            del self._waiting[number]

    def close(self) -> None:
        """End the collector: it does so by itself once nobody listens."""
        if self._running is not None:
            reap(self._running, _FAREWELL)
            self._running = None

    async def _follow(
        self, running: Running, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]
    ) -> str:
        """Show what one collector tells until it ends; why it did."""
        try:
            async for heard in _lines(running.connection):
                if isinstance(heard, Reply):
                    self._take(heard)
                    continue
                for snapshot in self._store.steps(heard):
                    if snapshot is None:
                        await asyncio.sleep(0)  # a key may be waiting
                    else:
                        show(snapshot)
                        notice(None)
        except wire.WireError as error:
            reap(running)
            return f"it made no sense: {error}"
        return reap(running, _FAREWELL)

    def _send(self, running: Running, request: Request) -> int:
        """Its number. A line is far shorter than the buffer of the socket; should the collector have ended, the stream
        of its Deltas says so."""
        number = next(self._numbers)
        with contextlib.suppress(OSError):
            running.connection.send(requests.encode(number, request))
        return number

    def _take(self, reply: Reply) -> None:
        """An answer; nobody may be waiting for it, or no longer."""
        waiting = self._waiting.get(reply.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply.answer)

    def _give_up(self, reason: str) -> None:
        for number in list(self._waiting):
            self._take(Reply(number, Answer(False, reason)))


async def _lines(connection: socket.socket) -> AsyncIterator[Delta | Reply]:
    """Every Delta and every answer that arrives, until the other end closes. Raises `wire.WireError`."""
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
        searched = len(pending)
        pending += data
        while (end := pending.find(b"\n", searched)) >= 0:
            line = bytes(pending[:end])
            del pending[: end + 1]
            searched = 0
            yield wire.hear(line)
        if len(pending) > wire.MAX_LINE:
            raise wire.WireError(f"a line longer than {wire.MAX_LINE} bytes")
