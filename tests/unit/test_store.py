"""The store: from cumulative counters and a clock to pictures, told to a naive one that works everything out anew."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettop import format as text
from nettop.fields import CONNECTIONS, VIEWS
from nettop.model import Delta, Health
from nettop.snapshot import EMPTY, Connection, Coverage, HostRates, LinkRate
from nettop.store import Store
from nettop.wire import decode, encode
from tests.support.deltas import delta, deltas
from tests.support.naive import NaiveStore
from tests.support.rows import HOST_NETNS, NOW, connection, event, host, process_row
from tests.support.streams import Watched, rates, streams


@pytest.fixture
def machine() -> Watched:
    return Watched()


# --- all of it, against the naive store -------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(streams())
def test_every_picture_is_what_working_everything_out_anew_gives(stream: list[Delta]) -> None:
    store, naive = Store(), NaiveStore()
    for told in stream:
        naive.apply(told)
        shown = store.apply(told)
        assert shown is not None
        assert shown.interval == naive.elapsed
        assert shown.connections == naive.connections()
        assert shown.processes == naive.processes()
        assert shown.namespaces == naive.namespaces()
        assert shown.containers == naive.containers()
        assert shown.traffic == naive.traffic()
        assert shown.coverage == naive.coverage()
        assert shown.rates == naive.rates()
        assert list(shown.health) == list(naive.now["health"].values())


@settings(deadline=None, max_examples=200)
@given(streams())
def test_changed_names_exactly_the_rows_that_differ_from_the_last_picture(stream: list[Delta]) -> None:
    store = Store()
    for told in stream:
        before, now = store.snapshot, store.apply(told)
        assert now is not None
        for view in ("connections", "processes", "namespaces", "containers"):
            old, new = getattr(before, view), getattr(now, view)
            replaced = {row_id for row_id in old.keys() | new.keys() if old.get(row_id) is not new.get(row_id)}
            assert now.changed[view] == replaced
            if not told.key:
                assert replaced == {row_id for row_id in old.keys() | new.keys() if old.get(row_id) != new.get(row_id)}


@settings(deadline=None)
@given(st.lists(deltas(), max_size=5))
def test_a_stream_that_contradicts_itself_makes_pictures_that_can_be_shown(stream: list[Delta]) -> None:
    store = Store()
    for told in stream:
        store.apply(decode(encode(told)))
        for view in VIEWS.values():
            for row in view.rows(store.snapshot):
                for field in view.fields.values():
                    shown = text.cell(field, field.get(row, NOW), now=NOW)
                    assert shown.isprintable()


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_before_the_first_picture_there_is_an_empty_one() -> None:
    assert Store().snapshot is EMPTY


def test_a_picture_comes_with_the_last_part_of_a_tick() -> None:
    store = Store()
    assert store.apply(delta({"sockets": {1: connection().socket}}, key=True, complete=False)) is None
    assert store.snapshot is EMPTY
    shown = store.apply(delta({"stats": {1: connection().stats}}))
    assert shown is store.snapshot
    assert shown is not None
    assert (shown.sequence, shown.time, shown.interval) == (1, NOW, None)


def test_a_caller_with_keys_to_answer_is_let_in_every_few_hundred_rows() -> None:
    ids = range(2_000)
    told = delta({"sockets": dict.fromkeys(ids, connection().socket), "stats": dict.fromkeys(ids, connection().stats)})
    steps = list(Store().steps(told._replace(key=True)))
    assert len(steps) > 4
    assert steps[:-1] == [None] * (len(steps) - 1)
    assert steps[-1] is not None


def test_a_key_frame_forgets_everything_but_the_events(machine: Watched) -> None:
    process = machine.start_process(7)
    socket = machine.open_socket(1, machine.held(process))
    machine.add_namespace(HOST_NETNS)
    machine.tables["health"][99] = Health("cn_proc", "lossy", "why", None, 1)
    machine.picture()
    machine.receive(socket, 100)
    machine.store.apply(machine.tell(events=(event(),)))
    assert machine.store.history("connections", socket)
    machine.store.apply(delta({"host": {0: host()}}, key=True, clock=500.0))
    shown = machine.store.snapshot
    assert (shown.connections, shown.processes, shown.namespaces, shown.health) == ({}, {}, {}, ())
    assert (shown.interval, shown.rates) == (None, EMPTY.rates)
    assert shown.coverage == Coverage(None, 0, 0, 0, 0, 0)
    assert shown.changed["connections"] == {socket}, "a view must learn that the rows before are gone"
    assert (shown.events, shown.events_total) == ({0: event()}, 1)
    assert not machine.store.history("connections", socket)
    assert machine.store.host_history() == (EMPTY.rates,)


def test_a_row_without_its_companion_is_left_out() -> None:
    store = Store()
    store.apply(delta({"sockets": {1: connection().socket}, "processes": {2: process_row().process}}, key=True))
    assert store.snapshot.connections == {}
    assert store.snapshot.processes == {}


# --- rates of a connection --------------------------------------------------------------------------------------------


def at_first(row: Connection) -> list[object]:
    """What a view shows of a row's rates in a picture that has no interval."""
    fields = CONNECTIONS.first().fields
    return [fields[name].get(row, 0.0) for name in ("rx_rate", "tx_rate", "rate", "retrans_rate")]


