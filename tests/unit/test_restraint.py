"""Pictures come more rarely where they would cost more than allowed, and as asked for again when they do not."""

from __future__ import annotations

import pytest

from nettop.collector.restraint import LONGEST, Restraint


class Machine:
    """Pictures that cost what they are said to, made when they are due."""

    def __init__(self, interval: float, percent: float | None, picture: float, besides: float = 0.0) -> None:
        """`picture` costs so many processor seconds, and every second `besides` as many, pictures or not."""
        self.picture, self.besides = picture, besides
        self.clock = self.used = 0.0
        self.restraint = Restraint(interval, percent, lambda: self.used)

    def run(self, seconds: float) -> float:
        """Percent of a processor used over so many seconds."""
        began, before = self.clock, self.used
        while self.clock < began + seconds:
            self.used += self.picture
            self.restraint.note(self.clock)
            self.clock += self.restraint.pause
            self.used += self.besides * self.restraint.pause
        return 100 * (self.used - before) / (self.clock - began)


def test_what_costs_little_keeps_its_interval() -> None:
    machine = Machine(1.0, 25, 0.2)
    machine.run(60)
    assert (machine.restraint.pause, machine.restraint.stretch, machine.restraint.reason) == (1.0, 1.0, None)


@pytest.mark.parametrize(("interval", "picture"), [(1.0, 0.6), (0.1, 0.06), (0.5, 0.2)])
def test_the_cost_stays_under_the_limit(interval: float, picture: float) -> None:
    machine = Machine(interval, 25, picture)
    machine.run(30)
    assert machine.run(60) == pytest.approx(25, rel=0.1)
    assert machine.restraint.pause == pytest.approx(picture / 0.25, rel=0.1)


def test_it_says_by_how_much_and_why() -> None:
    machine = Machine(1.0, 25, 0.6)
    machine.run(30)
    assert machine.restraint.reason == "interval stretched to 2.4 s to stay under 25 % of a processor"
    assert machine.restraint.stretch == pytest.approx(2.4)


def test_what_is_spent_between_pictures_counts() -> None:
    machine = Machine(1.0, 25, 0.3, besides=0.1)
    machine.run(60)
    assert machine.run(60) == pytest.approx(25, rel=0.1)


def test_it_relaxes_when_the_cost_falls() -> None:
    machine = Machine(1.0, 25, 0.8)
    machine.run(60)
    assert machine.restraint.pause > 3
    machine.picture = 0.1
    machine.run(30)
    assert (machine.restraint.pause, machine.restraint.reason) == (1.0, None)


def test_where_pictures_are_not_what_costs_they_go_on() -> None:
    machine = Machine(1.0, 25, 0.01, besides=0.9)
    machine.run(60)
    assert machine.restraint.pause == LONGEST


def test_the_start_does_not_count() -> None:
    machine = Machine(1.0, 25, 2.0)
    machine.run(2)
    machine.picture = 0.1
    machine.run(60)
    assert machine.restraint.reason is None


def test_without_a_limit_it_never_waits() -> None:
    machine = Machine(0.1, None, 0.5)
    machine.run(60)
    assert machine.restraint.pause == 0.1


def test_a_new_interval_holds_at_once() -> None:
    machine = Machine(1.0, 25, 0.05)
    machine.run(30)
    machine.restraint.interval = 3.0
    assert machine.restraint.pause == 3.0
    machine.restraint.interval = 0.1
    assert machine.restraint.pause == pytest.approx(0.2)
