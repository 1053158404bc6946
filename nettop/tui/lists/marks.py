"""What has changed since a moment one has marked, and what is left out of every list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nettop.snapshot import Connection, ContainerRow, NamespaceRow, ProcessRow, Snapshot

Change = Literal["new", "gone", "grown"]
"""Of the names in `theme.Signs`."""

Test = Callable[[Any], bool]


class Since:
    """The rows of one view as they were at the mark, and how others differ from them."""

    def __init__(self, before: Mapping[int, Any], moved: Callable[[Any], int]) -> None:
        self._before = before
        self._moved = moved

    def with_gone(self, rows: Mapping[int, Any]) -> Mapping[int, Any]:
        """The rows of a picture, and those of the mark that it has no more."""
        return {**rows, **{row_id: self._before[row_id] for row_id in self._before.keys() - rows.keys()}}

    def change(self, row_id: int, row: Any, rows: Mapping[int, Any]) -> Change | None:
        """What became of a row by the picture that has these rows; None where nothing did that one looks for."""
        before = self._before.get(row_id)
        if before is None:
            return "new"
        if row_id not in rows:
            return "gone"
        if row is before:
            return None
        if has_ended(row):
            return None if has_ended(before) else "gone"
        return "grown" if self._moved(row) > self._moved(before) else None


@dataclass(frozen=True, eq=False)
class Mark:
    """A moment to compare with. It keeps its picture, of which all that has not changed is shared with the newest."""

    picture: Snapshot

    @property
    def time(self) -> float:
        """Seconds since the epoch."""
        return self.picture.time

    def of(self, table: str) -> Since | None:
        """What it says of a table of `Snapshot`; None for what is no list of things that come and go."""
        moved = _MOVED.get(table)
        return Since(getattr(self.picture, table), moved) if moved else None


@dataclass(frozen=True)
class Sight:
    """What all lists leave out alike, whatever their filters."""

    ended: bool = True
    """Rows of what is no more are shown."""
    kernel: bool = True
    """Kernel threads are shown."""
    mark: Mark | None = None
    """Only what changed since is shown."""

    def since(self, table: str) -> Since | None:
        """What the mark says of a table; None where there is none."""
        return self.mark.of(table) if self.mark else None

    def tests(self, table: str) -> list[Test]:
        """What a row of a table of `Snapshot` must pass, the mark aside."""
        tests: list[Test] = []
        if not self.ended:
            tests.append(lambda row: not has_ended(row))
        if not self.kernel and table == "processes":
            tests.append(lambda row: not row.process.kernel)
        return tests


def has_ended(row: Any) -> bool:
    """It is shown for a while after its end."""
    return isinstance(row, Connection | ProcessRow | ContainerRow) and row.ended


def _connection_bytes(row: Connection) -> int:
    return (row.stats.rx_bytes or 0) + (row.stats.tx_bytes or 0)


def _holder_bytes(row: ProcessRow | ContainerRow) -> int:
    return (row.rx_bytes or 0) + (row.tx_bytes or 0)


def _namespace_bytes(row: NamespaceRow) -> int:
    return sum(counters.rx_bytes + counters.tx_bytes for _, counters in row.interfaces if counters)


_MOVED: Mapping[str, Callable[[Any], int]] = {
    "connections": _connection_bytes,
    "processes": _holder_bytes,
    "namespaces": _namespace_bytes,
    "containers": _holder_bytes,
}
"""Table → the bytes a row of it has moved so far."""
