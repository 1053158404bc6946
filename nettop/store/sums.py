"""Sums over sockets, kept up to date one socket at a time: per process, per namespace, and for the coverage line.

Adding up 42,000 sockets in every picture would take longer than reading them; a picture changes a few hundred. All sums
are of whole numbers, so that what is added and taken away again leaves no trace.
"""

from __future__ import annotations

from nettop.snapshot import Connection

Figures = tuple[bool, bool, bool, int, int, int]
"""What one socket adds to a sum: whether it listens, has a remote end, has bytes that are known; these, and segments
sent again."""

Key = tuple[int, int]
"""Pid and start time, as in `model.ProcessKey`."""


class SocketSums:
    """What a set of sockets adds up to."""

    __slots__ = ("connections", "counted", "listening", "retrans", "rows", "rx_bytes", "sockets", "tx_bytes")

    def __init__(self) -> None:
        self.rows = 0
        """Sockets, ended ones and former ones included."""
        self.sockets = 0
        self.connections = 0
        self.listening = 0
        self.counted = 0
        """Sockets whose bytes are known."""
        self.rx_bytes = 0
        self.tx_bytes = 0
        self.retrans = 0

    def change(self, figures: Figures, sign: int, present: bool) -> None:
        """Add a socket (sign 1) or take it away (-1); of one that is not `present` any more only the bytes count."""
        listening, connected, counted, rx_bytes, tx_bytes, retrans = figures
        self.rows += sign
        if present:
            self.sockets += sign
            if listening:
                self.listening += sign
            elif connected:
                self.connections += sign
        if counted:
            self.counted += sign
            self.rx_bytes += sign * rx_bytes
            self.tx_bytes += sign * tx_bytes
        if retrans:
            self.retrans += sign * retrans


_NOTHING = SocketSums()


class Ledger:
    """The sums of every process, container and namespace, and whose changed since `close_picture`."""

    def __init__(self) -> None:
        self.touched: set[Key] = set()
        """Processes."""
        self.containers_touched: set[int] = set()
        """Row ids."""
        self.ownable = 0
        """Sockets that a process may hold."""
        self.unowned = 0
        """Of these, the ones nobody is known to hold."""
        self._processes: dict[Key, SocketSums] = {}
        self._containers: dict[int, SocketSums] = {}
        self._namespaces: dict[int, SocketSums] = {}

    def of_process(self, key: Key) -> SocketSums:
        """Sums over the sockets a process holds first."""
        return self._processes.get(key, _NOTHING)

    def of_container(self, row_id: int) -> SocketSums:
        """Sums over the sockets that belong to a container, unit or program."""
        return self._containers.get(row_id, _NOTHING)

    def of_namespace(self, netns: int) -> SocketSums:
        """Sums over the sockets that live in a namespace."""
        return self._namespaces.get(netns, _NOTHING)

    def everywhere(self) -> tuple[int, int, int]:
        """Bytes received and sent, and segments sent again, of all sockets."""
        parts = self._namespaces.values()
        return sum(p.rx_bytes for p in parts), sum(p.tx_bytes for p in parts), sum(p.retrans for p in parts)

    def replace(self, old: Connection | None, new: Connection | None) -> None:
        """A socket's row changed; None before it came, or after it went."""
        if old is not None and new is not None and _only_moved(old, new):
            changed = [self._namespaces[new.socket.netns]]
            if new.owners:
                key = new.owners[0][:2]
                changed.append(self._processes[key])
                self.touched.add(key)
            belongs = new.belongs
            if belongs is not None:
                changed.append(self._containers[belongs])
                self.containers_touched.add(belongs)
            before, now = old.stats, new.stats
            rx_bytes = (now.rx_bytes or 0) - (before.rx_bytes or 0)
            tx_bytes = (now.tx_bytes or 0) - (before.tx_bytes or 0)
            retrans = (now.retrans or 0) - (before.retrans or 0)
            for sums in changed:
                sums.rx_bytes += rx_bytes
                sums.tx_bytes += tx_bytes
                sums.retrans += retrans
            return
        if old is not None:
            self._change(old, -1)
        if new is not None:
            self._change(new, 1)

    def close_picture(self) -> None:
        """Nothing is touched any more."""
        self.touched, self.containers_touched = set(), set()

    def _change(self, row: Connection, sign: int) -> None:
        netns, holders = row.socket.netns, row.owners
        figures, present = _figures(row), not row.ended
        held_now = present and row.owner_by != "gone"
        inside = self._namespaces.get(netns)
        if inside is None:
            inside = self._namespaces[netns] = SocketSums()
        inside.change(figures, sign, present)
        if not inside.rows:
            del self._namespaces[netns]
        if holders:
            key = holders[0][:2]
            held = self._processes.get(key)
            if held is None:
                held = self._processes[key] = SocketSums()
            held.change(figures, sign, held_now)
            if not held.rows:
                del self._processes[key]
            self.touched.add(key)
        belongs = row.belongs
        if belongs is not None:
            together = self._containers.get(belongs)
            if together is None:
                together = self._containers[belongs] = SocketSums()
            together.change(figures, sign, held_now)
            if not together.rows:
                del self._containers[belongs]
            self.containers_touched.add(belongs)
        if present and row.socket.ownable:
            self.ownable += sign
            self.unowned += sign * (not holders)


def _figures(row: Connection) -> Figures:
    stats = row.stats
    listening, rx_bytes = stats.state == "LISTEN", stats.rx_bytes
    connected = not listening and row.socket.rport is not None
    return listening, connected, rx_bytes is not None, rx_bytes or 0, stats.tx_bytes or 0, stats.retrans or 0


def _only_moved(old: Connection, new: Connection) -> bool:
    """Same socket, holders and place, same state, bytes known or not as before: only counters differ."""
    return (
        old.socket is new.socket
        and old.owners is new.owners
        and old.owner_by == new.owner_by
        and old.place is new.place
        and (old.process is new.process or old.belongs == new.belongs)
        and old.stats.state == new.stats.state
        and (old.stats.rx_bytes is None) == (new.stats.rx_bytes is None)
    )
