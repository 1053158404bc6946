"""Why a connection is not faster: one word, and only where the figures say so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from nettop.fields import CONNECTIONS
from nettop.model import SocketStats
from nettop.store.limits import limit
from tests.support.deltas import rows
from tests.support.rows import connection

WORDS = ("app", "sndbuf", "receiver", "network", "reader", "backlog")


def said(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """The word for a connection that has 1,000 bytes under way, was busy for 100 ms, and differs in these figures."""
    usual = {"sendq": 1000, "busy": 0, "rwnd_limited": 0, "sndbuf_limited": 0, "app_limited": False, "tx_bytes": 0}
    return limit(
        connection(**{**usual, **before}).stats,
        connection(**{**usual, "busy": 100_000, "tx_bytes": 5000, **now}).stats,
    )


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [
        pytest.param({}, {}, None, id="it sends as fast as the way allows"),
        pytest.param({}, {"app_limited": True}, "app", id="the program had nothing to send for a while"),
        pytest.param({}, {"sendq": 0}, "app", id="all it was given is acknowledged"),
        pytest.param({}, {"sendq": 0, "tx_bytes": 0}, None, id="it sent nothing: nothing held it back"),
        pytest.param({}, {"sendq": None, "tx_bytes": 0}, None, id="no send queue is known"),
        pytest.param({}, {"rwnd_limited": 60_000}, "receiver", id="most of the time the window was full"),
        pytest.param({}, {"rwnd_limited": 50_000}, None, id="half of the time it was, which is not most"),
        pytest.param({"rwnd_limited": 60_000}, {"rwnd_limited": 60_000}, None, id="the window was full long ago"),
        pytest.param({}, {"sndbuf_limited": 60_000}, "sndbuf", id="most of the time the send buffer was full"),
        pytest.param({}, {"retrans": 1}, "network", id="it sent something again"),
        pytest.param({"retrans": 3}, {"retrans": 3}, None, id="it sent something again long ago"),
        pytest.param({}, {"backoff": 2, "unacked": 1, "tx_bytes": 0}, "network", id="time-outs without an answer"),
        pytest.param({}, {"backoff": 2, "rwnd_limited": 90_000}, "receiver", id="asking at times whether it may go on"),
        pytest.param({}, {"retrans": 1, "rwnd_limited": 90_000}, "network", id="loss comes before a full window"),
        pytest.param({}, {"min_rtt": 10_000, "rtt": 45_000}, "network", id="a queue on the way"),
        pytest.param({}, {"min_rtt": 10_000, "rtt": 35_000}, None, id="a small queue on the way"),
        pytest.param({}, {"min_rtt": 40, "rtt": 4_000}, None, id="on a short way some milliseconds are no queue"),
        pytest.param({}, {"min_rtt": None, "rtt": 90_000}, None, id="the shortest round trip is not known"),
        pytest.param({"recvq": 10}, {"recvq": 10}, "reader", id="the program does not read"),
        pytest.param({"recvq": 10}, {"recvq": 90, "retrans": 9}, "reader", id="not reading comes before all else"),
        pytest.param({"recvq": 10}, {"recvq": 9}, None, id="the program reads"),
        pytest.param({"recvq": 0}, {"recvq": 10}, None, id="something has just arrived"),
        pytest.param({"recvq": None}, {"recvq": None}, None, id="no receive queue is known"),
        pytest.param({"busy": None}, {"busy": None}, None, id="a kernel without these clocks"),
        pytest.param({"busy": 900_000}, {"busy": 0, "rwnd_limited": 9}, None, id="clocks that run backwards"),
    ],
)
def test_a_connection(before: dict[str, Any], now: dict[str, Any], word: str | None) -> None:
    assert said(before, now) == word


@pytest.mark.parametrize("state", ["ESTAB", "CLOSE-WAIT", "FIN-WAIT-1"])
def test_states_in_which_data_moves_have_a_limit(state: str) -> None:
    assert said({"state": state}, {"state": state, "retrans": 1}) == "network"


@pytest.mark.parametrize("state", ["SYN-SENT", "SYN-RECV", "FIN-WAIT-2", "TIME-WAIT", "LAST-ACK", "CLOSING", "UNCONN"])
def test_other_states_have_none(state: str) -> None:
    assert said({"state": state}, {"state": state, "retrans": 1}) is None


def test_a_first_sample_says_nothing() -> None:
    assert limit(None, connection(recvq=10, retrans=5, backoff=3).stats) is None


def test_what_is_not_tcp_has_none() -> None:
    row = connection(proto="unix", rtt=None, recvq=10).stats
    assert limit(row, row) is None


@pytest.mark.parametrize(
    ("waiting", "room", "word"),
    [
        (0, 128, None),
        (95, 128, None),
        (96, 128, "backlog"),
        (129, 128, "backlog"),
        (0, 1, None),
        (1, 1, "backlog"),
        (0, 0, None),
        (5, 0, None),
        (None, 128, None),
        (5, None, None),
    ],
)
def test_a_listener_is_limited_by_a_queue_near_full(waiting: int | None, room: int | None, word: str | None) -> None:
    row = connection(state="LISTEN", recvq=waiting, sendq=room, rtt=None).stats
    assert limit(None, row) == limit(row, row) == word


@settings(deadline=None)
@given(rows(SocketStats, most=2))
def test_whatever_the_figures_it_is_a_known_word_or_none(stats: list[SocketStats]) -> None:
    for now in stats:
        for before in (None, *stats):
            for state in (now.state, "ESTAB", "LISTEN"):
                assert limit(before, now._replace(state=state)) in (None, *WORDS)


def test_the_field_names_every_word() -> None:
    assert CONNECTIONS.fields["limit"].help.endswith(" ".join(WORDS))
