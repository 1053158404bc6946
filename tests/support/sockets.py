"""Real sockets of every kind and state in a namespace of their own, all held by the calling process.

    with SocketRoom("states") as room:
        client, server = room.tcp_pair()
        room.time_wait()
        rows = room.run("ss", "-tanH").splitlines()

Everything ends with the block. Needs root and iproute2.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import netns
from tests.support.forks import die_with

HOLE = "192.0.2.99"
"""An address in the room that swallows what is sent to it (of TEST-NET-1, RFC 5737)."""


class SocketRoom:
    """A namespace and the sockets made in it.

    The sockets are ordinary ones of the caller, so `getsockname()`, `fileno()` and `send()` tell and do what a test
    wants to compare with; whoever looks for their owner finds `os.getpid()`.
    """

    def __init__(self, label: str = "room") -> None:
        self.name = f"nettop-test-{os.getpid()}-{label}"
        self.netns = 0
        """Inode number of the namespace while the block runs."""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        netns.add(self.name)
        self._stack.callback(netns.delete, self.name)
        with netns.entered(self.name):
            netns.loopback_up()
        self.netns = netns.inode(self.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, *command: str) -> str:
        """Standard output of a command run in the namespace; CalledProcessError where it fails."""
        entering = ["ip", "netns", "exec", self.name, *command]
        return subprocess.run(entering, capture_output=True, text=True, check=True).stdout

    def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A bare socket of the namespace, closed at the end of the block. OSError where the kernel makes none such."""
        with netns.entered(self.name):
            return self._stack.enter_context(socket.socket(family, kind, protocol))

    # --- TCP ---------------------------------------------------------------------------------------------------------

    def listener(self, address: str = "127.0.0.1", port: int = 0, backlog: int = 16) -> socket.socket:
        """LISTEN; an address with a colon makes it IPv6 only."""
        made = self._tcp(address)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(backlog)
        return made

    def dual_stack_listener(self, port: int = 0) -> socket.socket:
        """LISTEN on [::] for both families: `ss` prints it as `*`."""
        made = self._tcp("::")
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(("::", port))
        made.listen(16)
        return made

    def workers(self, listener: socket.socket, count: int) -> list[int]:
        """Pids of `count` forked processes that hold the listener, and nothing else, as this one does."""
        pids = []
        for _ in range(count):
            ready, settled = os.pipe()
            parent = os.getpid()
            pid = os.fork()
            if not pid:
                die_with(parent)
                os.closerange(3, listener.fileno())
                os.closerange(listener.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
                while True:
                    signal.pause()
            os.close(settled)
            os.read(ready, 1)  # returns when the worker has closed what is not its own
            os.close(ready)
            self._stack.callback(_end_child, pid)
            pids.append(pid)
        return pids

    def tcp_pair(self, address: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
        """ESTAB and ESTAB: the connecting and the accepted end. The listener between them is closed again."""
        with self.listener(address) as listener:
            return self.connect(listener)

    def connect(self, listener: socket.socket, address: str | None = None) -> tuple[socket.socket, socket.socket]:
        """A connection to a listener, over `address` where it listens on a wildcard: connecting and accepted end."""
        near = self._tcp(address or listener.getsockname()[0])
        near.connect((address or listener.getsockname()[0], listener.getsockname()[1]))
        far, _ = listener.accept()
        return near, self._stack.enter_context(far)

    def queued(self, listener: socket.socket, count: int = 1) -> list[socket.socket]:
        """Connecting ends of connections nobody accepts: ESTAB whose other end has no inode yet, recv-q at LISTEN."""
        ends = []
        for _ in range(count):
            near = self._tcp(listener.getsockname()[0])
            near.connect(listener.getsockname()[:2])
            ends.append(near)
        return ends

    def half_closed(self, address: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
        """FIN-WAIT-2 and CLOSE-WAIT: the end that has finished sending, and the one that may still send."""
        finished, other = self.tcp_pair(address)
        finished.shutdown(socket.SHUT_WR)
        self._await_states("FIN-WAIT-2", finished.getsockname()[1])
        return finished, other

    def time_wait(self, address: str = "127.0.0.1") -> tuple[int, int]:
        """TIME-WAIT, which has no inode and no owner: the local and the remote port of what was closed."""
        near, far = self.tcp_pair(address)
        ports = near.getsockname()[1], far.getsockname()[1]
        near.close()
        far.close()
        self._await_states("TIME-WAIT", ports[0])
        return ports

    def syn_sent(self) -> socket.socket:
        """SYN-SENT, for about two minutes: a connection to `HOLE`, port 443."""
        self._dig_hole()
        made = self._tcp(HOLE)
        made.setblocking(False)
        made.connect_ex((HOLE, 443))
        return made

    def stuck(self, size: int = 10_000) -> tuple[socket.socket, socket.socket]:
        """ESTAB with `size` bytes sent and not read: recv-q at the second end."""
        near, far = self.tcp_pair()
        near.sendall(bytes(size))
        while len(far.recv(size, socket.MSG_PEEK)) < size:
            time.sleep(0.001)
        return near, far

    # --- others ------------------------------------------------------------------------------------------------------

    def udp(self, address: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """UNCONN."""
        made = self.open(_family(address), socket.SOCK_DGRAM)
        made.bind((address, port))
        return made

    def udp_connected(self, address: str = "127.0.0.1", remote_port: int = 53) -> socket.socket:
        """ESTAB: a UDP socket with a remote end, whether or not anyone is there."""
        made = self.udp(address)
        made.connect((address, remote_port))
        return made

    def unix_pair(self, kind: int = socket.SOCK_STREAM) -> tuple[socket.socket, socket.socket]:
        """Two unnamed unix sockets connected to each other."""
        with netns.entered(self.name):
            left, right = socket.socketpair(socket.AF_UNIX, kind)
        return self._stack.enter_context(left), self._stack.enter_context(right)

    def unix_listener(self, path: str | Path) -> socket.socket:
        """LISTEN on a path; one that begins with @ is abstract and belongs to the namespace alone."""
        made = self.open(socket.AF_UNIX, socket.SOCK_STREAM)
        made.bind(f"\0{str(path)[1:]}" if str(path).startswith("@") else str(path))
        made.listen(4)
        return made

    # --- inside ------------------------------------------------------------------------------------------------------

    def _tcp(self, address: str) -> socket.socket:
        return self.open(_family(address), socket.SOCK_STREAM)

    def _dig_hole(self) -> None:
        """A veth pair, and a neighbour at its far end that no one is: frames to it are delivered and dropped."""
        if f"{HOLE} " in self.run("ip", "neigh"):
            return
        for command in (
            "link add hole type veth peer name bottom",
            "link set hole up",
            "link set bottom up",
            "address add 192.0.2.1/24 dev hole",
            f"neigh add {HOLE} lladdr 02:00:00:00:00:99 dev hole nud permanent",
        ):
            self.run("ip", *command.split())

    def _await_states(self, state: str, port: int, seconds: float = 5.0) -> None:
        """Wait until `ss` shows a local port in a state: the other end's answer comes in its own time."""
        deadline = time.monotonic() + seconds
        while not self.run("ss", "-tanH", "state", state.lower(), f"sport = :{port}"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"port {port} did not reach {state} in {seconds} s")
            time.sleep(0.005)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _end_child(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
