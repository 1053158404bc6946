"""Rows as JSON lines: what a script reads and a clipboard takes, from the same fields as everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any

from nettop.fields import Field, Kind, View

Write = Callable[[str], object]
"""Takes text that ends in a newline: `sys.stdout.write`."""

_BLOCK = 2_000
"""Rows made into text at a time: their values stay in the processor's cache, and the first come out early."""


def json_lines(
    view: View, rows: Iterable[Any], columns: Sequence[str] | None, now: float, time: float, write: Write
) -> None:
    """Write one JSON object a line: `time` (seconds since the epoch) first, then the columns (None: every field).

    Raw values, unknown is null, in ASCII, so that no control character gets through. An event has a time of its own,
    which is the one shown. KeyError for a column the view does not have.
    """
    fields = [view.field(name) for name in columns or view.fields]
    times = view.fields.get("time", Field("time", "", Kind.TIME, 0, "", lambda _row, _now: time))
    fields = [times, *(field for field in fields if field.name != "time")]
    encoders = [_encoder(field.kind) for field in fields]
    for block in _blocks(rows):
        pieces: list[str] = []
        varying: list[Iterable[str]] = []
        for field, values, encode in zip(fields, _values(fields, block, now), encoders, strict=True):
            same = values.count(values[0]) == len(values)
            texts = encode(values[:1] if same else values)
            pieces.append(f'"{field.name}":' + (next(iter(texts)).replace("%", "%%") if same else "%s"))
            if not same:
                varying.append(texts)
        line = "{" + ",".join(pieces) + "}\n"
        write("".join(map(line.__mod__, zip(*varying, strict=True))) if varying else line % () * len(block))


def _values(fields: Sequence[Field], rows: Sequence[Any], now: float) -> Iterator[Sequence[Any]]:
    """The values of each field, a column at a time; those that stand in a tuple of the row are turned over with it."""
    parts = {field.member[0] for field in fields if field.member}
    tuples = {part: map(attrgetter(part), rows) if part else rows for part in parts}
    members = {part: list(zip(*tuples[part], strict=True)) for part in parts}
    for field in fields:
        if field.member:
            part, place = field.member
            yield members[part][place]
        else:
            yield list(map(field.get, rows, repeat(now)))


def _blocks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(rows)
    while block := list(islice(source, _BLOCK)):
        yield block


_COMPACT = json.JSONEncoder(separators=(",", ":"))


class _Strings(dict[Any, str]):
    """text → its JSON: most columns hold few different texts."""

    def __missing__(self, text: str) -> str:
        encoded = self[text] = encode_basestring_ascii(text)
        return encoded


def _encoder(kind: Kind) -> Callable[[Sequence[Any]], Iterable[str]]:
    """What makes JSON of the values of one column.

    By column, because `json.dumps` of a dict for each of 42,000 rows of 55 fields takes twice as long."""
    if kind is Kind.LIST:
        return _lists
    if kind.numeric:
        return _numbers
    known = _Strings({None: "null"})
    return lambda values: map(known.__getitem__, values)


_dumps = json.JSONEncoder(separators=(",", ":")).encode


_BETWEEN = ',"\\u0000",'


def _lists(values: Sequence[Any]) -> list[str]:
    """As `_numbers`, with a text in between that inside another text would have its quotation marks escaped."""
    return _dumps(list(chain.from_iterable(zip(values, repeat("\0")))))[1 : -len(_BETWEEN)].split(_BETWEEN)


def _numbers(values: Sequence[Any]) -> list[str]:
    """Numbers, true, false and null hold no comma: the encoder, which runs in C, may take them all at once."""
    return _dumps(values)[1:-1].split(",")
