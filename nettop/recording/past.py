"""The last minutes of what one looks at, kept to go back to: time travel without a recording.

They are kept in a file without a name, compressed, and not in memory, of which a screen over 40,000 sockets has none
to spare. While one looks back, the stream goes on into the file, and nobody makes pictures of it; to return is to go to
the end of the file, which makes the store that goes on from there. So there is one store at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Self

from nettop.model import Delta
from nettop.recording.journey import Journey, Notice, Show
from nettop.recording.recorder import Recorder
from nettop.recording.writer import NO_LIMITS, Limits, Writer
from nettop.store import Store

KEPT = 32 << 20
"""Bytes on the disk: hours of 1,000 sockets, some minutes of 40,000."""

_LEVEL = 1
"""Of compression: a third of the time of the usual one, for an eighth more on the disk."""
_PAUSE = 0.02
"""Seconds to wait for the rest of a tick that is just arriving."""


class Past:
    """What was, and where in it one is. See `tui.source.Travel`."""

    live = True
    """There is a present to return to."""

    def __init__(self) -> None:
        """Raises OSError where no file can be made: see `kept`."""
        self.journey: Journey | None = None
        self._limits = Limits(size=KEPT)
        self._writer = Writer(None, self._limits, _LEVEL)
        self._recorder = Recorder(self._writer)
        self._first = True
        self._inside = False
        self._departed = asyncio.Event()
        self._returning = False

    @classmethod
    def kept(cls) -> Self | None:
        """One, where there is a place for it."""
        try:
            return cls()
        except OSError:
            return None

    def take(self, delta: Delta, line: bytes, store: Store) -> Iterator[None]:
        """Keep one Delta that `line` says, before the store is told of it; in steps of some milliseconds. The first
        tick of a stream is not kept: it is much, and somebody waits for the picture of it."""
        self._inside = True
        if delta.key:
            self._first = self.journey is None
            self._writer.break_off()
        if self._first:
            self._first = not delta.complete
        else:
            try:
                yield from self._recorder.take(delta, line, None if self.journey else store.key_frame)
            except OSError:  # the disk fails; what was kept may still be read
                self._writer.break_off()
        if self.journey and delta.complete:
            self.journey.player.refresh()
        self._inside = not delta.complete

    def begin(self) -> None:
        """Stop at the newest picture, as the first one of a journey, where there is one."""
        if self.journey is None and not self._writer.fresh:
            self._writer.limits = NO_LIMITS  # what one may look at stays
            self.journey = Journey(self._writer.reader())
            self.journey.jump(self.journey.span[1])
            self._departed.set()

    def end(self) -> None:
        """Return to the present."""
        if self.journey:
            self._returning = True
            self.journey.jump(self.journey.span[1])

    async def departure(self) -> None:
        """Wait until one begins to travel."""
        await self._departed.wait()

    async def travel(self, show: Show, notice: Notice) -> Store | None:
        """Show what is asked for until one is back in the present; the store that goes on from there, None where the
        stream found no room meanwhile and must begin anew."""
        assert self.journey is not None, "somebody has departed"
        journey = self.journey
        while not (self._returning and journey.at_end and not self._inside):
            if self._returning and journey.at_end:
                await asyncio.sleep(_PAUSE)
            await journey.go_on(show, notice)
            if self._returning and journey.at_end:
                journey.player.refresh()
                journey.jump(journey.span[1])
        store = None if self._writer.fresh else journey.player.store
        journey.close()
        self.journey, self._returning = None, False
        self._departed.clear()
        self._writer.limits = self._limits
        return store

    def close(self) -> None:
        """Forget all of it."""
        self._writer.close()
