"""IP addresses as numbers: one line on which IPv4 comes first, then IPv6.

A v4-mapped address (RFC 4291, 2.5.5.2: `::ffff:10.0.0.1`) is the IPv4 address it maps, so a dual-stack socket is
found by 10.0.0.0/8 and sorts beside its plain neighbours.
"""

from __future__ import annotations

import socket

_IPV6 = 1 << 32
"""Where IPv6 begins on the line."""


def address_number(text: str) -> int | None:
    """The place of a plain address on the line; None for what is no IP address, such as the path of a unix socket."""
    try:
        if ":" not in text:
            return int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
        number = int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
    except (OSError, ValueError):  # no address; not even text that C would take
        return None
    return number & 0xFFFFFFFF if number >> 32 == 0xFFFF else number + _IPV6


def network(text: str) -> tuple[int, int] | None:
    """The first and last address of a network in CIDR notation, or of one address; None where it is neither.

    Host bits may be set: 10.1.2.3/8 is 10.0.0.0/8.
    """
    address, slash, length = text.partition("/")
    number = address_number(address)
    if number is None:
        return None
    if not slash:
        return number, number
    if not (length.isascii() and length.isdigit() and len(length) <= 3):
        return None
    start = 0 if number < _IPV6 else _IPV6
    host_bits = (32 if ":" not in address else 128) - int(length)
    if host_bits < 0 or (start == 0 and host_bits > 32):
        return None
    size = 1 << host_bits
    first = (number - start) // size * size + start
    return first, first + size - 1
