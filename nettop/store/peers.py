"""Both ends of a connection on this host: which row is at the other end of a row; where several machines are watched,
whoever knows them all is asked for the ends that are not here.

Two sockets are one connection if what one takes for itself is what the other talks to, and the other way round; where
the way between them is translated, `Connection.nat` says who the other one is in truth. Addresses of 127.0.0.0/8 and
::1 mean something in their own namespace only; any other may be somebody's in several namespaces that know nothing of
each other. In the row's own namespace a match is certain; elsewhere it counts where no other rows have the same ends.
What is ambiguous is unknown. Unix sockets name each other by inode.

The index is made when somebody asks first, or is about to: 0.6 µs and 70 bytes a row. It is kept up from then on; most
pictures show no peer, and pay nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Protocol

from nettop.model import Nat
from nettop.snapshot import Connection, PeerIndex

_PROXY = "docker-proxy"

SLICE = 1000
"""Rows put into the index at a time: 0.6 ms."""

Ends = tuple[str, int, str, int]
"""Local address and port, remote address and port: the true ones."""


class _Index:
    """Where rows are found by their ends."""

    def __init__(self) -> None:
        self.ids: dict[int, int | tuple[int, ...]] = {}
        """Hash of ends, or inode → ids of the rows."""
        self.proxied: Counter[int | None] = Counter()
        """Local ports of the sockets that docker-proxies hold, and how many those are."""

    def put_in(self, row: Connection) -> None:
        if row.process is not None and row.process.comm == _PROXY:
            self.proxied[row.socket.lport] += 1
        place = _place(row)
        if place is not None:
            ids = self.ids.get(place)
            if ids is None:
                self.ids[place] = row.id
            else:
                self.ids[place] = (*ids, row.id) if isinstance(ids, tuple) else (ids, row.id)

    def take_out(self, row: Connection) -> None:
        if row.process is not None and row.process.comm == _PROXY:
            self.proxied[row.socket.lport] -= 1
        place = _place(row)
        if place is not None:
            ids = self.ids.pop(place, ())
            if isinstance(ids, tuple) and len(ids) > 1:
                left = tuple(row_id for row_id in ids if row_id != row.id)
                self.ids[place] = left if len(left) > 1 else left[0]


class Abroad(Protocol):
    """Who knows the connections of other machines."""

    def prepare(self) -> Iterator[None]:
        """As `PeerIndex.prepare`."""

    def of(self, row: Connection) -> Connection | None:
        """The row of another machine at the other end of one that has nobody at the other end on its own."""


class Peers(PeerIndex):
    """The index over rows that somebody else keeps, and tells of with `replace`."""

    def __init__(self, rows: Mapping[int, Connection], abroad: Abroad | None = None) -> None:
        self._rows = rows
        self._abroad = abroad
        self._known: _Index | None = None
        self._missed: list[tuple[Connection | None, Connection | None]] | None = None  # while the index is being made
        self._touched: set[int] = set()

    def prepare(self) -> Iterator[None]:
        """Make the index in slices, before it is asked; who asks meanwhile has it made at once."""
        yield from self.prepare_here()
        if self._abroad is not None:
            yield from self._abroad.prepare()

    def prepare_here(self) -> Iterator[None]:
        """The same without other machines."""
        if self._known is not None or self._missed is not None:
            return
        self._missed = []
        try:
            made = _Index()
            rows = list(self._rows.values())
            for start in range(0, len(rows), SLICE):
                for row in rows[start : start + SLICE]:
                    made.put_in(row)
                yield
            if self._known is None:
                self._known = made
                for old, new in self._missed:
                    self.replace(old, new)
        finally:
            self._missed = None

    @property
    def asked(self) -> bool:
        """Somebody has wanted to know: rows say who is at the other end, and have to be told anew when that changes."""
        return self._known is not None

    def of(self, row: Connection) -> Connection | None:
        """The row at the other end; None where it is on no machine that is watched, or not known."""
        peer = self.here(row)
        return peer if peer is not None or self._abroad is None else self._abroad.of(row)

    def here(self, row: Connection) -> Connection | None:
        """The row at the other end, where that is on this host."""
        socket = row.socket
        if socket.peer_inode is not None:
            return _only([each for each in self._at(socket.peer_inode) if each.socket.inode == socket.peer_inode])
        ends = true_ends(row)
        if ends is None:
            return None
        local, lport, remote, rport = ends
        proto, netns, turned = socket.proto, socket.netns, (remote, rport, local, lport)
        ids = self._index().ids
        other = ids.get(hash(turned))
        if other is None:
            return None
        if isinstance(other, int) and not isinstance(ids.get(hash(ends)), tuple):  # nearly always: nothing to weigh
            peer = self._rows.get(other)
            if peer is None or peer.socket.proto != proto or true_ends(peer) != turned:
                return None
            return peer if peer.socket.netns == netns or not (is_loopback(local) or is_loopback(remote)) else None
        here, there = self.with_ends(proto, ends), self.with_ends(proto, turned)
        inside = [each for each in there if each.socket.netns == netns]
        if inside or is_loopback(local) or is_loopback(remote):
            here, there = [each for each in here if each.socket.netns == netns], inside
        if any(each.ended == row.ended for each in there):  # the port may have been used again since
            here, there = ([each for each in rows if each.ended == row.ended] for rows in (here, there))
        return _only(there) if len(here) <= 1 else None

    def behind(self, row: Connection) -> Nat | None:
        """Whom the process at the other end forwards the connection to, if it is a docker-proxy and says so."""
        peer = self.here(row) if self._index().proxied.get(row.socket.rport) else None
        if peer is None or peer.process is None or peer.process.comm != _PROXY:
            return None
        return parse_proxy(peer.process.command, peer.socket.proto, peer.socket.lport)

    def replace(self, old: Connection | None, new: Connection | None) -> None:
        """A row changed; None before it came, or after it went. Call it after `rows` says so."""
        if self._known is None:
            if self._missed is not None:
                self._missed.append((old, new))
            return
        if old is not None and new is not None and same_ends(old, new):
            return
        for row, move in ((old, self._known.take_out), (new, self._known.put_in)):
            if row is not None:
                move(row)
                peer = self.here(row)
                if peer is not None:
                    self._touched.add(peer.id)

    def take_touched(self) -> set[int]:
        """Ids of rows whose peer is another one since the last call, or is held by another process."""
        touched, self._touched = self._touched, set()
        return touched

    def with_ends(self, proto: str, ends: Ends) -> list[Connection]:
        """The rows of a protocol that have these true ends, those that have ended included."""
        return [row for row in self._at(hash(ends)) if row.socket.proto == proto and true_ends(row) == ends]

    def _index(self) -> _Index:
        if self._known is None:
            self._known = _Index()
            for row in self._rows.values():
                self._known.put_in(row)
        return self._known

    def _at(self, place: int) -> Iterator[Connection]:
        ids = self._index().ids.get(place, ())
        for row_id in ids if isinstance(ids, tuple) else (ids,):
            row = self._rows.get(row_id)
            if row is not None:
                yield row


def parse_proxy(command: str, proto: str, port: int | None) -> Nat | None:
    """Where a docker-proxy of this command line forwards what it accepts at a port (cmd/docker-proxy of moby); None
    where it says nothing that makes sense, and for the connections it makes itself."""
    words = command.split(" ")
    said = dict(zip(words[1::2], words[2::2], strict=False))
    if (said.get("-proto"), said.get("-host-port")) != (proto, str(port)):
        return None
    try:
        address, behind = str(ip_address(said["-container-ip"])), int(said["-container-port"])
    except (KeyError, ValueError):
        return None
    return Nat(address, behind) if 0 < behind < 1 << 16 else None


def true_ends(row: Connection) -> Ends | None:
    """Both ends of a connection, the other one as it is behind NAT; None where the row is no connection."""
    nat, ends = row.nat, row.socket.ends
    if nat is None or ends is None or nat.remote is None or nat.rport is None:
        return ends
    return (*ends[:2], nat.remote, nat.rport)


def is_loopback(address: str) -> bool:
    """Whether an address means something in its own namespace only."""
    return address == "::1" or address.startswith("127.")


def _place(row: Connection) -> int | None:
    """Where a row stands in the index: other rows may stand there, too."""
    if row.socket.proto == "unix":
        return row.socket.inode
    ends = true_ends(row)
    return None if ends is None else hash(ends)


def same_ends(old: Connection, new: Connection) -> bool:
    """Whoever is at the other end sees no difference."""
    return old.socket is new.socket and old.nat == new.nat and old.process is new.process and old.ended == new.ended


def _only(rows: list[Connection]) -> Connection | None:
    return rows[0] if len(rows) == 1 else None
