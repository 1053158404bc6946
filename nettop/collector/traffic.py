"""The books of what sockets moved: exact for TCP, whoever passes a socket on, closes it or ends.

A reader adds up the rows it sees; what no row says (any more) is settled here, on the process that held the socket when
it moved, on what that process belonged to, its namespace and the host. So a row may only go, change its owner or lose
its figures together with an entry here in the same Delta, and a total never runs backwards. Nothing is kept of sockets
that moved nothing.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from nettop.collector.outbox import Outbox
from nettop.memory import fitted
from nettop.model import Datagrams, ProcessKey, SocketStats, Traffic

EVERYWHERE = 0
"""Row id of the host's books, the only ones of their table."""


class Moved(NamedTuple):
    """Counters of one socket."""

    rx_bytes: int
    tx_bytes: int
    retrans: int


NOTHING = Moved(0, 0, 0)

_PLACES = {name: place for place, name in enumerate(Traffic._fields)}
_UNSEEN, _BEFORE = _PLACES["rx_unseen"], _PLACES["rx_before"]
_counters = itemgetter(*map(SocketStats._fields.index, Moved._fields))
_RX, _TX = SocketStats._fields.index("rx_bytes"), SocketStats._fields.index("tx_bytes")


def moved(stats: SocketStats) -> Moved:
    """What a row says that its socket moved."""
    rx_bytes, tx_bytes, retrans = _counters(stats)
    return Moved(rx_bytes or 0, tx_bytes or 0, retrans or 0)


