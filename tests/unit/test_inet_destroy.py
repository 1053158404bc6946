"""DESTROY messages as Linux 6.18 sent them, and what they say of how a socket ended."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel.inet_destroy import address, parse_destroyed

# One message for each way to end, received in a namespace of its own, compressed. Client and server exchanged 5,000 and
# 3,000 bytes, or what the name says.
RECORDED = {
    "connected, closed first": (
        "eNqrYWRgEGFAACZ2BoZ7H56srWdgYEQSZkDng0DIKQEGXICVgYuBDUjLMDIxsIME2FcxNOgwMzjMAbIvMTDs4MauTweN/v+fgcGv"
        "hZFhAtCRPJog/v96HqD4aaA4M1TN9f8QOstsTT8/WA8EdAlDxGF2sQIxC1QPSC8jFDu3QhQ+WI3dTTB7OoQZcIMlQJM6GBlIAQBd"
        "kCTj"
    ),
    "accepted, closed second": (
        "eNqrYWRgEGFAACZ2BoYna+99qGdgYEQSZkDng0DePgE4G12SlYGLgQ1IyzAyMbCDBNhXMTyQYWZwmANkH2Fg6BBmwAoC0Oj//xkY"
        "mhYxAk1jYGAB8//X8wDp00BxZqgaEBsEHGZxJStC1IDBTm6IeCfULpB+NiT3wvBF10f8jAy4AcyeHdx4FHUATViCzxRMAAD4VCQW"
    ),
    "accepted, left data unread": (
        "eNqrYWRgEGFAACZ2BoYna+99qWdgYEQSZkDng0DiKQE4u0MYVY6VgYuBDUjLMDIxsIME2FcxPpBhZnCYA2Q3YKqHAQMkGoT//2dg"
        "aFrECDaLGcz/X88FpE//h/AZoGwQKHv5LEwFogYM0N3GxIDQAzKPkYE4wEisqiXEmggBAH9OIZU="
    ),
    "connected, was reset": (
        "eNqrYWRgEGFAACZ2BoZ7X56srWdgYEQSZkDng0DSKQEGXICVgYuBDUjLMDIxsIME2FcxPpBhhkheYmCQYMKurwGJBuH//xkYrgMx"
        "yCwmMP9/PTeQPg0Ug5oGlgeBg1Ns/FUgasCgUxjVbGYGhB42KA321AE+MSYG3AAm1yGMR9ESRgYsQYQXAABL9CJm"
    ),
    "aborted by its program": (
        "eNqrYWRgEGFAACZ2BoZ73xgwQD0DAyO6WPIpARQ+E5ISVgYuBjYgLcPIxMAOEWJ0cOKHsBoYGCIY8AObnQ/B9P//DAzX/0PEJlxg"
        "BvL/13MB2aeBYsxQtTD594c9JmmD9UAALrNB7mRFEVnQxshAKWBkwBJEeAEAapEf6g=="
    ),
    "accepted, was reset": (
        "eNqrYWRgEGFAACZ2BoYna+99q2dgYEQSZkDng0DKKQEGXICVgYuBDUjLMDIxsIME2FcxPpBhZnCYA2Q3MDBIMGHXF4BEg/D//wwM"
        "p4GYBeQ2MP9/PRcDRIwZqhbEBoOSqCYziBowgLsTSoM8wAJlszBg8RAOwEi0KmJNhAAAEKYfag=="
    ),
    "refused, waited for": (
        "eNqrYWRgEGFAACZ2BobbTgwYoJ6BgRFdLPWUAAqfGYnNysDFwAakZRiZGNghQowOTvxgBg8TA0MEA3bwYOdDOA3C//8zMFz/D5Gb"
        "cIEZyP9fz8UAEWNG0/sfDeCwgoEJqpaByuA6iSYCAAkyLHU="
    ),
    "refused, not waited for, ipv6": (
        "eNqrYWRgEGFAAC52BobD8xgYGVABVn7aKQGcilgZuBjYgLQMIxMDO1TawYkfzNjBwsAQwYAdGOx6CKchbEaGI/8hchMuMDP8//+/"
        "ngvIBokxo+n9jwYYsDiaEUktA5XBERJNBADTECiu"
    ),
    "unanswered, waited for": (
        "eNqrYWRgEGFAACZ2BoY7pxgwwAEGpmR0sb8Wgih8ZiQ2KwMXAxuQlmFkYmBnYAIJMTo48YPleIDcCAbsYMmxh3AahO+wMjB8+AWR"
        "m3CBmeH////1XED2FlZU+0DgPxrAYQXYNfjkyQUgdzKRoB4AeBgrDw=="
    ),
    "unanswered, given up": (
        "eNqrYWRgEGFAACZ2BoY7lxh3H2BgYkQSZgDykxnQwL+fAih8ZA2sDFwMbEBahpGJgR0q7eDED2bwMDEwRDBgByXHH8JpEL7DysDw"
        "4RdEbsIFZob////XcwHZW4DizGh6/6MBdLMZ0dQyUBnA3EksAAAFmSzD"
    ),
    "bound, never connected": (
        "eNqrYWRgEGFAACZ2BoY5VxkY6hkYGBkIgP8/BXDKsTJwMbABaRlGJgZ2iBCjgxM/mCHBhNvMI8cfwmkYGwYmXGBm+P//fz0XlM+M"
        "7h40gNftBOTpAQALViWX"
    ),
    "listener": (
        "eNqrYWRgEGFAACZ2BoYnaxkY6hkYGBkIgPx9AjjlWBm4GNiAtAwjEwM7RIjRwYkfzJBgwm2mwomHcBrGhoEJF5gZ/v//X88F5TOj"
        "6f2PBvC5nZA8PQAAhLkjAw=="
    ),
    "udp, connected": ("eNpLYGBgEGFAACZGBoYTlxhM6xkYGJGEGdD5IGD8SwCF/x8IYGxWBi4GQSANAGpjCKA="),
}
MESSAGES = {name: zlib.decompress(base64.b64decode(text)) for name, text in RECORDED.items()}


@pytest.mark.parametrize(
    ("name", "outcome", "outgoing", "received", "sent"),
    [
        ("connected, closed first", "closed", True, 3000, 5000),
        ("accepted, closed second", "closed", None, 5000, 3000),
        ("accepted, left data unread", "reset", False, 5000, 0),
        ("connected, was reset", "closed", None, 0, 5000),
        ("accepted, was reset", "reset", False, 100, 0),
        ("aborted by its program", "aborted", None, 0, 0),
        ("refused, waited for", "refused", True, 0, 0),
        ("refused, not waited for, ipv6", "refused", True, 0, 0),
        ("unanswered, waited for", "unanswered", True, 0, 0),
        ("unanswered, given up", "unanswered", True, 0, 0),
        ("bound, never connected", "unused", None, 0, 0),
        ("listener", "unused", None, 0, 0),
    ],
)
def test_what_became_of_a_tcp_socket_and_its_payload(
    name: str, outcome: str, outgoing: bool | None, received: int, sent: int
) -> None:
    said = parse_destroyed(MESSAGES[name])
    assert said is not None
    assert said.final is not None
    assert (said.proto, said.outcome, said.outgoing) == ("tcp", outcome, outgoing)
    assert (said.final.rx_bytes, said.final.tx_bytes) == (received, sent)


def test_a_fin_that_the_program_did_not_read_is_no_payload() -> None:
    unread, none = (parse_destroyed(MESSAGES[name]) for name in ("accepted, closed second", "connected, closed first"))
    assert unread is not None
    assert none is not None
    assert (unread.fin, none.fin) == (True, False)


def test_both_ends_are_told_as_far_as_the_kernel_remembers_them() -> None:
    given_up = parse_destroyed(MESSAGES["unanswered, given up"])
    assert given_up is not None
    assert (address(given_up.local), address(given_up.remote), given_up.rport) == ("192.0.2.1", "192.0.2.99", 443)
    refused = parse_destroyed(MESSAGES["refused, waited for"])
    assert refused is not None
    assert (address(refused.local), address(refused.remote), refused.rport) == ("0.0.0.0", "127.0.0.1", 0)
    six = parse_destroyed(MESSAGES["refused, not waited for, ipv6"])
    assert six is not None
    assert (address(six.local), address(six.remote), six.rport) == ("::1", "::1", 1)


def test_a_udp_socket_has_ends_and_no_figures() -> None:
    said = parse_destroyed(MESSAGES["udp, connected"])
    assert said is not None
    assert (said.proto, said.rport, said.outcome, said.final) == ("udp", 53, "closed", None)


@given(st.sampled_from(sorted(MESSAGES)), st.integers(0, 400), st.binary(max_size=40), st.integers(0, 400))
def test_a_message_that_lies_about_its_length_is_read_as_far_as_it_goes(
    name: str, cut: int, noise: bytes, place: int
) -> None:
    message = MESSAGES[name]
    parse_destroyed(message[:cut])
    parse_destroyed(message[:place] + noise + message[place + len(noise) :])


def test_what_is_no_socket_that_ended_is_nothing() -> None:
    message = MESSAGES["listener"]
    assert parse_destroyed(b"") is None
    assert parse_destroyed(message[:60]) is None
    assert parse_destroyed(message[:4] + struct.pack("=H", 3) + message[6:]) is None
    assert parse_destroyed(message[:16] + b"\x01" + message[17:]) is None
