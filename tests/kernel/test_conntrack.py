"""Connection tracking of a real kernel: NAT between namespaces, counted UDP, and what `conntrack` shows of both."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Self

import pytest

from nettop.collector.conntrack import ASK_EVERY, ConntrackTracker
from nettop.collector.health import HealthBook
from nettop.collector.outbox import Outbox
from nettop.fields import CONNECTIONS
from nettop.kernel import conntrack, netns
from nettop.kernel.conntrack import ConntrackEvents, ConntrackSocket, Flow, read_accounting
from nettop.kernel.recvmmsg import Batch
from nettop.model import Health, Nat, Socket
from nettop.snapshot import Connection, Snapshot
from tests.support.rows import connection
from tests.support.sockets import SocketRoom
from tests.support.watching import DEADLINE, Watch, complaint, connections, inode_of, namespace, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces and connection tracking need root"),
    pytest.mark.skipif(not conntrack.present(), reason="this kernel tracks no connections"),
    pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed"),
]

PUBLIC, PRIVATE = "10.91.0.1", "10.92.0.2"
NAT = f"""
table ip nat {{
  chain in {{
    type nat hook prerouting priority -100
    ip daddr {PUBLIC} tcp dport 8080 dnat to {PRIVATE}:80
    ip daddr {PUBLIC} udp dport 5353 dnat to {PRIVATE}:53
  }}
  chain out {{
    type nat hook postrouting priority 100
    oifname "inner" masquerade
  }}
}}
"""
"""A published port and masqueraded clients, as engines of containers make them."""
SERVICE = f"""
table ip nat {{
  chain out {{
    type nat hook output priority -100
    ip daddr 10.96.0.1 tcp dport 443 dnat to {PRIVATE}:80
  }}
}}
"""
"""A service address that is nowhere, translated in the client's own namespace."""
REMEDY = "sysctl -w net.netfilter.nf_conntrack_acct=1"
TRACKING = "table inet track { chain in { type filter hook input priority 0; ct state new accept; }; }"

_SERVER = """
import socket, sys
listener = socket.create_server(("0.0.0.0", 80))
print("ready", flush=True)
accepted, _ = listener.accept()
sys.stdin.read()
"""


