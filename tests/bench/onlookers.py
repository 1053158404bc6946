"""Who watches many short connections, and what share of them each has seen: a collector, `ss`, `nethogs`."""

from __future__ import annotations

import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

from nettop import wire
from nettop.collector.spawn import Running
from nettop.snapshot import NamespaceRow, Snapshot
from nettop.store import Store


class Seen(NamedTuple):
    """What somebody has seen of many connections."""

    connections: float | None
    """Share, 0..1, as the next one; None where it does not tell."""
    size: float | None
    note: str = ""


def row_of(shown: Snapshot, inode: int) -> NamespaceRow | None:
    """The row of a namespace."""
    return next((row for row in shown.namespaces.values() if row.namespace.netns == inode), None)


class Reader:
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


class Polled:
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


class NetHogs:
    """`nethogs` in the namespace, which adds up the packets of each process."""

    def __init__(self, name: str) -> None:
        self.note = "nethogs is not installed"
        self._running = None
        if shutil.which("nethogs"):
            command = ["ip", "netns", "exec", name, "nethogs", "-a", "-t", "-v", "2", "-d", "1", "lo"]
            self._running = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
            )
            self.note = "of bytes, headers included, at a program it knows"
            time.sleep(1.0)  # it tells nobody when it has begun to capture

    def end(self) -> float | None:
        """The bytes it gives to a program it knows; it counts headers, too, and each packet once."""
        if self._running is None:
            return None
        self._running.send_signal(signal.SIGINT)  # else it loses what it has not written yet
        said = self._running.communicate()[0]
        last = said.rpartition("Refreshing:")[2]
        counted = re.findall(r"^(\S+)/\d+/\d+\t([\d.]+)\t([\d.]+)$", last, re.MULTILINE)
        return sum(float(sent) + float(received) for program, sent, received in counted if "unknown" not in program)
