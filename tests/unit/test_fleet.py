"""Several machines as one source: pictures in time, machines that come and go, requests to the right one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from nettop.errors import NothingReadableError, UsageError
from nettop.fleet import MOST, Fleet, pictures, reach
from nettop.machines import machine_of, machine_of_row
from nettop.model import Health
from nettop.requests import InspectNamespace, InspectProcess, Request, SetInterval, Signal
from nettop.snapshot import Snapshot
from tests.support.lines import FarMachine, until
from tests.support.rows import HOST_NETNS, event, host

INTERVAL = 0.1


class Shown:
    """What a fleet showed and said."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.pictures: list[Snapshot] = []
        self.notices: list[str | None] = []

    @property
    def last(self) -> Snapshot:
        return self.pictures[-1]

    def machines(self) -> set[int]:
        """Those that have rows in the last picture."""
        return {machine_of(row_id) for row_id in self.last.connections}


@asynccontextmanager
async def watched(machines: Mapping[str, FarMachine]) -> AsyncIterator[Shown]:
    """A fleet that runs."""
    shown = Shown(Fleet(machines, INTERVAL))
    running = asyncio.create_task(shown.fleet.run(shown.pictures.append, shown.notices.append))
    try:
        await until(lambda: all(machine.opened or machine.refusal for machine in machines.values()))
        yield shown
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        shown.fleet.close()


def pair() -> tuple[FarMachine, FarMachine]:
    """Two machines with a socket, a process and a namespace each, all their numbers alike."""
    both = FarMachine("web-01"), FarMachine("db-1")
    for machine in both:
        machine.add_namespace(HOST_NETNS)
        machine.open_socket(5, machine.held(machine.start_process(1, start_time=7)))
    return both


async def asked(machine: FarMachine) -> list[Request]:
    """What a machine is asked next."""
    heard: list[Request] = []
    while not heard:
        await asyncio.sleep(0.005)
        heard = machine.heard()
    return heard


async def rated(shown: Shown, *machines: FarMachine) -> None:
    """Two ticks of each, and the picture that shows the second."""
    for machine in machines:
        machine.say()
    await until(lambda: shown.pictures)
    for machine in machines:
        machine.say()
    await until(lambda: shown.last.interval is not None and len(shown.machines()) == len(machines))


async def test_a_picture_has_the_rows_of_every_machine_and_says_whose_they_are() -> None:
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        picture = shown.last
        assert [machine.name for machine in picture.machines.values()] == ["web-01", "db-1"]
        assert picture.names() == {1: "web-01", 2: "db-1"}
        for view in ("connections", "processes", "namespaces"):
            assert [machine_of_row(row) for row in getattr(picture, view).values()] == [1, 2]
        assert shown.pictures[0].interval is None, "rates are not known at first"
        assert [each.sequence for each in shown.pictures] == [*range(1, len(shown.pictures) + 1)]
        assert shown.notices[-1] is None


async def test_figures_are_sums() -> None:
    web, db = pair()
    db.tables["host"][0] = host(mem_used=1 << 30, cpus=6, events_lost=2)
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        picture, own = shown.last, [machine.picture for machine in shown.last.machines.values()]
        assert picture.host is not None
        assert (picture.host.mem_used, picture.host.cpus, picture.host.own_pid) == (4 << 30, 8, 0)
        assert picture.coverage.namespaces == 2
        assert picture.coverage.events_lost == 2
        assert picture.coverage.ownable == sum(each.coverage.ownable for each in own if each)
        assert shown.fleet.host_history()[-1] is picture.rates


async def test_pictures_come_no_more_often_than_the_interval() -> None:
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        first, count = time.monotonic(), len(shown.pictures)
        while time.monotonic() < first + 6 * INTERVAL:
            web.say()
            await asyncio.sleep(INTERVAL / 10)
        assert 4 <= len(shown.pictures) - count <= 7


async def test_a_machine_that_is_not_reached_has_no_rows_and_the_others_go_on() -> None:
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        rows = [row_id for row_id in shown.last.connections if machine_of(row_id) == 2]
        db.refusal = "Connection refused"
        db.cut()
        await until(lambda: shown.machines() == {1})
        assert shown.last.machines[2].picture is None
        await until(lambda: "Connection refused" in (shown.last.machines[2].trouble or ""))
        first = shown.last.health[0]
        assert (first.source, first.status) == ("machine:db-1", "unavailable")
        assert first.reason == "db-1: it cannot be reached: Connection refused; trying again"
        assert not any(
            machine_of(row_id) == 2 for view in ("processes", "namespaces") for row_id in getattr(shown.last, view)
        )
        assert shown.notices[-1] is None, "there is something to look at"
        sequence = shown.last.sequence
        web.say()
        await until(lambda: shown.last.sequence > sequence)
        db.refusal = None
        await until(lambda: db.opened == 2)
        db.say()
        db.say()
        await until(lambda: shown.machines() == {1, 2})
        again = [row_id for row_id in shown.last.connections if machine_of(row_id) == 2]
        assert not set(rows) & set(again), "a row of before is taken for none of now"
        assert shown.last.machines[2].trouble is None
        assert shown.last.interval is not None, "the others' rates are known all the time"


