"""What a collector tells of some namespaces: whatever else runs on this machine must not be in the figures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nettop.model import COMPANIONS, Change, Delta, Event

_BY_NETNS = ("namespaces", "interfaces", "processes", "sockets", "destinations")
"""Tables whose rows say in which namespace they are; of the others, most rows concern all the machine."""


class Inside:
    """Leaves out of a stream what is in other namespaces: rows, and events of others' processes."""

    def __init__(self, namespaces: Collection[int]) -> None:
        """Of these inodes."""
        self._namespaces = namespaces
        self._kept: dict[str, set[int]] = {table: set() for table in (*_BY_NETNS, "containers")}
        self._pids: set[int] = set()

    def take(self, delta: Delta) -> Delta:
        """What is left of the next Delta."""
        changes = {**delta.changes}
        for table in _BY_NETNS:
            if table in changes:
                changes[table] = self._part(table, changes[table])
        if "processes" in changes:
            processes = changes["processes"].rows.values()
            self._pids.update(row.pid for row in processes)
            self._kept["containers"].update(row.belongs for row in processes if row.belongs is not None)
        for table, ids in self._kept.items():
            for companion in COMPANIONS.get(table, ()):
                if companion in changes:
                    rows, gone = changes[companion]
                    changes[companion] = Change({i: row for i, row in rows.items() if i in ids}, gone)
        told = {table: change for table, change in changes.items() if change.rows or change.gone}
        return delta._replace(changes=told, events=tuple(filter(self._concerns, delta.events)))

    def _part(self, table: str, change: Change) -> Change:
        kept = self._kept[table]
        rows: dict[int, Any] = {i: row for i, row in change.rows.items() if row.netns in self._namespaces}
        kept.update(rows)
        gone = [row_id for row_id in change.gone if row_id in kept]
        kept.difference_update(gone)
        return Change(rows, gone)

    def _concerns(self, event: Event) -> bool:
        return event.pid in self._pids or event.ppid in self._pids
