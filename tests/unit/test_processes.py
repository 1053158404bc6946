"""The process table when events are missing, or a process becomes one that may not be looked at."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from nettop.collector.health import HealthBook
from nettop.collector.outbox import Outbox
from nettop.collector.processes import ProcessTracker
from nettop.collector.registry import Registry
from nettop.kernel.cn_proc import ProcEvent
from nettop.kernel.procfs import ProcFS
from nettop.runtimes.runtimes import Runtimes


class Machine(ProcFS):
    """The real /proc, of which some users are made up."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[int] = set()
        self.users: dict[int, int] = {}

    def uid(self, pid: int) -> int:
        if pid in self.hidden:
            raise PermissionError(13, "Permission denied")
        return self.users.get(pid) or super().uid(pid)


def tracking(machine: Machine) -> ProcessTracker:
    outbox = Outbox()
    return ProcessTracker(machine, outbox, Registry(outbox, HealthBook(outbox), Runtimes({})))


@pytest.fixture
def pid() -> Iterator[int]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as sleeper:
        yield sleeper.pid
        sleeper.kill()


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def tracker(machine: Machine, pid: int) -> Iterator[ProcessTracker]:
    made = tracking(machine)
    changes = made.update([], 0.0, verify=True)
    assert pid in [key.pid for key in changes.look_at]
    yield made
    made.close()


def test_a_process_that_hidepid_hides_since_it_changed_its_user_is_gone(
    tracker: ProcessTracker, machine: Machine, pid: int
) -> None:
    machine.hidden = {pid}
    changes = tracker.update([ProcEvent("uid", 0.0, pid, pid, None, None, "ruid 1 euid 1")], 1.0, verify=False)
    assert pid in changes.gone
    assert pid not in [process.pid for process in tracker.processes()]


def test_without_events_a_new_user_is_noticed_within_a_round(
    tracker: ProcessTracker, machine: Machine, pid: int
) -> None:
    machine.users[pid] = 4242
    for moment in range(8):
        tracker.update([], float(moment), verify=True)
    process = tracker.get(pid)
    assert process is not None
    assert process.uid == 4242


def test_what_lost_events_might_have_told_is_asked_in_the_round_after_the_loss(
    tracker: ProcessTracker, machine: Machine, pid: int
) -> None:
    machine.users[pid] = 4242
    tracker.update([], 0.0, verify=True)
    for moment in range(8):
        tracker.update([], float(moment), verify=False)
    process = tracker.get(pid)
    assert process is not None
    assert process.uid == 4242


def test_an_exit_is_told_of_the_process_that_ended_whoever_has_its_pid_now(tracker: ProcessTracker, pid: int) -> None:
    before = tracker.get(pid)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    tracker.update([], 1.0, verify=True)
    assert tracker.ended(pid) == before
    tracker.update([], 2.0, verify=True)
    assert tracker.ended(pid) == before, "the event may come an update later"
    tracker.update([], 3.0, verify=True)
    assert tracker.ended(pid) is None


def test_closing_leaves_no_file_open(machine: Machine) -> None:
    files = os.listdir("/proc/self/fd")
    tracker = tracking(machine)
    tracker.update([], 0.0, verify=True)
    tracker.close()
    assert os.listdir("/proc/self/fd") == files
