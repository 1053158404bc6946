"""The wire: what is said arrives as it was, and nothing else gets in."""

from __future__ import annotations

import copy
import json
import tracemalloc
import typing
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nettop.model import TABLES, Change, Delta, Event, Owner, Owners
from nettop.wire import MAX_EVENTS, MAX_LINE, MAX_ROWS, MAX_TEXT, WireError, decode, encode
from tests.support.deltas import HIGHEST, delta, deltas, fits
from tests.support.rows import connection, event, host, interface, process_row

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)

SPOKEN: dict[str, Any] = {
    "v": 1,
    "key": False,
    "complete": True,
    "time": 1.7e9,
    "clock": 12.5,
    "tables": {},
    "events": {"n": 0},
    "skipped": 0,
}


def said(**parts: Any) -> bytes:
    """A line that says nothing, with these parts instead."""
    return json.dumps({**SPOKEN, **parts}).encode()


def stats_line(**columns: Any) -> bytes:
    """A line with the counters of two sockets, some columns replaced; None leaves one out."""
    row = connection().stats
    table = {"id": [1, 2], "gone": [], **{name: [value] * 2 for name, value in row._asdict().items()}, **columns}
    return said(tables={"stats": {name: column for name, column in table.items() if column is not None}})


def holders_line(each: Any = (1,), pid: Any = (1,), start_time: Any = (2,), fd: Any = (3,)) -> bytes:
    holders = {"each": each, "pid": pid, "start_time": start_time, "fd": fd}
    return said(tables={"owners": {"id": [1], "gone": [], "by": ["exact"], "holders": holders}})


def refused(line: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why) as caught:
        decode(line)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def well_typed(read: Delta) -> bool:
    """Every row and value is of the type the model declares, every number finite and in range."""
    listed = [(Event, list(read.events))]
    listed += [(TABLES[name], list(change.rows.values())) for name, change in read.changes.items()]
    for row, told in listed:
        hints = typing.get_type_hints(row)
        for one in told:
            assert type(one) is row
            assert all(fits(value, hint) for value, hint in zip(one, hints.values(), strict=True)), one
            assert all(abs(value) < float("inf") for value in one if isinstance(value, float))
            assert all(-(1 << 63) <= value <= HIGHEST for value in one if type(value) is int)
    for change in read.changes.values():
        assert all(type(i) is int and 0 <= i <= HIGHEST for i in (*change.rows, *change.gone))
    flags_and_times = (type(read.key), type(read.complete), type(read.time), type(read.clock))
    return flags_and_times == (bool, bool, float, float)


def refused_or_well_typed(line: bytes) -> None:
    try:
        read = decode(line)
    except WireError:
        return
    assert well_typed(read)


# --- what is said arrives ---------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(deltas())
def test_every_table_arrives_as_it_was_said(told: Delta) -> None:
    line = encode(told)
    read = decode(line)
    assert read == told
    assert well_typed(read)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii(), "a terminal or a log that shows a recording is not harmed"


def test_a_column_says_a_repeated_value_once() -> None:
    sockets = [connection(lport=40000 + n, local=f"10.0.0.{n % 2}").socket for n in range(6)]
    table = json.loads(encode(delta({"sockets": dict(enumerate(sockets))})))["tables"]["sockets"]
    assert table["netns"] == {"all": 4026531840}
    assert table["local"] == {"of": ["10.0.0.0", "10.0.0.1"], "at": [0, 1, 0, 1, 0, 1]}
    assert table["lport"] == [40000 + n for n in range(6)]


def test_rows_that_say_the_same_share_it_in_memory() -> None:
    sockets = {n: connection(lport=n, local=f"10.0.0.{n % 2}").socket for n in range(8)}
    read = decode(encode(delta({"sockets": sockets}))).changes["sockets"].rows
    assert len({id(row.local) for row in read.values()}) == 2
    assert len({id(row.user) for row in read.values()}) == 1


def test_numbers_as_large_as_the_kernel_has_them_arrive() -> None:
    row = connection(cookie=HIGHEST, inode=HIGHEST).socket
    owners = Owners("exact", (Owner(HIGHEST, HIGHEST, HIGHEST),))
    told = delta({"sockets": {HIGHEST: row}, "owners": {HIGHEST: owners}}, gone={"sockets": [HIGHEST]})
    assert decode(encode(told)) == told


