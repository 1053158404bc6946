"""A storm of short connections with an exact count, and what several ways to watch have seen of it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from typing import NamedTuple

from nettop.collector import spawn
from nettop.collector.pulse import TIDY_EVERY
from tests.bench.onlookers import NetHogs, Polled, Reader, Seen, row_of
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


TIDIED = TIDY_EVERY + 2.0
"""Seconds within which a collector gives free memory back."""


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
    """Bytes of memory, of the collector, when all is over, against before."""
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
    reader = Reader(running)
    try:
        with _begin(name, _STORM, json.dumps([rate, seconds])) as storm:
            assert storm.stdin is not None
            assert storm.stdout is not None
            storm.stdout.readline()
            reader.until(lambda shown: row_of(shown, inode) is not None)
            reader.pump(3.0)
            before = _least(reader, running.pid)
            polled = Polled(name)
            hogs = NetHogs(name)
            storm.stdin.write("go\n")
            storm.stdin.flush()
            while not select.select([storm.stdout], [], [], 0)[0]:
                reader.pump(0.1)
                polled.look()
            made, took = json.loads(storm.stdout.readline())
            reader.until_quiet()
            shown = reader.store.snapshot
            row = row_of(shown, inode)
            assert row is not None
            nettop = Seen(row.opened / made, row.tx_bytes / (made * (ASKED + ANSWERED)))
            owned = shown.coverage.closed_owned / max(1, shown.coverage.closed)
            lost = sum(health.times for health in shown.health if health.source == "sock_destroy")
            caught = hogs.end()
            nethogs = Seen(None, None if caught is None else caught / (made * (ASKED + ANSWERED)), hogs.note)
            reader.pump(rest)
            grown = _least(reader, running.pid) - before
    finally:
        spawn.reap(running, 2.0)
    return Storm(made, took, nettop, lost, owned, grown, Seen(len(polled.seen) / made, None), nethogs)


def _least(reader: Reader, pid: int) -> int:
    """Bytes of memory a collector needs: the least while it gives back once what its ticks take."""
    readings = []
    for _ in range(round(TIDIED / 0.5)):
        reader.pump(0.5)
        readings.append(pss_bytes([pid]))
    return min(readings)


def _begin(name: str, program: str, argument: str) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", name, sys.executable, "-I", "-S", "-c", program, argument]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
