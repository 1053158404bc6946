"""Numbers of several machines: none is ever another machine's, and what has no room is refused."""

from __future__ import annotations

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop import machines, wire
from nettop.fleet.numbered import INODES, ROWS, TICKS, as_there, machine_asked, numbered
from nettop.model import TABLES, Delta, Owners
from nettop.requests import (
    CloseSocket,
    InspectEnvironment,
    InspectNamespace,
    InspectProcess,
    Renice,
    Request,
    SetInterval,
    Signal,
)
from tests.support.deltas import delta, deltas
from tests.support.rows import HOST_NETNS, connection, event, process_row

NUMBERS = st.integers(0, 31)


def test_every_column_that_means_something_on_its_machine_only_is_known() -> None:
    found = {
        (table, name)
        for table, row in TABLES.items()
        for name in row._fields
        if name in ("netns", "peer_netns", "start_time", "belongs") or (table, name) == ("cgroups", "container")
    }
    assert found == {(table, name) for names in (INODES, TICKS, ROWS) for table in names for name in names[table]}


@given(st.integers(1, 32), st.integers(0, 1 << 20), st.integers(0, machines.MOST_ROWS - 1))
def test_a_number_tells_its_machine_and_itself(machine: int, stream: int, number: int) -> None:
    row_id = machines.first_number(machine, stream) + number
    assert machines.machine_of(row_id) == machine
    assert machines.stream_of(row_id) == machines.stream_of(machines.first_number(machine, stream))
    assert machines.own_number(machines.first_number(machine) + number) == number


def test_rows_of_two_connections_to_one_machine_are_told_apart() -> None:
    first, second = (machines.first_number(3, stream) + 7 for stream in (1, 2))
    assert first != second
    assert machines.stream_of(first) != machines.stream_of(second)


def told(machine: int, stream: int = 1) -> Delta:
    row, process = connection(netns=HOST_NETNS), process_row(start_time=77, belongs=9, netns=None)
    return numbered(
        delta(
            {
                "sockets": {5: row.socket},
                "owners": {5: Owners("exact", row.owners)},
                "processes": {6: process.process},
            },
            gone={"containers": [8]},
            events=[event(netns=None), event(netns=HOST_NETNS)],
        ),
        machine,
        stream,
    )


def test_two_machines_that_say_the_same_have_no_number_in_common() -> None:
    first, second = told(1), told(2)
    for table, change in first.changes.items():
        other = second.changes[table]
        assert not change.rows.keys() & other.rows.keys()
        assert not {*change.gone} & {*other.gone}
    [socket], [process], [owners] = (first.changes[t].rows.values() for t in ("sockets", "processes", "owners"))
    assert (machines.machine_of(socket.netns), machines.own_netns(socket.netns)) == (1, HOST_NETNS)
    assert (machines.machine_of(process.start_time), machines.own_number(process.start_time)) == (1, 77)
    assert machines.machine_of(process.belongs) == 1
    assert process.netns is None, "what is not known stays so"
    assert [machines.machine_of(owner.start_time) for owner in owners.holders] == [1]


def test_an_event_tells_its_machine_also_where_its_namespace_is_not_known() -> None:
    unknown, known = told(2).events
    assert [machines.machine_of_row(each) for each in (unknown, known)] == [2, 2]
    assert [machines.own_netns(each.netns) for each in (unknown, known)] == [None, HOST_NETNS]


@pytest.mark.parametrize(
    "bad",
    [
        delta({"sockets": {1: connection(netns=1 << 32).socket}}),
        delta({"sockets": {1: connection(netns=-1).socket}}),
        delta({"sockets": {1 << 40: connection().socket}}),
        delta({"processes": {1: process_row(start_time=1 << 56).process}}),
        delta({"processes": {1: process_row(belongs=1 << 40).process}}),
        delta({"owners": {1: Owners("exact", connection(start_time=1 << 60).owners)}}),
        delta(gone={"sockets": [1 << 63]}),
        delta(events=[event(netns=1 << 40)]),
    ],
)
def test_a_number_that_has_no_room_is_refused(bad: Delta) -> None:
    with pytest.raises(wire.WireError, match="is out of range"):
        numbered(bad, 1, 1)


@given(deltas())
def test_whatever_is_told_is_of_its_machine_or_refused(anything: Delta) -> None:
    try:
        found = numbered(anything, 7, 3)
    except wire.WireError:
        return
    for table, change in found.changes.items():
        assert {machines.machine_of(row_id) for row_id in (*change.rows, *change.gone)} <= {7}
        hints = typing.get_type_hints(TABLES[table])
        for row in change.rows.values():
            for name in {"netns", "peer_netns", "start_time"} & hints.keys():
                number = getattr(row, name)
                assert number is None or machines.machine_of(number) == 7
    assert {machines.machine_of_row(each) for each in found.events} <= {7}


# --- requests --------------------------------------------------------------------------------------------------------

_TICKS, _NETNS = machines.first_number(3) + 90210, machines.first_number(3) + HOST_NETNS


@pytest.mark.parametrize(
    ("request_", "there"),
    [
        (Signal(8, _TICKS, 15, False), Signal(8, 90210, 15, False)),
        (Renice(8, _TICKS, 5, False), Renice(8, 90210, 5, False)),
        (InspectProcess(8, _TICKS), InspectProcess(8, 90210)),
        (InspectEnvironment(8, _TICKS), InspectEnvironment(8, 90210)),
        (InspectNamespace(_NETNS), InspectNamespace(HOST_NETNS)),
        (
            CloseSocket(_NETNS, "tcp", "inet", "10.0.0.1", 1, "10.0.0.2", 2, None, 7),
            CloseSocket(HOST_NETNS, "tcp", "inet", "10.0.0.1", 1, "10.0.0.2", 2, None, 7),
        ),
    ],
)
def test_a_request_goes_to_the_machine_of_what_it_names_with_the_numbers_known_there(
    request_: Request, there: Request
) -> None:
    assert machine_asked(request_) == 3
    assert as_there(request_) == there


def test_a_request_that_names_nothing_is_for_no_machine() -> None:
    assert machine_asked(SetInterval(1.0)) == 0
