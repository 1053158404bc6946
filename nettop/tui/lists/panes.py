"""What a pane shows, without drawing it: a view, narrowed by scope and filter, in an order, with a cursor.

Work on 42,000 rows must never make a key wait, so it is a generator that yields every few milliseconds; whoever drives
it lets keys through in between, and what is on the screen changes only when it has finished. Between two pictures only
rows that changed are looked at: the rest is still filtered and still in order.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Set
from typing import Any, NamedTuple

from nettop import format as text
from nettop.fields import Kind, View
from nettop.order import Order, parse_sort
from nettop.query import Query, QueryError, parse
from nettop.snapshot import Snapshot
from nettop.tui.lists.entries import Entry, EntryMaker, entry_maker, ids_of, in_place, let_go, merged
from nettop.tui.lists.marks import Sight, Test
from nettop.tui.lists.pace import Pace, portions
from nettop.tui.lists.scopes import Scope
from nettop.tui.lists.search import Search
from nettop.tui.lists.shown import Shown
from nettop.tui.lists.tree import Tree

ORDERS = {"events": "-time"}
"""What a pane is sorted by at first, where not as in a plain view: a log grows at its end, a screen shows its top."""

LOG = "events"
"""The table whose rows never change places."""


class User(NamedTuple):
    """Whose rows are shown."""

    uid: int
    name: str


class Pane(Shown):
    """One list of rows and where one is in it."""

    def __init__(self, view: View, scope: Scope | None = None) -> None:
        super().__init__(log=view.table == LOG)
        self.view = view
        self.scope = scope
        self.sight = Sight()
        self.test: Test | None = None
        """What a row must pass besides the filter; None where every row does."""
        self.user: User | None = None
        """Only rows of that user are shown."""
        self.columns: tuple[str, ...] | None = None
        """The fields shown, where not the view's own."""
        self.order: Order = parse_sort(ORDERS.get(view.name, view.sort), view)
        self.filter_text = ""
        self.query: Query | None = None
        self._last_good: tuple[str, Query | None] = ("", None)
        """The filter of the rows shown."""
        self.search: Search | None = None
        """What is looked for among the rows without hiding the others."""
        self.as_tree = False
        self.tree = Tree()
        self._ordered: list[int] = []  # what passes, in order; the same object as `ids` unless there is a tree
        self._entries: list[Entry] = []
        self._sequence = -1
        self.first = True
        """The picture shown has no interval: see `fields.View.first`."""
        self.pending = True
        """Something was asked for that the list does not show yet."""
        self.asked = 0
        """Grows whenever something else is asked for."""
        self._outdated = True  # which rows pass, and their order, were asked for otherwise
        self._narrow()

    @property
    def notes(self) -> list[str]:
        notes = super().notes
        if self.sight.mark and self._since:
            notes.append(f"since {text.time_of_day(self.sight.mark.time)}")
        if not self.sight.ended:
            notes.append("ended left out")
        if not self.sight.kernel and self.view.table == "processes":
            notes.append("kernel left out")
        return notes

    # --- asking for something else ---

    def set_filter(self, text: str) -> None:
        """Show only rows that match; raises QueryError and keeps the last good filter where the text does not parse."""
        query = parse(text, self.view, self.columns)
        self.filter_text, self.query = text.strip(), None if query.everything else query
        self._ask()

    def set_user(self, user: User | None) -> None:
        """Show only rows of that user, or those of everybody."""
        self.user = user
        self._narrow()
        self._ask()

    def set_sight(self, sight: Sight) -> None:
        """Leave out what all lists leave out."""
        if sight != self.sight:
            self.sight, self._since = sight, sight.since(self.view.table)
            self._narrow()
            self._ask()

    def set_tree(self, as_tree: bool) -> None:
        """Show processes as a tree, or as a list."""
        self.as_tree = as_tree
        self._held_until = 0.0
        self._ask(afresh=False)

    def fold(self, ids: Set[int], closed: bool) -> None:
        """Fold the subtrees of these rows, or unfold them."""
        self.tree.folded = self.tree.folded | ids if closed else self.tree.folded - ids
        self._ask(afresh=False)

    def forget(self) -> None:
        """The rows to come have other ids."""
        self.tags, self.followed, self.cursor = {}, None, None
        self.tree.folded = set()
        self._ask()

    def _narrow(self) -> None:
        """Put together what a row must pass."""
        tests = self.sight.tests(self.view.table)
        if self.scope and self.view.table in self.scope.tests:
            tests.append(self.scope.tests[self.view.table])
        if self.user:
            uid, uid_of = self.user.uid, self.view.fields["uid"].get
            tests.append(lambda row: uid_of(row, 0.0) == uid)
        self.test = None if not tests else tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def set_columns(self, names: tuple[str, ...] | None) -> None:
        """Show these fields, or the view's own; that is also where the words of a filter are looked for."""
        if names != self.columns:
            self.columns, self.scrolled = names, 0
            self.set_filter(self.filter_text)

    def find(self, text: str, line: int) -> None:
        """Bring the cursor to the first row from that line on that matches, whichever it is; raises QueryError."""
        query = parse(text, self.view, self.columns)
        self.search = None if query.everything else Search(query, line)
        self.asked += 1

    def find_next(self, step: int) -> None:
        """Bring the cursor to the next row that matches what is looked for, upwards with a step of -1."""
        if self.search:
            self.search.go_on(self.line, step)
            self.asked += 1

    def set_order(self, order: Order) -> None:
        self.order = order
        self._held_until = 0.0
        self._ask()

    def _ask(self, *, afresh: bool = True) -> None:
        """Something is to be shown; `afresh` where other rows may pass, or stand in another order."""
        self.pending = True
        self.asked += 1
        self._outdated = self._outdated or afresh

    # --- following the pictures ---

    def update(self, snapshot: Snapshot) -> Iterator[None]:
        """Bring the pane up to a picture; yields whenever a few milliseconds have been used.

        What the pane shows changes at the very end; giving up before leaves it as it was. Whoever drives this gives up
        when `asked` has changed meanwhile: the work is for a question nobody asks any more. QueryError tells that the
        filter takes too long; the one before is in force again.
        """
        if self.search and self.search.wanted and not self.pending and snapshot.sequence == self._sequence:
            yield from self._seek()
            return
        live, changed = yield from self._read(snapshot)
        yield
        rows, since = live, self._since
        if since:
            rows = since.with_gone(live)
            yield
        whole = self._outdated or self.drifts
        if whole:
            changed = rows.keys()
        kept, passing = ([], {}) if whole else (yield from self._without(changed))
        now = snapshot.time
        entry_of = entry_maker(self.order, self.view.rank)
        fresh = yield from self._sift(changed, rows, live, now, entry_of)
        for some in portions((yield from ids_of(fresh, self.order.descending))):
            passing.update(dict.fromkeys(some))
            yield
        entries = yield from merged(kept, fresh, self.order.descending)
        ordered = yield from ids_of(entries, self.order.descending)
        held = self.held and bool(self._ordered)
        if held:
            ordered = yield from in_place(self._ordered, self._passing, ordered, passing)
        arranged = None
        if self.as_tree:
            place = None if held else lambda row_id, row: entry_of(row_id, row, now)
            arranged = yield from self.tree.arrange(ordered, rows, self.test, place, self.order.descending)
        yield
        before, self._entries, self._passing, self._sequence = self._entries, entries, passing, snapshot.sequence
        self._ordered, self.arranged, self.ids = ordered, arranged, arranged.ids if arranged else ordered
        self.rows, self._live, self.now, self.pending, self._outdated = rows, live, now, False, False
        self.first = snapshot.interval is None
        self._last_good = self.filter_text, self.query
        self.tags = {row_id: None for row_id in self.tags if row_id in rows}
        self._find_cursor()
        yield from let_go(before)
        yield from self._seek()

    def _seek(self) -> Iterator[None]:
        """Go to the row that is looked for, in slices."""
        if self.search:
            line = yield from self.search.seek(self.ids, self.rows, self.now)
            if line is not None:
                self.move_to(line)

    def _read(self, snapshot: Snapshot) -> Generator[None, None, tuple[Mapping[int, Any], Set[int]]]:
        """The rows of a picture by id, and the ids of those that are not as in the picture shown, in slices."""
        rows: Mapping[int, Any] = getattr(snapshot, self.view.table)
        yield
        return rows, (yield from self._changes(snapshot, rows))

    def _without(self, changed: Set[int]) -> Generator[None, None, tuple[list[Entry], dict[int, None]]]:
        """The entries and ids of the rows shown that are not among those that changed, in slices."""
        kept: list[Entry] = []
        passing: dict[int, None] = {}
        outdated = {-row_id for row_id in changed} if self.order.descending else changed
        pace = Pace()
        for entries in portions(self._entries):
            kept += [entry for entry in entries if entry[-1] not in outdated]
            if pace.spent:
                yield
        for ids in portions(self._passing):
            passing.update(dict.fromkeys([row_id for row_id in ids if row_id not in changed]))
            if pace.spent:
                yield
        return kept, passing

    def _sift(
        self, ids: Iterable[int], rows: Mapping[int, Any], live: Mapping[int, Any], now: float, entry_of: EntryMaker
    ) -> Generator[None, None, list[Entry]]:
        """The entries of those of the rows that are to be shown, in slices."""
        found: list[Entry] = []
        test, query, since = self.test, self.query, self._since
        pace = Pace()
        try:
            for row_id in ids:
                row = rows.get(row_id)
                if (
                    row is not None
                    and (test is None or test(row))
                    and (query is None or query.matches(row, now))
                    and (since is None or since.change(row_id, row, live))
                ):
                    found.append(entry_of(row_id, row, now))
                if pace.spent:
                    yield
        except QueryError:  # its regular expression takes too long
            self.filter_text, self.query = self._last_good
            self._last_good = "", None  # should that be what takes too long
            raise
        return found

    @property
    def drifts(self) -> bool:
        """Time alone changes what matches or how it is sorted."""
        spans = [field.name for field in self.view.fields.values() if field.kind is Kind.SECONDS]
        return self.order.field.name in spans or any(name in self.filter_text for name in spans)

    def _changes(self, snapshot: Snapshot, rows: Mapping[int, Any]) -> Generator[None, None, Set[int]]:
        """Ids of rows that are new, different or gone since the picture shown, in slices."""
        if snapshot.sequence == self._sequence:
            return frozenset()
        told = snapshot.changed.get(self.view.table)
        if told is not None and snapshot.sequence == self._sequence + 1:
            return told
        changed: set[int] = set()
        shown = self.rows
        for some in portions(rows.items()):
            changed.update([row_id for row_id, row in some if shown.get(row_id) is not row])
            yield
        changed.update(shown.keys() - rows.keys())
        return changed
