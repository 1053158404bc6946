"""Hosts that are none: each with processes, a network and a name of its own, on the kernel of the test. Needs root.

with Pair("web-01", "db-1") as (web, db):
    origin = web.collector(0.2)
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from types import TracebackType

from nettop import wire
from nettop.model import Delta
from nettop.requests import Reply, Request
from tests.support import netns

_INIT = "mount -t tmpfs none /run && mkdir /run/netns && ip link set lo up && echo ready && exec sleep infinity"
_COLLECT = (
    "import sys; sys.path[:] = sys.argv[4:]; from nettop.collector import child;"
    "import socket; sys.exit(child.run(socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2]),"
    " int(sys.argv[3]), False, None, {}))"
)


class Host:
    """One of them, until it is closed: its processes end with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._programs: list[subprocess.Popen[bytes]] = []
        command = [
            "setpriv",
            "--pdeathsig=KILL",
            "unshare",
            "--fork",
            "--pid",
            "--mount-proc",
            "--net",
            "--uts",
            "--kill-child",
            "sh",
            "-c",
        ]
        self._unshare = subprocess.Popen(
            [*command, f"hostname {name} && {_INIT}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._unshare.stdout is not None
        assert self._unshare.stdout.readline() == b"ready\n", "this needs root, and ip"
        with open(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children") as children:
            self.init = int(children.read().split()[0])
        """Its first process, as the test knows it."""

    @property
    def _inside(self) -> list[str]:
        return ["nsenter", f"--target={self.init}", "--mount", "--net", "--pid", "--uts"]

    def run(self, *command: str) -> None:
        """Carry a command out in there."""
        subprocess.run([*self._inside, *command], check=True)

    def start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Let a Python program run in there; it reads from its standard input, and writes to its output."""
        command = [*self._inside, sys.executable, "-c", program, *arguments]
        started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._programs.append(started)
        return started

    def collector(self, interval: float) -> Collector:
        """An origin whose collector runs in there."""
        return Collector(self.init, self._inside, interval)

    def close(self) -> None:
        """End it: with its first process all others end. Once is enough."""
        if self._unshare.poll() is None:
            os.kill(self.init, signal.SIGKILL)
            for program in (*self._programs, self._unshare):
                program.communicate()


class Collector:
    """See `origin.Origin`: as `Child`, on another host."""

    ended = "the connection ended ({}); connecting again"
    missing = "it cannot be reached: {}; trying again"

    def __init__(self, init: int, inside: list[str], interval: float) -> None:
        self._init = init
        self._inside = inside
        self._interval = interval
        self._complaints = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self.down = False
        """Nobody is let in: a host that is there and cannot be reached."""

    async def open(self) -> socket.socket:
        if self.down:
            raise ConnectionRefusedError(111, "Connection refused")
        if self._connection is None:
            with netns.entered(f"/proc/{self._init}/ns/net"):  # a socket of ours in there would show our network
                self._connection, theirs = socket.socketpair()
            self._complaints = os.memfd_create("complaints")
            numbers = [str(theirs.fileno()), str(self._interval), str(self._complaints)]
            command = [*self._inside, sys.executable, "-I", "-c", _COLLECT, *numbers, *sys.path]
            self._process = subprocess.Popen(command, pass_fds=(theirs.fileno(), self._complaints))
            theirs.close()
        return self._connection

    def close(self, patience: float = 0.0) -> str:
        if self._connection is None or self._process is None:
            return "nobody knows why"
        self._connection.close()
        self._connection = None
        try:
            self._process.wait(patience or 1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        said = os.pread(self._complaints, 500, 0).decode(errors="replace").strip()
        os.close(self._complaints)
        return said or "cut"

    def set_interval(self, seconds: float) -> None:
        self._interval = seconds

    def hear(self, line: bytes) -> Iterator[tuple[Delta | Reply, bytes]]:
        yield wire.hear(line), line

    async def answer(self, request: Request) -> None:
        del request

    def cut(self) -> None:
        """End the connection, as a line that breaks does."""
        if self._connection is not None:
            self._connection.shutdown(socket.SHUT_RDWR)


class Pair:
    """Two hosts with a line between them: 10.77.0.1 and 10.77.0.2."""

    ADDRESSES = ("10.77.0.1", "10.77.0.2")

    def __init__(self, *names: str) -> None:
        self._names = names
        self._hosts: list[Host] = []

    def __enter__(self) -> tuple[Host, Host]:
        first, second = self._hosts = [Host(name) for name in self._names]
        link = ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(second.init)]
        subprocess.run(["nsenter", f"--target={first.init}", "--net", *link], check=True)
        for host, address in zip(self._hosts, self.ADDRESSES, strict=True):
            host.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
            host.run("ip", "link", "set", "eth0", "up")
        return first, second

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self._hosts:
            host.close()