class Site:
    """Three namespaces in a row: a client, a router that translates, a server."""

    def __init__(self) -> None:
        self.client, self.router, self.server = SocketRoom("client"), SocketRoom("router"), SocketRoom("server")
        self._stack = ExitStack()
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        for room in (self.client, self.router, self.server):
            self._stack.enter_context(room)
        self._wire(self.client, "10.91.0.2", "outer", PUBLIC)
        self._wire(self.server, PRIVATE, "inner", "10.92.0.1")
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        load(self.router, NAT)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def _wire(self, room: SocketRoom, address: str, name: str, gateway: str) -> None:
        self.router.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", room.name)
        self.router.run("ip", "address", "add", f"{gateway}/24", "dev", name)
        self.router.run("ip", "link", "set", name, "up")
        room.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        room.run("ip", "link", "set", "eth0", "up")
        room.run("ip", "route", "add", "default", "via", gateway)

    @property
    def path(self) -> str:
        """Where the router's namespace is entered."""
        return f"/run/netns/{self.router.name}"

    def connect(self, address: str = PUBLIC, port: int = 8080) -> tuple[socket.socket, socket.socket]:
        """A connection from the client to the server: both ends."""
        if self._listener is None:
            self._listener = self.server.listener("0.0.0.0", 80, backlog=1000)
        near = self.client.open(socket.AF_INET, socket.SOCK_STREAM)
        near.connect((address, port))
        far, _ = self._listener.accept()
        self._stack.callback(far.close)
        return near, far

    def ask(self) -> tuple[socket.socket, socket.socket]:
        """A question by UDP through the published port: the client's socket, which is connected, and the server's."""
        server = self.server.udp("0.0.0.0", 53)
        client = self.client.open(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((PUBLIC, 5353))
        client.send(b"who?")
        _, asker = server.recvfrom(100)
        server.sendto(b"nobody", asker)
        client.recv(100)
        return client, server

    def serve(self) -> subprocess.Popen[str]:
        """A program of its own at the server's port 80, which has its first connection when it comes."""
        command = ["ip", "netns", "exec", self.server.name, sys.executable, "-c", _SERVER]
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._stack.enter_context(program)
        assert program.stdin is not None
        assert program.stdout is not None
        self._stack.callback(program.stdin.close)
        assert program.stdout.readline() == "ready\n"
        return program


@pytest.fixture(params=["few flows", "many flows"])
def amount(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few flows are all listed at once; of more the kernel is asked for those that matter."""
    if request.param == "many flows":
        monkeypatch.setattr("nettop.collector.conntrack.FEW", 0)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    """One namespace that tracks what it sends itself, and counts it."""
    with SocketRoom("tracked") as made:
        load(made, TRACKING)
        made.run("sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1")
        yield made


def load(room: SocketRoom, rules: str) -> None:
    """Have nft add rules in a namespace."""
    entering = ["ip", "netns", "exec", room.name, "nft", "-f", "-"]
    subprocess.run(entering, input=rules, text=True, check=True)


def row_of(picture: Snapshot, made: socket.socket) -> Connection | None:
    return next(iter(connections(picture, inode_of(made.fileno()))), None)


def nat_of(made: socket.socket) -> Callable[[Snapshot], Nat | None]:
    """(picture) → who is at the other end in truth."""

    def true_end(picture: Snapshot) -> Nat | None:
        row = row_of(picture, made)
        return row.nat if row else None

    return true_end


def shown(picture: Snapshot, made: socket.socket, *fields: str) -> list[object]:
    row = row_of(picture, made)
    assert row is not None
    return [CONNECTIONS.fields[name].get(row, picture.time) for name in fields]


def counted(made: socket.socket, received: int, sent: int) -> Callable[[Snapshot], bool]:
    """(picture) → whether it shows exactly these bytes of a socket."""

    def shows_the_bytes(picture: Snapshot) -> bool:
        row = row_of(picture, made)
        return row is not None and (row.stats.rx_bytes, row.stats.tx_bytes) == (received, sent)

    return shows_the_bytes


# --- what the kernel says --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("conntrack"), reason="conntrack is not installed")
def test_flows_are_those_that_conntrack_lists(site: Site) -> None:
    site.router.run("sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1")
    site.connect()
    site.ask()
    assert read_accounting(site.path)
    asker = ConntrackSocket(site.path)
    flows = asker.translated()
    listed = site.router.run("conntrack", "-L", "-o", "id").splitlines()
    assert asker.fill().flows == len(listed) == 2
    assert {_as_listed(flow) for flow in flows} == {_essence(line) for line in listed}
    assert {_as_listed(flow) for flow in asker.flows()} == {_essence(line) for line in listed}
    assert [flow.protocol for flow in asker.udp(socket.AF_INET)] == [socket.IPPROTO_UDP]
    assert asker.udp(socket.AF_INET6) == []
    asker.close()


def _essence(line: str) -> tuple[str, ...]:
    """Protocol, both tuples and counters, and id of a line of `conntrack -L`."""
    pairs = re.findall(r"(?:src|dst|sport|dport|packets|bytes|id)=(\S+)", line)
    return (line.split()[1], *pairs)


def _as_listed(flow: Flow) -> tuple[str, ...]:
    ways = ((flow.orig, flow.sent), (flow.reply, flow.answered))
    parts = [(w.source, w.destination, w.sport, w.dport, *(c or ())) for w, c in ways]
    return tuple(map(str, (flow.protocol, *parts[0], *parts[1], flow.number)))


def test_the_kernel_tells_of_translated_flows_and_of_udp_that_ended_and_of_nothing_else(site: Site) -> None:
    load(site.router, TRACKING)
    events = ConntrackEvents(site.path)
    site.router.udp_connected().send(b"tracked, not translated")
    site.connect()
    site.ask()
    new, ended = events.drain()
    assert [flow.protocol for flow in new] == [socket.IPPROTO_TCP, socket.IPPROTO_UDP]
    assert ended == []
    site.router.run("conntrack", "-D", "-p", "tcp")
    site.router.run("conntrack", "-D", "-p", "udp", "--dport", "5353")
    new, ended = events.drain()
    assert new == []
    assert [(flow.protocol, flow.orig.dport) for flow in ended] == [(socket.IPPROTO_UDP, 5353)]
    events.close()


def test_a_full_queue_of_events_is_counted_and_read_on(site: Site) -> None:
    events = ConntrackEvents(site.path, receive_buffer=2048)
    ends = [site.connect() for _ in range(40)]
    new, _ = events.drain()
    assert 0 < len(new) < len(ends)
    assert events.overruns == 1
    site.connect()
    new, _ = events.drain()
    assert len(new) == 1
    events.close()


def test_without_privilege_it_is_refused() -> None:
    program = "from nettop.kernel.conntrack import *; ConntrackSocket().fill()"
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", program]
    done = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert "PermissionError: [Errno 1]" in done.stderr


# --- who is behind NAT -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("amount")
def test_both_ends_of_a_published_port_show_who_the_other_one_is(site: Site) -> None:
    near, far = site.connect()
    with Watch() as watch:  # the connection is older
        assert watch.until(nat_of(near)) == Nat(PRIVATE, 80)
        assert watch.until(nat_of(far)) == Nat("10.91.0.2", near.getsockname()[1])
        assert shown(watch.tick(), near, "remote", "rport", "nat_remote", "nat_rport") == [PUBLIC, 8080, PRIVATE, 80]
        near, far = site.connect()  # and younger
        assert watch.until(nat_of(near)) == Nat(PRIVATE, 80)
        assert watch.until(nat_of(far)) == Nat("10.91.0.2", near.getsockname()[1])
        client, _ = site.ask()
        assert watch.until(nat_of(client)) == Nat(PRIVATE, 53)


def test_a_connection_between_two_looks_is_seen_through_when_it_is_over(site: Site) -> None:
    with Watch() as watch:
        near, _ = site.connect()
        watch.until(nat_of(near))
        near, far = site.connect()
        port = near.getsockname()[1]
        near.close()
        far.close()

        def true_ends(picture: Snapshot) -> list[Nat] | None:
            rows = [row for row in picture.connections.values() if port in (row.socket.lport, row.socket.rport)]
            found = [row.nat for row in rows if row.nat]
            return sorted(found) if len(found) > 1 else None

        assert watch.until(true_ends) == [Nat("10.91.0.2", port), Nat(PRIVATE, 80)]


def test_the_process_behind_the_published_port_is_named_at_both_ends(site: Site) -> None:
    program = site.serve()
    near = site.client.open(socket.AF_INET, socket.SOCK_STREAM)
    near.connect((PUBLIC, 8080))

    def peer_is_known(picture: Snapshot) -> Connection | None:
        row = row_of(picture, near)
        peer = row.peer if row else None
        return peer if peer and peer.process else None

    with Watch() as watch:
        server = watch.until(peer_is_known)
        assert server.owners[0].pid == program.pid
        assert server.socket.netns == site.server.netns
        (text,) = shown(watch.tick(), near, "peer")
        assert server.process is not None
        assert text == f"{server.process.comm} ({program.pid}) in {site.server.name}"
        assert server.peer is not None
        assert server.peer.owners[0].pid == os.getpid()


def test_a_service_address_is_seen_through_in_the_clients_own_namespace(site: Site) -> None:
    load(site.client, SERVICE)
    near, far = site.connect("10.96.0.1", 443)
    with Watch() as watch:
        assert watch.until(nat_of(near)) == Nat(PRIVATE, 80)
        assert watch.until(nat_of(far)) == Nat("10.91.0.2", near.getsockname()[1])


def test_a_masqueraded_client_has_no_other_remote_end_than_it_knows(site: Site) -> None:
    near, far = site.connect(PRIVATE, 80)
    with Watch() as watch:
        assert watch.until(nat_of(far)) == Nat("10.91.0.2", near.getsockname()[1])
        assert shown(watch.tick(), near, "nat_remote") == [None]
        row = row_of(watch.tick(), near)
        assert row is not None
        assert row.peer is row_of(watch.tick(), far)


# --- bytes of UDP ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("amount")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_bytes_of_udp_are_what_was_sent_flows_that_ended_included(room: SocketRoom, address: str) -> None:
    server = room.udp(address, 5300)
    clients = [room.udp(address) for _ in range(3)]
    with Watch() as watch:
        sent = answered = 0
        for size in (1, 0, 1400, 4000, 60_000):  # the last ones go in fragments where the way is narrow
            for client in clients:
                client.sendto(bytes(size), (address, 5300))
                _, asker = server.recvfrom(1 << 16)
                server.sendto(b"thanks", asker[:2])
                assert client.recv(100) == b"thanks"
                sent, answered = sent + size, answered + 6
            watch.tick()
        watch.until(counted(server, sent, answered))
        watch.until(counted(clients[0], answered // 3, sent // 3))
        room.run("conntrack", "-D", "-p", "udp", "-f", "ipv6" if ":" in address else "ipv4")
        clients[0].sendto(b"again", (address, 5300))
        watch.until(counted(server, sent + 5, answered))
        room.run("conntrack", "-D", "-p", "udp", "-f", "ipv6" if ":" in address else "ipv4")
        clients[0].sendto(b"short", (address, 5300))
        room.run("conntrack", "-D", "-p", "udp", "-f", "ipv6" if ":" in address else "ipv4")
        watch.until(counted(server, sent + 10, answered))
        assert shown(watch.tick(), server, "rx_packets", "tx_packets") == [17, 15]


def test_what_a_closed_socket_sent_stays_with_its_process(room: SocketRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettop.collector.endings.KEPT", 0.0)
    server = room.udp("127.0.0.1", 5300)
    with Watch() as watch:
        before = own_bytes(watch.tick())
        client = room.udp()
        client.sendto(bytes(700), ("127.0.0.1", 5300))
        inode = inode_of(client.fileno())
        watch.until(counted(client, 0, 700))
        client.sendto(bytes(300), ("127.0.0.1", 5300))
        client.close()
        watch.until(lambda picture: not connections(picture, inode))
        watch.until(counted(server, 1000, 0))
        assert own_bytes(watch.tick()) - before == 1000 + 1000


def own_bytes(picture: Snapshot) -> int:
    """What this process received and sent so far."""
    row = process(picture, os.getpid())
    assert row is not None
    return (row.rx_bytes or 0) + (row.tx_bytes or 0)


def test_bytes_that_nobody_counts_are_unknown_and_the_remedy_is_told(room: SocketRoom) -> None:
    room.run("sysctl", "-qw", "net.netfilter.nf_conntrack_acct=0")
    server, client = room.udp("127.0.0.1", 5300), room.udp()
    client.sendto(b"12345", ("127.0.0.1", 5300))
    with Watch() as watch:
        picture = watch.tick()
        assert shown(picture, server, "rx_bytes", "tx_bytes", "rx_rate") == [None, None, None]
        said = complaint(picture, "conntrack:accounting")
        assert said is not None
        assert (said.status, said.remedy) == ("absent", REMEDY)
        room.run(*REMEDY.split())
        other = room.udp("127.0.0.1", 5301)
        client.sendto(b"123", ("127.0.0.1", 5301))
        watch.until(counted(other, 3, 0))
        assert shown(watch.tick(), server, "rx_bytes") == [None], "a part of it was never counted"


def test_the_remedy_is_told_until_it_is_taken(room: SocketRoom) -> None:
    """Of this namespace alone: in others of the machine flows may go uncounted for ever."""
    room.run("sysctl", "-qw", "net.netfilter.nf_conntrack_acct=0")
    room.udp().sendto(b"12345", ("127.0.0.1", 5300))
    health = HealthBook(outbox := Outbox())
    tracker = ConntrackTracker(outbox, health)
    paths = {room.netns: f"/run/netns/{room.name}"}
    try:
        tracker.read(paths, set(paths))
        assert [(row.source, row.remedy) for row in health.rows()] == [("conntrack:accounting", REMEDY)]
        room.run(*REMEDY.split())
        for _ in range(ASK_EVERY):
            tracker.read(paths, set(paths))
        assert health.rows() == []
    finally:
        tracker.close()


# --- states ----------------------------------------------------------------------------------------------------------


def test_an_overrun_is_told_and_the_flows_are_listed_again(site: Site) -> None:
    outbox = Outbox()
    tracker = ConntrackTracker(outbox, HealthBook(outbox), receive_buffer=2048)
    paths = {site.router.netns: site.path}
    site.connect()
    tracker.read(paths, set(paths))
    tracker.settle(None)
    ends = [site.connect() for _ in range(40)]
    for number, (near, _) in enumerate(ends):
        tracker.note(site.client.netns, [(number, _client_row(near))])
    deadline = time.monotonic() + DEADLINE
    told: dict[int, Nat] = {}
    complaints: list[Health] = []
    while len(told) < len(ends) and time.monotonic() < deadline:
        sought = tracker.read(paths, set(paths))
        for number, (near, _) in enumerate(ends):  # as the socket tables do
            row = _client_row(near)
            assert row.ends is not None
            for name in sought.wanted["tcp"].values() if sought else ():
                if name[1:] == row.ends:
                    sought.found.append((site.client.netns, number, name))  # type: ignore[union-attr]
                    break
        tracker.settle(sought)
        changes = outbox.take(0.0, 0.0).changes
        told.update(changes["nat"].rows if "nat" in changes else {})
        complaints += changes["health"].rows.values() if "health" in changes else ()
    assert set(told.values()) == {Nat(PRIVATE, 80)}
    assert len(told) == len(ends)
    assert [(said.status, said.times) for said in complaints if said.source == "conntrack:events"] == [("lossy", 1)]
    tracker.close()


def test_a_list_with_a_hole_is_told_and_asked_for_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = ConntrackSocket._dump  # noqa: SLF001
    broken: list[ConntrackSocket] = []

    def break_off(self: ConntrackSocket, kind: int, request: bytes, batch: Batch | None) -> list[bytes] | None:
        if broken:
            return dump(self, kind, request, batch)
        broken.append(self)
        self._holes += 1
        return None

    monkeypatch.setattr(ConntrackSocket, "_dump", break_off)
    near, _ = site.connect()
    with Watch() as watch:
        assert watch.until(nat_of(near)) == Nat(PRIVATE, 80), "nothing is missing for that"
        said = complaint(watch.tick(), "conntrack:holes")
        assert said is not None
        assert (said.status, said.times) == ("lossy", 1)


def _client_row(near: socket.socket) -> Socket:
    (local, lport), (remote, rport) = near.getsockname(), near.getpeername()
    return connection(local=local, lport=lport, remote=remote, rport=rport).socket


def sockets_in(number: int) -> int:
    """How many sockets of this process are in a namespace."""
    found = 0
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # no socket, or no longer there
            there = netns.open_of_socket(int(entry))
            found += os.fstat(there).st_ino == number
            os.close(there)
    return found


def test_a_namespace_that_ends_is_let_go() -> None:
    with Watch() as watch:
        with Site() as site:
            near, _ = site.connect()
            watch.until(nat_of(near))
            assert sockets_in(site.router.netns) >= 3, "one that lists sockets, one that hears of ends, one for flows"
        watch.until(lambda picture: namespace(picture, site.router.netns) is None)
        assert sockets_in(site.router.netns) == 0


def test_a_kernel_without_it_is_said_to_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "present", lambda: False)
    with Watch() as watch:
        said = complaint(watch.tick(), "conntrack")
    assert said is not None
    assert (said.status, said.remedy) == ("absent", "modprobe nf_conntrack")


def test_what_may_not_be_read_is_said_until_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: ConntrackSocket) -> conntrack.Fill:
        raise PermissionError(1, "Operation not permitted")

    with Watch() as watch, Site() as site:

        def complained(picture: Snapshot) -> Health | None:
            site.connect()  # where nothing moves nobody is asked
            return complaint(picture, "conntrack")

        with monkeypatch.context() as refused:
            refused.setattr(ConntrackSocket, "fill", refuse)
            watch.until(complained)
            for _ in range(ASK_EVERY):
                said = complaint(watch.tick(), "conntrack")
                assert said is not None
                assert (said.status, said.remedy) == ("unavailable", "sudo nettop")
        watch.until(lambda picture: complained(picture) is None)
