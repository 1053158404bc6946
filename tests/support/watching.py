"""A collector in the test's own process, its ticks driven by hand, and the pictures they make.

with Watch() as watch:
    row = watch.until(lambda picture: connection(picture, inode))
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import pytest

from nettop.collector.collector import Collector
from nettop.kernel.cn_proc import RECEIVE_BUFFER
from nettop.kernel.procfs import ProcFS
from nettop.model import Health
from nettop.runtimes.runtimes import Runtimes
from nettop.snapshot import Connection, ContainerRow, NamespaceRow, ProcessRow, Snapshot
from nettop.store import Store

DEADLINE = 10.0
"""Seconds until what should have been seen is missed."""

INTERVAL = 0.5
"""Seconds between two pictures of `Pumped`."""

T = TypeVar("T")


class Watch:
    """A `Collector` and the store it fills. Nothing is read unless a test ticks."""

    def __init__(
        self, proc: ProcFS | None = None, receive_buffer: int = RECEIVE_BUFFER, runtimes: Runtimes | None = None
    ) -> None:
        self.collector = Collector(proc, receive_buffer, runtimes=runtimes)
        self._store = Store()

    def __enter__(self) -> Self:
        self.collector.start()
        self.tick()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.collector.close()

    def tick(self) -> Snapshot:
        """The picture after one more tick."""
        self.collector.tick()
        self.collector.read_links()
        snapshot = self._store.apply(self.collector.take())
        assert snapshot is not None, "a Delta taken whole completes a picture"
        return snapshot

    def until(self, condition: Callable[[Snapshot], T | None], seconds: float = DEADLINE) -> T:
        """What `condition` says of the first picture it is true of; the test fails after `seconds` without one."""
        deadline = time.monotonic() + seconds
        while not (answer := condition(self.tick())):
            if time.monotonic() > deadline:
                pytest.fail(f"not seen within {seconds} s: {condition.__name__}")
            time.sleep(0.01)
        return answer


class Pumped(Watch):
    """Ticks every `INTERVAL` seconds, and what comes between is caught up with as the collector process does."""

    def __init__(self) -> None:
        super().__init__()
        self.picture: Snapshot | None = None
        self._due = 0.0

    def pump(self) -> Snapshot:
        """Wait for something to happen, at most until the next tick is due."""
        now = time.monotonic()
        if self.picture is None or now >= self._due:
            self.picture = self.tick()
            self._due = now + INTERVAL
        now = time.monotonic()
        pause = max(0.0, min(self._due, self.collector.due(now)) - now)
        select.select(self.collector.watched(now), [], [], min(pause, 0.05))
        self.collector.catch_up(time.monotonic())
        return self.picture

    def settled(self) -> Snapshot:
        """The picture of a tick later, with everything that has happened until now."""
        shown = self.picture
        while self.pump() is shown:
            pass
        shown = self.picture
        while self.pump() is shown:
            pass
        assert self.picture is not None
        return self.picture


def connections(picture: Snapshot, inode: int) -> list[Connection]:
    """The rows of the socket with this inode, while it lives: several where MPTCP lends its own to its subflows."""
    return [row for row in picture.connections.values() if row.socket.inode == inode and not row.ended]


def holders(picture: Snapshot, inode: int) -> set[tuple[int, int]] | None:
    """(pid, fd) of everybody who holds a socket now; None where no row has this inode."""
    rows = connections(picture, inode)
    return {(owner.pid, owner.fd) for row in rows if row.owner_by == "exact" for owner in row.owners} if rows else None


def process(picture: Snapshot, pid: int) -> ProcessRow | None:
    """The row of a process, while it lives."""
    return next((row for row in picture.processes.values() if row.process.pid == pid and not row.ended), None)


def namespace(picture: Snapshot, inode: int) -> NamespaceRow | None:
    """The row of a namespace."""
    return next((row for row in picture.namespaces.values() if row.namespace.netns == inode), None)


def container(picture: Snapshot, container_id: str) -> ContainerRow | None:
    """The row of a container, by its id in full."""
    return next((row for row in picture.containers.values() if row.container.container_id == container_id), None)


def complaint(picture: Snapshot, source: str) -> Health | None:
    """What the health table says of a source."""
    return next((row for row in picture.health if row.source == source), None)


def inode_of(fd: int) -> int:
    """The inode of an open socket."""
    return os.fstat(fd).st_ino
