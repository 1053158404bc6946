"""Sums over sockets, kept up to date one socket at a time: per process, per namespace, and for the coverage line.

Adding up 42,000 sockets in every picture would take longer than reading them; a picture changes a few hundred. All sums
are of whole numbers, so that what is added and taken away again leaves no trace.
"""

from __future__ import annotations

from typing import TypeVar

from nettop.model import ProcessKey
from nettop.snapshot import Connection


class SocketSums:
    """What a set of sockets adds up to."""

    __slots__ = ("connections", "counted", "listening", "retrans", "rx_bytes", "sockets", "tx_bytes")

    def __init__(self) -> None:
        self.sockets = 0
        self.connections = 0
        self.listening = 0
        self.counted = 0  # sockets whose bytes are known
        self.rx_bytes = 0
        self.tx_bytes = 0
        self.retrans = 0

    def change(self, row: Connection, sign: int) -> None:
        """Add a socket (sign 1) or take it away (-1)."""
        stats = row.stats
        self.sockets += sign
        if stats.state == "LISTEN":
            self.listening += sign
        elif row.socket.rport is not None:
            self.connections += sign
        if stats.rx_bytes is not None and stats.tx_bytes is not None:
            self.counted += sign
            self.rx_bytes += sign * stats.rx_bytes
            self.tx_bytes += sign * stats.tx_bytes
            self.retrans += sign * (stats.retrans or 0)


_NOTHING = SocketSums()


class Ledger:
    """The sums of every process and namespace, and whose changed since last asked."""

    def __init__(self) -> None:
        self._processes: dict[ProcessKey, SocketSums] = {}
        self._namespaces: dict[int, SocketSums] = {}
        self.touched_processes: set[ProcessKey] = set()
        self.touched_namespaces: set[int] = set()
        self.ownable = 0
        self.unowned = 0

    def of_process(self, key: ProcessKey) -> SocketSums:
        """Sums over the sockets a process holds first."""
        return self._processes.get(key, _NOTHING)

    def of_namespace(self, netns: int) -> SocketSums:
        """Sums over the sockets that live in a namespace."""
        return self._namespaces.get(netns, _NOTHING)

    def replace(self, old: Connection | None, new: Connection | None) -> None:
        """A socket's row changed; None before it came or after it went."""
        if old is not None:
            self._change(old, -1)
        if new is not None:
            self._change(new, 1)

    def _change(self, row: Connection, sign: int) -> None:
        _of(self._namespaces, row.socket.netns).change(row, sign)
        self.touched_namespaces.add(row.socket.netns)
        holders = row.owners.holders
        if holders:
            key = holders[0].process
            _of(self._processes, key).change(row, sign)
            self.touched_processes.add(key)
        if row.socket.inode is not None:
            self.ownable += sign
            self.unowned += sign * (not holders)

    def close_picture(self) -> None:
        """Drop the touched processes and namespaces that have no sockets any more; nothing is touched then."""
        for key in self.touched_processes:
            if key in self._processes and not self._processes[key].sockets:
                del self._processes[key]
        for netns in self.touched_namespaces:
            if netns in self._namespaces and not self._namespaces[netns].sockets:
                del self._namespaces[netns]
        self.touched_processes, self.touched_namespaces = set(), set()


_K = TypeVar("_K")


def _of(sums: dict[_K, SocketSums], key: _K) -> SocketSums:
    found = sums.get(key)
    if found is None:
        found = sums[key] = SocketSums()
    return found
