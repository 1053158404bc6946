"""Short histories: the last figures of whatever moved."""

from __future__ import annotations

import collections
import math
from array import array
from collections.abc import Iterable, Mapping

from nettop.snapshot import Sample

LENGTH = 120
"""Pictures remembered."""

Figures = tuple[float, ...]
"""Of one row in one picture, in the order of `Sample`, without the time: the rates alone, or all of them."""

NOT_KNOWN = math.nan
"""A figure that is not known."""


class Histories:
    """The recent figures of rows, picture by picture: 8 bytes for each row that moved and 4 for each of its figures,
    nothing for one that did not.

    Asking for one row searches the pictures, 2 ms; a list for every row would take 60 MB for 2,000 busy ones."""

    def __init__(self) -> None:
        self._pictures: collections.deque[tuple[float, array[int], tuple[array[float], ...]]] = collections.deque(
            maxlen=LENGTH
        )

    def add(self, time: float, rows: Mapping[int, Figures]) -> None:
        """The figures, by row id, of every row that moved in the picture of that time."""
        columns = tuple(array("f", column) for column in zip(*rows.values(), strict=True))
        self._pictures.append((time, array("Q", rows), columns))

    def of(self, row_id: int) -> list[Sample]:
        """The last pictures, oldest first, from the first in which the row moved; empty if it never did."""
        samples: list[Sample] = []
        for time, ids, columns in self._pictures:
            try:
                place = ids.index(row_id)
            except ValueError:
                if samples:  # what did not move took no other time to travel
                    samples.append(Sample(time, 0.0, 0.0, samples[-1].rtt, 0.0))
            else:
                samples.append(_sample(time, (column[place] for column in columns)))
        return samples


def _sample(time: float, figures: Iterable[float]) -> Sample:
    rx_rate, tx_rate, *rest = figures
    rtt, retrans_rate = rest or (NOT_KNOWN, 0.0)
    return Sample(time, rx_rate, tx_rate, None if math.isnan(rtt) else rtt, retrans_rate)
