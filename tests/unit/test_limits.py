"""Why a connection is not faster: one word, only where the figures say so, and the figures that say it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from nettop.fields import CONNECTIONS
from nettop.model import SocketStats
from nettop.store.limits import evidence, limit
from tests.support.deltas import rows
from tests.support.rows import connection

WORDS = ("app", "sndbuf", "receiver", "network", "reader", "backlog")


def pair(before: dict[str, Any], now: dict[str, Any]) -> tuple[SocketStats, SocketStats]:
    """Two samples of a connection that has 6,000 bytes under way, was busy for 100 ms, and differs in these figures."""
    usual: dict[str, Any] = dict.fromkeys(
        ("busy", "rwnd_limited", "sndbuf_limited", "notsent", "tx_bytes", "rx_bytes"), 0
    )
    usual |= {"sendq": 6000, "unacked": 5, "sndbuf": 90_000, "rcvbuf": 120_000, "app_limited": False}
    return (
        connection(**{**usual, **before}).stats,
        connection(**{**usual, "busy": 100_000, "tx_bytes": 5000, **now}).stats,
    )


def said(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """The word for such a connection."""
    return limit(*pair(before, now))


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [
        pytest.param({}, {}, None, id="it sends as fast as the way allows"),
        pytest.param({}, {"app_limited": True}, "app", id="the program had nothing to send for a while"),
        pytest.param({}, {"sendq": 0}, "app", id="all it was given is acknowledged"),
        pytest.param({}, {"sendq": 0, "rx_bytes": 5000}, "app", id="it sent as much as it received"),
        pytest.param({}, {"sendq": 0, "rx_bytes": 5001}, None, id="it received more: it is for the other end to send"),
        pytest.param({}, {"rx_bytes": 9000, "retrans": 1}, "network", id="unless what it sent was lost"),
        pytest.param({}, {"sendq": 0, "tx_bytes": 0}, None, id="it sent nothing: nothing held it back"),
        pytest.param({}, {"sendq": None, "tx_bytes": 0}, None, id="no send queue is known"),
        pytest.param({}, {"rwnd_limited": 60_000}, "receiver", id="most of the time the window was full"),
        pytest.param({}, {"rwnd_limited": 50_000}, None, id="half of the time it was, which is not most"),
        pytest.param({"rwnd_limited": 60_000}, {"rwnd_limited": 60_000}, None, id="the window was full long ago"),
        pytest.param({}, {"sndbuf_limited": 60_000}, "sndbuf", id="most of the time the send buffer was full"),
        pytest.param({}, {"cwnd": 40, "sndbuf_limited": 30_000}, "sndbuf", id="a third of it, and nothing else was"),
        pytest.param(
            {},
            {"cwnd": 40, "sndbuf_limited": 30_000, "app_limited": True},
            "sndbuf",
            id="which none that is idle waits for",
        ),
        pytest.param({}, {"cwnd": 5, "sndbuf_limited": 30_000}, None, id="but then the way was full"),
        pytest.param({}, {"cwnd": 40, "sndbuf_limited": 20_000}, None, id="it was now and then"),
        pytest.param({}, {"retrans": 1}, "network", id="it sent something again"),
        pytest.param({"retrans": 3}, {"retrans": 3}, None, id="it sent something again long ago"),
        pytest.param({}, {"backoff": 2, "unacked": 1, "tx_bytes": 0}, "network", id="time-outs without an answer"),
        pytest.param(
            {},
            {"backoff": 2, "unacked": 0, "rwnd_limited": 90_000},
            "receiver",
            id="asking at times whether it may go on",
        ),
        pytest.param({}, {"retrans": 1, "rwnd_limited": 90_000}, "network", id="loss comes before a full window"),
        pytest.param({}, {"min_rtt": 10_000, "rtt": 45_000}, "network", id="a queue on the way"),
        pytest.param({}, {"min_rtt": 10_000, "rtt": 35_000}, None, id="a small queue on the way"),
        pytest.param({}, {"min_rtt": 500, "rtt": 45_000, "unacked": 1}, None, id="an answer that was kept back"),
        pytest.param({}, {"min_rtt": 500, "rtt": 245_000, "unacked": 0}, "network", id="longer than one is kept back"),
        pytest.param({}, {"notsent": 3000}, "network", id="it waits for the congestion window and nothing else"),
        pytest.param({}, {"notsent": 3000, "app_limited": True}, "app", id="it has just begun to wait for that"),
        pytest.param({}, {"notsent": 3000, "busy": 0}, None, id="it may have waited for anything"),
        pytest.param({"sndbuf": 9000}, {"sndbuf": 9000}, "sndbuf", id="what is under way fills the send buffer"),
        pytest.param({}, {"sndbuf": 9000, "app_limited": True}, "sndbuf", id="whatever the kernel makes of that"),
        pytest.param({"sendq": 0}, {"sndbuf": 9000}, None, id="it was empty before"),
        pytest.param({}, {"sndbuf": 9000, "notsent": 4000}, "network", id="most of what fills it is not under way"),
        pytest.param({}, {"sndbuf": None, "app_limited": True}, "app", id="the size of the send buffer is not known"),
        pytest.param({}, {"min_rtt": 40, "rtt": 4_000}, None, id="on a short way some milliseconds are no queue"),
        pytest.param({}, {"min_rtt": None, "rtt": 90_000}, None, id="the shortest round trip is not known"),
        pytest.param({"recvq": 10}, {"recvq": 10}, "reader", id="the program does not read"),
        pytest.param({"recvq": 10}, {"recvq": 90, "retrans": 9}, "reader", id="not reading comes before all else"),
        pytest.param({"recvq": 10}, {"recvq": 9}, None, id="the program reads"),
        pytest.param({"recvq": 0}, {"recvq": 10}, None, id="something has just arrived"),
        pytest.param({"recvq": 10}, {"recvq": 90, "rx_bytes": 900}, None, id="something has just arrived, as before"),
        pytest.param({"recvq": 10}, {"recvq": 10, "rx_bytes": 1}, None, id="one byte was read and one has arrived"),
        pytest.param(
            {"recvq": 30_000}, {"recvq": 30_000, "rx_bytes": 9}, "reader", id="a quarter of the buffer is full"
        ),
        pytest.param({"recvq": 29_999}, {"recvq": 30_000, "rx_bytes": 9}, None, id="it was less before"),
        pytest.param({"recvq": 9}, {"recvq": 9, "rx_bytes": 9, "rcvbuf": None}, None, id="its size is not known"),
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


# --- the figures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "figures"),
    [
        ({}, {"retrans": 1}, "1 segment sent again since the last picture"),
        (
            {},
            {"retrans": 1400, "min_rtt": 20_000, "rtt": 240_000},
            "1,400 segments sent again since the last picture; a round trip takes 240 ms, 12 times the shortest",
        ),
        (
            {},
            {"backoff": 3, "rto": 1_632_000, "notsent": 9},
            "3 time-outs in a row without an answer, the next after 1.6 s",
        ),
        (
            {},
            {"notsent": 3000, "cwnd": 10, "unacked": 9},
            "3,000 bytes wait for the congestion window of 10 segments",
        ),
        (
            {},
            {"notsent": 3000, "cwnd": 10, "unacked": 1},
            "3,000 bytes wait for a queue of this machine: 1 segment under way where 10 may be",
        ),
        (
            {},
            {"rwnd_limited": 96_000, "snd_wnd": 0},
            "its window was full for 96% of the time with data to send; it now offers 0 bytes",
        ),
        ({}, {"rwnd_limited": 96_000, "snd_wnd": None}, "its window was full for 96% of the time with data to send"),
        (
            {},
            {"sndbuf": 9000, "cwnd": 40},
            "6,000 bytes in the send buffer of 9,000; 5 segments under way where 40 may be",
        ),
        (
            {},
            {"sndbuf": None, "sndbuf_limited": 70_000, "cwnd": None, "sendq": 1},
            "1 byte in the send buffer; it was full for 70% of the time with data to send",
        ),
        (
            {},
            {"app_limited": True},
            "5,000 bytes sent since the last picture; there were times with nothing to send",
        ),
        ({}, {"sendq": 0, "tx_bytes": 1}, "1 byte sent since the last picture; all of it is acknowledged"),
        (
            {"recvq": 100},
            {"recvq": 600, "rx_bytes": 500},
            "600 bytes unread in a buffer of 120,000; 0 were read since the last picture",
        ),
        ({}, {}, None),
    ],
)
def test_the_figures_a_word_rests_on(before: dict[str, Any], now: dict[str, Any], figures: str | None) -> None:
    assert evidence(*pair(before, now)) == figures


def test_the_figures_of_a_listener_need_no_sample_before() -> None:
    row = connection(state="LISTEN", recvq=129, sendq=128, rtt=None).stats
    assert evidence(None, row) == "129 connections to be accepted, where 128 may wait"


@settings(deadline=None)
@given(rows(SocketStats, most=2))
def test_there_are_figures_exactly_where_there_is_a_word(stats: list[SocketStats]) -> None:
    for now in stats:
        for before in (None, *stats):
            for state in ("ESTAB", "LISTEN"):
                sample = now._replace(state=state)
                assert bool(limit(before, sample)) == bool(evidence(before, sample))


def test_the_field_names_every_word() -> None:
    assert CONNECTIONS.fields["limit"].help.endswith(" ".join(WORDS))
