"""What many guests cost a service beside one, some of whom do not read; and what it costs while there is none."""

from __future__ import annotations

import os
import select
import socket
import time
from pathlib import Path
from typing import NamedTuple

from nettop.requests import SetInterval, encode
from tests.bench.tree import cpu_seconds
from tests.support.serving import mute, serving

GUESTS, STALLED = 50, 5
"""Guests, and how many of them read nothing."""
_WARM_UP, _WINDOW = 4.0, 15.0
"""Seconds, of each measurement. Everybody has been told everything after the first, and who stalls is known to."""
_ROUNDS = 2
"""One guest and many take turns: these machines are shared."""


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
    """Serve the machine as it is."""
    one, many, missed = [], [], 0
    with serving("--max-cpu", "100") as made:
        for _ in range(_ROUNDS):
            one.append(_cost(made.path, made.process.pid, 1, 0)[0])
            cost, lost = _cost(made.path, made.process.pid, GUESTS, STALLED)
            many.append(cost)
            missed += lost
        time.sleep(_WARM_UP)
        idle = _cost(made.path, made.process.pid, 0, 0)[0]
    return Cost(min(one), min(many), idle, missed)


def _cost(path: Path, pid: int, count: int, stalled: int) -> tuple[float, int]:
    """Percent of a processor with so many guests, and how many ticks readers missed."""
    mutes = [mute(path) for _ in range(stalled)]
    readers = {made.fileno(): made for made in (mute(path) for _ in range(count - stalled))}
    for reader in readers.values():
        reader.send(encode(1, SetInterval(1.0)))
    told = dict.fromkeys(readers, 0)
    try:
        _read(readers, told, _WARM_UP)
        told = dict.fromkeys(readers, 0)
        before, began = cpu_seconds([pid]), time.monotonic()
        _read(readers, told, _WINDOW)
        used, elapsed = cpu_seconds([pid]) - before, time.monotonic() - began
    finally:
        for connection in (*mutes, *readers.values()):
            connection.close()
    most = max(told.values(), default=0)
    return 100 * used / elapsed, sum(most - ticks for ticks in told.values() if most - ticks > 1)


def _read(readers: dict[int, socket.socket], told: dict[int, int], seconds: float) -> None:
    """Take what comes, and count the ticks in it."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        for descriptor in select.select(list(readers), [], [], left)[0]:
            told[descriptor] += os.read(descriptor, 1 << 20).count(b'"complete":true')
