"""Whose a socket was that no dump saw: what is known, and what follows from it, but never a guess.

exact     its descriptor was seen while it lived: `Sightings` remembers cookies.
listener  it was accepted on a port that one program alone listens at, and did before the connection was made.
peer      one process alone talks to its other end, and nobody else ran while it was there: see `alone`.
"""

from __future__ import annotations

import collections
from typing import Callable, Deque, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from nettop.collector.alone import Alone
from nettop.collector.resolver import Resolver
from nettop.kernel.inet_destroy import Destroyed, address
from nettop.model import NO_OWNERS, Owner, Owners, Process, Socket

_SIGHTINGS = 20_000
"""Cookies remembered."""
_UNSETTLED = 2
"""Ticks in which a port is nobody's for certain, after somebody began or ceased to listen at it."""
_MAPPED = "::ffff:"  # IPv4 in an IPv6 socket


class Sightings:
    """Descriptors of sockets that were seen while these lived."""

    def __init__(self) -> None:
        self._owners: Dict[bytes, Owner] = {}
        self._order: Deque[bytes] = collections.deque()

    def saw(self, cookie: bytes, owner: Owner) -> None:
        """A process has this descriptor; the first that is seen counts, who inherits it comes later."""
        if cookie not in self._owners:
            self._owners[cookie] = owner
            self._order.append(cookie)
            if len(self._order) > _SIGHTINGS:
                self._owners.pop(self._order.popleft(), None)

    def of(self, cookie: bytes) -> Optional[Owner]:
        """Who had it; each socket is asked for once, when it has ended."""
        return self._owners.get(cookie)


class _Listener(NamedTuple):
    """One listening socket."""

    local: str
    v6only: bool
    inode: int
    since: int
    """Tick in which it was first seen."""


class Listeners:
    """Who listens where, from the dumps."""

    def __init__(self, resolver: Resolver, process: Callable[[int], Optional[Process]]) -> None:
        self._resolver = resolver
        self._process = process
        self._ports: Dict[Tuple[int, int], Dict[int, _Listener]] = {}  # namespace, port → row → socket
        self._rows: Dict[int, Tuple[int, int]] = {}
        self._changed: Dict[Tuple[int, int], int] = {}  # namespace, port → tick in which somebody ceased to listen
        self._tick = 0

    def begin_tick(self) -> None:
        """A new round of dumps begins."""
        self._tick += 1
        if self._tick % 60 == 0:
            self._changed = {port: tick for port, tick in self._changed.items() if self._tick - tick <= _UNSETTLED}

    def note(self, netns: int, rows: Iterable[Tuple[int, Socket]]) -> None:
        """New rows of listening TCP sockets."""
        for row, socket in rows:
            if socket.lport is not None and socket.inode is not None:
                port = (netns, socket.lport)
                listener = _Listener(socket.local or "", bool(socket.v6only), socket.inode, self._tick)
                self._ports.setdefault(port, {})[row] = listener
                self._rows[row] = port

    def forget(self, row: int) -> None:
        """A row is gone, or its socket has ended."""
        port = self._rows.pop(row, None)
        if port is not None:
            self._changed[port] = self._tick
            del self._ports[port][row]
            if not self._ports[port]:
                del self._ports[port]

    def accept(self, netns: int, local: Optional[str], lport: Optional[int]) -> bool:
        """Whether somebody listens, or did a moment ago, where a connection has this end."""
        return (netns, lport) in self._changed or bool(self._at(netns, local, lport))

    def owners(self, netns: int, local: Optional[str], lport: Optional[int]) -> Owners:
        """Who accepted a connection that has this end, where only one program can have."""
        listeners = self._at(netns, local, lport)
        if not listeners or self._tick - self._changed.get((netns, lport or 0), -_UNSETTLED - 1) <= _UNSETTLED:
            return NO_OWNERS
        if any(listener.since >= self._tick for listener in listeners):
            return NO_OWNERS
        holders = sorted(
            {owner for listener in listeners for owner in self._resolver.owners(listener.inode).holders},
            key=lambda owner: (owner.start_time, owner.pid, owner.fd),
        )
        known = all(self._resolver.owners(listener.inode).holders for listener in listeners)
        if not known or not self._one_program({owner.pid for owner in holders}, holders[0].pid):
            return NO_OWNERS
        return Owners("listener", (holders[0],))

    def _at(self, netns: int, local: Optional[str], lport: Optional[int]) -> List[_Listener]:
        """The listeners that a connection to this address and port may have gone to."""
        listeners = self._ports.get((netns, lport or 0), {}).values()
        return [listener for listener in listeners if _takes(listener, local or "")]

    def _one_program(self, pids: Set[int], eldest: int) -> bool:
        """Whether these processes are the eldest and such as it forked, and all of one name."""
        names = set()
        for pid in pids:
            process = self._process(pid)
            if process is None:
                return False
            names.add(process.comm)
            if not self._descends(process, eldest):
                return False
        return len(names) == 1

    def _descends(self, process: Process, eldest: int) -> bool:
        while process.pid != eldest:
            parent = self._process(process.ppid)
            if parent is None:
                return False
            process = parent
        return True


def _takes(listener: _Listener, local: str) -> bool:
    """Whether a connection to this address may be its; both may be IPv4, mapped into IPv6 or not. Of an aborted one the
    address is forgotten."""
    if local in ("0.0.0.0", "::"):
        return True
    plain = local[len(_MAPPED) :] if local.startswith(_MAPPED) else local
    if listener.local == "::":
        return ":" in plain or not listener.v6only
    if listener.local == "0.0.0.0":
        return ":" not in plain
    return listener.local in (plain, _MAPPED + plain)


class Evidence:
    """Whose a socket was, by everything that is known."""

    def __init__(self, sightings: Sightings, listeners: Listeners, alone: Alone) -> None:
        self._sightings = sightings
        self._listeners = listeners
        self._alone = alone

    def attribute(self, message: Destroyed, netns: int, known: Owners, now: float) -> Owners:
        """The owner of a socket that has ended; `known` is what the dumps and walks have told of it."""
        seen = self._sightings.of(message.cookie) if not known.holders else None
        owners = Owners("exact", (seen,)) if seen is not None else known
        if owners.by == "exact":
            self._alone.saw(netns, message, owners.holders[0], now)
        if owners.holders or message.proto != "tcp" or message.outgoing:
            return owners
        return self._listeners.owners(netns, address(message.local), message.lport)

    def defer(self, message: Destroyed, netns: int, before: Optional[float], now: float) -> bool:
        """Whether to ask `attribute_late`, when the next tick has begun, whose a socket was that is nobody's so far."""
        return self._alone.defer(netns, message, before, now)

    def attribute_late(self, message: Destroyed, netns: int, now: float) -> Owners:
        """The owner of a socket that was deferred, and ended `now`."""
        return self._alone.owners(netns, message, now)

    def accepted(self, message: Destroyed, netns: int) -> bool:
        """A connection was made to a port that somebody listens at."""
        return self._listeners.accept(netns, address(message.local), message.lport)
