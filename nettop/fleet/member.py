"""One of the machines that are watched together: its follower, its newest picture, and what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Set
from typing import NamedTuple

from nettop.fleet.numbered import Numbered
from nettop.live import Live
from nettop.model import Health
from nettop.origin import Origin
from nettop.snapshot import Machine, Snapshot
from nettop.store import Store

LATE = 3
"""Intervals without a picture that are worth a word, and seconds beyond that: a line may be slow."""
SKEW = 3.0
"""Seconds by which two clocks may differ before that is worth one: ages and the order of events rest on them."""


class Cut(NamedTuple):
    """What one machine brings to a picture of all."""

    number: int
    before: Snapshot | None
    """The picture of it that was shown last."""
    now: Snapshot | None
    changed: Mapping[str, Set[int]]
    """View → ids of rows that may be others than `before`."""


class Member:
    """One machine. A picture without rates, the first after each new connection, is shown only where nothing was shown
    before: rows that do not know their rates would stand among others that do."""

    def __init__(self, number: int, name: str, origin: Origin, store: Store, stir: Callable[[], None]) -> None:
        """`stir` is called when there is something new."""
        self.number = number
        self.name = name
        """What whoever watches calls it."""
        self.live = Live(Numbered(origin, number), store=lambda: store)
        self.store = store
        self.newest: Snapshot | None = None
        """Its picture, while it is reached."""
        self.early = True
        """Nothing was shown of any machine yet."""
        self._lost: str | None = None  # why it is not reached
        self._heard: float | None = None
        """When, in monotonic seconds, the last picture came."""
        self._skew = 0.0
        self._changed: dict[str, set[int]] = {}
        self._cut: Snapshot | None = None
        self._stir = stir

    @property
    def told(self) -> bool:
        """It has a picture, or it is known why not."""
        return self.newest is not None or self._lost is not None

    @property
    def unrated(self) -> bool:
        """Its rates will be known with its next picture."""
        return self.newest is not None and self.newest.interval is None

    def show(self, snapshot: Snapshot) -> None:
        """Its own newest picture: see `Source.run`."""
        for view, ids in snapshot.changed.items():
            self._changed.setdefault(view, set()).update(ids)
        self._heard = time.monotonic()
        self._skew = snapshot.time - time.time()
        if self.early or snapshot.interval is not None:
            self.newest = snapshot
            self._stir()

    def notice(self, sentence: str | None) -> None:
        """Its stream broke, or is whole again: see `Source.run`."""
        if sentence is not None:
            self.newest = None
        if sentence != self._lost:
            self._lost = sentence
            self._stir()

    def cut(self) -> Cut:
        """What is new since the last one."""
        before, now = self._cut, self.newest
        if now is before:
            return Cut(self.number, before, now, {})
        changed, self._changed = self._changed, {}
        self._cut = now
        return Cut(self.number, before, now, changed)

    def trouble(self, interval: float) -> str | None:
        """Why it is not reached, or what is wrong with its pictures, which should come every `interval` seconds."""
        if self._lost is not None:
            return self._lost
        if self._heard is None:
            return "nothing was heard of it yet"
        if self.newest is None:
            return "it is there again; its rates are known with its next picture"
        silence = time.monotonic() - self._heard
        if silence > LATE * interval + LATE:
            return f"no picture for {silence:.0f} seconds"
        if abs(self._skew) > SKEW:
            return f"its clock is {abs(self._skew):.0f} seconds {'ahead of' if self._skew > 0 else 'behind'} ours"
        return None

    def machine(self, interval: float) -> Machine:
        """The machine as a picture of all has it."""
        return Machine(self.name, self._cut, self.trouble(interval))


def complaints(machine: Machine) -> list[Health]:
    """What is wrong with a machine, and what is with what it tells, under its name."""
    own = []
    if machine.trouble:
        status = "degraded" if machine.picture else "unavailable"
        own.append(Health(f"machine:{machine.name}", status, _named(machine, machine.trouble), None, 1))
    for health in machine.picture.health if machine.picture else ():
        source = f"{machine.name}:{health.source}"
        own.append(health._replace(source=source, reason=_named(machine, health.reason)))
    return own


def _named(machine: Machine, sentence: str) -> str:
    return sentence if sentence.startswith(machine.name) else f"{machine.name}: {sentence}"
