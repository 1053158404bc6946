"""Socket tables without cookies: rows of /proc/PID/net, told apart by what they say."""

from __future__ import annotations

from typing import Callable, Dict, Hashable, Iterable, List, Tuple

from nettop.kernel.inet_diag import Found
from nettop.model import Socket, SocketStats

_Row = Tuple[Socket, SocketStats]


class RowTable:
    """The counterpart of `inet_diag.InetTable` for readers that always decode everything."""

    def __init__(self, new_id: Callable[[], int]) -> None:
        self._new_id = new_id
        self._known: Dict[Hashable, Tuple[int, Socket, SocketStats]] = {}
        self._complete = False

    def __len__(self) -> int:
        return len(self._known)

    def rows(self) -> List[int]:
        """Ids of the sockets it holds."""
        return [row_id for row_id, _, _ in self._known.values()]

    def update(self, rows: Iterable[_Row], now: float) -> Found:
        """Compare with the rows before: what is new, different and gone."""
        found = Found.nothing()
        known: Dict[Hashable, Tuple[int, Socket, SocketStats]] = {}
        for socket, stats in rows:
            key = _key(socket)
            before = self._known.pop(key, None)
            row_id = before[0] if before else self._new_id()
            aged = socket._replace(since=before[1].since if before else now if self._complete else None)
            if before is None or aged != before[1]:
                found.sockets.append((row_id, aged))
            if before is None or stats != before[2]:
                found.stats.append((row_id, stats))
            known[key] = (row_id, aged, stats)
        found.gone.extend(row_id for row_id, _, _ in self._known.values())
        self._known = known
        self._complete = True
        return found


def _key(socket: Socket) -> Hashable:
    if socket.inode is not None:
        return (socket.proto, socket.inode)
    return (socket.proto, socket.family, socket.local, socket.lport, socket.remote, socket.rport)
