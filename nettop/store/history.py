"""Short histories: the last rates of whatever moved."""

from __future__ import annotations

import collections
from array import array
from collections.abc import Iterable, Mapping

LENGTH = 120
"""Pictures remembered."""

Sample = tuple[float, float]
"""Received and sent, bytes a second."""


class Histories:
    """The recent rates of rows, picture by picture: 16 bytes for each row that moved, nothing for one that did not.

    Asking for one row searches the pictures, 1 ms; a list for every row would take 60 MB for 2,000 busy ones."""

    def __init__(self) -> None:
        self._pictures: collections.deque[tuple[array[int], array[float], array[float]]] = collections.deque(
            maxlen=LENGTH
        )

    def add(self, rates: Mapping[int, Sample]) -> None:
        """Received and sent, by row id, of every row that moved in a new picture."""
        received, sent = _turned(rates.values())
        self._pictures.append((array("Q", rates), array("f", received), array("f", sent)))

    def of(self, row_id: int) -> list[Sample]:
        """Rates of the last pictures, oldest first, from the first in which the row moved; empty if it never did."""
        samples: list[Sample] = []
        for ids, received, sent in self._pictures:
            try:
                place = ids.index(row_id)
            except ValueError:
                if samples:
                    samples.append((0.0, 0.0))
            else:
                samples.append((received[place], sent[place]))
        return samples


def _turned(rates: Iterable[Sample]) -> tuple[Iterable[float], Iterable[float]]:
    columns = tuple(zip(*rates, strict=True))
    return columns if len(columns) == 2 else ((), ())
