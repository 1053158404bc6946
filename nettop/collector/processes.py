"""Which processes there are: told by cn_proc as it happens, verified against /proc.

Between ticks the kernel's events say who came, went and changed. In a tick each process's stat is read again through a
descriptor kept open (3.5 µs), and only one that says something new is parsed. A list of /proc is read at the first
tick, then every `RESYNC_INTERVAL` seconds as a check, after an overrun of the event queue, and at each tick where there
are no events to rely on.
"""

from __future__ import annotations

import time
from typing import Callable, Container, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set

from nettop.collector.changes import Changes
from nettop.collector.identities import Identities
from nettop.collector.outbox import Outbox
from nettop.collector.registry import Registry
from nettop.kernel import procfs
from nettop.kernel.cn_proc import ProcEvent
from nettop.kernel.procfs import Gone, ProcFS, Stat, StatReader
from nettop.model import Process, ProcessKey, Usage

RESYNC_INTERVAL = 10.0
"""Seconds between two comparisons with the list of /proc, while events arrive."""
KEPT = 10.0
"""Seconds a process is shown after its end."""
MOST = 300
"""Ended processes shown at most, the newest; those without traffic go first."""
_ROUND = 8
"""setns and unshare make no event: in each tick one of this many processes is asked for its namespace again, and for
everything that makes its identity where events are missing."""
_MOVES = 8
"""Being put into another cgroup makes no event either, but hardly ever happens to a process that has called exec: it is
noticed within so many such rounds."""
_YOUNG = 3
"""Ticks in which a new process is asked each time: sshd's and others are forked, put into the cgroup of a session and
never call exec."""


class Tally(NamedTuple):
    """Processes started, execs and processes ended since the collector began; threads are not counted."""

    forks: int
    execs: int
    exits: int


class _Tracked:
    """What is known of one process."""

    __slots__ = ("active", "process", "row", "stat", "usage")

    def __init__(self, row: int, stat: bytes, process: Process, usage: Usage) -> None:
        self.row = row
        self.stat = stat
        self.process = process
        self.usage = usage
        self.active = 0  # tick in which it last ran


class _Over(NamedTuple):
    """A process that is shown after its end."""

    row: int
    ended: float
    belongs: Optional[int]


