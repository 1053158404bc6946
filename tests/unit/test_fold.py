"""Many Deltas as one: it says what they say, to one who knew nothing and to one who knew what was before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop import fold
from nettop.fold import Fold, FoldError
from nettop.model import Delta
from nettop.store import Store
from tests.support.deltas import delta
from tests.support.rows import event, process_row
from tests.support.streams import streams


def folded(deltas: list[Delta]) -> Delta:
    made = Fold(1000)
    for each in deltas:
        made.take(each)
    return made.delta()


def known(deltas: list[Delta]) -> Any:
    """What a store knows in the end, rates and histories excepted."""
    store = Store()
    for each in deltas:
        store.apply(each)
    return store.tables(store.snapshot.connections), store.snapshot.events, store.snapshot.events_total


@given(streams(), st.data())
def test_a_key_frame_made_of_many_deltas_says_what_they_say(told: list[Delta], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(told)))
    assert known([folded(told[:cut]), *told[cut:]]) == known(told)
    assert folded(told[:cut]).key


@given(streams(), st.data())
def test_changes_made_one_say_what_they_say_to_one_who_knew_what_was_before(
    told: list[Delta], data: st.DataObject
) -> None:
    first = data.draw(st.integers(1, len(told)))
    last = data.draw(st.integers(first, len(told)))
    if first < last:
        assert known([*told[:first], folded(told[first:last]), *told[last:]]) == known(told)


def test_it_holds_the_last_events_and_counts_the_others() -> None:
    made = Fold(3)
    for number in range(5):
        made.take(delta(events=[event(pid=number)], skipped=1))
    said = made.delta()
    assert [each.pid for each in said.events] == [2, 3, 4]
    assert (made.told, made.events_dropped, said.events_skipped) == (5, 2, 7)
    assert [each.pid for each in made.events_since(4)] == [4]
    assert [each.pid for each in made.events_since(0)] == [2, 3, 4]
    assert made.events_since(5) == ()


def test_what_claims_too_much_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "MAX_ROWS", 2)
    row = process_row().process
    made = Fold(1)
    made.take(delta({"processes": {1: row, 2: row}}))
    with pytest.raises(FoldError, match="more than 2 processes"):
        made.take(delta({"processes": {3: row}}))
    with pytest.raises(FoldError, match="more than 2 processes"):
        Fold(1).take(delta(gone={"processes": [1, 2, 3]}))


def test_there_is_nothing_to_say_before_anything_was_said() -> None:
    with pytest.raises(FoldError, match="nothing was told"):
        Fold(1).delta()
