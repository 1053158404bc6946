"""Which names get series of their own, and how their counters are kept from running backwards.

A machine may run any number of programs under any names, and Prometheus keeps each series for weeks; so a scope has a
bound. Whoever moves most is named, everybody else is summed up in the rest. What has a series keeps it for `TENURE` at
least. Its place is given to a busier one afterwards, and what it moves from then on counts for the rest: so neither it
nor the rest ever runs backwards, and no byte is counted twice. Whoever takes the place begins at zero.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence, Set

from nettop.export.metrics import BUCKETS, REST, Labels

TENURE = 600.0
"""Seconds a series lasts at least: Prometheus looks back for five minutes."""
REVIEW = 60.0
"""Seconds between two times that places are given to others."""
BUSIER = 2.0
"""How many times as much as another's one must have moved since the last review to be given its place."""
_WAITING = 10
"""Names that wait for a place at most, as a multiple of the places: whoever invents names fills no memory."""


class Series:
    """The counters and the round-trip times of one name, or of the rest."""

    __slots__ = ("_shown", "_true", "born", "known", "last", "recent", "rtt", "rtt_sum")

    def __init__(self, counters: int, born: float) -> None:
        self.born = self.last = born
        """When it came, and when it moved last, in seconds since the epoch."""
        self.recent = 0.0
        """Bytes moved since the last review."""
        self.known = [False] * counters
        """Of each counter whether anything is known."""
        self.rtt: list[int] | None = None
        """Observations within each of `metrics.BUCKETS`, and beyond; None without any."""
        self.rtt_sum = 0.0
        self._true = [0.0] * counters
        self._shown = [0.0] * counters

    def add(self, differences: Sequence[float | None], now: float) -> None:
        """Count what is more, or less, than before; None where it is unknown."""
        for place, difference in enumerate(differences):
            if difference is not None:
                self.known[place] = True
                self._true[place] += difference
        self.recent += moved(differences)
        if any(differences):
            self.last = now

    def counters(self) -> Sequence[float]:
        """What each has counted, never less than at the call before: a process that passes a socket on takes back what
        that moved, and is ahead of itself until it has moved as much again."""
        self._shown = list(map(max, self._shown, self._true))
        return self._shown

    def observe(self, seconds: float) -> None:
        """A round trip took so long."""
        if self.rtt is None:
            self.rtt = [0] * (len(BUCKETS) + 1)
        self.rtt[bisect_left(BUCKETS, seconds)] += 1
        self.rtt_sum += seconds


class Table:
    """The series of one scope: at most `most` with names, and the rest."""

    def __init__(self, labels: int, counters: int, most: int) -> None:
        """`labels` and `counters` are how many a series has."""
        self.named: dict[Labels, Series] = {}
        self.rest_labels: Labels = (REST,) * labels
        self.rest = Series(counters, 0.0)
        self._counters = counters
        self._most = most
        self._waiting: dict[Labels, float] = {}  # without a series → bytes moved since the last review
        self._left: dict[Labels, float] = {}  # labels whose series goes on under others → when that was
        self._reviewed = 0.0

    def of(self, labels: Labels) -> Series:
        """The series that counts for these labels."""
        return self.named.get(labels, self.rest)

    def shown(self, labels: Labels) -> Labels:
        """The labels under which a thing with these is told of."""
        return labels if labels in self.named else self.rest_labels

    def welcome(self, moving: Mapping[Labels, float], now: float) -> None:
        """Give those a series that have none, as long as there is room, to the busiest first; `moving` tells what
        each moved since the last picture. One that calls itself as the rest does is part of it, and so is for a while
        one that takes a name which was just left: its counters would run backwards."""
        barred = self.named.keys() | self._left.keys() | {self.rest_labels}
        strangers = [labels for labels in moving if labels not in barred]
        for labels in sorted(strangers, key=moving.__getitem__, reverse=True):
            if len(self.named) < self._most:
                self.named[labels] = Series(self._counters, now)
                self._waiting.pop(labels, None)
            elif moving[labels] > 0 and (labels in self._waiting or len(self._waiting) < _WAITING * self._most):
                self._waiting[labels] = self._waiting.get(labels, 0.0) + moving[labels]

    def rename(self, old: Labels, new: Labels, now: float) -> None:
        """A thing has got another name: its series goes on under that, if nobody has or had it."""
        if old in self.named and new not in self.named and new not in self._left and new != self.rest_labels:
            self.named[new] = self.named.pop(old)
            self._left[old] = now

    def due(self, now: float) -> bool:
        """It is time for a review; also where the clock was set back."""
        return not 0 <= now - self._reviewed < REVIEW

    def review(self, living: Set[Labels], now: float) -> None:
        """Drop the series of what is long gone, and give places of the quiet to the busy; `living` are the labels of
        all things there are."""
        self._reviewed = now
        for labels in [name for name, s in self.named.items() if name not in living and now - s.last > TENURE]:
            del self.named[labels]
        self._left = {labels: when for labels, when in self._left.items() if now - when <= TENURE}
        quiet = sorted((s.recent, name) for name, s in self.named.items() if now - s.born > TENURE)
        busy = sorted(((more, name) for name, more in self._waiting.items() if name in living), reverse=True)
        room = self._most - len(self.named)
        self._place((name for _, name in busy[:room]), now)
        for (less, leaves), (more, comes) in zip(quiet, busy[room:], strict=False):
            if more <= BUSIER * less:
                break
            del self.named[leaves]
            self._place([comes], now)
        self._waiting.clear()
        for series in self.named.values():
            series.recent = 0.0

    def _place(self, names: Iterable[Labels], now: float) -> None:
        self.named.update((name, Series(self._counters, now)) for name in names)


def moved(differences: Sequence[float | None]) -> float:
    """Bytes received and sent, of the differences of a scope's counters."""
    return sum(difference or 0.0 for difference in differences[:2])
