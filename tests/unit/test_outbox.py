"""The outbox: a reader gets the latest of everything, in pieces it can swallow, however slow it is."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nettop.collector.child import PART, lines
from nettop.collector.outbox import EVENTS_KEPT, Outbox, parts
from nettop.model import COMPANIONS, NO_OWNERS, TABLES, Change, Delta, Event
from nettop.store import Store
from nettop.wire import MAX_LINE, decode
from tests.support.deltas import delta, deltas
from tests.support.rows import connection, event, namespace_row, process_row
from tests.support.streams import Machine, streams

ROW = connection()
SIZES = st.integers(1, 6)


def told_outbox() -> Outbox:
    """An outbox whose reader knows one socket, of id 1."""
    outbox = Outbox()
    outbox.put("sockets", outbox.new_id(), ROW.socket)
    outbox.put("stats", 1, ROW.stats)
    outbox.put("owners", 1, NO_OWNERS)
    outbox.take(0.0, 0.0)
    return outbox


# --- what waits for the reader ----------------------------------------------------------------------------------------


def test_the_first_delta_is_a_key_frame_and_no_other() -> None:
    outbox = Outbox()
    assert [outbox.take(float(n), float(n)).key for n in range(3)] == [True, False, False]


def test_a_delta_says_when_its_tick_was_and_whether_that_is_over() -> None:
    told = Outbox().take(1.7e9, 12.5, complete=False)
    assert (told.time, told.clock, told.complete) == (1.7e9, 12.5, False)


def test_what_was_taken_is_not_said_again() -> None:
    outbox = told_outbox()
    assert outbox.take(1.0, 1.0).changes == {}


def test_a_slow_reader_gets_the_latest_row_only() -> None:
    outbox = told_outbox()
    for rtt in range(100):
        outbox.put("stats", 1, ROW.stats._replace(rtt=rtt))
    assert len(outbox) == 1
    assert outbox.take(1.0, 1.0).changes == {"stats": Change({1: ROW.stats._replace(rtt=99)}, [])}


def test_many_rows_are_put_at_once() -> None:
    outbox = Outbox()
    outbox.put_all("stats", [(1, ROW.stats), (2, ROW.stats)])
    assert len(outbox) == 2
    assert list(outbox.take(0.0, 0.0).changes["stats"].rows) == [1, 2]


def test_of_a_row_that_came_and_went_nothing_is_said() -> None:
    outbox = told_outbox()
    row_id = outbox.new_id()
    outbox.put("sockets", row_id, ROW.socket)
    outbox.put("stats", row_id, ROW.stats)
    outbox.put("owners", row_id, NO_OWNERS)
    outbox.drop("sockets", row_id)
    assert outbox.take(1.0, 1.0).changes == {}


def test_a_row_that_is_gone_takes_what_waits_of_its_companions_along() -> None:
    outbox = told_outbox()
    outbox.put("stats", 1, ROW.stats)
    outbox.put("owners", 1, ROW.owners)
    outbox.drop("sockets", 1)
    assert outbox.take(1.0, 1.0).changes == {"sockets": Change({}, [1])}


def test_ids_are_never_used_twice_whatever_the_table() -> None:
    outbox = Outbox()
    ids = [outbox.new_id() for _ in range(5)]
    outbox.drop("sockets", ids[0])
    outbox.take(0.0, 0.0)
    ids += [outbox.new_id() for _ in range(5)]
    assert len(set(ids)) == 10


def test_a_delta_is_not_changed_by_what_comes_after_it() -> None:
    outbox = Outbox()
    outbox.put("sockets", outbox.new_id(), ROW.socket)
    outbox.add_event(event())
    told = outbox.take(0.0, 0.0)
    outbox.put("sockets", 1, ROW.socket._replace(uid=0))
    outbox.drop("sockets", 1)
    outbox.add_event(event())
    assert told.changes == {"sockets": Change({1: ROW.socket}, [])}
    assert told.events == (event(),)


def test_of_too_many_events_the_oldest_are_skipped_and_counted() -> None:
    outbox = Outbox()
    for pid in range(EVENTS_KEPT + 3):
        outbox.add_event(event(pid=pid))
    told = outbox.take(0.0, 0.0)
    assert [e.pid for e in told.events] == list(range(3, EVENTS_KEPT + 3))
    assert told.events_skipped == 3
    assert outbox.take(1.0, 1.0)[-2:] == ((), 0)


@settings(deadline=None)
@given(st.data())
def test_a_reader_who_takes_seldom_knows_the_same_in_the_end(data: st.DataObject) -> None:
    outbox, often, seldom = Outbox(), _Reader(), Outbox()
    late = _Reader()
    ids: list[int] = []
    for _ in range(data.draw(st.integers(0, 20))):
        action = data.draw(st.sampled_from(["new", "put", "drop", "take"]))
        if action == "new":
            ids.append(outbox.new_id())
            assert seldom.new_id() == ids[-1]
        for box in (outbox, seldom) if ids and action in ("new", "put", "drop") else ():
            row_id = ids[-1] if action == "new" else ids[len(ids) // 2]
            if action == "drop":
                box.drop("sockets", row_id)
            else:
                box.put("sockets", row_id, ROW.socket)
                box.put("stats", row_id, ROW.stats._replace(rtt=len(ids)))
        if action == "drop" and ids:
            del ids[len(ids) // 2]
        often.read(outbox.take(0.0, 0.0))
        if action == "take":
            late.read(seldom.take(0.0, 0.0))
    late.read(seldom.take(0.0, 0.0))
    assert late.tables == often.tables


class _Reader:
    """The least that understands Deltas: tables."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[int, Any]] = {table: {} for table in TABLES}

    def read(self, told: Delta) -> None:
        for table, change in told.changes.items():
            for row_id in change.gone:
                for name in (table, *COMPANIONS.get(table, ())):
                    self.tables[name].pop(row_id, None)
            self.tables[table].update(change.rows)


