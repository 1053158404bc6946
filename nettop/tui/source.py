"""Where the screen's pictures come from: a live collector, a recording, another host, or a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from nettop.requests import Answer, Request
from nettop.snapshot import HostRates, Sample, Snapshot


class Source(Protocol):
    """A stream of pictures, and the recent past of single figures."""

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
