"""TCP, UDP, UDP-Lite, MPTCP and SCTP sockets of a network namespace, by sock_diag.

A dump of 42,000 sockets is 17 MB, of which a second later nearly nothing has changed. So a message is not decoded but
fingerprinted, leaving out the clocks that always run (tcp_info's last_data_sent and its three siblings, the timer's
rest), and only a message with a new fingerprint is unpacked: 0.4 µs against 4 µs a socket. A fingerprint is Python's
own keyed hash and not the bytes, which would cost 15 MB on that machine; of its 64 bits 60 are kept, as an int of these
takes 32 bytes and a longer one 48.

Rests on include/uapi/linux/inet_diag.h and tcp.h (struct tcp_info), net/ipv4/inet_diag.c.
"""

from __future__ import annotations

import functools
import socket
import struct
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from nettop.kernel import tcp_info
from nettop.kernel.inet_protocols import TCP, Protocol
from nettop.kernel.netlink import DiagSocket
from nettop.kernel.states import CLOSE_WAIT, ESTABLISHED, SYN_SENT, TCP_STATES, UDP_STATES, UNKNOWN
from nettop.kernel.tcp_info import NO_INFO
from nettop.memory import fitted
from nettop.model import Socket, SocketStats

_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")
_NLATTR = struct.Struct("=HH")
_QUEUE_PAIR = struct.Struct("=II")
_ENDS = struct.Struct("=16xB 3x 4x 16s16s III 12x II")
"""Behind struct nlmsghdr, struct inet_diag_msg: family; addresses, interface, cookie (low, high); uid, inode."""
_PORTS = struct.Struct(">20x HH")

_HEADER = 16  # struct nlmsghdr
_ATTRIBUTES = _HEADER + 72  # where the attributes begin, behind struct inet_diag_msg
_STATE = _HEADER + 1
_IDENTITY = slice(_HEADER + 4, _HEADER + 52)  # ports, addresses, interface, cookie
_QUEUES = _HEADER + 56  # behind the cookie lies `expires`, a clock
_UID_INODE = slice(_HEADER + 64, _HEADER + 72)

# attributes of an answer, INET_DIAG_*
_INFO, _CONG, _SKMEMINFO, _SKV6ONLY, _MARK, _CGROUP_ID = 2, 4, 7, 11, 15, 21

_MEMORY = struct.Struct("=9I")
"""SK_MEMINFO_*: rmem_alloc rcvbuf wmem_alloc sndbuf fwd_alloc wmem_queued optmem backlog drops."""

_FINGERPRINT = (1 << 60) - 1
_IDENTITY_BITS = 28
_IDENTITY_MASK = (1 << _IDENTITY_BITS) - 1


class Known(NamedTuple):
    """What there is to remember of a socket that the last dump lacks."""

    row: int
    identity: int
    """Part of the fingerprint of what makes up its `Socket`."""
    since: Optional[float]


class Found(NamedTuple):
    """What one dump says that the dump before did not."""

    sockets: List[Tuple[int, Socket]]
    """New ones, and known ones whose identity changed (a UDP socket connected, a TCP socket was accepted)."""
    stats: List[Tuple[int, SocketStats]]
    """New and changed ones."""
    gone: List[int]
    proto: str
    """Of TCP and UDP, which one; else empty."""
    missing: Dict[bytes, Known]
    """Cookie → what was known of it, of what is gone, of TCP and UDP. Not all that is missing has ended: a dump that is
    interrupted by changes of a hash chain may pass by a socket."""
    born: List[Tuple[int, Optional[bool]]]
    """New TCP sockets, and whether their connection was made from here; None where that cannot be told."""
    resent: List[Tuple[int, int, Socket]]
    """Row id, segments sent again since the last dump, and who the two ends are."""
    first: bool
    """It is the first dump of its table: what is new in it may be old."""

    @classmethod
    def nothing(cls, proto: str = "", first: bool = False) -> Found:
        """To be filled."""
        return cls([], [], [], proto, {}, [], [], first)


class Sought(NamedTuple):
    """Connections to look for in the tables while they are read, whether or not anything about them changed."""

    wanted: Mapping[str, Mapping[bytes, Any]]
    """By protocol: the ports and addresses of struct inet_diag_sockid → what to call them."""
    found: List[Tuple[int, int, Any]]
    """Namespace, row id, and what it was called."""
    everywhere: bool
    """Also in tables that would not be read, as nothing has happened since they were."""


