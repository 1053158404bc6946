"""Looks at processes between two ticks, at the sockets of those that open and close them faster than ticks come.

A socket that is seen in a process's hands is remembered by its cookie (`kernel.pidfd`), which its DESTROY message
repeats: that is its owner, for certain. Who is looked at:

- the young: a process that the kernel reports to be born, or to run another program, at once and after 5, 20, 50, 100,
  250 and 500 ms; most live shorter than a tick;
- suspects: the processes of a namespace where many connections end that nobody is known to have made, every
  `HUNT_PACE` seconds, for as long as they are found with new sockets. Who opens and closes gets the same descriptor
  again and again, so that mostly those are looked at where a socket was before: 5 µs.

The looks at either take `SHARE` of a processor at most; what is due beyond that is left out.
"""

from __future__ import annotations

import contextlib
import heapq
import math
from time import perf_counter
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Set

from nettop.collector.evidence import Sightings
from nettop.kernel import pidfd
from nettop.kernel.cn_proc import ProcEvent
from nettop.kernel.privileges import same_pids
from nettop.kernel.procfs import Gone, ProcFS
from nettop.model import Owner, ProcessKey

DELAYS = (0.0, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5)
"""Seconds after the event."""
HUNT_PACE = 0.005
SUSPECTS = 32
"""Processes hunted at most."""
SHARE = 0.015
"""Of a processor, for the looks at the young, and as much for those at suspects."""
_MISSES = 30
"""Looks in vain after which a process is no suspect any more."""
_THOROUGH = 10
"""One of so many looks at a suspect is at all its descriptors."""


class _Look(NamedTuple):
    due: float
    pid: int
    step: int
    again: int
    """Number of the event it follows: a newer one starts anew."""
    program: bool
    """It followed an exec."""


class _Budget:
    """Time that may be spent: `SHARE` of what passes, and of one second at once."""

    def __init__(self) -> None:
        self._left = SHARE
        self._filled = 0.0
        self._began = 0.0

    def begin(self, clock: float) -> None:
        self._left = min(SHARE, self._left + SHARE * (clock - self._filled))
        self._filled = clock
        self._began = perf_counter()

    @property
    def spent(self) -> bool:
        return perf_counter() - self._began >= self._left

    def end(self) -> None:
        self._left -= perf_counter() - self._began


class _Suspect:
    """A process that is hunted."""

    __slots__ = ("cookies", "handle", "key", "looks", "misses")

    def __init__(self, key: ProcessKey, handle: pidfd.Handle) -> None:
        self.key = key
        self.handle = handle
        self.cookies: Dict[int, Optional[bytes]] = {}  # of the descriptors where a new socket was seen
        self.looks = 0
        self.misses = 0


