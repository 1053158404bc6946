"""Sums over sockets, kept up to date one socket at a time: per process, per namespace, and for the coverage line.

Adding up 42,000 sockets in every picture would take longer than reading them; a picture changes a few hundred. All sums
are of whole numbers, so that what is added and taken away again leaves no trace.
"""

from __future__ import annotations

from nettop.model import SocketStats
from nettop.snapshot import Connection

Key = tuple[int, int]
"""Pid and start time, as in `model.ProcessKey`."""


class SocketSums:
    """What a set of sockets adds up to."""

    __slots__ = ("connections", "counted", "listening", "retrans", "rx_bytes", "sockets", "tx_bytes")

    def __init__(self) -> None:
        self.sockets = 0
        self.connections = 0
        self.listening = 0
        self.counted = 0
        """Sockets whose bytes are known."""
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
        if stats.rx_bytes is not None:
            self.counted += sign
        self.count(stats, sign)

    def count(self, stats: SocketStats, sign: int) -> None:
        """Add the counters of a socket alone, or take them away."""
        self.rx_bytes += sign * (stats.rx_bytes or 0)
        self.tx_bytes += sign * (stats.tx_bytes or 0)
        self.retrans += sign * (stats.retrans or 0)


_NOTHING = SocketSums()


class Ledger:
    """The sums of every process and namespace, and which processes' changed since `close_picture`."""

    def __init__(self) -> None:
        self.touched: set[Key] = set()
        self.ownable = 0
        """Sockets that a process may hold."""
        self.unowned = 0
        """Of these, the ones nobody is known to hold."""
        self._processes: dict[Key, SocketSums] = {}
        self._namespaces: dict[int, SocketSums] = {}

    def of_process(self, key: Key) -> SocketSums:
        """Sums over the sockets a process holds first."""
        return self._processes.get(key, _NOTHING)

    def of_namespace(self, netns: int) -> SocketSums:
        """Sums over the sockets that live in a namespace; its bytes are those of its last census, not kept up."""
        return self._namespaces.get(netns, _NOTHING)

    def replace(self, old: Connection | None, new: Connection | None) -> None:
        """A socket's row changed; None before it came, or after it went."""
        if old is not None and new is not None and _only_moved(old, new):
            if new.owners:
                key = new.owners[0][:2]
                sums = self._processes[key]
                sums.count(old.stats, -1)
                sums.count(new.stats, 1)
                self.touched.add(key)
            return
        if old is not None:
            self._change(old, -1)
        if new is not None:
            self._change(new, 1)

    def close_picture(self) -> None:
        """Nothing is touched any more."""
        self.touched = set()

    def _change(self, row: Connection, sign: int) -> None:
        netns, holders = row.socket.netns, row.owners
        inside = self._namespaces.get(netns)
        if inside is None:
            inside = self._namespaces[netns] = SocketSums()
        inside.change(row, sign)
        if not inside.sockets:
            del self._namespaces[netns]
        if holders:
            key = holders[0][:2]
            held = self._processes.get(key)
            if held is None:
                held = self._processes[key] = SocketSums()
            held.change(row, sign)
            if not held.sockets:
                del self._processes[key]
            self.touched.add(key)
        if row.socket.ownable:
            self.ownable += sign
            self.unowned += sign * (not holders)


def _only_moved(old: Connection, new: Connection) -> bool:
    """Same socket, same holders, same state, bytes known or not as before: only counters differ."""
    return (
        old.socket is new.socket
        and old.owners is new.owners
        and old.stats.state == new.stats.state
        and (old.stats.rx_bytes is None) == (new.stats.rx_bytes is None)
    )
