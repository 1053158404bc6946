"""What a namespace's protocols count, and how full its table of tracked connections is, as the kernel says."""

from __future__ import annotations

import os
import socket

import pytest

from nettop.kernel import conntrack, netns
from nettop.model import ProtocolCounters
from nettop.snapshot import Snapshot
from tests.support.sockets import SocketRoom
from tests.support.watching import Watch, namespace

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


def test_datagrams_for_a_closed_port_are_counted_in_the_namespace_they_came_to() -> None:
    with SocketRoom("counters") as room, Watch() as watch:
        inode = netns.of_path(f"/run/netns/{room.name}")[1]

        def counted(picture: Snapshot) -> ProtocolCounters | None:
            row = namespace(picture, inode)
            return row.protocols if row else None

        assert watch.until(counted).udp_no_port == 0, "read at once where the namespace is new"
        with netns.in_namespace(
            f"/run/netns/{room.name}", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ) as sender:
            for _ in range(3):
                sender.sendto(b"anybody?", ("127.0.0.1", 9))
        watch.until(lambda picture: (found := counted(picture)) and found.udp_no_port == 3)
        rates = watch.until(lambda picture: (row := namespace(picture, inode)) and row.protocol_rates)
        assert len(rates) == len(ProtocolCounters._fields)


def test_tracked_connections_are_counted_where_the_kernel_tracks_them() -> None:
    if not conntrack.present():
        pytest.skip("this kernel tracks no connections")
    with SocketRoom("tracks") as room:
        room.run("nft", "add table ip t; add chain ip t c { type filter hook output priority 0; }; "
                 "add rule ip t c ct state new accept")  # fmt: skip
        with Watch() as watch:
            inode = netns.of_path(f"/run/netns/{room.name}")[1]
            with netns.in_namespace(
                f"/run/netns/{room.name}", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            ) as sender:
                sender.sendto(b"anybody?", ("127.0.0.1", 9))
            row = watch.until(lambda picture: (r := namespace(picture, inode)) and r.tracking and r)
            assert row.tracking is not None
            assert row.tracking.flows == 1
            assert row.tracking.most > 1
