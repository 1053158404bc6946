"""Several machines as one source of pictures. See `tui.source.Source`."""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from nettop.fleet import sums
from nettop.fleet.joins import Joins
from nettop.fleet.member import Member, complaints
from nettop.fleet.merge import Merger
from nettop.fleet.numbered import as_there, machine_asked
from nettop.fleet.turns import Turns
from nettop.machines import first_number, machine_of
from nettop.model import Destination
from nettop.origin import Origin
from nettop.requests import Answer, Request
from nettop.snapshot import HostRates, Machine, Sample, Snapshot
from nettop.store import EVENTS_KEPT, Store
from nettop.store.history import LENGTH

TOGETHER = 0.3
"""Seconds a screen looks at nothing while it could look at some machines."""
EARLY = 0.05
"""Part of the interval by which a picture may come too soon: machines tick each in their own time."""
WATCH = 1.0
"""Seconds between two looks whether a machine has fallen silent."""
_LEAST_EVENTS = 1000
"""Of each machine that wait for the next picture at least."""


class Fleet:
    """Machines that are watched together, each through an origin of its own.

    A picture is shown when any machine has a new one, but no more often than the interval. A machine that is not
    reached has no rows, as a row says that something is so now; the others go on, and the picture tells why
    (`Machine.trouble`)."""

    travel = None

    def __init__(
        self,
        origins: Mapping[str, Origin],
        interval: float,
        events_kept: int = EVENTS_KEPT,
        patience: float = TOGETHER,
    ) -> None:
        """`origins` by what their machines are called; pictures hold the last `events_kept` events of all together.
        The first one waits `patience` seconds for machines that have not told anything yet, once one has."""
        self._interval = interval
        self._patience = patience
        self._news = asyncio.Event()
        self._joins = Joins()
        each = max(_LEAST_EVENTS, events_kept // max(1, len(origins)))
        self._members = {
            number: Member(number, name, origin, self._store(number, each), self._news.set)
            for number, (name, origin) in enumerate(origins.items(), 1)
        }
        self._merger = Merger(self._joins, events_kept)
        self._history: collections.deque[HostRates] = collections.deque(maxlen=LENGTH)
        self._sequence = 0
        self._told: list[str | None] = []  # what was wrong with each machine, as of the last picture
        self._destinations: tuple[list[Mapping[int, Destination]], Mapping[int, Destination]] = ([], {})

    def _store(self, number: int, events_kept: int) -> Store:
        """One whose events are told apart from those of other machines, as its rows are."""
        return Store(events_kept, events_total=first_number(number), abroad=self._joins)

    async def run(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        """See `tui.source.Source`; `notice` is told where no machine at all is reached."""
        turns = Turns()
        async with asyncio.TaskGroup() as tasks:
            for member in self._members.values():
                tasks.create_task(turns.take(member.live.run(member.show, member.notice)))
            tasks.create_task(turns.take(self._publish(show, notice)))
            await turns.give()

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        """See `tui.source.Source`."""
        member = self._members.get(machine_of(row_id))
        return member.live.history(view, row_id) if member else ()

    def host_history(self) -> Sequence[HostRates]:
        """Recent rates of all machines together, oldest first."""
        return tuple(self._history)

    def memory(self) -> int:
        """See `tui.source.Source`."""
        return self._members[1].live.memory()

    def set_interval(self, seconds: float) -> None:
        """See `tui.source.Source`: of every machine."""
        self._interval = seconds
        for member in self._members.values():
            member.live.set_interval(seconds)

    async def ask(self, request: Request) -> Answer:
        """What the machine answers whose process, socket or namespace it is about: its numbers say which one that
        is."""
        member = self._members.get(machine_asked(request))
        if member is None:
            return Answer(False, "this is of no machine that is watched")
        if member.newest is None:
            return Answer(False, f"{member.name} is not reached")
        return await member.live.ask(as_there(request))

    def close(self) -> None:
        """Listen no more; all at once, as each may take a moment to notice."""
        with ThreadPoolExecutor(len(self._members)) as threads:
            list(threads.map(lambda member: member.live.close(), self._members.values()))

    # --- pictures ---

    async def _publish(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        """Show pictures of all machines, for as long as it is wanted."""
        shown: float | None = None
        while True:
            await (self._first() if shown is None else self._next(shown))
            self._news.clear()
            if shown is not None or any(member.newest for member in self._members.values()):
                began = time.monotonic()
                picture = await self._picture(None if shown is None else began - shown)
                shown = began
                show(picture)
            notice(self._notice())

    async def _first(self) -> None:
        """Until there is something to show for the first time, of all machines that tell something soon."""
        await self._stirred(None)
        until = time.monotonic() + self._patience
        while not all(member.told for member in self._members.values()) and (left := until - time.monotonic()) > 0:
            self._news.clear()
            await self._stirred(left)

    async def _next(self, shown: float) -> None:
        """Until there is something else to show than at that time: a picture of a machine, or that it gives none."""
        while not await self._stirred(WATCH) and self._troubles() == self._told:
            pass
        await asyncio.sleep(max(0.0, shown + self._interval * (1 - EARLY) - time.monotonic()))
        until = shown + max(2 * self._interval, self._patience)
        while any(member.unrated for member in self._members.values()) and (left := until - time.monotonic()) > 0:
            self._news.clear()
            await self._stirred(left)

    async def _stirred(self, seconds: float | None) -> bool:
        """Whether a machine had something new within that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _picture(self, elapsed: float | None) -> Snapshot:
        """The newest picture of all machines, so many seconds after the last one."""
        cuts = {number: member.cut() for number, member in self._members.items()}
        self._joins.stores.update({number: self._members[number].store for number, cut in cuts.items() if cut.now})
        for _ in self._merger.take([*cuts.values()]):
            await asyncio.sleep(0)
        for number, cut in cuts.items():
            if cut.now is None:  # until here it could tell whose other ends they were
                self._joins.stores.pop(number, None)
        machines = {number: member.machine(self._interval) for number, member in self._members.items()}
        self._told = self._troubles()
        for member in self._members.values():
            member.early = False
        self._sequence += 1
        picture = self._summed(machines, elapsed)
        self._history.append(picture.rates)
        return picture

    def _summed(self, machines: Mapping[int, Machine], elapsed: float | None) -> Snapshot:
        named = {machine.name: machine.picture for machine in machines.values() if machine.picture}
        pictures = [*named.values()]
        rows, merger = self._merger.rows, self._merger
        told = [picture.destinations for picture in pictures]
        if [*map(id, told)] != [*map(id, self._destinations[0])]:
            self._destinations = told, sums.destinations(pictures)
        return Snapshot(
            sequence=self._sequence,
            time=time.time(),
            interval=elapsed,
            connections=rows["connections"],
            processes=rows["processes"],
            namespaces=rows["namespaces"],
            containers=rows["containers"],
            events=merger.events,
            events_total=merger.events_total,
            host=sums.host(pictures),
            rates=sums.rates(named),
            health=[health for machine in machines.values() for health in complaints(machine)],
            coverage=sums.coverage(pictures),
            traffic=sums.traffic(pictures),
            destinations=self._destinations[1],
            changed=merger.changed,
            machines=machines,
        )

    def _troubles(self) -> list[str | None]:
        return [member.trouble(self._interval) for member in self._members.values()]

    def _notice(self) -> str | None:
        """What to say where no machine is reached."""
        if any(member.newest for member in self._members.values()):
            return None
        reasons = (f"{member.name}: {member.trouble(self._interval)}" for member in self._members.values())
        return f"no machine is reached; {'; '.join(reasons)}"
