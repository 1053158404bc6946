"""A port published by a real engine, Docker or podman: who is behind it, from inside and outside; what docker-proxy is.

The engine runs in a network namespace of its own, so that its bridge and its rules are nobody else's."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from nettop.fields import CONNECTIONS
from nettop.model import Nat
from nettop.snapshot import Connection, Snapshot
from tests.support.engines import docker, podman
from tests.support.sockets import SocketRoom
from tests.support.watching import Watch, connections, inode_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="a container engine needs root"),
]

HOST = "10.93.0.1"
"""The address of the engine's namespace that clients outside know."""
STARTS_WITHIN = 60.0
"""Seconds."""


class Published(NamedTuple):
    """A container whose port 80 is published as 18080, and a client outside."""

    host: SocketRoom
    client: SocketRoom
    address: str
    """Of the container."""
    kind: str
    """The engine."""


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    with SocketRoom("docker") as host, SocketRoom("outside") as client:
        host.run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "eth0", "netns", client.name)
        for room, link, address in ((host, "outside", HOST), (client, "eth0", "10.93.0.2")):
            room.run("ip", "address", "add", f"{address}/24", "dev", link)
            room.run("ip", "link", "set", link, "up")
        made = podman(host.name) if request.param == "podman" else docker(tmp_path_factory.mktemp("docker"), host.name)
        with made as started:
            started.run("web", "-p", "18080:80", command=("/bin/httpd", "-f", "-p", "80"))
            yield Published(host, client, started.address("web"), started.kind)


def connect(room: SocketRoom, address: str) -> socket.socket:
    """A connection to the published port, as soon as somebody listens there."""
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        near = room.open(socket.AF_INET, socket.SOCK_STREAM)
        try:
            near.connect((address, 18080))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return near


def with_peer(near: socket.socket) -> Callable[[Snapshot], tuple[Connection, Connection] | None]:
    """(picture) → the row of a socket, and that of the other end once its process is known."""

    def peer_is_known(picture: Snapshot) -> tuple[Connection, Connection] | None:
        for row in connections(picture, inode_of(near.fileno())):
            if row.peer is not None and row.peer.process is not None:
                return row, row.peer
        return None

    return peer_is_known


def test_a_client_outside_and_the_server_in_the_container_see_each_other(engine: Published) -> None:
    near = connect(engine.client, HOST)
    with Watch() as watch:
        row, peer = watch.until(with_peer(near))
        assert row.nat == Nat(engine.address, 80)
        assert peer.process is not None
        assert (peer.process.comm, peer.socket.local.removeprefix("::ffff:")) == ("httpd", engine.address)  # type: ignore[union-attr]
        assert peer.process.container is not None
        assert peer.peer is not None
        assert peer.peer.owners[0].pid == os.getpid()


def test_a_client_on_the_host_reaches_the_container_by_the_hosts_address(engine: Published) -> None:
    near = connect(engine.host, HOST)
    with Watch() as watch:
        row, peer = watch.until(with_peer(near))
        assert row.nat == Nat(engine.address, 80)
        assert peer.process is not None
        assert peer.process.comm == "httpd"


def test_by_loopback_the_proxy_is_at_the_other_end_and_says_who_is_behind_it(engine: Published) -> None:
    if engine.kind != "docker":
        pytest.skip("podman has no proxy")
    near = connect(engine.host, "127.0.0.1")
    with Watch() as watch:
        row, proxy = watch.until(with_peer(near))
        assert row.nat is None
        assert proxy.process is not None
        told = [CONNECTIONS.fields[name].get(row, 0.0) for name in ("peer", "nat_remote", "nat_rport")]
        assert told == [f"docker-proxy ({proxy.process.pid})", engine.address, 80]
