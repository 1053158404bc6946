"""The plain views: what scripts read."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop import listings
from nettop.batch import new_events, print_fields, select, table
from nettop.fields import CONNECTIONS, EVENTS, NAMESPACES, PROCESSES, VIEWS, View
from nettop.format import cell_width
from nettop.jsonlines import json_lines
from nettop.order import parse_sort
from nettop.query import parse
from tests.support.rows import (
    NOW,
    connection,
    container_row,
    event,
    many_connections,
    namespace_row,
    process_row,
    snapshot,
)

ANYTHING = st.text(st.characters(exclude_categories=[]))


def printed(view: View, rows: list[Any], columns: str, *, header: bool = True) -> str:
    out = io.StringIO()
    table(view, rows, columns.split(), NOW, header, out.write)
    return out.getvalue()


def objects(view: View, rows: list[Any], columns: list[str] | None = None) -> list[dict[str, Any]]:
    out = io.StringIO()
    json_lines(view, rows, columns, NOW, NOW, out.write)
    assert out.getvalue().isascii()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_end_on_their_unit() -> None:
    rows = [
        connection(id=1, comm="nginx", lport=80, rx_rate=12_390.0, container="shop"),
        connection(id=2, comm="日本", lport=40000, rx_rate=7.0),
        connection(id=3, comm=None, lport=None, rx_rate=None),
    ]
    assert printed(CONNECTIONS, rows, "comm lport rx_rate container") == (
        "COMMAND  LPORT    RX/s  CONTAINER\n"
        "nginx       80  12.1 k  shop\n"
        "日本     40000     7    -\n"
        "-            -     -    -\n"
    )


def refuse() -> int:
    raise BlockingIOError(11, "Resource temporarily unavailable")


@pytest.mark.parametrize("forking", [True, False])
def test_many_rows_are_the_same_json_made_on_two_processors(
    forking: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(many_connections(201))
    at_once = io.StringIO()
    json_lines(CONNECTIONS, rows, None, NOW, NOW, at_once.write)
    monkeypatch.setattr(listings, "MANY", 200)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    if not forking:
        monkeypatch.setattr(os, "fork", refuse)
    listings.print_json(CONNECTIONS, rows, None, NOW)
    assert capsys.readouterr().out == at_once.getvalue()


def test_a_table_without_a_header_is_rows_only() -> None:
    assert printed(NAMESPACES, [namespace_row()], "netns_name pid", header=False) == "host  1\n"
    assert printed(NAMESPACES, [], "netns_name pid", header=False) == ""
    assert printed(NAMESPACES, [], "netns_name pid") == "NAME  PID\n"


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("room", [40, 80, 120, 200])
def test_on_a_terminal_the_columns_that_are_worth_least_go_until_the_others_fit(view: View, room: int) -> None:
    picture = snapshot(many_connections(5), [process_row()], [namespace_row()], [event()], containers=[container_row()])
    out = io.StringIO()
    table(view, list(view.rows(picture)), None, NOW, True, out.write, room)
    lines = out.getvalue().splitlines()
    assert all(cell_width(line) <= room for line in lines)
    titles = [view.field(name).title for name in view.columns if name not in view.optional]
    assert room == 40 or all(title in lines[0] for title in titles)


def test_columns_that_were_asked_for_are_all_there_however_narrow_the_terminal() -> None:
    assert printed(NAMESPACES, [namespace_row()], "netns_name pid pid") == "NAME  PID  PID\nhost    1    1\n"


@given(ANYTHING)
def test_a_row_is_one_line_whatever_a_process_calls_itself(name: str) -> None:
    lines = printed(PROCESSES, [process_row(comm=name, command=name)], "pid comm command").split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


@given(ANYTHING)
def test_json_keeps_hostile_text_whole_and_harmless(name: str) -> None:
    (row,) = objects(PROCESSES, [process_row(comm=name)], ["comm"])
    assert row == {"time": NOW, "comm": json.loads(json.dumps(name))}


def test_json_has_every_field_raw_with_the_time_first() -> None:
    picture = snapshot(many_connections(40), [process_row()], [namespace_row()], [event(time=NOW - 5)])
    for view in VIEWS.values():
        rows = list(view.rows(picture))
        for row, written in zip(rows, objects(view, rows), strict=True):
            assert next(iter(written)) == "time"
            assert set(written) == {"time", *view.fields}
            for name, field in view.fields.items():
                assert written[name] == json.loads(json.dumps(field.get(row, NOW))), name


def test_json_says_null_for_unknown_and_lists_owners_as_objects() -> None:
    (row,) = objects(CONNECTIONS, [connection(pid=12, comm="nginx", fd=3, container=None)])
    assert row["owners"] == [{"pid": 12, "comm": "nginx", "fd": 3}]
    assert row["container"] is None
    assert row["rtt"] == 1.2
    (row,) = objects(CONNECTIONS, [connection(comm=None)], ["owners", "pid"])
    assert row == {"time": NOW, "owners": [], "pid": None}


def test_an_event_keeps_its_own_time() -> None:
    (row,) = objects(EVENTS, [event(time=NOW - 5)], ["kind", "time"])
    assert list(row.items()) == [("time", NOW - 5), ("kind", "exec")]


def test_an_unknown_column_is_an_error_before_anything_is_written() -> None:
    out = io.StringIO()
    with pytest.raises(KeyError, match="did you mean comm"):
        table(CONNECTIONS, [connection()], ["comn"], NOW, True, out.write)
    with pytest.raises(KeyError, match="did you mean comm"):
        json_lines(CONNECTIONS, [connection()], ["comn"], NOW, NOW, out.write)
    assert out.getvalue() == ""


def test_select_filters_sorts_and_limits() -> None:
    rows = [connection(id=n, comm="nginx" if n % 2 else "sshd", rx_rate=float(n)) for n in range(10)]
    picture = snapshot(rows)
    query, order = parse("comm:nginx", CONNECTIONS), parse_sort("-rx_rate", CONNECTIONS)
    assert [row.id for row in select(picture, CONNECTIONS, query, order, 3, NOW)] == [9, 7, 5]
    assert [row.id for row in select(picture, CONNECTIONS, parse("", CONNECTIONS), None, None, NOW)] == list(range(10))


def test_each_interval_has_the_events_that_are_new_in_it() -> None:
    log = [event(pid=n) for n in range(5)]
    assert [e.pid for e in new_events(snapshot(events=log[:3]), 0).values()] == [0, 1, 2]
    assert [e.pid for e in new_events(snapshot(events=log), 3).values()] == [3, 4]
    assert new_events(snapshot(events=log), 5) == {}


def test_of_more_events_than_are_kept_the_last_ones_show_and_a_new_stream_begins_again() -> None:
    log = [event(pid=n) for n in range(5)]
    assert len(new_events(snapshot(events=log, events_total=100), 3)) == 5
    assert len(new_events(snapshot(events=log[:2]), 90)) == 2


def test_the_list_of_fields_names_each_with_its_unit_and_meaning() -> None:
    out = io.StringIO()
    print_fields(VIEWS.values(), out.write)
    lines = out.getvalue().splitlines()
    for view in VIEWS.values():
        assert view.name in lines
        for field in view.fields.values():
            assert any(line.split()[:1] == [field.name] and line.endswith(field.help) for line in lines)
    assert any(line.split()[:2] == ["rtt", "ms"] for line in lines)
