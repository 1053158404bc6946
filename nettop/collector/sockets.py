"""Which sockets there are: read namespace by namespace, each through one kept netlink socket.

TCP and UDP are read at every tick where anything happens (see `idleness`); the rest, which has no traffic to count,
every `SLOW_EVERY` ticks, another part of the namespaces at each.
"""

from __future__ import annotations

import select
import threading
from typing import AbstractSet, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from nettop.collector.alone import Alone
from nettop.collector.changes import Rehomed
from nettop.collector.conntrack import ConntrackTracker
from nettop.collector.endings import Endings, Rows
from nettop.collector.evidence import Evidence, Listeners, Sightings
from nettop.collector.happenings import Happenings
from nettop.collector.health import HealthBook, often
from nettop.collector.holdings import Holdings
from nettop.collector.idleness import ALL_IDLE_EVERY, IDLE_EVERY, MANY, Look
from nettop.collector.lineage import Lineage
from nettop.collector.outbox import Outbox
from nettop.collector.processes import ProcessTracker
from nettop.collector.reader import Names, Reader
from nettop.collector.resolver import Resolver
from nettop.collector.traffic import TrafficBook
from nettop.kernel import inet_destroy
from nettop.kernel.inet_destroy import parse_destroyed
from nettop.kernel.inet_diag import Found, Sought
from nettop.kernel.netlink import DATAGRAM
from nettop.kernel.recvmmsg import Batch
from nettop.memory import pass_arenas_by
from nettop.model import Datagrams, Owners, ProcessKey, Socket

SLOW_EVERY = 5
_STORM = 500
"""Sockets that come to an end from one tick to the next: with more, what is made meanwhile is better not in arenas."""
_HERE = threading.Event()
_HERE.set()
_AHEAD = 32
"""Datagrams that are fetched ahead at a time: the table of a namespace with 2,500 sockets."""


