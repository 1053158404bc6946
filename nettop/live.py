"""The collector of this machine as a source of pictures: started, listened to, and started again should it end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence

from nettop import wire
from nettop.collector.spawn import Running, reap, start
from nettop.kernel.host import CostReader
from nettop.model import Delta
from nettop.snapshot import HostRates, Snapshot
from nettop.store import Store

_CHUNK = 1 << 18
_PATIENCE = (0.2, 1.0, 5.0)
"""Seconds before a collector is started again: soon at first, the last one for as long as it keeps ending."""
_FAREWELL = 1.0
"""Seconds a collector may take to notice that nobody listens: it may be in the middle of a tick."""
_HEALTHY = 10.0
"""Seconds after which a collector counts as having worked."""


class Live:
    """The screen's source: a collector process and the store it fills. See `tui.source.Source`."""

    def __init__(self, running: Running, interval: float) -> None:
        """`running` was started with this `interval`, in seconds."""
        self._running: Running | None = running
        self._interval = interval
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
                    self._running = start(self._interval)
                except OSError as error:
                    notice(f"the collector cannot be started: {error.strerror}; trying again")
            if self._running is not None:
                reason = await self._follow(self._running, show, notice)
                self._running = None
                notice(f"the collector ended ({reason}); starting it again")
            if loop.time() - began > _HEALTHY:
                failures = 0
            await asyncio.sleep(_PATIENCE[min(failures, len(_PATIENCE) - 1)])
            failures += 1

    def history(self, view: str, row_id: int) -> Sequence[tuple[float, float]]:
        """Recent received and sent bytes a second of a row, oldest first."""
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
                with contextlib.suppress(OSError):
                    self._running.connection.send(f"interval {seconds}\n".encode())

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
            async for delta in _deltas(running.connection):
                for snapshot in self._store.steps(delta):
                    if snapshot is None:
                        await asyncio.sleep(0)  # a key may be waiting
                    else:
                        show(snapshot)
                        notice(None)
        except wire.WireError as error:
            reap(running)
            return f"it made no sense: {error}"
        return reap(running, _FAREWELL)


async def _deltas(connection: socket.socket) -> AsyncIterator[Delta]:
    """Every Delta that arrives, until the other end closes. Raises `wire.WireError`."""
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
            yield wire.decode(line)
        if len(pending) > wire.MAX_LINE:
            raise wire.WireError(f"a line longer than {wire.MAX_LINE} bytes")