def test_half_a_character_from_a_hostile_end_stays_text() -> None:
    row = decode(stats_line(state=["\ud800", "\x1b"])).changes["stats"].rows[1]
    assert row.state == "\ud800", "format.safe prints it as ?"


def test_columns_of_a_later_version_are_not_minded() -> None:
    assert len(decode(stats_line(colour=["red", 3])).changes["stats"].rows) == 2


# --- nothing else gets in ---------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary())
@example(b"")
@example(b"\xff\xfe{\x00}\x00")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"9" * 5_000)
@example(b"null")
def test_any_bytes_are_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        decode(line)


@settings(deadline=None)
@given(st.sampled_from(sorted(SPOKEN)), JSON)
@example("v", True)
@example("time", 1e300)
@example("clock", float("nan"))
@example("tables", {"stats": {"id": [], "gone": [0.5]}})
def test_any_json_in_a_known_place_is_refused_or_well_typed(place: str, value: Any) -> None:
    refused_or_well_typed(said(**{place: value}))


@settings(deadline=None)
@given(deltas(most=4), st.randoms(use_true_random=False), JSON)
def test_a_line_with_anything_put_in_anywhere_is_refused_or_well_typed(told: Delta, rng: Any, value: Any) -> None:
    line = json.loads(encode(told))
    node: Any = line
    while True:
        place = rng.choice(sorted(node) if isinstance(node, dict) else range(len(node)))
        child = node[place]
        if not isinstance(child, (dict, list)) or not child or rng.random() < 0.2:
            break
        node = child
    node[place] = value if rng.random() < 0.7 else copy.deepcopy(rng.choice([node, line]))
    refused_or_well_typed(json.dumps(line).encode())


@settings(deadline=None)
@given(deltas(most=3), st.integers(0), st.binary(max_size=3), st.integers(0, 3))
def test_a_line_damaged_on_its_way_is_refused_or_well_typed(told: Delta, at: int, put: bytes, lost: int) -> None:
    line = encode(told)
    at %= len(line)
    refused_or_well_typed(line[:at] + put + line[at + lost :])


@settings(deadline=None)
@given(deltas(most=2), st.integers(0))
def test_a_line_cut_short_is_refused(told: Delta, length: int) -> None:
    line = encode(told).rstrip(b"\n")
    with pytest.raises(WireError, match="not JSON"):
        decode(line[: length % len(line)])


