"""One of those who listen to a service, as the service sees them: what they are told, and when everything anew.

Nobody is waited for. Who does not keep up is told nothing more until they have read what they were told, and then
everything as it is by then; who reads nothing at all is not even kept what they were told.
"""

from __future__ import annotations

import socket

from nettop.collector.link import Link
from nettop.service.broadcast import Broadcast
from nettop.service.policy import Viewer

INTERVAL = 1.0
"""Seconds between two ticks for one who does not ask for another interval."""
BEHIND = 1 << 20
"""Bytes beyond a key frame that wait for one who does not keep up."""
STALLED = 5.0
"""Seconds in which one who is told something takes nothing of it, and counts as not reading."""
ANEW = 5.0
"""Seconds from one key frame for the same guest to the next: encoding one of 40,000 sockets takes a third of one."""


class Guest:
    """A connection, and what was said over it."""

    def __init__(self, connection: socket.socket, uid: int, viewer: Viewer) -> None:
        """`viewer` is the uid where the policy concerns them."""
        self.link = Link(connection)
        self.uid = uid
        self.interval = INTERVAL
        """What they asked for."""
        self._viewer = viewer
        self._current = False  # they were told everything up to the last tick, or it waits for them
        self._anew = 0.0
        self._limit = 0
        self._events_told = 0
        self._taken = 0
        self._took = 0.0  # when they last took something of what waits for them

    def tell(self, broadcast: Broadcast, now: float) -> None:
        """A tick is over: tell it, or everything, or nothing; `now` is monotonic seconds."""
        if self._current and self.link.pending > self._limit:
            self._current = False
        if self._current:
            self._post(broadcast.change(self._viewer), broadcast)
        elif now >= self._anew and not self.link.sending:
            lines = broadcast.whole(self._viewer, self._events_told)
            self._current, self._anew = True, now + ANEW
            self._limit = sum(map(len, lines)) + BEHIND
            self._post(lines, broadcast)
        self._watch(now)

    def _post(self, lines: list[bytes], broadcast: Broadcast) -> None:
        self._events_told = broadcast.events_told
        self.link.post(lines)

    def _watch(self, now: float) -> None:
        """Let go of what is kept for one who does not read."""
        if self.link.taken != self._taken or not self.link.sending:
            self._taken, self._took = self.link.taken, now
        elif now > self._took + STALLED:
            self.link.drop()
            self._current = False
