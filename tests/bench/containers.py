"""Containers made by hand, a cgroup, a network namespace and a process each: what knowing them adds to a tick."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from nettop.collector.collector import Collector
from nettop.collector.identities import Identities
from nettop.collector.processes import ProcessTracker
from nettop.collector.registry import Registry
from nettop.runtimes.runtimes import Runtimes
from tests.support import cgroups

CONTAINERS = 200
TICKS = 20
"""Enough for everything that is done every few ticks to be done for all of them."""
_WARM = 3

_PARTS = (
    (Registry, ("place", "listen", "note_end", "note_cgroups", "take_census", "settle")),
    (ProcessTracker, ("rename", "belongings", "belongs")),
    (Identities, ("_cgroup",)),
)
"""All that a tick does for containers."""


class Cost(NamedTuple):
    """Seconds of an ordinary tick."""

    tick: float
    containers: float
    """Of that, spent on containers."""
    known: int
    """Containers that were seen."""

    @property
    def added(self) -> float:
        """Percent of what a tick would take without."""
        return 100 * self.containers / (self.tick - self.containers)


def measure() -> Cost:
    """Ticks of a collector in this process, with `CONTAINERS` more containers on the machine than there were.

    Raises OSError where cgroups may not be made."""
    with _made(CONTAINERS), _timed() as clock:
        collector = Collector(runtimes=Runtimes({}))
        collector.start()
        with contextlib.closing(collector):
            known = 0
            for tick in range(_WARM + TICKS):
                if tick == _WARM:
                    clock.spent, began, slept = 0.0, time.perf_counter(), 0.0
                collector.tick()
                delta = collector.take()
                rows = delta.changes["containers"].rows.values() if "containers" in delta.changes else ()
                known += sum(row.contained for row in rows) if not tick else 0
                if tick >= _WARM:
                    pause = time.perf_counter()
                    time.sleep(0.02)
                    slept += time.perf_counter() - pause
            taken = time.perf_counter() - began - slept
    return Cost(taken / TICKS, clock.spent / TICKS, known)


class _Clock:
    """Time spent in some functions, those within each other counted once."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._within = False

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            if self._within:
                return function(*arguments, **named)
            self._within, began = True, time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self._within = False
                self.spent += time.perf_counter() - began

        return timed


@contextlib.contextmanager
def _timed() -> Iterator[_Clock]:
    clock = _Clock()
    before = [(owner, name, getattr(owner, name)) for owner, names in _PARTS for name in names]
    for owner, name, function in before:
        setattr(owner, name, clock.wrap(function))
    try:
        yield clock
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


@contextlib.contextmanager
def _made(count: int) -> Iterator[None]:
    """So many processes, each in a network namespace and a cgroup of its own, named as Docker would."""
    processes: list[subprocess.Popen[bytes]] = []
    with contextlib.ExitStack() as boxes:
        try:
            for number in range(count):
                process = subprocess.Popen(["unshare", "--net", "sleep", "600"])
                processes.append(process)
                boxes.enter_context(cgroups.made(f"/docker/{os.getpid():032x}{number:032x}")).put(process.pid)
            yield
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.wait()
