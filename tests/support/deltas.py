"""Deltas of any content: hypothesis strategies made from the annotations of `model.TABLES`, and a shorthand for one."""

from __future__ import annotations

import random
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from nettop.model import TABLES, Change, Delta, Event, Owner
from tests.support.rows import NOW

HIGHEST = (1 << 64) - 1
"""The largest number the kernel's structures have room for."""

_NUMBERS = st.integers(-(1 << 63), HIGHEST) | st.integers(0, 3)
_FROM_ZERO = st.integers(0, HIGHEST) | st.integers(0, 3)
_TEXTS = st.text(max_size=12) | st.sampled_from(["", "\x1b[2J", "\u202e", "\x00\n", "日本"])
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_OWNERS = st.tuples(_FROM_ZERO, _FROM_ZERO, _FROM_ZERO).map(Owner._make)


def delta(
    changes: Mapping[str, Mapping[int, Any]] | None = None,
    *,
    gone: Mapping[str, Sequence[int]] | None = None,
    key: bool = False,
    complete: bool = True,
    clock: float = 0.0,
    events: Sequence[Event] = (),
    skipped: int = 0,
) -> Delta:
    """A Delta of these rows, by table and id; its time is `clock` seconds after `NOW`."""
    rows, ended = changes or {}, gone or {}
    tables = {name: Change(dict(rows.get(name, {})), list(ended.get(name, ()))) for name in (*rows, *ended)}
    return Delta(key, complete, NOW + clock, clock, tables, tuple(events), skipped)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value a field of this annotation may have on the wire."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(values, options))
    if origin is tuple:
        return st.lists(_OWNERS if options[0] is Owner else _TEXTS, max_size=3).map(tuple)
    simple = {int: _NUMBERS, float: _FLOATS, str: _TEXTS, bool: st.booleans(), type(None): st.none()}
    return simple[hint]


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is what the annotation promises; a whole number may stand where a float is."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, option) for option in options)
    if origin is tuple:
        return type(value) is tuple and all(fits(item, options[0]) for item in value)
    if hint is Owner:
        return type(value) is Owner and all(type(number) is int for number in value)
    return type(value) is hint or (hint is float and type(value) is int)


@st.composite
def rows(draw: st.DrawFn, row: type[Any], most: int = 8) -> list[Any]:
    """Rows of one type; of few different values in each column, so that some columns repeat them."""
    hints = typing.get_type_hints(row)
    columns = [draw(st.lists(values(hint), min_size=1, max_size=3)) for hint in hints.values()]
    choose = random.Random(draw(st.integers(0, 1 << 16)))
    return [row._make(map(choose.choice, columns)) for _ in range(draw(st.integers(0, most)))]


@st.composite
def deltas(draw: st.DrawFn, tables: Iterable[str] = tuple(TABLES), most: int = 8) -> Delta:
    """Any Delta: rows, ids and events that need not agree with each other."""
    changes = {}
    for name in draw(st.sets(st.sampled_from(sorted(tables)), max_size=4)):
        told = draw(rows(TABLES[name], most))
        ids = draw(st.lists(_FROM_ZERO, min_size=len(told), max_size=len(told), unique=True))
        changes[name] = Change(dict(zip(ids, told, strict=True)), draw(st.lists(_FROM_ZERO, max_size=4)))
    clock = draw(st.floats(0, 1e9))
    return Delta(
        draw(st.booleans()),
        draw(st.booleans()),
        NOW + clock,
        clock,
        changes,
        tuple(draw(rows(Event, most))),
        draw(_FROM_ZERO),
    )
