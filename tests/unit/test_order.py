"""Sorting: the same for a key, a config and `-s`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.fields import CONNECTIONS, NAMESPACES, VIEWS
from nettop.order import parse_sort
from tests.support.rows import NOW, connection, event, many_connections, namespace_row, process_row, snapshot


@given(st.lists(st.none() | st.floats(0, 1e9)), st.booleans())
def test_numbers_sort_by_size_with_the_unknown_last_and_ties_as_they_came(
    rates: list[float | None], down: bool
) -> None:
    rows = [connection(id=n, rx_rate=rate) for n, rate in enumerate(rates)]
    order = parse_sort("-rx_rate" if down else "rx_rate", CONNECTIONS)
    known = [row for row in rows if row.rx_rate is not None]
    known.sort(key=lambda row: row.rx_rate or 0.0, reverse=down)  # stable in both directions
    assert order.sort(rows, NOW) == known + [row for row in rows if row.rx_rate is None]


def test_text_sorts_without_regard_to_case() -> None:
    rows = [connection(id=n, comm=comm) for n, comm in enumerate(["sshd", "Xorg", None, "nginx", "SSHD"])]
    names = [row.process.comm if row.process else None for row in parse_sort("comm", CONNECTIONS).sort(rows, NOW)]
    assert names == ["nginx", "sshd", "SSHD", "Xorg", None]
    names = [row.process.comm if row.process else None for row in parse_sort("-comm", CONNECTIONS).sort(rows, NOW)]
    assert names == ["Xorg", "sshd", "SSHD", "nginx", None]


def test_addresses_sort_by_number() -> None:
    addresses = ["@abstract", "10.0.0.10", "::1", None, "10.0.0.9", "::ffff:10.0.0.2", "/run/x.sock"]
    rows = [connection(id=n, remote=address) for n, address in enumerate(addresses)]
    assert [row.socket.remote for row in parse_sort("remote", CONNECTIONS).sort(rows, NOW)] == [
        "::ffff:10.0.0.2", "10.0.0.9", "10.0.0.10", "::1", "/run/x.sock", "@abstract", None,
    ]  # fmt: skip


def test_every_field_sorts_both_ways_and_loses_no_row() -> None:
    picture = snapshot(many_connections(50), [process_row()], [namespace_row()], [event(), event(comm=None)])
    for view in VIEWS.values():
        rows = list(view.rows(picture))
        for name in view.fields:
            for text in (name, f"-{name}"):
                assert sorted(map(id, parse_sort(text, view).sort(rows, NOW))) == sorted(map(id, rows))


def test_an_order_prints_as_it_is_typed() -> None:
    assert str(parse_sort("-rx_rate", CONNECTIONS)) == "-rx_rate"
    assert str(parse_sort("comm", CONNECTIONS)) == "comm"


def test_an_unknown_field_is_one_line_that_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^connections has no field 'rx_rat'; did you mean rx_rate\?$"):
        parse_sort("-rx_rat", CONNECTIONS)
    with pytest.raises(ValueError, match="no field ''"):
        parse_sort("-", NAMESPACES)
