"""Short histories: the last rates of whatever moved."""

from __future__ import annotations

import collections
from collections.abc import Iterable

LENGTH = 120
"""Pictures remembered."""

Sample = tuple[float, float]
"""Received and sent, bytes a second."""


class Histories:
    """The recent rates of rows; one that is idle costs nothing and is forgotten once its history is all zeros."""

    def __init__(self) -> None:
        self._now = 0
        self._samples: dict[int, collections.deque[tuple[int, float, float]]] = {}

    def add(self, samples: Iterable[tuple[int, float, float]]) -> None:
        """(row id, received, sent) of every row that moved in this picture."""
        self._now += 1
        for row_id, rx_rate, tx_rate in samples:
            history = self._samples.get(row_id)
            if history is None:
                history = self._samples[row_id] = collections.deque(maxlen=LENGTH)
            history.append((self._now, rx_rate, tx_rate))
        if self._now % LENGTH == 0:
            self._samples = {i: h for i, h in self._samples.items() if h[-1][0] > self._now - LENGTH}

    def of(self, row_id: int) -> list[Sample]:
        """Rates of the last pictures, oldest first, zero where it did not move; empty if it never did."""
        history = self._samples.get(row_id)
        if history is None:
            return []
        moved = {when: (rx_rate, tx_rate) for when, rx_rate, tx_rate in history}
        first = max(history[0][0], self._now - LENGTH + 1)
        return [moved.get(when, (0.0, 0.0)) for when in range(first, self._now + 1)]
