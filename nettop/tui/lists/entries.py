"""Rows in order: what makes a row sort, and how a sorted list of 42,000 takes in those that changed.

Every step is short, or a generator that yields between short ones.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from itertools import chain
from typing import Any

from nettop.order import Order

RUN = 2048
"""Rows sorted at a time, about as long as a slice; sorted runs are merged afterwards."""

Entry = tuple[bool, Any, int, int]
"""(known or not, sort value, rank and row id with the sign of the direction): sorts as the rows are shown."""

EntryMaker = Callable[[int, Any, float], Entry]
"""(row id, row, time of its picture) → its entry."""


def entry_maker(order: Order, rank: Callable[[Any], int]) -> EntryMaker:
    """What makes the entry of a row: known values before unknown ones in either direction, then the lower rank and the
    lower id."""
    key, descending = order.key(), order.descending
    sign = -1 if descending else 1

    def entry(row_id: int, row: Any, now: float) -> Entry:
        value = key(row, now)
        if value is None:
            return (not descending, 0, sign * rank(row), sign * row_id)
        return (descending, value, sign * rank(row), sign * row_id)

    return entry


def in_place(shown: list[int], were: Mapping[int, None], in_order: list[int], passing: Mapping[int, None]) -> list[int]:
    """The rows that pass, those shown before where they were, new ones after them."""
    if were.keys() == passing.keys():
        return shown
    new = passing.keys() - were.keys()
    return [row_id for row_id in shown if row_id in passing] + [row_id for row_id in in_order if row_id in new]


def merged(kept: list[Entry], fresh: list[Entry], descending: bool) -> Generator[None, None, list[Entry]]:
    """Rows in order and rows in none become one list in order, in slices.

    Python's sort finds the two runs and merges them in linear time, so no step takes longer than one pass.
    """
    runs = []
    for start in range(0, len(fresh), RUN):
        runs.append(sorted(fresh[start : start + RUN], reverse=descending))
        yield
    while len(runs) > 1:
        pairs = [runs[index : index + 2] for index in range(0, len(runs), 2)]
        runs = []
        for pair in pairs:
            runs.append(sorted(chain.from_iterable(pair), reverse=descending))
            yield
    if not (kept and runs):
        return kept or (runs[0] if runs else [])
    merged = kept + runs[0]
    merged.sort(reverse=descending)
    return merged


def let_go(entries: list[Entry]) -> Generator[None, None, None]:
    """Empty a list nobody needs any more, in slices: to free 42,000 rows' entries at once takes 4 ms."""
    while entries:
        del entries[-4 * RUN :]
        yield
