"""Inode → owners: which open file descriptors of which processes refer to a socket.

The kernel tells a socket's inode and nobody's pid; the pids stand only in the links of /proc/PID/fd. Reading all of
them takes 150 ms on a machine with 56,000 descriptors, so it is done once, and afterwards only for processes that
something points to, most telling first:

1. processes that are new, called exec, or whose number of descriptors changed;
2. while a socket has no owner: the processes of its namespace, those that ran last first, until it has one;
3. everybody in turn, a few at a time, for what left no trace (one descriptor closed and another opened).

Each walk is cut off at its budget and goes on in the next tick. Owners are kept per process, so that a shared listener
has all of them, and a process that exits or closes takes only its own share away.
"""

from __future__ import annotations

import collections
import functools
from time import perf_counter
from typing import Deque, Dict, Iterable, List, NamedTuple, Set, Tuple, Union

from nettop.kernel.procfs import Gone, ProcFS
from nettop.model import NO_OWNERS, Owner, Owners, ProcessKey

_NOTHING: Dict[int, int] = {}
_exact = functools.partial(tuple.__new__, Owners)  # what _make does, without a Python frame for each of 40,000 sockets


class _Search(NamedTuple):
    """Sockets of a namespace that nobody is known to hold, and who is still to be asked."""

    inodes: Set[int]
    pids: Deque[int]


class Resolver:
    """Who holds which socket; fed with processes to look at, asked by inode."""

    def __init__(self, proc: ProcFS) -> None:
        self._proc = proc
        self._held: Dict[int, Dict[int, int]] = {}  # pid → fd → inode
        self._start_times: Dict[int, int] = {}
        # inode → the one owner, as nearly always, or several: 42,000 tuples of one take 2.7 MB
        self._holders: Dict[int, Union[Owner, Tuple[Owner, ...]]] = {}
        self._touched: Dict[int, Tuple[Owner, ...]] = {}  # inode → who held it
        self._urgent: Dict[int, None] = {}  # pids, in order, each once
        self._searches: Dict[int, _Search] = {}  # by namespace
        self._round: Deque[int] = collections.deque()
        self.unreadable: Set[int] = set()
        """Processes whose descriptors may not be read."""
        self.backlog = False
        """The last walk was cut off by its budget."""

    def owners(self, inode: int) -> Owners:
        """Every known holder of a socket, oldest process first; `NO_OWNERS` itself where there is none."""
        held = self._holders.get(inode)
        if held is None:
            return NO_OWNERS
        return _exact(("exact", (held,) if isinstance(held, Owner) else held))

    def held(self, pid: int) -> Iterable[int]:
        """Inodes of the sockets a process is known to hold."""
        return self._held.get(pid, _NOTHING).values()

    def look_at(self, key: ProcessKey) -> None:
        """Something about this process's descriptors changed: read them in the next walk."""
        if self._start_times.get(key.pid, key.start_time) != key.start_time:
            self.forget(key.pid)
        self._start_times[key.pid] = key.start_time
        self._urgent[key.pid] = None

    def forget(self, pid: int) -> None:
        """The process is gone, and with it what it held."""
        self._replace(pid, _NOTHING)
        for memory in (self._held, self._start_times, self._urgent):
            memory.pop(pid, None)
        self.unreadable.discard(pid)

    def search(self, namespace: int, inodes: Set[int], pids: Iterable[int]) -> None:
        """These sockets of a namespace have no owner: try these processes, in this order, until each has one.

        What an earlier search there has not found yet is looked for again with them."""
        earlier = self._searches.get(namespace)
        sought = inodes | earlier.inodes if earlier else set(inodes)
        self._searches[namespace] = _Search(sought, collections.deque(pids))

    def stop_search(self, namespace: int) -> None:
        """The namespace has ended."""
        self._searches.pop(namespace, None)

    def before(self, inode: int) -> Tuple[Owner, ...]:
        """Who held a socket when `take_touched` was last called, where that has changed since."""
        return self._touched.get(inode, ())

    def take_touched(self) -> Dict[int, Tuple[Owner, ...]]:
        """Inodes whose owners changed since the last call, and who they were before."""
        touched, self._touched = self._touched, {}
        return touched

    def walk(self, budget: float, round_share: int) -> None:
        """Read descriptors for about `budget` seconds in the order told above, of the round `round_share`."""
        deadline = perf_counter() + budget
        self.backlog = False
        done: Set[int] = set()
        while self._urgent:
            pid = next(iter(self._urgent))
            del self._urgent[pid]
            done.add(pid)
            self._read(pid)
            if perf_counter() > deadline:
                self.backlog = bool(self._urgent)
                return
        for namespace, (sought, pids) in list(self._searches.items()):
            sought.difference_update([inode for inode in sought if inode in self._holders])
            while pids and sought:
                pid = pids.popleft()
                if pid not in done:
                    done.add(pid)
                    self._read(pid)
                    sought.difference_update(self._held.get(pid, _NOTHING).values())
                    if perf_counter() > deadline:
                        return
            del self._searches[namespace]
        for _ in range(min(round_share, len(self._start_times))):
            if not self._round:
                self._round.extend(self._start_times)
            pid = self._round.popleft()
            if pid not in done:
                self._read(pid)
                if perf_counter() > deadline:
                    return

    def _read(self, pid: int) -> None:
        if pid not in self._start_times:
            return
        try:
            held = dict(self._proc.sockets(pid).sockets)
        except Gone:
            self._replace(pid, _NOTHING)
        except PermissionError:
            self.unreadable.add(pid)
        else:
            self.unreadable.discard(pid)
            self._replace(pid, held)

    def _replace(self, pid: int, held: Dict[int, int]) -> None:
        before = self._held.get(pid, _NOTHING)
        if held == before:
            return
        start_time = self._start_times.get(pid, 0)
        for fd, inode in before.items():
            if held.get(fd) != inode:
                self._release(inode, pid, fd)
        for fd, inode in held.items():
            if before.get(fd) != inode:
                self._hold(inode, Owner(pid, start_time, fd))
        if held:
            self._held[pid] = held
        else:
            self._held.pop(pid, None)

    def _of(self, inode: int) -> Tuple[Owner, ...]:
        held = self._holders.get(inode, ())
        return (held,) if isinstance(held, Owner) else held

    def _hold(self, inode: int, owner: Owner) -> None:
        others = self._of(inode)
        self._touched.setdefault(inode, others)
        self._holders[inode] = tuple(sorted((*others, owner), key=_oldest_first)) if others else owner

    def _release(self, inode: int, pid: int, fd: int) -> None:
        held = self._of(inode)
        self._touched.setdefault(inode, held)
        left = tuple(o for o in held if not (o.pid == pid and o.fd == fd))
        if left:
            self._holders[inode] = left if len(left) > 1 else left[0]
        else:
            self._holders.pop(inode, None)


def _oldest_first(owner: Owner) -> List[int]:
    return [owner.start_time, owner.pid, owner.fd]
