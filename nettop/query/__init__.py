"""Filters: text → syntax tree → one fast predicate over the rows of a view.

The grammar, the same on the screen, for `--filter` and in the config::

    expr  := and ("or" and)* ;  and := not (["and"] not)* ;  not := ["!" | "not"] atom
    atom  := "(" expr ")" | field op value | word | "quoted words" | /regex/
    op    := ":" contains | "=" | "!=" | "~" regex | "<" | "<=" | ">" | ">="
    value := text | number[unit] | CIDR | low-high | v1,v2,v3

What it means, where the grammar leaves it open:

- Text is compared smart-case throughout: an upper-case letter in the filter makes case count.
- `:` on a number, a port or a time is `=`; on an address it also takes a CIDR.
- An unknown value satisfies no comparison but `field=-` and `field!=x`; `!=` is always the opposite of `=`.
- Quotes take away every special meaning: `comm="-"` is a dash, `"or"` a word, `comm="a,b"` one name.
- A bare word is looked for in every visible text column; all digits, it also is a visible port; an address with a
  prefix or port (`10.0.0.0/8`, `10.0.0.1:443`, `:443`) is either end of a connection.
- Sizes and rates count in 1024 (`1MB` = `1M` = `1MiB`), as they are shown. Times of day are local, `-5m` is ago.
- `netns` is a number or a name. In the connections view ss's words parse as they are: see `nettop.query.ss`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from nettop.fields import View
from nettop.query import ss
from nettop.query.compiler import compile_tree
from nettop.query.syntax import And, QueryError, parse_tree, words

__all__ = ["MAX_LENGTH", "Query", "QueryError", "parse"]

MAX_LENGTH = 4096
"""Characters in a filter."""


@dataclass(frozen=True, slots=True)
class Query:
    """A filter that parsed."""

    text: str
    everything: bool
    """It has no condition: every row passes."""
    matches: Callable[[Any, float], bool]
    """(row, seconds since the epoch of its picture) → whether the row passes. QueryError where a regular expression
    takes too long for its text."""
    words: tuple[str, ...] = ()
    """What a row that passes may be recognised by where it is shown: the texts that are looked for."""

    def filter(self, rows: Iterable[Any], now: float) -> list[Any]:
        """The rows that pass, in the order they came."""
        if self.everything:
            return list(rows)
        matches = self.matches
        return [row for row in rows if matches(row, now)]


def parse(text: str, view: View, columns: Iterable[str] | None = None) -> Query:
    """The filter for rows of that view; QueryError says what is wrong with the text, and where.

    `columns` are the visible ones, by name, where they are not the view's own: bare words look there.
    """
    try:
        if len(text) > MAX_LENGTH:
            raise QueryError(f"longer than {MAX_LENGTH} characters", MAX_LENGTH)
        tree = parse_tree(text, ss_words=ss.understood_by(view))
        if tree == And(()):
            return Query(text, True, _always)
        return Query(text, False, compile_tree(tree, view, view.columns if columns is None else columns), words(tree))
    except QueryError as error:
        error.text = text
        raise


def _always(_row: Any, _now: float) -> bool:
    return True
