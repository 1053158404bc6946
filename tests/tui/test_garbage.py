"""Garbage is looked for when it disturbs nobody."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator

import pytest

from nettop.tui import garbage
from nettop.tui.attention import Attention
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


class Keys(Attention):
    """Somebody who presses keys, or does not, and the waiting for a time between two of them."""

    def __init__(self, clock: Clock, *, pressed: bool) -> None:
        super().__init__()
        self._clock = clock
        self._pressed = pressed
        self.waited = 0

    @property
    def unattended(self) -> float:
        return 0.0 if self._pressed else 1e6

    async def breathe(self) -> None:
        assert not self._clock.collected, "that is for in between"
        self.waited += 1


async def glance(looker: Garbage, keys: Keys, clock: Clock, new: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it glance some times at so many new objects, until it has looked through them."""
    monkeypatch.setattr(garbage, "GLANCE", 0.0)
    monkeypatch.setattr(gc, "get_count", lambda: (0 if clock.collected else new, 0, 0))
    clock.now += 1.0
    task = asyncio.create_task(looker.tidy(keys))
    await asyncio.sleep(0)
    clock.now += 1.0
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()


async def test_what_keys_have_left_is_looked_through_between_two_of_them_once_it_is_much(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker, keys = Garbage(), Keys(clock, pressed=True)
    looker.look(0.1, afresh=True)
    await glance(looker, keys, clock, MUCH + 1, monkeypatch)
    assert clock.collected == [0], "the young alone"
    assert keys.waited == 1


@pytest.mark.parametrize(
    ("picture", "pressed", "new"),
    [(True, True, MUCH), (True, False, 100 * MUCH), (False, True, 100 * MUCH)],
    ids=["a little waits for more", "pictures alone leave nothing", "the first picture is waited for"],
)
async def test_else_nothing_is_looked_for(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, picture: bool, pressed: bool, new: int
) -> None:
    looker, keys = Garbage(), Keys(clock, pressed=pressed)
    if picture:
        looker.look(0.1, afresh=True)
    await glance(looker, keys, clock, new, monkeypatch)
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
