"""Whatever happens to sockets and processes, in whatever order it is heard of: nothing is lost or counted twice.

A made-up kernel opens, passes on and closes sockets; the collector's own tracker, books and store hear of it by dumps,
messages of sockets that ended, and walks, each as late as it likes.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from typing import Any
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nettop.collector.alone import Alone
from nettop.collector.changes import Rehomed
from nettop.collector.evidence import Sightings
from nettop.collector.health import HealthBook
from nettop.collector.lineage import Lineage
from nettop.collector.outbox import Outbox
from nettop.collector.reader import OWN, Names
from nettop.collector.resolver import Resolver
from nettop.collector.sockets import SocketTracker
from nettop.collector.traffic import TrafficBook
from nettop.kernel.cn_proc import ProcEvent
from nettop.kernel.inet_diag import Found, Known
from nettop.kernel.procfs import Descriptors, Gone
from nettop.model import Namespace, Owner, Process, ProcessKey
from nettop.snapshot import Snapshot
from nettop.store import Store
from tests.support.rows import connection, container_row, namespace_row, process_row
from tests.unit.test_inet_destroy import MESSAGES

NETNS = 4026531840
PIDS = (10, 11, 12)


class Made:
    """A socket of the made-up kernel."""

    def __init__(self, number: int, pid: int) -> None:
        self.cookie = struct.pack("=Q", number)
        self.number = number
        self.holders = {pid: 100 + number}
        """pid → descriptor."""
        self.rx = self.tx = 0
        self.listed = True
        """Dumps list it."""
        self.passed_by = False
        """The next dump does not, by mistake."""


class Kernel:
    """Sockets and processes as they are, and what has been said of those that ended but not been read."""

    def __init__(self) -> None:
        self.sockets: dict[int, Made] = {}
        self.makers: dict[int, int] = {}
        """Number of a socket → pid of who made it, of all that ever were."""
        self.run = dict.fromkeys(PIDS, 0)
        """pid → how often it has run."""
        self.processes = {pid: pid * 10 for pid in PIDS}
        """pid → start time."""
        self.messages: list[bytes] = []
        self.lost = 0
        self.rx = self.tx = 0
        """Of all sockets that ever were."""

    def message(self, made: Made) -> bytes:
        """What it says when a socket is no more."""
        message = bytearray(MESSAGES["connected, closed first"])
        struct.pack_into(">HH", message, 20, made.number, 80)
        message[60:68] = made.cookie
        info = message.index(struct.pack("=HH", 284, 2)) + 4
        struct.pack_into("=QQ", message, info + 120, made.tx + 2, made.rx)
        struct.pack_into("=QQ", message, info + 200, made.tx, 0)
        return bytes(message)


def test_what_a_socket_moved_that_its_cgroup_alone_places_stays_with_its_container() -> None:
    """Also should it turn out to be held by a process of another one."""
    outbox, key = Outbox(), ProcessKey(1, 2)
    book = TrafficBook(lambda _: 5, lambda _: None, lambda _: 8, {77: 7}.get)
    for socket in (1, 2):
        book.place(socket, 77)
        book.tell([(socket, connection(rx_bytes=30, tx_bytes=4).stats)])
    book.settle(1, NETNS, None)
    book.forget(1)
    book.pass_on(2, None, key)
    book.tell([(2, connection(rx_bytes=50, tx_bytes=4).stats)])
    book.settle(2, NETNS, key)
    book.publish(outbox)
    together = outbox.take(0.0, 0.0).changes["together"].rows
    assert {row: (sums.rx_bytes, sums.tx_bytes) for row, sums in together.items()} == {7: (60, 8), 8: (20, 0)}


class FakeTable:
    """The counterpart of `inet_diag.InetTable` on the made-up kernel."""

    def __init__(self, kernel: Kernel, new_id: Any) -> None:
        self._kernel = kernel
        self._new_id = new_id
        self._known: dict[bytes, tuple[int, Any, Any]] = {}
        self._restored: dict[bytes, int] = {}
        self._complete = False

    def row(self, cookie: bytes) -> int | None:
        known = self._known.get(cookie)
        return known[0] if known else None

    def restore(self, cookie: bytes, known: Known) -> None:
        self._restored[cookie] = known.row
        self._known[cookie] = (known.row, None, None)

    def since(self, _cookie: bytes) -> float | None:
        return None

    def rows(self) -> list[int]:
        return [row for row, _, _ in self._known.values()]

    def read(self, now: float) -> Found:
        found = Found.nothing("tcp")
        seen = set()
        for made in self._kernel.sockets.values():
            if made.listed and not made.passed_by:
                seen.add(made.cookie)
                self._compare(made, now, found)
        for cookie in self._known.keys() - seen:
            row = self._known.pop(cookie)[0]
            found.gone.append(row)
            found.missing[cookie] = Known(row, 0, None)
        self._complete = True
        for made in self._kernel.sockets.values():
            made.passed_by = False
        return found

    def _compare(self, made: Made, now: float, found: Found) -> None:
        restored, before = self._restored.pop(made.cookie, None), self._known.get(made.cookie)
        if restored is not None:
            before = (restored, None, None)
        row = before[0] if before else self._new_id()
        state = "ESTAB" if made.holders else "FIN-WAIT-1"
        since = now if self._complete and before is None else None
        shown = connection(
            cookie=made.number, inode=1000 + made.number if made.holders else None, lport=made.number, rport=80,
            netns=NETNS, since=since, rx_bytes=made.rx, tx_bytes=made.tx, state=state,
        )  # fmt: skip
        socket = shown.socket._replace(since=before[1].since) if before and before[1] else shown.socket
        if before is None or socket != before[1]:
            found.sockets.append((row, socket))
        if before is None:
            found.born.append((row, True))
        if before is None or shown.stats != before[2]:
            found.stats.append((row, shown.stats))
        self._known[made.cookie] = (row, socket, shown.stats)


class FakeReader:
    """The only namespace."""

    def __init__(self, kernel: Kernel, new_id: Any) -> None:
        self.netns = NETNS
        self.kernel = kernel
        self.tcp = FakeTable(kernel, new_id)
        self.ends: Any = None
        self.idleness = mock.Mock()
        self.read_at: float | None = None
        self.path = ""

    def lead(self, path: str, _pid: int | None) -> None:
        self.path = path

    def connect(self) -> None:
        return None

    def due(self, _moved: bool, _slow: bool) -> bool:
        return True

    def take_holes(self) -> int:
        return 0

    def listen(self) -> Any:
        ends = mock.Mock()
        ends.fileno.return_value = 0
        ends.drain.side_effect = self._take
        ends.take_lost.side_effect = self._take_lost
        return ends

    def _take(self, _batch: object) -> list[bytes]:
        said, self.kernel.messages = self.kernel.messages, []
        return said

    def _take_lost(self) -> int:
        lost, self.kernel.lost = self.kernel.lost, 0
        return lost

    def table(self, _proto: str) -> FakeTable:
        return self.tcp

    def read(self, now: float, *_: object) -> Iterator[Found]:
        yield self.tcp.read(now)


class FakeProc:
    """Descriptors of the made-up kernel's processes."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def sockets(self, pid: int) -> Descriptors:
        if pid not in self._kernel.processes:
            raise Gone(pid)
        held = [(m.holders[pid], 1000 + m.number) for m in self._kernel.sockets.values() if pid in m.holders]
        return Descriptors(held, len(held))

    def run_times(self, pid: int, _most: int) -> tuple[bytes, ...]:
        if pid not in self._kernel.processes:
            raise Gone(pid)
        return (b"%d" % self._kernel.run[pid],)


