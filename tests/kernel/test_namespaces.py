"""Namespaces and interfaces as they come, change and go, and that nobody is kept alive by being watched."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nettop.model import Interface, InterfaceCounters
from nettop.snapshot import NamespaceRow, Snapshot
from tests.support import netns
from tests.support.sockets import SocketRoom
from tests.support.watching import (
    DEADLINE,
    Watch,
    namespace,
    process,
)

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces and process events need root"),
]


@pytest.fixture(scope="module")
def watch() -> Iterator[Watch]:
    with Watch() as made:
        yield made


@pytest.fixture
def name() -> Iterator[str]:
    """A name for a namespace, free, and free again afterwards."""
    chosen = f"nettop-test-{os.getpid()}-collector"
    yield chosen
    netns.delete(chosen)


@contextlib.contextmanager
def waiting(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for its standard input to close; it ends with the block."""
    with subprocess.Popen([*command, "cat"], stdin=subprocess.PIPE) as made:
        try:
            yield made
        finally:
            made.kill()


def netns_of(made: subprocess.Popen[bytes]) -> int:
    """Inode of the namespace a process moved to: it does that in its own time."""
    home = os.stat("/proc/self/ns/net").st_ino
    deadline = time.monotonic() + DEADLINE
    while (inode := os.stat(f"/proc/{made.pid}/ns/net").st_ino) == home and time.monotonic() < deadline:
        time.sleep(0.002)
    return inode


# --- namespaces ------------------------------------------------------------------------------------------------------


def test_a_named_namespace_appears_gains_a_process_and_goes(watch: Watch, name: str) -> None:
    netns.add(name)
    inode = netns.inode(name)

    def shown(picture: Snapshot) -> tuple[str | None, str, int | None] | None:
        row = namespace(picture, inode)
        return (row.namespace.name, row.namespace.kind, row.namespace.pid) if row else None

    assert watch.until(shown) == (name, "orphan", None)
    with waiting("ip", "netns", "exec", name) as inside:
        watch.until(lambda picture: shown(picture) == (name, "named", inside.pid))
    watch.until(lambda picture: shown(picture) == (name, "orphan", None))
    netns.delete(name)
    watch.until(lambda picture: shown(picture) is None)


def test_a_namespace_without_a_name_is_known_by_its_process_and_is_read_on_when_another_takes_over(
    watch: Watch,
) -> None:
    with waiting("unshare", "-n") as first:
        inode = netns_of(first)
        row = watch.until(lambda picture: namespace(picture, inode))
        assert (row.namespace.kind, row.namespace.pid, row.namespace.via) == ("anonymous", first.pid, "netlink")
        with waiting("nsenter", f"--net=/proc/{first.pid}/ns/net") as second:
            assert netns_of(second) == inode
            watch.until(lambda picture: (row := process(picture, second.pid)) and row.process.netns == inode)
            first.kill()
            first.wait()
            watch.until(lambda picture: (row := namespace(picture, inode)) and row.namespace.pid == second.pid)
    watch.until(lambda picture: namespace(picture, inode) is None)


def test_a_name_given_later_is_shown_and_one_taken_away_is_not(watch: Watch, name: str) -> None:
    with waiting("unshare", "-n") as inside:
        inode = netns_of(inside)
        watch.until(lambda picture: (row := namespace(picture, inode)) and row.namespace.kind == "anonymous")
        subprocess.run(["ip", "netns", "attach", name, str(inside.pid)], check=True)
        watch.until(lambda picture: (row := namespace(picture, inode)) and row.namespace.name == name)
        netns.delete(name)
        watch.until(lambda picture: (row := namespace(picture, inode)) and row.namespace.name is None)


@pytest.fixture
def veth() -> Iterator[tuple[str, str]]:
    """Names of the two ends of a veth pair; the first stays here, and goes when the namespace of the other is freed."""
    ends = f"ntc{os.getpid()}a", f"ntc{os.getpid()}b"
    yield ends
    if Path("/sys/class/net", ends[0]).exists():
        subprocess.run(["ip", "link", "delete", ends[0]], check=True)


