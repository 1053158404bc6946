"""Whose a short connection was that nobody saw, where one process alone can have made it: `peer` in `model.Owners`.

Two things must be true of it. In the last seconds one process, and no other, was seen to talk to that address and port
from that namespace. And from before the dump that did not list the connection yet until after its end no other process
of the namespace ran, not for a nanosecond (/proc/PID/task/TID/schedstat), none was born there, became another program
or ended; nor was one anywhere that became another program and was gone before anybody knew where it was. Who enters a
namespace for a moment without an exec is not thought of, unless it was seen to talk to that place.

So such a connection waits for the next tick, when it is known who ran. Nothing is read where none ends.
"""

from __future__ import annotations

import collections
import time
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from nettop.kernel.cn_proc import ProcEvent
from nettop.kernel.inet_destroy import Destroyed
from nettop.kernel.procfs import ProcFS
from nettop.model import NO_OWNERS, Owner, Owners, Process, ProcessKey

FRESH = 5.0
"""Seconds for which it counts that a process was seen to talk to somewhere."""
MARGIN = 0.1
"""Seconds that a message of the kernel, or an event, may be late: what ends so close to a tick is nobody's."""
WAITING = 2_000
"""Connections that wait for a tick, at most."""
_PLACES = 1_000
"""Addresses and ports remembered, those talked to last."""
_PROCESSES, _THREADS = 16, 64
"""Of a namespace, and of each of its processes: where there are more nobody is alone for long."""

_Where = Tuple[int, bytes, int]
_RunTimes = Dict[int, Tuple[bytes, ...]]


class _Round(NamedTuple):
    """How long every process of a namespace had run at a tick."""

    time: float
    """Of the tick: its dumps came after."""
    run: Optional[_RunTimes]
    """By pid; None where that cannot be read."""


class Alone:
    """Fed with events and with what was seen; asked about connections when they end. Times are since the epoch."""

    def __init__(
        self,
        proc: ProcFS,
        inside: Callable[[int], List[int]],
        process: Callable[[int], Optional[Process]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`inside` gives the pids of a namespace, `process` tells what is known of one, also if it has just ended."""
        self._proc = proc
        self._inside = inside
        self._process = process
        self._clock = clock
        # who was seen to talk there, and when last
        self._talkers: "collections.OrderedDict[_Where, Dict[Owner, float]]" = collections.OrderedDict()
        self._wanted: Dict[int, float] = {}  # namespace → when such a connection last ended there
        self._rounds: Dict[int, _Round] = {}
        self._ran: Dict[int, Tuple[float, Optional[ProcessKey]]] = {}  # namespace → until then, who ran alone
        self._stirred: Dict[Optional[int], float] = {}  # namespace, or None for all → when somebody came or went
        self._waiting = 0
        self._ready = 0.0

    def saw(self, netns: int, message: Destroyed, owner: Owner, now: float) -> None:
        """A connection has ended that was this process's, for certain."""
        if message.outgoing and message.rport:
            where = netns, message.remote, message.rport
            talkers = self._talkers.pop(where, {})
            self._talkers[where] = {
                who: at for who, at in talkers.items() if now - at <= FRESH and who[:2] != owner[:2]
            }
            self._talkers[where][owner] = now
            if len(self._talkers) > _PLACES:
                self._talkers.popitem(last=False)

    def hear(self, events: Iterable[ProcEvent], now: float) -> None:
        """Processes were born, became other programs, ended."""
        for event in events:
            process = self._process(event.pid)
            if process is None and event.kind == "fork" and event.ppid is not None:
                process = self._process(event.ppid)  # a child begins where its parent is
            # who ends unknown has begun unknown, which counted already
            if event.kind in ("fork", "exec") or (event.kind == "exit" and process is not None):
                self._stirred[process.netns if process else None] = now

    def doubt(self, now: float) -> None:
        """Events are missing: anybody may have come and gone."""
        self._stirred[None] = now

    def defer(self, netns: int, message: Destroyed, before: Optional[float], now: float) -> bool:
        """Whether to ask again after the next tick whose a connection was. Not in the dump of `before`, it has ended
        now."""
        if not message.outgoing or before is None or self._talker(netns, message, now) is None:
            return False
        self._wanted[netns] = now
        begun = self._rounds.get(netns)
        if begun is None or begun.run is None or before < begun.time:
            return False
        if now < self._ready or self._waiting >= WAITING:
            return False
        self._waiting += 1
        return True

    def turn(self, now: float) -> None:
        """A tick begins, none of its dumps has: find out who ran since the last one."""
        self._waiting = 0
        self._ran = {}
        self._wanted = {netns: at for netns, at in self._wanted.items() if now - at <= FRESH}
        before, self._rounds = self._rounds, {}
        for netns in self._wanted:
            rounds = before.get(netns), _Round(now, self._read(netns))
            self._rounds[netns] = rounds[1]
            if rounds[0] is not None:
                self._ran[netns] = now - MARGIN, self._only(netns, rounds[0], rounds[1])
        self._stirred = {netns: at for netns, at in self._stirred.items() if now - at <= FRESH}

    def rest(self) -> None:
        """The dumps of a tick are over."""
        self._ready = self._clock() + MARGIN

    def owners(self, netns: int, message: Destroyed, now: float) -> Owners:
        """Whose a connection was that ended `now`, and that was deferred until this tick's `turn`."""
        until, only = self._ran.get(netns, (0.0, None))
        talker = self._talker(netns, message, now)
        if talker is None or only != talker.process or now > until:
            return NO_OWNERS
        return Owners("peer", (talker,))

    def _talker(self, netns: int, message: Destroyed, now: float) -> Optional[Owner]:
        """The only process that was seen to talk to the remote end of a connection."""
        talkers = self._talkers.get((netns, message.remote, message.rport), {})
        fresh = [who for who, at in talkers.items() if abs(now - at) <= FRESH]
        return fresh[0] if len(fresh) == 1 else None

    def _only(self, netns: int, before: _Round, after: _Round) -> Optional[ProcessKey]:
        """The only process of a namespace that ran between two rounds."""
        stirred = max(self._stirred.get(netns, 0.0), self._stirred.get(None, 0.0))
        if before.run is None or after.run is None or stirred >= before.time or before.run.keys() != after.run.keys():
            return None
        ran = [pid for pid, threads in after.run.items() if threads != before.run[pid]]
        process = self._process(ran[0]) if len(ran) == 1 else None
        return process.key if process else None

    def _read(self, netns: int) -> Optional[_RunTimes]:
        pids = self._inside(netns)
        if len(pids) > _PROCESSES:
            return None
        run: _RunTimes = {}
        try:
            for pid in pids:
                times = self._proc.run_times(pid, _THREADS)
                if times is None:
                    return None
                run[pid] = times
        except OSError:  # one is gone, may not be read, or this kernel does not count
            return None
        return run
