"""What the store says of processes, namespaces and the machine: sums over their sockets, and who holds which."""

from __future__ import annotations

from typing import Any

import pytest

from nettop.model import Health, Owner, ProcessKey, Socket
from nettop.snapshot import EMPTY, Coverage, HostRates, LinkRate
from nettop.store import EVENTS_KEPT, Store
from nettop.store.history import LENGTH
from tests.support.deltas import delta
from tests.support.rows import HOST_NETNS, connection, event
from tests.support.streams import Watched, rates


@pytest.fixture
def machine() -> Watched:
    return Watched()


# --- who holds it -----------------------------------------------------------------------------------------------------


def test_the_first_holder_counts_a_shared_socket_and_all_are_shown(machine: Watched) -> None:
    parent, child = machine.start_process(7), machine.start_process(8)
    listener = machine.open_socket(1, machine.held(parent, child), state="LISTEN", rport=None, rx_bytes=None)
    machine.open_socket(2, machine.held(child), rx_bytes=10, tx_bytes=20, retrans=3)
    machine.picture()
    assert [process.pid for process in machine.connection(listener).holders if process] == [7, 8]
    first, second = machine.process(parent), machine.process(child)
    assert (first.listening, first.connections, first.sockets) == (1, 0, 1)
    assert (second.listening, second.connections, second.sockets) == (0, 1, 1)
    assert (first.rx_bytes, first.tx_bytes, first.retrans) == (None, None, None), "a listener has no bytes"
    assert (second.rx_bytes, second.tx_bytes, second.retrans) == (10, 20, 3)


def test_a_process_sums_up_the_rates_of_its_sockets(machine: Watched) -> None:
    process = machine.start_process(7)
    sockets = [machine.open_socket(n, machine.held(process)) for n in range(3)]
    machine.picture()
    assert rates(machine.process(process)) == (None, None)
    for socket in sockets:
        machine.receive(socket, 100)
    machine.picture(seconds=2.0)
    assert rates(machine.process(process)) == (150.0, 0.0)
    machine.picture()
    assert rates(machine.process(process)) == (0.0, 0.0)


def test_a_socket_that_is_passed_on_takes_its_bytes_along(machine: Watched) -> None:
    before, after = machine.start_process(7), machine.start_process(8)
    socket = machine.open_socket(1, machine.held(before), rx_bytes=10)
    machine.picture()
    machine.tables["owners"][socket] = machine.held(after)
    machine.receive(socket, 5)
    machine.picture()
    assert (machine.process(before).rx_bytes, machine.process(before).sockets) == (None, 0)
    assert (machine.process(after).rx_bytes, machine.process(after).rx_rate) == (15, 5.0)


def test_an_exec_shows_on_the_connections_it_holds(machine: Watched) -> None:
    shell, other = machine.start_process(7, comm="sh"), machine.start_process(8)
    socket, untouched = machine.open_socket(1, machine.held(shell)), machine.open_socket(2, machine.held(other))
    machine.picture()
    machine.picture()
    machine.set("processes", shell, comm="nginx")
    shown = machine.picture()
    assert machine.connection(socket).process == machine.tables["processes"][shell]
    assert shown.changed["connections"] == {socket}
    assert untouched in shown.connections


def test_a_process_that_is_gone_is_no_longer_shown_on_its_sockets(machine: Watched) -> None:
    process = machine.start_process(7)
    socket = machine.open_socket(1, machine.held(process))
    machine.picture()
    machine.remove("processes", process)
    shown = machine.picture()
    assert process not in shown.processes
    assert process in shown.changed["processes"]
    assert machine.connection(socket).process is None
    assert machine.connection(socket).owners[0].pid == 7, "the owner stays until the collector says otherwise"


def test_a_pid_that_is_used_again_does_not_inherit(machine: Watched) -> None:
    before = machine.start_process(7)
    socket = machine.open_socket(1, machine.held(before))
    machine.picture()
    machine.remove("processes", before)
    after = machine.start_process(7)
    machine.receive(socket, 100)
    machine.picture()
    assert machine.connection(socket).process is None
    assert machine.process(after).sockets == 0
    assert machine.store.history("processes", after) == []


def test_a_renamed_namespace_shows_on_its_connections_and_processes(machine: Watched) -> None:
    namespace = machine.add_namespace(5, name=None)
    process = machine.start_process(7, netns=5)
    inside, outside = machine.open_socket(1, netns=5), machine.open_socket(2)
    machine.picture()
    machine.picture()
    machine.set("namespaces", namespace, name="web")
    shown = machine.picture()
    for row in (machine.connection(inside), machine.process(process)):
        assert row.namespace is not None
        assert row.namespace.name == "web"
    assert shown.changed["connections"] == {inside}
    assert outside in shown.connections


# --- processes, namespaces, the machine -------------------------------------------------------------------------------


def test_processor_time_becomes_percent(machine: Watched) -> None:
    old = machine.start_process(7, cpu_time=50.0)
    machine.picture()
    assert machine.process(old).cpu is None
    machine.set("usage", old, cpu_time=50.5)
    new = machine.start_process(8, cpu_time=0.2)
    machine.picture(seconds=2.0)
    assert machine.process(old).cpu == 25.0
    assert machine.process(new).cpu == 10.0, "it began in this interval, at zero"
    machine.picture()
    assert machine.process(old).cpu == 0.0


