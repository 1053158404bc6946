"""Garbage is looked for when it disturbs nobody."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest

from nettop.tui import garbage
from nettop.tui.garbage import PATIENCE, PAUSE, SWEEP, UNATTENDED, Garbage


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


def test_while_keys_come_nothing_is_looked_for(clock: Clock) -> None:
    looker = Garbage()
    for _ in range(10):
        clock.now += 1.0
        looker.look(0.2, afresh=False)
    assert not clock.collected


def test_what_keys_have_left_is_looked_for_once_in_the_pause_after_them(clock: Clock) -> None:
    looker = Garbage()
    clock.now += 5.0
    for seconds in range(1, 10):
        clock.now += 1.0
        looker.look(PAUSE + seconds, afresh=False)
    assert clock.collected == [0]


def test_without_keys_there_is_nothing_to_look_for(clock: Clock) -> None:
    looker = Garbage()
    clock.now += 10.0
    looker.look(1e6, afresh=False)
    assert not clock.collected


def test_keys_that_never_end_do_not_put_it_off_for_ever(clock: Clock) -> None:
    looker = Garbage()
    clock.now += PATIENCE + 1.0
    looker.look(0.1, afresh=False)
    assert clock.collected == [0]


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
