"""One tick: who is asked, in which order, and what becomes of the answers.

    cn_proc events ─► processes ─► namespaces ─► sockets ─► resolver ─► owners          all into the outbox
    host figures, interface counters ────────────────────────────────────►

The order narrows the race between a socket and the process that holds it: events first, then the socket tables, then
the descriptors of whoever changed or might hold what nobody is known to hold. In the first tick all descriptors are
read before, so that each socket is told together with its owners.
"""

from __future__ import annotations

import math
import os
import time
from typing import Callable, Container, List, Optional, Sequence

from nettop.collector import checkup
from nettop.collector.alone import Alone
from nettop.collector.answers import Parts
from nettop.collector.conntrack import ConntrackTracker
from nettop.collector.evidence import Sightings
from nettop.collector.health import HealthBook, often
from nettop.collector.lineage import Lineage
from nettop.collector.lookout import SUSPECTS, Lookout
from nettop.collector.namespaces import NamespaceTracker
from nettop.collector.orphans import Orphans
from nettop.collector.outbox import EVENTS_KEPT, Outbox
from nettop.collector.processes import ProcessTracker
from nettop.collector.reader import Names
from nettop.collector.registry import Registry
from nettop.collector.resolver import Resolver
from nettop.collector.scout import Scouts
from nettop.collector.sockets import SocketTracker
from nettop.collector.surroundings import Surroundings
from nettop.collector.traffic import TrafficBook
from nettop.kernel.cn_proc import RECEIVE_BUFFER, ProcEvent, ProcEventListener
from nettop.kernel.host import CostReader, HostReader, hostname, read_tcp_segments
from nettop.kernel.procfs import ProcFS
from nettop.model import Delta, Host
from nettop.runtimes.runtimes import Runtimes

WALK_BUDGET = 0.05
"""Seconds of a tick spent on reading descriptors; the first walk takes what it needs."""
FIRST_SEARCH = 0.01
"""The same for owners of what was opened while the first walk was under way: who waits for the first picture waits for
this, too."""
ROUND_SECONDS = 60.0
"""Everybody's descriptors are read anew at least this often."""
PACE = 0.02
"""Seconds between two readings of messages of sockets that ended, between ticks."""
SPILL = 1_000
"""Sockets in a part of a Delta."""
_HUNT_EVERY = 0.2
"""Seconds between two lists of who may have made connections that ended without an owner: 1 ms, of 2,000 processes."""
_GLANCE = 0.002
"""Seconds between two looks for an answer that is waited for."""
_MANY = 5
"""Connections in this time that are worth a hunt: a rare one is gone before it is found."""
_UNLIMITED = 3600.0
_HOST_ROW = 0


