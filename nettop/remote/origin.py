"""A collector on another machine, at the other end of the person's own ssh, as the origin of a stream."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator, Sequence

from nettop import wire
from nettop.errors import NothingReadableError
from nettop.model import Delta
from nettop.remote import pump
from nettop.remote.bounds import Bounds
from nettop.remote.command import Wish, command
from nettop.remote.line import Line, LineError
from nettop.requests import Answer, Reply, Request

_PATIENCE = 30.0
"""Seconds in which a far end must greet, where nobody is asked for a password."""
_MORE = 5.0
_MOST = 25.0
"""Seconds that are waited before the next try, beyond those that are waited anyway: so many more after each, from the
second on that fails, and at most. Who knocks in vain too often may be shut out."""


class Remote:
    """See `origin.Origin`."""

    def __init__(
        self,
        host: str,
        interval: float,
        read_only: bool = False,
        sudo: bool = False,
        max_cpu: float | None = None,
        ssh: Sequence[str] = ("ssh",),
    ) -> None:
        """`host` is called by `ssh`, a command and options of its own; with `sudo`, the collector there runs as root.
        The rest is as in `collector.child.serve`."""
        self.host = host
        """What ssh is told: [user@]host."""
        self.ended = f"{host}: the connection ended ({{}}); connecting again"
        self.missing = f"{host} cannot be reached: {{}}; trying again"
        self._wish = Wish(interval, read_only, sudo, max_cpu, 0.0)
        self._ssh = ssh
        self._line: Line | None = None
        self._failures = 0
        self._bounds = Bounds()

    def connect(self, patience: float = 0.0) -> socket.socket:
        """Connect for the first time, while the terminal is still the person's: ssh may ask for a password, or whether
        a host is the right one. The connection, as `open` gives it; the other end has greeted. The first picture may
        wait `patience` seconds for what comes later, names of containers and addresses of interfaces. Raises
        NothingReadableError with the reason."""
        try:
            line = self._start(patience, ask=True)
            line.greet(show=lambda said: print(f"nettop: {self.host}: {said}", file=sys.stderr, flush=True))
        except LineError as error:
            raise NothingReadableError(f"{self.host}: {self._explain(str(error))}") from None
        self._line = line
        return line.connection

    async def open(self) -> socket.socket:
        """See `Origin`. Nobody is asked for anything."""
        if self._line is None:
            await asyncio.sleep(min(_MOST, max(0.0, _MORE * (self._failures - 1))))
            self._failures += 1
            self._line = await self._reconnect()
            self._failures = 0
        return self._line.connection

    def close(self, patience: float = 0.0) -> str:
        """See `Origin`."""
        if self._line is None:
            return "nobody knows why"
        line, self._line = self._line, None
        return self._explain(line.end(patience))

    def set_interval(self, seconds: float) -> None:
        """That of the next one, too; see `Origin`."""
        self._wish = self._wish._replace(interval=seconds)
        if self._line is not None:
            self._line.pump.quiet = pump.QUIET + seconds

    def hear(self, line: bytes) -> Iterator[tuple[Delta | Reply, bytes]]:
        """See `Origin`."""
        yield self.take(line), line

    def take(self, line: bytes) -> Delta | Reply:
        """What a line says. Raises `wire.WireError` also where it claims more than there can be: see `bounds`."""
        heard = wire.hear(line)
        if isinstance(heard, Delta):
            self._bounds.check(heard)
        return heard

    async def answer(self, request: Request) -> Answer | None:
        """See `Origin`: the far end does everything, with the rights it has there."""
        del request
        return None

    def _start(self, patience: float = 0.0, *, ask: bool = False) -> Line:
        """Raises LineError."""
        line = Line(command(self._ssh, self.host, self._wish._replace(patience=patience), ask))
        line.pump.quiet = pump.QUIET + self._wish.interval
        return line

    async def _reconnect(self) -> Line:
        """Raises ConnectionError with the reason."""
        try:
            line = self._start()
            try:
                await asyncio.to_thread(line.greet, _PATIENCE)
            except asyncio.CancelledError:
                line.kill()  # else the thread would wait on, and whoever ends with it
                raise
        except LineError as error:
            raise ConnectionError(self._explain(str(error))) from None
        return line

    def _explain(self, reason: str) -> str:
        """What to do about it, where that is known."""
        if self._wish.sudo and "sudo:" in reason and "password" in reason:
            return f"{reason}: let sudo run without one there (NOPASSWD in sudoers), or log in as root"
        return reason