class ProcessTracker:
    """The process table: feed it with events once a tick, it puts rows into the outbox."""

    def __init__(self, proc: ProcFS, outbox: Outbox, registry: Registry) -> None:
        self._proc = proc
        self._outbox = outbox
        self._identities = Identities(proc, registry)
        self._reader = StatReader(proc)
        self._tracked: Dict[int, _Tracked] = {}
        # pid → process, of those that ended in this update and in the one before: events may come that late
        self._ended: Dict[int, Process] = {}
        self._ended_before: Dict[int, Process] = {}
        self._over: Dict[ProcessKey, _Over] = {}  # those shown after their end, oldest first
        self._read: Dict[int, float] = {}  # pid → when its name was read, of those that were not there from the start
        self._young: Dict[int, int] = {}  # pid → tick in which it was first seen
        self._met = Changes.none()  # between ticks
        self._now = 0.0
        self._tick = 0
        self._verified = 0.0
        self._in_doubt = 0  # ticks until everybody was asked again what lost events might have told
        self.tally = Tally(0, 0, 0)

    def __len__(self) -> int:
        return len(self._tracked)

    def get(self, pid: int) -> Optional[Process]:
        """What is known of a process, also of one that has just ended; None if there is none."""
        tracked = self._tracked.get(pid)
        return tracked.process if tracked else self.ended(pid)

    def ended(self, pid: int) -> Optional[Process]:
        """What is known of a process that has just ended, whoever has its pid now; of a zombie what it was alive."""
        return self._ended.get(pid) or self._ended_before.get(pid)

    def read_at(self, pid: int) -> float:
        """When what is known of a process was read, in seconds since the epoch; 0 where it was at the very start."""
        return self._read.get(pid, 0.0)

    def alive(self, key: ProcessKey) -> bool:
        """Whether a process has not ended, as far as is known."""
        return self._alive(key) is not None

    def row(self, key: ProcessKey) -> Optional[int]:
        """Row id of a process, also of one that is shown after its end; None where it is not listed."""
        listed = self._alive(key) or self._over.get(key)
        return listed.row if listed else None

    def belongs(self, key: ProcessKey) -> Optional[int]:
        """Row id of what a process belongs to, also of one that is shown after its end; None where it is not known."""
        tracked = self._alive(key)
        if tracked is not None:
            return tracked.process.belongs
        over = self._over.get(key)
        return over.belongs if over else None

    def _alive(self, key: ProcessKey) -> Optional[_Tracked]:
        tracked = self._tracked.get(key.pid)
        return tracked if tracked is not None and tracked.process.start_time == key.start_time else None

    def belongings(self) -> Set[Optional[int]]:
        """Row ids of whatever the listed processes belong to, those shown after their end included."""
        return {tracked.process.belongs for tracked in self._tracked.values()}.union(
            [over.belongs for over in self._over.values()]
        )

    def rename(self, names: Mapping[int, str]) -> None:
        """Containers have got names, by their row ids: their processes say so from now on."""
        for tracked in self._tracked.values() if names else ():
            name = names.get(tracked.process.belongs or 0)
            if name is not None and name != tracked.process.container:
                tracked.process = tracked.process._replace(container=name)
                self._met = self._met._replace(moved=True)
                self._outbox.put("processes", tracked.row, tracked.process)

    def meet(self, pid: int, anew: bool) -> Optional[ProcessKey]:
        """Between ticks: a process is there, or runs another program, `anew`; None where it is gone already."""
        tracked = self._tracked.get(pid)
        if tracked is None:
            self._begin(pid, self._met)
            tracked = self._tracked.get(pid)
            return tracked.process.key if tracked else None
        try:
            raw = self._reader.read(pid)
            if anew:
                before, tracked.process = tracked.process, self._identify(pid, procfs.parse_stat(raw))
                if tracked.process != before:
                    self._met.note_place(before, tracked.process)
                    self._outbox.put("processes", tracked.row, tracked.process)
        except (Gone, PermissionError):
            return None
        return tracked.process.key

    def processes(self) -> Iterator[Process]:
        """All of them, kernel threads included."""
        return (tracked.process for tracked in self._tracked.values())

    def recent_first(self, netns: int) -> List[int]:
        """Pids of those who may have opened a socket in a namespace: its processes, those that ran last first, then
        whoever ran just now elsewhere, as one may open a socket in a namespace and leave, or be handed it."""
        elsewhere = [
            pid
            for pid, tracked in self._tracked.items()
            if tracked.active >= self._tick - 1 and tracked.process.netns != netns and not tracked.process.kernel
        ]
        return self.inside(netns) + elsewhere

    def inside(self, netns: int) -> List[int]:
        """Pids of the processes of a namespace, those that ran last first."""
        found = [(tracked.active, pid) for pid, tracked in self._tracked.items() if tracked.process.netns == netns]
        return [pid for _, pid in sorted(found, reverse=True)]

    def user(self, uid: int) -> Optional[str]:
        """Login name of a user id, None if it has none."""
        return self._identities.user(uid)

    def close(self) -> None:
        """Close the files kept open."""
        self._reader.close()

    def update(self, events: Sequence[ProcEvent], now: float, verify: bool, passing: Container[int] = ()) -> Changes:
        """Bring the table up to date; `verify`: events may be missing, so compare it with /proc whatever the time.

        `passing` are processes of our own that are over before anybody can look at them."""
        self._tick += 1
        self._now = now
        self._in_doubt = _ROUND if verify and self._tracked else max(0, self._in_doubt - 1)
        for pid in self._ended_before.keys() - self._tracked.keys() - self._ended.keys():
            self._read.pop(pid, None)
        self._ended, self._ended_before = {}, self._ended
        changes, self._met = self._met, Changes.none()
        stale = self._note(events)
        if verify or now - self._verified >= RESYNC_INTERVAL:
            self._verified = now
            pids = [pid for pid in self._proc.pids() if pid not in passing]
            listed = set(pids)
            stale.update(pid for pid in pids if pid not in self._tracked)
            for pid in [pid for pid in self._tracked if pid not in listed]:
                self._end(pid, changes)
        known = list(self._tracked.items())
        self._young = {pid: tick for pid, tick in self._young.items() if self._tick - tick <= _YOUNG}
        for pid in stale:
            if pid not in self._tracked:
                self._begin(pid, changes)
        moved = changes.moved or bool(changes.look_at or changes.gone or changes.rehomed)
        for pid, tracked in known:
            moved |= self._refresh(pid, tracked, pid in stale, changes)
        return changes._replace(moved=moved)

    def _note(self, events: Sequence[ProcEvent]) -> Set[int]:
        """Count events; the pids whose identity must be read again. The last word on a pid counts."""
        forks = execs = exits = 0
        stale: Set[int] = set()
        for event in events:
            if event.kind == "fork":
                forks += 1
                stale.add(event.pid)
            elif event.kind == "exit":
                exits += 1
                stale.discard(event.pid)
            else:
                execs += event.kind == "exec"
                stale.add(event.pid)
        self.tally = Tally(self.tally.forks + forks, self.tally.execs + execs, self.tally.exits + exits)
        return stale

    def _begin(self, pid: int, changes: Changes) -> None:
        try:
            raw = self._reader.read(pid)
            stat = procfs.parse_stat(raw)
            process = self._identify(pid, stat)
            usage = _usage(stat, None if stat.kernel else self._proc.fd_count(pid))
        except (Gone, PermissionError):  # hidepid=1 shows that a process is there, and nothing else of it
            self._reader.forget(pid)
            return
        tracked = self._tracked[pid] = _Tracked(self._outbox.new_id(), raw, process, usage)
        tracked.active = self._tick
        if self._tick > 1:  # in the first tick all are new
            self._young[pid] = self._tick
        self._outbox.put("processes", tracked.row, process)
        self._outbox.put("usage", tracked.row, usage)
        if not process.kernel:
            changes.look_at.append(process.key)

    def _end(self, pid: int, changes: Changes) -> None:
        self._reader.forget(pid)
        tracked = self._tracked.pop(pid)
        process = self.ended(pid)
        if process is None or process.start_time != tracked.process.start_time:
            process = tracked.process
        elif process != tracked.process:  # a zombie has forgotten its command and namespace
            self._outbox.put("processes", tracked.row, process)
        self._ended[pid] = process
        self._over[process.key] = _Over(tracked.row, self._now, process.belongs)
        self._outbox.put("usage", tracked.row, tracked.usage._replace(state="X", rss=0, threads=0, fds=None))
        changes.gone.append(pid)

    def expire(self, now: float, busy: Callable[[int], bool]) -> List[int]:
        """Drop what was shown long enough after its end, and of too many the oldest, first those that are not `busy`;
        their row ids."""
        over = [key for key, process in self._over.items() if process.ended <= now - KEPT]
        surplus = len(self._over) - len(over) - MOST
        if surplus > 0:
            left = list(self._over)[len(over) :]
            left.sort(key=lambda key: busy(self._over[key].row))
            over += left[:surplus]
        rows = [self._over.pop(key).row for key in over]
        for row in rows:
            self._outbox.drop("processes", row)
        return rows

    def _refresh(self, pid: int, tracked: _Tracked, stale: bool, changes: Changes) -> bool:
        """Read a process's stat again, and who it is if `stale`; whether it moved, ended or was replaced."""
        process = tracked.process
        moved = False
        try:
            raw = self._reader.read(pid)
            changed = raw != tracked.stat
            if changed:
                stat = procfs.parse_stat(raw)
                if stat.start_time != process.start_time:  # the pid was used again
                    raise Gone(pid)
                tracked.stat, tracked.active = raw, self._tick
                stale = stale or stat.comm != process.comm or stat.ppid != process.ppid or stat.state == "Z"
                if stat.state == "Z":
                    self._ended[pid] = process
            if stale:
                tracked.process = self._identify(pid, procfs.parse_stat(raw))
                changes.look_at.append(process.key)
            elif (pid in self._young or (pid + self._tick) % _ROUND == 0) and not process.kernel:
                tracked.process = self._look_again(pid, tracked)
            if tracked.process != process:
                moved = tracked.process.netns != process.netns
                moved |= changes.note_place(process, tracked.process)
                self._outbox.put("processes", tracked.row, tracked.process)
            self._refresh_usage(pid, tracked, changed, changes)
        except (Gone, PermissionError):  # another process, or one that hidepid hides from now on: it changed its user
            self._end(pid, changes)
            self._begin(pid, changes)
            return True
        return moved

    def _look_again(self, pid: int, tracked: _Tracked) -> Process:
        process = tracked.process
        moves = pid in self._young or (pid + self._tick) // _ROUND % _MOVES == 0
        # who leaves a namespace is perhaps on its way into a container
        if self._in_doubt or self._identities.moved(process, moves):
            return self._identify(pid, procfs.parse_stat(tracked.stat))
        return process

    def _refresh_usage(self, pid: int, tracked: _Tracked, changed: bool, changes: Changes) -> None:
        if tracked.process.kernel and not changed:
            return
        fds = self._proc.fd_count(pid) if not tracked.process.kernel else None
        if fds != tracked.usage.fds:
            changes.look_at.append(tracked.process.key)
        elif not changed:
            return
        usage = _usage(procfs.parse_stat(tracked.stat), fds)
        if usage != tracked.usage:
            tracked.usage = usage
            self._outbox.put("usage", tracked.row, usage)

    def _identify(self, pid: int, stat: Stat) -> Process:
        """Who a process is; raises Gone."""
        if self._tick > 1:
            self._read[pid] = time.time()
        return self._identities.read(pid, stat)


def _usage(stat: Stat, fds: Optional[int]) -> Usage:
    return Usage(
        state=stat.state,
        cpu_time=(stat.utime + stat.stime) / procfs.CLK_TCK,
        rss=stat.rss_pages * procfs.PAGE_SIZE,
        threads=stat.threads,
        nice=stat.nice,
        fds=fds,
    )
