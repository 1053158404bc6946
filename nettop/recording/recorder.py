"""A stream of Deltas on its way into a file: which of them get there, and when everything is said again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from nettop import wire
from nettop.model import Delta, Event
from nettop.recording.frames import Kind
from nettop.recording.writer import NoRoomError, Writer

EVERY = 60.0
"""Seconds from one key frame to the next: of 1,000 sockets it has 32 KB, as much as half a minute of ticks; and from
one to any moment before the next is a tenth of a second."""
PART = 500
"""Rows in a line of a key frame: some milliseconds."""

_RETRY = 5.0
"""Seconds until a full disk is tried again."""

KeyFrame = Callable[[int], Iterator[Delta]]
"""All that was known before the Delta at hand, in parts of at most so many rows: `Store.key_frame`."""


class Recorder:
    """Writes what it is given; where it cannot, it says why and goes on as soon as it can."""

    def __init__(self, writer: Writer) -> None:
        self.trouble: str | None = None
        """Why nothing is written now."""
        self._writer = writer
        self._due = 0.0
        self._resume = 0.0
        self._inside = False  # of a tick
        self._leaving_out = False
        self._events: list[Event] = []

    def take(self, delta: Delta, line: bytes, key_frame: KeyFrame | None) -> Iterator[None]:
        """Write one Delta that `line` says, before the store is told of it; in steps of some milliseconds. Without a
        `key_frame` nobody knows what was before; then the segment goes on. Raises OSError where the disk fails."""
        begins, self._inside = not self._inside or delta.key, not delta.complete
        try:
            if begins:
                self._events = []
                self._leaving_out = time.monotonic() < self._resume
                if not self._leaving_out:
                    yield from self._begin(delta, key_frame)
            if self._leaving_out:
                return
            self._writer.add(line)
            self._events += delta.events
            if delta.complete:
                self._writer.end(delta.time, self._events)
                self.trouble = None
        except NoRoomError as error:
            self.trouble = f"{error}; nothing is recorded until there is room"
            self._resume = time.monotonic() + _RETRY
            self._leaving_out = True

    def _begin(self, delta: Delta, key_frame: KeyFrame | None) -> Iterator[None]:
        """What stands before the lines of a tick."""
        writer = self._writer
        if delta.key:
            writer.begin(Kind.BEGIN)
        elif writer.fresh or (key_frame and (delta.clock >= self._due or writer.long)):
            if key_frame is None:
                self._leaving_out = True
                return
            writer.begin(Kind.RESUME if writer.fresh else Kind.AGAIN)
            told = delta.time
            for part in key_frame(PART):
                writer.add(wire.encode(part))
                told = part.time
                yield
            writer.end(told, ())
        else:
            return
        self._due = delta.clock + EVERY
