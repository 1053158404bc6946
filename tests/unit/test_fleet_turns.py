"""Work of many machines goes on one slice at a time, and ends when it is to end."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from nettop.fleet.turns import Turns


@pytest.fixture
async def turns() -> AsyncIterator[Turns]:
    """Turns that are given, for as long as the test lasts."""
    made = Turns()
    giving = asyncio.create_task(made.give())
    yield made
    giving.cancel()
    await asyncio.gather(giving, return_exceptions=True)


async def work(name: str, done: list[str], slices: int = 3) -> str:
    for _ in range(slices):
        done.append(name)
        await asyncio.sleep(0)
    return name


async def test_everybody_gets_a_slice_in_turn(turns: Turns) -> None:
    done: list[str] = []
    names = await asyncio.gather(*(turns.take(work(name, done)) for name in "abc"))
    assert names == ["a", "b", "c"]
    assert done == ["a", "b", "c"] * 3


async def test_something_else_gets_in_between_any_two_slices(turns: Turns) -> None:
    """A key waits for one slice, however many machines have a picture to make."""
    done: list[str] = []

    async def long(name: str) -> None:
        for _ in range(5):
            done.append(name)
            time.sleep(0.002)
            await asyncio.sleep(0)

    async def keys() -> None:
        while len(done) - done.count("key") < 15:
            done.append("key")
            await asyncio.sleep(0)

    await asyncio.gather(keys(), *(turns.take(long(name)) for name in "abc"))
    slices = [place for place, name in enumerate(done) if name != "key"]
    assert all(later - earlier > 1 for earlier, later in itertools.pairwise(slices))


async def test_what_it_waits_for_comes_back_to_it(turns: Turns) -> None:
    async def waiting() -> int:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(0.01, future.set_result, 7)
        found: int = await future
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        return found

    assert await turns.take(waiting()) == 7


async def test_an_error_comes_out(turns: Turns) -> None:
    async def wrong() -> None:
        await asyncio.sleep(0)
        raise LookupError("why")

    with pytest.raises(LookupError, match="why"):
        await turns.take(wrong())


async def test_work_hears_that_it_is_cancelled_whatever_it_waits_for() -> None:
    """Nobody gives turns any more by then."""
    heard: list[str] = []

    async def hearing(name: str, *, asleep: bool) -> None:
        try:
            while True:
                await asyncio.sleep(1000 if asleep else 0)
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # clearing up may take some slices
            heard.append(name)
            raise

    async def everything() -> None:
        made = Turns()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(made.take(hearing("asleep", asleep=True)))
            tasks.create_task(made.take(hearing("busy", asleep=False)))
            await made.give()

    running = asyncio.create_task(everything())
    await asyncio.sleep(0.02)
    running.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(running, return_exceptions=True)
    assert sorted(heard) == ["asleep", "busy"]
