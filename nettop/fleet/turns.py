"""One slice of work at a time, whoever's it is: many machines' pictures come at once, and a key waits for one slice."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

_Result = TypeVar("_Result")


class Turns:
    """Who waits to do a slice of work, in the order they came."""

    def __init__(self) -> None:
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._some = asyncio.Event()
        self._over = False

    async def give(self) -> None:
        """Let those who wait do a slice each, one in each turn of the loop, until cancelled. Before each there is an
        `asyncio.sleep(0)`, at which whoever drives this may let others go first."""
        try:
            while True:
                while self._waiting:
                    await asyncio.sleep(0)
                    self._next()
                self._some.clear()
                await self._some.wait()
        finally:  # what is left to do is to end
            self._over = True
            while self._waiting:
                self._next()

    def _next(self) -> None:
        waiting = self._waiting.popleft()
        if not waiting.done():  # cancelled
            waiting.set_result(None)

    async def _turn(self) -> None:
        if self._over:
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._some.set()
        await waiting

    async def take(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Do `work`, each slice of which, from one thing it waits for to the next, when it is given its turn."""
        return await _InTurn(work, self._turn)


class _InTurn(Generic[_Result]):
    """`work`, which goes on only when `turn` has returned."""

    def __init__(self, work: Coroutine[Any, Any, _Result], turn: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._turn = turn

    def __await__(self) -> Generator[Any, Any, _Result]:
        told: Any = None
        error: BaseException | None = None
        while True:
            try:
                if error is None:
                    yield from self._turn().__await__()
            except BaseException as cancelled:  # that is for the work to hear
                error = cancelled
            try:
                awaited = self._work.send(told) if error is None else self._work.throw(error)
            except StopIteration as end:
                result: _Result = end.value
                return result
            told = error = None
            try:
                if awaited is not None:  # else it was `asyncio.sleep(0)`: its turn is wait enough
                    told = yield awaited
            except BaseException as cancelled:
                error = cancelled
