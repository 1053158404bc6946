"""How fast a network interface runs, as far as its driver tells: ETHTOOL_GLINKSETTINGS of linux/ethtool.h, by ioctl(2).

It asks twice: the first answer says only, as a negative number, how many words the second one's bit masks take.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from typing import NamedTuple, Optional

_SIOCETHTOOL = 0x8946
_GLINKSETTINGS = 0x4C
_SETTINGS = struct.Struct("=IIBBBBBBBb32x")
"""struct ethtool_link_settings: cmd, speed, duplex, five of the wiring, mdix control, words of each of three masks."""
_MOST_WORDS = 127
_UNKNOWN = 0xFFFFFFFF
_DUPLEX = {0: "half", 1: "full"}


class LinkMode(NamedTuple):
    """None where the driver does not tell, or the link is down."""

    speed: Optional[int]
    """Mbit/s."""
    duplex: Optional[str]
    """half or full."""


NOT_TOLD = LinkMode(None, None)


def read_link_mode(asking: socket.socket, name: str) -> LinkMode:
    """That of an interface in the namespace of this socket, which may be of any kind."""
    settings = bytearray(_SETTINGS.size + 3 * 4 * _MOST_WORDS)
    words = 0
    try:
        for _ in range(2):
            _SETTINGS.pack_into(settings, 0, _GLINKSETTINGS, 0, 0, 0, 0, 0, 0, 0, 0, words)
            _ask(asking, name, settings)
            words = -_SETTINGS.unpack_from(settings)[-1]
    except (OSError, struct.error):  # no such operation: lo, tun; or a name that is not UTF-8
        return NOT_TOLD
    return parse_link_settings(bytes(settings))


def parse_link_settings(data: bytes) -> LinkMode:
    """Decode a struct ethtool_link_settings. Raises struct.error where it is cut short."""
    _, speed, duplex, *_ = _SETTINGS.unpack_from(data)
    return LinkMode(speed if speed not in (0, _UNKNOWN) else None, _DUPLEX.get(duplex) if speed else None)


def _ask(asking: socket.socket, name: str, settings: bytearray) -> None:
    """The kernel writes its answer where the struct ifreq points to."""
    import ctypes  # only the child that reads links comes here

    place = ctypes.addressof(ctypes.c_char.from_buffer(settings))
    fcntl.ioctl(asking, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), place))
