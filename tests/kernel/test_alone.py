"""Whose a connection was that nobody saw: told where one process alone can have made it, and nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nettop.collector.alone import Alone
from nettop.kernel.cn_proc import ProcEvent
from nettop.kernel.inet_destroy import parse_destroyed
from nettop.kernel.procfs import ProcFS
from nettop.model import NO_OWNERS, Owner, Process
from nettop.snapshot import Connection
from tests.support.rows import process_row
from tests.support.sockets import SocketRoom
from tests.support.watching import Pumped
from tests.unit.test_inet_destroy import MESSAGES

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

_CALLER = """
import json, socket, sys, time
address, calls = json.loads(sys.argv[1])
sys.stdin.readline()
for number in range(calls):
    with socket.create_connection(tuple(address)) as near:
        time.sleep(0.7 if number % 40 == 0 else 0.005)
    time.sleep(0.015)
print(flush=True); sys.stdin.read()
"""


@contextmanager
def answering(room: SocketRoom) -> Iterator[tuple[str, int]]:
    """A server in the room, but of a process that is elsewhere: who calls it is all that runs there."""
    listener = room.listener(backlog=512)
    over = threading.Event()

    def serve() -> None:
        listener.settimeout(0.1)
        while not over.is_set():
            try:
                listener.accept()[0].close()
            except TimeoutError:
                continue

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        yield listener.getsockname()
    finally:
        over.set()
        serving.join()


def verdicts(room: SocketRoom, callers: int, calls: int) -> tuple[list[int], list[Connection]]:
    """Pids of so many processes that call the same server, and the rows of their connections."""
    with answering(room) as address, Pumped() as watch:
        plan = json.dumps([address, calls])
        command = ["ip", "netns", "exec", room.name, sys.executable, "-I", "-S", "-c", _CALLER, plan]
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(callers)
        ]
        try:
            pids = {each.pid for each in running}
            deadline = time.monotonic() + 10
            while not pids <= {
                row.process.pid for row in watch.pump().processes.values() if row.process.netns == room.netns
            }:
                assert time.monotonic() < deadline, "the callers are not seen"
            for each in running:
                assert each.stdin is not None
                each.stdin.write("go\n")
                each.stdin.flush()
            rows: dict[int, Connection] = {}
            deadline = time.monotonic() + 20
            for each in running:
                assert each.stdout is not None
                os.set_blocking(each.stdout.fileno(), False)
            done = 0
            while done < callers:
                assert time.monotonic() < deadline, "the callers do not end"
                rows.update(watch.pump().connections)
                done += sum(each.stdout is not None and each.stdout.read(1) == "\n" for each in running)
            rows.update(watch.settled().connections)
        finally:
            for each in running:
                with each:
                    each.kill()
    made = [
        row for row in rows.values() if row.socket.netns == room.netns and row.ended and row.socket.rport == address[1]
    ]
    return [each.pid for each in running], made


_CONNECTED = parse_destroyed(MESSAGES["connected, closed first"])
NETNS = 4026531840


class Doers:
    """Two real processes, said to be all of a namespace, which run when they are told to and not otherwise."""

    def __init__(self) -> None:
        program = "import sys\nfor line in sys.stdin: print(flush=True)"
        command = [sys.executable, "-I", "-S", "-c", program]
        self._running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        self.pids = [each.pid for each in self._running]
        self.now = 1.7e9
        self.alone = Alone(ProcFS(), lambda _: self.pids, self.process, lambda: self.now)
        for number in range(2):
            self.act(number)

    def process(self, pid: int) -> Process | None:
        return process_row(pid=pid, start_time=1, netns=NETNS).process if pid in self.pids else None

    def act(self, number: int) -> None:
        """One of them runs, and waits again."""
        each = self._running[number]
        assert each.stdin is not None
        assert each.stdout is not None
        print(file=each.stdin, flush=True)
        each.stdout.readline()
        deadline = time.monotonic() + 10
        while ProcFS().read_stat(each.pid).rpartition(b")")[2].split()[0] != b"S":
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def see(self, number: int) -> None:
        """A connection of one of them was seen, and has ended."""
        assert _CONNECTED is not None
        self.alone.saw(NETNS, _CONNECTED, Owner(self.pids[number], 1, 7), self.now)

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.alone.turn(self.now)
        self.alone.rest()

    def end_one(self, seconds: float = 0.5) -> float | None:
        """A connection to the same place has ended so long after the tick; its time if it was deferred."""
        assert _CONNECTED is not None
        deferred = self.alone.defer(NETNS, _CONNECTED, self.now, self.now + seconds)
        return self.now + seconds if deferred else None

    def owner_of(self, ended: float | None) -> int | None:
        """Whose pid that was, as the tick after tells."""
        assert _CONNECTED is not None
        owners = NO_OWNERS if ended is None else self.alone.owners(NETNS, _CONNECTED, ended)
        assert owners.by == ("peer" if owners.holders else "none")
        return owners.holders[0].pid if owners.holders else None

    def close(self) -> None:
        for each in self._running:
            with each:
                each.kill()


@pytest.fixture
def doers() -> Iterator[Doers]:
    """The first was seen to talk to a place, and a tick has passed since a connection to it ended unseen."""
    made = Doers()
    made.see(0)
    assert made.end_one() is None, "it is the first such one: who has run nobody has read yet"
    made.tick()
    yield made
    made.close()


def test_who_alone_has_run_is_the_owner(doers: Doers) -> None:
    ended = doers.end_one()
    doers.act(0)
    doers.tick()
    assert doers.owner_of(ended) == doers.pids[0]


def test_where_another_has_run_too_nobody_is(doers: Doers) -> None:
    ended = doers.end_one()
    doers.act(0)
    doers.act(1)
    doers.tick()
    assert doers.owner_of(ended) is None


def test_nor_where_it_was_the_other_alone_that_ran(doers: Doers) -> None:
    ended = doers.end_one()
    doers.act(1)
    doers.tick()
    assert doers.owner_of(ended) is None


def test_nor_where_both_were_seen_to_talk_to_that_place(doers: Doers) -> None:
    ended = doers.end_one()
    doers.see(1)
    doers.act(0)
    doers.tick()
    assert doers.owner_of(ended) is None


@pytest.mark.parametrize("kind", ["fork", "exec", "exit"])
def test_nor_where_processes_came_or_went(doers: Doers, kind: str) -> None:
    ended = doers.end_one()
    doers.act(0)
    doers.alone.hear([ProcEvent(kind, doers.now, doers.pids[1], doers.pids[1], doers.pids[0], None, "")], doers.now)
    doers.tick()
    assert doers.owner_of(ended) is None


def test_nor_where_somebody_ran_of_whom_nobody_knows_where(doers: Doers) -> None:
    ended = doers.end_one()
    doers.act(0)
    doers.alone.hear([ProcEvent("exec", doers.now, 1, 1, None, None, "")], doers.now)
    doers.tick()
    assert doers.owner_of(ended) is None


def test_nor_where_events_were_lost(doers: Doers) -> None:
    ended = doers.end_one()
    doers.act(0)
    doers.alone.doubt(doers.now)
    doers.tick()
    assert doers.owner_of(ended) is None


@pytest.mark.parametrize("moment", [0.05, 0.95])
def test_what_ends_close_to_a_tick_is_nobodys(doers: Doers, moment: float) -> None:
    """Its message, or an event, may have been late."""
    ended = doers.end_one(moment)
    doers.act(0)
    doers.tick()
    assert doers.owner_of(ended) is None


def test_what_was_seen_long_ago_does_not_count(doers: Doers) -> None:
    for _ in range(6):
        doers.tick()
    assert doers.end_one() is None


def test_what_one_process_alone_can_have_made_is_its_own() -> None:
    with SocketRoom("alone") as room:
        (caller,), made = verdicts(room, callers=1, calls=160)
    by = Counter(row.owner_by for row in made)
    print(f"{len(made)} connections: {dict(by)}")
    assert {owner.pid for row in made for owner in row.owners} <= {caller}
    if not by["peer"]:
        pytest.skip("all the time programs ran elsewhere and were gone before anybody knew where: nobody is sure then")


def test_of_two_that_call_the_same_server_none_is_guessed() -> None:
    with SocketRoom("alone") as room:
        callers, made = verdicts(room, callers=2, calls=80)
    assert made
    assert "peer" not in {row.owner_by for row in made}
    assert {owner.pid for row in made for owner in row.owners} <= set(callers)
