"""AF_VSOCK sockets, between virtual machines and their host, by sock_diag.

Rests on include/uapi/linux/vm_sockets_diag.h, vm_sockets.h and net/vmw_vsock/diag.c.
"""

from __future__ import annotations

import socket
import struct
from typing import Tuple

from nettop.kernel.families import ALL_STATES, Family, Memory, Origin, plain_socket, plain_stats, socket_kind
from nettop.kernel.states import UNIX_STATES, UNKNOWN
from nettop.model import Socket, SocketStats

_REQUEST = struct.Struct("=BBHIIIQ")  # family, protocol, pad, states, inode, show, cookie
_MESSAGE = struct.Struct("=BBBxIIIIIQ")
"""Family, type, state, shutdown; source context id and port, destination context id and port, inode, cookie."""

_ANY = 0xFFFFFFFF  # VMADDR_CID_ANY, VMADDR_PORT_ANY


def parse_message(payload: bytes, origin: Origin) -> Tuple[Socket, SocketStats]:
    """Decode one struct vsock_diag_msg. An address is a context id, * for any; queues and uid are not told."""
    _, kind, state, local, lport, remote, rport, inode, cookie = _MESSAGE.unpack_from(payload)
    row = plain_socket(
        origin,
        "vsock",
        "vsock",
        socket_kind(kind),
        _address(local),
        inode=inode,
        lport=None if lport == _ANY else lport,
        remote=_address(remote),
        rport=None if rport == _ANY else rport,
        cookie=cookie,
    )
    return row, plain_stats(UNIX_STATES.get(state, UNKNOWN), None, None, Memory())


def _address(context: int) -> str:
    return "*" if context == _ANY else str(context)


VSOCK = Family(
    "vsock",
    _REQUEST.pack(socket.AF_VSOCK, 0, 0, ALL_STATES, 0, 0, 0),
    slice(24, 32),
    parse_message,
)
