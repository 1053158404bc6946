"""Actions hit the one process or socket that was meant, or none, and say what the kernel said."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from nettop.collector import actions, spawn
from nettop.collector.actions import GONE
from nettop.kernel import netns as kernel_netns
from nettop.kernel import process_control
from nettop.kernel.procfs import Gone, ProcFS, parse_stat
from nettop.live import Live
from nettop.model import Socket
from nettop.origin import Child
from nettop.requests import Answer, CloseSocket, Renice, Request, Signal
from nettop.snapshot import Snapshot
from tests.support.sockets import SocketRoom
from tests.support.watching import DEADLINE, Watch, inode_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="closes sockets in namespaces and signals other users' processes"),
]

PROC = ProcFS()


def start_time(pid: int) -> int:
    return parse_stat(PROC.read_stat(pid)).start_time


@contextmanager
def sleeper(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits to be acted on."""
    with subprocess.Popen(["sleep", "600", *options]) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    with sleeper() as process:
        yield process


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


class TestSignals:
    def test_the_process_gets_it(self, victim: subprocess.Popen[bytes]) -> None:
        answer = actions.send_signal(PROC, Signal(victim.pid, start_time(victim.pid), signal.SIGTERM, False))
        assert answer == Answer(True, "SIGTERM sent")
        assert victim.wait(DEADLINE) == -signal.SIGTERM

    def test_a_process_that_has_the_pid_of_the_one_meant_does_not(self, victim: subprocess.Popen[bytes]) -> None:
        answer = actions.send_signal(PROC, Signal(victim.pid, start_time(victim.pid) - 1, signal.SIGKILL, True))
        assert answer == Answer(False, GONE)
        assert victim.poll() is None

    def test_of_one_that_has_ended_it_says_so(self) -> None:
        with sleeper() as process:
            meant = Signal(process.pid, start_time(process.pid), signal.SIGTERM, False)
        assert actions.send_signal(PROC, meant) == Answer(False, GONE)

    def test_one_that_ends_between_look_and_signal_is_gone_and_nobody_else_is_hit(
        self, victim: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        meant, look = start_time(victim.pid), process_control.identify

        def end_it(*arguments: object) -> object:
            stat = look(*arguments)  # type: ignore[arg-type]
            victim.kill()
            victim.wait()
            return stat

        monkeypatch.setattr(process_control, "identify", end_it)
        with pytest.raises(Gone):
            process_control.send_signal(PROC, victim.pid, meant, signal.SIGTERM)

    def test_init_and_kernel_threads_are_never_signalled(self) -> None:
        init = actions.send_signal(PROC, Signal(1, start_time(1), signal.SIGWINCH, True))
        assert init == Answer(False, "it is init: without it the machine stops")
        kthreadd = next((pid for pid in PROC.pids() if parse_stat(PROC.read_stat(pid)).kernel), None)
        if kthreadd is None:
            pytest.skip("no kernel thread can be seen from this pid namespace")
        answer = actions.send_signal(PROC, Signal(kthreadd, start_time(kthreadd), signal.SIGWINCH, True))
        assert answer == Answer(False, "it is a kernel thread")

    def test_what_the_collector_descends_from_needs_insisting(self) -> None:
        for pid in (os.getpid(), os.getppid()):
            meant = Signal(pid, start_time(pid), signal.SIGCONT, False)
            assert actions.send_signal(PROC, meant) == Answer(False, "nettop itself runs under it")
        meant = Signal(os.getpid(), start_time(os.getpid()), signal.SIGCONT, True)
        assert actions.send_signal(PROC, meant).ok

    def test_who_may_not_is_told_who_may(self, victim: subprocess.Popen[bytes]) -> None:
        program = (
            "import os, sys\n"
            "from nettop.collector.actions import send_signal, renice\n"
            "from nettop.kernel.procfs import ProcFS\n"
            "from nettop.requests import Signal, Renice\n"
            "os.setuid(65534)\n"
            "pid, start = map(int, sys.argv[1:])\n"
            "print(send_signal(ProcFS(), Signal(pid, start, 15, False)).text)\n"
            "print(renice(ProcFS(), Renice(pid, start, 5, False)).text)\n"
        )
        told = subprocess.run(
            [sys.executable, "-c", program, str(victim.pid), str(start_time(victim.pid))],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        assert told == [
            "not permitted: only root and its own user may",
            "not permitted: only root may lower a nice value, or change that of another user's process",
        ]
        assert victim.poll() is None

    @pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (10, "SIGUSR1"), (33, "signal 33"), (64, "SIGRTMAX")])
    def test_signals_are_named_where_they_have_a_name(self, number: int, name: str) -> None:
        assert actions.signal_name(number) == name


