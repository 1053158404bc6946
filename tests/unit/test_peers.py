"""Both ends of a connection on this host, joined."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.fields import CONNECTIONS
from nettop.model import CLOSED, Datagrams, Nat, Owners
from nettop.snapshot import Connection
from nettop.store import Store
from nettop.store.peers import Peers, parse_proxy
from tests.support.deltas import delta
from tests.support.rows import HOST_NETNS, NOW, connection, process_row

OTHER = HOST_NETNS + 1


def row(number: int, local: str, lport: int, remote: str, rport: int, **more: Any) -> Connection:
    return connection(id=number, local=local, lport=lport, remote=remote, rport=rport, **more)


def peers(*rows: Connection) -> Peers:
    return Peers({each.id: each for each in rows})


def test_the_two_ends_find_each_other_in_one_namespace() -> None:
    client, server = row(1, "127.0.0.1", 5000, "127.0.0.1", 80), row(2, "127.0.0.1", 80, "127.0.0.1", 5000)
    index = peers(client, server)
    assert index.of(client) is server
    assert index.of(server) is client


def test_the_two_ends_find_each_other_across_namespaces() -> None:
    client, server = row(1, "10.0.0.1", 5000, "10.0.0.2", 80), row(2, "10.0.0.2", 80, "10.0.0.1", 5000, netns=OTHER)
    index = peers(client, server)
    assert index.of(client) is server
    assert index.of(server) is client


def test_a_loopback_address_is_another_one_in_another_namespace() -> None:
    client, server = row(1, "127.0.0.1", 5000, "127.0.0.1", 80), row(2, "127.0.0.1", 80, "127.0.0.1", 5000, netns=OTHER)
    assert peers(client, server).of(client) is None


def test_nat_is_seen_through() -> None:
    client = row(1, "10.1.0.2", 5000, "10.1.0.1", 8080, nat=Nat("10.2.0.2", 80))
    server = row(2, "10.2.0.2", 80, "10.2.0.1", 6000, netns=OTHER, nat=Nat("10.1.0.2", 5000))
    index = peers(client, server)
    assert index.of(client) is server
    assert index.of(server) is client


def test_an_ipv4_client_of_an_ipv6_socket_is_its_peer() -> None:
    client = row(1, "10.0.0.1", 5000, "10.0.0.2", 80)
    server = row(2, "::ffff:10.0.0.2", 80, "::ffff:10.0.0.1", 5000, family="inet6")
    assert peers(client, server).of(client) is server


def test_same_ends_in_two_namespaces_are_ambiguous_from_elsewhere_and_certain_from_inside() -> None:
    near, far = row(1, "10.0.0.2", 80, "10.0.0.1", 5000), row(2, "10.0.0.2", 80, "10.0.0.1", 5000, netns=OTHER)
    outside = row(3, "10.0.0.1", 5000, "10.0.0.2", 80, netns=OTHER + 1)
    inside = row(4, "10.0.0.1", 5000, "10.0.0.2", 80)
    assert peers(near, far, outside).of(outside) is None
    assert peers(near, far, inside).of(inside) is near


def test_two_clients_with_the_same_ends_leave_open_which_one_is_served() -> None:
    clients = [row(n, "10.0.0.1", 5000, "10.0.0.2", 80, netns=HOST_NETNS + n) for n in (1, 2)]
    server = row(3, "10.0.0.2", 80, "10.0.0.1", 5000, netns=HOST_NETNS + 3)
    index = peers(*clients, server)
    assert [index.of(each) for each in (*clients, server)] == [None, None, None]


def test_a_protocol_meets_its_own() -> None:
    client = row(1, "10.0.0.1", 5000, "10.0.0.2", 80)
    assert peers(client, row(2, "10.0.0.2", 80, "10.0.0.1", 5000, proto="udp")).of(client) is None


def test_a_socket_may_be_connected_to_itself() -> None:
    alone = row(1, "127.0.0.1", 5000, "127.0.0.1", 5000)
    assert peers(alone).of(alone) is alone


def test_listeners_and_foreign_connections_have_no_peer() -> None:
    listener = connection(id=1, state="LISTEN", remote="0.0.0.0", rport=None)
    foreign = connection(id=2)
    index = peers(listener, foreign)
    assert index.of(listener) is None
    assert index.of(foreign) is None


def test_a_connection_that_has_ended_does_not_stand_in_the_way_of_the_next_one() -> None:
    ended = [
        row(1, "127.0.0.1", 5000, "127.0.0.1", 80, state=CLOSED),
        row(2, "127.0.0.1", 80, "127.0.0.1", 5000, state=CLOSED),
    ]
    client, server = row(3, "127.0.0.1", 5000, "127.0.0.1", 80), row(4, "127.0.0.1", 80, "127.0.0.1", 5000)
    index = peers(*ended, client, server)
    assert [index.of(each) for each in (client, server, *ended)] == [server, client, *reversed(ended)]
    assert peers(ended[0], server).of(server) is ended[0], "one end may be open still"
    assert peers(ended[0], client, server).of(ended[0]) is None


def test_unix_sockets_name_each_other() -> None:
    unix = {"proto": "unix", "family": "unix", "lport": None, "rport": None, "remote": None, "local": None}
    left = connection(id=1, inode=100, peer_inode=200, **unix)
    right = connection(id=2, inode=200, peer_inode=100, netns=OTHER, **unix)
    listener = connection(id=3, inode=300, peer_inode=None, **unix)
    index = peers(left, right, listener)
    assert index.of(left) is right
    assert index.of(right) is left
    assert index.of(listener) is None


PROXY = "/usr/sbin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80"


def test_a_docker_proxy_says_whom_it_forwards_to() -> None:
    client = row(1, "127.0.0.1", 5000, "127.0.0.1", 8080)
    proxy = row(2, "127.0.0.1", 8080, "127.0.0.1", 5000, comm="docker-proxy", command=PROXY)
    index = peers(client, proxy)
    assert index.of(client) is proxy
    assert index.behind(client) == Nat("172.17.0.2", 80)
    assert index.behind(proxy) is None


@pytest.mark.parametrize(
    ("command", "behind"),
    [
        (PROXY, Nat("172.17.0.2", 80)),
        (PROXY + " -use-listen-fd", Nat("172.17.0.2", 80)),
        (PROXY.replace("172.17.0.2", "2001:db8::2"), Nat("2001:db8::2", 80)),
        (PROXY.replace("-proto tcp", "-proto udp"), None),
        (PROXY.replace("8080", "8081"), None),
        (PROXY.replace("172.17.0.2", "nowhere"), None),
        (PROXY.replace("-container-port 80", "-container-port 0"), None),
        (PROXY.replace("-container-port 80", "-container-port 65536"), None),
        (PROXY.partition(" -container-port")[0], None),
        ("docker-proxy", None),
        ("", None),
    ],
)
def test_arguments_that_make_no_sense_are_not_believed(command: str, behind: Nat | None) -> None:
    assert parse_proxy(command, "tcp", 8080) == behind


# --- in the store ----------------------------------------------------------------------------------------------------


def told(*rows: Connection) -> dict[str, dict[int, Any]]:
    """The tables of a Delta that makes these rows."""
    return {
        "sockets": {each.id: each.socket for each in rows},
        "stats": {each.id: each.stats for each in rows},
    }


def peer_of(store: Store, row_id: int) -> Any:
    return CONNECTIONS.fields["peer"].get(store.snapshot.connections[row_id], NOW)


CLIENT = row(1, "10.0.0.1", 5000, "10.0.0.2", 80)
SERVER = row(2, "10.0.0.2", 80, "10.0.0.1", 5000, netns=OTHER)
NGINX = process_row(pid=7, start_time=1, comm="nginx")


def test_a_peer_is_named_and_its_line_is_painted_anew_when_its_owner_becomes_known() -> None:
    store = Store()
    store.apply(delta(told(CLIENT, SERVER), key=True, clock=1.0))
    assert peer_of(store, 1) is None
    processes: dict[str, dict[int, Any]] = {"processes": {9: NGINX.process}, "usage": {9: NGINX.usage}}
    owners = {2: connection(pid=7, start_time=1).owners}
    store.apply(delta({**processes, "owners": {2: Owners("exact", owners[2])}}, clock=2.0))
    assert peer_of(store, 1) == f"nginx (7) in {OTHER}"
    assert 1 in store.snapshot.changed["connections"]
    store.apply(delta({}, gone={"sockets": [2]}, clock=3.0))
    assert peer_of(store, 1) is None
    assert 1 in store.snapshot.changed["connections"]


def test_nobody_asks_nobody_pays() -> None:
    store = Store()
    store.apply(delta(told(CLIENT, SERVER), key=True, clock=1.0))
    picture = store.snapshot
    store.apply(delta({}, gone={"sockets": [2]}, clock=2.0))
    assert store.snapshot.connections[1] is picture.connections[1]


def test_nat_and_counted_datagrams_come_to_the_row_and_stay() -> None:
    here = row(1, "10.1.0.2", 5000, "10.1.0.1", 53, proto="udp", rx_bytes=None, tx_bytes=None)
    store = Store()
    tables = {**told(here), "nat": {1: Nat("10.2.0.2", 53)}, "datagrams": {1: Datagrams(100, 20, 2, 1)}}
    store.apply(delta(tables, key=True, clock=1.0))
    store.apply(delta({"stats": {1: here.stats._replace(recvq=8)}}, clock=2.0))
    shown = store.snapshot.connections[1]
    assert (shown.nat, shown.stats.recvq) == (Nat("10.2.0.2", 53), 8)
    assert (shown.stats.rx_bytes, shown.stats.tx_bytes, shown.stats.rx_packets) == (100, 20, 2)
    store.apply(delta({"datagrams": {1: Datagrams(300, 20, 4, 1)}}, clock=4.0))
    assert store.snapshot.connections[1].rx_rate == pytest.approx(100.0)
    store.apply(delta({"datagrams": {1: Datagrams(None, None, None, None)}, "nat": {1: Nat(None, None)}}, clock=5.0))
    shown = store.snapshot.connections[1]
    assert shown.stats.rx_bytes is None
    assert shown.nat is None
    assert [CONNECTIONS.fields[name].get(shown, NOW) for name in ("nat_remote", "nat_rport")] == [None, None]


_ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "127.0.0.1"])
_PORTS = st.integers(1, 2)
_ROWS = st.builds(
    row,
    st.integers(1, 6),
    _ADDRESSES,
    _PORTS,
    _ADDRESSES,
    _PORTS,
    netns=st.sampled_from([HOST_NETNS, OTHER]),
    state=st.sampled_from(["ESTAB", CLOSED]),
    nat=st.none() | st.builds(Nat, _ADDRESSES, _PORTS),
)


@given(st.lists(st.tuples(_ROWS, st.booleans()), max_size=30))
def test_kept_up_it_says_what_a_new_one_says(changes: list[tuple[Connection, bool]]) -> None:
    rows: dict[int, Connection] = {}
    kept = Peers(rows)
    kept.of(CLIENT)
    for new, stays in changes:
        old = rows.pop(new.id, None)
        if stays:
            rows[new.id] = new
        kept.replace(old, new if stays else None)
        fresh = Peers(dict(rows))
        for each in rows.values():
            peer = kept.of(each)
            assert peer is fresh.of(each)
            assert peer is None or kept.of(peer) is each, "a peer's peer is oneself"
