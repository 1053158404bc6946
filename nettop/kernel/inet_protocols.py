"""What sock_diag is asked for: each protocol whose sockets it lists, and the requests that takes.

Rests on include/uapi/linux/inet_diag.h.
"""

from __future__ import annotations

import socket
import struct
from typing import Dict, NamedTuple, Tuple

from nettop.kernel.netlink import SOCK_DIAG_BY_FAMILY, TCPDIAG_GETSOCK

_INFO, _CONG, _SKMEMINFO = 2, 4, 7  # INET_DIAG_*
_EXTENSIONS = 1 << _INFO - 1 | 1 << _CONG - 1 | 1 << _SKMEMINFO - 1
_ALL_STATES = 0xFFFFFFFF


class Protocol(NamedTuple):
    """One kind of socket sock_diag can dump, and how to ask for it."""

    name: str
    number: int
    kind: str
    requests: Tuple[Tuple[int, bytes], ...]
    """(message type, payload) of each dump it takes."""


def _by_family(number: int) -> Tuple[Tuple[int, bytes], ...]:
    """struct inet_diag_req_v2, once for each family: there is no both."""
    return tuple(
        (
            SOCK_DIAG_BY_FAMILY,
            struct.pack("=BBBxI48x", family, number if number <= 0xFF else 0, _EXTENSIONS, _ALL_STATES)
            + _protocol_attribute(number),
        )
        for family in (socket.AF_INET, socket.AF_INET6)
    )


def _protocol_attribute(number: int) -> bytes:
    """INET_DIAG_REQ_PROTOCOL (3): protocol numbers above 255, MPTCP's 262, do not fit the request's byte."""
    return struct.pack("=HHI", 8, 3, number) if number > 0xFF else b""


# The older struct inet_diag_req takes both families in one walk of the hash, and exists for TCP alone.
TCP = Protocol(
    "tcp", 6, "stream", ((TCPDIAG_GETSOCK, struct.pack("=BBBB48xII", 0, 0, 0, _EXTENSIONS, _ALL_STATES, 0)),)
)
PROTOCOLS: Dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        TCP,
        Protocol("udp", 17, "dgram", _by_family(17)),
        Protocol("udplite", 136, "dgram", _by_family(136)),
        Protocol("mptcp", 262, "stream", _by_family(262)),
        Protocol("sctp", 132, "seqpacket", _by_family(132)),
    )
}
