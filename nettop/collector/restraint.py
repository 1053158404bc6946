"""Keeping nettop's own cost within a share of one processor: pictures come more rarely where they would cost more.

Collector and screen count together. What a picture costs follows from the processor time of the last seconds and how
many there were; the interval grows until that fits, and shrinks again with the cost, never below what was asked for.
"""

from __future__ import annotations

import collections
import contextlib
import os
import resource
from typing import Callable, Deque, NamedTuple, Optional

from nettop.kernel.privileges import same_pids
from nettop.kernel.procfs import CLK_TCK, Gone, ProcFS, parse_stat

WINDOW = 10.0
"""Seconds over which the cost is taken."""
LONGEST = 5.0
"""Seconds between two pictures at most: where that does not help, it is not the pictures that cost."""
_WARM_UP = 3.0
"""Seconds until it begins to count: the start costs more than anything later."""
_LEAST = 1.05
"""Not worth being told: a stretch by less."""
_RELAX = 0.9
"""It shrinks when it may by a tenth, so that it does not change with every picture."""


class _Sample(NamedTuple):
    clock: float
    seconds: float


class Restraint:
    """How long to wait from one picture to the next."""

    def __init__(self, interval: float, percent: Optional[float], cost: Callable[[], float]) -> None:
        """`interval` is what was asked for, in seconds; `percent` of one processor may be used, None: any; `cost` gives
        the processor seconds used so far."""
        self.interval = interval
        self._percent = percent
        self._cost = cost
        self._samples: Deque[_Sample] = collections.deque()
        self._began: Optional[float] = None
        self._needed = 0.0

    @property
    def pause(self) -> float:
        """Seconds from one picture to the next."""
        return self.interval if self._needed < _LEAST * self.interval else self._needed

    @property
    def stretch(self) -> float:
        """How many times longer than asked for that is."""
        return self.pause / self.interval

    @property
    def reason(self) -> Optional[str]:
        """Why it is longer, as a sentence; None where it is not."""
        if self.pause == self.interval:
            return None
        return f"interval stretched to {self.pause:.1f} s to stay under {self._percent:g} % of a processor"

    def note(self, clock: float) -> None:
        """A picture was made; `clock` is monotonic seconds."""
        if self._percent is None:
            return
        if self._began is None:
            self._began = clock
        if clock < self._began + _WARM_UP:
            return
        samples = self._samples
        samples.append(_Sample(clock, self._cost()))
        while len(samples) > 2 and samples[1].clock <= clock - WINDOW:
            samples.popleft()
        if len(samples) > 2:
            a_picture = (samples[-1].seconds - samples[0].seconds) / (len(samples) - 1)
            needed = min(LONGEST, 100 * a_picture / self._percent)
            if needed > self._needed or needed < _RELAX * self._needed:
                self._needed = needed


def cost_meter(proc: ProcFS, screen: int) -> Callable[[], float]:
    """What `Restraint` asks for the processor seconds of this process, its children, and the `screen`, a process that
    started it; 0 of the latter where its pid means somebody else in /proc."""
    known = same_pids(proc.root)

    def read() -> float:
        seconds = 0.0
        for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(whose)
            seconds += usage.ru_utime + usage.ru_stime
        if known and screen == os.getppid():
            with contextlib.suppress(Gone, PermissionError):
                stat = parse_stat(proc.read_stat(screen))
                seconds += (stat.utime + stat.stime) / CLK_TCK
        return seconds

    return read
