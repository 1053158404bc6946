"""The true other end of a socket behind NAT: tracked flows joined with sockets.

A translated flow crosses from one pair of ends to another: what the socket at either side takes for its connection is
one of the two tuples of the flow, and the other tuple says who is there in truth. Seen from each end:

    client   orig    10.91.0.2:52158 → 10.91.0.1:8080     crosses to    10.92.0.1:52158 → 10.92.0.2:80
    server   reply   10.92.0.2:80 → 10.92.0.1:52158       crosses to    10.91.0.1:8080 → 10.91.0.2:52158

The flow may be tracked in the namespace of the socket (a service address, translated on the way out) or in any other
that forwards it (a container's client, a published port); and one connection may cross several times. A crossing in the
socket's own namespace is certain; one seen elsewhere counts where no other socket has the same ends and no other
namespace tells another story. What is ambiguous is unknown.

A flow and its socket begin within a moment, so flows are remembered for `REMEMBERED` seconds, however many there are,
and a router's flows without a socket here cost no more than that.
"""

from __future__ import annotations

import collections
import socket
from typing import Callable, Deque, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from nettop.kernel.conntrack import TRANSLATED, Flow, Tuple4
from nettop.kernel.inet_diag import Sought
from nettop.model import Nat, Socket

REMEMBERED = 10.0
"""Seconds a flow waits for a socket that has its ends."""

_PROTOCOLS: Mapping[int, str] = {
    socket.IPPROTO_TCP: "tcp",
    socket.IPPROTO_UDP: "udp",
    socket.IPPROTO_SCTP: "sctp",
    socket.IPPROTO_UDPLITE: "udplite",
}
_NOWHERE = Nat(None, None)


class End(NamedTuple):
    """A connection as a socket at one end sees it."""

    proto: str
    local: str
    lport: int
    remote: str
    rport: int

    @property
    def packed(self) -> Tuple[bytes, ...]:
        """As it may stand in a socket table (struct inet_diag_sockid): ports and addresses; IPv4 in both its forms."""
        ports = self.lport.to_bytes(2, "big") + self.rport.to_bytes(2, "big")
        if ":" in self.local:
            ends = [socket.inet_pton(socket.AF_INET6, address) for address in (self.local, self.remote)]
            return (ports + b"".join(ends),)
        ends = [socket.inet_aton(address) for address in (self.local, self.remote)]
        return (
            ports + b"".join(end + bytes(12) for end in ends),
            ports + b"".join(bytes(10) + b"\xff\xff" + end for end in ends),
        )


class _Crossing(NamedTuple):
    """What one namespace says of an end."""

    beyond: End
    until: float
    """When it is forgotten."""