class FakeProcesses:
    """What is known of processes: that of the last tick, as the tracker of processes has it."""

    def __init__(self) -> None:
        self.known: dict[ProcessKey, tuple[int, Process]] = {}
        self.over: set[ProcessKey] = set()

    def alive(self, key: ProcessKey) -> bool:
        return key in self.known and key not in self.over

    def get(self, pid: int) -> Process | None:
        return next((process for key, (_, process) in self.known.items() if key.pid == pid), None)

    def row(self, key: ProcessKey) -> int | None:
        return self.known[key][0] if key in self.known else None

    def belongs(self, key: ProcessKey) -> int | None:
        return self.known[key][1].belongs if key in self.known else None


class Bookkeeping(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel()
        self.numbers = itertools.count(1)
        self.now = 1.7e9
        self.overrun = False
        self.outbox = Outbox()
        self.processes = FakeProcesses()
        proc: Any = FakeProc(self.kernel)
        self.resolver = Resolver(proc)
        self.sightings = Sightings()
        self.alone = Alone(proc, lambda _: list(self.kernel.processes), self.processes.get, lambda: self.now)
        self.namespace = self.outbox.new_id()
        self.outbox.put("namespaces", self.namespace, self._namespace())
        self.containers = [self.outbox.new_id() for _ in range(2)]
        for row in self.containers:
            self.outbox.put("containers", row, container_row().container)
        self.homes: dict[int, int] = dict.fromkeys(PIDS, self.containers[0])
        """pid → the container it is in now."""
        self.book = TrafficBook(self.processes.row, lambda _: self.namespace, self.processes.belongs, lambda _: None)
        with mock.patch("nettop.collector.sockets.select.epoll"):
            self.tracker = SocketTracker(
                self.outbox,
                self.resolver,
                HealthBook(self.outbox),
                Names(lambda _: None, lambda _netns, _index: None),
                mock.Mock(),
                self.processes,  # type: ignore[arg-type]
                self.book,
                self.sightings,
                Lineage(self.processes.get, lambda _: 0.0),
                self.alone,
                lambda _cgroups: None,
            )
        with mock.patch(
            "nettop.collector.sockets.Reader", lambda _netns, _names, new_id: FakeReader(self.kernel, new_id)
        ):
            self.tracker.open(NETNS, OWN, None)
        self.store = Store()
        self.picture: Snapshot | None = None
        self.first = True
        self.tick()

    def _namespace(self) -> Namespace:
        return namespace_row(netns=NETNS).namespace

    # --- what happens ------------------------------------------------------------------------------------------------

    @rule(pid=st.sampled_from(PIDS))
    def open(self, pid: int) -> None:
        if pid in self.kernel.processes:
            number = next(self.numbers)
            self.kernel.sockets[number] = Made(number, pid)
            self.kernel.makers[number] = pid
            self.kernel.run[pid] += 1

    @rule(pid=st.sampled_from(PIDS), seen=st.booleans())
    def call(self, pid: int, seen: bool) -> None:
        """A short connection, of which nothing is heard but its end, unless somebody happened to look."""
        if pid in self.kernel.processes:
            self.now += 0.2
            self.open(pid)
            made = self.kernel.sockets[max(self.kernel.sockets)]
            made.tx += 3
            self.kernel.tx += 3
            if seen:
                self.sightings.saw(made.cookie, Owner(pid, self.kernel.processes[pid], 100 + made.number))
            self._end(made)
            self.drain()

    @rule(pid=st.sampled_from(PIDS), others=st.lists(st.tuples(st.sampled_from(PIDS), st.booleans()), max_size=2))
    def talk(self, pid: int, others: list[tuple[int, bool]]) -> None:
        """A process goes on talking to the same place, and perhaps others do."""
        self.call(pid, seen=True)
        self.call(pid, seen=False)
        self.tick()
        self.call(pid, seen=False)
        for other, seen in others:
            self.call(other, seen)
        self.tick()

    @precondition(lambda self: self.kernel.sockets)
    @rule(data=st.data())
    def sight(self, data: st.DataObject) -> None:
        """Somebody looks at the descriptors of a process between two ticks."""
        made = data.draw(st.sampled_from(list(self.kernel.sockets.values())))
        for pid, descriptor in made.holders.items():
            self.sightings.saw(made.cookie, Owner(pid, self.kernel.processes[pid], descriptor))

    @precondition(lambda self: self.kernel.sockets)
    @rule(data=st.data(), received=st.integers(0, 5), sent=st.integers(0, 5))
    def move(self, data: st.DataObject, received: int, sent: int) -> None:
        made = data.draw(st.sampled_from(list(self.kernel.sockets.values())))
        if made.listed:
            made.rx, made.tx = made.rx + received, made.tx + sent
            self.kernel.rx, self.kernel.tx = self.kernel.rx + received, self.kernel.tx + sent

    @precondition(lambda self: self.kernel.sockets)
    @rule(data=st.data(), pid=st.sampled_from(PIDS))
    def pass_on(self, data: st.DataObject, pid: int) -> None:
        made = data.draw(st.sampled_from(list(self.kernel.sockets.values())))
        if pid in self.kernel.processes and made.holders:
            made.holders[pid] = 100 + made.number
            for each in made.holders:
                self.kernel.run[each] += 1

    @precondition(lambda self: self.kernel.sockets)
    @rule(data=st.data(), lingers=st.booleans())
    def close(self, data: st.DataObject, lingers: bool) -> None:
        """One holder closes it; when none is left the kernel may keep it for a while, to send what is left."""
        made = data.draw(st.sampled_from(list(self.kernel.sockets.values())))
        if made.holders:
            pid = data.draw(st.sampled_from(sorted(made.holders)))
            del made.holders[pid]
            self.kernel.run[pid] += 1
        if not made.holders and not lingers:
            self._end(made)

    @precondition(lambda self: self.kernel.sockets)
    @rule(data=st.data())
    def break_off(self, data: st.DataObject) -> None:
        """The connection breaks: no dump lists it any more, its message comes when its program closes it."""
        data.draw(st.sampled_from(list(self.kernel.sockets.values()))).listed = False

    @precondition(lambda self: self.kernel.sockets)
    @rule(data=st.data())
    def pass_by(self, data: st.DataObject) -> None:
        """The next dump misses a socket that lives."""
        data.draw(st.sampled_from(list(self.kernel.sockets.values()))).passed_by = True

    @rule(pid=st.sampled_from(PIDS))
    def exit(self, pid: int) -> None:
        if self.kernel.processes.pop(pid, None) is not None:
            self._hear("exit", pid)
            for made in list(self.kernel.sockets.values()):
                if made.holders.pop(pid, None) and not made.holders:
                    self._end(made)

    @rule(pid=st.sampled_from(PIDS))
    def begin(self, pid: int) -> None:
        if pid not in self.kernel.processes:
            self.kernel.processes[pid] = int(self.now) % 100_000 + pid
            self._hear("fork", pid)

    def _hear(self, kind: str, pid: int) -> None:
        self.alone.hear([ProcEvent(kind, self.now, pid, pid, None, None, "")], self.now)

    @rule(pid=st.sampled_from(PIDS), data=st.data())
    def move_house(self, pid: int, data: st.DataObject) -> None:
        """A process is put into the other container, or becomes another program."""
        self.homes[pid] = data.draw(st.sampled_from(self.containers))

    @precondition(lambda self: self.kernel.messages)
    @rule()
    def lose(self) -> None:
        self.kernel.lost += len(self.kernel.messages)
        self.kernel.messages = []
        self.overrun = True

    def _end(self, made: Made) -> None:
        del self.kernel.sockets[made.number]
        self.kernel.messages.append(self.kernel.message(made))

    # --- what is heard of it -----------------------------------------------------------------------------------------

    @rule()
    def drain(self) -> None:
        """Messages are read between two ticks."""
        with mock.patch.object(self.tracker, "_poll") as poll:
            poll.poll.return_value = [(0, 1)]
            self.tracker.drain(self.now)

    @rule(seconds=st.sampled_from((0.5, 1.0, 20.0)))
    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self._census()
        for _ in self.tracker.read(self.now, everything=True, moved={NETNS}):
            pass
        for netns, inodes in self.tracker.wanting().items():
            self.resolver.search(netns, inodes, list(self.kernel.processes))
        self.resolver.walk(10.0, 10)
        if self.first:
            self.tracker.begin_books()
            self.first = False
        self.tracker.settle(self.now)
        self.book.publish(self.outbox)
        before, self.picture = self.picture, self.store.apply(self.outbox.take(self.now, self.now))
        assert self.picture is not None
        if before is not None:
            self._never_backwards(before, self.picture)

    def _census(self) -> None:
        """As the tracker of processes: rows for those that are new, and all that are gone stay."""
        alive = {ProcessKey(pid, start) for pid, start in self.kernel.processes.items()}
        for key in alive - self.processes.known.keys():
            row = self.outbox.new_id()
            belongs = self.homes[key.pid]
            shown = process_row(pid=key.pid, start_time=key.start_time, netns=NETNS, belongs=belongs)
            self.processes.known[key] = (row, shown.process)
            self.outbox.put("processes", row, shown.process)
            self.outbox.put("usage", row, shown.usage)
        for key in self.processes.known.keys() - alive - self.processes.over:
            self.processes.over.add(key)
            if key.pid not in self.kernel.processes:
                self.resolver.forget(key.pid)
        rehomed = []
        for key in alive:
            self.resolver.look_at(key)
            row, process = self.processes.known[key]
            belongs = self.homes[key.pid]
            if process.belongs != belongs:
                rehomed.append(Rehomed(key, process.belongs, belongs))
                self.processes.known[key] = (row, process._replace(belongs=belongs))
                self.outbox.put("processes", row, process._replace(belongs=belongs))
        self.tracker.move(rehomed)

    def _never_backwards(self, before: Snapshot, now: Snapshot) -> None:
        for figure in ("rx_bytes", "tx_bytes", "opened", "closed"):
            assert getattr(now.traffic, figure) >= getattr(before.traffic, figure), figure
            for row_id, row in now.processes.items():
                if row_id in before.processes:
                    assert (getattr(row, figure) or 0) >= (getattr(before.processes[row_id], figure) or 0), figure
            for row_id in self.containers:
                former, latter = before.containers[row_id], now.containers[row_id]
                assert (getattr(latter, figure) or 0) >= (getattr(former, figure) or 0), figure

    # --- what must be true -------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_counted_that_did_not_move(self) -> None:
        assert self.picture is not None
        assert self.picture.traffic.rx_bytes <= self.kernel.rx
        assert self.picture.traffic.tx_bytes <= self.kernel.tx
        assert sum(row.tx_bytes or 0 for row in self.picture.processes.values()) <= self.kernel.tx

    @invariant()
    def what_processes_moved_their_containers_moved(self) -> None:
        assert self.picture is not None
        for figure in ("rx_bytes", "tx_bytes", "opened", "closed"):
            of_all = [
                sum(getattr(row, figure) or 0 for row in rows.values())
                for rows in (self.picture.processes, self.picture.containers)
            ]
            assert of_all[0] == of_all[1], figure

    @invariant()
    def nobody_has_what_another_made(self) -> None:
        """Of what was passed on it is who was seen with it; what nobody saw is its maker's, or nobody's."""
        assert self.picture is not None
        for row in self.picture.connections.values():
            if row.owner_by == "peer":
                assert {owner.pid for owner in row.owners} == {self.kernel.makers[row.socket.cookie or 0]}

    @invariant()
    def what_was_made_was_made_to_somewhere(self) -> None:
        assert self.picture is not None
        made = self.picture.destinations.values()
        assert sum(each.opened for each in made) == self.picture.traffic.opened
        assert sum(each.rx_bytes for each in made) <= self.kernel.rx
        assert sum(each.tx_bytes for each in made) <= self.kernel.tx

    def teardown(self) -> None:
        """When all is heard of, the tables say what a fresh scan says, and every byte was counted once."""
        if not hasattr(self, "picture"):
            return
        self.tick()
        self.tick(20.0)
        self.tick(20.0)
        assert self.picture is not None
        shown = {row.socket.cookie: row for row in self.picture.connections.values()}
        assert shown.keys() == {made.number for made in self.kernel.sockets.values() if made.listed}
        for made in self.kernel.sockets.values():
            if made.listed:
                row = shown[made.number]
                assert (row.stats.rx_bytes, row.stats.tx_bytes) == (made.rx, made.tx)
                held = {owner.pid for owner in row.owners} if row.owner_by == "exact" else set()
                assert held == made.holders.keys()
        if not self.overrun and all(made.listed for made in self.kernel.sockets.values()):
            assert self.picture.traffic.tx_bytes == self.kernel.tx
            lives = sum(made.tx for made in self.kernel.sockets.values())
            assert sum(made.tx_bytes for made in self.picture.destinations.values()) == self.kernel.tx - lives


TestBookkeeping = Bookkeeping.TestCase
TestBookkeeping.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