class Lookout:
    """Whom to look at, and when. Times are monotonic."""

    def __init__(self, proc: ProcFS, sightings: Sightings, meet: Callable[[int, bool], Optional[ProcessKey]]) -> None:
        """`meet` notes that a process is there, anew after an exec, and gives its key; None where it is gone."""
        self._proc = proc
        self._sightings = sightings
        self._meet = meet
        self._looks: List[_Look] = []
        self._series: Dict[int, int] = {}  # pid of the young → number of its last event
        self._open: Dict[int, Optional[int]] = {}  # pid of the young → how many files it had open
        self._seen: Dict[int, Set[int]] = {}  # pid → inodes looked at
        self._suspects: Dict[int, _Suspect] = {}  # by pid
        self._hunt_due = math.inf
        self._events = 0
        self._for_young, self._for_suspects = _Budget(), _Budget()
        self._refused = not same_pids(proc.root)  # a pidfd would be of a stranger

    @property
    def due(self) -> float:
        """When to call `look`; infinity while there is nobody to look at."""
        return min(self._looks[0].due if self._looks else math.inf, self._hunt_due)

    def hear(self, events: Iterable[ProcEvent], clock: float) -> None:
        """Who was born, runs another program, ended."""
        for event in events:
            if event.kind in ("fork", "exec"):
                self._events += 1
                self._series[event.pid] = self._events
                heapq.heappush(self._looks, _Look(clock, event.pid, 0, self._events, event.kind == "exec"))
            elif event.kind == "exit":
                self._acquit(event.pid)
                self._grown(event.pid)

    def suspect(self, pids: Iterable[int], clock: float) -> None:
        """One of these, the likeliest first, has just ended a connection."""
        for pid in pids:
            if len(self._suspects) >= SUSPECTS:
                break
            key = self._meet(pid, False) if pid not in self._suspects and not self._refused else None
            if key is not None:
                with contextlib.suppress(OSError):
                    self._suspects[pid] = _Suspect(key, pidfd.Handle(pid))
        if self._suspects:
            self._hunt_due = min(self._hunt_due, clock + HUNT_PACE)

    def look(self, clock: float) -> None:
        """Look at everybody whose turn it is."""
        budget = self._for_young
        budget.begin(clock)
        while self._looks and self._looks[0].due <= clock:
            look = heapq.heappop(self._looks)
            if self._series.get(look.pid) != look.again:
                continue
            there = look.pid in self._suspects or budget.spent or self._look_at_young(look)
            if there and look.step + 1 < len(DELAYS):
                due = look.due + DELAYS[look.step + 1] - DELAYS[look.step]
                heapq.heappush(self._looks, look._replace(due=due, step=look.step + 1))
            else:
                self._grown(look.pid)
        budget.end()
        if clock >= self._hunt_due:
            self._hunt(clock)
            self._hunt_due = clock + HUNT_PACE if self._suspects else math.inf

    def close(self) -> None:
        """Let go of every process."""
        for pid in list(self._suspects):
            self._acquit(pid)

    def _hunt(self, clock: float) -> None:
        budget = self._for_suspects
        budget.begin(clock)
        for pid, suspect in list(self._suspects.items()):
            if budget.spent:
                break
            found = self._look_again(suspect)
            suspect.misses = 0 if found else suspect.misses + 1
            if found is None or suspect.misses > _MISSES:
                self._acquit(pid)
            else:
                self._suspects[pid] = self._suspects.pop(pid)  # behind the others: nobody is left out for long
        budget.end()

    def _acquit(self, pid: int) -> None:
        suspect = self._suspects.pop(pid, None)
        if suspect is not None:
            suspect.handle.close()
            if pid not in self._series:
                self._seen.pop(pid, None)

    def _look_again(self, suspect: _Suspect) -> Optional[int]:
        """How many new sockets a suspect has; None where it is gone, or may not be looked at."""
        suspect.looks += 1
        if suspect.looks % _THOROUGH == 1:
            return self._look_at(suspect.key, suspect)
        new = 0
        try:
            for fd, before in suspect.cookies.items():
                cookie = suspect.handle.cookie(fd)
                if cookie is not None and cookie != before:
                    suspect.cookies[fd] = cookie
                    self._sightings.saw(cookie, Owner(suspect.key.pid, suspect.key.start_time, fd))
                    new += 1
        except OSError:
            return None
        return new

    def _look_at_young(self, look: _Look) -> bool:
        """Whether it is still there. What it was born with is known as somebody else's, so that before it runs a
        program of its own its files are read only when their number has changed."""
        key = self._meet(look.pid, look.step == 0)
        if key is None:
            return False
        if not look.program:
            try:
                count = self._proc.fd_count(look.pid)
            except (Gone, PermissionError):
                return False
            before, self._open[look.pid] = self._open.get(look.pid, count), count
            if count is not None and count == before:
                return True
        return self._refused or self._look_at(key) is not None

    def _grown(self, pid: int) -> None:
        self._series.pop(pid, None)
        self._open.pop(pid, None)
        if pid not in self._suspects:
            self._seen.pop(pid, None)

    def _look_at(self, key: ProcessKey, suspect: Optional[_Suspect] = None) -> Optional[int]:
        """How many new sockets a process has; None where it is gone, or may not be looked at."""
        try:
            held = self._proc.sockets(key.pid).sockets
        except (Gone, PermissionError):
            return None
        known = self._seen.get(key.pid, set())
        new = [fd for fd, inode in held if inode not in known]
        self._seen[key.pid] = {inode for _, inode in held}
        if not new:
            return 0
        try:
            return self._sight(key, new, suspect)
        except ProcessLookupError:
            return None
        except OSError:  # the right to trace, or the system call, is missing here: do without
            self._refused = True
            return None

    def _sight(self, key: ProcessKey, fds: Iterable[int], suspect: Optional[_Suspect]) -> int:
        """Remember the cookies of these sockets; how many there were. Raises OSError."""
        handle = suspect.handle if suspect else pidfd.Handle(key.pid)
        seen = 0
        try:
            for fd in fds:
                cookie = handle.cookie(fd)
                if cookie is not None:
                    self._sightings.saw(cookie, Owner(key.pid, key.start_time, fd))
                    seen += 1
                    if suspect:
                        suspect.cookies[fd] = cookie
        finally:
            if suspect is None:
                handle.close()
        return seen
