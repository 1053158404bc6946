"""Who gets series of its own: the busiest, no more than asked for, and no counter ever runs backwards."""

from __future__ import annotations

from nettop.export.series import REVIEW, TENURE, Series, Table

NOW = 1_700_000_000.0


def table(most: int = 2) -> Table:
    """One scope with one label, and the counters of bytes alone."""
    return Table(1, 2, most)


def move(shown: Table, now: float, **moved: float) -> None:
    """A picture in which names received so many bytes."""
    shown.welcome({(name,): more for name, more in moved.items()}, now)
    for name, more in moved.items():
        shown.of((name,)).add((more, 0), now)


def names(shown: Table) -> set[str]:
    """Who has series of its own."""
    return {labels[0] for labels in shown.named}


def received(series: Series) -> float:
    return series.counters()[0]


def living(*present: str) -> set[tuple[str, ...]]:
    return {(name,) for name in present}


def test_the_busiest_are_named_and_the_rest_is_one() -> None:
    shown = table()
    move(shown, NOW, idle=1, busy=100, middling=50, quiet=0)
    assert names(shown) == {"busy", "middling"}
    assert received(shown.rest) == 1
    assert shown.shown(("busy",)) == ("busy",)
    assert shown.shown(("idle",)) == ("other",)


def test_who_is_named_stays_so_however_busy_others_become() -> None:
    shown = table()
    move(shown, NOW, a=1, b=1)
    for picture in range(1, int(TENURE)):
        move(shown, NOW + picture, c=1000)
        if shown.due(NOW + picture):
            shown.review(living("a", "b", "c"), NOW + picture)
    assert names(shown) == {"a", "b"}
    assert received(shown.rest) == 1000 * (TENURE - 1)


def test_a_quiet_one_gives_its_place_to_a_busy_one_after_its_tenure() -> None:
    shown = table()
    move(shown, NOW, a=10, b=20)
    later = NOW + TENURE + 1
    move(shown, later, b=100, c=300)
    shown.review(living("a", "b", "c"), later)
    assert names(shown) == {"b", "c"}
    assert received(shown.rest) == 300, "what it moved unnamed stays where it was counted"
    assert received(shown.named["c",]) == 0, "and is not counted twice"
    move(shown, later + 1, a=5, c=7)
    assert (received(shown.named["c",]), received(shown.rest)) == (7, 305)


def test_one_that_is_hardly_busier_does_not_take_a_place() -> None:
    shown = table(1)
    move(shown, NOW, a=1)
    later = NOW + TENURE + 1
    shown.review(living("a"), NOW + 1)
    move(shown, later, a=100, b=150)
    shown.review(living("a", "b"), later)
    assert names(shown) == {"a"}


def test_what_is_long_gone_makes_room() -> None:
    shown = table(1)
    move(shown, NOW, gone=10)
    shown.review(living(), NOW + TENURE - 1)
    assert names(shown) == {"gone"}
    move(shown, NOW + TENURE, new=1)
    shown.review(living("new"), NOW + TENURE + 1)
    assert names(shown) == {"new"}


def test_reviews_come_once_a_minute_and_when_the_clock_was_set_back() -> None:
    shown = table()
    shown.review(living(), NOW)
    assert not shown.due(NOW + REVIEW - 1)
    assert shown.due(NOW + REVIEW)
    assert shown.due(NOW - 1)


def test_one_that_calls_itself_as_the_rest_does_is_part_of_it() -> None:
    shown = table()
    move(shown, NOW, other=10)
    assert names(shown) == set()
    assert received(shown.rest) == 10


def test_inventing_names_fills_no_memory() -> None:
    shown = table(2)
    for number in range(1000):
        move(shown, NOW, **{f"name-{number}": 1})
    assert len(shown.named) == 2
    assert len(shown._waiting) <= 20  # noqa: SLF001
    assert received(shown.rest) == 998


def test_a_counter_that_is_taken_from_waits_until_as_much_has_moved_again() -> None:
    series = Series(2, NOW)
    told = []
    for more in (100, -60, 50, 20):
        series.add((more, None), NOW)
        told.append(received(series))
    assert told == [100, 100, 100, 110]
    assert series.known == [True, False]


def test_a_new_name_takes_the_series_along_unless_somebody_has_it() -> None:
    shown = table()
    move(shown, NOW, a1b2c3=10)
    shown.rename(("a1b2c3",), ("web",), NOW)
    assert received(shown.named["web",]) == 10
    move(shown, NOW, db=1)
    shown.rename(("db",), ("web",), NOW)
    shown.rename(("web",), ("other",), NOW)
    assert names(shown) == {"web", "db"}


def test_a_name_that_was_left_is_nobodys_for_a_while() -> None:
    shown = table()
    move(shown, NOW, a=10)
    shown.rename(("a",), ("web",), NOW)
    move(shown, NOW + 1, a=3)
    assert names(shown) == {"web"}
    assert received(shown.rest) == 3
    shown.review(living("a", "web"), NOW + TENURE + 1)
    move(shown, NOW + TENURE + 2, a=4)
    assert received(shown.named["a",]) == 4