class SocketTracker:
    """The sockets of every namespace, as rows in the outbox, joined with their owners."""

    def __init__(
        self,
        outbox: Outbox,
        resolver: Resolver,
        health: HealthBook,
        names: Names,
        conntrack: ConntrackTracker,
        processes: ProcessTracker,
        book: TrafficBook,
        sightings: Sightings,
        lineage: Lineage,
        alone: Alone,
        note_cgroups: Callable[[Set[Optional[int]]], None],
    ) -> None:
        """`note_cgroups` is told the cgroups of new sockets."""
        self._outbox = outbox
        self._note_cgroups = note_cgroups
        self._book = book
        self._holdings = Holdings(outbox, resolver, book, processes.alive)
        self._listeners = Listeners(resolver, processes.get)
        evidence = Evidence(sightings, self._listeners, alone)
        self._happenings = Happenings(outbox, book, processes.get, lineage)
        rows = Rows(
            self._holdings.owners,
            self._close,
            self._drop,
            evidence.attribute,
            evidence.defer,
            evidence.attribute_late,
            evidence.accepted,
            self._note_stray,
            conntrack.note_ended,
        )
        self._endings = Endings(outbox, book, self._happenings, rows)
        self._alone = alone
        self._conntrack = conntrack
        self._resolver = resolver
        self._health = health
        self._names = names
        self._readers: Dict[int, Reader] = {}
        self._absent: Set[str] = set()
        self._tick = 0
        self._poll = select.epoll()
        self._by_descriptor: Dict[int, Reader] = {}
        self._batch = inet_destroy.batch()
        self._lost = 0
        self._holes = 0
        self._ahead: Dict[Reader, threading.Event] = {}  # what a thread has been told to fetch, and when it is there
        self._ended = 0  # since the last tick, TIME-WAIT included
        self._strays: Dict[int, int] = {}  # namespace → connections
        self._resent: List[Tuple[int, int, Socket]] = []

    def open(self, netns: int, path: str, pid: Optional[int]) -> Tuple[str, Optional[str]]:
        """Begin to read a namespace: (via, reason) as in `model.Namespace`. `path` is `OWN` for the collector's.

        By netlink where that is possible; else from the /proc files of `pid`, a process inside; else not at all. Call
        it again when either has changed: the process before may have ended."""
        reader = self._readers.get(netns)
        if reader is None:
            reader = self._readers[netns] = Reader(netns, self._names, self._outbox.new_id)
        reader.lead(path, pid)
        reason = reader.connect()
        if reason is None:
            self._watch(reader)
            return "netlink", None
        if pid is not None:
            return "procfs", reason
        self.close(netns)
        return "none", reason

    def close(self, netns: int) -> None:
        """A namespace has ended, or nothing but our own socket holds it: let it go."""
        reader = self._readers.pop(netns, None)
        if reader is not None:
            self._unwatch(reader)
            reader.close()
            self._endings.forget(netns, reader.rows())
            self._book.close_namespace(netns)
        self._holdings.forget_namespace(netns)
        self._resolver.stop_search(netns)
        self._health.heal(f"netns:{netns}")

    def _watch(self, reader: Reader) -> None:
        """Have it tell of sockets that end, from before its first dump on."""
        if reader.ends is None:
            try:
                reader.ends = reader.listen()
            except OSError as error:
                reason = f"sockets that end between two looks are not seen: {error.strerror}"
                self._health.report("sock_destroy", "unavailable", reason, None)
                return
            self._poll.register(reader.ends.fileno(), select.EPOLLIN)
            self._by_descriptor[reader.ends.fileno()] = reader

    def _unwatch(self, reader: Reader) -> None:
        if reader.ends is not None:
            self._poll.unregister(reader.ends.fileno())
            del self._by_descriptor[reader.ends.fileno()]

    def fileno(self) -> int:
        """Readable when sockets have ended: call `drain`."""
        return self._poll.fileno()

    def release(self) -> None:
        """Let go of every namespace; nothing more is read or told."""
        pass_arenas_by(False)
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._poll.close()

    def fetch_ahead(self) -> None:
        """Have the kernel list all sockets while the caller reads something else; the next `read` takes the tables of
        each namespace as they are there. Of the first picture of 40,000 sockets that takes 0.2 s off."""
        self._ahead = {reader: threading.Event() for reader in self._readers.values()}
        fetches = list(self._ahead.items())

        def fetch() -> None:
            batch = Batch(DATAGRAM, _AHEAD, lends=True)
            try:
                for reader, fetched in fetches:
                    reader.fetch(batch)
                    fetched.set()
            finally:  # should it fail, `read` asks for itself
                for _, fetched in fetches:
                    fetched.set()

        threading.Thread(target=fetch, name="sock_diag", daemon=True).start()

    def read(self, now: float, everything: bool, moved: Set[int], sought: Optional[Sought] = None) -> Iterator[None]:
        """Read the tables that are due, or `everything`, of all namespaces, one at each step, and look in them for what
        is `sought`: by default in the tables that are due. In those of `moved` interfaces counted something since the
        last tick."""
        self._tick += 1
        self._listeners.begin_tick()
        self.drain(now)
        self._alone.turn(now)
        self._endings.settle_deferred()
        for place, reader in enumerate(list(self._readers.values())):
            turn = place + self._tick
            look = Look.ALL if everything or turn % SLOW_EVERY == 0 else Look.TRAFFIC
            rests = turn % 2 and len(self._readers) > MANY and reader.idleness.resting and reader.netns not in moved
            due = not rests and reader.due(reader.netns in moved, look is Look.ALL)  # it counts before tables are read
            if not everything and not due:
                if turn % ALL_IDLE_EVERY == 0:
                    look = Look.ALL
                elif sought is not None and sought.everywhere:
                    look = Look.TRAFFIC
                elif turn % IDLE_EVERY == 0:
                    look = Look.UNTOLD
                else:
                    continue
            try:
                self._ahead.pop(reader, _HERE).wait()
                for found in reader.read(now, look, self._absent, sought):
                    self._take(reader.netns, found)
                self._drain(reader, now)
                self._endings.turn_over(reader.netns, reader.table, now)
                if look is not Look.UNTOLD:
                    reader.read_at = now
                self._health.heal(f"netns:{reader.netns}")
            except FileNotFoundError:
                pass  # its process has just ended: the next census knows another one, or closes the namespace
            except OSError as error:
                self._health.report(f"netns:{reader.netns}", "degraded", f"sockets not read: {error.strerror}")
            self._holes += reader.take_holes()
            yield
        if self._holes:
            reason = f"lists of sockets had a hole {often(self._holes)}, and were asked for again"
            self._health.report("sock_diag:holes", "lossy", reason, None, self._holes)
        for name in self._absent:
            self._health.report(
                f"sock_diag:{name}", "absent", f"this kernel cannot list {name} sockets", f"modprobe {name}_diag"
            )

    def move(self, rehomed: Sequence[Rehomed]) -> None:
        """Processes belong to something else from now on, and what their sockets move with them."""
        rows = self._holdings.of_each([process for process, _, _ in rehomed]) if rehomed else {}
        for process, before, now in rehomed:
            self._book.move(rows[process], before, now)

    def listed(self) -> AbstractSet[int]:
        """The inodes of the sockets of all namespaces."""
        return self._holdings.listed()

    def wanting(self) -> Dict[int, Set[int]]:
        """By namespace, inodes of sockets that appeared without an owner, or lost it, since the last call."""
        return self._holdings.wanting()

    def settle(self, now: float) -> None:
        """All dumps and descriptors of the tick are read: tell what changed hands, count what happened, drop what has
        been shown for long enough."""
        self._holdings.update()
        for row, segments, socket in self._resent:
            self._happenings.resent(socket, segments, self._holdings.owners(row), now)
        self._resent = []
        self._happenings.settle(self._holdings.owners, now)
        self._endings.expire(now)
        self._alone.rest()
        pass_arenas_by(self._ended > _STORM)
        self._ended = 0

    def drain(self, now: float) -> bool:
        """Between two ticks: read the messages of sockets that have ended, so that their queue cannot overrun. Whether
        there were any."""
        waiting = self._poll.poll(0)
        for descriptor, _ in waiting:
            self._drain(self._by_descriptor[descriptor], now)
        return bool(waiting)

    def count(self, datagrams: Sequence[Tuple[int, Datagrams]]) -> None:
        """Put into the books what connection tracking says that UDP sockets moved."""
        for row, said in datagrams:
            if said.rx_bytes is None:  # no longer known
                self._book.settle(row, *self._holder(row))
        self._book.tell_datagrams(datagrams)

    def count_rows(self) -> int:
        """How many sockets there are."""
        return sum(1 for reader in self._readers.values() for _ in reader.rows())

    def take_strays(self) -> Dict[int, int]:
        """Namespace → connections that ended there since the last call, and that nobody is known to have made."""
        strays, self._strays = self._strays, {}
        return strays

    def begin_books(self) -> None:
        """What the sockets of the first tick have moved, they moved before."""
        self._book.begin(self._holder)

    def _holder(self, row: int) -> Tuple[int, Optional[ProcessKey]]:
        owners = self._holdings.owners(row)
        return self._holdings.namespace(row) or 0, owners.holders[0].process if owners.holders else None

    def _take(self, netns: int, found: Found) -> None:
        self._count_end(len(found.gone))
        for row in self._endings.gone(found):
            self._drop(row)
        stats = self._endings.stats(found) if found.proto else found.stats
        self._outbox.put_all("sockets", found.sockets)
        self._outbox.put_all("stats", stats)
        self._conntrack.note(netns, found.sockets)
        if found.sockets:
            self._note_cgroups({socket.cgroup for _, socket in found.sockets})
        self._holdings.take(netns, found.sockets)
        if found.proto == "tcp":
            self._book.tell(stats)
            self._happenings.changed(found.sockets, stats)
            self._resent += found.resent
            listening = [row for row, figures in stats if figures.state == "LISTEN"]
            if found.born or listening:
                self._begin(netns, found, listening)

    def _begin(self, netns: int, found: Found, listening: Sequence[int]) -> None:
        sockets, stats = dict(found.sockets), dict(found.stats)
        self._listeners.note(netns, [(row, sockets[row]) for row in listening if row in sockets])
        for row, outgoing in found.born:
            state = stats[row].state
            if stats[row].rx_bytes is None and state not in ("LISTEN", "SYN-RECV", "UNCONN"):
                self._endings.entry(row, netns, sockets[row], stats[row])
                continue
            if outgoing is None:  # should a socket that is only bound be connected, then from here
                accepted = self._listeners.accept(netns, sockets[row].local, sockets[row].lport)
                here = state == "UNCONN" or not accepted
            else:
                here = outgoing
            self._happenings.born(row, sockets[row], stats[row], here)

    def _drain(self, reader: Reader, now: float) -> None:
        if reader.ends is None:
            return
        for message in map(parse_destroyed, reader.ends.drain(self._batch)):
            self._count_end()
            if message is not None:
                if message.lport:  # a socket that only carried an ioctl(2), say, was in no table
                    reader.idleness.stir()
                self._endings.destroyed(reader.netns, reader.table(message.proto), message, now, reader.read_at)
        lost = reader.ends.take_lost()
        if lost:
            self._lost += lost
            reason = f"the queue of ended sockets overran: {self._lost:,} not told of, short connections not counted"
            self._health.report("sock_destroy", "lossy", reason, None, self._lost)

    def _count_end(self, more: int = 1) -> None:
        """So many sockets have come to an end, or their TIME-WAIT has."""
        if self._ended <= _STORM < self._ended + more:
            pass_arenas_by(True)
        self._ended += more

    def _note_stray(self, netns: int) -> None:
        self._strays[netns] = self._strays.get(netns, 0) + 1

    def _close(self, row: int, owners: Owners) -> None:
        self._holdings.close(row, owners)
        self._listeners.forget(row)
        self._conntrack.end(row)

    def _drop(self, row: int) -> None:
        self._holdings.forget(row)
        self._happenings.forget(row)
        self._listeners.forget(row)
        self._conntrack.forget(row)
        self._outbox.drop("sockets", row)