class Collector:
    """What is true now: `tick` finds out, `take` hands over what changed. For one thread; closes with `close`."""

    def __init__(
        self,
        proc: Optional[ProcFS] = None,
        receive_buffer: int = RECEIVE_BUFFER,
        events_kept: int = EVENTS_KEPT,
        runtimes: Optional[Runtimes] = None,
    ) -> None:
        """`receive_buffer` is the size of the kernel's queue of process events, in bytes; `events_kept` are told in one
        Delta at most, of more the last; `runtimes` name the containers, those in their usual places where not given."""
        self._proc = proc or ProcFS()
        self._boot_time = self._proc.boot_time()
        self._outbox = Outbox(events_kept)
        self._health = HealthBook(self._outbox)
        self._surroundings = Surroundings(self._health, self._proc.root)
        self._listener = ProcEventListener(receive_buffer)
        self._registry = Registry(self._outbox, self._health, runtimes or Runtimes())
        self._processes = ProcessTracker(self._proc, self._outbox, self._registry)
        self._resolver = Resolver(self._proc)
        self._namespaces = NamespaceTracker(self._outbox, self._health)
        names = Names(self._processes.user, self._namespaces.interface)
        self._conntrack = ConntrackTracker(self._outbox, self._health)
        self._book = TrafficBook(
            self._processes.row, self._namespaces.row, self._processes.belongs, self._registry.row_of
        )
        sightings = Sightings()
        self._lookout = Lookout(self._proc, sightings, self._processes.meet)
        self._alone = Alone(self._proc, self._processes.inside, self._processes.get)
        self._lineage = Lineage(self._processes.get, self._processes.read_at)
        self._sockets = SocketTracker(
            self._outbox,
            self._resolver,
            self._health,
            names,
            self._conntrack,
            self._processes,
            self._book,
            sightings,
            self._lineage,
            self._alone,
            self._registry.note_cgroups,
        )
        self._orphans = Orphans(self._resolver, self._sockets.listed)
        self._heard: List[ProcEvent] = []
        self._resume = self._hunt_resume = 0.0
        self._host = HostReader()
        self._cost = CostReader()
        self._events_lost = 0
        self._stretch = 1.0
        self._last: Optional[float] = None
        self._time = 0.0

    def start(self) -> None:
        """Begin to listen for process events, so that none is missed between the first look at /proc and the next."""
        self._listener.start()

    def tick(self, spill: Optional[Callable[[Delta], object]] = None) -> None:
        """Look at everything that is due. `take` tells what changed; of much, `spill` is told a part already while the
        rest is being read, so that a key frame of 40,000 sockets is never in memory as a whole."""
        clock = time.monotonic()
        self._time = time.time()
        first = self._last is None
        self._hear(clock)
        scouts = Scouts.send(self._proc) if first else None
        events, self._heard = self._heard, []
        polling = self._check_events()
        if polling:
            self._alone.doubt(self._time)
        self._processes.rename(self._registry.listen())
        changes = self._processes.update(
            events, self._time, verify=first or polling, passing=scouts.pids if scouts else ()
        )
        self._say(events)
        for pid in changes.gone:
            self._resolver.forget(pid)
            ended = self._processes.ended(pid)
            self._registry.note_end(ended.belongs if ended else None)
        for key in changes.look_at:
            self._resolver.look_at(key)
        self._sockets.move(changes.rehomed)
        if changes.moved or first:
            self._namespaces.take_census(self._processes.processes())
        self._namespaces.update(self._sockets)
        moved = self._namespaces.read_counters()
        if scouts is not None:
            self._sockets.fetch_ahead()  # the kernel lists sockets on one processor, descriptors on another
            self._resolver.take_report(scouts.wait())
            self._hear(clock, scouts.pids)
            self._resolver.walk(_UNLIMITED, 0)
            self._resolver.take_touched()  # no socket is known yet: each comes with its owners
        sought = self._conntrack.read(self._namespaces.entrances(), moved)
        self._namespaces.note_tracking(self._conntrack.fills())
        for _ in self._sockets.read(self._time, first, moved, sought):
            if spill is not None and len(self._outbox) >= SPILL:
                spill(self._outbox.take(self._time, clock, complete=False))
        self._sockets.count(self._conntrack.settle(sought))
        self._resolve(clock - self._last if self._last is not None else 0.0)
        if first:
            self._sockets.begin_books()
        self._sockets.settle(self._time)
        self._namespaces.note_held(self._orphans.look(clock, self._namespaces.present()))
        self._expire(changes.moved or first)
        self._registry.settle()
        self._book.publish(self._outbox)
        self._surroundings.look(clock)
        self._outbox.put("host", _HOST_ROW, self._read_host())
        self._last = clock

    def watched(self, clock: float) -> List[int]:
        """Descriptors to wait for between two ticks: when one is readable, `catch_up` is due. None just after one: in a
        storm it takes what came in `PACE` seconds at once."""
        if clock < self._resume:
            return []
        return [fd for fd in (self._listener.fileno(), self._sockets.fileno()) if fd >= 0]

    def due(self, clock: float) -> float:
        """Monotonic time when `catch_up` is due even if nothing is readable."""
        return min(self._lookout.due, self._resume if clock < self._resume else math.inf)

    def catch_up(self, clock: float) -> None:
        """Between two ticks: hear what happened, and look at what will be gone by the next one."""
        busy = self._hear(clock)
        if clock >= self._resume:
            busy |= self._sockets.drain(time.time())
            if clock >= self._hunt_resume:
                self._hunt_resume = clock + _HUNT_EVERY
                for netns, strays in self._sockets.take_strays().items():
                    if strays >= _MANY:
                        self._lookout.suspect(self._processes.inside(netns)[:SUSPECTS], clock)
            if busy:
                self._resume = time.monotonic() + PACE

    def _hear(self, clock: float, passing: Container[int] = ()) -> bool:
        """Take in what the kernel said of processes, but for these; whether it said anything."""
        events = [event for event in self._listener.drain() if event.pid not in passing]
        self._heard += events
        self._lookout.hear(events, clock)
        self._lookout.look(clock)
        self._lineage.hear(events)
        self._alone.hear(events, time.time())
        return bool(events)

    def read_links(self, wait: bool = False) -> None:
        """Interfaces and addresses, read in the background unless `wait`: they cost a process, so nobody waits for them
        with the first picture."""
        self._namespaces.read_links(wait)

    def read_names(self, patience: float) -> None:
        """What containers are called, which their runtimes tell in the background: wait for it, at most that long."""
        deadline = time.monotonic() + patience
        while self._registry.waiting and time.monotonic() < deadline:
            time.sleep(_GLANCE)
            self._processes.rename(self._registry.listen())

    def take(self) -> Delta:
        """What changed since the last call, as of the last tick."""
        return self._outbox.take(self._time, self._last or 0.0)

    def parts(self) -> Parts:
        """What requests may use of it."""
        return Parts(self._proc, self._namespaces.path)

    def restrain(self, stretch: float, reason: Optional[str]) -> None:
        """Ticks come so many times more rarely than asked for: keep descriptors for later in the same measure. `reason`
        is told where there is one."""
        self._stretch = stretch
        if reason is None:
            self._health.heal("budget")
        else:
            self._health.report("budget", "degraded", reason, "nettop --max-cpu 100")

    @property
    def settled(self) -> bool:
        """The kernel has said whether it tells of process events, or had the time to."""
        return self._listener.state != "starting"

    def examine(self) -> List[checkup.Check]:
        """What can and cannot be seen here, as of the last tick, which should be one after it had `settled`."""
        scope = checkup.Scope(len(self._processes), len(self._namespaces.entrances()), self._sockets.count_rows())
        return checkup.examine(self._health.rows(), scope)

    def close(self) -> None:
        """Let go of every namespace, process and socket, and end the listener."""
        self._listener.close()
        self._registry.close()
        self._lookout.close()
        self._processes.close()
        self._namespaces.close()
        self._orphans.close()
        self._sockets.release()
        self._conntrack.close()

    def _expire(self, moved: bool) -> None:
        """Drop what was shown long enough after its end. `moved`: processes came, went, or belong elsewhere."""
        over = self._processes.expire(self._time, self._book.knows)
        self._book.close_processes(over)
        if moved or over:
            gone = self._registry.take_census(self._processes.processes(), self._processes.belongings())
            self._book.close_containers(gone)

    def _resolve(self, elapsed: float) -> None:
        for netns, inodes in self._sockets.wanting().items():
            self._resolver.search(netns, inodes, self._processes.recent_first(netns))
        share = int(len(self._processes) * min(1.0, elapsed / self._stretch / ROUND_SECONDS)) + 1
        budget = WALK_BUDGET / self._stretch if elapsed else FIRST_SEARCH
        self._resolver.walk(budget, share)
        self._check_owners()

    def _check_owners(self) -> None:
        unreadable = len(self._resolver.unreadable)
        if not unreadable:
            self._health.heal("owners")
            return
        whose = "one process" if unreadable == 1 else f"{unreadable} processes"
        remedy = "sudo nettop" if os.geteuid() else None
        self._health.report("owners", "degraded", f"the open files of {whose} may not be read", remedy, unreadable)

    def _check_events(self) -> bool:
        """Whether processes must be found by reading /proc in this tick; says on the coverage line why."""
        lost = self._listener.take_overruns()
        if lost:
            self._events_lost += lost
            reason = f"the kernel's event queue overran {often(self._events_lost)}; /proc was read again"
            self._health.report("cn_proc", "lossy", reason, None, self._events_lost)
        if self._listener.state == "unsupported":
            reason = self._listener.reason or "no process events"
            self._health.report("cn_proc", "degraded", f"{reason}; /proc is polled", self._listener.remedy)
        return bool(lost) or self._listener.state != "listening"

    def _say(self, events: Sequence[ProcEvent]) -> None:
        for event in events:
            ended = self._processes.ended(event.pid) if event.kind == "exit" else None
            process = ended or self._processes.get(event.pid)
            self._outbox.add_event(self._lineage.describe(event, process))
        self._lineage.age()

    def _read_host(self) -> Host:
        figures = self._host.read()
        sent, again = read_tcp_segments() or (None, None)
        cost = self._cost.read()
        tally = self._processes.tally
        return Host(
            hostname=hostname(),
            boot_time=self._boot_time,
            load1=figures.load1,
            load5=figures.load5,
            load15=figures.load15,
            cpus=figures.cpus,
            cpu_busy=figures.cpu_busy,
            cpu_total=figures.cpu_total,
            mem_used=figures.mem_used,
            mem_total=figures.mem_total,
            tcp_out_segs=sent,
            tcp_retrans_segs=again,
            forks=tally.forks,
            execs=tally.execs,
            exits=tally.exits,
            events_lost=self._events_lost,
            collector_cpu=cost.cpu_seconds,
            collector_memory=cost.private_bytes,
            own_pid=os.getpid(),
        )
