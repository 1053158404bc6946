"""Rows in order: what makes a row sort, and how a sorted list of 42,000 takes in those that changed.

Every step is short, or a generator that yields between short ones.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from nettop.fields import Kind
from nettop.order import Order
from nettop.tui.lists.pace import Pace, portions

RUN = 2048
"""Rows sorted at a time, about as long as a slice; sorted runs are merged afterwards."""

Entry = tuple[bool, Any, int, int]
"""(known or not, sort value, rank and row id with the sign of the direction): sorts as the rows are shown."""

EntryMaker = Callable[[int, Any, float], Entry]
"""(row id, row, time of its picture) → its entry."""


def entry_maker(order: Order, rank: Callable[[Any], int]) -> EntryMaker:
    """What makes the entry of a row: known values before unknown ones in either direction, then the lower rank and the
    lower id. From the highest rate down, who moves nothing and of whom it is not known are told apart by their rank
    first: what one rather looks for stands above."""
    key, descending = order.key(), order.descending
    sign = -1 if descending else 1
    if descending and order.field.kind is Kind.RATE:

        def entry_of_rate(row_id: int, row: Any, now: float) -> Entry:
            rate = key(row, now)
            if rate is None:
                return (True, 0.0, -2 * rank(row) - 1, -row_id)
            return (True, rate, -2 * rank(row), -row_id)

        return entry_of_rate

    def entry(row_id: int, row: Any, now: float) -> Entry:
        value = key(row, now)
        if value is None:
            return (not descending, 0, sign * rank(row), sign * row_id)
        return (descending, value, sign * rank(row), sign * row_id)

    return entry


def in_place(
    shown: list[int], were: Mapping[int, None], in_order: list[int], passing: Mapping[int, None]
) -> Generator[None, None, list[int]]:
    """The rows that pass, those shown before where they were, new ones after them, in slices."""
    if were.keys() == passing.keys():
        return shown
    yield
    new = passing.keys() - were.keys()
    placed: list[int] = []
    pace = Pace()
    for those, order in ((passing, shown), (new, in_order)):
        for some in portions(order):
            placed += [row_id for row_id in some if row_id in those]
            if pace.spent:
                yield
    return placed


def merged(kept: list[Entry], fresh: list[Entry], descending: bool) -> Generator[None, None, list[Entry]]:
    """Rows in order and rows in none become one list in order, in slices."""
    runs = []
    for start in range(0, len(fresh), RUN):
        runs.append(sorted(fresh[start : start + RUN], reverse=descending))
        yield
    while len(runs) > 1:
        pairs = [runs[index : index + 2] for index in range(0, len(runs), 2)]
        runs = []
        for first, *second in pairs:
            runs.append((yield from _woven(first, second[0], descending)) if second else first)
    if not (kept and runs):
        return kept or (runs[0] if runs else [])
    return (yield from _woven(kept, runs[0], descending))


def _woven(first: list[Entry], second: list[Entry], descending: bool) -> Generator[None, None, list[Entry]]:
    """Two lists in order become one, in slices: a portion of the first together with what of the second belongs there.

    Python's sort finds the two runs of each and merges them in linear time.
    """
    woven: list[Entry] = []
    start = 0
    pace = Pace()
    for some in portions(first):
        end = _place(some[-1], second, start, descending)
        woven += sorted(some + second[start:end], reverse=descending)
        start = end
        if pace.spent:
            yield
    return woven + second[start:]


def _place(entry: Entry, entries: list[Entry], start: int, descending: bool) -> int:
    """Where an entry belongs among others that are in order, from `start` on."""
    end = len(entries)
    while start < end:
        middle = (start + end) // 2
        if (entries[middle] > entry) is descending:
            start = middle + 1
        else:
            end = middle
    return start


def ids_of(entries: list[Entry], descending: bool) -> Generator[None, None, list[int]]:
    """The ids of their rows, in slices."""
    sign = -1 if descending else 1
    ids: list[int] = []
    pace = Pace()
    for some in portions(entries):
        ids += [sign * entry[-1] for entry in some]
        if pace.spent:
            yield
    return ids


def let_go(entries: list[Entry]) -> Generator[None, None, None]:
    """Empty a list nobody needs any more, in slices: to free 42,000 rows' entries at once takes 4 ms."""
    while entries:
        del entries[-4 * RUN :]
        yield
