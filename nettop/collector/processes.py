"""Which processes there are: told by cn_proc as it happens, verified against /proc.

Between ticks the kernel's events say who came, went and changed. In a tick each process's stat is read again through a
descriptor kept open (3.5 µs), and only one that says something new is parsed. A list of /proc is read at the first
tick, then every `RESYNC_INTERVAL` seconds as a check, after an overrun of the event queue, and at each tick where there
are no events to rely on.
"""

from __future__ import annotations

import contextlib
import pwd
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, TypeVar

from nettop.collector.outbox import Outbox
from nettop.kernel import procfs
from nettop.kernel.cgroup import parse_cgroup
from nettop.kernel.cn_proc import ProcEvent
from nettop.kernel.procfs import Gone, ProcFS, Stat, StatReader
from nettop.model import Process, ProcessKey, Usage

RESYNC_INTERVAL = 10.0
"""Seconds between two comparisons with the list of /proc, while events arrive."""
_ROUND = 8
"""setns and unshare make no event: in each tick one of this many processes is asked for its namespace again, and for
everything that makes its identity where events are missing."""


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


class Changes(NamedTuple):
    """What one tick's update found, for the trackers that build on processes."""

    look_at: List[ProcessKey]
    """Their open files may have changed: new, exec, another number of descriptors."""
    gone: List[int]
    """Pids."""
    moved: bool
    """A process appeared, ended or changed namespace: the census of namespaces is out of date."""


class ProcessTracker:
    """The process table: feed it with events once a tick, it puts rows into the outbox."""

    def __init__(self, proc: ProcFS, outbox: Outbox) -> None:
        self._proc = proc
        self._outbox = outbox
        self._reader = StatReader(proc)
        self._boot_time = proc.boot_time()
        self._tracked: Dict[int, _Tracked] = {}
        self._users: Dict[int, Optional[str]] = {}
        # pid → process, of those that ended in this update and in the one before: events may come that late
        self._ended: Dict[int, Process] = {}
        self._ended_before: Dict[int, Process] = {}
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

    def processes(self) -> Iterator[Process]:
        """All of them, kernel threads included."""
        return (tracked.process for tracked in self._tracked.values())

    def recent_first(self, netns: int) -> List[int]:
        """Pids of those who may have opened a socket in a namespace: its processes, those that ran last first, then
        whoever ran just now elsewhere, as one may open a socket in a namespace and leave, or be handed it."""
        inside, elsewhere = [], []
        for pid, tracked in self._tracked.items():
            if tracked.process.netns == netns:
                inside.append((tracked.active, pid))
            elif tracked.active >= self._tick - 1 and not tracked.process.kernel:
                elsewhere.append(pid)
        return [pid for _, pid in sorted(inside, reverse=True)] + elsewhere

    def user(self, uid: int) -> Optional[str]:
        """Login name of a user id, None if it has none; looked up once."""
        if uid not in self._users:
            try:
                self._users[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                self._users[uid] = None
        return self._users[uid]

    def close(self) -> None:
        """Close the files kept open."""
        self._reader.close()

    def update(self, events: Sequence[ProcEvent], now: float, verify: bool) -> Changes:
        """Bring the table up to date; `verify`: events may be missing, so compare it with /proc whatever the time."""
        self._tick += 1
        self._in_doubt = _ROUND if verify and self._tracked else max(0, self._in_doubt - 1)
        self._ended, self._ended_before = {}, self._ended
        changes = Changes([], [], False)
        stale = self._note(events)
        if verify or now - self._verified >= RESYNC_INTERVAL:
            self._verified = now
            pids = self._proc.pids()
            listed = set(pids)
            stale.update(pid for pid in pids if pid not in self._tracked)
            for pid in [pid for pid in self._tracked if pid not in listed]:
                self._end(pid, changes)
        known = list(self._tracked.items())
        for pid in stale:
            if pid not in self._tracked:
                self._begin(pid, changes)
        moved = bool(changes.look_at or changes.gone)
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
        self._outbox.put("processes", tracked.row, process)
        self._outbox.put("usage", tracked.row, usage)
        if not process.kernel:
            changes.look_at.append(process.key)

    def _end(self, pid: int, changes: Changes) -> None:
        self._reader.forget(pid)
        tracked = self._tracked.pop(pid)
        self._ended[pid] = tracked.process
        self._outbox.drop("processes", tracked.row)
        changes.gone.append(pid)

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
            elif (pid + self._tick) % _ROUND == 0 and not process.kernel:
                tracked.process = self._look_again(pid, tracked)
            if tracked.process != process:
                moved = tracked.process.netns != process.netns
                self._outbox.put("processes", tracked.row, tracked.process)
            self._refresh_usage(pid, tracked, changed, changes)
        except (Gone, PermissionError):  # another process, or one that hidepid hides from now on: it changed its user
            self._end(pid, changes)
            self._begin(pid, changes)
            return True
        return moved

    def _look_again(self, pid: int, tracked: _Tracked) -> Process:
        if self._in_doubt:
            return self._identify(pid, procfs.parse_stat(tracked.stat))
        netns = self._netns(pid)
        return tracked.process if netns == tracked.process.netns else tracked.process._replace(netns=netns)

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
        """Who a process is; raises Gone. What may not be read is None."""
        uid = self._proc.uid(pid)
        cgroup = None if stat.kernel else _readable(self._proc.cgroup, pid)
        identity = parse_cgroup(cgroup) if cgroup else None
        command = None if stat.kernel else _readable(self._proc.command, pid)
        return Process(
            pid=pid,
            start_time=stat.start_time,
            ppid=stat.ppid,
            uid=uid,
            user=self.user(uid),
            comm=stat.comm,
            command=command or f"[{stat.comm}]",
            started=self._boot_time + stat.start_time / procfs.CLK_TCK,
            netns=None if stat.kernel else self._netns(pid),
            cgroup=identity.path if identity else None,
            container=identity.short if identity else None,
            unit=identity.unit if identity else None,
            kernel=stat.kernel,
        )

    def _netns(self, pid: int) -> Optional[int]:
        """None where it may not be read, and of a zombie, which has left its namespaces."""
        with contextlib.suppress(Gone, PermissionError):
            return self._proc.netns(pid)[1]
        return None


_T = TypeVar("_T")


def _readable(read: Callable[[int], _T], pid: int) -> Optional[_T]:
    """What `read` returns; None where that needs more privilege. Raises Gone."""
    try:
        return read(pid)
    except PermissionError:
        return None


def _usage(stat: Stat, fds: Optional[int]) -> Usage:
    return Usage(
        state=stat.state,
        cpu_time=(stat.utime + stat.stime) / procfs.CLK_TCK,
        rss=stat.rss_pages * procfs.PAGE_SIZE,
        threads=stat.threads,
        nice=stat.nice,
        fds=fds,
    )
