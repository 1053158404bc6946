"""A recording as a source of pictures for the screen. See `tui.source.Source`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from nettop import moments
from nettop.kernel.host import CostReader
from nettop.recording.journey import Journey
from nettop.recording.reader import Reader
from nettop.requests import Answer, Request
from nettop.snapshot import HostRates, Sample, Snapshot

REFUSAL = "what is shown is past: nothing can be asked of it, and nothing done to it"


class Replay:
    """A file, and where one is in it."""

    live = False
    """There is no present to return to."""

    def __init__(self, reader: Reader) -> None:
        """Raises RecordingError where nothing is recorded."""
        self._reader = reader
        self.journey = Journey(reader)
        self._cost = CostReader()

    @classmethod
    def open(cls, path: str, at: str | None) -> Self:
        """The recording in a file, at a time as `moments.parse` takes it, else at its start. Raises OSError,
        RecordingError, and ValueError with a sentence about the time."""
        replay = cls(Reader.open(Path(path)))
        if at is not None:
            start, end = replay.journey.span
            replay.journey.jump(moments.parse(at, start, end, start))
        return replay

    @property
    def damage(self) -> Sequence[str]:
        """What could not be read so far, each in a sentence."""
        return self._reader.damage

    @property
    def travel(self) -> Self:
        """It is nothing but a way through time."""
        return self

    def begin(self) -> None:
        """One is on the way already."""

    def end(self) -> None:
        """To the end: as near to the present as it goes."""
        self.journey.jump(self.journey.span[1])

    async def run(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        """Show what is asked for, until cancelled."""
        while True:
            await self.journey.go_on(show, notice)

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        """A row in the pictures up to the one shown, oldest first."""
        return self.journey.player.history(view, row_id)

    def host_history(self) -> Sequence[HostRates]:
        """Rates of the machine up to there, oldest first."""
        return self.journey.player.host_history()

    def memory(self) -> int:
        """Bytes of memory that only this process uses, as of a few seconds ago."""
        return self._cost.read().private_bytes

    def set_interval(self, seconds: float) -> None:
        """The intervals are those of the recording."""

    async def ask(self, request: Request) -> Answer:  # noqa: ARG002  # whatever it is
        """A refusal."""
        return Answer(False, REFUSAL)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