async def test_rows_that_do_not_know_their_rates_do_not_stand_among_those_that_do() -> None:
    web, db = pair()
    db.refusal = "No route to host"
    async with watched({"web-01": web, "db-1": db}) as shown:
        web.say()
        web.say()
        await until(lambda: shown.pictures and shown.last.interval is not None)
        db.refusal = None
        await until(lambda: db.opened == 1)
        db.say()
        count = len(shown.pictures)
        web.say()
        await until(lambda: len(shown.pictures) > count)
        assert shown.machines() == {1}
        assert "its rates are known with its next picture" in (shown.last.machines[2].trouble or "")
        db.say()
        await until(lambda: shown.machines() == {1, 2})


async def test_where_no_machine_is_reached_that_is_said_with_every_reason() -> None:
    web, db = pair()
    web.refusal, db.refusal = "No route to host", "Connection refused"
    async with watched({"web-01": web, "db-1": db}) as shown:
        await until(lambda: shown.notices)
        await until(lambda: "Connection refused" in (shown.notices[-1] or ""))
        assert "no machine is reached; web-01: " in (shown.notices[-1] or "")
        assert "No route to host" in (shown.notices[-1] or "")
        assert not shown.pictures


async def test_a_machine_with_numbers_beyond_all_bounds_is_refused_with_the_reason() -> None:
    web, db = pair()
    db.open_socket(6, netns=1 << 33)
    async with watched({"web-01": web, "db-1": db}) as shown:
        web.say()
        db.say()
        await until(lambda: shown.pictures and "out of range" in (shown.last.machines[2].trouble or ""))
        assert shown.machines() == {1}
        assert f"the namespace {1 << 33} is out of range" in (shown.last.machines[2].trouble or "")


async def test_nonsense_from_one_machine_is_its_own_trouble() -> None:
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        db.say_line(b"{}\n")
        await until(lambda: shown.machines() == {1})
        assert "it made no sense" in (shown.last.machines[2].trouble or "")


async def test_a_machine_that_falls_silent_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettop.fleet.member.LATE", 1)
    monkeypatch.setattr("nettop.fleet.fleet.WATCH", 0.1)
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        await until(lambda: "no picture for" in (shown.last.machines[1].trouble or ""))
        assert shown.machines() == {1, 2}, "nobody knows that they have ended"
        assert shown.last.health[0].status == "degraded"


async def test_what_a_machine_complains_of_bears_its_name() -> None:
    web, db = pair()
    db.tables["health"][900] = Health("cn_proc", "lossy", "events were lost", None, 1)
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        assert [(h.source, h.reason) for h in shown.last.health] == [("db-1:cn_proc", "db-1: events were lost")]


async def test_events_of_all_machines_come_once() -> None:
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        web.say(events=(event(pid=1, netns=None),))
        db.say(events=(event(pid=2),))
        await until(lambda: shown.last.events_total == 2)
        assert sorted((machine_of_row(each), each.pid) for each in shown.last.events.values()) == [(1, 1), (2, 2)]


async def test_a_request_goes_to_the_machine_of_the_row_it_is_for() -> None:
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        process = next(row.process for row in shown.last.processes.values() if machine_of_row(row) == 2)
        asking = asyncio.create_task(shown.fleet.ask(Signal(process.pid, process.start_time, 15, False)))
        await asyncio.sleep(0)
        assert await asked(db) == [Signal(1, 7, 15, False)], "with the numbers as they are known there"
        assert (await asking).text == "done by db-1"
        assert not web.heard()
        namespace = next(row.namespace for row in shown.last.namespaces.values() if machine_of_row(row) == 1)
        asking = asyncio.create_task(shown.fleet.ask(InspectNamespace(namespace.netns)))
        assert await asked(web) == [InspectNamespace(HOST_NETNS)]
        assert (await asking).text == "done by web-01"


async def test_a_request_for_a_machine_that_is_not_reached_or_not_watched_is_answered() -> None:
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        process = next(row.process for row in shown.last.processes.values() if machine_of_row(row) == 2)
        db.refusal = "Connection refused"
        db.cut()
        await until(lambda: shown.machines() == {1})
        assert (await shown.fleet.ask(InspectProcess(*process.key))).text == "db-1 is not reached"
        assert (await shown.fleet.ask(InspectProcess(1, 7))).text == "this is of no machine that is watched"


