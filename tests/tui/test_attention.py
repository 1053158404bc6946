"""Keys come first: what waits for them, for how long, and that nothing waits for good."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from nettop.tui import attention
from nettop.tui.attention import HASTE, LEAST_QUIET, QUIET, Attention, standing_back


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(attention, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(asyncio, "sleep", clock.sleep)
    return clock


async def rested(watched: Attention, clock: Clock) -> float:
    """Seconds that work waits now."""
    before = clock.now
    await watched.breathe()
    return clock.now - before


class TestBreathing:
    async def test_while_nobody_presses_a_key_nothing_waits(self, clock: Clock) -> None:
        assert await rested(Attention(), clock) == 0

    async def test_work_waits_after_a_key_but_not_for_good(self, clock: Clock) -> None:
        watched = Attention()
        watched.key_pressed()
        assert await rested(watched, clock) == pytest.approx(QUIET)
        assert await rested(watched, clock) == 0

    async def test_it_goes_on_soon_after_something_was_painted(self, clock: Clock) -> None:
        watched = Attention()
        watched.key_pressed()
        watched.painted()
        assert await rested(watched, clock) == pytest.approx(LEAST_QUIET)

    async def test_it_goes_on_at_once_where_it_is_what_the_key_asked_for(self, clock: Clock) -> None:
        watched = Attention()
        watched.key_pressed()
        watched.hurry()
        assert await rested(watched, clock) == 0

    async def test_what_is_painted_long_after_a_key_makes_nothing_wait(self, clock: Clock) -> None:
        watched = Attention()
        watched.key_pressed()
        clock.now += 1
        watched.painted()
        assert await rested(watched, clock) == 0
        assert watched.unattended == pytest.approx(1)


class TestTheNextPicture:
    async def test_it_waits_for_the_list_that_a_key_has_asked_for(self) -> None:
        watched = Attention()
        watched.key_pressed()
        watched.settled.clear()
        waiting = asyncio.create_task(watched.stand_back())
        await watched.breathe()
        await asyncio.sleep(0)
        assert not waiting.done()
        watched.settled.set()
        await waiting

    async def test_it_comes_though_the_list_is_never_ready(self) -> None:
        watched = Attention()
        watched.key_pressed()
        watched.settled.clear()
        async with asyncio.timeout(100 * HASTE):
            await watched.stand_back()

    async def test_it_does_not_wait_for_a_list_no_key_has_asked_for(self, clock: Clock) -> None:
        watched = Attention()
        watched.settled.clear()
        await watched.stand_back()
        assert clock.now == 1000.0


class TestStandingBack:
    async def test_work_rests_where_it_lets_others_run_and_nowhere_else(self) -> None:
        told: list[str] = []

        async def work() -> str:
            told.append("begins")
            await asyncio.sleep(0)
            told.append("goes on")
            await asyncio.sleep(0.001)
            return "the end"

        async def rest() -> None:
            await asyncio.sleep(0.001)
            told.append("rests")

        assert await standing_back(work(), rest) == "the end"
        assert told == ["begins", "rests", "goes on"]

    async def test_its_errors_are_told(self) -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            raise KeyError("lost")

        with pytest.raises(KeyError):
            await standing_back(work(), Attention().stand_back)

    @pytest.mark.parametrize("seconds", [0, 60], ids=["while it rests", "while it waits"])
    async def test_cancelled_it_can_clear_up(self, seconds: float) -> None:
        cleared: list[str] = []
        begun = asyncio.Event()

        async def work() -> None:
            try:
                begun.set()
                await asyncio.sleep(seconds)
            finally:
                await asyncio.sleep(0.001)
                cleared.append("all")

        async def rest() -> None:
            await asyncio.sleep(60)

        task = asyncio.ensure_future(standing_back(work(), rest))
        await begun.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert cleared == ["all"]