class _Layout(NamedTuple):
    """Where the attributes lie in messages of one length, and the one unpack that proves it for a given message."""

    headers: struct.Struct
    expected: Tuple[int, ...]
    info: Optional[Tuple[int, int]]
    """Begin and end of struct tcp_info."""
    memory: Optional[int]
    congestion: Optional[slice]
    cgroup: Optional[int]
    mark: Optional[int]
    v6only: Optional[int]


class InetTable:
    """The sockets of one protocol in one namespace, known by the fingerprint of what was last said of them."""

    def __init__(
        self,
        protocol: Protocol,
        netns: int,
        new_id: Callable[[], int],
        user: Callable[[int], Optional[str]],
        interface: Callable[[int], Optional[str]],
    ) -> None:
        """`new_id` gives a row id to each new socket; `user` and `interface` name a uid and an interface index."""
        self._protocol = protocol
        self._netns = netns
        self._new_id = new_id
        self._user = user
        self._interface = interface
        self._told_when_destroyed = protocol.name in ("tcp", "udp")
        self._states = TCP_STATES if protocol.kind != "dgram" else UDP_STATES
        self._fingerprints: Dict[bytes, int] = {}
        # cookie → row id, and below it the fingerprint of what makes up its `Socket`: one int for both takes 32 bytes,
        # a tuple of two 150
        self._known: Dict[bytes, int] = {}
        self._since: Dict[bytes, float] = {}  # when it was first seen, of those younger than the first read
        self._resent: Dict[bytes, int] = {}  # segments sent again, of those that did
        self._layouts: Dict[int, _Layout] = {}
        self._shapes: Dict[int, Callable[[bytes, int], Tuple[Any, ...]]] = {}  # by length of the message
        self._addresses: Dict[bytes, str] = {}
        self._complete = False

    def __len__(self) -> int:
        return len(self._known)

    def rows(self) -> List[int]:
        """Row ids of all sockets of the last read."""
        return [known >> _IDENTITY_BITS for known in self._known.values()]

    def row(self, cookie: bytes) -> Optional[int]:
        """Row id of a socket of the last read."""
        known = self._known.get(cookie)
        return None if known is None else known >> _IDENTITY_BITS

    def restore(self, cookie: bytes, known: Known) -> None:
        """A socket was missing that may be there still: the next dump has a last word."""
        self._known[cookie] = known.row << _IDENTITY_BITS | known.identity
        if known.since is not None:
            self._since[cookie] = known.since
        self._fingerprints[cookie] = -1  # none is

    def since(self, cookie: bytes) -> Optional[float]:
        """When a socket was first seen; None where it is older than the first read, or not there."""
        return self._since.get(cookie)

    def read(self, diag: DiagSocket, now: float, sought: Optional[Sought] = None) -> Found:
        """Dump, and return what is new, different and gone; what is `sought` and there is noted in it. Raises as
        `DiagSocket.dump`."""
        found = Found.nothing(self._protocol.name if self._told_when_destroyed else "", not self._complete)
        seen: List[bytes] = []
        wanted = sought.wanted.get(self._protocol.name) if sought else None
        for kind, request in self._protocol.requests:
            for data in diag.dump(kind, request):
                self._scan(data, now, seen, found)
                if sought and wanted:
                    self._find(data, wanted, sought.found)
        fingerprints = self._fingerprints
        if len(seen) != len(fingerprints):
            for cookie in fingerprints.keys() - set(seen):
                del fingerprints[cookie]
                known = self._known.pop(cookie)
                row, since = known >> _IDENTITY_BITS, self._since.pop(cookie, None)
                found.gone.append(row)
                self._resent.pop(cookie, None)
                if self._told_when_destroyed:
                    found.missing[cookie] = Known(row, known & _IDENTITY_MASK, since)
            # each would stay as large as it was: 5 MB after a storm of 50,000 connections
            self._known, self._fingerprints = fitted(self._known), fitted(fingerprints)
            self._since = fitted(self._since)
        self._complete = True
        return found

    def _scan(self, data: bytes, now: float, seen: List[bytes], found: Found) -> None:
        """Compare each message of a datagram with what is known: the hot loop."""
        fingerprints, shapes, length_at, add = self._fingerprints, self._shapes, _U32.unpack_from, seen.append
        offset, end = 0, len(data)
        while offset < end:
            length = length_at(data, offset)[0]
            if length < _ATTRIBUTES:
                break  # NLMSG_DONE: the message of a socket is longer
            unpack = shapes.get(length) or self._learn(data[offset : offset + length])
            told = unpack(data, offset)
            cookie = told[1]
            add(cookie)
            fingerprint = hash(told) & _FINGERPRINT
            if fingerprints.get(cookie) != fingerprint:
                self._changed(data[offset : offset + length], cookie, now, found)
                fingerprints[cookie] = fingerprint  # last: who has one is known
            offset += length + 3 & ~3

    def _find(self, data: bytes, wanted: Mapping[bytes, Any], found: List[Tuple[int, int, Any]]) -> None:
        """Note the connections of a datagram, scanned before, that are wanted: 0.15 µs a socket."""
        offset, end, length_at = 0, len(data), _U32.unpack_from
        while offset < end:
            length = length_at(data, offset)[0]
            if length < _ATTRIBUTES:
                break
            if data[offset + 20 : offset + 56] in wanted:  # ports and addresses of struct inet_diag_sockid
                row = self._known[data[offset + 60 : offset + 68]] >> _IDENTITY_BITS
                found.append((self._netns, row, wanted[data[offset + 20 : offset + 56]]))
            offset += length + 3 & ~3

    def _learn(self, message: bytes) -> Callable[[bytes, int], Tuple[Any, ...]]:
        """How to read from messages of this length what makes a fingerprint: state, cookie, and what follows but the
        clocks.

        Should two shapes have one length, the other's clocks count as changes: it is unpacked each time, not wrong."""
        info = _layout(message).info
        begin = end = len(message)
        if info is not None and self._protocol is TCP and info[1] - info[0] >= tcp_info.CLOCKS[1]:
            begin, end = (info[0] + clock for clock in tcp_info.CLOCKS)
        form = f"={_STATE}xB42x8s4x{begin - _QUEUES}s{end - begin}x{len(message) - end}s"
        unpack = self._shapes[len(message)] = struct.Struct(form).unpack_from
        return unpack

    def _changed(self, message: bytes, cookie: bytes, now: float, found: Found) -> None:
        known = self._known.get(cookie)
        identity = hash(message[_IDENTITY] + message[_UID_INODE]) & _IDENTITY_MASK
        # attribute headers are checked in one unpack; walking them takes four times as long
        layout = self._layouts.get(len(message))
        if layout is None or layout.headers.unpack_from(message) != layout.expected:
            layout = self._layouts[len(message)] = _layout(message)
        row = self._begin(message, layout, cookie, now, found) if known is None else known >> _IDENTITY_BITS
        if known is None or known & _IDENTITY_MASK != identity:
            self._known[cookie] = row << _IDENTITY_BITS | identity
            found.sockets.append((row, self._socket(message, layout, self._since.get(cookie))))
        stats = self._stats(message, layout)
        if stats.retrans:
            self._note_resent(message, layout, cookie, row, stats.retrans, found)
        found.stats.append((row, stats))

    def _begin(self, message: bytes, layout: _Layout, cookie: bytes, now: float, found: Found) -> int:
        """Row id of a socket that was not known."""
        row = self._new_id()
        if self._complete:
            self._since[cookie] = now
            if self._protocol is TCP:
                found.born.append((row, _outgoing(message, layout)))
        return row

    def _note_resent(
        self, message: bytes, layout: _Layout, cookie: bytes, row: int, retrans: int, found: Found
    ) -> None:
        before = self._resent.get(cookie, 0)
        self._resent[cookie] = retrans
        if retrans > before and self._complete:
            ends = self._socket(message, layout, self._since.get(cookie))
            found.resent.append((row, retrans - before, ends))

    def _socket(self, message: bytes, layout: _Layout, since: Optional[float]) -> Socket:
        family, local, remote, iface, low, high, uid, inode = _ENDS.unpack_from(message)
        lport, rport = _PORTS.unpack_from(message)
        v4 = family == socket.AF_INET
        _, _, _, _, congestion, cgroup, mark, v6only = layout
        return _make_socket(
            (
                self._netns,
                self._protocol.name,
                "inet" if v4 else "inet6",
                self._protocol.kind,
                self._address(local[:4] if v4 else local),
                lport or None,
                self._address(remote[:4] if v4 else remote),
                rport or None,
                inode or None,
                uid,
                self._user(uid),
                low | high << 32,
                self._interface(iface) if iface else None,
                _U64.unpack_from(message, cgroup)[0] if cgroup else None,
                _U32.unpack_from(message, mark)[0] or None if mark else None,
                _word(message[congestion]) if congestion else None,
                bool(message[v6only]) if v6only else None,
                None,
                since,
            )
        )

    def _stats(self, message: bytes, layout: _Layout) -> SocketStats:
        recvq, sendq = _QUEUE_PAIR.unpack_from(message, _QUEUES)
        state = self._states.get(message[_STATE], UNKNOWN)
        rcvbuf = sndbuf = drops = None
        if layout.memory is not None:
            _, rcvbuf, _, sndbuf, _, _, _, _, drops = _MEMORY.unpack_from(message, layout.memory)
        if layout.info is None and layout.memory is None:
            return _bare(state, recvq, sendq)
        if layout.info is None or self._protocol is not TCP or state == "LISTEN":
            return _make_stats((state, recvq, sendq, *NO_INFO, drops, rcvbuf, sndbuf))
        return _make_stats(
            (state, recvq, sendq, *tcp_info.columns(message, *layout.info, message[_STATE]), drops, rcvbuf, sndbuf)
        )

    def _address(self, packed: bytes) -> str:
        """Text of an address, remembered: the 40,000 sockets of a busy server share a few thousand."""
        text = self._addresses.get(packed)
        if text is None:
            if len(self._addresses) >= _ADDRESSES_KEPT:
                self._addresses.clear()
            text = socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
            self._addresses[packed] = text
        return text


