"""A service as the origin of a screen's stream, and what the screen asks for.

What concerns a single process (signals, nice values, its files, its environment) is not asked of the service but of the
kernel, by this process and with its rights: who may do it may, who may not may not, and root's rights are lent to
nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

from nettop import requests, wire
from nettop.collector.answers import Parts, carry_out
from nettop.kernel.peer import read_peer
from nettop.kernel.procfs import ProcFS
from nettop.model import Change, Delta
from nettop.requests import (
    ACTIONS,
    Answer,
    CloseSocket,
    InspectEnvironment,
    InspectProcess,
    Renice,
    Reply,
    Request,
    SetInterval,
    Signal,
)
from nettop.service.client import UNASKED, Pace, RefusedError, connect


class Served:
    """See `origin.Origin`."""

    ended = "the service ended ({}); looking for it"
    missing = "the service cannot be reached: {}; looking for it"

    def __init__(self, connection: socket.socket, path: str, interval: float, read_only: bool) -> None:
        """`connection` is one to the service at `path`; it is asked for a tick every `interval` seconds."""
        self._connection: socket.socket | None = connection
        self._path = path
        self._read_only = read_only
        self._pace = Pace(interval)

    async def open(self) -> socket.socket:
        """The connection; a new one where there is none any more. Raises OSError."""
        if self._connection is None:
            try:
                self._connection = await asyncio.to_thread(connect, self._path)
            except RefusedError as error:
                raise ConnectionRefusedError(str(error)) from None
            self._pace = Pace(self._pace.interval)
        with contextlib.suppress(OSError):  # should it have ended, the stream says so
            self._connection.send(requests.encode(UNASKED, SetInterval(self._pace.interval)))
        return self._connection

    def close(self, patience: float = 0.0) -> str:
        """Close the connection; why it ended, which nobody knows."""
        del patience
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return "it closed the connection"

    def set_interval(self, seconds: float) -> None:
        """Make a tick of as many as come in that time."""
        self._pace.interval = seconds

    def hear(self, line: bytes) -> Iterator[tuple[Delta | Reply, bytes]]:
        """What a line says, and the line that says it. Raises `wire.WireError`."""
        heard = wire.hear(line)
        if isinstance(heard, Reply):
            yield heard, line
            return
        delta = self._pace.take(heard)
        if delta is not None:
            yield self._with_own_pid(delta), line if delta is heard else wire.encode(delta).rstrip()

    async def answer(self, request: Request) -> Answer | None:
        """What became of a request that is not for the service; None where it is."""
        if self._read_only and isinstance(request, ACTIONS):
            return Answer(False, "this nettop is read-only")
        if isinstance(request, CloseSocket):
            return Answer(False, "a service closes no sockets: sudo nettop --no-service does")
        if isinstance(request, (Signal, Renice, InspectProcess, InspectEnvironment)):
            return await asyncio.to_thread(carry_out, Parts(ProcFS(), lambda _: None), request)
        return None

    def _with_own_pid(self, delta: Delta) -> Delta:
        """The same with this process in place of the service, so that the screen knows which processes it descends
        from; not where the service counts pids otherwise, as from within a container."""
        hosts = delta.changes["host"].rows if "host" in delta.changes else {}
        if not hosts or self._connection is None:
            return delta
        if read_peer(self._connection).pid not in {host.own_pid for host in hosts.values()}:
            return delta
        own = {row_id: host._replace(own_pid=os.getpid()) for row_id, host in hosts.items()}
        return delta._replace(changes={**delta.changes, "host": Change(own, [])})
