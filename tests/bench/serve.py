"""What many guests cost a service beside one, some of whom do not read; and what it costs while there is none."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from nettop.requests import SetInterval, encode
from tests.bench.tree import cpu_seconds
from tests.support.serving import mute, serving

GUESTS, STALLED = 50, 5
"""Guests, and how many of them read nothing."""
_WARM_UP, _WINDOW = 8.0, 30.0
"""Seconds. Everybody has been told everything after the first, and who stalls is known to."""


class Cost(NamedTuple):
    """Percent of one processor, one tick a second."""

    one: float
    many: float
    idle: float
    missed: int
    """Ticks that one of those who read was not told, and another one was."""

    @property
    def ratio(self) -> float:
        return self.many / self.one


def measure() -> Cost:
    """Two services at the same time, one with a guest and one with many: whatever else happens on this machine costs
    both of them the same."""
    with serving("--max-cpu", "100") as few, serving("--max-cpu", "100") as many:
        pids = few.process.pid, many.process.pid
        with contextlib.ExitStack() as connections:
            for _ in range(STALLED):
                connections.enter_context(mute(many.path))
            readers = [connections.enter_context(_reader(many.path)) for _ in range(GUESTS - STALLED)]
            everybody = [*readers, connections.enter_context(_reader(few.path))]
            _read(everybody, _WARM_UP)
            before, began = [cpu_seconds([pid]) for pid in pids], time.monotonic()
            told = _read(everybody, _WINDOW)
            one, more = (
                100 * (cpu_seconds([pid]) - used) / (time.monotonic() - began)
                for pid, used in zip(pids, before, strict=True)
            )
            ticks = [told[reader.fileno()] for reader in readers]
        time.sleep(_WARM_UP)
        used = cpu_seconds([few.process.pid])
        time.sleep(_WINDOW)
        idle = 100 * (cpu_seconds([few.process.pid]) - used) / _WINDOW
    # the window may end between two of them who are told the same
    return Cost(one, more, idle, sum(max(ticks) - each for each in ticks if max(ticks) - each > 1))


def _reader(path: Path) -> socket.socket:
    """A guest who wants a tick a second."""
    made = mute(path)
    made.send(encode(1, SetInterval(1.0)))
    return made


def _read(readers: list[socket.socket], seconds: float) -> Counter[int]:
    """Take what comes, and count the ticks in it, by file descriptor."""
    told: Counter[int] = Counter()
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        for reader in select.select(readers, [], [], left)[0]:
            told[reader.fileno()] += os.read(reader.fileno(), 1 << 20).count(b'"complete":true')
    return told
