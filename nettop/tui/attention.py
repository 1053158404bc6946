"""Keys come first: how long other work waits after one, for its effect to be painted."""

from __future__ import annotations

import asyncio
import contextlib
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

QUIET, LEAST_QUIET = 0.03, 0.015
"""Seconds other work waits after a key: at most, and at least where something has been painted before."""

HASTE = 0.1
"""Seconds work on the next picture waits for the list to show what a key has asked of it."""

_Result = TypeVar("_Result")


class Attention:
    """What somebody waits for, and since when."""

    def __init__(self) -> None:
        self.settled = asyncio.Event()
        """Set while the list shows all that was asked of it."""
        self.settled.set()
        self._key_time = 0.0
        self._quiet_until = 0.0

    @property
    def unattended(self) -> float:
        """Seconds since the last key."""
        return time.monotonic() - self._key_time

    def key_pressed(self) -> None:
        """From now on its effect is waited for."""
        self._key_time = time.monotonic()
        self._quiet_until = self._key_time + QUIET

    def painted(self) -> None:
        """Something was, most probably the effect of the last key."""
        self._quiet_until = min(self._quiet_until, self._key_time + LEAST_QUIET)

    def hurry(self) -> None:
        """Nothing has to be painted before the list shows what was asked of it."""
        self._quiet_until = 0.0

    async def breathe(self) -> None:
        """Between two slices of work on the list or a page."""
        await asyncio.sleep(0)
        while (quiet := self._quiet_until - time.monotonic()) > 0:
            await asyncio.sleep(min(quiet, LEAST_QUIET))

    async def rest(self) -> None:
        """As `breathe`, for work that can wait until the list shows what was asked of it."""
        await self.settled.wait()
        await self.breathe()

    async def stand_back(self) -> None:
        """As `breathe`, for work on the next picture, which must come though keys never end."""
        await self.breathe()
        if self.unattended < HASTE and not self.settled.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.settled.wait(), HASTE)


@types.coroutine
def standing_back(
    work: Coroutine[Any, Any, _Result], rest: Callable[[], Awaitable[None]]
) -> Generator[Any, Any, _Result]:
    """`work`, which goes on after each of its `asyncio.sleep(0)` only when `rest` has returned.

    So a source need not know that there are keys: where it lets others run, it lets those run that matter more.
    """
    go_on: Callable[[Any], Any] = work.send
    told: Any = None
    while True:
        try:
            awaited = go_on(told)
        except StopIteration as end:
            result: _Result = end.value
            return result
        try:
            if awaited is None:
                yield from rest().__await__()
                go_on, told = work.send, None
            else:
                go_on, told = work.send, (yield awaited)
        except BaseException as error:  # cancelled: that is for the work to hear
            go_on, told = work.throw, error
