"""A regular expression that backtracks badly is given up, and said where it stands."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from nettop.fields import PROCESSES
from nettop.query import QueryError, parse
from nettop.query.patience import LONGEST, PATIENCE
from tests.support import rows

EVIL = ("(a+)+$", "(a|aa)+$", "(.*)*x$", "a*a*a*a*a*b")


@pytest.mark.parametrize("expression", EVIL)
def test_it_is_given_up_where_it_stands(expression: str) -> None:
    query = parse(f"!comm:ssh command~{expression}", PROCESSES)
    row = rows.process_row(command="a" * 4000 + "!")
    began = time.process_time()
    with pytest.raises(QueryError, match="takes too long") as raised:
        query.matches(row, rows.NOW)
    assert raised.value.column == len("!comm:ssh command~")
    assert time.process_time() - began < 10 * PATIENCE


def test_what_was_given_up_is_not_tried_again() -> None:
    query = parse("command~(a+)+$", PROCESSES)
    evil, harmless = rows.process_row(command="a" * 40 + "!"), rows.process_row(command="b")
    assert not query.matches(harmless, rows.NOW)
    for row in (evil, rows.process_row(command="c")):
        with pytest.raises(QueryError):
            query.matches(row, rows.NOW)


@pytest.mark.parametrize(("expression", "command", "matches"), [("^ng.*x$", "nginx", True), ("ng+x", "nginx", False)])
def test_a_decent_one_says_what_it_always_said(expression: str, command: str, matches: bool) -> None:
    assert parse(f"command~{expression}", PROCESSES).matches(rows.process_row(command=command), rows.NOW) is matches


def test_no_clock_goes_on_afterwards() -> None:
    query = parse("command~nginx or command~(a+)+$", PROCESSES)
    query.matches(rows.process_row(command="nginx"), rows.NOW)
    with pytest.raises(QueryError):
        query.matches(rows.process_row(command="a" * 40 + "!"), rows.NOW)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_only_the_beginning_of_a_very_long_text_is_looked_at() -> None:
    query = parse("command~needle", PROCESSES)
    assert query.matches(rows.process_row(command="x" * (LONGEST - 6) + "needle"), rows.NOW)
    assert not query.matches(rows.process_row(command="x" * LONGEST + "needle"), rows.NOW)


def test_other_threads_may_filter_too() -> None:
    found: list[bool] = []
    thread = threading.Thread(
        target=lambda: found.append(parse("comm~ngin", PROCESSES).matches(rows.process_row(), rows.NOW))
    )
    thread.start()
    thread.join(10)
    assert found == [True]
