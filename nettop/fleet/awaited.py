"""Several machines for one who waits for their pictures: the plain views."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator

from nettop.errors import NothingReadableError
from nettop.fleet.fleet import EARLY, Fleet
from nettop.requests import SHORTEST
from nettop.snapshot import Snapshot


def pictures(fleet: Fleet, say: Callable[[str], object]) -> Generator[Snapshot, float, None]:
    """The first picture at once, then each so many seconds after the one before as it is sent. `say` is told which
    machine is not in it, and why; raises NothingReadableError where that is every one. The fleet is closed at the
    end."""
    told: asyncio.Queue[Snapshot | str | None] = asyncio.Queue()
    missing: dict[str, str | None] = {}
    with contextlib.closing(fleet), asyncio.Runner() as runner:
        running = runner.get_loop().create_task(fleet.run(told.put_nowait, told.put_nowait))
        due = 0.0
        while True:
            picture = runner.run(_next(told, due))
            for machine in picture.machines.values():
                trouble = None if machine.picture else machine.trouble
                if trouble and trouble != missing.get(machine.name):
                    say(f"{machine.name}: {trouble}")
                missing[machine.name] = trouble
            gap = yield picture
            assert not running.done(), "it runs until it is cancelled"
            fleet.set_interval(max(SHORTEST, gap))
            due = picture.time + gap * (1 - EARLY)


async def _next(told: asyncio.Queue[Snapshot | str | None], due: float) -> Snapshot:
    """The first picture of that time or a later one."""
    while True:
        picture = await told.get()
        if isinstance(picture, str):
            raise NothingReadableError(picture)
        if picture is not None and picture.time >= due:
            return picture
