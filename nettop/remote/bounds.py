"""How much a far end may claim: its picture must fit into memory, whatever it says.

Lines are bounded by `wire`, one by one; what they say together is here. Of each row it is noted how much it takes
beside its numbers, which takes 5 MB for 42,000 sockets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nettop import wire
from nettop.model import COMPANIONS, TABLES, Delta, Event

MOST_ROWS = 1_000_000
"""In all tables together."""
MOST_TEXT = 256 << 20
"""Characters in all rows together, an owner counted as `_ITEM` of them."""
LONGEST_EVENT = 3 * 4096
"""Characters of one event: a command line is cut at 4,096 where it is read."""
_ITEM = 64

_PASSING = frozenset(("stats", "closed", "nat", "datagrams"))
"""Tables whose rows are kept for a socket only, and say little."""


class Bounds:
    """What one stream has claimed so far."""

    def __init__(self) -> None:
        self._sizes: dict[str, dict[int, int]] = {table: {} for table in TABLES if table not in _PASSING}
        self._text = 0

    def check(self, delta: Delta) -> None:
        """Take in what the next Delta claims. Raises `wire.WireError` where it is too much."""
        if delta.key:
            for sizes in self._sizes.values():
                sizes.clear()
            self._text = 0
        for table, (rows, gone) in delta.changes.items():
            if table in _PASSING:
                continue
            for name in (table, *COMPANIONS.get(table, ())):
                sizes = self._sizes.get(name, {})
                self._text -= sum(sizes.pop(row_id, 0) for row_id in gone)
            sizes, columns = self._sizes[table], _COLUMNS[table]
            for row_id, row in rows.items():
                size = _size(row, columns)
                self._text += size - sizes.get(row_id, 0)
                sizes[row_id] = size
        if self._text > MOST_TEXT:
            raise wire.WireError(f"it claims more than {MOST_TEXT >> 20} MB of names")
        if sum(map(len, self._sizes.values())) > MOST_ROWS:
            raise wire.WireError(f"it claims more than {MOST_ROWS:,} rows")
        if any(_size(event, _EVENT) > LONGEST_EVENT for event in delta.events):
            raise wire.WireError(f"it tells of an event in more than {LONGEST_EVENT} characters")


def _long(row: type[Any]) -> tuple[int, ...]:
    """Places of the columns that are texts, or lists."""
    hints = (str(getattr(hint, "__forward_arg__", hint)) for hint in row.__annotations__.values())
    return tuple(place for place, hint in enumerate(hints) if "str" in hint or "Tuple" in hint)


def _size(row: Sequence[Any], columns: Sequence[int]) -> int:
    """Characters of a row, or what is as long."""
    size = 0
    for place in columns:
        value = row[place]
        if value:
            size += len(value) if isinstance(value, str) else sum(map(_item, value))
    return size


def _item(value: Any) -> int:
    return _ITEM + (len(value) if isinstance(value, str) else 0)


_COLUMNS: Mapping[str, Sequence[int]] = {table: _long(row) for table, row in TABLES.items()}
_EVENT = _long(Event)