class _Books:
    """The entries of many, and whose changed."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.changed: Set[int] = set()
        self._sums: Dict[int, List[int]] = {}

    def of(self, row: int) -> List[int]:
        """The entries under a row id, to be changed."""
        self.changed.add(row)
        sums = self._sums.get(row)
        if sums is None:
            sums = self._sums[row] = [0] * len(_PLACES)
        return sums

    def has(self, row: int) -> bool:
        return row in self._sums

    def close(self, row: int) -> None:
        self._sums.pop(row, None)
        self.changed.discard(row)

    def tell(self, outbox: Outbox) -> None:
        outbox.put_all(self.table, [(row, Traffic._make(self._sums[row])) for row in self.changed])
        self.changed = set()


class _Holders(_Books):
    """The books of those that hold sockets, who may pass them on."""

    def __init__(self, table: str, row: Callable[[ProcessKey], Optional[int]]) -> None:
        super().__init__(table)
        self.row = row
        """Row id of the books of a process; None where it has none."""
        self.credited: Dict[int, Moved] = {}
        """Socket's row → the part that is on former holders' books already."""

    def pass_on(self, socket: int, told: Moved, before: Optional[int], now: Optional[int]) -> None:
        """What a socket has moved until now stays on the books of the row before."""
        if told != NOTHING:
            self.credited[socket] = told
            if before is not None:
                _add(self.of(before), told)  # what was not its own was taken off when it took over
        self.take_over(socket, now)

    def take_over(self, socket: int, now: Optional[int]) -> None:
        """A row shows all of a socket from now on, of which it moved only a part."""
        if now is not None and socket in self.credited:
            _add(self.of(now), Moved(*(-moved for moved in self.credited[socket])))


class TrafficBook:
    """What sockets moved, by the row ids of processes, of what these belong to, and of namespaces. A process that is
    not listed has no books."""

    def __init__(
        self,
        process: Callable[[ProcessKey], Optional[int]],
        namespace: Callable[[int], Optional[int]],
        container: Callable[[ProcessKey], Optional[int]],
        cgroup: Callable[[int], Optional[int]],
    ) -> None:
        """All give a row id, None where there is none: of a process, a namespace, what a process and what the sockets
        in a cgroup belong to."""
        self._cgroup = cgroup
        self._placed: Dict[int, int] = {}  # socket's row → cgroup, of those nobody is known to hold
        self._namespace = namespace
        self._processes = _Holders("traffic", process)
        self._containers = _Holders("together", container)
        self._namespaces = _Books("inside")
        self._host = _Books("everywhere")
        self._told: Dict[int, Tuple[int, int, int]] = {}  # socket's row → what it says, of those that say something

    def told(self, socket: int) -> Moved:
        """What the row of a socket says."""
        counters = self._told.get(socket)
        return Moved._make(counters) if counters else NOTHING

    def tell(self, rows: Iterable[Tuple[int, SocketStats]]) -> None:
        """These rows are told: note what they say."""
        self._told.update({row: _counters(stats) for row, stats in rows if stats[_RX] or stats[_TX]})

    def tell_datagrams(self, rows: Iterable[Tuple[int, Datagrams]]) -> None:
        """As `tell`, of UDP sockets, whose figures connection tracking has."""
        self._told.update({row: (said.rx_bytes or 0, said.tx_bytes or 0, 0) for row, said in rows if any(said[:2])})

    def begin(self, holders: Callable[[int], Tuple[int, Optional[ProcessKey]]]) -> None:
        """All rows told so far moved what they say before the collector began; `holders` gives the namespace and the
        first holder of a row."""
        for row, (rx_bytes, tx_bytes, _) in self._told.items():
            for sums in self._books(*holders(row)):
                sums[_BEFORE] += rx_bytes
                sums[_BEFORE + 1] += tx_bytes

    def place(self, socket: int, cgroup: int) -> None:
        """Nobody is known to hold a socket: it belongs where its cgroup does."""
        self._placed[socket] = cgroup

    def forget(self, socket: int) -> None:
        """The row of a socket is gone, and settled."""
        self._placed.pop(socket, None)

    def pass_on(self, socket: int, before: Optional[ProcessKey], now: Optional[ProcessKey]) -> None:
        """A socket changed hands: what it moved until now stays with who held it. None: nobody is known."""
        if before is None and now is not None and socket in self._placed:
            held, holds = self._cgroup(self._placed.pop(socket)), self._containers.row(now)
            if held is not None and held != holds:
                self._containers.pass_on(socket, self.told(socket), held, holds)
            else:
                self._containers.take_over(socket, holds)
            self._processes.take_over(socket, self._processes.row(now))
            return
        for holders in (self._processes, self._containers):
            holds = holders.row(now) if now is not None else None
            if before is None:
                holders.take_over(socket, holds)
            else:
                held = holders.row(before)
                if held is None or held != holds:
                    holders.pass_on(socket, self.told(socket), held, holds)

    def move(self, sockets: Iterable[int], before: Optional[int], now: Optional[int]) -> None:
        """The process that holds these sockets belongs to another container from now on; both are given by row id."""
        for socket in sockets:
            self._containers.pass_on(socket, self.told(socket), before, now)

    def rename(self, socket: int, row: int) -> None:
        """The same socket has another row from here on."""
        if socket in self._told:
            self._told[row] = self._told.pop(socket)
        if socket in self._placed:
            self._placed[row] = self._placed.pop(socket)
        for holders in (self._processes, self._containers):
            if socket in holders.credited:
                holders.credited[row] = holders.credited.pop(socket)

    def settle(self, socket: int, netns: int, holder: Optional[ProcessKey]) -> None:
        """The row of a socket goes, or says nothing of bytes any more."""
        told = self.told(socket)
        if told != NOTHING:
            del self._told[socket]
            for sums in self._books(netns, holder):
                _add(sums, told)
            place = self._cgroup(self._placed[socket]) if holder is None and socket in self._placed else None
            if place is not None:
                _add(self._containers.of(place), told)
        self._processes.credited.pop(socket, None)
        self._containers.credited.pop(socket, None)

    def add_unseen(self, figures: Moved, netns: int, holder: Optional[ProcessKey]) -> None:
        """A socket ended that has no row: what of it nobody was told."""
        if figures != NOTHING:
            for sums in self._books(netns, holder):
                _add(sums, figures)
                sums[_UNSEEN] += figures.rx_bytes
                sums[_UNSEEN + 1] += figures.tx_bytes

    def count(self, what: str, netns: int, holder: Optional[ProcessKey]) -> None:
        """One more of a column of `model.Traffic`: opened, accepted, failed, closed, owned."""
        place = _PLACES[what]
        for sums in self._books(netns, holder):
            sums[place] += 1

    def knows(self, process: int) -> bool:
        """Whether there is anything on the books of the process with this row id."""
        return self._processes.has(process)

    def close_processes(self, rows: Iterable[int]) -> None:
        """Their rows are gone."""
        for row in rows:
            self._processes.close(row)

    def close_containers(self, rows: Iterable[int]) -> None:
        """Their rows are gone."""
        for row in rows:
            self._containers.close(row)

    def close_namespace(self, netns: int) -> None:
        """It is gone, with all its sockets settled."""
        inside = self._namespace(netns)
        if inside is not None:
            self._namespaces.close(inside)

    def publish(self, outbox: Outbox) -> None:
        """Put what changed into the outbox."""
        self._told = fitted(self._told)
        for books in (self._processes, self._containers, self._namespaces, self._host):
            books.tell(outbox)

    def _books(self, netns: int, holder: Optional[ProcessKey]) -> List[List[int]]:
        """The entries of the host, of a namespace, of a process and what it belongs to, as far as they are listed."""
        books = [self._host.of(EVERYWHERE)]
        inside = self._namespace(netns)
        if inside is not None:
            books.append(self._namespaces.of(inside))
        if holder is not None:
            rows = ((holders, holders.row(holder)) for holders in (self._processes, self._containers))
            books += [holders.of(row) for holders, row in rows if row is not None]
        return books


def _add(sums: List[int], figures: Moved) -> None:
    for place, figure in enumerate(figures):
        sums[place] += figure
