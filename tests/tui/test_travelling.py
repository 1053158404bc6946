"""The keys that lead through time, on a recording and on the machine one looks at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from nettop import moments
from nettop.recording.reader import Reader
from nettop.recording.replay import Replay
from nettop.tui.app import NettopApp
from tests.support import taping
from tests.support.screen import PATIENCE

BAR = 2
"""The line that shows the time."""


class Replayed:
    """A recording on the screen."""

    def __init__(self, app: NettopApp, source: Replay, pilot: Pilot[None]) -> None:
        self.app, self.source, self.pilot = app, source, pilot
        self.start = source.journey.span[0]

    def lines(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()  # noqa: SLF001  # what the terminal would be sent
        return ["".join(segment.text for segment in strip) for strip in strips]

    @property
    def second(self) -> float:
        """Of the recording, which one is shown."""
        return self.app.main.latest.time - self.start

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def shows(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.pilot.pause(0.01)

    async def at(self, second: float) -> None:
        """Wait until a second of the recording is shown, and the bar says so."""
        await self.shows(lambda: self.second == second)
        await self.shows(lambda: moments.write(self.start + second) in self.lines()[BAR])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "night.rec"


@contextlib.asynccontextmanager
async def replayed(path: Path, ticks: int = 200, at: str | None = None) -> AsyncIterator[Replayed]:
    """The screen on a recording of a busy machine."""
    for _ in taping.tape(path, taping.busy(ticks)):
        pass
    source = Replay.open(str(path), at)
    app = NettopApp(source, environ={"TERM": "xterm-256color"}, utf8=True)
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            yield Replayed(app, source, pilot)
    finally:
        source.close()


class TestKeys:
    async def test_it_begins_at_the_start_and_says_so(self, path: Path) -> None:
        async with replayed(path) as seen:
            await seen.at(0)
            assert "past" in seen.lines()[BAR]
            assert "before the end" in seen.lines()[BAR]

    async def test_arrows_go_a_picture_and_a_minute_on_and_back(self, path: Path) -> None:
        async with replayed(path) as seen:
            await seen.at(0)
            for key, second in (
                ("right", 1),
                ("right", 2),
                ("shift+right", 62),
                ("left", 61),
                ("shift+right", 121),
                ("shift+right", 181),
                ("shift+right", 199),
                ("right", 199),
                ("shift+left", 139),
            ):
                await seen.press(key)
                await seen.at(second)

    async def test_a_key_held_down_ends_where_it_should(self, path: Path) -> None:
        async with replayed(path, at="end") as seen:
            await seen.at(199)
            await seen.press(*["left"] * 30)
            await seen.at(169)

    async def test_a_time_is_jumped_to_as_soon_as_it_is_one(self, path: Path) -> None:
        async with replayed(path) as seen:
            await seen.at(0)
            await seen.press("at", *"+90s")
            await seen.at(90)
            await seen.press("enter")
            await seen.press("at", *"end-10s", "enter")
            await seen.at(189)

    async def test_what_is_no_time_is_marked(self, path: Path) -> None:
        async with replayed(path) as seen:
            await seen.press("at", *"noon")
            await seen.shows(lambda: "is no time" in "\n".join(seen.lines()))
            assert seen.second == 0

    async def test_space_lets_time_go_by_and_stops_it(self, path: Path) -> None:
        async with replayed(path) as seen:
            await seen.at(0)
            await seen.press("space", "full_stop", "full_stop", "full_stop")
            await seen.shows(lambda: "playing 10 x" in seen.lines()[BAR])
            await seen.shows(lambda: seen.second >= 5)
            await seen.press("space")
            await seen.shows(lambda: "past" in seen.lines()[BAR])
            stopped = seen.second
            await seen.pilot.pause(0.3)
            assert seen.second == stopped

    async def test_the_next_row_that_matches_the_filter(self, path: Path) -> None:
        async with replayed(path) as seen:
            await seen.at(0)
            await seen.press("2", "slash", *"cookie=1013", "enter", "x")
            await seen.at(13)
            await seen.press("x")
            await seen.shows(lambda: "nothing in what follows" in seen.lines()[1])
            assert seen.second == 13

    async def test_without_a_filter_nothing_can_match(self, path: Path) -> None:
        async with replayed(path) as seen:
            await seen.press("x")
            await seen.shows(lambda: "type a filter first" in seen.lines()[-1])

    async def test_the_next_event_of_a_kind(self, path: Path) -> None:
        async with replayed(path) as seen:
            await seen.at(0)
            for second in (10, 20):
                await seen.press("v", *"exit", "enter")
                await seen.at(second)

    async def test_r_goes_to_the_end(self, path: Path) -> None:
        async with replayed(path) as seen:
            await seen.at(0)
            await seen.press("r")
            await seen.at(199)

    async def test_the_help_tells_them(self, path: Path) -> None:
        async with replayed(path) as seen:
            assert "Keys: Time" not in seen.lines()
            await seen.press("question_mark", "end")
            await seen.shows(lambda: seen.app.screen is not seen.app.main)


class TestScreen:
    async def test_nothing_can_be_done_to_what_is_past(self, path: Path) -> None:
        async with replayed(path) as seen:
            answer = await seen.source.ask(object())  # type: ignore[arg-type]
            assert not answer.ok
            assert "past" in answer.text

    async def test_the_cursor_stays_on_its_row_through_time(self, path: Path) -> None:
        async with replayed(path, at="start+1m") as seen:
            await seen.shows(lambda: seen.second == 60)
            await seen.press("2")
            await seen.shows(lambda: len(seen.app.main.pane.ids) == 20)
            await seen.press("down", "down", "down")
            row = seen.app.main.pane.cursor
            await seen.press("left", "left", "shift+left", "right")
            await seen.shows(lambda: seen.second == 1)
            await seen.shows(seen.app.main.settled.is_set)
            assert seen.app.main.pane.cursor == row

    def test_a_file_that_goes_on_is_seen_to_its_new_end(self, path: Path) -> None:
        pictures = taping.tape(path, taping.busy(50))
        for _ in range(10):
            next(pictures)
        source = Replay(Reader.open(path))
        before = source.journey.span[1]
        for _ in pictures:
            pass
        source.journey.player.refresh()
        assert source.journey.span[1] == before + 40
        source.close()
