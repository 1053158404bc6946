"""What a day of a machine takes on the disk, and how long it takes to be at any moment of it.

Some minutes are collected on a machine with 1,000 sockets that talk, open and close; then, in fast motion, they go
through the real writer over and over, with the times of a day.
"""

from __future__ import annotations

import collections
import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nettop import wire
from nettop.collector.collector import Collector
from nettop.model import Delta
from nettop.recording.player import Player
from nettop.recording.reader import Reader
from nettop.recording.recorder import Recorder
from nettop.recording.writer import Writer
from nettop.store import Store
from tests.bench.inside import Inside
from tests.bench.lab import Lab, LabNamespace
from tests.bench.lab_spec import LabSpec

MACHINE = LabSpec(processes=300, namespaces=5, tcp_pairs=450, listeners=30, udp=40, unix_pairs=15)
"""1,000 sockets, 45 of which talk twice a second."""
DAY = 86_400
"""Ticks of one second."""

_COLLECTED = 120
"""Of these, the ones that are real."""
_JUMPS = 50

CHURN = """
import socket, subprocess, time
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(64)
for number in range(10**9):
    near = socket.create_connection(listener.getsockname()); far, _ = listener.accept()
    near.sendall(bytes(300)); far.recv(999); far.sendall(bytes(900)); near.recv(999)
    near.close(); far.close()
    if number % 10 == 0: subprocess.run(["true"])
    time.sleep(0.2)
"""
"""Five connections and half a process a second."""


class Day(NamedTuple):
    """A recording of 24 hours."""

    size: int
    """Bytes."""
    tick: float
    """Seconds of processor time that recording takes of each."""
    jump: float
    """Seconds to the picture of any moment, the middle one ..."""
    longest: float
    """... and the longest."""
    opened: float
    """Seconds until the file is open."""
    moving: float
    """Sockets whose figures changed in a tick."""


def measure() -> Day:
    """Collect, record, jump."""
    ticks = _collect()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "day.rec")
        before = time.process_time()
        _record(path, ticks)
        used = (time.process_time() - before) / DAY
        began = time.perf_counter()
        reader = Reader.open(path)
        opened = time.perf_counter() - began
        jumps = sorted(_jumps(reader))
        moving = sum(len(part.changes["stats"].rows) for tick in ticks[1:] for part in tick if "stats" in part.changes)
        size, middle = path.stat().st_size, jumps[len(jumps) // 2]
        return Day(size, used, middle, jumps[-1], opened, moving / len(ticks))


def _collect() -> list[list[Delta]]:
    """Real ticks of the lab, each with its parts."""
    ticks = []
    with Lab(MACHINE) as lab, subprocess.Popen(_within(lab.namespaces[0], CHURN)) as churn:
        collector, inside = Collector(), Inside([namespace.inode for namespace in lab.namespaces])
        try:
            collector.start()
            due = time.monotonic()
            for _ in range(_COLLECTED):
                parts: list[Delta] = []
                collector.tick(parts.append)
                ticks.append([inside.take(part) for part in (*parts, collector.take())])
                collector.read_links()
                due += 1.0
                time.sleep(max(0.0, due - time.monotonic()))
        finally:
            collector.close()
            churn.kill()
    return ticks


def _within(namespace: LabNamespace, program: str) -> list[str]:
    """The command that runs a program of Python there."""
    return ["ip", "netns", "exec", namespace.name, sys.executable, "-c", program]


def _record(path: Path, ticks: list[list[Delta]]) -> None:
    """A day of them."""
    writer, store = Writer(path), Store()
    recorder = Recorder(writer)
    begun = ticks[0][0].time
    for second, tick in enumerate(itertools.islice(itertools.cycle(ticks), DAY)):
        for part in tick:
            delta = part._replace(time=begun + second, clock=1000.0 + second)
            collections.deque(recorder.take(delta, wire.encode(delta), store.key_frame), maxlen=0)
            store.apply(delta)
    writer.close()


def _jumps(reader: Reader) -> Iterator[float]:
    """Seconds that each takes."""
    player, chance = Player(reader), random.Random(1)
    start, end = (player.ticks.time(tick) for tick in (player.ticks.first, player.ticks.last))
    for _ in range(_JUMPS):
        began = time.perf_counter()
        collections.deque(player.seek(player.ticks.at(chance.uniform(start, end))), maxlen=0)
        yield time.perf_counter() - began
