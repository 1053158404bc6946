"""How long work on the screen's lists may go on before a key gets its chance."""

from __future__ import annotations

import time

SLICE = 0.003
"""Seconds of work between two chances for a key to be handled."""


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
