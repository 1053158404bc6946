"""Who holds a socket, while sockets are passed, inherited, closed and their holders come and go.

One collector watches all of it: what it learned in one test must not mislead it in the next."""

from __future__ import annotations

import array
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nettop.snapshot import Snapshot
from tests.support.forks import die_with
from tests.support.sockets import SocketRoom
from tests.support.watching import DEADLINE, Watch, connections, holders, inode_of, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

ME = os.getpid()


class Child:
    """A forked process that does what it is told, one letter and number a time; `act` answers when it is done."""

    def __init__(self, keep: socket.socket | None = None) -> None:
        """It holds `keep`, and else nothing of what its parent has open."""
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            die_with(parent)
            _close_all_but(theirs.fileno(), *([keep.fileno()] if keep else []))
            _obey(theirs)
        theirs.close()
        self.act("hello")

    def act(self, order: str, *descriptors: int) -> int:
        """What the child answers to an order of `_ORDERS`; `descriptors` go along by SCM_RIGHTS."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self._ours.sendmsg([order.encode()], rights)
        return int(self._ours.recv(100))

    def end(self) -> None:
        """Kill it, and take its exit status: then the pid is free."""
        self._ours.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _close_all_but(*kept: int) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:  # of the directory just listed
                continue


def _take(_number: int, received: int) -> int:
    return received


def _close(number: int, _received: int) -> int:
    os.close(number)
    return 0


def _dup(number: int, _received: int) -> int:
    return os.dup(number)


_ORDERS: dict[str, Callable[[int, int], int]] = {"hello": _take, "take": _take, "close": _close, "dup": _dup}


def _obey(orders: socket.socket) -> None:
    while True:
        data, ancillary, _, _ = orders.recvmsg(100, socket.CMSG_SPACE(4))
        if not data:
            os._exit(0)
        word, _, number = data.decode().partition(" ")
        received = array.array("i", ancillary[0][2])[0] if ancillary else 0
        orders.send(str(_ORDERS[word](int(number or 0), received)).encode())


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    with SocketRoom("resolver") as made:
        yield made


@pytest.fixture
def children() -> Iterator[Callable[..., Child]]:
    """Makes children that end with the test."""
    with ExitStack() as stack:

        def make(keep: socket.socket | None = None) -> Child:
            child = Child(keep)
            stack.callback(_end_if_there, child)
            return child

        yield make


def _end_if_there(child: Child) -> None:
    try:
        child.end()
    except (ProcessLookupError, ChildProcessError):
        return


@pytest.fixture(scope="module")
def watch() -> Iterator[Watch]:
    with Watch() as made:
        yield made


def until_held_by(watch: Watch, inode: int, *expected: tuple[int, int]) -> None:
    """Tick until exactly these (pid, fd) hold the socket."""

    deadline = time.monotonic() + DEADLINE
    while (held := holders(watch.tick(), inode)) != set(expected):
        assert time.monotonic() < deadline, f"held by {held}, should be by {set(expected)}"
        time.sleep(0.01)


def names(picture: Snapshot, pid: int) -> tuple[str, str] | None:
    """What a process is called, and its command line."""
    row = process(picture, pid)
    return (row.process.comm, row.process.command) if row else None


def test_a_socket_passed_to_another_process_is_held_by_both_then_by_that_one(
    room: SocketRoom, watch: Watch, children: Callable[..., Child]
) -> None:
    made, child = room.listener(), children()
    inode, fd = inode_of(made.fileno()), made.fileno()
    until_held_by(watch, inode, (ME, fd))
    theirs = child.act("take", fd)
    until_held_by(watch, inode, (ME, fd), (child.pid, theirs))
    made.close()
    until_held_by(watch, inode, (child.pid, theirs))


def test_an_inherited_socket_is_held_by_parent_and_child_until_one_closes_it(
    room: SocketRoom, watch: Watch, children: Callable[..., Child]
) -> None:
    made = room.listener()
    inode, fd = inode_of(made.fileno()), made.fileno()
    until_held_by(watch, inode, (ME, fd))
    child = children(keep=made)
    until_held_by(watch, inode, (ME, fd), (child.pid, fd))
    child.act(f"close {fd}")
    until_held_by(watch, inode, (ME, fd))


def test_when_the_parent_closes_the_child_is_the_holder_and_when_that_exits_the_row_goes(
    room: SocketRoom, watch: Watch, children: Callable[..., Child]
) -> None:
    made = room.udp()
    inode, fd = inode_of(made.fileno()), made.fileno()
    child = children(keep=made)
    until_held_by(watch, inode, (ME, fd), (child.pid, fd))
    made.close()
    until_held_by(watch, inode, (child.pid, fd))
    child.end()
    watch.until(lambda picture: not connections(picture, inode) and not process(picture, child.pid))


def test_two_descriptors_of_one_socket_are_both_told(
    room: SocketRoom, watch: Watch, children: Callable[..., Child]
) -> None:
    made = room.listener()
    inode, fd = inode_of(made.fileno()), made.fileno()
    child = children(keep=made)
    made.close()
    until_held_by(watch, inode, (child.pid, fd))
    second = child.act(f"dup {fd}")
    until_held_by(watch, inode, (child.pid, fd), (child.pid, second))
    child.act(f"close {fd}")
    until_held_by(watch, inode, (child.pid, second))


def test_exec_closes_what_is_marked_and_keeps_the_rest(room: SocketRoom, watch: Watch) -> None:
    kept, marked = room.listener(), room.listener()
    kept.set_inheritable(True)
    ready, go = os.pipe()
    parent, pid = os.getpid(), os.fork()
    if not pid:
        die_with(parent)
        _close_all_but(ready, kept.fileno(), marked.fileno())
        os.read(ready, 1)
        os.execv("/bin/sleep", ["sleep", "60"])
    try:
        mine = [(ME, kept.fileno()), (ME, marked.fileno())]
        until_held_by(watch, inode_of(kept.fileno()), mine[0], (pid, kept.fileno()))
        until_held_by(watch, inode_of(marked.fileno()), mine[1], (pid, marked.fileno()))
        os.write(go, b"!")
        until_held_by(watch, inode_of(marked.fileno()), mine[1])
        until_held_by(watch, inode_of(kept.fileno()), mine[0], (pid, kept.fileno()))
        watch.until(lambda picture: names(picture, pid) == ("sleep", "sleep 60"))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(go)


SWAPPER = """
import os, socket, sys
held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
held.bind(("127.0.0.1", 0))
while True:
    print(held.fileno(), os.fstat(held.fileno()).st_ino, flush=True)
    sys.stdin.readline()
    held.close()
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    held.bind(("127.0.0.1", 0))
"""


def test_a_socket_closed_and_another_opened_at_its_number_is_found_by_the_search(
    room: SocketRoom, watch: Watch
) -> None:
    """The number of open files stays what it was: only the socket without an owner tells."""
    command = ["ip", "netns", "exec", room.name, sys.executable, "-c", SWAPPER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as swapper:
        assert swapper.stdin is not None
        assert swapper.stdout is not None
        try:
            numbers = set()
            for _ in range(3):
                fd, inode = map(int, swapper.stdout.readline().split())
                numbers.add(fd)
                until_held_by(watch, inode, (swapper.pid, fd))
                swapper.stdin.write("\n")
                swapper.stdin.flush()
            assert len(numbers) == 1
        finally:
            swapper.kill()


def test_the_next_process_of_the_same_pid_holds_nothing_of_the_first(
    room: SocketRoom, watch: Watch, children: Callable[..., Child]
) -> None:
    shared, other = room.listener(), room.listener()
    first = children(keep=shared)
    until_held_by(watch, inode_of(shared.fileno()), (ME, shared.fileno()), (first.pid, shared.fileno()))
    before = process(watch.tick(), first.pid)
    first.end()
    second = fork_as(first.pid, lambda: children(keep=other))
    try:
        until_held_by(watch, inode_of(other.fileno()), (ME, other.fileno()), (first.pid, other.fileno()))
        until_held_by(watch, inode_of(shared.fileno()), (ME, shared.fileno()))
        after = process(watch.tick(), first.pid)
        assert before is not None
        assert after is not None
        assert after.process.start_time > before.process.start_time
        assert after.id != before.id
    finally:
        second.end()


def fork_as(pid: int, make: Callable[[], Child]) -> Child:
    """A child with that pid: the kernel is told the last one it gave; another process may be quicker, so try again."""
    last = Path("/proc/sys/kernel/ns_last_pid")
    if not os.access(last, os.W_OK):
        pytest.skip("the kernel lets nobody choose a pid (CONFIG_CHECKPOINT_RESTORE)")
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        last.write_text(str(pid - 1))
        child = make()
        if child.pid == pid:
            return child
        child.end()
    pytest.skip("other processes were given the pid each time")
