"""When to look for garbage: while nobody waits for a key."""

from __future__ import annotations

import gc
import time

from nettop.memory import give_back

PAUSE = 1.0
"""Seconds without a key after which one looks for what the last ones have left."""
PATIENCE = 30.0
"""Seconds after which one does so although keys go on: it takes some 10 ms."""
SWEEP = 600.0
"""Seconds between two looks at everything."""
UNATTENDED = 30.0
"""Seconds without a key after which nobody notices that it takes 80 ms."""


class Garbage:
    """Looks for garbage in the place of Python, whose own full collections walk every row: 80 ms with 42,000 of them,
    in the middle of a key, to find nothing, as rows hold no cycles. What keys do leaves some.
    """

    def __init__(self) -> None:
        gc.disable()
        self._looked = self._swept = time.monotonic()
        self._swollen = False  # since the last first picture: its text has been read, and left room between the rows

    def look(self, unattended: float, *, afresh: bool) -> None:
        """Once a picture, so many seconds after the last key; `afresh` where all its rows are new."""
        now = time.monotonic()
        if afresh:
            gc.freeze()  # they stay: no collection need look at them
            self._swollen = True
        elif self._swollen and unattended > PAUSE:
            self._swollen = False
            give_back()
        elif now - self._swept >= SWEEP and unattended > UNATTENDED:
            self._looked = self._swept = now
            gc.collect()
            gc.freeze()
        elif unattended < now - self._looked and (unattended > PAUSE or now - self._looked > PATIENCE):
            self._looked = now
            gc.collect(0)