# --- in pieces --------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(deltas(), SIZES)
def test_pieces_say_exactly_what_the_whole_says(told: Delta, size: int) -> None:
    pieces = list(parts(told, size))
    for table in TABLES:
        whole = told.changes.get(table, Change({}, []))
        said = [piece.changes[table] for piece in pieces if table in piece.changes]
        ids = [row_id for one in said for row_id in one.rows]
        assert len(ids) == len(set(ids)), "a row is said once"
        assert {row_id: row for one in said for row_id, row in one.rows.items()} == whole.rows
        assert [row_id for one in said for row_id in one.gone] == whole.gone
    assert [e for piece in pieces for e in piece.events] == list(told.events)
    assert sum(piece.events_skipped for piece in pieces) == told.events_skipped
    assert {(piece.time, piece.clock) for piece in pieces} == {(told.time, told.clock)}


@settings(deadline=None)
@given(deltas(), SIZES)
def test_only_the_first_piece_is_key_and_only_the_last_complete(told: Delta, size: int) -> None:
    pieces = list(parts(told, size))
    assert [piece.key for piece in pieces] == [told.key] + [False] * (len(pieces) - 1)
    assert [piece.complete for piece in pieces] == [False] * (len(pieces) - 1) + [told.complete]


@settings(deadline=None)
@given(deltas(), SIZES)
def test_no_piece_is_larger_than_asked(told: Delta, size: int) -> None:
    for piece in parts(told, size):
        for table, companions in {**dict.fromkeys(TABLES, ()), **COMPANIONS}.items():
            group = [piece.changes[name] for name in (table, *companions) if name in piece.changes]
            assert len({row_id for change in group for row_id in change.rows}) <= size
            assert all(len(change.gone) <= size for change in group)
        assert len(piece.events) <= size


def test_companions_travel_together() -> None:
    ids = range(10)
    told = delta({"stats": dict.fromkeys(ids, ROW.stats), "sockets": dict.fromkeys(ids, ROW.socket)})
    for piece in parts(told, 3):
        assert not piece.changes or list(piece.changes["sockets"].rows) == list(piece.changes["stats"].rows)


def test_what_is_gone_is_said_before_what_took_its_place() -> None:
    told = delta({"sockets": dict.fromkeys(range(10, 20), ROW.socket)}, gone={"sockets": list(range(10))})
    pieces = [piece.changes["sockets"] for piece in parts(told, 4) if piece.changes]
    last_gone = max(place for place, piece in enumerate(pieces) if piece.gone)
    assert all(not piece.rows for piece in pieces[: last_gone + 1])


def test_a_small_delta_is_one_piece() -> None:
    told = delta(
        {"sockets": {1: ROW.socket}, "stats": {1: ROW.stats}, "processes": {2: process_row().process}},
        gone={"namespaces": [3]},
        events=[event()],
    )
    assert list(parts(told, PART)) == [told]
    assert list(parts(delta(), PART)) == [delta()]


@settings(deadline=None, max_examples=60)
@given(streams(), SIZES)
def test_pieces_make_the_same_pictures_as_the_whole(stream: list[Delta], size: int) -> None:
    whole, pieced = Store(), Store()
    for told in stream:
        expected = whole.apply(told)
        shown = [pieced.apply(piece) for piece in parts(told, size)]
        assert shown[:-1] == [None] * (len(shown) - 1)
        assert shown[-1] == expected


# --- on their way -----------------------------------------------------------------------------------------------------


def test_the_lines_of_a_delta_say_what_it_says() -> None:
    machine = Machine()
    machine.tables["namespaces"][1] = namespace_row().namespace
    for n in range(2, 50):
        machine.open_socket(n)
    told = machine.tell()
    assert [decode(line) for line in lines(told, 7)] == list(parts(told, 7))


def test_no_line_is_too_long_for_a_reader_whatever_processes_call_themselves() -> None:
    worst = "\x01" * 4096
    row = process_row(command=worst, cgroup=worst).process
    told = delta({"processes": dict.fromkeys(range(1, 1_001), row)}, events=[_exec(pid, worst) for pid in range(5_000)])
    read = []
    for line in lines(told, PART):
        assert len(line) <= MAX_LINE
        read.append(decode(line))
    assert sum(len(piece.changes.get("processes", Change({}, [])).rows) for piece in read) == 1_000
    assert [e.pid for piece in read for e in piece.events] == list(range(5_000))
    assert [piece.complete for piece in read] == [False] * (len(read) - 1) + [True]


def _exec(pid: int, command: str) -> Event:
    return event(pid=pid, detail=command + str(pid))
