"""From pictures to series: what is exported is what the plain views print, and goes only forward."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from nettop.export.account import SETTLING, Account
from nettop.model import NO_TRAFFIC, Change, Closed, Delta
from nettop.snapshot import Snapshot
from nettop.store import Store
from tests.support.metrics import Samples, exported, total, value
from tests.support.rows import HOST_NETNS, NOW
from tests.support.streams import Watched, streams


class Exported(Watched):
    """A machine, the store that is told of it, and the account that is shown its pictures."""

    def __init__(self, most: int = 100) -> None:
        super().__init__()
        self.account = Account(most)
        self.add_namespace(HOST_NETNS, name="host")

    def picture(self, seconds: float = 1.0) -> Snapshot:
        shown = super().picture(seconds)
        self.account.take(shown)
        return shown

    def begin_anew(self) -> None:
        """The collector was started again: a key frame."""
        shown = self.store.apply(self.tell(key=True))
        assert shown is not None
        self.account.take(shown)

    def said(self, name: str, **labels: str) -> float | None:
        """The value of a sample."""
        return value(exported(self.account), name, **labels)


@pytest.fixture
def machine() -> Exported:
    return Exported()


# --- what counts for whom ---------------------------------------------------------------------------------------------


def test_the_first_picture_says_what_the_plain_views_print(machine: Exported) -> None:
    nginx = machine.start_process(7, comm="nginx")
    machine.open_socket(1, machine.held(nginx), rx_bytes=100, tx_bytes=7, retrans=2)
    machine.picture()
    assert machine.said("program_rx_bytes_total", program="nginx") == 100
    assert machine.said("program_tx_bytes_total", program="nginx") == 7
    assert machine.said("program_retrans_total", program="nginx") == 2
    assert machine.said("rx_bytes_total") == 100
    assert machine.said("namespace_rx_bytes_total", namespace="host") == 100
    assert machine.said("program_processes", program="nginx") == 1


def test_processes_of_one_name_are_one_program_and_those_that_ended_still_count(machine: Exported) -> None:
    workers = [machine.start_process(pid, comm="curl") for pid in (7, 8)]
    sockets = [machine.open_socket(pid, machine.held(worker), rx_bytes=10) for pid, worker in enumerate(workers)]
    machine.picture()
    machine.remove("sockets", sockets[0])
    machine.remove("processes", workers[0])
    machine.receive(sockets[1], 5)
    machine.picture()
    assert machine.said("program_rx_bytes_total", program="curl") == 25
    assert machine.said("program_processes", program="curl") == 1


def test_what_does_nothing_with_the_network_is_not_told_of(machine: Exported) -> None:
    machine.start_process(7, comm="vim")
    machine.add_container(name="idle", runtime="docker", unit=None)
    machine.picture()
    said = exported(machine.account)
    assert not [key for key in said if ("program", "vim") in key[1] or ("container", "idle") in key[1]]


def test_a_container_and_a_unit_have_the_sums_of_their_processes(machine: Exported) -> None:
    web = machine.add_container(name="web", runtime="docker", image="nginx:1", k8s_namespace=None, unit=None)
    cron = machine.add_container(name="cron.service", runtime=None, unit="cron.service", kind="service")
    for pid, belongs in ((7, web), (8, cron)):
        process = machine.start_process(pid, belongs=belongs)
        machine.open_socket(pid, machine.held(process), rx_bytes=pid, state="ESTAB")
    machine.picture()
    container = {"container": "web", "runtime": "docker", "image": "nginx:1", "k8s_namespace": ""}
    assert machine.said("container_rx_bytes_total", **container) == 7
    assert machine.said("container_connections", **container, state="ESTAB") == 1
    assert machine.said("unit_rx_bytes_total", unit="cron.service") == 8
    assert machine.said("unit_rx_bytes_total", unit="web") is None


def test_a_container_whose_name_comes_late_keeps_its_figures(machine: Exported) -> None:
    row = machine.add_container(name="a1b2c3d4", runtime="docker", image=None, k8s_namespace=None, unit=None)
    process = machine.start_process(7, belongs=row)
    machine.open_socket(7, machine.held(process), rx_bytes=100)
    machine.picture()
    machine.set("containers", row, name="web", image="nginx:1")
    machine.picture()
    named = {"container": "web", "runtime": "docker", "image": "nginx:1", "k8s_namespace": ""}
    assert machine.said("container_rx_bytes_total", **named) == 100
    assert total(exported(machine.account), "container_rx_bytes_total") == 100


def test_a_container_that_is_renamed_later_begins_anew(machine: Exported) -> None:
    row = machine.add_container(name="web", runtime="docker", image=None, k8s_namespace=None, unit=None)
    process = machine.start_process(7, belongs=row)
    socket = machine.open_socket(7, machine.held(process), rx_bytes=100)
    machine.picture()
    machine.picture(SETTLING + 1)
    machine.set("containers", row, name="old-web")
    machine.receive(socket, 5)
    machine.picture()
    samples = exported(machine.account)
    assert total(samples, "container_rx_bytes_total", container="web") == 100
    assert total(samples, "container_rx_bytes_total", container="old-web") == 5


def test_a_shell_that_becomes_another_program_leaves_to_shells_what_it_did(machine: Exported) -> None:
    process = machine.start_process(7, comm="sh")
    socket = machine.open_socket(7, machine.held(process), rx_bytes=100)
    machine.picture()
    machine.set("processes", process, comm="curl")
    machine.receive(socket, 5)
    machine.picture()
    assert machine.said("program_rx_bytes_total", program="sh") == 100
    assert machine.said("program_rx_bytes_total", program="curl") == 5


def test_a_socket_that_is_passed_within_a_program_counts_once(machine: Exported) -> None:
    parent, child = machine.start_process(7, comm="httpd"), machine.start_process(8, comm="httpd")
    socket = machine.open_socket(1, machine.held(parent), rx_bytes=10)
    machine.picture()
    machine.tables["owners"][socket] = machine.held(child)
    machine.receive(socket, 5)
    machine.picture()
    assert machine.said("program_rx_bytes_total", program="httpd") == 15


def test_a_collector_that_is_started_again_adds_nothing(machine: Exported) -> None:
    process = machine.start_process(7, comm="nginx")
    socket = machine.open_socket(1, machine.held(process), rx_bytes=100)
    machine.tables["everywhere"][0] = NO_TRAFFIC._replace(opened=40)
    machine.picture()
    machine.tables["everywhere"][0] = NO_TRAFFIC._replace(opened=1)
    machine.begin_anew()
    assert machine.said("program_rx_bytes_total", program="nginx") == 100
    machine.receive(socket, 5)
    machine.tables["everywhere"][0] = NO_TRAFFIC._replace(opened=3)
    machine.picture()
    assert machine.said("program_rx_bytes_total", program="nginx") == 105
    assert machine.said("opened_total") == 42


def test_what_is_unknown_is_not_told_of(machine: Exported) -> None:
    process = machine.start_process(7, comm="nginx")
    machine.open_socket(1, machine.held(process), state="LISTEN", rport=None, remote=None, rx_bytes=None, rtt=None)
    machine.picture()
    assert machine.said("program_listening", program="nginx") == 1
    assert machine.said("program_rx_bytes_total", program="nginx") is None
    assert machine.said("bytes_owned_ratio") is None, "nothing has moved yet"


# --- states, round trips, listeners -----------------------------------------------------------------------------------


def test_connections_are_counted_by_state_and_without_those_that_ended(machine: Exported) -> None:
    process = machine.start_process(7, comm="nginx")
    for number, state in enumerate(("ESTAB", "ESTAB", "CLOSE-WAIT", "CLOSED")):
        socket = machine.open_socket(number, machine.held(process), state=state)
        if state == "CLOSED":
            machine.tables["closed"][socket] = Closed(NOW)
    machine.open_socket(9, machine.held(process), proto="udp", state="ESTAB")
    machine.picture()
    assert machine.said("program_connections", program="nginx", state="ESTAB") == 2
    assert machine.said("connections", state="CLOSE-WAIT") == 1
    assert machine.said("connections", state="CLOSED") is None


def test_a_round_trip_is_observed_in_each_picture_in_which_the_connection_moved(machine: Exported) -> None:
    process = machine.start_process(7, comm="nginx")
    socket = machine.open_socket(1, machine.held(process), rtt=30_000)
    machine.picture()
    for _ in range(3):
        machine.receive(socket, 100)
        machine.picture()
    machine.picture()
    assert machine.said("rtt_seconds_count") == 3
    assert machine.said("program_rtt_seconds_bucket", program="nginx", le="0.05") == 3
    assert machine.said("program_rtt_seconds_bucket", program="nginx", le="0.025") == 0
    assert machine.said("namespace_rtt_seconds_sum", namespace="host") == pytest.approx(0.09)


def listen(machine: Exported, process: int, cookie: int = 1, **overrides: Any) -> int:
    """A listener at port 80; its row id."""
    row = {"state": "LISTEN", "local": "0.0.0.0", "lport": 80, "remote": None, "rport": None, "rx_bytes": None}
    return machine.open_socket(cookie, machine.held(process), **{**row, "rtt": None, "tx_bytes": None, **overrides})


AT_80 = {"namespace": "host", "address": "0.0.0.0", "port": "80", "program": "nginx"}


def test_a_listener_has_the_sums_of_the_connections_to_its_port(machine: Exported) -> None:
    nginx = machine.start_process(7, comm="nginx")
    listen(machine, nginx, recvq=3, sendq=12)
    came = machine.open_socket(2, machine.held(nginx), lport=80, rx_bytes=100, tx_bytes=1, since=None)
    machine.open_socket(3, machine.held(nginx), lport=4000, rx_bytes=999)
    machine.picture()
    machine.receive(came, 50)
    machine.open_socket(4, machine.held(nginx), lport=80, rx_bytes=7, tx_bytes=0, since=NOW)
    machine.picture()
    machine.set("stats", came, state="CLOSED", rx_bytes=160)
    machine.picture()
    machine.remove("sockets", came)
    machine.picture()
    assert machine.said("listener_rx_bytes_total", **AT_80) == 167
    assert machine.said("listener_accepted_total", **AT_80) == 1, "the first was there before"
    assert machine.said("listener_queue", **AT_80) == 3
    assert machine.said("listener_queue_limit", **AT_80) == 12
    assert machine.said("listener_queue_fill_ratio", **AT_80) == 0.25
    assert machine.said("listener_connections", **AT_80, state="ESTAB") == 1


def test_the_fullest_of_the_sockets_at_one_port_tells_how_full_it_is(machine: Exported) -> None:
    nginx = machine.start_process(7, comm="nginx")
    for cookie, waiting in ((1, 0), (2, 8), (3, 1)):
        listen(machine, nginx, cookie, recvq=waiting, sendq=8)
    machine.picture()
    assert machine.said("listener_queue", **AT_80) == 9
    assert machine.said("listener_queue_limit", **AT_80) == 24
    assert machine.said("listener_queue_fill_ratio", **AT_80) == 1.0


def test_an_address_of_its_own_comes_before_any_address(machine: Exported) -> None:
    nginx, proxy = machine.start_process(7, comm="nginx"), machine.start_process(8, comm="proxy")
    listen(machine, nginx)
    listen(machine, proxy, 2, local="10.0.0.1")
    machine.open_socket(3, machine.held(proxy), lport=80, local="10.0.0.1", rx_bytes=5)
    machine.open_socket(4, machine.held(nginx), lport=80, local="::ffff:10.0.0.2", family="inet6", rx_bytes=6)
    machine.picture()
    at_one = {**AT_80, "address": "10.0.0.1", "program": "proxy"}
    assert machine.said("listener_rx_bytes_total", **at_one) == 5
    assert machine.said("listener_rx_bytes_total", **AT_80) == 6


def test_a_server_that_is_started_again_goes_on_counting(machine: Exported) -> None:
    nginx = machine.start_process(7, comm="nginx")
    before = listen(machine, nginx)
    socket = machine.open_socket(2, machine.held(nginx), lport=80, rx_bytes=100)
    machine.picture()
    machine.remove("sockets", before)
    listen(machine, nginx, 3)
    machine.receive(socket, 5)
    machine.picture()
    assert machine.said("listener_rx_bytes_total", **AT_80) == 105
    assert machine.said("listener_listening", **AT_80) is None
    machine.remove("sockets", machine._next_id - 1)  # noqa: SLF001
    machine.picture()
    listen(machine, nginx, 5)
    machine.receive(socket, 1)
    machine.picture()
    assert machine.said("listener_rx_bytes_total", **AT_80) == 106


def test_the_row_that_time_wait_takes_over_is_not_counted_again(machine: Exported) -> None:
    nginx = machine.start_process(7, comm="nginx")
    listen(machine, nginx)
    socket = machine.open_socket(2, machine.held(nginx), lport=80, rx_bytes=100, state="CLOSED")
    machine.picture()
    machine.remove("sockets", socket)
    machine.open_socket(3, lport=80, rx_bytes=100, state="TIME-WAIT", inode=None)
    machine.picture()
    assert machine.said("listener_rx_bytes_total", **AT_80) == 100
    assert machine.said("listener_accepted_total", **AT_80) == 1


def test_where_the_other_end_is_hidden_what_time_wait_takes_over_is_not_counted_again(machine: Exported) -> None:
    nginx = machine.start_process(7, comm="nginx")
    listen(machine, nginx)
    hidden: dict[str, Any] = {"lport": 80, "remote": None, "rport": None, "rx_bytes": 100}
    sockets = [machine.open_socket(each, machine.held(nginx), state="CLOSED", **hidden) for each in (2, 3)]
    machine.picture()
    for each, socket in enumerate(sockets):
        machine.remove("sockets", socket)
        machine.open_socket(4 + each, state="TIME-WAIT", inode=None, **hidden)
    machine.picture()
    assert machine.said("listener_rx_bytes_total", **AT_80) == 200


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_beyond_the_bound_everybody_is_part_of_the_rest() -> None:
    machine = Exported(most=2)
    for pid in range(10):
        process = machine.start_process(pid, comm=f"p{pid}")
        machine.open_socket(pid, machine.held(process), rx_bytes=pid, tx_bytes=0, state="ESTAB")
    machine.picture()
    assert machine.said("program_rx_bytes_total", program="p9") == 9
    assert machine.said("program_rx_bytes_total", program="p8") == 8
    assert machine.said("program_rx_bytes_total", program="other") == sum(range(8))
    assert machine.said("program_connections", program="other", state="ESTAB") == 8
    assert machine.said("program_processes", program="other") == 8
    assert machine.said("unnamed", scope="program") == 8
    assert machine.said("series", scope="program") == 2


def _counters(samples: Samples) -> Samples:
    ending = ("_total", "_bucket", "_count", "_sum")
    return {key: number for key, number in samples.items() if key[0].endswith(ending)}


@given(streams())
@settings(max_examples=30, deadline=None)
def test_whatever_happens_no_counter_runs_backwards_and_no_bound_is_broken(told: list[Delta]) -> None:
    store, account = Store(), Account(2)
    before: Samples = {}
    for delta in told:
        picture = store.apply(delta)
        assert picture is not None
        account.take(picture)
        now = _counters(exported(account))
        assert not [key for key in before.keys() & now.keys() if now[key] < before[key]]
        for scope in ("program", "container", "unit", "namespace", "listener"):
            series = {key[1] for key in now if key[0] == f"nettop_{scope}_rx_bytes_total"}
            assert len(series) <= 3
        before = now


@given(streams())
@settings(max_examples=30, deadline=None)
def test_as_long_as_nothing_ends_programs_sum_up_to_their_processes(told: list[Delta]) -> None:
    store, account = Store(), Account(2)
    picture = None
    for number, delta in enumerate(told):
        lasting = {
            name: Change(change.rows, []) for name, change in delta.changes.items() if name != "processes" or not number
        }
        picture = store.apply(delta._replace(key=not number, changes=lasting))
        assert picture is not None
        account.take(picture)
    assert picture is not None
    book = account.books["program"]
    true = sum(series._true[0] for series in (*book.table.named.values(), book.table.rest))  # noqa: SLF001
    assert true == sum(row.rx_bytes or 0 for row in picture.processes.values())
