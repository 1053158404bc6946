"""A stream of Deltas as a source of pictures: listened to, and to another one should it end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable, Sequence

from nettop import requests, wire
from nettop.kernel.host import CostReader
from nettop.model import Delta
from nettop.origin import FAREWELL, Origin, lines
from nettop.recording.past import Past
from nettop.recording.player import Player
from nettop.recording.replay import REFUSAL
from nettop.requests import Answer, Reply, Request, SetInterval
from nettop.snapshot import HostRates, Sample, Snapshot
from nettop.store import Store

_PATIENCE = (0.2, 1.0, 5.0)
"""Seconds before a collector is started again: soon at first, the last one for as long as it keeps ending."""
_HEALTHY = 10.0
"""Seconds after which a collector counts as having worked."""
_ANSWERED = 10.0
"""Seconds after which an answer is not waited for: the collector gives one sooner, unless it hangs or the line does."""
_ASKING = 32
"""Requests without an answer at most."""


class Live:
    """The screen's source: an origin of Deltas and the store they fill. See `tui.source.Source`."""

    def __init__(self, origin: Origin, past: Past | None = None, store: Callable[[], Store] = Store) -> None:
        """`past` is where the last minutes are kept; `store` makes one to be filled."""
        self._origin = origin
        self._connection: socket.socket | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._new_store = store
        self._store = store()
        self.travel = past
        self._cost = CostReader()

    async def run(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        """Show every picture, until cancelled; should the stream end, `notice` is told, and it begins anew."""
        async with asyncio.TaskGroup() as tasks:
            if self.travel is not None:
                tasks.create_task(self._look_back(self.travel, show, notice))
            await self._look(show, notice)

    async def _look(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        """At what is now."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                self._connection = await self._origin.open()
            except OSError as error:
                notice(self._origin.missing.format(error.strerror or error))
            else:
                reason = await self._follow(self._connection, show, notice)
                self._connection = None
                self._give_up("the collector ended before it answered")
                notice(self._origin.ended.format(reason))
            if loop.time() - began > _HEALTHY:
                failures = 0
            await asyncio.sleep(_PATIENCE[min(failures, len(_PATIENCE) - 1)])
            failures += 1

    async def _look_back(
        self, past: Past, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]
    ) -> None:
        """At what was, whenever that is asked for."""
        while True:
            await past.departure()
            self._store = self._new_store()  # what it knows would be outdated when one returns
            store = await past.travel(show, notice)
            if store is not None:
                self._store = store
            elif self._connection is not None:
                self._connection.shutdown(socket.SHUT_RDWR)  # a new one tells everything

    @property
    def _pictures(self) -> Store | Player:
        """Where those come from that one looks at."""
        return self.travel.journey.player if self.travel and self.travel.journey else self._store

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        """A row in the last pictures, oldest first; empty where it never moved."""
        return self._pictures.history(view, row_id)

    def host_history(self) -> Sequence[HostRates]:
        """Recent rates of the machine, oldest first."""
        return self._pictures.host_history()

    def memory(self) -> int:
        """Bytes of memory that only this process uses, as of a few seconds ago."""
        return self._cost.read().private_bytes

    def set_interval(self, seconds: float) -> None:
        """Ask the collector for a picture every so many seconds."""
        self._origin.set_interval(seconds)
        if self._connection is not None:
            self._send(self._connection, SetInterval(seconds))

    async def ask(self, request: Request) -> Answer:
        """What the collector answers; without one in time, a sentence that says so."""
        if self.travel and self.travel.journey:
            return Answer(False, REFUSAL)
        answer = await self._origin.answer(request)
        if answer is not None:
            return answer
        if self._connection is None:
            return Answer(False, "the collector is not running")
        if len(self._waiting) >= _ASKING:
            return Answer(False, "too many requests at once")
        number = self._send(self._connection, request)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(waiting, _ANSWERED)
        except TimeoutError:
            return Answer(False, f"no answer within {_ANSWERED:.0f} seconds")
        finally:
            del self._waiting[number]

    def close(self) -> None:
        """Listen no more: a collector ends by itself once nobody does."""
        self._connection = None
        self._origin.close(FAREWELL)
        if self.travel is not None:
            self.travel.close()

    async def _follow(
        self, connection: socket.socket, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]
    ) -> str:
        """Show what is told over one connection until it ends; why it did."""
        try:
            async for line in lines(connection):
                for heard, told in self._origin.hear(line):
                    if isinstance(heard, Reply):
                        self._take(heard)
                    else:
                        await self._show(heard, told, show, notice)
        except wire.WireError as error:
            self._origin.close()
            return f"it made no sense: {error}"
        return self._origin.close(FAREWELL)

    async def _show(
        self,
        delta: Delta,
        line: bytes,
        show: Callable[[Snapshot], None],
        notice: Callable[[str | None], None],
    ) -> None:
        """Take in a Delta that a line says, and show the picture it completes."""
        store, past = self._store, self.travel
        for _ in past.take(delta, line + b"\n", store) if past else ():
            await asyncio.sleep(0)  # a key may be waiting
        if past and (past.journey or store is not self._store):
            return
        for snapshot in store.steps(delta):
            if past and (past.journey or store is not self._store):
                return  # one looks at the past now, and comes back to another store
            if snapshot is None:
                await asyncio.sleep(0)
            else:
                show(snapshot)
                notice(None)

    def _send(self, connection: socket.socket, request: Request) -> int:
        """Its number. A line is far shorter than the buffer of the socket; should the collector have ended, the stream
        of its Deltas says so."""
        number = next(self._numbers)
        with contextlib.suppress(OSError):
            connection.send(requests.encode(number, request))
        return number

    def _take(self, reply: Reply) -> None:
        """An answer; nobody may be waiting for it, or no longer."""
        waiting = self._waiting.get(reply.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply.answer)

    def _give_up(self, reason: str) -> None:
        for number in list(self._waiting):
            self._take(Reply(number, Answer(False, reason)))
