"""What nettop costs the machine it looks at; the coverage line tells."""

from __future__ import annotations

import time

from nettop.snapshot import Snapshot
from nettop.tui.drawing.status import OwnCost


class OwnUse:
    """What nettop uses: its collector, told by the picture, and this process."""

    def __init__(self) -> None:
        self.cost = OwnCost(None, 0)
        """Of both processes, as of the last picture."""
        self._before: tuple[float, float] | None = None

    def tick(self, snapshot: Snapshot, memory: int) -> None:
        """Once a picture; `memory` of this process, in bytes."""
        used, at = time.process_time(), time.monotonic()
        collector = snapshot.rates.collector_cpu
        cpu = None
        if self._before and collector is not None and at > self._before[1]:
            cpu = collector + 100 * (used - self._before[0]) / (at - self._before[1])
        self._before = used, at
        self.cost = OwnCost(cpu, memory + (snapshot.host.collector_memory if snapshot.host else 0))
