"""Garbage is looked for when it disturbs nobody."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Iterator

import pytest

from nettop.tui import garbage
from nettop.tui.garbage import MUCH, PAUSE, SWEEP, UNATTENDED, Garbage


class Clock:
    """Time that passes when told to, and what was collected meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.collected: list[int] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(gc, "collect", lambda generation=2: self.collected.append(generation))
        monkeypatch.setattr(gc, "freeze", lambda: None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    yield Clock(monkeypatch)
    gc.enable()


async def glanced(looker: Garbage, new: int, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened at the first glance at so many new objects that led to something; nothing, if none of some did."""
    happened: list[str] = []
    glances = itertools.count()
    over = asyncio.Event()

    def count() -> tuple[int, int, int]:
        if next(glances) >= 5 or clock.collected:
            over.set()
            return 0, 0, 0
        return new, 0, 0

    async def rest() -> None:
        happened.append(f"rest before collection {len(clock.collected) + 1}")

    monkeypatch.setattr(garbage, "GLANCE", 0.0)
    monkeypatch.setattr(gc, "get_count", count)
    task = asyncio.create_task(looker.tidy(rest))
    async with asyncio.timeout(5):
        await over.wait()
    task.cancel()
    return happened


async def test_what_keys_have_left_is_looked_through_between_two_keys_once_it_is_much(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker = Garbage()
    looker.look(0.1, afresh=True)
    assert await glanced(looker, MUCH + 1, clock, monkeypatch) == ["rest before collection 1"]
    assert clock.collected == [0], "of the young alone"


async def test_a_little_is_left_for_later(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    looker = Garbage()
    looker.look(0.1, afresh=True)
    assert await glanced(looker, MUCH, clock, monkeypatch) == []
    assert not clock.collected


async def test_the_first_picture_does_not_wait_for_what_is_imported_to_be_looked_through(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await glanced(Garbage(), 100 * MUCH, clock, monkeypatch) == []
    assert not clock.collected


def test_everything_is_looked_at_while_nobody_is_there(clock: Clock) -> None:
    looker = Garbage()
    clock.now += SWEEP
    looker.look(UNATTENDED + 1.0, afresh=False)
    looker.look(UNATTENDED + 1.0, afresh=False)
    assert clock.collected == [2]


def test_what_the_first_picture_left_goes_back_to_the_system_once_nobody_waits(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    monkeypatch.setattr(garbage, "give_back", lambda: given.append(clock.now))
    looker = Garbage()
    looker.look(0.1, afresh=True)
    looker.look(0.1, afresh=False)
    assert not given
    for _ in range(3):
        looker.look(PAUSE + 1.0, afresh=False)
    assert len(given) == 1
