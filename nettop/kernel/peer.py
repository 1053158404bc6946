"""Who is at the other end of a unix socket: SO_PEERCRED of unix(7)."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

_UCRED = struct.Struct("iII")  # linux/socket.h


class Peer(NamedTuple):
    """A process as it was when it connected, or began to listen; as its pid and user are called where one asks."""

    pid: int
    """0 of one in a pid namespace that cannot be seen from here."""
    uid: int
    """The overflow uid, 65534, of a user that there is not in this user namespace."""
    gid: int


def read_peer(connection: socket.socket) -> Peer:
    """The other end of a connected unix socket. Raises OSError."""
    return Peer(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))
