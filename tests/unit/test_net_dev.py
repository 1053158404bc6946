"""The counters of /proc/PID/net/dev."""

from __future__ import annotations

from nettop.kernel.net_dev import parse_counters
from nettop.model import InterfaceCounters

HEADER = b"Inter-|   Receive  |  Transmit\n face |bytes    packets errs ...\n"


def test_every_column_goes_to_its_counter() -> None:
    line = b"  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
    assert parse_counters(HEADER + line) == {
        "eth0": InterfaceCounters(
            rx_bytes=1, rx_packets=2, rx_errors=3, rx_dropped=4, tx_bytes=9, tx_packets=10, tx_errors=11, tx_dropped=12
        )
    }


def test_a_name_may_touch_the_first_figure_and_be_no_text() -> None:
    line = b"x\xff\x1b[2J:18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    [(name, counters)] = parse_counters(HEADER + line).items()
    assert name == "x\ufffd\x1b[2J"
    assert counters.rx_bytes == 2**64 - 1


def test_a_namespace_without_interfaces_has_no_counters() -> None:
    assert parse_counters(HEADER) == {}