@pytest.mark.parametrize("part", sorted(SPOKEN))
def test_every_part_of_a_line_is_needed(part: str) -> None:
    decode(said())
    refused(json.dumps({name: value for name, value in SPOKEN.items() if name != part}).encode(), part)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (said(v=2), "version 2, this nettop reads 1"),
        (said(v="\x1b" * 9_000), "version"),
        (said(tables={"passwords" * 99: {}}), "no table"),
        (said(tables={"stats": []}), "an object"),
        (said(key=1), "true or false"),
        (said(time="now"), "a time"),
        (said(time=True), "a time"),
        (said(clock=float("inf")), "a time"),
        (said(clock=10**400), "a time"),
        (said(skipped=-1), "a count"),
        (said(skipped=1.0), "a count"),
        (said(events={"n": True}), "a count"),
        (said(events={"n": 1}), "'time' is missing"),
        (stats_line(state=None), "'state' is missing"),
        (stats_line(id=None), "'id' is missing"),
        (stats_line(gone=None), "'gone' is missing"),
        (stats_line(id=[1, 1]), "two rows of one id"),
        (stats_line(id=[1, -1]), "numbers from 0"),
        (stats_line(id=[1, True]), "numbers from 0"),
        (stats_line(id={"all": 1}), "a list"),
        (stats_line(gone=[HIGHEST + 1]), "numbers from 0"),
        (stats_line(gone=["1"]), "numbers from 0"),
        (stats_line(state=["ESTAB"]), "1 values for 2 rows"),
        (stats_line(state=["ESTAB"] * 3), "3 values for 2 rows"),
        (stats_line(state="ESTAB"), "a list"),
        (stats_line(state=["ESTAB", None]), "SocketStats.state may not be NoneType"),
        (stats_line(state=["ESTAB", ["x"]]), "may not be list"),
        (stats_line(state={"all": {}}), "may not be dict"),
        (stats_line(state={}), "a list is expected"),
        (stats_line(state={"of": ["ESTAB"]}), "'at' is missing"),
        (stats_line(state={"of": ["ESTAB"], "at": [0]}), "1 values for 2 rows"),
        (stats_line(state={"of": ["ESTAB"], "at": [0, 1]}), "not there"),
        (stats_line(state={"of": [], "at": [0, 0]}), "not there"),
        (stats_line(state={"of": ["ESTAB"], "at": [0, HIGHEST]}), "not there"),
        (stats_line(state={"of": ["ESTAB"], "at": [0, -1]}), "numbers from 0"),
        (stats_line(state={"of": ["ESTAB"], "at": [False, False]}), "numbers from 0"),
        (stats_line(state=["x" * (MAX_TEXT + 1)] * 2), "longer than"),
        (stats_line(rtt=[1, 1.5]), "may not be float"),
        (stats_line(rtt=[1, True]), "may not be bool"),
        (stats_line(rtt=[1, HIGHEST + 1]), "out of range"),
        (stats_line(rtt=[1, 10**4000]), "out of range"),
        (stats_line(app_limited=[0, 1]), "may not be int"),
        (holders_line(each=None), "a list is expected"),
        (holders_line(each=[2]), "as many owners"),
        (holders_line(each=[0]), "as many owners"),
        (holders_line(each=[1 << 62]), "as many owners"),
        (holders_line(each=[1, 0]), "2 values for 1 rows"),
        (holders_line(pid=[1, 2]), "as many owners"),
        (holders_line(fd=["3"]), "numbers from 0"),
        (holders_line(fd=[True]), "numbers from 0"),
        (holders_line(start_time=[-1]), "numbers from 0"),
        (holders_line(start_time={"u2": "AAAA"}), "cut short"),
        (holders_line(start_time={"u3": "AAAA"}), "a list is expected"),
        (holders_line(start_time={"u2": 7}), "a list is expected"),
        (holders_line(start_time={"u1": "="}), "cut short|as many owners"),
        (said(v="1"), "version"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said_in_one_short_line(line: bytes, why: str) -> None:
    refused(line, why)


@pytest.mark.parametrize("load", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_refused(load: float) -> None:
    refused(encode(delta({"host": {0: host(load1=load)}})), "Host.load1 is not a number")


def test_a_number_too_large_for_a_float_is_refused() -> None:
    refused(encode(delta({"host": {0: host()}})).replace(b"0.42", b"1e999"), "Host.load1 is not a number")


def test_of_a_key_said_twice_one_counts_and_is_checked() -> None:
    line = stats_line().replace(b'"state"', b'"state": 3, "state"')
    assert decode(line).changes["stats"].rows[1].state == "ESTAB"
    refused(stats_line().replace(b'"rto"', b'"state": [3, 3], "rto"'), "may not be int")


def test_addresses_are_texts() -> None:
    good = encode(delta({"interfaces": {1: interface()}}))
    assert decode(good).changes["interfaces"].rows[1].addresses == ("10.0.0.1/24",)
    for wrong in (b"[7]", b"[null]", b"[[]]", b'["' + b"x" * (MAX_TEXT + 1) + b'"]'):
        refused(good.replace(b'["10.0.0.1/24"]', wrong), "a list of texts")


# --- a short line cannot ask for much ---------------------------------------------------------------------------------


def test_a_line_is_bounded() -> None:
    refused(b" " * (MAX_LINE + 1), "line of")


def test_rows_and_gone_ids_are_bounded() -> None:
    gone = said(tables={"stats": {"id": [], "gone": list(range(MAX_ROWS + 1))}})
    refused(gone, "more than")
    refused(stats_line(id=list(range(MAX_ROWS + 1))), "more than")


def test_a_count_of_events_is_only_a_claim() -> None:
    columns = {name: {"all": value} for name, value in event()._asdict().items()}
    assert len(decode(said(events={"n": MAX_EVENTS, **columns})).events) == MAX_EVENTS
    refused(said(events={"n": MAX_EVENTS + 1, **columns}), "a count")


def test_a_short_line_takes_little_memory() -> None:
    text = "x" * MAX_TEXT
    columns = {name: {"all": value} for name, value in event(detail=text)._asdict().items()}
    line = said(events={"n": MAX_EVENTS, **columns})
    tracemalloc.start()
    try:
        decode(line)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_the_longest_rows_of_a_process_table_are_read() -> None:
    row = process_row(command="\ufffd" * 4096).process
    told = delta({"processes": dict.fromkeys(range(1_000), row)})
    assert decode(encode(told)).changes == {"processes": Change(dict.fromkeys(range(1_000), row), [])}
