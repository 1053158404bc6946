"""Where the screen's pictures come from: a live collector, a recording, another host, or a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from nettop.snapshot import HostRates, Snapshot


class Source(Protocol):
    """A stream of pictures, and the recent past of single figures."""

    async def run(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        """Until cancelled: call `show` with every new picture, `notice` with a sentence while the stream is broken.

        `notice(None)` says that it is whole again. Returning before being cancelled means that the stream has ended;
        the last picture stays on the screen.
        """

    def history(self, view: str, row_id: int) -> Sequence[tuple[float, float]]:
        """Recent (rx_rate, tx_rate) of a row in bytes a second, oldest first; empty where none is kept."""

    def host_history(self) -> Sequence[HostRates]:
        """Recent rates of the whole machine, oldest first."""

    def memory(self) -> int:
        """Bytes of memory that only this process uses; 0 where that is not known."""

    def set_interval(self, seconds: float) -> None:
        """Ask for a picture every so many seconds from now on."""
