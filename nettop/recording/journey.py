"""Travelling in time: what a person asks of a recording while looking at it, one wish at a time.

A wish that comes while another is on its way takes its place: whoever holds a key down sees as many pictures as can be
made, and ends up where the key asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from nettop import moments
from nettop.recording.frames import RecordingError
from nettop.recording.player import Player
from nettop.recording.reader import Reader
from nettop.recording.ticks import Tick
from nettop.snapshot import Snapshot

Show = Callable[[Snapshot], None]
Notice = Callable[[str | None], None]

_LEAST_PAUSE = 0.04
"""Seconds between two pictures while playing: nobody sees more of them."""
_SAY_EVERY = 0.5
"""Seconds between two words about how far a search has come."""
_WATCH_EVERY = 1.0
"""Seconds between two looks at whether a file that is played to its end goes on."""
_BREATH = 0.002
"""Seconds of work between two places where a key may come through."""


class Journey:
    """Where one is in a recording, and where one wants to be."""

    def __init__(self, reader: Reader) -> None:
        """Raises RecordingError where nothing is recorded."""
        self.player = Player(reader)
        self._reader = reader
        self._first = self.player.ticks.first
        self._target: Tick = self._first
        self._shown: Tick | None = None
        self._speed = 0.0
        self._began = (0.0, 0.0)  # playing: monotonic time, and time of the recording
        self._search: tuple[str, Iterator[Tick | None]] | None = None
        self._message: str | None = None
        """What the next picture is shown with."""
        self._wished = asyncio.Event()
        self._wished.set()

    @property
    def now(self) -> float:
        """The time one looks at, or is on the way to."""
        return self.player.ticks.time(self._target)

    @property
    def span(self) -> tuple[float, float]:
        """The times of the first tick and the last."""
        ticks = self.player.ticks
        return ticks.time(self._first), ticks.time(ticks.last)

    @property
    def speed(self) -> float:
        """Seconds of the recording in each second; 0 while it stands still."""
        return self._speed

    @property
    def at_end(self) -> bool:
        """The newest picture is shown, and nothing else is wanted."""
        return self._shown == self.player.ticks.last == self._target and self._search is None

    def step(self, ticks: int) -> None:
        """So many pictures on, or back."""
        self._go(self.player.ticks.move(self._target, ticks))

    def leap(self, seconds: float) -> None:
        """So much time on, or back; at least one picture."""
        ticks, begun = self.player.ticks, self._target
        target = ticks.at(self.now + seconds)
        self._go(target if target != begun else ticks.move(begun, 1 if seconds > 0 else -1), keep_playing=True)

    def jump(self, moment: float) -> None:
        """To that time."""
        self._go(self.player.ticks.at(moment))

    def play(self, speed: float) -> None:
        """Let time pass, so many times as fast as it did; 0 stops it."""
        self._search = None
        self._speed = speed
        self._began = (time.monotonic(), self.now)
        self._wished.set()

    def find(self, words: str, test: Callable[[Snapshot], bool]) -> None:
        """To the next picture that passes; `words` say what is looked for."""
        self._look_for(words, self._matching(test))

    def find_event(self, kind: str) -> None:
        """To the next picture with an event of a kind."""
        self._look_for(f"the next {kind}", self.player.ticks.with_event(self._target, kind))

    async def go_on(self, show: Show, notice: Notice) -> None:
        """Wait for a wish, or for time to pass, and do what it asks for, unless another one comes meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wished.wait(), self._pause())
        self._wished.clear()
        try:
            if self._speed:
                self._pass_time()
            if self._search is not None:
                await self._seek_out(notice)
            await self._arrive(show, notice)
        except (RecordingError, OSError) as error:
            notice(str(error))

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def _go(self, tick: Tick, *, keep_playing: bool = False) -> None:
        self._target, self._search = tick, None
        if not keep_playing:
            self._speed = 0.0
        self._began = (time.monotonic(), self.now)
        self._wished.set()

    def _look_for(self, words: str, found: Iterator[Tick | None]) -> None:
        self._search, self._speed = (words, found), 0.0
        self._wished.set()

    def _pause(self) -> float | None:
        """Seconds until the next picture is due; None while time stands still."""
        if not self._speed:
            return None
        ticks = self.player.ticks
        if self._target == ticks.last:
            return _WATCH_EVERY
        begun, moment = self._began
        due = begun + (ticks.time(ticks.move(self._target, 1)) - moment) / self._speed
        return max(_LEAST_PAUSE, due - time.monotonic())

    def _pass_time(self) -> None:
        """The picture that is due by now becomes the target."""
        begun, moment = self._began
        self.player.refresh()
        self._target = max(self._target, self.player.ticks.at(moment + (time.monotonic() - begun) * self._speed))

    async def _arrive(self, show: Show, notice: Notice) -> None:
        """Show the picture one wants to see, unless another one is asked for meanwhile."""
        if self._shown == self._target:
            return
        breath = time.monotonic() + _BREATH
        for picture in self.player.seek(self._target):
            if picture is not None:
                assert self.player.tick is not None
                self._target = self._shown = self.player.tick
                show(picture)
                notice(self._message)
                self._message = None
            elif time.monotonic() > breath:
                await asyncio.sleep(0)
                breath = time.monotonic() + _BREATH
                if self._wished.is_set():
                    return

    async def _seek_out(self, notice: Notice) -> None:
        """Look for what is looked for; where it is, becomes the target."""
        assert self._search is not None
        words, found = self._search
        said = time.monotonic()
        for tick in found:
            if tick is not None:
                self._target = tick
                break
            if time.monotonic() > said:
                said = time.monotonic() + _SAY_EVERY
                reached = self.player.tick
                notice(f"looking for {words}, {moments.write(self.player.ticks.time(reached)) if reached else ''}")
            await asyncio.sleep(0)
            if self._wished.is_set():
                return
        else:
            self._message = f"{words}: nothing in what follows"
            notice(self._message)
        self._search = None

    def _matching(self, test: Callable[[Snapshot], bool]) -> Iterator[Tick | None]:
        """The ticks that pass; the player goes along."""
        for tick in self.player.ticks.after(self._target):
            for _ in self.player.seek(tick):
                yield None
            if test(self.player.snapshot):
                yield tick
