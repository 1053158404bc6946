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
from array import array
from time import perf_counter
from typing import AbstractSet, Deque, Dict, Iterable, Iterator, Mapping, NamedTuple, Sequence, Set, Tuple, Union

from nettop.collector.scout import LOW, Held, read_held
from nettop.kernel.procfs import Gone, ProcFS
from nettop.model import NO_OWNERS, Owner, Owners, ProcessKey

_NOTHING = array("Q")
# what _make does, without a Python frame for each of 40,000 sockets
_exact = functools.partial(tuple.__new__, Owners)
_owner = functools.partial(tuple.__new__, Owner)


class _Search(NamedTuple):
    """Sockets of a namespace that nobody is known to hold, and who is still to be asked."""

    inodes: Set[int]
    pids: Deque[int]


class Resolver:
    """Who holds which socket; fed with processes to look at, asked by inode."""

    def __init__(self, proc: ProcFS) -> None:
        self._proc = proc
        # pid → fd << 32 | inode of each of its sockets: 8 bytes where a dict of them takes 90
        self._held: Dict[int, array[int]] = {}
        self._start_times: Dict[int, int] = {}
        # inode → the one holder, as nearly always, or several; each is pid << 32 | fd: 57,000 `Owner`s take 3 MB more
        self._holders: Dict[int, Union[int, Tuple[int, ...]]] = {}
        self._touched: Dict[int, Tuple[Owner, ...]] = {}  # inode → who held it
        self._namespaces: Dict[int, Sequence[Tuple[int, int]]] = {}  # pid → (fd, inode)
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
        if not isinstance(held, int):
            return _exact(("exact", self._of(inode)))
        pid = held >> 32
        return _exact(("exact", (_owner((pid, self._start_times[pid], held & LOW)),)))

    def held(self, pid: int) -> Iterable[int]:
        """Inodes of the sockets a process is known to hold."""
        return [each & LOW for each in self._held.get(pid, _NOTHING)]

    def inodes(self) -> AbstractSet[int]:
        """Those of all sockets that somebody is known to hold."""
        return self._holders.keys()

    def open_namespaces(self) -> Iterator[Tuple[int, int, int]]:
        """(pid, fd, inode) of every open file that is a network namespace."""
        return ((pid, fd, inode) for pid, files in self._namespaces.items() for fd, inode in files)

    def look_at(self, key: ProcessKey) -> None:
        """Something about this process's descriptors changed: read them in the next walk."""
        if self._start_times.get(key.pid, key.start_time) != key.start_time:
            self.forget(key.pid)
        self._start_times[key.pid] = key.start_time
        self._urgent[key.pid] = None

    def forget(self, pid: int) -> None:
        """The process is gone, and with it what it held."""
        self._replace(pid, _NOTHING)
        for memory in (self._held, self._namespaces, self._start_times, self._urgent):
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

    def take_report(self, report: Mapping[int, Held]) -> None:
        """What a scout has seen a moment ago, of those that are to be looked at: the next walk need not. Nothing of it
        is kept, as a pid may be another process's later."""
        for pid in [pid for pid in self._urgent if pid in report]:
            del self._urgent[pid]
            self._take(pid, report[pid])

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
                    sought.difference_update(self.held(pid))
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
            found = read_held(self._proc, pid)
        except Gone:
            self._replace(pid, _NOTHING)
            self._namespaces.pop(pid, None)
        except PermissionError:
            self.unreadable.add(pid)
        else:
            self._take(pid, found)

    def _take(self, pid: int, found: Held) -> None:
        self.unreadable.discard(pid)
        self._replace(pid, found.sockets)
        if found.namespaces:
            self._namespaces[pid] = found.namespaces
        else:
            self._namespaces.pop(pid, None)

    def _replace(self, pid: int, held: array[int]) -> None:
        before = self._held.get(pid, _NOTHING)
        if held == before:
            return
        for each in set(before).difference(held):
            self._release(each & LOW, pid << 32 | each >> 32)
        for each in sorted(set(held).difference(before)):
            self._hold(each & LOW, pid << 32 | each >> 32)
        if held:
            self._held[pid] = held
        else:
            self._held.pop(pid, None)

    def _of(self, inode: int) -> Tuple[Owner, ...]:
        packed = self._packed(inode)
        return tuple([_owner((each >> 32, self._start_times[each >> 32], each & LOW)) for each in packed])

    def _packed(self, inode: int) -> Tuple[int, ...]:
        held = self._holders.get(inode, ())
        return (held,) if isinstance(held, int) else held

    def _hold(self, inode: int, holder: int) -> None:
        if inode not in self._holders:  # as nearly always
            self._touched.setdefault(inode, ())
            self._holders[inode] = holder
            return
        if inode not in self._touched:
            self._touched[inode] = self._of(inode)
        self._holders[inode] = tuple(sorted((*self._packed(inode), holder), key=self._age))

    def _release(self, inode: int, holder: int) -> None:
        if inode not in self._touched:
            self._touched[inode] = self._of(inode)
        left = tuple([each for each in self._packed(inode) if each != holder])
        if left:
            self._holders[inode] = left if len(left) > 1 else left[0]
        else:
            self._holders.pop(inode, None)

    def _age(self, holder: int) -> Tuple[int, int]:
        """Oldest process first."""
        return self._start_times[holder >> 32], holder
