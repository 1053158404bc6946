"""When a collector looks next, and what is done between two looks: in a process of its own, and in a service."""

from __future__ import annotations

import gc
import time

from nettop.collector.collector import Collector
from nettop.collector.restraint import Restraint
from nettop.memory import give_back

TIDY_EVERY = 10.0
"""Seconds between two times that memory is given back: a storm of connections leaves some."""


class Pulse:
    """The time of the ticks; who drives the collector calls `rest` after each."""

    def __init__(self, collector: Collector, restraint: Restraint) -> None:
        self.due = time.monotonic()
        """When the next tick is, on the monotonic clock; the first one at once."""
        self._collector = collector
        self._restraint = restraint
        self._tidy = self.due

    def rest(self) -> None:
        """A tick is over and told of: read what nobody waits for, tidy up, set the time of the next one."""
        self._collector.read_links()
        if time.monotonic() >= self._tidy:  # 17 MB of messages from the kernel in the first tick, with 40,000 sockets
            give_back()
            self._tidy = time.monotonic() + TIDY_EVERY
        self._restraint.note(time.monotonic())
        self._collector.restrain(self._restraint.stretch, self._restraint.reason)
        self.due = max(self.due + self._restraint.pause, time.monotonic())
        gc.collect(0)

    def change(self, interval: float) -> None:
        """Tick every `interval` seconds from now on."""
        self.due = min(self.due, time.monotonic() + interval)
        self._restraint.interval = interval
