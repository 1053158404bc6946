"""The collector as a process of its own: it tells, it listens, it waits for nobody, and it ends with its reader."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nettop import wire
from nettop.collector import spawn
from nettop.model import Delta
from nettop.requests import Reply, SetInterval, encode
from nettop.snapshot import Snapshot
from nettop.store import Store
from tests.support.watching import DEADLINE, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="process events are counted as root"),
]

INTERVAL = 0.2


class Reader:
    """The other end of a collector process, reading when a test says so."""

    def __init__(self, running: spawn.Running) -> None:
        self.pid = running.pid
        self.connection = running.connection
        self.store = Store()
        self.deltas: list[Delta] = []
        """Every one that was read."""
        self.replies: list[Reply] = []
        """Every answer that was read."""
        self._complaints = running.complaints
        self._pending = b""
        self._status: int | None = None

    def pictures(self, count: int = 1) -> list[Snapshot]:
        """The next ones; fails after `DEADLINE`."""
        found: list[Snapshot] = []
        deadline = time.monotonic() + DEADLINE
        while len(found) < count:
            ready, _, _ = select.select([self.connection], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "no picture in time"
            data = self.connection.recv(1 << 20)
            assert data, "the collector ended"
            *lines, self._pending = (self._pending + data).split(b"\n")
            for line in lines:
                heard = wire.hear(line)
                if isinstance(heard, Reply):
                    self.replies.append(heard)
                    continue
                self.deltas.append(heard)
                picture = self.store.apply(self.deltas[-1])
                found += [picture] if picture else []
        return found

    def until(self, condition: Callable[[Snapshot], object]) -> Snapshot:
        """The first picture of which it is true."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            for picture in self.pictures():
                if condition(picture):
                    return picture
        pytest.fail("not seen in time")

    def status(self) -> int:
        """Exit status of the process; waits for its end."""
        deadline = time.monotonic() + DEADLINE
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, "the collector lives on"
            time.sleep(0.005)
        return self._status

    def close(self) -> None:
        self.connection.close()
        self.status()
        os.close(self._complaints)


@pytest.fixture(params=[spawn.fork, spawn.start], ids=["forked", "started"])
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    made = Reader(request.param(INTERVAL))
    yield made
    made.close()


@pytest.fixture
def forked() -> Iterator[Reader]:
    made = Reader(spawn.fork(INTERVAL))
    yield made
    made.close()


def test_it_runs_as_others_do_once_it_has_told_the_first_picture(reader: Reader) -> None:
    reader.pictures(2)
    threads = [int(thread) for thread in os.listdir(f"/proc/{reader.pid}/task")]
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {0}
    session = Path(f"/proc/{reader.pid}/autogroup")
    assert not session.exists() or session.read_text().split()[-1] == "0"


def test_pictures_arrive_the_first_one_a_key_frame(reader: Reader) -> None:
    first, second = reader.pictures(2)[:2]
    assert reader.deltas[0].key
    assert not any(delta.key for delta in reader.deltas[1:])
    assert process(first, os.getpid()) is not None
    assert first.host is not None
    assert first.host.own_pid == reader.pid
    assert second.interval is not None
    assert 0.5 * INTERVAL < second.interval < DEADLINE


def test_it_ends_when_nobody_listens(reader: Reader) -> None:
    reader.pictures()
    reader.connection.close()
    assert reader.status() == 0


def test_it_ends_also_when_nobody_ever_listened() -> None:
    reader = Reader(spawn.fork(INTERVAL))
    reader.close()
    assert reader.status() == 0


def test_what_would_cost_too_much_comes_more_rarely_and_says_so() -> None:
    reader = Reader(spawn.fork(INTERVAL, False, 1.0))
    try:
        picture = reader.until(lambda picture: any(health.source == "budget" for health in picture.health))
        [complaint] = [health for health in picture.health if health.source == "budget"]
        assert re.fullmatch(r"interval stretched to \d\.\d s to stay under 1 % of a processor", complaint.reason)
        assert reader.until(lambda picture: (picture.interval or 0) > 2 * INTERVAL)
    finally:
        reader.close()


def test_it_is_not_reached_by_the_signals_of_the_terminal(forked: Reader) -> None:
    forked.pictures()
    assert os.getsid(forked.pid) == forked.pid


def test_what_is_no_request_is_ignored(forked: Reader) -> None:
    for line in (
        b"\n",
        b"\xff\xfe\x00\n",
        b"interval 1\n",
        b"7\n",
        b"[" * 4000 + b"\n",
        b"a" * 100_000,
    ):
        forked.connection.sendall(line)
        forked.pictures(2)


def test_the_interval_changes_at_once_and_stays_within_reason(forked: Reader) -> None:
    forked.pictures()
    forked.connection.sendall(encode(1, SetInterval(3600)))
    while select.select([forked.connection], [], [], 1.0)[0]:
        forked.pictures()  # what was under way, and the one that was due
    line = encode(2, SetInterval(0.1))
    forked.connection.sendall(encode(3, SetInterval(0)) + line[:9])
    forked.connection.sendall(line[9:])
    began = time.monotonic()
    assert len(forked.pictures(5)) >= 5
    assert time.monotonic() - began >= 3 * 0.1, "not more often than ten times a second"


FORKER = """
import os, time
for number in range(3000):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
"""


def test_who_does_not_read_for_five_seconds_loses_no_count_and_costs_no_memory(forked: Reader) -> None:
    forked.until(lambda picture: picture.sequence > 3)
    resting = memory(forked.pid)
    silent_until = time.monotonic() + 5
    for _ in range(2):
        subprocess.run([sys.executable, "-I", "-c", FORKER], check=True)
    time.sleep(max(0.0, silent_until - time.monotonic()))
    grown = memory(forked.pid) - resting
    forked.pictures()  # whole ones that were on their way, then one that says it all
    picture = forked.until(lambda picture: picture.time > time.time() - 2 * INTERVAL)
    assert picture.host is not None
    told = Counter(event.kind for delta in forked.deltas for event in delta.events)
    skipped = sum(delta.events_skipped for delta in forked.deltas)
    counted = picture.host.forks + picture.host.execs + picture.host.exits
    assert picture.host.forks >= 6000
    assert told["fork"] + told["exec"] + told["exit"] + skipped >= counted
    assert skipped or (told["fork"], told["exit"]) == (picture.host.forks, picture.host.exits)
    assert grown < 32 << 20
    assert picture.coverage.events_lost == 0


def memory(pid: int) -> int:
    """Resident bytes of a process."""
    with open(f"/proc/{pid}/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
