"""What drivers say of the speed of a link."""

from __future__ import annotations

import struct

import pytest

from nettop.kernel.ethtool import NOT_TOLD, LinkMode, parse_link_settings


def settings(speed: int, duplex: int) -> bytes:
    """As linux/ethtool.h lays out struct ethtool_link_settings."""
    return struct.pack("=IIB", 0x4C, speed, duplex).ljust(48, b"\0")


@pytest.mark.parametrize(
    ("speed", "duplex", "mode"),
    [
        (10_000, 1, LinkMode(10_000, "full")),
        (400_000, 1, LinkMode(400_000, "full")),
        (100, 0, LinkMode(100, "half")),
        (1000, 0xFF, LinkMode(1000, None)),
        (0xFFFFFFFF, 0xFF, NOT_TOLD),
        (0, 0, NOT_TOLD),
    ],
)
def test_what_is_unknown_is_none(speed: int, duplex: int, mode: LinkMode) -> None:
    assert parse_link_settings(settings(speed, duplex)) == mode
