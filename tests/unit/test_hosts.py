"""Hosts have the names that /etc/hosts or a name server says, in time, and only if they could be a host's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop import names
from nettop.names import FRESH, FRESH_UNKNOWN, KEPT, WAITING, WORKERS, Hosts, parse_hosts

PEER = "192.0.2.7"
DEADLINE = 5.0


class Server:
    """Stands in for the C library: answers when it is told to, and counts."""

    def __init__(self) -> None:
        self.names: dict[str, str | None] = {}
        self.asked: list[str] = []
        self.open = threading.Event()
        self.open.set()
        self.clock = 0.0

    def ask(self, address: str) -> str | None:
        self.asked.append(address)
        self.open.wait(DEADLINE)
        return self.names.get(address)

    def hosts(self, file: Path = Path("/nonexistent")) -> Hosts:
        return Hosts(self.ask, file, lambda: self.clock)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.open.set()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.001)


def test_a_name_is_there_once_it_was_answered_and_nobody_waits_for_it(server: Server) -> None:
    server.names[PEER] = "peer.example.net"
    server.open.clear()
    hosts = server.hosts()
    assert hosts.host(PEER) is None
    assert not hosts.news()
    server.open.set()
    until(hosts.news)
    assert hosts.host(PEER) == "peer.example.net"
    assert not hosts.news(), "it is told once"


def test_what_is_known_is_not_asked_again_before_it_is_old(server: Server) -> None:
    server.names[PEER] = "old.example.net"
    hosts = server.hosts()
    hosts.host(PEER)
    until(hosts.news)
    server.clock = FRESH - 1
    assert hosts.host(PEER) == "old.example.net"
    assert server.asked == [PEER]
    server.names[PEER] = "new.example.net"
    server.clock = FRESH + 1
    assert hosts.host(PEER) == "old.example.net", "the old name stands meanwhile"
    until(hosts.news)
    assert hosts.host(PEER) == "new.example.net"


def test_a_host_without_a_name_is_left_alone_for_a_while(server: Server) -> None:
    hosts = server.hosts()
    hosts.host(PEER)
    until(lambda: server.asked)
    for _ in range(10):
        assert hosts.host(PEER) is None
    assert server.asked == [PEER]
    server.clock = FRESH_UNKNOWN + 1
    until(lambda: hosts.host(PEER) is None and len(server.asked) == 2)


@pytest.mark.parametrize(
    "answer",
    [
        "a b.example.net",
        "\x1b[31mred.example.net",
        "[bold]x[/bold]",
        "10.0.0.1",
        "x.10",
        "exämple.net",
        "a" * 254,
        "",
        "a\nb",
        "name\u202e.example",
    ],
)
def test_an_answer_that_could_not_be_a_hosts_name_is_none(server: Server, answer: str) -> None:
    server.names[PEER] = answer
    server.names["192.0.2.8"] = "good.example.net"
    hosts = server.hosts()
    hosts.host(PEER)
    hosts.host("192.0.2.8")
    until(lambda: hosts.host("192.0.2.8"))
    until(lambda: len(server.asked) == 2)
    assert hosts.host(PEER) is None


def test_threads_and_questions_are_bounded(server: Server) -> None:
    server.open.clear()
    hosts = server.hosts()
    before = threading.active_count()
    for number in range(4 * WAITING):
        assert hosts.host(f"198.51.{number >> 8}.{number & 255}") is None
    until(lambda: len(server.asked) == WORKERS)
    assert threading.active_count() - before <= WORKERS
    server.open.set()
    until(lambda: len(server.asked) >= WAITING)
    assert len(server.asked) <= WAITING + 2 * WORKERS


def test_what_is_kept_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "KEPT", 4)
    assert KEPT > 4
    hosts = server.hosts()
    for number in range(8):
        server.names[f"192.0.2.{number}"] = f"n{number}.example"
        hosts.host(f"192.0.2.{number}")
        until(hosts.news)
    assert hosts.host("192.0.2.7") == "n7.example"
    assert hosts.host("192.0.2.0") is None


@pytest.mark.parametrize("address", ["", "/run/x.sock", "@abstract", "route", "0.0.0.0", "::", "127.0.0.9", "fe80::1"])
def test_what_is_no_address_of_a_host_elsewhere_is_not_asked_for(server: Server, address: str) -> None:
    assert server.hosts().host(address) is None
    assert server.asked == []


def test_etc_hosts_goes_first_and_at_once(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 localhost\n192.0.2.7\tdb-1 db-1.example # ours\n2001:DB8::0:7 db-6\n")
    hosts = server.hosts(file)
    assert [hosts.host(a) for a in ("127.0.0.1", PEER, "2001:db8::7")] == ["localhost", "db-1", "db-6"]
    assert server.asked == []


def test_ports_keep_the_names_of_services(server: Server) -> None:
    assert server.hosts().port(22, "tcp") == names.Services().port(22, "tcp")


@given(st.binary())
def test_no_hosts_file_makes_it_stumble(data: bytes) -> None:
    for name in parse_hosts(data).values():
        assert name.isascii()
        assert name.isprintable()
