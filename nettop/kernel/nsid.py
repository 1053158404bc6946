"""The numbers under which network namespaces know each other: as `ip link` shows them (link-netnsid 0).

A veth says the index of its other end, and in which namespace that is by a number that means something in its own
namespace only. RTM_GETNSID tells the number of a namespace one has open; so whoever might be meant is asked for.
Rests on net/core/net_namespace.c (rtnl_net_getid), include/uapi/linux/net_namespace.h; 20 µs a question.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Optional

from nettop.kernel import netns
from nettop.kernel.netlink import HEADER, NLM_F_REQUEST

_RTM_NEWNSID, _RTM_GETNSID = 88, 90
_NETNSA_NSID, _NETNSA_FD = 1, 3
_REQUEST = struct.Struct("=B3xHHI")  # struct rtgenmsg, padded; one attribute: length, type, value
_ANSWER = struct.Struct("=B3xHHi")
_DATAGRAM = 1 << 12
_PATIENCE = 2.0
"""Seconds until a silent kernel is an error."""


class NsidSocket:
    """Asks one namespace for its numbers of others; keeps it alive for as long as it is used."""

    def __init__(self, path: str) -> None:
        """`path` leads into the namespace. Raises OSError where it is gone or may not be entered."""
        self._socket = netns.in_namespace(path, _open)

    def number_of(self, path: str) -> Optional[int]:
        """The number of the namespace at `path`; None where it has none, or is gone."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            payload = _REQUEST.pack(0, 8, _NETNSA_FD, descriptor)
            self._socket.send(HEADER.pack(HEADER.size + len(payload), _RTM_GETNSID, NLM_F_REQUEST, 1, 0) + payload)
            return parse_number(self._socket.recv(_DATAGRAM))
        except OSError:
            return None
        finally:
            os.close(descriptor)


def parse_number(message: bytes) -> Optional[int]:
    """The number an answer tells; None where it is an error, or says that there is none (-1)."""
    if len(message) < HEADER.size + _ANSWER.size or HEADER.unpack_from(message)[1] != _RTM_NEWNSID:
        return None
    _, length, kind, number = _ANSWER.unpack_from(message, HEADER.size)
    return number if length == 8 and kind == _NETNSA_NSID and number >= 0 else None


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    opened.settimeout(_PATIENCE)
    return opened
