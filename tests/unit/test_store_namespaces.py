"""What the protocols of a namespace count, read every few pictures: shown in each, and how fast it grows."""

from __future__ import annotations

from typing import Any

import pytest

from nettop import format as text
from nettop.fields import NAMESPACES
from nettop.model import ProtocolCounters, Tracking
from nettop.snapshot import NamespaceRow
from nettop.store import Store
from tests.support.deltas import delta
from tests.support.rows import HOST_NETNS, namespace_row

_NAMESPACE = namespace_row(netns=HOST_NETNS).namespace


def counters(**counted: int | None) -> ProtocolCounters:
    return ProtocolCounters._make([0] * len(ProtocolCounters._fields))._replace(**counted)


class Told:
    """A store with one namespace, told what it counts."""

    def __init__(self) -> None:
        self.store = Store()
        self.store.apply(delta({"namespaces": {1: _NAMESPACE}}, key=True, clock=0.0))

    def at(self, clock: float, said: ProtocolCounters | None = None, tracking: Tracking | None = None) -> NamespaceRow:
        """The row as of a picture in which that is told."""
        told: dict[str, Any] = {"protocols": said, "tracking": tracking}
        tables = {table: {1: row} for table, row in told.items() if row}
        self.store.apply(delta(tables, clock=clock))
        return self.store.snapshot.namespaces[1]


def value(row: NamespaceRow, field: str) -> object:
    return NAMESPACES.field(field).get(row, 0.0)


def test_before_anything_is_told_nothing_is_known() -> None:
    row = Told().at(1.0)
    for name in (*ProtocolCounters._fields, "retrans_rate", "drops_rate", "tracked", "tracked_percent"):
        assert value(row, name) is None


def test_a_rate_is_over_the_time_between_two_readings_and_shown_until_the_next() -> None:
    told = Told()
    first = told.at(1.0, counters(retrans_segs=10, listen_drops=4, udp_rcvbuf_errors=1))
    assert (value(first, "retrans_segs"), value(first, "retrans_rate")) == (10, None)
    told.at(3.0)
    later = told.at(6.0, counters(retrans_segs=20, listen_drops=5, udp_rcvbuf_errors=5))
    assert (value(later, "retrans_segs"), value(later, "retrans_rate"), value(later, "drops_rate")) == (20, 2.0, 1.0)
    assert value(told.at(7.0), "retrans_rate") == 2.0
    assert value(told.at(11.0, counters(retrans_segs=20)), "retrans_rate") == 0.0


def test_what_is_not_told_in_its_turn_has_not_moved_since() -> None:
    told = Told()
    told.at(1.0, counters(retrans_segs=10))
    assert value(told.at(6.0, counters(retrans_segs=20)), "retrans_rate") == 2.0
    rates = [value(told.at(7.0 + tick), "retrans_rate") for tick in range(10)]
    assert rates == [2.0] * 4 + [0.0] * 6
    assert value(told.at(17.0, counters(retrans_segs=30)), "retrans_rate") == 2.0, "it moved after the turn before"


def test_a_counter_that_this_kernel_lacks_stays_unknown() -> None:
    told = Told()
    told.at(1.0, counters(retrans_segs=None, listen_drops=1))
    row = told.at(2.0, counters(retrans_segs=None, listen_drops=3))
    assert (value(row, "retrans_segs"), value(row, "retrans_rate"), value(row, "drops_rate")) == (None, None, 2.0)


@pytest.mark.parametrize(
    ("tracking", "percent"), [(Tracking(0, 1000), "0.0"), (Tracking(950, 1000), "95.0"), (Tracking(5, 0), "-")]
)
def test_how_full_the_table_of_tracked_connections_is(tracking: Tracking, percent: str) -> None:
    row = Told().at(1.0, tracking=tracking)
    field = NAMESPACES.field("tracked_percent")
    assert text.cell(field, field.get(row, 0.0)).strip() == percent


def test_with_the_namespace_goes_what_it_counted() -> None:
    told = Told()
    told.at(1.0, counters(), Tracking(1, 2))
    told.store.apply(delta(gone={"namespaces": [1]}, clock=2.0))
    told.store.apply(delta({"namespaces": {1: _NAMESPACE}}, clock=3.0))
    row = told.store.snapshot.namespaces[1]
    assert (row.protocols, row.protocol_rates, row.tracking) == (None, None, None)
