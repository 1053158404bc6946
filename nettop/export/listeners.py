"""What came through each listening port: the sums over connections that no row of a picture tells.

A connection belongs to the listener of its namespace with its local port, and with its local address or any.
Connections that began and ended between two pictures have rows as others do, up to a number in each; of more, the
containers, units, programs and namespaces know, and the listeners do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nettop.snapshot import Connection

Endpoint = tuple[int, int, str]
"""Namespace, port, address."""

_ANY = ("0.0.0.0", "::", "*")
_Rows = Mapping[int, Connection]


class Listener:
    """All sockets that listen at one address and port of a namespace, and what their connections moved so far."""

    __slots__ = ("accepted", "address", "namespace", "port", "program", "retrans", "rx_bytes", "sockets", "tx_bytes")

    def __init__(self, row: Connection) -> None:
        self.address = row.socket.local or ""
        self.port = row.socket.lport or 0
        self.namespace: str | None = None
        self.program: str | None = None
        self.sockets: dict[int, Connection] = {}
        self.rx_bytes = self.tx_bytes = self.retrans = self.accepted = 0
        self.hold(row)

    def hold(self, row: Connection) -> None:
        """One of its sockets is new, or different; the program is that of the last one whose holder is known."""
        self.sockets[row.id] = row
        self.namespace = (row.namespace and row.namespace.name) or str(row.socket.netns)
        if row.process is not None:
            self.program = row.process.comm

    @property
    def queue(self) -> int:
        """Connections waiting to be accepted."""
        return sum(row.stats.recvq or 0 for row in self.sockets.values())

    @property
    def queue_limit(self) -> int:
        """Connections that may wait."""
        return sum(row.stats.sendq or 0 for row in self.sockets.values())

    @property
    def fill(self) -> float | None:
        """The same as a share, of the fullest of its sockets; None where no queue has a limit."""
        limited = [row.stats for row in self.sockets.values() if row.stats.sendq]
        return max(((stats.recvq or 0) / (stats.sendq or 1) for stats in limited), default=None)


class Listeners:
    """Every TCP listener of the machine, kept up to date by what changed."""

    def __init__(self) -> None:
        self.rows: dict[Endpoint, Listener] = {}
        self._endpoints: dict[int, Endpoint] = {}  # row of a listening socket → where it listens
        self._ports: Counter[tuple[int, int]] = Counter()  # namespace, port → endpoints

    def of(self, row: Connection) -> Endpoint | None:
        """Where the connection came in; None of one that was made from here, and of what is none."""
        socket = row.socket
        if socket.proto != "tcp" or socket.lport is None or not self._ports.get((socket.netns, socket.lport)):
            return None
        local = socket.ends[0] if socket.ends else socket.local
        for address in (local, *_ANY):
            endpoint = socket.netns, socket.lport, address
            if endpoint in self.rows:
                return endpoint
        return None

    def take(self, before: _Rows, now: _Rows, ids: Iterable[int]) -> set[Endpoint]:
        """Take in the rows that are new, different or gone; the endpoints whose figures may be different."""
        changed = [(before.get(row_id), now.get(row_id)) for row_id in ids]
        touched = set(self._relist(changed))
        dropped = {(old.socket.netns, old.socket.ends): old for old, new in changed if old is not None and new is None}
        for old, new in changed:
            if new is None or new.stats.rx_bytes is None or new.stats.state == "LISTEN":
                continue
            endpoint = self.of(new)
            if endpoint is None:
                continue
            if old is None and new.stats.state == "TIME-WAIT":  # it takes over from the row of the socket itself
                if new.socket.ends is None:
                    continue  # of which one, a service does not tell that hides who the other end is
                old = dropped.get((new.socket.netns, new.socket.ends))  # noqa: PLW2901
            known = old is not None and old.stats.rx_bytes is not None
            self._count(self.rows[endpoint], old if known else None, new)
            touched.add(endpoint)
        return touched

    def _relist(self, changed: Sequence[tuple[Connection | None, Connection | None]]) -> Iterator[Endpoint]:
        """Who listens where, which has to be known before the connections are. A server that is started again comes
        before the one that was is gone: it goes on counting."""
        left = []
        for old, new in changed:
            if new is not None and new.stats.state == "LISTEN" and new.socket.proto == "tcp":
                endpoint = new.socket.netns, new.socket.lport or 0, new.socket.local or ""
                self._endpoints[new.id] = endpoint
                if endpoint in self.rows:
                    self.rows[endpoint].hold(new)
                else:
                    self.rows[endpoint] = Listener(new)
                    self._ports[endpoint[:2]] += 1
                yield endpoint
            elif old is not None and old.id in self._endpoints:
                left.append(old.id)
        for row_id in left:
            endpoint = self._endpoints.pop(row_id)
            del self.rows[endpoint].sockets[row_id]
            if not self.rows[endpoint].sockets:
                del self.rows[endpoint]
                self._ports[endpoint[:2]] -= 1
            yield endpoint

    @staticmethod
    def _count(listener: Listener, old: Connection | None, new: Connection) -> None:
        stats, before = new.stats, old.stats if old is not None else None
        listener.rx_bytes += (stats.rx_bytes or 0) - ((before.rx_bytes or 0) if before else 0)
        listener.tx_bytes += (stats.tx_bytes or 0) - ((before.tx_bytes or 0) if before else 0)
        listener.retrans += (stats.retrans or 0) - ((before.retrans or 0) if before else 0)
        listener.accepted += before is None and _is_new(new)


def _is_new(row: Connection) -> bool:
    """A connection that was not there before was made since; one that is older than the collector has no beginning, nor
    has one that was told of by its end alone."""
    return row.socket.since is not None or row.ended or row.stats.state == "TIME-WAIT"
