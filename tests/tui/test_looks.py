"""What the screen looks like; `pytest --snapshot-update` writes the pictures anew: look at them first.

They are SVGs: open one in a browser. A line of the file is a line of the screen, so a diff tells what has changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from nettop.config import DEFAULTS, Config
from nettop.model import Health
from nettop.snapshot import Snapshot
from nettop.tui.details import DetailScreen
from tests.support.picture import picture
from tests.support.screen import Seen, opened
from tests.support.several import several
from tests.support.shop import SSH_CONNECTION, shop
from tests.support.shop_details import answer, histories

SIZES = [(60, 20), (80, 24), (120, 40), (160, 50)]
SMALL = (100, 30)
PANES = {"processes": "1", "connections": "2", "namespaces": "3", "containers": "4", "events": "5"}
DETAILS = {
    "process": ["1", "slash", *"pid=1438", "enter", "e"],
    "connection": ["2", "slash", *"limit=network", "enter", "enter"],
    "namespace": ["3", "slash", *"web", "enter", "e"],
    "container": ["4", "slash", *"web", "enter", "e"],
    "event": ["5", "slash", *"SIGSEGV", "enter", "e"],
}
WAYS = {
    "tree": ["1", "t", "f", *"shared_buffers", "enter", "minus", "escape"],
    "groups": ["2", "b", "down", "enter"],
    "group-opened": ["2", "b", "down", "enter", "enter"],
    "palette": ["2", "colon", *"sor"],
    "help": ["question_mark"],
    "filter": ["2", "slash", *"comm:ng"],
    "filter-error": ["2", "slash", *"nginx rate>x"],
    "search": ["2", "f", *"5432"],
    "columns": ["2", "o", "down", "down"],
    "sort": ["2", "s"],
    "scrolled": ["2", "right", "right", "right"],
    "names": ["2", "n"],
    "signal": ["1", "K"],
    "signal-confirm": ["1", "space", "space", "K", "enter"],
    "signal-insist": ["1", "slash", *"comm=sshd", "enter", "end", "K", "enter", "tab", "enter"],
    "close-confirm": ["2", "X"],
    "nice": ["1", "right_square_bracket"],
    "copy": ["2", "y"],
    "users": ["1", "u"],
    "mark": ["2", "m"],
    "tags": ["2", "space", "down", "space"],
    "listeners": ["l"],
    "frozen": ["2", "Z"],
    "drilled": ["3", "down", "enter"],
    "empty": ["2", "slash", *"nobody-has-this", "enter"],
}
"""Places one comes to, and the keys that lead there."""
NARROW = ("drilled", "group-opened", "frozen", "filter-error", "palette", "columns", "users", "signal-insist", "copy")
"""Places that have to make do with little room."""


class Image(SingleFileSnapshotExtension):
    """A picture in a file of its own."""

    _file_extension = "svg"
    _write_mode = WriteMode.TEXT


@pytest.fixture
def image(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(Image)


@pytest.fixture(autouse=True)
def _nothing_moves(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone, nettop itself costs nothing, and an order that holds goes on to do so."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr("nettop.tui.lists.shown.HOLD", 3600.0)
    monkeypatch.setattr("nettop.tui.own.time.process_time", lambda: 0.0)
    yield
    monkeypatch.undo()
    time.tzset()


async def shot(
    size: tuple[int, int],
    keys: Sequence[str],
    *,
    first: Snapshot | None = None,
    then: Snapshot | None = None,
    notice: str | None = None,
    config: Config = DEFAULTS,
    utf8: bool = True,
    **environ: str,
) -> str:
    """The screen after these keys, and a second later."""
    environ = {"SSH_CONNECTION": SSH_CONNECTION, **environ}
    async with opened(first or shop(), size, environ=environ, config=config, utf8=utf8) as seen:
        seen.source.answer = answer
        seen.source.past = histories(shop())
        for key in keys:
            await seen.press(key)
            await _ready(seen)
        await seen.show(then or shop(1))
        if notice:
            await seen.show(notice)
        await _ready(seen)
        return picture(seen.app)


async def _ready(seen: Seen) -> None:
    """The page of details, if one is open, shows all it can."""
    screen: Any = seen.app.screen
    if isinstance(screen, DetailScreen):
        await screen.settled.wait()
        for worker in [worker for worker in seen.app.workers if worker.group == "questions"]:
            await worker.wait()
    await seen.pilot.pause()


def _named(size: tuple[int, int]) -> str:
    return "x".join(map(str, size))


@pytest.mark.parametrize("size", SIZES, ids=_named)
@pytest.mark.parametrize("pane", PANES)
async def test_pane(image: SnapshotAssertion, size: tuple[int, int], pane: str) -> None:
    assert await shot(size, [PANES[pane]]) == image


@pytest.mark.parametrize("size", SIZES, ids=_named)
@pytest.mark.parametrize("page", DETAILS)
async def test_page(image: SnapshotAssertion, size: tuple[int, int], page: str) -> None:
    assert await shot(size, DETAILS[page]) == image


@pytest.mark.parametrize("place", WAYS)
async def test_on_the_way(image: SnapshotAssertion, place: str) -> None:
    assert await shot(SMALL, WAYS[place]) == image


@pytest.mark.parametrize("size", SIZES[:2], ids=_named)
@pytest.mark.parametrize("place", NARROW)
async def test_narrow(image: SnapshotAssertion, size: tuple[int, int], place: str) -> None:
    assert await shot(size, WAYS[place]) == image


@pytest.mark.parametrize("theme", ["light", "ansi", "mono", "colorblind"])
async def test_theme(image: SnapshotAssertion, theme: str) -> None:
    assert await shot(SMALL, ["2"], config=replace(DEFAULTS, theme=theme)) == image


@pytest.mark.parametrize("keys", [["2"], ["1", "t"], DETAILS["connection"]], ids=["connections", "tree", "page"])
async def test_ascii(image: SnapshotAssertion, keys: list[str]) -> None:
    assert await shot(SMALL, keys, utf8=False) == image


async def test_without_color(image: SnapshotAssertion) -> None:
    assert await shot(SMALL, ["2"], NO_COLOR="1") == image


async def test_degraded(image: SnapshotAssertion) -> None:
    refused = Health("cn_proc", "degraded", "the kernel refuses process events: /proc is read every second", None, 1)
    lost = Health("sock_diag:tcp", "lossy", "a dump was cut short and read again", None, 2)
    ill = [replace(shop(second), health=(refused, lost)) for second in (0, 1)]
    assert await shot(SMALL, ["2"], first=ill[0], then=ill[1]) == image


async def test_collector_gone(image: SnapshotAssertion) -> None:
    assert await shot(SMALL, ["2"], notice="the collector has ended (signal 9): it is started again in 2 s") == image


@pytest.mark.parametrize("lost", [False, True], ids=["reached", "lost"])
async def test_several_machines(image: SnapshotAssertion, lost: bool) -> None:
    later = replace(several(lost=lost, sequence=2), host=several().host)
    assert await shot((120, 40), ["2"], first=several(), then=later) == image


async def test_a_page_of_one_of_several_machines(image: SnapshotAssertion) -> None:
    keys = ["2", "slash", *"machine:web", "enter", "enter"]
    assert await shot((120, 40), keys, first=several(), then=several(sequence=2)) == image