_ADDRESSES_KEPT = 20_000
# what _make does, without a Python frame a row
_make_socket = functools.partial(tuple.__new__, Socket)
_make_stats = functools.partial(tuple.__new__, SocketStats)


@functools.lru_cache(maxsize=64)
def _bare(state: str, recvq: int, sendq: int) -> SocketStats:
    """What there is to say of TIME-WAIT and SYN-RECV entries: the same of all 28,000 that a storm leaves."""
    return _make_stats((state, recvq, sendq, *NO_INFO, None, None, None))


def _outgoing(message: bytes, layout: _Layout) -> Optional[bool]:
    """Whether a connection was made from here: then its SYN is among the bytes acknowledged."""
    if message[_STATE] == SYN_SENT:
        return True
    last = tcp_info.ending(message, *layout.info) if layout.info else None
    if last is None or last.unacked or message[_STATE] not in (ESTABLISHED, CLOSE_WAIT):
        return None
    return None if last.flags is None else last.flags > 0


def _layout(message: bytes) -> _Layout:
    """Walk the attributes of one message (struct nlattr: length with header, type; aligned to 4)."""
    spans: Dict[int, Tuple[int, int]] = {}
    form, expected = f"={_ATTRIBUTES}x", []
    offset, end = _ATTRIBUTES, len(message)
    while offset + 4 <= end:
        length, kind = _NLATTR.unpack_from(message, offset)
        if length < 4 or offset + length > end:
            break
        spans[kind] = (offset + 4, offset + length)
        step = min(length + 3 & ~3, end - offset)
        form += f"HH{step - 4}x"
        expected += [length, kind]
        offset += step
    memory, congestion = spans.get(_SKMEMINFO), spans.get(_CONG)
    begins = {kind: begin for kind, (begin, _) in spans.items()}
    return _Layout(
        headers=struct.Struct(form),
        expected=tuple(expected),
        info=spans.get(_INFO),
        memory=memory[0] if memory and memory[1] - memory[0] >= _MEMORY.size else None,
        congestion=slice(*congestion) if congestion else None,
        cgroup=begins.get(_CGROUP_ID),
        mark=begins.get(_MARK),
        v6only=begins.get(_SKV6ONLY),
    )


@functools.lru_cache(maxsize=64)
def _word(text: bytes) -> str:
    return text.rstrip(b"\0").decode("ascii", "replace")
