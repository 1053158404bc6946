"""What happens to sockets, as events and counts: connect, accept, listen, close, fail, retransmit.

A connection counts once, as soon as it is known which end made it and whose it is: a connect when it is answered, an
accept when a program has taken the connection from the queue. Of one that no dump has seen all is told when it ends.
"""

from __future__ import annotations

from typing import Callable, Dict, Optional, Sequence, Tuple

from nettop.collector.destinations import Destinations
from nettop.collector.lineage import UNKNOWN, Lineage
from nettop.collector.outbox import Outbox
from nettop.collector.traffic import Moved, TrafficBook
from nettop.model import Event, Owners, Process, ProcessKey, Socket, SocketStats

_PATIENCE = 3
"""Ticks in which an owner may still be found for a new connection, before it counts as nobody's."""
_UNMADE = ("UNCONN", "SYN-SENT", "SYN-RECV")
"""States of a socket that is no connection yet."""
_FAILED = {"refused": "refused", "unanswered": "timed out", "reset": "reset", "timed out": "timed out"}
"""Outcomes of `inet_destroy.Destroyed` that are failures, in words."""


class _Birth:
    """A new socket that has not been counted."""

    __slots__ = ("outgoing", "since", "socket", "state")

    def __init__(self, socket: Socket, outgoing: Optional[bool], state: str, since: int) -> None:
        self.socket = socket
        self.outgoing = outgoing
        self.state = state
        self.since = since