def test_memory_is_a_share_of_the_machine_as_it_is_now(machine: Watched) -> None:
    process = machine.start_process(7, rss=1 << 30)
    machine.set("host", 0, mem_total=4 << 30)
    machine.picture()
    assert machine.process(process).mem == 25.0
    machine.set("host", 0, mem_total=8 << 30)
    machine.picture()
    assert machine.process(process).mem == 12.5


def test_a_namespace_counts_what_is_inside(machine: Watched) -> None:
    namespace = machine.add_namespace(5)
    machine.start_process(7, netns=5)
    moved = machine.start_process(8, netns=5)
    machine.start_process(9, netns=None)
    machine.open_socket(1, netns=5)
    machine.open_socket(2, netns=5, state="LISTEN", rport=None)
    closed = machine.open_socket(3, netns=5, proto="unix", rport=None)
    machine.picture()
    row = machine.namespace(namespace)
    assert (row.processes, row.connections, row.listening, row.sockets) == (2, 1, 1, 3)
    machine.set("processes", moved, netns=6)
    machine.remove("sockets", closed)
    machine.picture()
    assert (machine.namespace(namespace).processes, machine.namespace(namespace).sockets) == (1, 2)


def test_interface_rates_leave_the_loopback_out(machine: Watched) -> None:
    namespace = machine.add_namespace(5)
    links = [machine.add_interface(5, "eth0"), machine.add_interface(5, "eth1")]
    loopback = machine.add_interface(5, "lo", loopback=True)
    machine.picture()
    assert rates(machine.namespace(namespace)) == (None, None)
    for link in (*links, loopback):
        machine.set("counters", link, rx_bytes=100, tx_bytes=10)
    late = machine.add_interface(5, "eth2")
    machine.set("counters", late, rx_bytes=1 << 40)
    machine.picture(seconds=2.0)
    assert rates(machine.namespace(namespace)) == (100.0, 10.0)
    assert [link.name for link, _ in machine.namespace(namespace).interfaces] == ["eth0", "eth1", "lo", "eth2"]
    machine.remove("interfaces", links[0])
    machine.picture()
    assert rates(machine.namespace(namespace)) == (0.0, 0.0)
    assert len(machine.namespace(namespace).interfaces) == 3


def test_a_namespace_with_nothing_but_a_loopback_has_no_rate(machine: Watched) -> None:
    namespace = machine.add_namespace(5)
    machine.add_interface(5, "lo", loopback=True)
    machine.picture()
    machine.picture()
    assert rates(machine.namespace(namespace)) == (None, None)


def test_an_interface_that_moves_leaves_its_namespace(machine: Watched) -> None:
    here, there = machine.add_namespace(5), machine.add_namespace(6)
    link = machine.add_interface(5, "veth0")
    machine.picture()
    machine.set("interfaces", link, netns=6)
    machine.picture()
    assert machine.namespace(here).interfaces == ()
    assert len(machine.namespace(there).interfaces) == 1
    machine.remove("interfaces", link)
    machine.picture()
    assert machine.namespace(there).interfaces == ()


def test_host_rates_are_those_of_the_last_interval(machine: Watched) -> None:
    machine.add_namespace(HOST_NETNS)
    machine.add_namespace(5, kind="named")
    home, away = machine.add_interface(HOST_NETNS, "eth0"), machine.add_interface(5, "eth0")
    machine.set("host", 0, cpu_busy=100.0, cpu_total=200.0, forks=10, collector_cpu=1.0)
    machine.set("host", 0, tcp_out_segs=1000, tcp_retrans_segs=10)
    assert machine.picture().rates == EMPTY.rates
    machine.set("counters", home, rx_bytes=80, tx_bytes=8)
    machine.set("counters", away, rx_bytes=1 << 30)
    machine.set("host", 0, cpu_busy=101.0, cpu_total=204.0, forks=14, collector_cpu=1.01)
    machine.set("host", 0, tcp_out_segs=1097, tcp_retrans_segs=13)
    shown = machine.picture(seconds=2.0).rates
    assert shown.collector_cpu == pytest.approx(0.5)
    links = (LinkRate("eth0", 40.0, 4.0),)
    assert shown._replace(collector_cpu=None) == HostRates(25.0, 40.0, 4.0, 3.0, 2.0, None, links)
    assert list(machine.store.host_history()) == [EMPTY.rates, shown]


