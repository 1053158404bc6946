"""Drives the full screen in a test: opens it on a hand-made picture, presses keys, reads what is shown."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rich.style import Style
from textual import _wait
from textual.pilot import Pilot
from textual.strip import Strip

from nettop.config import DEFAULTS, Config
from nettop.snapshot import HostRates, NamespaceRow, Snapshot
from nettop.tui.app import NettopApp
from nettop.tui.details import DetailScreen
from nettop.tui.dialogs.prompt import PromptLine
from nettop.tui.main import MainScreen
from tests.support import rows
from tests.support.sources import ScriptedSource

PATIENCE = 30.0
"""Seconds the screen may take to show what was asked of it."""
NAMES = ("host", "web", "db", "cache", "build", "proxy", "mail", "shop")

# Pilot waits twice after each key, until of 20 ms the processor is busy for less than 1: where waking up takes that
# long by itself, for a second. What a test has to wait for, `Seen.settle` knows.
_wait.SLEEP_IDLE = _wait.SLEEP_GRANULARITY / 4


def machine(connections: int = 200, processes: int = 60) -> Snapshot:
    """A small machine of eight namespaces, the same at every call."""
    return rows.snapshot(rows.many_connections(connections), rows.many_processes(processes), namespaces())


def namespaces() -> list[NamespaceRow]:
    """The host's namespace and seven with a name; every one has moved more data than the one before."""
    return [
        rows.namespace_row(
            id=number,
            netns=rows.HOST_NETNS + number,
            name=name,
            kind="host" if number == 0 else "named",
            processes=30 - number,
            connections=100 - 7 * number,
            listening=number,
            rx_rate=12e3 * number,
            tx_rate=7e3 * number,
        )
        for number, name in enumerate(NAMES)
    ]


def past(count: int = 12) -> list[HostRates]:
    """Rates of the machine that go up and down."""
    return [
        HostRates(10.0 + 70 * (n % 3) / 2, 1e6 * (1 + n % 5), 1e5 * (1 + n % 7), 0.1, 3.0, 0.9) for n in range(count)
    ]


class Seen:
    """The screen while it runs."""

    def __init__(self, app: NettopApp, source: ScriptedSource, pilot: Pilot[None]) -> None:
        self.app = app
        self.source = source
        self.pilot = pilot

    @property
    def main(self) -> MainScreen:
        return self.app.main

    async def press(self, *keys: str) -> None:
        """Press keys and wait until the screen shows what they asked for."""
        await self.pilot.press(*keys)
        await self.settle()

    async def show(self, picture: Snapshot | str | None) -> None:
        """Give the screen a picture (or a notice) and wait until it is shown."""
        self.source.push(picture)
        await self.settle()

    async def settle(self) -> None:
        await self.source.drained()
        async with asyncio.timeout(PATIENCE):
            for prompt in self.app.screen.query(PromptLine):
                if prompt.display:
                    await prompt.told()
            await self.main.settled.wait()
            if isinstance(self.app.screen, DetailScreen):
                await self.app.screen.settled.wait()
        await self.pilot.pause()

    def lines(self) -> list[str]:
        """The text of every line of the terminal."""
        return ["".join(segment.text for segment in strip) for strip in self._strips()]

    def styles(self, line: int) -> list[tuple[str, Style | None]]:
        """The pieces of a line with their styles."""
        return [(segment.text, segment.style) for segment in self._strips()[line]]

    def text(self) -> str:
        return "\n".join(self.lines())

    def rows(self) -> list[str]:
        """The lines of the table, without its header."""
        return self.lines()[5:-1]

    def cursor(self) -> str:
        """The line under the cursor."""
        pane = self.main.pane
        return self.rows()[pane.line - pane.top]

    def _strips(self) -> list[Strip]:
        return self.app.screen._compositor.render_strips()  # noqa: SLF001  # what the terminal would be sent


@contextlib.asynccontextmanager
async def opened(
    picture: Snapshot | None = None,
    size: tuple[int, int] = (120, 40),
    *keys: str,
    environ: dict[str, str] | None = None,
    utf8: bool = True,
    config: Config = DEFAULTS,
) -> AsyncIterator[Seen]:
    """The screen on a picture, settled, after some keys."""
    source = ScriptedSource(picture or machine(), past())
    terminal = {"TERM": "xterm-256color", **(environ or {})}
    several = bool(picture and picture.machines)
    app = NettopApp(source, environ=terminal, utf8=utf8, config=config, several=several)
    async with app.run_test(size=size) as pilot:
        seen = Seen(app, source, pilot)
        await seen.settle()
        await seen.press(*keys)
        yield seen