async def test_the_interval_is_that_of_every_machine() -> None:
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        shown.fleet.set_interval(0.5)
        for machine in (web, db):
            assert machine.interval == 0.5
            assert await asked(machine) == [SetInterval(0.5)]


async def test_histories_are_those_of_the_machine() -> None:
    web, db = pair()
    async with watched({"web-01": web, "db-1": db}) as shown:
        await rated(shown, web, db)
        [socket] = db.tables["sockets"]
        db.set("stats", socket, rx_bytes=1_000_000)
        db.say()
        row_id = next(row_id for row_id in shown.last.connections if machine_of(row_id) == 2)
        await until(lambda: shown.fleet.history("connections", row_id))
        assert not shown.fleet.history("connections", 5)


# --- the first connections -------------------------------------------------------------------------------------------


def machines(*hosts: str) -> dict[str, FarMachine]:
    return {host: FarMachine(host) for host in hosts}


def test_hosts_are_called_what_ssh_calls_them_without_the_user() -> None:
    far = machines("web-01", "root@db-1")
    assert [*reach([*far], far.__getitem__, print)] == ["web-01", "db-1"]


@pytest.mark.parametrize("hosts", [["a", "b", "a"], ["a", "root@a"], ["a", "ssh://a"]])
def test_one_machine_twice_is_refused_in_a_line(hosts: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^--host: a is named more than once$"):
        reach(hosts, FarMachine, print)


def test_too_many_machines_are_refused_in_a_line() -> None:
    with pytest.raises(UsageError, match=f"^--host: {MOST + 1} machines are more than {MOST}"):
        reach([f"host{number}" for number in range(MOST + 1)], FarMachine, print)


def test_one_that_cannot_be_reached_is_told_of_and_watched_all_the_same() -> None:
    far, said = machines("a", "b"), list[str]()
    far["b"].refusal = "Connection refused"
    assert [*reach([*far], far.__getitem__, said.append)] == ["a", "b"]
    assert said == ["b: Connection refused"]


def test_where_none_can_be_reached_that_is_all_there_is_to_say() -> None:
    far = machines("a", "b")
    far["a"].refusal, far["b"].refusal = "No route to host", "Connection refused"
    with pytest.raises(NothingReadableError, match=r"^a: No route to host; b: Connection refused$"):
        reach([*far], far.__getitem__, print)


def test_those_that_have_to_ask_somebody_do_so_one_after_the_other() -> None:
    far, said = machines("a", "b", "c"), list[str]()
    far["b"].asks = far["c"].asks = True
    far["c"].refusal = "Permission denied"
    reach([*far], far.__getitem__, said.append)
    assert not far["b"].asks
    assert said == ["c: Permission denied"]


# --- one by one ------------------------------------------------------------------------------------------------------


def test_pictures_come_one_by_one_as_far_apart_as_wanted() -> None:
    web, db = pair()
    over = threading.Event()

    def telling() -> None:
        while not over.wait(0.05):
            for machine in (web, db):
                if machine.opened:
                    machine.say(0.05)

    teller = threading.Thread(target=telling)
    teller.start()
    try:
        shown = pictures(Fleet({"web-01": web, "db-1": db}, 0.1, patience=2.0), print)
        first = next(shown)
        second = shown.send(0.3)
        shown.close()
    finally:
        over.set()
        teller.join()
    assert (first.interval, len(first.connections), len(second.connections)) == (None, 2, 2)
    assert second.interval is not None
    assert 0.25 <= second.time - first.time < 2.0


def test_whoever_waits_is_told_which_machine_is_missing() -> None:
    web, db = pair()
    db.refusal = "Connection refused"
    over, said = threading.Event(), list[str]()

    def telling() -> None:
        while not over.wait(0.05):
            if web.opened:
                web.say(0.05)

    teller = threading.Thread(target=telling)
    teller.start()
    try:
        shown = pictures(Fleet({"web-01": web, "db-1": db}, 0.1), said.append)
        assert len(next(shown).connections) == 1
        shown.close()
    finally:
        over.set()
        teller.join()
    assert said == ["db-1: it cannot be reached: Connection refused; trying again"]


def test_where_no_machine_tells_anything_that_is_the_end() -> None:
    web, db = pair()
    web.refusal = db.refusal = "Connection refused"
    with pytest.raises(NothingReadableError, match=r"no machine is reached; web-01: .*Connection refused"):
        next(pictures(Fleet({"web-01": web, "db-1": db}, 0.1), print))
