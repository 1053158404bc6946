"""Processes as they come, change and go; every event counted; sockets of every family with who holds them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nettop.kernel.cn_proc import ProcEvent, ProcEventListener
from nettop.model import Event
from nettop.snapshot import Connection, Snapshot
from tests.support.forks import die_with
from tests.support.sockets import SocketRoom
from tests.support.watching import DEADLINE, Watch, complaint, connections, inode_of, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces and process events need root"),
]

ME = os.getpid()
IPPROTO_UDPLITE = 136  # <linux/in.h>
PR_SET_NAME = 15  # <linux/prctl.h>
libc = ctypes.CDLL(None)


@pytest.fixture(scope="module")
def watch() -> Iterator[Watch]:
    with Watch() as made:
        with subprocess.Popen(["true"]) as first:
            first.wait()

        def settled(picture: Snapshot) -> bool:
            return bool(complaint(picture, "cn_proc")) or any(
                event.pid == first.pid for event in picture.events.values()
            )

        made.until(settled)
        refused = complaint(made.tick(), "cn_proc")
        if refused and refused.status == "degraded":
            pytest.skip(f"no process events here: {refused.reason}")
        yield made


# --- processes -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def steps(*actions: Callable[[], object]) -> Iterator[tuple[int, Callable[[], None]]]:
    """A forked process that does one of the actions each time the function is called: its pid, and that function."""
    ready, go = os.pipe()
    parent, pid = os.getpid(), os.fork()
    if not pid:
        die_with(parent)
        os.close(go)
        for action in actions:
            os.read(ready, 1)
            action()
        os._exit(0)
    os.close(ready)

    def step() -> None:
        os.write(go, b"!")

    try:
        yield pid, step
    finally:
        os.close(go)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_a_process_is_shown_as_what_it_is_from_fork_to_zombie(watch: Watch) -> None:
    def shown(picture: Snapshot) -> tuple[str, str, int] | None:
        row = process(picture, pid)
        return (row.process.comm, row.process.command, row.process.uid) if row else None

    actions = (
        lambda: libc.prctl(PR_SET_NAME, b"renamed", 0, 0, 0),
        lambda: os.setresuid(1000, 1001, 0),
        lambda: os.setresuid(0, 0, 0),
        lambda: os.execv("/bin/sleep", ["tired", "0.05"]),
    )
    with steps(*actions) as (pid, step):
        ours = process(watch.until(lambda picture: picture if shown(picture) else None), ME)
        row = process(watch.tick(), pid)
        assert ours is not None
        assert row is not None
        assert (row.process.ppid, row.process.command, row.process.netns) == (
            ME,
            ours.process.command,
            ours.process.netns,
        )
        step()
        watch.until(lambda picture: shown(picture) == ("renamed", ours.process.command, 0))
        step()
        watch.until(lambda picture: shown(picture) == ("renamed", ours.process.command, 1001))
        step()
        watch.until(lambda picture: shown(picture) == ("renamed", ours.process.command, 0))
        step()
        watch.until(lambda picture: shown(picture) == ("sleep", "tired 0.05", 0))
        watch.until(lambda picture: shown(picture) == ("sleep", "[sleep]", 0))
        state = process(watch.tick(), pid)
        assert state is not None
        assert state.usage.state == "Z"
    watch.until(lambda picture: shown(picture) is None)


def test_events_tell_who_and_what(watch: Watch) -> None:
    told: list[Event] = []

    def ends_with(picture: Snapshot, kind: str) -> bool:
        told[:] = [event for event in picture.events.values() if event.pid == pid]
        return told[-1:] != [] and told[-1].kind == kind

    with steps(
        lambda: libc.prctl(PR_SET_NAME, b"new name", 0, 0, 0), lambda: os.execv("/bin/sleep", ["sleep", "9"])
    ) as (
        pid,
        step,
    ):
        ours = watch.until(lambda picture: process(picture, pid))
        step()
        watch.until(lambda picture: ends_with(picture, "comm"))
        step()
        watch.until(lambda picture: ends_with(picture, "exec"))
        os.kill(pid, 15)
        watch.until(lambda picture: ends_with(picture, "exit"))
    by_kind = {event.kind: event for event in told}
    assert list(by_kind) == ["fork", "comm", "exec", "exit"]
    assert by_kind["fork"][2:6] == (pid, pid, ME, ours.process.comm)
    assert (by_kind["comm"].comm, by_kind["comm"].detail) == ("new name", "new name")
    assert (by_kind["exec"].comm, by_kind["exec"].detail) == ("sleep", "sleep 9")
    assert (by_kind["exit"].comm, by_kind["exit"].detail) == ("sleep", "signal 15 SIGTERM")
    assert {event.netns for event in told} == {ours.process.netns}
    assert all(abs(event.time - time.time()) < 60 for event in told)


# --- events counted --------------------------------------------------------------------------------------------------


class Parental(ProcEventListener):
    """Tells what children of one process do, and nothing else: the machine is not ours alone."""

    parent = 0
    children: set[int] = set()

    def drain(self) -> list[ProcEvent]:
        events = []
        for event in super().drain():
            if event.kind == "fork" and event.ppid == self.parent:
                self.children.add(event.pid)
            if event.pid in self.children:
                events.append(event)
            if event.kind == "exit":  # names no parent where that was quick to take the exit status
                self.children.discard(event.pid)
        return events


FORKER = """
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void *nothing(void *unused) { return unused; }
int main(int argc, char **argv) {
    char start;
    read(0, &start, 1);
    for (int left = atoi(argv[1]); left; left--) {
        pid_t pid = fork();
        if (!pid) _exit(0);
        waitpid(pid, 0, 0);
    }
    for (int left = atoi(argv[2]); left; left--) {
        pthread_t thread;
        if (!pthread_create(&thread, 0, nothing, 0)) pthread_join(thread, 0);
    }
}
"""


@pytest.fixture(scope="module")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that waits for a byte and then makes so many children and so many threads, one by one."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: Python forks too slowly for a storm")
    folder = tmp_path_factory.mktemp("forker")
    (folder / "forker.c").write_text(FORKER)
    subprocess.run([compiler, "-O2", "-pthread", "-o", folder / "forker", folder / "forker.c"], check=True)
    return folder / "forker"


def storm(forker: Path, children: int, threads: int) -> None:
    """Let the forker run; `Parental` tells of it alone."""
    command = [str(forker), str(children), str(threads)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as running:
        Parental.parent = running.pid
        running.communicate(b"!")


@pytest.mark.usefixtures("watch")
def test_4_000_forks_are_4_000_forks_and_as_many_exits(forker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettop.collector.collector.ProcEventListener", Parental)
    with Watch() as watch:
        running = threading.Thread(target=storm, args=(forker, 4_000, 500))
        running.start()
        while running.is_alive():
            watch.tick()
            time.sleep(0.2)
        deadline = time.monotonic() + DEADLINE
        while (counted := figures(watch.tick())) != (4_000, 4_000, 0) and time.monotonic() < deadline:
            time.sleep(0.02)
    assert counted == (4_000, 4_000, 0)


def figures(picture: Snapshot) -> tuple[int, int, int]:
    """Forks and exits counted, and how often events were lost."""
    assert picture.host is not None
    return picture.host.forks, picture.host.exits, picture.host.events_lost


@pytest.mark.usefixtures("watch")
def test_what_is_lost_is_counted_told_and_healed(forker: Path) -> None:
    with Watch(receive_buffer=4096) as watch, steps(lambda: os.execv("/bin/sleep", ["sleep", "61"])) as (pid, step):
        watch.until(lambda picture: process(picture, pid))
        with subprocess.Popen(["sleep", "62"]) as ended:
            watch.until(lambda picture: process(picture, ended.pid))
            ended.kill()
        with subprocess.Popen(["sleep", "63"]) as begun:
            step()
            storm(forker, 5_000, 0)
            deadline = time.monotonic() + DEADLINE
            picture = watch.tick()
            while not picture.coverage.events_lost and time.monotonic() < deadline:
                picture = watch.tick()
            told = complaint(picture, "cn_proc")
            begun_row, ended_row = process(picture, begun.pid), process(picture, ended.pid)
            watch.until(lambda picture: (row := process(picture, pid)) and row.process.command == "sleep 61")
            begun.kill()
    assert told is not None
    assert (told.status, told.times) == ("lossy", picture.coverage.events_lost)
    assert begun_row is not None
    assert ended_row is None


# --- sockets of every family -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proto", "family", "kind", "number"),
    [
        ("unix", socket.AF_UNIX, socket.SOCK_SEQPACKET, 0),
        ("packet", socket.AF_PACKET, socket.SOCK_DGRAM, 0),
        ("netlink", socket.AF_NETLINK, socket.SOCK_RAW, 0),
        ("raw", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_GRE),
        ("raw", socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_GRE),
        ("icmp", socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
        ("icmp", socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6),
        ("udplite", socket.AF_INET, socket.SOCK_DGRAM, IPPROTO_UDPLITE),
        ("mptcp", socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP),
        ("mptcp", socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_MPTCP),
    ],
    ids=lambda value: value if isinstance(value, str) else str(int(value)),
)
def test_a_socket_of_this_family_is_shown_with_its_owner(
    watch: Watch, proto: str, family: int, kind: int, number: int
) -> None:
    with SocketRoom("family") as room:
        # ping sockets are for the groups named here
        room.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 100")
        try:
            made = room.open(family, kind, number)
        except OSError as error:
            pytest.skip(f"this kernel makes no such socket: {error.strerror}")
        bind(made, proto)
        inode, fd = inode_of(made.fileno()), made.fileno()

        def shown(picture: Snapshot) -> Connection | None:
            rows = (row for row in connections(picture, inode) if row.socket.proto == proto and row.owners)
            return next(rows, None)

        row = watch.until(shown)
        assert row.socket.netns == room.netns
        assert {(owner.pid, owner.fd) for owner in row.owners} == {(ME, fd)}
        made.close()
        watch.until(lambda picture: not connections(picture, inode))


def bind(made: socket.socket, proto: str) -> None:
    """Make it one that is listed: the kernel lists IP sockets from when they have a local end."""
    if proto == "packet":
        made.bind(("lo", 0x0800))
    elif proto == "netlink":
        made.bind((0, 0))
    elif proto in ("icmp", "udplite", "mptcp"):
        made.bind(("::1" if made.family == socket.AF_INET6 else "127.0.0.1", 0))
        if proto == "mptcp":
            made.listen()


def test_a_multipath_connection_and_its_subflows_all_have_their_owner(watch: Watch) -> None:
    """MPTCP lends its own inode to its TCP subflows: several rows, one socket, one owner."""
    with SocketRoom("mptcp") as room:
        try:
            listener = room.open(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
        except OSError as error:
            pytest.skip(f"this kernel makes no MPTCP socket: {error.strerror}")
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        near = room.open(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
        near.connect(listener.getsockname())
        inode = inode_of(near.fileno())

        def owned(picture: Snapshot) -> bool:
            rows = connections(picture, inode)
            return {row.socket.proto for row in rows} == {"mptcp", "tcp"} and all(row.owners for row in rows)

        watch.until(owned)
        near.close()  # the subflow stays a while, as in `ss`: with its inode, and nobody who holds it
        watch.until(lambda picture: not any(row.owners for row in connections(picture, inode)))


def test_what_the_kernel_cannot_list_is_absent_and_not_empty(watch: Watch) -> None:
    """What the kernel says of each family, asked directly, is what health says."""
    picture = watch.tick()
    for proto, family, number in (("sctp", socket.AF_INET, 132), ("vsock", socket.AF_VSOCK, 0)):
        told = complaint(picture, f"sock_diag:{proto}")
        assert (told is not None) == (dump_error(family, number) == -2), proto
        if told is not None:
            assert (told.status, told.remedy) == ("absent", f"modprobe {proto}_diag")


def dump_error(family: int, number: int) -> int:
    """The errno, negative, with which the kernel answers a sock_diag dump; 0 where it lists."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as diag:  # NETLINK_SOCK_DIAG
        request = struct.pack("=BB54x" if family != socket.AF_VSOCK else "=BB22x", family, number)
        diag.send(struct.pack("=IHHII", 16 + len(request), 20, 0x301, 1, 0) + request)  # SOCK_DIAG_BY_FAMILY, dump
        answer = diag.recv(1 << 16)
        kind = struct.unpack_from("=4xH", answer)[0]
        return int(struct.unpack_from("=16xi", answer)[0]) if kind in (2, 3) else 0  # NLMSG_ERROR, NLMSG_DONE


def test_closing_leaves_nothing_open() -> None:
    files, threads = set(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(3):
        with Watch() as watch:
            watch.tick()
    assert (set(os.listdir("/proc/self/fd")), threading.active_count()) == (files, threads)
