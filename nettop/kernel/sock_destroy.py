"""Closing a socket from outside, as `ss -K` does: its program sees ECONNABORTED, a TCP peer a reset.

A request names both ends and the cookie: the kernel looks the socket up by its ends, and there is none where the
cookie is another's, so that a reused port is never hit.

Rests on include/uapi/linux/inet_diag.h, inet_diag_cmd_exact (net/ipv4/inet_diag.c), tcp_diag_destroy, udp_diag_destroy
and sock_diag_destroy. Needs CONFIG_INET_DIAG_DESTROY (Linux 4.5; Android and most distributions set it) and
CAP_NET_ADMIN in the user namespace the network namespace belongs to.
"""

from __future__ import annotations

import socket
import struct
from typing import Optional

from nettop.kernel.netlink import DiagSocket

SOCK_DESTROY = 21

_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_REQUEST = struct.Struct("=BBBxI")  # struct inet_diag_req_v2 up to its id: family, protocol, extensions, states
_PORTS = struct.Struct(">HH")
_ID = struct.Struct("=16s16sIII")  # struct inet_diag_sockid behind the ports: source, destination, interface, cookie
_ALL_STATES = 0xFFFFFFFF


def encode(
    proto: str, family: str, local: str, lport: int, remote: str, rport: int, ifindex: int, cookie: int
) -> bytes:
    """struct inet_diag_req_v2 that means one socket; `ifindex` is the interface it is bound to, or 0.

    Raises ValueError where the words are no closable protocol, neither inet nor inet6, or an address is none."""
    if proto not in _PROTOCOLS:
        raise ValueError(f"the kernel closes no {proto} sockets on request")
    if family not in _FAMILIES:
        raise ValueError(f"{family} is no family of addresses")
    number = _FAMILIES[family]
    try:
        ends = [socket.inet_pton(number, end) for end in (local, remote)]
    except OSError:
        raise ValueError("an address is none") from None
    return (
        _REQUEST.pack(number, _PROTOCOLS[proto], 0, _ALL_STATES)
        + _PORTS.pack(lport, rport)
        + _ID.pack(*ends, ifindex, cookie & 0xFFFFFFFF, cookie >> 32)
    )


def destroy(diag: DiagSocket, request: bytes) -> None:
    """Close the socket an `encode`d request means, of the namespace `diag` is in.

    Raises OSError: ENOENT where there is none such, EPERM without CAP_NET_ADMIN, EOPNOTSUPP where the kernel was built
    without it."""
    diag.order(SOCK_DESTROY, request)


def interface_index(name: Optional[str]) -> int:
    """The index of an interface in the calling thread's namespace, 0 for none. Raises OSError where it is gone."""
    return socket.if_nametoindex(name) if name else 0
