"""What a screen shows of another machine through a real sshd, and what is said of the way there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from nettop.live import Live
from nettop.remote.origin import Remote
from nettop.snapshot import Snapshot
from tests.support.sshd import DEADLINE, Sshd


class Screen:
    """What is shown of a machine, and what is said of the way to it."""

    def __init__(self, server: Sshd, **wish: Any) -> None:
        remote = Remote(server.host, 0.3, ssh=server.ssh, **wish)
        remote.connect()
        self.source = Live(remote)
        self.pictures: list[Snapshot] = []
        self.notices: list[str | None] = [None]
        self._task = asyncio.create_task(self.source.run(self.pictures.append, self.notices.append))

    async def until(self, condition: Callable[[], object], seconds: float = DEADLINE) -> None:
        """Let it run until that is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.notices
            assert not self._task.done() or self._task.result()
            await asyncio.sleep(0.02)

    async def shown(self, more: int = 1, seconds: float = DEADLINE) -> Snapshot:
        """The last of so many pictures more."""
        wanted = len(self.pictures) + more
        await self.until(lambda: len(self.pictures) >= wanted, seconds)
        return self.pictures[-1]

    async def end(self) -> None:
        """As when the screen is left."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.source.close()


@contextlib.asynccontextmanager
async def screen(server: Sshd, **wish: Any) -> AsyncIterator[Screen]:
    """The screen's source; `wish` as for a `Remote`."""
    made = Screen(server, **wish)
    try:
        yield made
    finally:
        await made.end()


@contextlib.contextmanager
def far_picture(server: Sshd, **wish: Any) -> Iterator[Snapshot]:
    """A picture, while the far end still runs."""
    with asyncio.Runner() as runner:

        async def begin() -> Screen:
            made = Screen(server, **wish)
            await made.shown()
            return made

        made = runner.run(begin())
        try:
            yield made.pictures[-1]
        finally:
            runner.run(made.end())
