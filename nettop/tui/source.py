"""Where the screen's pictures come from: a live collector, a recording, another host, or a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from nettop.requests import Answer, Request
from nettop.snapshot import HostRates, Sample, Snapshot


class Journey(Protocol):
    """Where one is in the past, and the ways to elsewhere. What is asked for comes by `Source.run`, as soon as it is
    made; whatever is asked for next takes the place of what is still on its way."""

    @property
    def now(self) -> float:
        """The time one looks at, or is on the way to, in seconds since the epoch."""

    @property
    def span(self) -> tuple[float, float]:
        """From when to when there are pictures."""

    @property
    def speed(self) -> float:
        """Seconds of the past that go by in each second; 0 while it stands still."""

    def step(self, ticks: int) -> None:
        """So many pictures on, or back."""

    def leap(self, seconds: float) -> None:
        """So much time on, or back."""

    def jump(self, moment: float) -> None:
        """To that time."""

    def play(self, speed: float) -> None:
        """Let time go by so many times as fast as it did; 0 stops it."""

    def find(self, words: str, test: Callable[[Snapshot], bool]) -> None:
        """To the next picture that passes a test; `words` say what is looked for."""

    def find_event(self, kind: str) -> None:
        """To the next picture with an event of a kind."""


class Travel(Protocol):
    """The way of a source into the past."""

    live: bool
    """There is a present to return to."""

    @property
    def journey(self) -> Journey | None:
        """None while one looks at the present."""

    def begin(self) -> None:
        """Stop at the newest picture, as the first one of a journey."""

    def end(self) -> None:
        """Return to the present; where there is none, to the last picture."""


class Source(Protocol):
    """A stream of pictures, and the recent past of single figures."""

    @property
    def travel(self) -> Travel | None:
        """The way into its past, if it has one."""

    async def run(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        """Until cancelled: call `show` with every new picture, `notice` with a sentence while the stream is broken.

        `notice(None)` says that it is whole again. Returning before being cancelled means that the stream has ended;
        the last picture stays on the screen.
        """

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        """A row in the last pictures, oldest first; empty where it never moved, or none is kept."""

    def host_history(self) -> Sequence[HostRates]:
        """Recent rates of the whole machine, oldest first."""

    def memory(self) -> int:
        """Bytes of memory that only this process uses; 0 where that is not known."""

    def set_interval(self, seconds: float) -> None:
        """Ask for a picture every so many seconds from now on."""

    async def ask(self, request: Request) -> Answer:
        """Have something done or looked up; answered in any case and within seconds, also where it is not possible, as
        with a recording."""
