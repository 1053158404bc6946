"""Which namespaces need no look: with hundreds of them, listing the sockets of those where nothing happens would be
nearly all that a tick costs.

What happens to a TCP or UDP socket shows elsewhere first: packets in the counters of interfaces, loopback among them;
sockets bound, connected or closed in the counts of sockets; closed ones in messages of the kernel. Left over are
queues that a program empties, so a namespace is looked at for as long as one of its queues holds something; and what
leaves no trace at all and moves nothing: a UDP socket connected anew, a unix socket bound after a while, so these are
listed every `IDLE_EVERY` ticks in any case, 100 µs; and an option of a TCP socket set, which takes up to
`ALL_IDLE_EVERY`, as a list of everything takes 2 ms: TCP, and MPTCP twice, are looked for among all of the machine.
Where there are `MANY` namespaces, those at rest are asked for the counts of their sockets at every other tick.

Of 300 namespaces, 10 of which talk, a tick then costs 1.3 to 1.4 times what it does of the same sockets in one: 7 of
its 40 ms go to the TCP lists of those 10, 5 to the counters that tell of the other 290.
"""

from __future__ import annotations

import enum
from typing import Optional, Set

from nettop.kernel.inet_diag import Found
from nettop.kernel.sockstat import Counts

IDLE_EVERY = 30
ALL_IDLE_EVERY = 20 * IDLE_EVERY
MANY = 64


class Look(enum.Enum):
    """Which tables of a namespace are listed."""

    UNTOLD = "UDP, unix and packet sockets, where a change may have left no trace"
    TRAFFIC = "TCP and UDP"
    ALL = "every protocol"


class Idleness:
    """What is known of one namespace."""

    def __init__(self) -> None:
        self._counts: Optional[Counts] = None
        self._listed: Optional[bytes] = None  # how many sockets there were when all protocols were listed
        self._queued: Set[int] = set()  # rows of TCP and UDP sockets with something in a queue
        self._calm = False
        self._owing = False
        self._same = False  # as many sockets as when all protocols were listed
        self._others = True  # TCP or UDP sockets came or went since

    @property
    def resting(self) -> bool:
        """Nothing has happened in the last look, as far as it could tell."""
        return self._calm and not self._queued

    @property
    def settled(self) -> bool:
        """No socket of any protocol has come since all protocols were listed."""
        return self._same and not self._others

    def stir(self) -> None:
        """A socket has ended there."""
        self._calm = False
        self._others = True

    def due(self, counts: Counts, moved: bool, slow: bool) -> bool:
        """Whether to look. `counts` are those of its sockets now, `moved` says that an interface counted something,
        `slow` that it is the turn of the protocols without traffic too: these are listed if sockets came or went, or
        anything happened, since they were listed last."""
        before, self._counts = self._counts, counts
        if moved or not self.resting or (before is not None and before.in_use != counts.in_use):
            self._owing = True
            return True
        return slow and (self._owing or counts.used != self._listed)

    def begin(self, look: Look) -> None:
        """A look begins."""
        self._calm = True
        if look is Look.ALL:
            self._owing = False
            before, self._listed = self._listed, self._counts.used if self._counts else None
            self._same = before is not None and before == self._listed

    def end(self, look: Look) -> None:
        """It is over."""
        if look is Look.ALL:
            self._others = False

    def note(self, found: Found) -> None:
        """What a table said in this look. After news of TCP or UDP one more follows, after others one at every protocol
        when it is its turn."""
        news = bool(found.sockets or found.stats or found.gone)
        if not found.proto:
            self._owing |= news
            return
        self._calm &= not news
        self._others |= bool(found.sockets or found.gone)
        queued = self._queued
        for row, stats in found.stats:
            if stats.recvq or (stats.sendq and stats.state != "LISTEN"):
                queued.add(row)
            else:
                queued.discard(row)
        if queued and found.gone:
            queued.difference_update(found.gone)
