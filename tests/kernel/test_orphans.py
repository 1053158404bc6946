"""Namespaces that no process is in and nothing mounted refers to: found by what somebody outside has open."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from nettop.kernel.netns import enter
from nettop.snapshot import NamespaceRow, Snapshot
from tests.support import netns
from tests.support.watching import Watch, namespace

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettop.collector.orphans.LOOK_EVERY", 0.2)


class Abandoned:
    """A namespace that one process outside keeps."""

    def __init__(self, inode: int, holder: subprocess.Popen[bytes]) -> None:
        self.inode = inode
        self.holder = holder

    @property
    def way_in(self) -> str:
        """A path that leads into it, while its keeper has it open itself."""
        files = f"/proc/{self.holder.pid}/fd"
        return next(f"{files}/{fd}" for fd in os.listdir(files) if int(fd) > 2)

    def row(self, picture: Snapshot) -> NamespaceRow | None:
        return namespace(picture, self.inode)


@contextlib.contextmanager
def abandoned(open_in: Callable[[], int]) -> Iterator[Abandoned]:
    """A namespace without a name, kept by what `open_in` opens inside it: a descriptor that a process outside gets."""
    name = f"nettop-test-{os.getpid()}-orphan"
    netns.add(name)
    try:
        inode = netns.inode(name)
        with netns.entered(name):
            netns.loopback_up()
            descriptor = open_in()
        try:
            holder = subprocess.Popen(["sleep", "600"], pass_fds=[descriptor])
        finally:
            os.close(descriptor)
    finally:
        netns.delete(name)
    with ending(holder):
        yield Abandoned(inode, holder)


@contextlib.contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def a_listener() -> int:
    made = socket.create_server(("127.0.0.1", 4711))
    return made.detach()


def a_socket_without_an_address() -> int:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()


def the_namespace_itself() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@pytest.mark.parametrize("what", [a_listener, a_socket_without_an_address, the_namespace_itself])
def test_a_namespace_that_only_an_open_file_keeps_is_shown_with_who_keeps_it(what: Callable[[], int]) -> None:
    with abandoned(what) as left, Watch() as watch:
        row = watch.until(left.row)
        told = row.namespace
        assert (told.kind, told.pid, told.holder, told.via) == ("orphan", None, left.holder.pid, "netlink")
        watch.until(lambda picture: (row := left.row(picture)) and [i.name for i, _ in row.interfaces] == ["lo"])
        sockets = [row for row in watch.tick().connections.values() if row.socket.netns == left.inode]
        listening = [(row.socket.lport, row.owners[0].pid) for row in sockets if row.stats.state == "LISTEN"]
        assert listening == ([(4711, left.holder.pid)] if what is a_listener else [])


@pytest.mark.parametrize("what", [a_listener, the_namespace_itself])
def test_it_goes_with_the_process_that_kept_it(what: Callable[[], int]) -> None:
    with abandoned(what) as left, Watch() as watch:
        watch.until(left.row)
        end(left.holder)
        watch.until(lambda picture: left.row(picture) is None)
        assert left.inode not in open_namespaces(os.getpid())


def test_it_stays_while_another_one_keeps_it() -> None:
    with abandoned(the_namespace_itself) as left, Watch() as watch:
        watch.until(left.row)
        with ending(subprocess.Popen(["sh", "-c", f"exec sleep 600 9<{left.way_in}"])) as second:
            watch.until(lambda _: left.inode in open_namespaces(second.pid))
            end(left.holder)
            watch.until(lambda picture: (row := left.row(picture)) and row.namespace.holder == second.pid)


@pytest.mark.parametrize("what", [a_listener, a_socket_without_an_address])
def test_a_namespace_whose_last_process_leaves_stays_while_a_socket_of_it_is_open(what: Callable[[], int]) -> None:
    with abandoned(the_namespace_itself) as left, Watch() as watch:
        with enter(left.way_in):
            kept = what()
        with ending(subprocess.Popen(["sleep", "600"], pass_fds=[kept])) as holder:
            os.close(kept)
            with ending(subprocess.Popen(["nsenter", f"--net={left.way_in}", "sleep", "600"])) as inside:
                watch.until(lambda picture: (row := left.row(picture)) and row.namespace.pid == inside.pid)
                end(left.holder)
            watch.until(lambda picture: (row := left.row(picture)) and row.namespace.holder == holder.pid)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def open_namespaces(pid: int) -> set[int]:
    """The inodes of the namespaces a process has open."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the directory itself
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
            if link.startswith("net:["):
                inodes.add(int(link[5:-1]))
    return inodes
