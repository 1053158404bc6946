"""What a service tells whom, and how often its guests want to hear it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop import wire
from nettop.collector import link
from nettop.fold import Fold
from nettop.model import TABLES, Delta, Event, Nat
from nettop.service import guest as guests
from nettop.service.broadcast import Broadcast
from nettop.service.client import Pace
from nettop.service.guest import Guest
from nettop.service.policy import POLICIES, Viewer
from nettop.store import Store
from tests.support.deltas import delta
from tests.support.rows import connection, container_row, event, process_row
from tests.support.streams import streams

ALICE, BOB = 1000, 1001

PROCESSES = {
    1: process_row(pid=10, uid=ALICE, comm="psql", command="psql --password=alice").process,
    2: process_row(pid=11, uid=BOB, comm="psql", command="psql --password=bob").process,
    3: process_row(pid=12, uid=0, comm="kworker", command="[kworker]", kernel=True).process,
}
SOCKETS = {
    4: connection(uid=ALICE, remote="192.0.2.1", rport=443).socket,
    5: connection(uid=BOB, remote="192.0.2.2", rport=443).socket,
    6: connection(uid=None, inode=None, remote="192.0.2.3", rport=443).socket,
}
CONTAINERS = {7: container_row(labels=("token=secret",)).container}
NAT = {4: Nat("10.0.0.1", 80), 5: Nat("10.0.0.2", 80)}
EVENTS = (
    event(pid=10, comm="psql", detail="psql --password=alice"),
    event(pid=11, comm="psql", detail="psql --password=bob"),
    event(pid=99, comm="psql", detail="psql --password=nobody-knows-whose"),
    event(pid=11, kind="close", detail="tcp 10.0.0.9:4000 → 192.0.2.2:443, 5 B received, 6 B sent"),
)
TABLES_TOLD: dict[str, dict[int, Any]] = {
    "processes": PROCESSES,
    "sockets": SOCKETS,
    "containers": CONTAINERS,
    "nat": NAT,
}
FRAME = delta(TABLES_TOLD, key=True, events=EVENTS)


def heard(lines: list[bytes]) -> tuple[dict[str, dict[int, Any]], list[Event]]:
    """What one knows who was told these lines: rows by table, and events."""
    tables: dict[str, dict[int, Any]] = {name: {} for name in TABLES}
    events: list[Event] = []
    parts = [wire.decode(line) for line in lines]
    for part in parts:
        events += part.events
        for name, change in part.changes.items():
            tables[name].update(change.rows)
    assert [part.complete for part in parts] == [False] * (len(parts) - 1) + [True]
    return tables, events


def told(policy: str, viewer: Viewer, whole: bool) -> tuple[dict[str, dict[int, Any]], list[Event]]:
    broadcast = Broadcast(POLICIES[policy])
    broadcast.take(FRAME)
    return heard(broadcast.whole(viewer, 0) if whole else broadcast.change(viewer))


WAYS = pytest.mark.parametrize("whole", [True, False], ids=["a key frame", "a tick"])


@WAYS
@pytest.mark.parametrize("policy", POLICIES)
def test_root_is_told_everything_whatever_the_policy(policy: str, whole: bool) -> None:
    tables, events = told(policy, None, whole)
    assert {name: rows for name, rows in tables.items() if rows} == TABLES_TOLD
    assert tuple(events) == EVENTS


@WAYS
def test_an_open_service_tells_everything_to_everybody(whole: bool) -> None:
    assert told("open", ALICE, whole) == told("open", None, whole)


@WAYS
def test_a_guarded_one_tells_of_others_neither_command_lines_nor_labels(whole: bool) -> None:
    tables, events = told("guarded", ALICE, whole)
    assert [row.command for row in tables["processes"].values()] == ["psql --password=alice", "psql", "[kworker]"]
    assert [row.labels for row in tables["containers"].values()] == [()]
    assert (tables["sockets"], tables["nat"]) == (SOCKETS, NAT)
    assert [each.detail for each in events] == ["psql --password=alice", "psql", "psql", EVENTS[3].detail]


@WAYS
def test_a_strict_one_tells_of_others_no_peers_either(whole: bool) -> None:
    tables, events = told("strict", ALICE, whole)
    assert [(row.remote, row.rport) for row in tables["sockets"].values()] == [
        ("192.0.2.1", 443),
        (None, None),
        (None, None),
    ]
    assert tables["nat"] == {4: NAT[4]}
    assert events[3].detail == "tcp 10.0.0.9:4000 → -, 5 B received, 6 B sent"
    assert told("strict", BOB, whole)[1][3] == EVENTS[3]


def test_nothing_that_is_hidden_is_anywhere_in_the_lines() -> None:
    for policy, secrets in (
        ("guarded", ("bob", "nobody-knows", "secret")),
        ("strict", ("bob", "192.0.2.2", "10.0.0.2")),
    ):
        broadcast = Broadcast(POLICIES[policy])
        broadcast.take(FRAME)
        said = b"".join(broadcast.whole(ALICE, 0) + broadcast.change(ALICE)).decode()
        assert "alice" in said
        assert not [secret for secret in secrets if secret in said]


def test_whom_the_policy_concerns_is_told_of_it() -> None:
    [health] = told("guarded", ALICE, True)[0]["health"].values()
    assert health.reason == "the service does not tell the command lines of other users"
    assert not told("guarded", None, True)[0]["health"]
    assert not told("open", ALICE, True)[0]["health"]


def test_what_everybody_may_see_is_encoded_once_for_all() -> None:
    broadcast = Broadcast(POLICIES["guarded"])
    broadcast.take(FRAME)
    alice, bob, root = (broadcast.whole(viewer, 0) for viewer in (ALICE, BOB, None))
    assert alice[0] is bob[0] is root[0]
    assert broadcast.whole(ALICE, 0)[-1] is alice[-1]
    broadcast.take(delta({"stats": {4: connection().stats}}, clock=1.0))
    assert broadcast.change(ALICE) == broadcast.change(None)
    assert broadcast.change(ALICE)[0] is broadcast.change(None)[0]


def test_a_change_of_user_takes_back_what_was_ones_own() -> None:
    broadcast = Broadcast(POLICIES["guarded"])
    broadcast.take(FRAME)
    broadcast.take(delta({"processes": {1: PROCESSES[1]._replace(uid=0)}}, clock=1.0))
    assert heard(broadcast.change(ALICE))[0]["processes"][1].command == "psql"


# --- who does not keep up ------------------------------------------------------------------------------------------


class Room:
    """A guest whose connection holds little, and the other end of it, read when a test says so."""

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair()
        self._theirs.setblocking(False)
        self.guest = Guest(ours, ALICE, ALICE)
        self.known = Fold(10)
        self.keys = 0
        """Key frames that were read."""
        self._broadcast = Broadcast(POLICIES["open"])
        self._rest = b""

    def tick(self, told: Delta, now: float) -> None:
        """The service makes a tick."""
        self._broadcast.take(told)
        self.guest.tell(self._broadcast, now)

    def read(self) -> None:
        """Take everything that waits."""
        while True:
            self.guest.link.send()
            try:
                *lines, self._rest = (self._rest + self._theirs.recv(1 << 20)).split(b"\n")
            except BlockingIOError:
                return
            for line in lines:
                said = wire.decode(line)
                self.keys += said.key
                self.known.take(said)

    @property
    def processes(self) -> int:
        """How many they know of."""
        return len(self.known.tables["processes"])

    def close(self) -> None:
        self.guest.link.close()
        self._theirs.close()


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr(link, "_SEND_BUFFER", 1)
    made = Room()
    yield made
    made.close()


def crowd(tick: int) -> Delta:
    """A tick with some 100 kB of new processes; the first is a key frame."""
    ids = range(1000 * tick, 1000 * tick + 500)
    rows = {i: process_row(pid=i, command=f"{i} " + "x" * 200).process for i in ids}
    return delta({"processes": rows}, key=not tick, clock=float(tick))


def test_who_does_not_keep_up_is_told_everything_anew_once_they_have_read(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guests, "BEHIND", 300_000)
    waiting = []
    for tick in range(8):
        room.tick(crowd(tick), now=0.1 * tick)
        waiting.append(room.guest.link.pending)
    assert waiting[-1] == waiting[-2] < 8 * 100_000, "nothing more waits for them"
    room.read()
    assert (room.keys, room.processes) == (1, waiting.index(waiting[-1]) * 500 + 500)
    room.tick(crowd(8), now=guests.ANEW + 1)
    room.read()
    assert (room.keys, room.processes) == (2, 9 * 500)
    room.tick(crowd(9), now=guests.ANEW + 2)
    room.read()
    assert (room.keys, room.processes) == (2, 10 * 500), "and then every tick again"


def test_for_who_reads_nothing_nothing_is_kept(room: Room) -> None:
    room.tick(crowd(0), now=1.0)
    assert room.guest.link.pending > 50_000
    for tick in range(1, 10):
        room.tick(crowd(tick), now=1.0 + tick)
    assert room.guest.link.pending < 150_000, "but the rest of a line"
    room.read()
    room.tick(crowd(10), now=20.0)
    room.read()
    assert room.processes == 11 * 500


def test_who_reads_slowly_is_told_everything_only_now_and_then(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "BEHIND", 0)
    for tick in range(20):
        room.tick(crowd(tick), now=0.1 * tick)
        room.tick(delta(clock=tick + 0.5), now=0.1 * tick)
        room.read()
    assert room.keys == 1


@given(st.lists(st.booleans(), min_size=1, max_size=12), streams(longest=12))
def test_whoever_reads_now_and_then_knows_in_the_end_what_is_so(reads: list[bool], stream: list[Delta]) -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    guest, broadcast, all_told, store = Guest(ours, ALICE, None), Broadcast(POLICIES["guarded"]), Store(), Store()
    rest = b""

    def read() -> None:
        nonlocal rest
        while True:
            guest.link.send()
            try:
                *lines, rest = (rest + theirs.recv(1 << 20)).split(b"\n")
            except BlockingIOError:
                return
            for line in lines:
                store.apply(wire.decode(line))

    now = 0.0
    for each, reading in zip(stream, (reads * 12)[: len(stream)], strict=True):
        now += 20.0
        broadcast.take(each)
        guest.tell(broadcast, now)
        all_told.apply(each)
        if reading:
            read()
    read()
    guest.tell(broadcast, now + 20.0)
    read()
    ours.close()
    theirs.close()
    told_ids = all_told.snapshot.connections
    assert store.tables(told_ids) == all_told.tables(told_ids)


# --- who wants fewer pictures --------------------------------------------------------------------------------------


@given(streams(longest=12), st.sampled_from([0.1, 1.0, 1.5, 3.0, 60.0]), st.booleans())
def test_of_ticks_that_come_too_often_several_are_made_one(told: list[Delta], interval: float, parted: bool) -> None:
    pace, everything, paced = Pace(interval), Store(), Store()
    shown = []
    for each in told:
        everything.apply(each)
        parts = [each._replace(complete=False), delta(clock=each.clock)] if parted else [each]
        for part in parts:
            said = pace.take(part)
            picture = None if said is None else paced.apply(said)
            shown += [picture.interval] if picture else []
        if shown and shown[-1] is not None and said is not None and not each.key:
            assert shown[-1] >= 0.9 * interval
    last = pace.take(delta(clock=told[-1].clock + 100))
    assert last is not None
    assert paced.apply(last)
    everything.apply(delta(clock=told[-1].clock + 100))
    ids = everything.snapshot.connections
    assert paced.tables(ids) == everything.tables(ids)
    assert paced.snapshot.events_total == everything.snapshot.events_total


def test_ticks_that_come_as_often_as_wanted_are_handed_on_as_they_are() -> None:
    pace = Pace(1.0)
    ticks = [delta(key=not number, clock=number * 0.97) for number in range(10)]
    assert [pace.take(tick) for tick in ticks] == ticks
    pace = Pace(2.0)
    ticks = [delta(key=not number, clock=float(number)) for number in range(9)]
    assert [said.clock for said in map(pace.take, ticks) if said is not None] == [0.0, 2.0, 4.0, 6.0, 8.0]