def test_what_passes_a_bridge_on_its_way_to_a_card_counts_once(machine: Watched) -> None:
    host, inside = machine.add_namespace(HOST_NETNS), machine.add_namespace(5, kind="container")
    links = {name: machine.add_interface(HOST_NETNS, name) for name in ("docker0", "veth1", "eth0", "eth1")}
    links["veth2"] = machine.add_interface(5, "veth2")
    for name, kind in (("docker0", "bridge"), ("veth1", "veth"), ("veth2", "veth")):
        machine.set("interfaces", links[name], kind=kind)
    machine.picture()
    for received, name in enumerate(("docker0", "veth1", "eth0", "eth1", "veth2"), 1):
        machine.set("counters", links[name], rx_bytes=100 * received, tx_bytes=10)
    shown = machine.picture()
    assert rates(machine.namespace(host)) == (300.0 + 400.0, 20.0)
    assert rates(machine.namespace(inside)) == (500.0, 10.0)
    assert shown.rates.links == (LinkRate("eth1", 400.0, 10.0), LinkRate("eth0", 300.0, 10.0)), "the busiest first"


def test_segments_sent_again_are_unknown_where_the_kernel_does_not_say(machine: Watched) -> None:
    machine.set("host", 0, tcp_out_segs=None)
    machine.picture()
    assert machine.picture().rates.retrans_percent is None
    machine.set("host", 0, tcp_out_segs=1000)
    machine.picture()
    assert machine.picture().rates.retrans_percent == 0.0, "nothing was sent, so nothing was sent again"


def test_coverage_is_of_bytes_that_moved_and_of_sockets_that_may_have_an_owner(machine: Watched) -> None:
    process = machine.start_process(7)
    known, unknown = machine.open_socket(1, machine.held(process)), machine.open_socket(2)
    machine.open_socket(3, inode=None, state="TIME-WAIT")
    machine.open_socket(4, proto="netlink", lport=0)
    machine.add_namespace(HOST_NETNS)
    machine.add_namespace(5, via="procfs")
    machine.add_namespace(6, via="none")
    machine.set("host", 0, events_lost=3)
    assert machine.picture().coverage == Coverage(None, 2, 1, 3, 2, 3)
    machine.receive(known, 900)
    machine.receive(unknown, 100)
    assert machine.picture().coverage.bytes_owned == 0.9
    assert machine.picture().coverage.bytes_owned is None, "nothing moved"
    machine.tables["owners"][unknown] = machine.held(process)
    assert machine.picture().coverage.unowned == 0


def test_health_lists_what_is_not_well_now(machine: Watched) -> None:
    machine.tables["health"][70] = row = Health("cn_proc", "lossy", "why", None, 1)
    assert machine.picture().health == (row,)
    machine.set("health", 70, times=2)
    assert machine.picture().health == (row._replace(times=2),)
    machine.remove("health", 70)
    assert machine.picture().health == ()


def test_the_last_events_are_kept_and_all_are_counted() -> None:
    store = Store()
    store.apply(delta(key=True, events=[event(pid=n) for n in range(EVENTS_KEPT)]))
    store.apply(delta(clock=1.0, events=[event(pid=-1)]))
    shown = store.snapshot
    assert len(shown.events) == EVENTS_KEPT
    assert [e.pid for e in shown.events.values()] == [*range(1, EVENTS_KEPT), -1]
    assert shown.events_total == EVENTS_KEPT + 1


# --- histories --------------------------------------------------------------------------------------------------------


def moved(machine: Watched, view: str, row_id: int) -> list[tuple[float, float]]:
    return [(sample.rx_rate, sample.tx_rate) for sample in machine.store.history(view, row_id)]


def test_a_history_begins_with_the_first_movement_and_has_zeros_where_nothing_moved(machine: Watched) -> None:
    process = machine.start_process(7)
    socket = machine.open_socket(1, machine.held(process), tx_bytes=0)
    machine.picture()
    machine.picture()
    assert machine.store.history("connections", socket) == []
    machine.receive(socket, 100)
    machine.picture()
    machine.picture()
    machine.receive(socket, 60)
    machine.picture(seconds=2.0)
    for view, row_id in (("connections", socket), ("processes", process)):
        assert moved(machine, view, row_id) == [(100.0, 0.0), (0.0, 0.0), (30.0, 0.0)]
    assert machine.store.history("events", 1) == ()


def test_a_history_is_bounded_and_forgotten_when_it_is_all_zeros(machine: Watched) -> None:
    socket = machine.open_socket(1)
    machine.picture()
    for _ in range(LENGTH + 5):
        machine.receive(socket, 100)
        machine.picture()
    assert moved(machine, "connections", socket) == [(100.0, 0.0)] * LENGTH
    assert len(machine.store.host_history()) == LENGTH
    for _ in range(2 * LENGTH):
        machine.picture()
    assert machine.store.history("connections", socket) == []


# --- of the model's words ---------------------------------------------------------------------------------------------


def test_keys_name_a_process_beyond_its_pid() -> None:
    assert Owner(7, 90, 3).process == ProcessKey(7, 90)


@pytest.mark.parametrize(
    ("overrides", "ownable"),
    [
        ({}, True),
        ({"inode": None}, False),
        ({"proto": "netlink", "lport": 0}, False),
        ({"proto": "netlink", "lport": 77}, True),
        ({"proto": "unix", "lport": 0}, True),
    ],
)
def test_a_socket_may_have_an_owner_unless_it_has_no_inode_or_is_the_kernels(
    overrides: dict[str, Any], ownable: bool
) -> None:
    socket: Socket = connection(**overrides).socket
    assert socket.ownable is ownable