class Happenings:
    """Counts in the books and events in the outbox, each thing once."""

    def __init__(
        self, outbox: Outbox, book: TrafficBook, process: Callable[[int], Optional[Process]], lineage: Lineage
    ) -> None:
        """`process` tells what is known of a pid, also of one that has just ended."""
        self._outbox = outbox
        self._book = book
        self._process = process
        self._lineage = lineage
        self._destinations = Destinations(outbox)
        self._births: Dict[int, _Birth] = {}
        self._tick = 0

    def born(self, row: int, socket: Socket, stats: SocketStats, outgoing: Optional[bool]) -> None:
        """A dump has a TCP socket that the one before had not. `outgoing`: the connection was made from here."""
        self._births[row] = _Birth(socket, outgoing, stats.state, self._tick)

    def changed(self, sockets: Sequence[Tuple[int, Socket]], stats: Sequence[Tuple[int, SocketStats]]) -> None:
        """What a dump says anew, of sockets that may not have been counted yet."""
        if self._births:
            for row, socket in sockets:
                if row in self._births:
                    self._births[row].socket = socket
            for row, figures in stats:
                if row in self._births:
                    self._births[row].state = figures.state

    def settle(self, owners_of: Callable[[int], Owners], now: float) -> None:
        """Count the new connections that are made, as soon as their owner is known or will not be found."""
        self._tick += 1
        for row, birth in list(self._births.items()):
            if birth.state in _UNMADE or (birth.outgoing is False and birth.socket.inode is None):
                continue
            owners = owners_of(row)
            if owners.holders or self._tick - birth.since >= _PATIENCE:
                del self._births[row]
                self._begin(birth.socket, birth.state, birth.outgoing, owners, now)
        self._destinations.publish()

    def ended(
        self,
        row: Optional[int],
        socket: Socket,
        outcome: str,
        outgoing: Optional[bool],
        owners: Owners,
        figures: Moved,
        lived: str,
        now: float,
    ) -> None:
        """A connection has ended, or a connect came to nothing; `outcome` and `outgoing` as in `Destroyed`.

        `row` is None for a socket that never had one. `lived` is for how long it was there, in words."""
        birth = self._births.pop(row, None) if row is not None else None
        if socket.proto == "tcp":
            if birth is not None and socket.rport is None:
                socket = birth.socket  # the message has forgotten what the dump had seen
            if outcome in ("refused", "unanswered"):
                self._book.count("failed", socket.netns, _first(owners))
                self._destinations.count("failed", socket)
            elif row is None:
                self._begin(socket, "", outgoing, owners, now)
            elif birth is not None:
                self._begin(socket, birth.state, birth.outgoing, owners, now)
            self._count_end(socket.netns, owners)
        self.tell_end(socket, outcome, outgoing, owners, figures, lived, now)

    def tell_end(
        self,
        socket: Socket,
        outcome: str,
        outgoing: Optional[bool],
        owners: Owners,
        figures: Moved,
        lived: str,
        now: float,
    ) -> None:
        """The event of it alone, for a connection that was counted when it broke."""
        words = [ends(socket, outgoing)]
        if outcome in _FAILED:
            words.append(_FAILED[outcome])
        if outcome not in ("refused", "unanswered") and socket.proto == "tcp":
            words += [f"{figures.rx_bytes} B received", f"{figures.tx_bytes} B sent"]
            if outgoing is not False:
                self._destinations.settle(socket, figures)
        self._say(
            "fail" if outcome in _FAILED else "close", socket, owners, ", ".join(filter(None, [*words, lived])), now
        )

    def vanished(self, row: int, netns: int, owners: Owners, now: float) -> None:
        """A connection is over, though its program has not closed the socket yet: `ended` will not be counted again."""
        birth = self._births.pop(row, None)
        if birth is not None:
            if birth.state == "LISTEN" or birth.state in _UNMADE:
                return
            self._begin(birth.socket, birth.state, birth.outgoing, owners, now)
        self._count_end(netns, owners)

    def forget_namespace(self, netns: int) -> None:
        """It is gone, and nobody asks where its connections went."""
        self._destinations.forget(netns)

    def forget(self, row: int) -> None:
        """The row is gone, and nothing happened."""
        self._births.pop(row, None)

    def resent(self, socket: Socket, segments: int, owners: Owners, now: float) -> None:
        """Segments had to be sent again."""
        much = "1 segment" if segments == 1 else f"{segments} segments"
        self._say("retransmit", socket, owners, f"{ends(socket, None)}, {much} sent again", now)

    def _begin(self, socket: Socket, state: str, outgoing: Optional[bool], owners: Owners, now: float) -> None:
        if state == "LISTEN":
            self._say("listen", socket, owners, f"{socket.proto} {_end(socket.local, socket.lport)}", now)
            return
        kind, column = ("accept", "accepted") if outgoing is False else ("connect", "opened")
        self._book.count(column, socket.netns, _first(owners))
        if outgoing is not False:
            self._destinations.count(column, socket)
        self._say(kind, socket, owners, ends(socket, outgoing), now)

    def _count_end(self, netns: int, owners: Owners) -> None:
        self._book.count("closed", netns, _first(owners))
        if owners.holders:
            self._book.count("owned", netns, _first(owners))

    def _say(self, kind: str, socket: Socket, owners: Owners, detail: str, now: float) -> None:
        pid = owners.holders[0].pid if owners.holders else None
        process = self._process(pid) if pid is not None else None
        if process is not None and process.start_time != owners.holders[0].start_time:
            process = None
        parent = self._lineage.parent(process.pid) if process else UNKNOWN
        self._outbox.add_event(
            Event(
                time=now,
                kind=kind,
                pid=pid,
                tid=None,
                ppid=parent.pid,
                parent=parent.comm,
                comm=self._lineage.name(process.pid) if process else None,
                detail=detail,
                netns=socket.netns,
                container=process.container if process else None,
            )
        )


def ends(socket: Socket, outgoing: Optional[bool]) -> str:
    """Both ends, this one first: tcp 10.0.0.1:4444 → 10.0.0.2:80; the arrow points to where the connection was made."""
    arrow = "←" if outgoing is False else "→"
    return f"{socket.proto} {_end(socket.local, socket.lport)} {arrow} {_end(socket.remote, socket.rport)}"


def _end(address: Optional[str], port: Optional[int]) -> str:
    where = f"[{address}]" if address and ":" in address else address or "*"
    return f"{where}:{'*' if port is None else port}"


def _first(owners: Owners) -> Optional[ProcessKey]:
    return owners.holders[0].process if owners.holders else None