def test_a_rate_is_unknown_before_a_second_sample(machine: Watched) -> None:
    socket = machine.open_socket(1, rx_bytes=5000, since=None)
    machine.picture()
    assert at_first(machine.connection(socket)) == [None] * 4
    machine.picture()
    assert rates(machine.connection(socket)) == (0.0, 0.0)


def test_a_rate_is_the_difference_by_the_time_between(machine: Watched) -> None:
    socket = machine.open_socket(1, rx_bytes=5000, tx_bytes=100, retrans=1)
    machine.picture()
    machine.set("stats", socket, rx_bytes=7000, tx_bytes=300, retrans=2)
    machine.picture(seconds=4.0)
    assert rates(machine.connection(socket)) == (500.0, 50.0)
    assert machine.connection(socket).retrans_rate == 0.25


def test_a_socket_that_opened_in_the_interval_counts_from_zero(machine: Watched) -> None:
    machine.picture()
    new = machine.open_socket(1, rx_bytes=900, tx_bytes=30, since=NOW)
    old = machine.open_socket(2, rx_bytes=900, tx_bytes=30, since=None)
    machine.picture()
    assert rates(machine.connection(new)) == (900.0, 30.0)
    assert rates(machine.connection(old)) == (None, None), "nobody knows when its bytes moved"


def test_a_socket_told_in_several_parts_of_a_tick_is_still_new_in_each(machine: Watched) -> None:
    process = machine.start_process(7)
    machine.picture()
    new = machine.open_socket(1, rx_bytes=900, since=NOW)
    old = machine.open_socket(2, rx_bytes=900, since=None)
    machine.store.apply(machine.tell()._replace(complete=False))
    machine.tables["owners"][new] = machine.tables["owners"][old] = machine.held(process)
    machine.picture(seconds=0.0)
    assert machine.connection(new).rx_rate == 900.0
    assert machine.connection(old).rx_rate is None
    assert machine.process(process).rx_rate == 900.0


def test_bytes_that_are_not_known_have_no_rate(machine: Watched) -> None:
    socket = machine.open_socket(1, proto="udp", rx_bytes=None, tx_bytes=None)
    machine.picture()
    machine.picture()
    assert rates(machine.connection(socket)) == (None, None)
    machine.set("stats", socket, rx_bytes=1 << 40, tx_bytes=0)
    machine.picture()
    assert rates(machine.connection(socket)) == (None, None), "they did not move in this second"
    machine.receive(socket, 10)
    machine.picture()
    assert rates(machine.connection(socket)) == (10.0, 0.0)


def test_what_moved_and_stands_still_goes_to_zero_once_and_then_stays_the_same_row(machine: Watched) -> None:
    busy, idle = machine.open_socket(1), machine.open_socket(2)
    machine.picture()
    machine.receive(busy, 100)
    before = machine.picture()
    stopped = machine.picture()
    assert machine.connection(busy).rx_rate == 0.0
    assert stopped.changed["connections"] == {busy}
    assert stopped.connections[idle] is before.connections[idle]
    for _ in range(3):
        still = machine.picture()
        assert still.connections[busy] is stopped.connections[busy]
        assert still.changed["connections"] == frozenset()


def test_counters_that_run_backwards_are_no_negative_rate(machine: Watched) -> None:
    socket = machine.open_socket(1, rx_bytes=5000, tx_bytes=100, retrans=4)
    link = machine.add_interface(HOST_NETNS, "eth0")
    machine.set("counters", link, rx_bytes=900)
    namespace = machine.add_namespace(HOST_NETNS)
    process = machine.start_process(7, cpu_time=9.0)
    machine.picture()
    machine.set("stats", socket, rx_bytes=3, tx_bytes=160, retrans=0)
    machine.set("counters", link, rx_bytes=1)
    machine.set("usage", process, cpu_time=0.0)
    machine.set("host", 0, cpu_busy=1.0, cpu_total=4600.0, forks=0, collector_cpu=0.0, tcp_retrans_segs=0)
    shown = machine.picture()
    assert rates(machine.connection(socket)) == (0.0, 60.0)
    assert machine.connection(socket).retrans_rate == 0.0
    assert machine.namespace(namespace).rx_rate == 0.0
    assert machine.process(process).cpu == 0.0
    assert shown.rates == HostRates(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (LinkRate("eth0", 0.0, 0.0),))


def test_a_clock_that_stands_still_or_runs_backwards_gives_no_rates(machine: Watched) -> None:
    socket = machine.open_socket(1)
    machine.picture()
    for seconds in (0.0, -5.0):
        machine.receive(socket, 100)
        assert machine.picture(seconds).interval is None
        assert at_first(machine.connection(socket)) == [None] * 4
    machine.receive(socket, 100)
    machine.picture(2.0)
    assert machine.connection(socket).rx_rate == 50.0


def test_a_limit_is_looked_at_again_when_nothing_moves(machine: Watched) -> None:
    socket = machine.open_socket(1, recvq=0)
    machine.picture()
    machine.set("stats", socket, recvq=10)
    machine.picture()
    assert machine.connection(socket).limit is None
    machine.picture()
    assert machine.connection(socket).limit == "reader", "it stays unread, and no Delta says so"
