"""A table of sockets stays whole whatever interrupts its reading."""

from __future__ import annotations

import itertools
import os
import socket

import pytest

from nettop.kernel.inet_diag import InetTable, Sought
from nettop.kernel.inet_protocols import PROTOCOLS
from nettop.kernel.netlink import DiagSocket
from tests.support.sockets import SocketRoom

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


class Interruption(Exception):
    """Of the reading, in the middle."""


def test_a_socket_whose_reading_was_interrupted_is_new_in_the_next_one() -> None:
    asked: list[int] = []

    def name(uid: int) -> str:
        asked.append(uid)
        if len(asked) == 2:
            raise Interruption
        return "somebody"

    rows = itertools.count(1)
    table = InetTable(PROTOCOLS["tcp"], 0, lambda: next(rows), name, lambda _: None)
    with SocketRoom("table") as room:
        near, far = room.tcp_pair()
        diag = DiagSocket(f"/run/netns/{room.name}")
        try:
            with pytest.raises(Interruption):
                table.read(diag, 1.0)
            ends = near.getsockname(), far.getsockname()
            wanted = {_packed(*ends): "near", _packed(*reversed(ends)): "far"}
            sought = Sought({"tcp": wanted}, [], False)
            found = table.read(diag, 2.0, sought)
            assert {row_id for row_id, _ in found.sockets} <= set(table.rows())
            assert sorted(called for _, _, called in sought.found) == ["far", "near"]
            near.close()
            far.close()
            table.read(diag, 3.0)
        finally:
            diag.close()


def _packed(here: tuple[str, int], there: tuple[str, int]) -> bytes:
    """As in struct inet_diag_sockid: ports and addresses."""
    ports = here[1].to_bytes(2, "big") + there[1].to_bytes(2, "big")
    return ports + b"".join(socket.inet_aton(address) + bytes(12) for address, _ in (here, there))
