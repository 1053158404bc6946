"""What real processes belong to: put into another cgroup, replaced by others that have their pid, ended."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nettop.collector.processes import KEPT
from nettop.runtimes.runtimes import Runtimes
from nettop.snapshot import ContainerRow, Snapshot
from tests.support import cgroups
from tests.support.watching import Watch, container, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="making cgroups needs root"),
]

A, B = secrets.token_hex(32), secrets.token_hex(32)
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
"""The kernel gives the next process the pid after it."""


@pytest.fixture
def boxes() -> Iterator[tuple[cgroups.Cgroup, cgroups.Cgroup]]:
    """The cgroups of two containers."""
    with cgroups.made(f"/docker/{A}") as one, cgroups.made(f"/docker/{B}") as other:
        yield one, other


@contextlib.contextmanager
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as made:
        try:
            yield made
        finally:
            made.kill()


@pytest.fixture
def watch(boxes: tuple[cgroups.Cgroup, cgroups.Cgroup]) -> Iterator[Watch]:  # noqa: ARG001 - they outlive it
    with Watch(runtimes=Runtimes({})) as made:
        yield made


def belongs(picture: Snapshot, pid: int, container_id: str) -> ContainerRow | None:
    """The container a process belongs to, if it is that one."""
    row, mine = container(picture, container_id), process(picture, pid)
    return row if row and mine and mine.process.belongs == row.id else None


def test_a_new_process_that_is_put_into_a_container_without_an_exec_belongs_to_it_in_the_next_tick(
    watch: Watch, boxes: tuple[cgroups.Cgroup, cgroups.Cgroup]
) -> None:
    with sleeping() as made:
        assert belongs(watch.tick(), made.pid, A) is None
        boxes[0].put(made.pid)
        assert belongs(watch.tick(), made.pid, A)


def test_an_old_process_that_is_put_into_another_container_is_found_there_within_the_round(
    watch: Watch, boxes: tuple[cgroups.Cgroup, cgroups.Cgroup]
) -> None:
    with sleeping() as made:
        boxes[0].put(made.pid)
        for _ in range(5):
            picture = watch.tick()
        assert belongs(picture, made.pid, A)
        boxes[1].put(made.pid)
        for _ in range(64):
            picture = watch.tick()
        row = belongs(picture, made.pid, B)
        assert row is not None
        assert (row.processes, row.container.pid) == (1, made.pid)
        assert container(picture, A) is None, "nothing is left of it"


def reuse(pid: int) -> subprocess.Popen[bytes]:
    """A process with the pid of one that has ended; skips where the kernel does not let one choose."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            LAST_PID.write_text(str(pid - 1))
        except OSError as error:
            pytest.skip(f"pids cannot be chosen: {error.strerror}")
        made = subprocess.Popen(["sleep", "600"])
        if made.pid == pid:
            return made
        made.kill()  # somebody else was faster
        made.wait()
    pytest.skip("others on this machine took the pid")


def test_a_process_that_got_the_pid_of_another_does_not_inherit_its_container(
    watch: Watch, boxes: tuple[cgroups.Cgroup, cgroups.Cgroup]
) -> None:
    with sleeping() as first:
        boxes[0].put(first.pid)
        old = watch.until(lambda picture: belongs(picture, first.pid, A))
    with reuse(first.pid) as second:
        try:
            boxes[1].put(second.pid)
            watch.until(lambda picture: belongs(picture, second.pid, B))
            picture = watch.tick()
            left = container(picture, A)
            assert left is not None
            assert (left.id, left.processes, left.ended) == (old.id, 0, True), "it is shown for a while still"
            both = [row for row in picture.processes.values() if row.process.pid == second.pid]
            assert sorted(row.ended for row in both) == [False, True]
        finally:
            second.kill()


def test_what_has_been_shown_long_enough_after_its_end_is_forgotten(
    watch: Watch, boxes: tuple[cgroups.Cgroup, cgroups.Cgroup], monkeypatch: pytest.MonkeyPatch
) -> None:
    with sleeping() as made:
        boxes[0].put(made.pid)
        watch.until(lambda picture: belongs(picture, made.pid, A))
    watch.until(lambda picture: (row := container(picture, A)) and row.ended and row.container.state == "exited")
    later = time.time() + KEPT
    monkeypatch.setattr(time, "time", lambda: later)
    assert container(watch.tick(), A) is None


def in_state(container_id: str, right: str) -> Callable[[Snapshot], bool]:
    """(picture) → whether that container is in that state."""
    return lambda picture: (row := container(picture, container_id)) is not None and row.container.state == right


def test_the_kernel_tells_that_a_container_is_paused_where_no_runtime_does(
    watch: Watch, boxes: tuple[cgroups.Cgroup, cgroups.Cgroup]
) -> None:
    with sleeping() as made:
        boxes[0].put(made.pid)
        watch.until(in_state(A, "running"))
        boxes[0].freeze(True)
        try:
            watch.until(in_state(A, "paused"))
        finally:
            boxes[0].freeze(False)
        watch.until(in_state(A, "running"))


def test_the_next_container_of_a_name_is_not_taken_for_the_one_before() -> None:
    name = secrets.token_hex(32)
    with Watch(runtimes=Runtimes({})) as watch:
        for _ in range(2):
            with cgroups.occupied(f"/docker/{name}"):
                watch.until(in_state(name, "running"))
                box = cgroups.Cgroup(f"/docker/{name}")
                box.freeze(True)
                try:
                    watch.until(in_state(name, "paused"))
                finally:
                    box.freeze(False)
            watch.until(in_state(name, "exited"))
