"""A storm of short connections with an exact count, and what several ways to watch have seen of it."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from nettop import wire
from nettop.collector import spawn
from nettop.collector.spawn import Running
from nettop.snapshot import NamespaceRow, Snapshot
from nettop.store import Store
from tests.bench.tree import pss_bytes
from tests.support import netns

ASKED, ANSWERED = 300, 900
"""Bytes of payload each connection carries, there and back."""

_STORM = """
import json, os, socket, sys, time
rate, seconds = json.loads(sys.argv[1])
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(64)
asked, answered, address = bytes(300), bytes(900), listener.getsockname()
print(json.dumps(os.getpid()), flush=True); sys.stdin.readline()
begun, made = time.monotonic(), 0
while made < rate * seconds:
    time.sleep(max(0, begun + made / rate - time.monotonic()))
    for _ in range(20):
        near = socket.create_connection(address); far, _ = listener.accept()
        near.sendall(asked); far.recv(999); far.sendall(answered); near.recv(999)
        near.close(); far.close()
    made += 20
print(json.dumps([made, time.monotonic() - begun]), flush=True); sys.stdin.readline()
"""


class Seen(NamedTuple):
    """What somebody has seen of a storm."""

    connections: float | None
    """Share, 0..1, as the next one; None where it does not tell."""
    size: float | None
    note: str = ""


class Storm(NamedTuple):
    """What was made, and what became of the one that counted it."""

    connections: int
    seconds: float
    nettop: Seen
    lost: int
    """Messages nettop says it has lost."""
    owned: float
    """Share of ended connections whose process nettop knows."""
    grown: int
    """Bytes of memory, of the collector, half a minute later against before."""
    ss: Seen
    nethogs: Seen


def run_churn(rate: int = 5_000, seconds: float = 10.0, rest: float = 75.0) -> Storm:
    """So many connections a second within one process, in a namespace of its own; `rest` seconds later TIME-WAIT is
    over, and memory is looked at again. Needs root."""
    name = f"nettop-lab-churn-{os.getpid()}"
    netns.add(name)
    try:
        with netns.entered(name):
            netns.loopback_up()
        return _watched(name, rate, seconds, rest)
    finally:
        netns.delete(name)


def _watched(name: str, rate: int, seconds: float, rest: float) -> Storm:
    inode = netns.inode(name)
    running = spawn.start(1.0)  # a fork would share memory with this process, and seem to grow as that changes
    reader = _Reader(running)
    try:
        with _begin(name, _STORM, json.dumps([rate, seconds])) as storm:
            assert storm.stdin is not None
            assert storm.stdout is not None
            storm.stdout.readline()
            reader.until(lambda shown: _row(shown, inode) is not None)
            reader.pump(3.0)
            before = pss_bytes([running.pid])
            polled = _Polled(name)
            hogs = _NetHogs(name)
            storm.stdin.write("go\n")
            storm.stdin.flush()
            while not select.select([storm.stdout], [], [], 0)[0]:
                reader.pump(0.1)
                polled.look()
            made, took = json.loads(storm.stdout.readline())
            reader.until_quiet()
            shown = reader.store.snapshot
            row = _row(shown, inode)
            assert row is not None
            nettop = Seen(row.opened / made, row.tx_bytes / (made * (ASKED + ANSWERED)))
            owned = shown.coverage.closed_owned / max(1, shown.coverage.closed)
            lost = sum(health.times for health in shown.health if health.source == "sock_destroy")
            nethogs = hogs.end(made * (ASKED + ANSWERED))
            reader.pump(rest)
            grown = pss_bytes([running.pid]) - before
    finally:
        spawn.reap(running, 2.0)
    return Storm(made, took, nettop, lost, owned, grown, Seen(len(polled.seen) / made, None), nethogs)


def _row(shown: Snapshot, inode: int) -> NamespaceRow | None:
    return next((row for row in shown.namespaces.values() if row.namespace.netns == inode), None)


class _Reader:
    """The other end of a collector."""

    def __init__(self, running: Running) -> None:
        self.store = Store()
        self._connection = running.connection
        self._heard = b""

    def pump(self, seconds: float) -> None:
        """Take in what it tells for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._connection], [], [], left)[0]:
                data = self._connection.recv(1 << 20)
                if not data:
                    raise EOFError("the collector has ended")
                *lines, self._heard = (self._heard + data).split(b"\n")
                for line in lines:
                    self.store.apply(wire.decode(line))

    def until(self, condition: Callable[[Snapshot], bool], patience: float = 30.0) -> None:
        """The same until a picture is as wanted."""
        deadline = time.monotonic() + patience
        while not condition(self.store.snapshot):
            self.pump(0.1)
            if time.monotonic() > deadline:
                raise TimeoutError("the collector does not tell")

    def until_quiet(self, patience: float = 60.0) -> None:
        """Take in what it tells until a picture has no more ends than the one before: on a busy machine it lags."""
        deadline, ended = time.monotonic() + patience, -1
        while ended != self.store.snapshot.traffic.closed and time.monotonic() < deadline:
            ended, shown = self.store.snapshot.traffic.closed, self.store.snapshot.sequence
            while self.store.snapshot.sequence < shown + 2 and time.monotonic() < deadline:
                self.pump(0.1)


class _Polled:
    """`ss` once a second: the connections it has seen, TIME-WAIT left out as nobody owns it."""

    def __init__(self, name: str) -> None:
        self.seen: set[str] = set()
        self._command = ["ss", "-N", name, "-tanH", "state", "connected", "exclude", "time-wait"]
        self._due = 0.0

    def look(self) -> None:
        if time.monotonic() >= self._due and shutil.which("ss"):
            self._due = time.monotonic() + 1.0
            said = subprocess.run(self._command, capture_output=True, text=True, check=False).stdout
            self.seen.update(line.split()[3] for line in said.splitlines())


class _NetHogs:
    """`nethogs` in the namespace, which adds up the packets of each process."""

    def __init__(self, name: str) -> None:
        self._running = None
        if shutil.which("nethogs"):
            command = ["ip", "netns", "exec", name, "nethogs", "-a", "-t", "-v", "2", "-d", "1", "lo"]
            self._running = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
            )
            time.sleep(1.0)  # it tells nobody when it has begun to capture

    def end(self, moved: int) -> Seen:
        """The share of `moved` bytes it gives to a program it knows; it counts headers, too, and each packet once."""
        if self._running is None:
            return Seen(None, None, "nethogs is not installed")
        self._running.send_signal(signal.SIGINT)  # else it loses what it has not written yet
        said = self._running.communicate()[0]
        last = said.rpartition("Refreshing:")[2]
        counted = re.findall(r"^(\S+)/\d+/\d+\t([\d.]+)\t([\d.]+)$", last, re.MULTILINE)
        size = sum(float(sent) + float(received) for program, sent, received in counted if "unknown" not in program)
        return Seen(None, size / moved, "of bytes, headers included, at a program it knows")


def _begin(name: str, program: str, argument: str) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", name, sys.executable, "-I", "-S", "-c", program, argument]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