THREADED = """
import threading, time
for _ in range(3):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print("ready", flush=True)
time.sleep(600)
"""


class TestNice:
    def test_every_thread_gets_it(self) -> None:
        with subprocess.Popen([sys.executable, "-c", THREADED], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            answer = actions.renice(PROC, Renice(process.pid, start_time(process.pid), 7, False))
            assert answer == Answer(True, "nice is 7 now")
            threads = PROC.threads(process.pid)
            assert len(threads) == 4
            assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {7}
            process.kill()

    def test_a_process_that_has_the_pid_of_the_one_meant_does_not(self, victim: subprocess.Popen[bytes]) -> None:
        before = os.getpriority(os.PRIO_PROCESS, victim.pid)
        answer = actions.renice(PROC, Renice(victim.pid, start_time(victim.pid) + 1, 5, False))
        assert answer == Answer(False, GONE)
        assert os.getpriority(os.PRIO_PROCESS, victim.pid) == before


def meant(room: SocketRoom, made: socket.socket) -> CloseSocket:
    """What means a socket of the room, from the collector's row of it."""
    return CloseSocket.of(row_of(room, lambda row: row.inode == inode_of(made.fileno())))


def row_of(room: SocketRoom, matches: Callable[[Socket], bool]) -> Socket:
    def find(picture: Snapshot) -> Socket | None:
        inside = (c.socket for c in picture.connections.values() if c.socket.netns == room.netns)
        return next(filter(matches, inside), None)

    with Watch() as watch:
        return watch.until(find)


def close(room: SocketRoom, request: CloseSocket) -> Answer:
    return actions.close_socket(f"/run/netns/{room.name}", request)


def error_of(made: socket.socket) -> str:
    """What a program that reads the socket is told."""
    try:
        made.recv(1)
    except OSError as told:
        return type(told).__name__
    return "nothing"


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    with SocketRoom("actions") as made:
        yield made


class TestClosing:
    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    def test_a_tcp_connection_ends_at_both_ends(self, room: SocketRoom, address: str) -> None:
        near, far = room.tcp_pair(address)
        assert close(room, meant(room, near)) == Answer(True, "closed")
        assert error_of(near) == "ConnectionAbortedError"
        assert error_of(far) == "ConnectionResetError"

    def test_an_ipv4_connection_to_a_socket_of_both_families(self, room: SocketRoom) -> None:
        near, far = room.connect(room.dual_stack_listener(), "127.0.0.1")
        assert meant(room, far).family == "inet6"
        assert close(room, meant(room, far)).ok
        assert error_of(far) == "ConnectionAbortedError"
        assert error_of(near) == "ConnectionResetError"

    def test_a_listener_takes_no_more(self, room: SocketRoom) -> None:
        listener = room.listener()
        assert close(room, meant(room, listener)).ok
        with pytest.raises(ConnectionRefusedError):
            room.connect(listener)

    def test_a_socket_that_is_only_waiting_for_late_packets(self, room: SocketRoom) -> None:
        lport, _ = room.time_wait()
        row = row_of(room, lambda row: row.lport == lport and row.rport is not None)
        assert close(room, CloseSocket.of(row)).ok
        assert f":{lport} " not in room.run("ss", "-tanH")

    def test_a_connection_being_made(self, room: SocketRoom) -> None:
        made = room.syn_sent()
        assert close(room, meant(room, made)).ok
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    @pytest.mark.parametrize("connected", [False, True])
    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    def test_a_udp_socket(self, room: SocketRoom, address: str, connected: bool) -> None:
        made = room.udp_connected(address) if connected else room.udp(address)
        assert close(room, meant(room, made)).ok
        assert error_of(made) == "ConnectionAbortedError"

    def test_a_socket_bound_to_an_interface(self, room: SocketRoom) -> None:
        made = room.udp()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        request = meant(room, made)
        assert request.iface == "lo"
        assert close(room, request).ok

    def test_another_socket_with_the_same_ends_is_spared(self, room: SocketRoom) -> None:
        near, far = room.tcp_pair()
        request = meant(room, near)
        other = request._replace(cookie=request.cookie + 1)
        assert close(room, other) == Answer(False, GONE)
        far.sendall(b"x")
        assert near.recv(1) == b"x"

    def test_one_that_was_closed_meanwhile_is_gone(self, room: SocketRoom) -> None:
        made = room.udp()
        request = meant(room, made)
        made.close()
        assert close(room, request) == Answer(False, GONE)

    def test_addresses_that_are_none_are_refused(self, room: SocketRoom) -> None:
        request = meant(room, room.udp())
        assert close(room, request._replace(local="::1")) == Answer(False, "an address is none")
        assert close(room, request._replace(family="unix")).ok is False
        assert close(room, request._replace(proto="sctp")) == Answer(
            False, "the kernel closes no sctp sockets on request"
        )
        assert not close(room, request._replace(iface="nowhere")).ok

    def test_a_namespace_that_is_gone(self, room: SocketRoom) -> None:
        request = meant(room, room.udp())
        assert actions.close_socket(None, request) == Answer(False, "its network namespace cannot be entered")
        assert actions.close_socket("/run/netns/nowhere", request) == Answer(False, GONE)

    def test_without_the_privilege_it_says_what_it_takes(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.bind(("127.0.0.1", 0))
            program = (
                "import os\n"
                "from nettop.collector.actions import close_socket\n"
                "from nettop.requests import CloseSocket\n"
                "os.setuid(65534)\n"
                f"row = CloseSocket(0, 'udp', 'inet', '127.0.0.1', {made.getsockname()[1]}, '0.0.0.0', 0, None,"
                " 0xffffffffffffffff)\n"  # INET_DIAG_NOCOOKIE: whichever has these ends
                "print(close_socket('/proc/self/ns/net', row).text)\n"
            )
            told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        assert told.strip() == "not permitted: it takes CAP_NET_ADMIN, and CAP_SYS_ADMIN in another namespace"

    def test_the_calling_thread_is_back_in_its_namespace(self, room: SocketRoom) -> None:
        before = kernel_netns.current()
        close(room, meant(room, room.udp()))
        assert kernel_netns.current() == before


class TestThroughTheCollector:
    """The whole way: asked by the screen's source, done by the collector process, answered."""

    async def test_a_signal_and_a_close(self, room: SocketRoom, victim: subprocess.Popen[bytes]) -> None:
        near, _ = room.tcp_pair()
        request = meant(room, near)
        async with answering() as (source, _):
            sent = await source.ask(Signal(victim.pid, start_time(victim.pid), signal.SIGTERM, False))
            closed = await source.ask(request)
        assert sent == Answer(True, "SIGTERM sent")
        assert victim.wait(DEADLINE) == -signal.SIGTERM
        assert closed == Answer(True, "closed")
        assert error_of(near) == "ConnectionAbortedError"

    async def test_a_read_only_one_refuses(self, room: SocketRoom, victim: subprocess.Popen[bytes]) -> None:
        near, far = room.tcp_pair()
        request = meant(room, near)
        asked: list[Request] = [
            Signal(victim.pid, start_time(victim.pid), 9, True),
            Renice(victim.pid, start_time(victim.pid), 5, True),
        ]
        async with answering(read_only=True) as (source, _):
            assert await source.ask(request) == Answer(False, "this nettop is read-only")
            for action in asked:
                assert await source.ask(action) == Answer(False, "this nettop is read-only")
        far.sendall(b"x")
        assert near.recv(1) == b"x"
        assert victim.poll() is None

    async def test_whoever_asks_more_than_that_at_once_is_refused(self) -> None:
        me = Signal(os.getpid(), start_time(os.getpid()), signal.SIGCONT, False)
        async with answering() as (source, _):
            answers = await asyncio.gather(*(source.ask(me) for _ in range(40)))
        assert [answer.text for answer in answers].count("too many requests at once") == 8
        assert [answer.text for answer in answers].count("nettop itself runs under it") == 32

    async def test_a_collector_that_ends_leaves_nobody_waiting(self) -> None:
        me = Signal(os.getpid(), start_time(os.getpid()), signal.SIGCONT, False)
        async with answering() as (source, collector):
            os.kill(collector, signal.SIGSTOP)
            waiting = asyncio.create_task(source.ask(me))
            await asyncio.sleep(0.05)
            os.kill(collector, signal.SIGKILL)
            assert await waiting == Answer(False, "the collector ended before it answered")
        assert await source.ask(me) == Answer(False, "the collector is not running")


@asynccontextmanager
async def answering(read_only: bool = False) -> AsyncIterator[tuple[Live, int]]:
    """A source whose collector is up, and the pid of that."""
    source = Live(Child(spawn.fork(0.2, read_only), 0.2, read_only))
    pictures: list[Snapshot] = []
    running = asyncio.create_task(source.run(pictures.append, lambda _: None))
    try:
        deadline = time.monotonic() + DEADLINE
        while not pictures:
            assert time.monotonic() < deadline, "no picture"
            await asyncio.sleep(0.005)
        assert pictures[0].host is not None
        yield source, pictures[0].host.own_pid
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        source.close()
