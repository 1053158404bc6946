"""Pictures of any moment of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nettop import wire
from nettop.fold import MAX_ROWS, Fold, FoldError
from nettop.model import Delta
from nettop.recording.frames import Kind, RecordingError
from nettop.recording.reader import Reader, Unrolling
from nettop.recording.ticks import Tick, Ticks
from nettop.snapshot import EMPTY, HostRates, Sample, Snapshot
from nettop.store import EVENTS_KEPT, Store

_WARM = 12
"""Ticks before the one asked for that are gone through one by one: rates rest on two, what protocols count on a few,
the bars of the host line on eight. Those before are only summed up, which takes a fifth of the time."""
_AHEAD = 60
"""Ticks that are rather gone through than jumped over."""


class Player:
    """One picture of a recording at a time, and the way to others.

    A step back is made anew from a key frame: rows of pictures that are kept would tell their peers as of now."""

    def __init__(self, reader: Reader, events_kept: int = EVENTS_KEPT) -> None:
        """Pictures hold the last `events_kept` events, of those since the key frame they were made from."""
        self.ticks = Ticks(reader)
        self.snapshot: Snapshot = EMPTY
        """The picture one looks at."""
        self.tick: Tick | None = None
        """Where it stands."""
        self._reader = reader
        self._events_kept = events_kept
        self.store = Store(events_kept)
        """As of the newest tick that was gone through since the last jump."""
        self._reached: Tick | None = None
        self._unrolling: Unrolling | None = None

    def seek(self, tick: Tick) -> Iterator[Snapshot | None]:
        """Go to a tick, in steps of some milliseconds: the last step yields its picture, the others None. Where it
        cannot be read, the one before. Given up in the middle, one stays where one was. Raises RecordingError."""
        if tick != self._reached:
            if not self._leads_to(tick):
                yield from self._start(tick)
            reached = None
            while self._reached is not None and self._reached != reached and self._reached < tick:
                reached = self._reached
                yield from self._go_on()
            tick = self._reached or reached or tick  # short of the one asked for where that is damaged
        self.tick, self.snapshot = tick, self.store.snapshot
        yield self.snapshot

    def refresh(self) -> None:
        """See what was written to the file since."""
        self._reader.refresh()

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        """A row in the pictures up to the one one looks at, oldest first."""
        return self.store.history(view, row_id)

    def host_history(self) -> Sequence[HostRates]:
        """Rates of the machine up to there, oldest first."""
        return self.store.host_history()

    def _leads_to(self, tick: Tick) -> bool:
        """The store is before that tick, and not far."""
        if self._reached is None or self._unrolling is None or tick <= self._reached:
            return False
        return self.ticks.move(self._reached, _AHEAD) >= tick

    def _start(self, tick: Tick) -> Iterator[None]:
        """Begin anew, some ticks before that one."""
        warm = self.ticks.move(tick, -_WARM)
        if not all(map(self._goes_on, range(warm.segment + 1, tick.segment + 1))):
            warm = Tick(tick.segment, 0)  # what was before has nothing to do with it
        self._reached, self._unrolling = None, self._reader.unroll(warm.segment)
        fold = Fold(self._events_kept)
        # the picture that the rates of the first one rest on: a key frame tells what was before its first tick
        while self._unrolling.place < max(0, warm.frame - 1):
            place = self._unrolling.place
            for line in self._unrolling.next():
                _fold(fold, line)
                yield
            if self._unrolling.place == place:
                break
        # the screen compares a picture with the one before it by their numbers: no two may have the same
        sequence = max(self.snapshot.sequence, self.store.snapshot.sequence) + 1
        events = self._reader.segments[warm.segment].events + fold.events_dropped
        self.store = Store(self._events_kept, sequence, events)
        for _ in self.store.steps(_folded(fold)):
            yield
        self._reached = Tick(warm.segment, self._unrolling.place)

    def _goes_on(self, segment: int) -> bool:
        """A segment begins where the one before it ended."""
        return self._reader.segments[segment].kind is Kind.AGAIN and self._reader.whole(segment - 1)

    def _go_on(self) -> Iterator[None]:
        """Go through the next tick, if there is one."""
        assert self._reached is not None
        assert self._unrolling is not None
        segment, unrolling = self._reached.segment, self._unrolling
        if unrolling.place + 1 >= len(self._reader.frames(segment)):
            if segment + 1 >= len(self._reader.segments):
                return
            segment += 1
            unrolling = self._unrolling = self._reader.unroll(segment)
        self._reached = None  # given up on the way, the store would be nowhere
        if unrolling.place < 0 and self._reader.segments[segment].kind is not Kind.BEGIN:
            known = self._goes_on(segment)
            for line in unrolling.next():
                if not known:
                    self.store.apply(decoded(line))
                yield
        picture = None
        for line in unrolling.next():
            for step in self.store.steps(decoded(line)):
                picture = step or picture
                yield
        if picture is not None:
            if max(len(picture.connections), len(picture.processes), len(picture.containers)) > MAX_ROWS:
                raise RecordingError(f"it claims more than {MAX_ROWS:,} rows")
            self._reached = Tick(segment, unrolling.place)


def decoded(line: bytes) -> Delta:
    """The Delta of a line; raises RecordingError."""
    try:
        return wire.decode(line)
    except wire.WireError as error:
        raise RecordingError(f"it makes no sense: {error}") from None


def _fold(fold: Fold, line: bytes) -> None:
    try:
        fold.take(decoded(line))
    except FoldError as error:
        raise RecordingError(str(error)) from None


def _folded(fold: Fold) -> Delta:
    try:
        return fold.delta()
    except FoldError:
        raise RecordingError("nothing can be read there") from None
