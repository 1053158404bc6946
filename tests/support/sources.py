"""A source of pictures made by hand: shows what a test gives it, when the test says so."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

from nettop.requests import Answer, Request
from nettop.snapshot import Connection, HostRates, Sample, Snapshot


class ScriptedSource:
    """Shows the first picture at once, each further one when `push` is called."""

    travel = None

    def __init__(self, first: Snapshot, host_history: Sequence[HostRates] = ()) -> None:
        self.interval: float | None = None
        self.past: Mapping[tuple[str, int], Sequence[Sample]] = {}
        """What histories tell, by view and row id."""
        self.asked: list[Request] = []
        """Every request so far."""
        self.answer: Callable[[Request], Answer] = lambda _: Answer(True, "done")
        """What a request is answered with."""
        self._pictures: asyncio.Queue[Snapshot | str | None] = asyncio.Queue()
        self._pictures.put_nowait(first)
        self._host_history = list(host_history)

    def push(self, picture: Snapshot | str | None) -> None:
        """Show a picture; a string is a notice, None takes the notice away."""
        self._pictures.put_nowait(picture)

    async def run(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        while True:
            picture = await self._pictures.get()
            if isinstance(picture, Snapshot):
                show(picture)
            else:
                notice(picture)
            self._pictures.task_done()

    async def drained(self) -> None:
        """Every picture pushed so far has been handed over."""
        await self._pictures.join()

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        return self.past.get((view, row_id), ())

    def host_history(self) -> Sequence[HostRates]:
        return self._host_history

    def memory(self) -> int:
        return 30 << 20

    def set_interval(self, seconds: float) -> None:
        self.interval = seconds

    async def ask(self, request: Request) -> Answer:
        self.asked.append(request)
        return self.answer(request)


class BusySource:
    """A machine on which some rows of every picture move: for measuring, and for looking at while one works on it."""

    travel = None

    def __init__(self, first: Snapshot, busy: int, seed: int = 1) -> None:
        self._picture = first
        self._busy = busy
        self._random = random.Random(seed)
        self._interval = 1.0
        self._host_history: list[HostRates] = []

    async def run(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        notice(None)
        show(self._picture)
        while True:
            await asyncio.sleep(self._interval)
            self._picture = self.next(self._picture)
            show(self._picture)

    def next(self, picture: Snapshot) -> Snapshot:
        """The picture after this one: `busy` connections and a few processes have moved data."""
        rng = self._random
        connections = dict(picture.connections)
        moved = rng.sample(sorted(connections), min(self._busy, len(connections)))
        for row_id in moved:
            connections[row_id] = _moved(connections[row_id], rng)
        processes = dict(picture.processes)
        awake = rng.sample(sorted(processes), min(len(processes) // 20, self._busy))
        for row_id in awake:
            row = processes[row_id]
            processes[row_id] = row._replace(
                cpu=rng.random() * 20, rx_rate=rng.random() * 1e6, tx_rate=rng.random() * 1e5
            )
        rates = HostRates(rng.random() * 30, rng.random() * 2e7, rng.random() * 4e6, rng.random() * 0.5, 3.0, 0.9)
        self._host_history = [*self._host_history[-60:], rates]
        return Snapshot(
            sequence=picture.sequence + 1,
            time=picture.time + self._interval,
            interval=self._interval,
            connections=connections,
            processes=processes,
            namespaces=picture.namespaces,
            containers=picture.containers,
            events=picture.events,
            events_total=picture.events_total,
            host=picture.host,
            rates=rates,
            health=picture.health,
            coverage=picture.coverage,
            changed={"connections": frozenset(moved), "processes": frozenset(awake), "namespaces": frozenset()},
        )

    def history(self, view: str, row_id: int) -> Sequence[Sample]:
        return [Sample(self._picture.time, float(row_id), float(len(view)), None, 0.0)]

    def host_history(self) -> Sequence[HostRates]:
        return self._host_history

    def memory(self) -> int:
        return 30 << 20

    def set_interval(self, seconds: float) -> None:
        self._interval = seconds

    async def ask(self, request: Request) -> Answer:
        return Answer(False, f"a made-up machine knows no {type(request).__name__}")


def _moved(row: Connection, rng: random.Random) -> Connection:
    received, sent = rng.expovariate(1e-5), rng.expovariate(1e-4)
    stats = row.stats._replace(
        rx_bytes=(row.stats.rx_bytes or 0) + int(received), tx_bytes=(row.stats.tx_bytes or 0) + int(sent)
    )
    return row._replace(stats=stats, rx_rate=received, tx_rate=sent)
