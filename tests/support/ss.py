"""The sockets of a room in the words of `ss`, as `ss` tells them and as a picture does."""

from __future__ import annotations

import re
from typing import NamedTuple

from nettop.snapshot import Snapshot
from tests.support.sockets import SocketRoom


class Row(NamedTuple):
    """What both tell of a socket."""

    proto: str
    state: str
    recvq: int
    sendq: int
    local: str
    lport: int | None
    remote: str
    rport: int | None
    holders: tuple[tuple[int, int], ...]
    """(pid, fd), in order."""


def of_ss(room: SocketRoom) -> list[Row]:
    """The rows of `ss -tuanp` inside the room."""
    rows = []
    for line in room.run("ss", "-tuanpHO").splitlines():
        proto, state, recvq, sendq, local, remote, *users = line.split(maxsplit=6)
        held = re.findall(r"pid=(\d+),fd=(\d+)", users[0] if users else "")
        ends = (*_end(local), *_end(remote))
        rows.append(Row(proto, state, int(recvq), int(sendq), *ends, tuple(sorted((int(p), int(f)) for p, f in held))))
    return sorted(rows, key=repr)


def _end(text: str) -> tuple[str, int | None]:
    """`[::1]:22`, `0.0.0.0%lo:*` and the `*:80` of a dual-stack socket without their notation."""
    address, _, port = text.rpartition(":")
    address = address.partition("%")[0].strip("[]")
    return "::" if address == "*" else address, None if port == "*" else int(port)


def of_picture(picture: Snapshot, room: SocketRoom) -> list[Row]:
    """The rows of the room in a picture."""
    rows = []
    for row in picture.connections.values():
        s, n = row.socket, row.stats
        if s.netns == room.netns and s.proto in ("tcp", "udp") and not row.ended:
            held = tuple(sorted((owner.pid, owner.fd) for owner in row.owners if row.owner_by == "exact"))
            ends = (s.local or "", s.lport, s.remote or "", s.rport)
            rows.append(Row(s.proto, n.state, n.recvq or 0, n.sendq or 0, *ends, held))
    return sorted(rows, key=repr)
