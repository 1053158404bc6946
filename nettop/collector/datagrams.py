"""The bytes of UDP sockets: the counters of tracked flows, added up for the socket at their end.

sock_diag counts no datagrams. Connection tracking does where nf_conntrack_acct is on, for each flow and both ways, IP
header included: payload = bytes - packets * (28 or 48). (It puts fragments together before it counts, and a packet that
is the sum of several has one header: the difference is exact.) A socket with many peers has many flows, and those that
have ended count on; a flow whose socket has ended counts for nobody, and for the next one at that port only with what
moves from then on. What arrived and found the receive buffer full counts as received.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from nettop.kernel.conntrack import Counters, Flow, Tuple4
from nettop.model import Datagrams, Socket

_Key = Tuple[str, Optional[int], Optional[str], Optional[int]]
"""Local address and port, remote address and port: None of a socket that takes from anyone."""
_Moved = Tuple[Counters, Counters]
"""The way of `Flow.orig`, the way of `Flow.reply`."""

_NOTHING = Counters(0, 0)
_NOBODY: Set[int] = set()
_UNKNOWN = Datagrams(None, None, None, None)
_HEADERS_V4, _HEADERS_V6 = 28, 48  # UDP's 8, and 20 or 40 of IP


class _Namespace:
    def __init__(self) -> None:
        self.rows: Dict[_Key, Set[int]] = {}
        self.former: Dict[_Key, Set[int]] = {}  # of the last socket that ended, while it has a row
        self.flows: Dict[Tuple[Optional[int], Tuple4], _Moved] = {}


class _Part(NamedTuple):
    """What moved through one flow since it was last looked at."""

    flow: Flow
    sent: Optional[Counters]
    """None: the flow is not counted."""
    answered: Optional[Counters]


class DatagramBook:
    """The sums of every UDP socket whose flows are counted."""

    def __init__(self) -> None:
        self._namespaces: Dict[int, _Namespace] = {}
        self._keys: Dict[int, Tuple[int, List[_Key]]] = {}  # row id → namespace, keys
        self._sums: Dict[int, Datagrams] = {}
        self._changed: Set[int] = set()
        self._pending: List[Tuple[int, _Part]] = []

    def note(self, netns: int, sockets: Iterable[Tuple[int, Socket]]) -> None:
        """Sockets that are new, or have other ends than before; those that are not UDP are passed over."""
        for row_id, row in sockets:
            if row.proto == "udp" and row.lport is not None:
                self._unlist(row_id)
                keys = _keys(row)
                self._keys[row_id] = (netns, keys)
                rows = self._namespaces.setdefault(netns, _Namespace()).rows
                for key in keys:
                    rows.setdefault(key, set()).add(row_id)

    def end(self, row_id: int) -> None:
        """The socket has ended; its row stays, and what it moved last is still to be counted."""
        netns, keys = self._unlist(row_id)
        if keys:
            self._keys[row_id] = (netns, keys)
            self._namespaces[netns].former.update((key, {row_id}) for key in keys)

    def forget(self, row_id: int) -> None:
        """The row is gone."""
        self._unlist(row_id)
        self._sums.pop(row_id, None)
        self._changed.discard(row_id)

    def total(self, row_id: int) -> Optional[Datagrams]:
        """What a socket has moved so far; None where nothing is known of it."""
        return self._sums.get(row_id)

    def count(self, netns: int, ended: Iterable[Flow], listed: Optional[Iterable[Flow]]) -> None:
        """UDP flows of a namespace: those that ended since the last call, with their final counters, and all there are.

        `listed` must have been read before `ended` was, so that what is not in there any more has been told to have
        ended; None where it was not read."""
        inside = self._namespaces.setdefault(netns, _Namespace())
        over = set()
        for flow in ended:
            key = (flow.number, flow.orig)
            over.add(key)
            self._add(netns, flow, inside.flows.pop(key, None))
        if listed is not None:
            before, inside.flows = inside.flows, {}
            for flow in listed:
                key = (flow.number, flow.orig)
                if key not in over:
                    self._add(netns, flow, before.get(key))
                    inside.flows[key] = (flow.sent or _NOTHING, flow.answered or _NOTHING)

    def close(self, netns: int) -> None:
        """Nothing more is told of the flows of a namespace."""
        inside = self._namespaces.get(netns)
        if inside is not None:
            inside.flows = {}
            if not inside.rows and not inside.former:
                del self._namespaces[netns]

    def take_changed(self) -> List[Tuple[int, Datagrams]]:
        """The sums that are different since the last call. What moved before its socket was noted is counted now."""
        pending, self._pending = self._pending, []
        for netns, part in pending:
            self._give(netns, part)
        changed, self._changed = self._changed, set()
        return [(row_id, self._sums[row_id]) for row_id in changed]

    def _add(self, netns: int, flow: Flow, before: Optional[_Moved]) -> None:
        if flow.sent is None or flow.answered is None:
            part = _Part(flow, None, None)
        else:
            sent_before, answered_before = before or (_NOTHING, _NOTHING)
            part = _Part(flow, _since(sent_before, flow.sent), _since(answered_before, flow.answered))
            if part.sent == part.answered == _NOTHING:
                return
        if not self._give(netns, part):
            self._pending.append((netns, part))

    def _give(self, netns: int, part: _Part) -> bool:
        """Add what moved to the sockets at both ends; whether there was one."""
        orig, reply = part.flow.orig, part.flow.reply
        senders, answerers = self._rows(netns, orig), self._rows(netns, reply)
        headers = _HEADERS_V6 if ":" in orig.source else _HEADERS_V4
        for rows, received, sent in ((senders, part.answered, part.sent), (answerers, part.sent, part.answered)):
            for row_id in rows:
                shared = len(rows) > 1  # nobody says which of them it went through
                self._sum(row_id, None if shared else received, None if shared else sent, headers)
        return bool(senders or answerers)

    def _sum(self, row_id: int, received: Optional[Counters], sent: Optional[Counters], headers: int) -> None:
        old = self._sums.get(row_id, Datagrams(0, 0, 0, 0))
        if received is None or sent is None or None in old:
            new = _UNKNOWN  # and stays so: a part of it is missing for ever
        else:
            new = Datagrams(
                (old.rx_bytes or 0) + received.bytes - received.packets * headers,
                (old.tx_bytes or 0) + sent.bytes - sent.packets * headers,
                (old.rx_packets or 0) + received.packets,
                (old.tx_packets or 0) + sent.packets,
            )
        if self._sums.get(row_id) != new:
            self._sums[row_id] = new
            self._changed.add(row_id)

    def _rows(self, netns: int, told: Tuple4) -> Set[int]:
        """The socket that sends what a tuple tells: the one connected there, else the one bound to that address, else
        to any; several where they share the port (SO_REUSEPORT)."""
        anyone = "::" if ":" in told.source else "0.0.0.0"
        inside = self._namespaces[netns]
        for key in (
            (told.source, told.sport, told.destination, told.dport),
            (told.source, told.sport, None, None),
            (anyone, told.sport, None, None),
        ):
            if key in inside.rows or key in inside.former:
                return inside.rows.get(key) or inside.former[key]
        return _NOBODY

    def _unlist(self, row_id: int) -> Tuple[int, List[_Key]]:
        """Where it was listed: namespace, keys."""
        netns, keys = self._keys.pop(row_id, (0, []))
        for key in keys:
            inside = self._namespaces[netns]
            for listed in (inside.rows, inside.former):
                rows = listed.get(key, _NOBODY)
                if row_id in rows:
                    rows.discard(row_id)
                    if not rows:
                        del listed[key]
        return netns, keys


def _keys(row: Socket) -> List[_Key]:
    if row.ends is not None:
        return [row.ends]
    local = row.local or ""
    if local == "::" and not row.v6only:  # it takes IPv4 as well
        return [("::", row.lport, None, None), ("0.0.0.0", row.lport, None, None)]
    return [(local[7:] if local.startswith("::ffff:") else local, row.lport, None, None)]


def _since(before: Counters, now: Counters) -> Counters:
    """The difference; counters that were set back (`conntrack -L -z`) begin anew."""
    if now.packets < before.packets:
        return now
    return Counters(now.packets - before.packets, now.bytes - before.bytes)
