"""What became of the connections made to each address and port, by namespace: those no dump has seen included.

Sums over rows cannot tell it: most short connections are gone before anybody could look, and a refused connect leaves
hardly more than its message. Kept of what was opened, failed or ended since the collector began, and only of the
`MOST` destinations used last: 40,000 connections that stay cost nothing.
"""

from __future__ import annotations

import collections
from typing import Iterable, List, NamedTuple, Optional, Set, Tuple

from nettop.collector.outbox import Outbox
from nettop.collector.traffic import Moved
from nettop.model import Destination, Socket

MOST = 4_000
"""Destinations kept: 1.5 MB."""

_Where = Tuple[int, Optional[str], Optional[int]]


class _Counts(NamedTuple):
    """What is kept of one destination."""

    row: int
    sums: List[int]
    """As in `model.Destination`, behind what it is called."""


_SUMS = Destination._fields[3:]  # behind namespace, address and port
_PLACES = {name: place for place, name in enumerate(_SUMS)}


class Destinations:
    """Counters in the outbox, by where a connection was made to."""

    def __init__(self, outbox: Outbox, most: int = MOST) -> None:
        self._outbox = outbox
        self._most = most
        self._kept: "collections.OrderedDict[_Where, _Counts]" = collections.OrderedDict()  # the last used is the last
        self._changed: Set[_Where] = set()

    def count(self, what: str, socket: Socket) -> None:
        """One connection more was `opened`, or `failed`."""
        self._of(socket)[_PLACES[what]] += 1

    def settle(self, socket: Socket, figures: Moved) -> None:
        """A connection has ended, and moved that much."""
        sums = self._of(socket)
        for name, figure in zip(Moved._fields, figures):
            sums[_PLACES[name]] += figure

    def forget(self, netns: int) -> None:
        """A namespace is gone."""
        for where in [where for where in self._kept if where[0] == netns]:
            self._drop(where)

    def publish(self) -> None:
        """Put what changed into the outbox."""
        told: Iterable[Tuple[_Where, _Counts]] = [(where, self._kept[where]) for where in self._changed]
        self._outbox.put_all("destinations", [(row, Destination(*where, *sums)) for where, (row, sums) in told])
        self._changed = set()

    def _of(self, socket: Socket) -> List[int]:
        where = (socket.netns, socket.remote, socket.rport)
        counts = self._kept.get(where)
        if counts is None:
            counts = self._kept[where] = _Counts(self._outbox.new_id(), [0] * len(_SUMS))
            if len(self._kept) > self._most:
                self._drop(next(iter(self._kept)))
        else:
            self._kept.move_to_end(where)
        self._changed.add(where)
        return counts.sums

    def _drop(self, where: _Where) -> None:
        self._changed.discard(where)
        self._outbox.drop("destinations", self._kept.pop(where).row)
