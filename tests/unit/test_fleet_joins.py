"""Connections from one watched machine to another: joined where that is certain, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from nettop.fields import CONNECTIONS, of_machines
from nettop.fleet.joins import Joins
from nettop.fleet.numbered import numbered
from nettop.machines import first_number, machine_of_row
from nettop.model import CLOSED, Closed
from nettop.snapshot import Connection
from nettop.store import Store
from tests.support.rows import HOST_NETNS, NOW
from tests.support.streams import Machine

WEB, DB = "10.0.0.1", "10.0.0.2"


class Watched:
    """Machines that are watched together, each with one namespace and one address."""

    def __init__(self, *addresses: str) -> None:
        self.joins = Joins()
        self.machines: list[Machine] = []
        for number, address in enumerate(addresses, 1):
            machine = Machine()
            machine.add_namespace(HOST_NETNS)
            machine.add_interface(HOST_NETNS, "eth0", addresses=(f"{address}/24",))
            self.machines.append(machine)
            self.joins.stores[number] = Store(events_total=first_number(number), abroad=self.joins)
        self._key = True

    def open(self, machine: int, local: str, lport: int, remote: str, rport: int, **more: Any) -> None:
        """A connection; `machine` counts from 0, `comm` names its process."""
        far = self.machines[machine]
        process = far.start_process(8, comm=more.pop("comm", "nginx"))
        ends = {"local": local, "lport": lport, "remote": remote, "rport": rport}
        far.open_socket(far.new_id(), far.held(process), **ends, **more)

    def tell(self) -> None:
        for (number, store), machine in zip(self.joins.stores.items(), self.machines, strict=True):
            store.apply(numbered(machine.tell(key=self._key), number, 1))
        self._key = False

    def rows(self) -> list[Connection]:
        """Every connection, those of the first machine first."""
        self.tell()
        return [row for store in self.joins.stores.values() for row in store.snapshot.connections.values()]


def test_both_ends_of_a_connection_between_two_machines_find_each_other() -> None:
    watched = Watched(WEB, DB)
    watched.open(0, WEB, 40000, DB, 5432, comm="php")
    watched.open(1, DB, 5432, WEB, 40000, comm="postgres")
    client, server = watched.rows()
    assert client.peer is server
    assert server.peer is client
    view = of_machines(CONNECTIONS, {1: "web-01", 2: "db-1"}, several=True)
    assert [view.fields["peer"].get(row, NOW) for row in (client, server)] == [
        "postgres (8) on db-1",
        "php (8) on web-01",
    ]


def test_an_ipv4_client_of_an_ipv6_socket_is_joined_too() -> None:
    watched = Watched(WEB, DB)
    watched.open(0, WEB, 40000, DB, 5432)
    watched.open(1, f"::ffff:{DB}", 5432, f"::ffff:{WEB}", 40000, family="inet6")
    client, server = watched.rows()
    assert client.peer is server
    assert server.peer is client


def test_the_other_end_on_the_own_machine_goes_first() -> None:
    watched = Watched(WEB, DB)
    watched.machines[0].add_interface(HOST_NETNS, "eth1", addresses=("10.0.9.9/24",))
    watched.open(0, WEB, 40000, "10.0.9.9", 80)
    watched.open(0, "10.0.9.9", 80, WEB, 40000)
    watched.open(1, "10.0.9.9", 80, WEB, 40000)
    client, server, stranger = watched.rows()
    assert client.peer is server
    assert stranger.peer is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_means_the_own_machine(address: str) -> None:
    watched = Watched(WEB, DB)
    watched.open(0, address, 40000, address, 80)
    watched.open(1, address, 80, address, 40000)
    assert [row.peer for row in watched.rows()] == [None, None]


def test_an_address_that_two_machines_have_joins_nothing() -> None:
    watched = Watched(WEB, DB)
    for machine in watched.machines:
        machine.add_interface(HOST_NETNS, "docker0", addresses=("172.17.0.1/16",))
    watched.open(0, "172.17.0.2", 40000, "172.17.0.1", 80)
    watched.open(1, "172.17.0.1", 80, "172.17.0.2", 40000)
    assert [row.peer for row in watched.rows()] == [None, None]


def test_an_address_that_is_on_no_interface_joins_nothing() -> None:
    watched = Watched(WEB, "10.0.0.77")
    watched.open(0, WEB, 40000, DB, 5432)
    watched.open(1, DB, 5432, WEB, 40000)
    assert [row.peer for row in watched.rows()] == [None, None]


def test_an_address_of_another_namespace_joins_nothing() -> None:
    watched = Watched(WEB, DB)
    watched.machines[1].add_namespace(HOST_NETNS + 1)
    watched.open(0, WEB, 40000, DB, 5432)
    watched.open(1, DB, 5432, WEB, 40000, netns=HOST_NETNS + 1)
    assert [row.peer for row in watched.rows()] == [None, None]


def test_two_sockets_with_the_same_ends_leave_open_which_one_it_is() -> None:
    watched = Watched(WEB, DB)
    watched.open(0, WEB, 40000, DB, 5432)
    watched.open(1, DB, 5432, WEB, 40000)
    watched.open(1, DB, 5432, WEB, 40000)
    assert [row.peer for row in watched.rows()] == [None, None, None]


def test_other_protocols_are_not_joined() -> None:
    watched = Watched(WEB, DB)
    watched.open(0, WEB, 40000, DB, 53, proto="udp")
    watched.open(1, DB, 53, WEB, 40000, proto="udp")
    assert [row.peer for row in watched.rows()] == [None, None]


def test_a_connection_that_has_ended_does_not_stand_in_the_way_of_the_next_one() -> None:
    watched = Watched(WEB, DB)
    watched.open(0, WEB, 40000, DB, 5432, state=CLOSED)
    watched.machines[0].tables["closed"][max(watched.machines[0].tables["sockets"])] = Closed(NOW)
    watched.open(0, WEB, 40000, DB, 5432)
    watched.open(1, DB, 5432, WEB, 40000)
    *clients, server = watched.rows()
    client = next(row for row in clients if not row.ended)
    assert client.peer is server
    assert server.peer is client


def test_a_third_machine_is_not_in_the_way() -> None:
    watched = Watched(WEB, "10.0.0.3", DB)
    watched.open(0, WEB, 40000, DB, 5432)
    watched.open(2, DB, 5432, WEB, 40000)
    client, server = watched.rows()
    assert client.peer is server
    assert machine_of_row(server) == 3


def test_a_machine_that_is_not_reached_joins_nothing() -> None:
    watched = Watched(WEB, DB)
    watched.open(0, WEB, 40000, DB, 5432)
    watched.open(1, DB, 5432, WEB, 40000)
    client, _ = watched.rows()
    del watched.joins.stores[2]
    assert client.peer is None


def test_the_index_is_made_in_slices_of_all_machines() -> None:
    watched = Watched(WEB, DB)
    for port in range(1500):
        watched.machines[0].open_socket(port + 1, local=WEB, lport=port + 1, remote=DB, rport=80)
        watched.machines[1].open_socket(port + 1, local=DB, lport=80, remote=WEB, rport=port + 1)
    rows = watched.rows()
    assert not watched.joins.asked
    assert len([*rows[0].peers.prepare()]) >= 4
    assert watched.joins.asked
    assert rows[0].peer is rows[1500]


def test_whoever_has_painted_a_row_is_told_when_its_other_end_is_another_one() -> None:
    watched = Watched(WEB, DB)
    watched.open(0, WEB, 40000, DB, 5432)
    [client] = watched.rows()
    assert client.peer is None
    watched.open(1, DB, 5432, WEB, 40000)
    client, server = watched.rows()
    assert watched.joins.touched(None, server) == {client.id}
    assert watched.joins.touched(server, server) == set()
    assert watched.joins.touched(server, server._replace(rx_rate=5.0)) == set()
    assert watched.joins.touched(server, server._replace(process=None, owners=(), owner_by="none")) == {client.id}
