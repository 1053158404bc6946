"""How long work on the screen's lists may go on before a key gets its chance."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

SLICE = 0.003
"""Seconds of work between two chances for a key to be handled."""

PORTION = 4096
"""Items that a comprehension goes through in less than that."""

_Item = TypeVar("_Item")


def portions(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """The items, so many at a time that something can be made of them in a slice."""
    waiting = iter(items)
    while some := list(islice(waiting, PORTION)):
        yield some


class Pace:
    """Tells when a slice of work has used its time."""

    def __init__(self) -> None:
        self._until = time.perf_counter() + SLICE

    @property
    def spent(self) -> bool:
        """True once per slice, when its time is over; the next slice begins then."""
        now = time.perf_counter()
        if now < self._until:
            return False
        self._until = now + SLICE
        return True
