"""Other ends of interfaces, named across namespaces: against the pairs a test has made, and against `ip`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel import netns
from nettop.kernel.nsid import NsidSocket, parse_number
from nettop.kernel.rtnetlink import LinkReader
from nettop.snapshot import Snapshot
from tests.support.sockets import SocketRoom
from tests.support.watching import Watch, namespace

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


@pytest.fixture
def rooms() -> Iterator[tuple[SocketRoom, SocketRoom, SocketRoom]]:
    """A host with a bridge, and two containers on it whose interfaces have the same name and index."""
    with SocketRoom("nhost") as host, SocketRoom("nred") as red, SocketRoom("nblue") as blue:
        host.run("ip", "link", "add", "span", "type", "bridge")
        for room in (red, blue):
            outside = f"v-{room.name[-6:]}"
            host.run("ip", *f"link add {outside} index {20 if room is red else 30} type veth".split(),
                     *f"peer name eth0 index 7 netns {room.name}".split())  # fmt: skip
            host.run("ip", *f"link set {outside} master span up".split())
        host.run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
        yield host, red, blue


def path(room: SocketRoom) -> str:
    return f"/run/netns/{room.name}"


def test_both_ends_of_a_pair_name_each_other(rooms: tuple[SocketRoom, SocketRoom, SocketRoom]) -> None:
    host, red, blue = rooms
    found = LinkReader().read([path(room) for room in rooms])
    assert found.errors == {}
    links = {(room.name, link.name): link for room in rooms for link in found.interfaces[path(room)]}
    for room in (red, blue):
        outside = f"v-{room.name[-6:]}"
        outer, inner = links[host.name, outside], links[room.name, "eth0"]
        assert (outer.peer, outer.peer_netns, outer.master) == ("eth0", netns.of_path(path(room))[1], "span")
        assert (inner.peer, inner.peer_netns, inner.master) == (outside, netns.of_path(path(host))[1], None)
    assert (links[host.name, "near"].peer, links[host.name, "near"].peer_netns) == ("far", None)
    assert links[host.name, "span"].peer is None


def test_an_end_that_was_not_read_is_not_guessed(rooms: tuple[SocketRoom, SocketRoom, SocketRoom]) -> None:
    host, _red, blue = rooms
    found = LinkReader().read([path(host), path(blue)])
    named = {link.name: link.peer for link in found.interfaces[path(host)] if link.master == "span"}
    assert sorted(named.values(), key=str) == sorted(["eth0", None], key=str), "red's has the same index as blue's"


def test_numbers_are_those_that_ip_shows(rooms: tuple[SocketRoom, SocketRoom, SocketRoom]) -> None:
    host, red, blue = rooms
    asked = NsidSocket(path(host))
    shown = {
        entry["ifname"]: entry["link_netnsid"]
        for entry in json.loads(host.run("ip", "-j", "link"))
        if "link_netnsid" in entry
    }
    assert {f"v-{room.name[-6:]}": asked.number_of(path(room)) for room in (red, blue)} == shown
    assert asked.number_of("/run/netns/there-is-no-such") is None


def test_a_namespace_tells_its_number_and_its_pairs(rooms: tuple[SocketRoom, SocketRoom, SocketRoom]) -> None:
    host, red, _ = rooms
    subprocess.run(["ip", "netns", "set", host.name, "4711"], check=True)
    inode, other = netns.of_path(path(host))[1], netns.of_path(path(red))[1]
    with Watch() as watch:

        def paired(picture: Snapshot) -> bool:
            row = namespace(picture, inode)
            return row is not None and any(link.peer_netns == other for link, _ in row.interfaces)

        watch.until(paired)
        row = namespace(watch.tick(), inode)
        assert row is not None
        assert row.namespace.nsid == 4711


@given(st.binary(max_size=64))
def test_any_answer_is_a_number_or_none(data: bytes) -> None:
    number = parse_number(data)
    assert number is None or number >= 0
