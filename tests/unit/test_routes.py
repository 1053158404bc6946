"""Routes and neighbours, decoded from messages as the kernel sends them."""

from __future__ import annotations

import contextlib
import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel.routes import Neighbour, Route, parse_neighbour, parse_route


def attribute(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + bytes(-length % 4)


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def route(
    *attributes: bytes, family: int = socket.AF_INET, prefix: int = 24, table: int = 254, kind: int = 1, flags: int = 0
) -> bytes:
    """An RTM_NEWROUTE: struct rtmsg, made by the kernel for a link, and its attributes."""
    return struct.pack("=BBBBBBBBI", family, prefix, 0, 0, table, 2, 253, kind, flags) + b"".join(attributes)


def neighbour(*attributes: bytes, family: int = socket.AF_INET, state: int = 0x02) -> bytes:
    return struct.pack("=BxxxiHBB", family, 4, state, 0, 1) + b"".join(attributes)


NET, HOST, ROUTER = (socket.inet_aton(address) for address in ("192.0.2.0", "192.0.2.2", "192.0.2.1"))
ROUTER6 = socket.inet_pton(socket.AF_INET6, "fe80::1")


def test_a_network_on_a_link() -> None:
    message = route(attribute(1, NET), number(4, 3), attribute(7, HOST), number(15, 254))
    assert parse_route(message) == [
        Route("192.0.2.0/24", None, 3, "192.0.2.2", None, kind="unicast", origin="kernel", table="main")
    ]


def test_a_default_route_by_a_router() -> None:
    message = route(attribute(5, ROUTER), number(4, 3), number(6, 100), prefix=0)
    assert parse_route(message) == [
        Route("default", "192.0.2.1", 3, None, 100, kind="unicast", origin="kernel", table="main")
    ]


def test_a_router_of_another_family() -> None:
    message = route(attribute(18, struct.pack("=H", socket.AF_INET6) + ROUTER6), number(4, 3), prefix=0)
    assert [row.via for row in parse_route(message)] == ["fe80::1"]


def test_a_table_above_255_is_told_by_its_attribute() -> None:
    assert [row.table for row in parse_route(route(attribute(1, NET), number(15, 1000), table=252))] == ["1000"]


def test_what_is_no_way_out_is_left_out() -> None:
    assert parse_route(route(attribute(1, HOST), table=255, kind=2)) == []
    assert parse_route(route(attribute(1, HOST), flags=0x200)) == []
    assert parse_route(route(family=socket.AF_PACKET)) == []


def test_a_neighbour_and_one_that_does_not_answer() -> None:
    assert parse_neighbour(neighbour(attribute(1, ROUTER), attribute(2, bytes(range(6))))) == Neighbour(
        "192.0.2.1", 4, "00:01:02:03:04:05", "reachable"
    )
    assert parse_neighbour(neighbour(attribute(1, ROUTER), state=0x20)) == Neighbour("192.0.2.1", 4, None, "failed")


def test_what_needs_no_neighbour_is_left_out() -> None:
    assert parse_neighbour(neighbour(attribute(1, ROUTER), state=0x40)) is None
    assert parse_neighbour(neighbour(attribute(2, bytes(6)), family=socket.AF_BRIDGE)) is None


@given(st.binary(max_size=200))
def test_messages_cut_short_or_made_up_raise_what_is_promised(data: bytes) -> None:
    for parse in (parse_route, parse_neighbour):
        with contextlib.suppress(struct.error, ValueError):
            parse(data)
