"""An origin whose far end is the test: it tells what the test says, when the test says so."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from nettop import requests, wire
from nettop.errors import NothingReadableError
from nettop.model import Delta
from nettop.requests import Answer, Reply, Request
from tests.support.rows import host
from tests.support.streams import Machine

PATIENCE = 10.0


class FarMachine(Machine):
    """A machine, and the way to it: see `origin.Origin`."""

    ended = "the connection ended ({}); connecting again"
    missing = "it cannot be reached: {}; trying again"

    def __init__(self, hostname: str = "far") -> None:
        super().__init__()
        self.tables["host"][0] = host(hostname=hostname)
        self.host = hostname
        self.refusal: str | None = None
        """Why nobody is let in."""
        self.asks = False
        """Somebody has to be asked before one is let in."""
        self.opened = 0
        """Times it was connected to."""
        self._ours: socket.socket | None = None
        self._theirs: socket.socket | None = None
        self._first = True

    # --- the far end, where the test is ---

    def say(self, seconds: float = 1.0, **told: Any) -> None:
        """The next tick; the first one of a connection is a key frame. `told` as in `Machine.tell`."""
        delta = self.tell(seconds, key=self._first, **told)._replace(time=time.time())
        self._first = False
        assert self._theirs is not None, "nobody is connected"
        self._theirs.sendall(wire.encode(delta))

    def say_line(self, line: bytes) -> None:
        """Any line."""
        assert self._theirs is not None
        self._theirs.sendall(line)

    def heard(self) -> list[Request]:
        """What it was asked since the last time; each is answered."""
        assert self._theirs is not None
        self._theirs.setblocking(False)
        try:
            lines = self._theirs.recv(1 << 16).splitlines(keepends=True)
        except BlockingIOError:
            return []
        finally:
            self._theirs.setblocking(True)
        asked = [requests.decode(line) for line in lines]
        for number, _ in asked:
            self._theirs.sendall(wire.encode_reply(Reply(number, Answer(True, f"done by {self.host}"))))
        return [request for _, request in asked]

    def cut(self) -> None:
        """The connection breaks."""
        assert self._theirs is not None
        self._theirs.close()
        self._theirs = None

    # --- the origin ---

    def connect(self) -> None:
        """Somebody is asked, and answers."""
        if self.refusal is not None:
            raise NothingReadableError(f"{self.host}: {self.refusal}")
        self.asks = False

    async def open(self) -> socket.socket:
        if self.asks:
            raise ConnectionError("Permission denied (publickey,password).")
        if self.refusal is not None:
            raise ConnectionError(self.refusal)
        if self._ours is None:
            self._ours, self._theirs = socket.socketpair()
            self._first = True
            self.opened += 1
        return self._ours

    def close(self, patience: float = 0.0) -> str:
        del patience
        if self._ours is not None:
            self._ours.close()
            self._ours = None
        return "cut"

    def set_interval(self, seconds: float) -> None:
        self.interval = seconds

    def hear(self, line: bytes) -> Iterator[tuple[Delta | Reply, bytes]]:
        yield wire.hear(line), line

    async def answer(self, request: Request) -> None:
        del request


async def until(condition: Callable[[], object]) -> None:
    """Wait until it is true; fails where it does not become so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
