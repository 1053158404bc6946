"""What a pane shows, without drawing it: a view, narrowed by scope and filter, in an order, with a cursor.

Work on 42,000 rows must never make a key wait, so it is a generator that yields every few milliseconds; whoever drives
it lets keys through in between, and what is on the screen changes only when it has finished. Between two pictures only
rows that changed are looked at: the rest is still filtered and still in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from nettop.fields import VIEWS, Kind, View
from nettop.order import Order, parse_sort
from nettop.query import Query, parse
from nettop.snapshot import NamespaceRow, ProcessRow, Snapshot

SLICE = 0.003
"""Seconds of work between two chances for a key to be handled."""
RUN = 2048
"""Rows sorted at a time, about as long as a slice; sorted runs are merged afterwards."""
HOLD = 3.0
"""Seconds the order holds after the cursor moved, so that rows do not run away from it."""

ORDERS = {"events": "-time"}
"""What a pane is sorted by at first, where not as in a plain view: a log grows at its end, a screen shows its top."""

Entry = tuple[bool, Any, int, int]
"""(known or not, sort value, rank and row id with the sign of the direction): sorts as the rows are shown."""


@dataclass(frozen=True)
class Scope:
    """What one has drilled into: the rows of each view that belong to it."""

    title: str
    tests: Mapping[str, Callable[[Any], bool]]
    """View name → does a row belong; a view that is not named is not narrowed."""


def process_scope(row: ProcessRow) -> Scope:
    """A process: the sockets it holds, first or not; its namespace."""
    key = row.process.key
    return Scope(
        f"{row.process.comm} ({row.process.pid})",
        {
            "connections": lambda c: any(owner.process == key for owner in c.owners),
            "processes": lambda p: p.process.key == key,
            "namespaces": lambda n: n.namespace.netns == row.process.netns,
        },
    )


def namespace_scope(row: NamespaceRow) -> Scope:
    """A network namespace: the processes and sockets inside."""
    netns, name = row.namespace.netns, row.namespace.name
    return Scope(
        # the breadcrumb begins with the machine, which is called host too
        name if name and row.namespace.kind != "host" else f"netns {name or netns}",
        {
            "connections": lambda c: c.socket.netns == netns,
            "processes": lambda p: p.process.netns == netns,
            "namespaces": lambda n: n.namespace.netns == netns,
        },
    )


class Pane:
    """One list of rows and where one is in it."""

    def __init__(self, view: View, scope: Scope | None = None) -> None:
        self.view = view
        self.test = scope.tests.get(view.name) if scope else None
        self.order: Order = parse_sort(ORDERS.get(view.name, view.sort), view)
        self.filter_text = ""
        self.query: Query | None = None
        self.rows: Mapping[int, Any] = {}
        """Every row of the view in the picture shown."""
        self.now = 0.0
        """The time of that picture, in seconds since the epoch."""
        self.ids: list[int] = []
        """The rows shown, in the order shown."""
        self.cursor: int | None = None
        """Id of the row under the cursor; None until one moves: the cursor is on the first row, whichever it is."""
        self.line = 0
        """Index of the cursor in `ids`."""
        self.top = 0
        """Index in `ids` of the first row on the screen."""
        self.scrolled = 0
        """Columns that are out of sight to the left."""
        self.hold = False
        """Asked by the user to leave the order alone."""
        self._held_until = 0.0
        self._entries: list[Entry] = []
        self._passing: dict[int, None] = {}  # a set of 42,000 would be three times as large
        self._sequence = -1
        self.first = True
        """The picture shown has no interval: see `fields.View.first`."""
        self.pending = True
        """Something was asked for that the list does not show yet."""
        self.asked = 0
        """Grows whenever something else is asked for."""

    # --- asking for something else ---

    def set_filter(self, text: str) -> None:
        """Show only rows that match; raises QueryError and keeps the last good filter where the text does not parse."""
        query = parse(text, self.view)
        self.filter_text, self.query = text.strip(), None if query.everything else query
        self._ask()

    def set_order(self, order: Order) -> None:
        self.order = order
        self._held_until = 0.0
        self._ask()

    def _ask(self) -> None:
        self.pending = True
        self.asked += 1

    @property
    def held(self) -> bool:
        """Rows stay where they are for now, whatever their values."""
        return self.hold or time.monotonic() < self._held_until

    # --- moving ---

    @property
    def row(self) -> Any | None:
        """The row under the cursor."""
        return self.rows.get(self.ids[self.line]) if self.ids else None

    def move(self, lines: int) -> None:
        """Move the cursor that many rows, as far as there are any."""
        self.move_to(self.line + lines)

    def move_to(self, line: int) -> None:
        if not self.ids:
            return
        self.line = max(0, min(line, len(self.ids) - 1))
        self.cursor = self.ids[self.line]
        self._held_until = time.monotonic() + HOLD

    def scroll(self, height: int) -> None:
        """Bring the cursor into a window of that many rows, moving the window as little as possible."""
        last = max(0, len(self.ids) - height)
        self.top = max(0, min(self.top, self.line, last), min(self.line - height + 1, last))

    # --- following the pictures ---

    def update(self, snapshot: Snapshot) -> Iterator[None]:
        """Bring the pane up to a picture; yields whenever a few milliseconds have been used.

        What the pane shows changes at the very end; giving up before leaves it as it was. Whoever drives this gives up
        when `asked` has changed meanwhile: the work is for a question nobody asks any more.
        """
        rows: Mapping[int, Any] = getattr(snapshot, self.view.name)
        whole = self.pending or self._drifts
        changed = rows.keys() if whole else self._changes(snapshot, rows)
        yield
        kept: list[Entry] = []
        passing: dict[int, None] = {}
        sign = -1 if self.order.descending else 1
        if not whole:
            outdated = {sign * row_id for row_id in changed}
            kept = [entry for entry in self._entries if entry[-1] not in outdated]
            yield
            passing = {row_id: None for row_id in self._passing if row_id not in changed}
            yield
        fresh: list[Entry] = []
        test, query, entry_of, now = self.test, self.query, _entry_maker(self.order, self.view.rank), snapshot.time
        pace = _Pace()
        for row_id in changed:
            row = rows.get(row_id)
            if row is not None and (test is None or test(row)) and (query is None or query.matches(row, now)):
                fresh.append(entry_of(row_id, row, now))
                passing[row_id] = None
            if pace.spent:
                yield
        entries = yield from _merge(kept, fresh, self.order.descending)
        yield
        ids = [sign * entry[-1] for entry in entries]
        yield
        if self.held and self.ids:
            ids = _in_place(self.ids, self._passing, ids, passing)
        self._entries, self._passing, self._sequence = entries, passing, snapshot.sequence
        self.rows, self.now, self.ids, self.pending = rows, now, ids, False
        self.first = snapshot.interval is None
        self._find_cursor()

    @property
    def _drifts(self) -> bool:
        """Time alone changes what matches or how it is sorted."""
        spans = [field.name for field in self.view.fields.values() if field.kind is Kind.SECONDS]
        return self.order.field.name in spans or any(name in self.filter_text for name in spans)

    def _changes(self, snapshot: Snapshot, rows: Mapping[int, Any]) -> Set[int]:
        """Ids of rows that are new, different or gone since the picture shown."""
        if snapshot.sequence == self._sequence:
            return frozenset()
        told = snapshot.changed.get(self.view.name)
        if told is not None and snapshot.sequence == self._sequence + 1:
            return told
        changed = {row_id for row_id, row in rows.items() if self.rows.get(row_id) is not row}
        changed.update(self.rows.keys() - rows.keys())
        return changed

    def _find_cursor(self) -> None:
        """Put the cursor onto its row; where that is gone, onto the one now on its line."""
        if self.cursor is None:
            self.line = 0
        elif self.cursor in self._passing:
            self.line = self.ids.index(self.cursor)
        elif self.ids:
            self.line = min(self.line, len(self.ids) - 1)
            self.cursor = self.ids[self.line]
        else:
            self.line, self.cursor = 0, None


class _Pace:
    """Tells when a slice of work has used its time."""

    def __init__(self) -> None:
        self._until = time.perf_counter() + SLICE

    @property
    def spent(self) -> bool:
        """True once per slice, when its time is over; the next slice begins then."""
        now = time.perf_counter()
        if now < self._until:
            return False
        self._until = now + SLICE
        return True


def _entry_maker(order: Order, rank: Callable[[Any], int]) -> Callable[[int, Any, float], Entry]:
    """What makes the entry of a row: known values before unknown ones in either direction, then the lower rank and the
    lower id."""
    key, descending = order.key(), order.descending
    sign = -1 if descending else 1

    def entry(row_id: int, row: Any, now: float) -> Entry:
        value = key(row, now)
        if value is None:
            return (not descending, 0, sign * rank(row), sign * row_id)
        return (descending, value, sign * rank(row), sign * row_id)

    return entry


def _in_place(
    shown: list[int], were: Mapping[int, None], in_order: list[int], passing: Mapping[int, None]
) -> list[int]:
    """The rows that pass, those shown before where they were, new ones after them."""
    if were.keys() == passing.keys():
        return shown
    new = passing.keys() - were.keys()
    return [row_id for row_id in shown if row_id in passing] + [row_id for row_id in in_order if row_id in new]


def _merge(kept: list[Entry], fresh: list[Entry], descending: bool) -> Generator[None, None, list[Entry]]:
    """Rows in order and rows in none become one list in order, in slices.

    Python's sort finds the two runs and merges them in linear time, so no step takes longer than one pass.
    """
    runs = []
    for start in range(0, len(fresh), RUN):
        runs.append(sorted(fresh[start : start + RUN], reverse=descending))
        yield
    while len(runs) > 1:
        pairs = [runs[index : index + 2] for index in range(0, len(runs), 2)]
        runs = []
        for pair in pairs:
            runs.append(sorted(chain.from_iterable(pair), reverse=descending))
            yield
    merged = kept + runs[0] if runs else kept
    merged.sort(reverse=descending)
    return merged


@dataclass
class Level:
    """One step of drilling down: its panes, each with its own filter, order and cursor."""

    scope: Scope | None
    active: str
    panes: dict[str, Pane] = field(default_factory=dict)

    @property
    def pane(self) -> Pane:
        """The pane one looks at; made when it is first asked for."""
        if self.active not in self.panes:
            self.panes[self.active] = Pane(VIEWS[self.active], self.scope)
        return self.panes[self.active]


class Levels:
    """Where one is: the whole machine, or some steps into it."""

    def __init__(self, view: str) -> None:
        self._stack = [Level(None, view)]

    @property
    def level(self) -> Level:
        return self._stack[-1]

    @property
    def pane(self) -> Pane:
        return self.level.pane

    def open(self, view: str) -> None:
        """Look at another view of the same scope."""
        self.level.active = view

    def drill(self) -> bool:
        """Go into the row under the cursor; False where there is nothing to go into."""
        row = self.pane.row
        if isinstance(row, ProcessRow):
            self._stack.append(Level(process_scope(row), "connections"))
        elif isinstance(row, NamespaceRow):
            self._stack.append(Level(namespace_scope(row), "connections"))
        else:
            return False
        return True

    def back(self) -> bool:
        """Up one step, to where one was; False at the top."""
        if len(self._stack) == 1:
            return False
        self._stack.pop()
        return True

    @property
    def trail(self) -> list[str]:
        """The breadcrumb: the scopes from the outermost to the one one is in, empty for the whole machine."""
        return [level.scope.title for level in self._stack if level.scope]
