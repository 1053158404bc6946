"""The ticks of a recording in their order: which is the one of a time, and which are its neighbours."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import NamedTuple

from nettop.recording.frames import BITS, Kind, RecordingError
from nettop.recording.reader import Frame, Reader


class Tick(NamedTuple):
    """Where a tick stands; they compare in their order."""

    segment: int
    frame: int


class Ticks:
    """Every tick of a recording."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def first(self) -> Tick:
        """Raises RecordingError where there is none."""
        for segment in range(len(self._reader.segments)):
            if len(self._reader.frames(segment)) > self._least(segment):
                return Tick(segment, self._least(segment))
        raise RecordingError("nothing is recorded in it")

    @property
    def last(self) -> Tick:
        """The newest one; raises RecordingError where there is none."""
        for segment in reversed(range(len(self._reader.segments))):
            frames = self._reader.frames(segment)
            if len(frames) > self._least(segment):
                return Tick(segment, len(frames) - 1)
        raise RecordingError("nothing is recorded in it")

    def frame(self, tick: Tick) -> Frame:
        """What the file has there."""
        return self._reader.frames(tick.segment)[tick.frame]

    def time(self, tick: Tick) -> float:
        """Seconds since the epoch."""
        return self.frame(tick).header.time

    def at(self, time: float) -> Tick:
        """The last tick that is not after a time; the first one where all are."""
        for segment in range(self._reader.segment_at(time), -1, -1):
            frames, least = self._reader.frames(segment), self._least(segment)
            found = bisect.bisect_right(frames, time, lo=min(least, len(frames)), key=lambda frame: frame.header.time)
            if found > least:
                return Tick(segment, found - 1)
        return self.first

    def move(self, tick: Tick, steps: int) -> Tick:
        """So many ticks further, back where it is negative; the last or the first where there are not so many."""
        segment, frame = tick.segment, tick.frame + steps
        while True:
            least, count = self._least(segment), len(self._reader.frames(segment))
            if least <= frame < count:
                return Tick(segment, frame)
            if frame < least:
                if segment == 0:
                    return self.first
                segment -= 1
                frame += len(self._reader.frames(segment)) - least
            else:
                segment += 1
                if segment == len(self._reader.segments):
                    return self.last
                frame += self._least(segment) - max(count, least)

    def after(self, tick: Tick) -> Iterator[Tick]:
        """Those that follow."""
        last = self.last
        while tick < last:
            tick = self.move(tick, 1)
            yield tick

    def with_event(self, tick: Tick, kind: str) -> Iterator[Tick | None]:
        """Those that follow and hold an event of a kind; None between, now and then."""
        for number, following in enumerate(self.after(tick)):
            if self.frame(following).header.kinds & BITS[kind]:
                yield following
            elif number % 100 == 0:
                yield None

    def _least(self, segment: int) -> int:
        """The first frame of a segment that is a tick: its key frame only where a stream begins."""
        return 0 if self._reader.segments[segment].kind is Kind.BEGIN else 1
