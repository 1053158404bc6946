"""What events are told with: who a process was when something happened to it, and who had started it.

cn_proc tells pids; names are read from /proc, at times too late. So a name counts for an event only if it was read
after the process had last become another program, or was told by the event itself; else it is unknown, and the parent's
says where it came from. Parents are remembered as they were when they forked: a process whose parent has ended is given
another one by the kernel, and nothing tells any more who started it.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, NamedTuple, Optional, Set

from nettop.kernel.cn_proc import ProcEvent
from nettop.model import Event, Process

MOST = 20_000
"""Parents remembered; more there are only where the ends of processes were not heard of."""


class Parent(NamedTuple):
    """Who started a process."""

    pid: Optional[int]
    comm: Optional[str]
    """None where it is not known."""


UNKNOWN = Parent(None, None)


class _Change(NamedTuple):
    """A process became another program, or took another name."""

    time: float
    comm: Optional[str]
    """The name, where the event told it."""


class Lineage:
    """Fed with events as they are heard; asked when they are told."""

    def __init__(self, process: Callable[[int], Optional[Process]], read_at: Callable[[int], float]) -> None:
        """`process` tells what is known of a pid, also of one that has just ended, `read_at` when that was read, in
        seconds since the epoch."""
        self._process = process
        self._read_at = read_at
        self._parents: Dict[int, Parent] = {}
        self._changes: Dict[int, _Change] = {}  # pid → the last one
        self._ended: Set[int] = set()  # pids, since the last `age`
        self._ended_before: Set[int] = set()

    def hear(self, events: Iterable[ProcEvent]) -> None:
        """What has just happened; who could be looked at in time has been."""
        for event in events:
            if event.kind == "fork":
                self._changes.pop(event.pid, None)
                parent = None if event.ppid is None else self.name(event.ppid)
                self._parents[event.pid] = Parent(event.ppid, parent)
            elif event.kind == "exec":
                self._changes[event.pid] = _Change(event.time, None)
            elif event.kind == "comm" and event.tid == event.pid:
                self._changes[event.pid] = _Change(event.time, event.detail)
            elif event.kind == "exit":
                self._ended.add(event.pid)

    def name(self, pid: int) -> Optional[str]:
        """The name of a process; None where it has become another program that has not been looked at."""
        change, process = self._changes.get(pid), self._process(pid)
        if change is not None and self._read_at(pid) < change.time:
            return change.comm
        return process.comm if process else change.comm if change else None

    def parent(self, pid: int) -> Parent:
        """Who started a process; of one that is older than the collector its parent of now."""
        told = self._parents.get(pid)
        if told is not None:
            return told
        process = self._process(pid)
        return Parent(process.ppid, self.name(process.ppid)) if process else UNKNOWN

    def describe(self, event: ProcEvent, process: Optional[Process]) -> Event:
        """An event as it is told, of a process as far as that is known."""
        change = self._changes.get(event.pid)
        before = change is not None and event.time < change.time  # it was another program then
        comm = None if before else self.name(event.pid)
        renamed = event.kind == "comm" and event.tid == event.pid
        parent = self.parent(event.pid)
        return Event(
            time=event.time,
            kind=event.kind,
            pid=event.pid,
            tid=event.tid,
            ppid=event.ppid if parent.pid is None else parent.pid,
            parent=parent.comm,
            comm=event.detail if renamed else comm,
            detail=process.command if event.kind == "exec" and process and comm == process.comm else event.detail,
            netns=process.netns if process else None,
            container=process.container if process else None,
        )

    def age(self) -> None:
        """The events of a tick are told. Those of sockets may come a little later than their process's end."""
        for pid in self._ended_before - self._ended:
            if self._process(pid) is None:
                self._parents.pop(pid, None)
                self._changes.pop(pid, None)
        self._ended_before, self._ended = self._ended, set()
        if len(self._parents) > MOST:
            self._parents = {pid: parent for pid, parent in self._parents.items() if self._process(pid) is not None}
            self._changes = {pid: change for pid, change in self._changes.items() if self._process(pid) is not None}
        self._changes = {pid: change for pid, change in self._changes.items() if self._read_at(pid) < change.time}
