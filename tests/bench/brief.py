"""A thousand short connections of known sizes, by short-lived and long-lived processes in three namespaces: whether
every byte, connection and failure was counted, and whose each was said to be; and what other ways to watch have seen.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from nettop.collector import spawn
from nettop.snapshot import Snapshot
from tests.bench.onlookers import NetHogs, Polled, Reader, Seen, row_of
from tests.support import netns
from tests.support.churn import Churn, Client, ends_of

NAMESPACES = 3


class Brief(NamedTuple):
    """What was made, and what has been seen of it."""

    made: int
    """Connections."""
    failed: int
    """Connects that were refused."""
    seconds: float
    miscounted: int
    """By how much nettop's sums of bytes, opens, accepts, failures and ends are off, each of each namespace."""
    wrong: int
    """Ends of connections that nettop said were another's."""
    owned: float
    """Share of them whose process it said, 0..1."""
    lost: int
    """Messages it says it has lost."""
    ss: float
    """Share of the connections."""
    nethogs: Seen


def run_brief() -> Brief:
    """950 connections and 50 failed connects, none of which lasts longer than a tick. Needs root."""
    names = [f"nettop-lab-brief-{os.getpid()}-{number}" for number in range(NAMESPACES)]
    netns.add(*names)
    try:
        for name in names:
            with netns.entered(name):
                netns.loopback_up()
        return _watched(names)
    finally:
        netns.delete(*names)


class _Owners:
    """Whose nettop said the ends of connections were; the last word counts."""

    def __init__(self, names: list[str]) -> None:
        self._names = {netns.inode(name): name for name in names}
        self._shown: dict[tuple[str, int, int], int | None] = {}
        self._sequence = -1

    def look(self, shown: Snapshot) -> None:
        """Note what a new picture says."""
        if shown.sequence == self._sequence:
            return
        self._sequence = shown.sequence
        for row in shown.connections.values():
            name = self._names.get(row.socket.netns)
            if name is not None and row.socket.proto == "tcp":
                ends = name, row.socket.lport or 0, row.socket.rport or 0
                self._shown[ends] = row.owners[0].pid if row.owners else None

    def judge(self, truth: dict[tuple[str, int, int], int]) -> tuple[int, float]:
        """How many were another's in truth, and the share of all for which it knew one."""
        said = [(pid, truth[ends]) for ends, pid in self._shown.items() if ends in truth and pid is not None]
        return sum(pid != right for pid, right in said), len(said) / len(truth)


def _watched(names: list[str]) -> Brief:
    running = spawn.start(1.0)
    reader = Reader(running)
    try:
        with Churn(names) as churn:
            inodes = {name: netns.inode(name) for name in names}
            reader.until(lambda shown: all(row_of(shown, inode) for inode in inodes.values()))
            reader.pump(2.0)
            owners = _Owners(names)
            polled, hogs = [Polled(name) for name in names], [NetHogs(name) for name in names]

            def watch() -> None:
                reader.pump(0.05)
                owners.look(reader.store.snapshot)
                for each in polled:
                    each.look()

            begun = time.monotonic()
            clients = churn.run(watch, short=20, long=2, connections=43, failures=2, hold=0.1)
            clients += churn.run(watch, short=2, long=0, connections=2, failures=3)
            took = time.monotonic() - begun
            reader.until_quiet()
            shown = reader.store.snapshot
            owners.look(shown)
            moved = sum(client.sent + client.received for client in clients)
            caught = [each.end() for each in hogs]
            wrong, owned = owners.judge(ends_of(clients, churn.servers))
            made = sum(len(client.ports) for client in clients)
            return Brief(
                made,
                sum(client.failed for client in clients),
                took,
                sum(_miscounted(shown, inodes[name], [c for c in clients if c.netns == name]) for name in names),
                wrong,
                owned,
                sum(health.times for health in shown.health if health.source == "sock_destroy"),
                sum(len(each.seen) for each in polled) / made,
                Seen(None, None if None in caught else sum(filter(None, caught)) / moved, hogs[0].note),
            )
    finally:
        spawn.reap(running, 2.0)


def _miscounted(shown: Snapshot, inode: int, clients: list[Client]) -> int:
    """Each byte went through two sockets of the namespace, and each connection has two ends."""
    row = row_of(shown, inode)
    assert row is not None
    moved = sum(client.sent + client.received for client in clients)
    made, failed = sum(len(client.ports) for client in clients), sum(client.failed for client in clients)
    truth = (moved, moved, made, made, failed, 2 * made + failed)
    counted = (row.tx_bytes, row.rx_bytes, row.opened, row.accepted, row.failed, row.closed)
    return sum(abs(one - other) for one, other in zip(counted, truth, strict=True))
