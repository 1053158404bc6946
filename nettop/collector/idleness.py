"""Which namespaces need no look: with hundreds of them, listing the sockets of those where nothing happens would be
nearly all that a tick costs.

What happens to a TCP or UDP socket shows elsewhere first: packets in the counters of interfaces, loopback among them;
sockets bound, connected or closed in the counts of sockets; closed ones in messages of the kernel. Left over are
queues that a program empties, so a namespace is looked at for as long as one of its queues holds something; and what
has no trace at all, a UDP socket connected anew or an option set, so each is looked at every `IDLE_EVERY` ticks in any
case.
"""

from __future__ import annotations

from typing import Optional, Set

from nettop.kernel.inet_diag import Found
from nettop.kernel.sockstat import Counts

IDLE_EVERY = 30
SLOW_IDLE_EVERY = 4 * IDLE_EVERY
"""The same for protocols without traffic, which take most of a look."""


class Idleness:
    """What is known of one namespace."""

    def __init__(self) -> None:
        self._counts: Optional[Counts] = None
        self._listed: Optional[bytes] = None  # how many sockets there were when all protocols were listed
        self._queued: Set[int] = set()  # rows of TCP and UDP sockets with something in a queue
        self._calm = False
        self._owing = False

    def stir(self) -> None:
        """Something has happened there."""
        self._calm = False

    def due(self, counts: Counts, moved: bool, slow: bool) -> bool:
        """Whether to look. `counts` are those of its sockets now, `moved` says that an interface counted something,
        `slow` that it is the turn of the protocols without traffic too: these are listed if sockets came or went, or
        anything happened, since they were listed last."""
        before, self._counts = self._counts, counts
        if before is None:  # the first picture listed everything
            self._listed = counts.used
        if moved or not self._calm or self._queued or (before is not None and before.in_use != counts.in_use):
            self._owing = True
            return True
        return slow and (self._owing or counts.used != self._listed)

    def begin(self, slow: bool) -> None:
        """A look begins, at all protocols if `slow`."""
        self._calm = True
        if slow:
            self._owing = False
            self._listed = self._counts.used if self._counts else None

    def note(self, found: Found) -> None:
        """What a table said in this look. After news one more follows."""
        if found.sockets or found.stats or found.gone:
            self._calm = False
        if not found.proto:  # neither TCP nor UDP
            return
        queued = self._queued
        for row, stats in found.stats:
            if stats.recvq or (stats.sendq and stats.state != "LISTEN"):
                queued.add(row)
            else:
                queued.discard(row)
        if queued and found.gone:
            queued.difference_update(found.gone)
