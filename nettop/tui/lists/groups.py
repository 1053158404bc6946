"""Rows grouped by what they have in common, each group a row with its sums.

A group's sums follow its rows one change at a time. Work that is given up half way does no harm: every row remembers
what was counted of it, so that going on later takes away exactly what was added.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Set
from typing import Any

from nettop.fields import MACHINE, Value, has_several
from nettop.machines import machine_of, machine_of_row, own_number
from nettop.snapshot import Snapshot
from nettop.tui.lists.groupings import COUNTED, By, GroupRow, Holder, Key, view_of_groups
from nettop.tui.lists.marks import Sight, Test
from nettop.tui.lists.pace import Pace
from nettop.tui.lists.panes import Pane, User
from nettop.tui.lists.scopes import Scope
from nettop.tui.lists.sums import NOTHING


class GroupPane(Pane):
    """The groups of another pane's rows that pass its filter. They have a filter and an order of their own."""

    def __init__(self, members: Pane, by: By) -> None:
        super().__init__(view_of_groups(members.view, by))
        self.by = by
        self.members = members
        """The pane whose rows are grouped."""
        self._counted = COUNTED[members.view.table]
        self._key = by.keys[members.view.table]
        self._name = members.view.fields[by.common].get if by.named else None
        self._machine = members.view.fields[MACHINE.name].get if by.local and has_several(members.view) else None
        self._groups: dict[Value, GroupRow] = {}
        self._held: dict[tuple[Value, Holder], int] = {}  # how many rows of a group a process holds
        self._in: dict[int, Any] = {}  # row id → the row as it was counted
        self._next = 0
        self._counted_sequence = -1
        self._counted_asked = -1

    @property
    def notes(self) -> list[str]:
        whose = [f"of {self.members.filter_text}"] if self.members.filter_text else []
        return [f"by {self.by.name}", *whose, *super().notes]

    def set_sight(self, sight: Sight) -> None:
        """What is left out of the rows is left out of the groups."""
        self.sight = sight
        self.members.set_sight(sight)
        self._ask()

    def set_user(self, user: User | None) -> None:
        """Group the rows of that user only, or those of everybody."""
        self.user = user
        self.members.set_user(user)
        self._ask()

    def rows_of(self, group: GroupRow) -> list[Any]:
        """The rows of a group that are counted in it."""
        return [row for row in self._in.values() if self._key(row) == group.value]

    def scope_of(self, group: GroupRow) -> Scope:
        """One group: its rows in every view that can tell them."""
        value = group.value

        def same(key: Key) -> Test:
            return lambda row: key(row) == value

        tests = {table: same(key) for table, key in self.by.keys.items()}
        # which processes talk to a remote host their rows do not tell: it is those that do when it is opened
        holders = frozenset(holder for of, holder in self._held if of == value)
        tests.setdefault("processes", lambda row: row.process.key in holders)
        pids = frozenset((machine_of(start_time), pid) for pid, start_time in holders)
        tests.setdefault("events", lambda event: (machine_of_row(event), event.pid) in pids)
        label = "-" if group.label is None else group.label
        return Scope(f"{self.by.name}={label}", tests).within(self.members.scope)

    def _narrow(self) -> None:
        """What rows must pass is asked of the members; every group that has some is shown."""

    def _read(self, snapshot: Snapshot) -> Generator[None, None, tuple[Mapping[int, Any], Set[int]]]:
        members, now = self.members, snapshot.time
        rows: Mapping[int, Any] = getattr(snapshot, members.view.table)
        test, query = members.test, members.query
        changed = self._uncounted(snapshot, rows)
        yield
        pace = Pace()
        for row_id in changed:
            row, before = rows.get(row_id), self._in.get(row_id)
            if row is not None and not ((test is None or test(row)) and (query is None or query.matches(row, now))):
                row = None
            if row is not before:
                self._recount(row_id, before, row)
            if pace.spent:
                yield
        self._count_made(snapshot)
        self._counted_sequence, self._counted_asked = snapshot.sequence, members.asked
        groups = {group.id: group for group in self._groups.values()}
        yield
        return groups, (yield from self._changes(snapshot, groups))

    def _count_made(self, snapshot: Snapshot) -> None:
        """Note how many connections were made to each group, where nothing is left out."""
        key, members = self.by.keys.get("destinations"), self.members
        if key is None:
            return
        made: dict[Value, tuple[int, int]] = {}
        everything = members.scope is None and members.query is None and members.user is None
        for row in snapshot.destinations.values() if everything else ():
            opened, failed = made.get(key(row), (0, 0))
            made[key(row)] = opened + row.opened, failed + row.failed
        for value, group in self._groups.items():
            opened_failed = made.get(value, (0, 0)) if everything else (None, None)
            if (group.opened, group.failed) != opened_failed:
                self._groups[value] = group._replace(opened=opened_failed[0], failed=opened_failed[1])

    def _uncounted(self, snapshot: Snapshot, rows: Mapping[int, Any]) -> Iterable[int]:
        """Ids of the rows that may have to be counted anew, in another group or in none."""
        if self.members.asked != self._counted_asked or self.members.drifts:
            return {**self._in, **rows}
        told = snapshot.changed.get(self.members.view.table)
        if told is not None and snapshot.sequence == self._counted_sequence + 1:
            return told
        changed = [row_id for row_id, row in rows.items() if self._in.get(row_id) is not row]
        changed += self._in.keys() - rows.keys()
        return changed

    def _recount(self, row_id: int, before: Any | None, row: Any | None) -> None:
        """Count a row as it is now, and take away what was counted of it; None before it came and after it went.

        In that order, so that a group of one row stays the group it was.
        """
        if row is not None:
            self._count(row, 1)
            self._in[row_id] = row
        if before is not None:
            self._count(before, -1)
            if row is None:
                del self._in[row_id]

    def _label(self, row: Any, value: Value) -> Value:
        """What a group with this row is called."""
        if self._name is None or value is None:
            return value
        name = self._name(row, 0.0) or str(own_number(value) if isinstance(value, int) else value)
        return f"{name} on {self._machine(row, 0.0)}" if self._machine else name

    def _count(self, row: Any, sign: int) -> None:
        counted, value = self._counted, self._key(row)
        group = self._groups.get(value)
        if group is None:
            group = GroupRow(self._next, value, None, 0, NOTHING)
            self._next += 1
        processes = group.processes
        for holder in counted.holders(row):
            number = self._held.pop((value, holder), 0) + sign
            if number:
                self._held[value, holder] = number
            if not number or number == sign:
                processes += sign
        sums = group.sums.plus(counted.sums(row)) if sign > 0 else group.sums.minus(counted.sums(row))
        if sums.rows:
            label = group.label
            if sign > 0:
                label = self._label(row, value)
            self._groups[value] = group._replace(label=label, processes=processes, sums=sums)
        else:
            del self._groups[value]
