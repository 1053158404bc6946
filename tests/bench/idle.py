"""What hundreds of mostly idle namespaces cost the collector: the same processes and sockets in many and in one."""

from __future__ import annotations

import time
from typing import NamedTuple

from nettop.collector.collector import Collector
from tests.bench.lab import Lab
from tests.bench.lab_spec import LabSpec

MANY = LabSpec(
    processes=900, namespaces=300, tcp_pairs=1500, listeners=300, udp=300, unix_pairs=300, workers=1, active=0.0067
)
"""Of 300 namespaces 10 talk."""
ONE = MANY._replace(namespaces=1)

_WARM_UP, _TICKS = 10, 12
"""Ticks until what is idle is known to be, and ticks that are measured."""
_INTERVAL = 1.0


class Cost(NamedTuple):
    """Processor seconds of a tick of one a second."""

    many: float
    one: float

    @property
    def ratio(self) -> float:
        return self.many / self.one


def measure() -> Cost:
    """Make both labs, one after the other, and collect on each."""
    return Cost(_tick_cost(MANY), _tick_cost(ONE))


def _tick_cost(spec: LabSpec) -> float:
    with Lab(spec):
        collector = Collector()
        try:
            collector.start()
            due, before = time.monotonic(), 0.0
            for tick in range(_WARM_UP + _TICKS):
                if tick == _WARM_UP:
                    before = time.process_time()
                collector.tick()
                collector.take()
                due += _INTERVAL
                time.sleep(max(0.0, due - time.monotonic()))
            return (time.process_time() - before) / _TICKS
        finally:
            collector.close()
