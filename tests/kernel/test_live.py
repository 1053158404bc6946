"""The screen's source: pictures for as long as it runs, whatever becomes of the collector, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from nettop import live
from nettop.collector import spawn
from nettop.origin import Child
from nettop.snapshot import Snapshot
from tests.support.watching import DEADLINE, process

INTERVAL = 0.2


class Screen:
    """What a source showed and said."""

    def __init__(self, source: live.Live) -> None:
        self.source = source
        self.pictures: list[Snapshot] = []
        self.notices: list[str | None] = []
        self.first_took = 0.0
        """Seconds from the start of the collector to its first picture: more where there is more to look at."""

    async def until(self, condition: Callable[[], object], seconds: float = DEADLINE) -> float:
        """Seconds until it was true; fails after `seconds`."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() < began + seconds, f"not within {seconds} s; notices: {self.notices}"
            await asyncio.sleep(0.005)
        return time.monotonic() - began

    async def until_replaced(self, killed: int, seconds: float = DEADLINE) -> None:
        """Until a picture is another collector's."""
        await self.until(lambda: self.collector != killed, seconds)

    @property
    def collector(self) -> int:
        """Pid of the collector that told the last picture."""
        host = self.pictures[-1].host
        assert host is not None
        return host.own_pid


@asynccontextmanager
async def screen() -> AsyncIterator[Screen]:
    """A source that runs, and its first picture has been shown."""
    made = Screen(live.Live(Child(spawn.fork(INTERVAL), INTERVAL)))
    running = asyncio.create_task(made.source.run(made.pictures.append, made.notices.append))
    try:
        made.first_took = await made.until(lambda: made.pictures)
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        made.source.close()


async def test_pictures_follow_each_other() -> None:
    async with screen() as shown:
        await shown.until(lambda: len(shown.pictures) >= 4)
        assert process(shown.pictures[-1], os.getpid()) is not None
        assert [picture.sequence for picture in shown.pictures[:4]] == [1, 2, 3, 4]
        assert set(shown.notices) == {None}
        assert len(shown.source.host_history()) >= 4
        assert shown.source.history("processes", shown.pictures[-1].host is not None) is not None


async def test_a_collector_that_is_killed_is_reported_and_replaced_within_two_seconds() -> None:
    async with screen() as shown:
        killed, count = shown.collector, len(shown.pictures)
        os.kill(killed, signal.SIGKILL)
        await shown.until(lambda: shown.notices[-1])
        assert shown.notices[-1] == "the collector ended (killed by SIGKILL); starting it again"
        await shown.until_replaced(killed, 2.0 + shown.first_took)
        assert shown.notices[-1] is None
        assert shown.pictures[-1].interval is None, "rates begin anew"
        assert len(shown.pictures) > count
        sequences = [picture.sequence for picture in shown.pictures]
        assert sequences == list(range(1, len(sequences) + 1))


async def test_the_interval_holds_for_the_next_collector_too() -> None:
    async with screen() as shown:
        shown.source.set_interval(0.1)
        os.kill(shown.collector, signal.SIGKILL)
        await shown.until(lambda: shown.notices[-1])
        await shown.until(lambda: not shown.notices[-1])
        await shown.until(lambda: shown.pictures[-1].interval)
        begin = len(shown.pictures)
        await shown.until(lambda: len(shown.pictures) >= begin + 8)
        intervals = sorted(picture.interval or 0 for picture in shown.pictures[begin:])
        assert 0.05 < intervals[0] < 0.19, "one that follows a late one comes sooner"


async def test_closing_a_source_that_was_never_run_ends_its_collector() -> None:
    running = spawn.fork(INTERVAL)
    live.Live(Child(running, INTERVAL)).close()
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)


async def test_starts_and_ends_leave_no_process_and_no_file_behind() -> None:
    async with screen():
        pass  # the loop's own files are open from here on
    files = sorted(os.listdir("/proc/self/fd"))
    pids = set()
    for _ in range(3):
        async with screen() as shown:
            first = shown.collector
            os.kill(first, signal.SIGKILL)
            await shown.until_replaced(first)
            pids |= {first, shown.collector}
    assert sorted(os.listdir("/proc/self/fd")) == files
    assert len(pids) == 6
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
