"""What could not be read or was lost, why, and what would help: one row a source, gone when it is well again."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from nettop.collector.outbox import Outbox
from nettop.model import Health


def often(times: int) -> str:
    """That something happened so many times."""
    return "once" if times == 1 else f"{times:,} times"


class HealthBook:
    """The open complaints about sources, as rows of the health table."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._open: Dict[str, Tuple[int, Health]] = {}

    def report(self, source: str, status: str, reason: str, remedy: Optional[str] = None, times: int = 1) -> None:
        """Open a complaint, or renew it; see `model.Health` for the words."""
        row = Health(source, status, reason, remedy, times)
        row_id, known = self._open.get(source, (0, None))
        if known != row:
            row_id = row_id or self._outbox.new_id()
            self._open[source] = (row_id, row)
            self._outbox.put("health", row_id, row)

    def rows(self) -> List[Health]:
        """The open complaints, oldest first."""
        return [row for _, row in self._open.values()]

    def heal(self, source: str) -> None:
        """The source works again, or exists no more."""
        if source in self._open:
            self._outbox.drop("health", self._open.pop(source)[0])
