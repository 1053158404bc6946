"""What a collector has on its books of rows that hold sockets, and what that adds to the sums over those."""

from __future__ import annotations

from collections.abc import Mapping

from nettop.model import NO_TRAFFIC, Traffic


class Books:
    """The traffic of each row, as a Delta told it last."""

    def __init__(self) -> None:
        self.traffic: dict[int, Traffic] = {}
        self._unseen: dict[int, tuple[int, int]] = {}  # row → bytes since the last picture that no socket's row tells

    def take(self, rows: Mapping[int, Traffic]) -> None:
        """The collector tells these anew."""
        for row_id, told in rows.items():
            before, waiting = self.of(row_id), self._unseen.get(row_id, (0, 0))
            more = (told.rx_unseen - before.rx_unseen, told.tx_unseen - before.tx_unseen)
            if more != (0, 0):
                self._unseen[row_id] = (waiting[0] + more[0], waiting[1] + more[1])
        self.traffic.update(rows)

    def of(self, row_id: int) -> Traffic:
        """What is told of a row; `NO_TRAFFIC` itself where nothing is."""
        return self.traffic.get(row_id, NO_TRAFFIC)

    def rates(self, row_id: int, seen: tuple[float, float], elapsed: float | None) -> tuple[float, float]:
        """Bytes received and sent a second: those `seen` of sockets, and what moved in sockets too short to be seen."""
        if not elapsed or row_id not in self._unseen:
            return seen
        rx_more, tx_more = self._unseen[row_id]
        return seen[0] + rx_more / elapsed, seen[1] + tx_more / elapsed

    def drop(self, row_id: int) -> None:
        """A row is gone."""
        self.traffic.pop(row_id, None)
        self._unseen.pop(row_id, None)

    def close_picture(self) -> None:
        """What moves from here on belongs to the next picture."""
        self._unseen = {}