def until_freed(watch: Watch, end: str) -> None:
    watch.until(lambda _: not Path("/sys/class/net", end).exists())


def test_a_namespace_deleted_while_it_is_watched_is_freed(watch: Watch, name: str, veth: tuple[str, str]) -> None:
    netns.add(name)
    inode = netns.inode(name)
    subprocess.run(["ip", "link", "add", veth[0], "type", "veth", "peer", "name", veth[1], "netns", name], check=True)
    watch.until(lambda picture: (row := namespace(picture, inode)) and interface(row, veth[1]))
    netns.delete(name)
    until_freed(watch, veth[0])
    watch.until(lambda picture: namespace(picture, inode) is None)


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_a_namespace_whose_last_process_ends_is_freed(watch: Watch, veth: tuple[str, str], reaped: bool) -> None:
    """A zombie has left its namespaces already, whenever its parent takes its exit status."""
    with waiting("unshare", "-n") as inside:
        inode, pid = netns_of(inside), inside.pid
        link = ["ip", "link", "add", veth[0], "type", "veth", "peer", "name", veth[1], "netns", str(pid)]
        subprocess.run(link, check=True)
        watch.until(lambda picture: (row := namespace(picture, inode)) and interface(row, veth[1]))
        inside.kill()
        if reaped:
            inside.wait()
        until_freed(watch, veth[0])
        watch.until(lambda picture: namespace(picture, inode) is None)
        if not reaped:
            row = process(watch.tick(), pid)
            assert row is not None
            assert (row.usage.state, row.process.netns, row.process.command) == ("Z", None, "[cat]")


# --- interfaces ------------------------------------------------------------------------------------------------------


def interface(row: NamespaceRow, name: str) -> Interface | None:
    return next((i for i, _ in row.interfaces if i.name == name), None)


def received(picture: Snapshot, inode: int, name: str) -> int:
    row = namespace(picture, inode)
    counters = next((c for i, c in row.interfaces if i.name == name), None) if row else None
    return counters.rx_packets if counters else 0


def test_interfaces_come_with_their_addresses_and_their_counters_move(watch: Watch) -> None:
    with SocketRoom("links") as room:
        watch.until(lambda picture: (row := namespace(picture, room.netns)) and interface(row, "lo"))
        for command in (
            "link add left type veth peer name right",
            "address add 192.0.2.1/24 dev left",
            "address add 2001:db8::1/64 dev left nodad",
            "link set left up",
            "link set right up",
        ):
            room.run("ip", *command.split())

        def complete(picture: Snapshot) -> bool:
            row = namespace(picture, room.netns)
            found = interface(row, "left") if row else None
            return (
                found is not None
                and (found.kind, found.state) == ("veth", "UP")
                and {"192.0.2.1/24", "2001:db8::1/64"} <= set(found.addresses)
            )

        watch.until(complete)
        before = received(watch.tick(), room.netns, "lo")
        near, far = room.udp(), room.udp()
        for _ in range(10):
            near.sendto(b"datagram", far.getsockname())
        assert received(watch.tick(), room.netns, "lo") == before + 10
        room.run("ip", "link", "delete", "left")
        watch.until(lambda picture: (row := namespace(picture, room.netns)) and not interface(row, "left"))


def test_counters_come_in_the_same_picture_as_the_interfaces(watch: Watch) -> None:
    with SocketRoom("counters") as room:

        def interfaces(picture: Snapshot) -> Sequence[tuple[Interface, InterfaceCounters | None]]:
            row = namespace(picture, room.netns)
            return row.interfaces if row else ()

        [(loopback, counters)] = watch.until(interfaces)
        assert loopback.name == "lo"
        assert counters is not None
