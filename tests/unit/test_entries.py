"""A list in order takes in what changed, in slices, as if all of it were sorted anew."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.tui.lists import entries, pace
from nettop.tui.lists.entries import Entry, ids_of, in_place, merged

_Result = TypeVar("_Result")


def done(work: Generator[None, None, _Result]) -> tuple[_Result, int]:
    """What the work returns, and in how many slices."""
    slices = 1
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: _Result = end.value
            return result, slices
        slices += 1


def entry(row_id: int, value: int | None, descending: bool) -> Entry:
    """As `entry_maker` makes it."""
    sign = -1 if descending else 1
    known = descending if value is not None else not descending
    return known, value or 0, 0, sign * row_id


values = st.dictionaries(st.integers(1, 500), st.none() | st.integers(0, 20), max_size=80)


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "RUN", 4)
    monkeypatch.setattr(pace, "PORTION", 4)
    monkeypatch.setattr(pace, "SLICE", 0.0)


@given(values, values, st.booleans())
def test_what_was_in_order_and_what_is_new_come_in_one_order(
    kept: dict[int, int | None], fresh: dict[int, int | None], descending: bool
) -> None:
    known = [entry(row_id, value, descending) for row_id, value in kept.items() if row_id not in fresh]
    new = [entry(row_id, value, descending) for row_id, value in fresh.items()]
    woven, _ = done(merged(sorted(known, reverse=descending), new, descending))
    assert woven == sorted(known + new, reverse=descending)
    assert done(ids_of(woven, descending))[0] == [abs(each[-1]) for each in woven]


@given(st.lists(st.integers(1, 60), unique=True), st.lists(st.integers(1, 60), unique=True))
def test_rows_that_are_held_stay_where_they_are_and_new_ones_follow(shown: list[int], in_order: list[int]) -> None:
    placed, _ = done(in_place(shown, dict.fromkeys(shown), in_order, dict.fromkeys(in_order)))
    stayed = [row_id for row_id in shown if row_id in in_order]
    assert placed[: len(stayed)] == stayed
    assert sorted(placed) == sorted(in_order)


def test_no_slice_takes_in_more_than_a_few_portions() -> None:
    kept = [entry(row_id, row_id, False) for row_id in range(0, 400, 2)]
    fresh: list[Any] = [entry(row_id, row_id, False) for row_id in range(1, 400, 2)]
    woven, slices = done(merged(kept, fresh, False))
    assert [each[-1] for each in woven] == list(range(400))
    assert slices > 400 // 8
