"""What is remembered of rows over the last pictures."""

from __future__ import annotations

from nettop.snapshot import Sample
from nettop.store.history import LENGTH, NOT_KNOWN, Histories


def test_a_sample_tells_when_it_was_and_all_that_was_said() -> None:
    histories = Histories()
    histories.add(10.0, {7: (100.0, 50.0, 1500.0, 2.0)})
    assert histories.of(7) == [Sample(10.0, 100.0, 50.0, 1500.0, 2.0)]
    assert histories.of(8) == []


def test_what_stood_still_took_as_long_as_before_to_travel() -> None:
    histories = Histories()
    histories.add(10.0, {7: (100.0, 50.0, 1500.0, 2.0)})
    histories.add(11.0, {})
    assert histories.of(7)[1] == Sample(11.0, 0.0, 0.0, 1500.0, 0.0)


def test_a_figure_that_is_not_known_is_none_and_not_zero() -> None:
    histories = Histories()
    histories.add(10.0, {7: (100.0, 50.0, NOT_KNOWN, 0.0)})
    assert histories.of(7)[0].rtt is None


def test_rows_without_round_trips_tell_their_rates() -> None:
    histories = Histories()
    histories.add(10.0, {7: (100.0, 50.0)})
    assert histories.of(7) == [Sample(10.0, 100.0, 50.0, None, 0.0)]


def test_only_the_last_pictures_are_remembered() -> None:
    histories = Histories()
    for number in range(LENGTH + 3):
        histories.add(float(number), {7: (1.0, 1.0)})
    assert [sample.time for sample in histories.of(7)] == [float(n) for n in range(3, LENGTH + 3)]
