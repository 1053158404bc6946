"""Tests of one text: contained, equal, matching, an address in a network, a state by one of ss's names."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from nettop.format import safe
from nettop.query import ss
from nettop.query.address import address_number
from nettop.query.patience import patient
from nettop.query.syntax import QueryError, Term
from nettop.query.values import address_span

TextTest = Callable[[str], bool]
TestMaker = Callable[[Term], TextTest]

MAX_PATTERN = 200
"""Characters in a regular expression."""


class Memo(dict[Any, bool]):
    """text → whether it passes a test: many rows hold few different words.

    It forgets everything when it has grown large, for names and addresses come and go.
    """

    def __init__(self, test: TextTest, unknown: bool = False) -> None:
        super().__init__({None: unknown})
        self._test = test
        self._unknown = unknown

    def __missing__(self, text: str) -> bool:
        if len(self) > 65536:
            self.clear()
            self[None] = self._unknown
        passes = self[text] = self._test(text)
        return passes


def any_of(tests: Sequence[TextTest]) -> TextTest:
    """Whether a text passes one of the tests; without any it does not."""
    return tests[0] if len(tests) == 1 else lambda text: any(test(text) for test in tests)


def text_test(op: str) -> TestMaker:
    """What an operator does with a text: `:` contains, `=` equals, `~` matches."""
    if op == "~":
        return pattern
    return (lambda term: _equals(term.text)) if op == "=" else (lambda term: contains(term.text))


def contains(needle: str) -> TextTest:
    """Smart-case: an upper-case letter makes case count."""
    if needle != needle.lower():
        return lambda text: needle in text
    return lambda text: needle in text.lower()


def _equals(wanted: str) -> TextTest:
    if wanted != wanted.lower():
        return lambda text: text == wanted
    return lambda text: text.lower() == wanted


def pattern(term: Term) -> TextTest:
    """A search for a regular expression, smart-case (escapes such as \\S are no upper-case letters). QueryError,
    from the test too where it takes too long."""
    source = term.text
    if len(source) > MAX_PATTERN:
        raise QueryError(f"a regular expression is at most {MAX_PATTERN} characters long", term.column + MAX_PATTERN)
    literal = re.sub(r"\\.", "", source, flags=re.DOTALL)
    flags = re.IGNORECASE if literal == literal.lower() else re.NOFLAG
    try:
        with warnings.catch_warnings():  # re warns of what may change its meaning one day, on the screen's stderr
            warnings.simplefilter("ignore")
            expression = re.compile(source, flags)
    except re.error as error:
        raise QueryError(f"regular expression: {safe(error.msg)}", term.column + (error.pos or 0)) from None
    except (OverflowError, RecursionError) as error:
        raise QueryError(f"regular expression: {error}", term.column) from None
    return patient(expression, term.column)


# --- addresses -------------------------------------------------------------------------------------------------------


def is_host(word: str) -> bool:
    """Whether a bare word is an address with a prefix or a port, rather than text to look for."""
    host, service = ss.split_host(word)
    if host is None:
        return service is not None
    numeric = address_number(host.partition("/")[0]) is not None
    return numeric and ("/" in host or service is not None)


def address_test(op: str) -> TestMaker:
    """As `text_test`, but addresses are compared as such: for `=` all of them, for `:` a CIDR."""

    def make(term: Term) -> TextTest:
        if term.quoted or not (op == "=" or "/" in term.text):
            return text_test(op)(term)
        covered = address_span(term)
        return _covers(*covered) if covered else text_test(op)(term)

    return pattern if op == "~" else make


def _covers(first: float, last: float) -> TextTest:
    return lambda text: (at := address_number(text)) is not None and first <= at <= last


# --- states ----------------------------------------------------------------------------------------------------------


def state_test(op: str) -> TestMaker:
    """As `text_test`, but in ss's names. For `:` these come second: as one types, close- is half of close-wait."""

    def make(term: Term) -> TextTest:
        half_typed = op == ":" and any(term.text.upper() in name for name in ss.STATE_SETS["all"])
        if half_typed or term.quoted:
            return text_test(op)(term)
        return _named_states(term).__contains__

    return pattern if op == "~" else make


def state_steps(steps: Sequence[tuple[bool, tuple[Term, ...]]]) -> TextTest:
    """What a run of state and exclude leaves: each adds or takes away, the first from nothing or all (ss.c)."""
    left = frozenset() if steps[0][0] else ss.STATE_SETS["all"]
    for included, names in steps:
        named = frozenset().union(*map(_named_states, names))
        left = left | named if included else left - named
    return left.__contains__


def _named_states(term: Term) -> frozenset[str]:
    named = ss.states(term.text)
    if named is None:
        raise QueryError(f"{term.text!r} is no state: ss has established, listening, time-wait ...", term.column)
    return named