class Translations:
    """Fed with flows and sockets in any order; says for each socket whose remote end is translated who is there."""

    def __init__(self, tell: Callable[[int, Nat], None]) -> None:
        """`tell` is given a socket's row id and its true other end, whenever that becomes known or changes."""
        self._tell = tell
        self._crossings: Dict[End, Dict[int, _Crossing]] = {}  # by namespace
        self._forgetting: Deque[Tuple[float, End, int]] = collections.deque()
        self._sought: Set[End] = set()
        self._sought_before: Set[End] = set()  # in the reading before
        self._everywhere = False
        self._rows: Dict[End, Dict[int, int]] = {}  # of the ends above: row id → namespace
        self._ends: Dict[int, End] = {}  # row id → its end, of the same rows
        self._passed: List[Dict[End, Tuple[int, int]]] = [{}, {}]  # namespace, row id; since the last `settle`, before
        self._told: Dict[int, Nat] = {}
        self._unsettled = False

    def learn(self, netns: int, flows: Iterable[Flow], now: float, old: bool = False) -> None:
        """Flows of a namespace, those that nothing translates are passed over; `old`: they may have begun long ago."""
        for flow in flows:
            proto = _PROTOCOLS.get(flow.protocol)
            if proto is None or not flow.status & TRANSLATED:
                continue
            sender, answerer = _end(proto, flow.orig), _end(proto, flow.reply)
            if sender is None or answerer is None:
                continue
            for end, beyond in ((sender, _turned(answerer)), (answerer, _turned(sender))):
                self._crossings.setdefault(end, {})[netns] = _Crossing(beyond, now + REMEMBERED)
                self._forgetting.append((now + REMEMBERED, end, netns))
                self._sought.add(end)
                self._everywhere |= old
                for passed in self._passed:
                    if end in passed:
                        self._note(*passed.pop(end), end)

    def seek(self) -> Optional[Sought]:
        """What is to be looked for in the next reading of socket tables; None where nothing new is known.

        A flow that begins moves interfaces on its way, so its socket is in a table that is read in this tick or, where
        it began between the readings of counters and of flows, in the next one: it is looked for in both."""
        sought = self._sought | self._sought_before
        self._sought_before, self._sought = self._sought, set()
        everywhere, self._everywhere = self._everywhere, False
        if not sought:
            return None
        wanted: Dict[str, Dict[bytes, End]] = {}
        for end in sought:
            wanted.setdefault(end.proto, {}).update((packed, end) for packed in end.packed)
        return Sought(wanted, [], everywhere)

    def take_found(self, sought: Sought) -> None:
        """What that reading found."""
        for netns, row_id, end in sought.found:
            self._note(netns, row_id, end)
        self._unsettled = True  # a new flow may lengthen the way of a socket that was found before

    def note(self, netns: int, sockets: Iterable[Tuple[int, Socket]]) -> None:
        """Sockets of a namespace that are new, or have other ends than before."""
        if not self._crossings and not self._told:
            return  # no NAT anywhere, as nearly always
        for row_id, row in sockets:
            if row_id in self._ends:
                self._leave(row_id)
            ends = row.ends
            end = None if ends is None else End(row.proto, *ends)
            if end is not None and end in self._crossings:
                self._note(netns, row_id, end)
            elif row_id in self._told:
                del self._told[row_id]
                self._tell(row_id, _NOWHERE)

    def note_ended(self, netns: int, row_id: int, row: Socket) -> None:
        """A socket that no table has listed, and none will: its flow may be told in the next tick only."""
        if row.ends is not None:
            end = End(row.proto, *row.ends)
            if end in self._crossings:
                self._note(netns, row_id, end)
            else:
                self._passed[0][end] = (netns, row_id)

    def forget(self, row_id: int) -> None:
        """The socket is gone."""
        self._told.pop(row_id, None)
        self._leave(row_id)

    def settle(self, now: float) -> None:
        """Tell what follows from all that was learned and noted; what has waited too long is forgotten."""
        self._passed = [{}, self._passed[0]]
        if self._unsettled:
            self._unsettled = False
            for end, rows in self._rows.items():
                for row_id, netns in rows.items():
                    self._settle(row_id, netns, end, alone=len(rows) == 1)
        while self._forgetting and self._forgetting[0][0] <= now:
            _, end, netns = self._forgetting.popleft()
            ways = self._crossings.get(end, {})
            if netns in ways and ways[netns].until <= now:
                del ways[netns]
                if not ways:
                    del self._crossings[end]
                    for row_id in self._rows.pop(end, ()):
                        del self._ends[row_id]

    def _settle(self, row_id: int, netns: int, end: End, alone: bool) -> None:
        nat = self._beyond(netns, end, alone)
        if nat != self._told.get(row_id, _NOWHERE):
            self._told[row_id] = nat
            self._tell(row_id, nat)

    def _beyond(self, netns: int, end: End, alone: bool) -> Nat:
        """Who is at the other end after every crossing."""
        here = end
        passed: Set[int] = set()
        while here in self._crossings:
            ways = {at: way.beyond for at, way in self._crossings[here].items() if at not in passed}
            if not passed and netns in ways:
                ways = {netns: ways[netns]}
            elif not alone or _loopback(here):
                ways = {}
            if len(set(ways.values())) != 1:
                break
            at, here = ways.popitem()
            passed.add(at)
        if not passed or (here.remote, here.rport) == (end.remote, end.rport):
            return _NOWHERE
        return Nat(here.remote, here.rport)

    def _note(self, netns: int, row_id: int, end: End) -> None:
        self._rows.setdefault(end, {})[row_id] = netns
        self._ends[row_id] = end
        self._unsettled = True

    def _leave(self, row_id: int) -> None:
        end = self._ends.pop(row_id, None)
        if end is not None:
            rows = self._rows[end]
            del rows[row_id]
            if not rows:
                del self._rows[end]


def _end(proto: str, told: Tuple4) -> Optional[End]:
    if told.sport is None or told.dport is None:
        return None
    return End(proto, told.source, told.sport, told.destination, told.dport)


def _turned(end: End) -> End:
    """The same connection from the other end."""
    return End(end.proto, end.remote, end.rport, end.local, end.lport)


def _loopback(end: End) -> bool:
    return any(address.startswith("127.") or address == "::1" for address in (end.local, end.remote))
