"""When to look for garbage: while nobody waits for a key."""

from __future__ import annotations

import asyncio
import gc
import time

from nettop.memory import give_back
from nettop.tui.attention import Attention

PAUSE = 1.0
"""Seconds without a key after which what the first picture has left goes back to the system."""
GLANCE = 0.1
"""Seconds between two looks at how much is new: a lively picture makes 45,000 objects in 0.2 s."""
MUCH = 10_000
"""Objects that are worth looking through, which takes 5 ms: what a second of typing leaves, most of it Textual's lines
and what they remember of their parts."""
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
        self._swept = time.monotonic()
        self._begun = False  # there is a picture: what was made before it stays
        self._swollen = False  # since the last first picture: its text has been read, and left room between the rows

    async def tidy(self, attention: Attention) -> None:
        """Look through what was made of late whenever keys have left much, between two of them.

        Not once in a while: what half a minute of keys has left takes 270 ms to look through."""
        looked = time.monotonic()
        while True:
            await asyncio.sleep(GLANCE)
            pressed = attention.unattended < time.monotonic() - looked  # pictures alone leave nothing
            if pressed and self._begun and gc.get_count()[0] > MUCH:
                await attention.breathe()
                gc.collect(0)
                looked = time.monotonic()

    def look(self, unattended: float, *, afresh: bool) -> None:
        """Once a picture, so many seconds after the last key; `afresh` where all its rows are new."""
        now = time.monotonic()
        if afresh:
            gc.freeze()  # they stay: no collection need look at them
            self._begun = self._swollen = True
        elif self._swollen and unattended > PAUSE:
            self._swollen = False
            give_back()
        elif now - self._swept >= SWEEP and unattended > UNATTENDED:
            self._swept = now
            gc.collect()
            gc.freeze()
