"""What the readers of the smaller socket families share: unix, packet, netlink, vsock.

Their messages say the same a second later, nearly all of them: `FamilyTable` keeps a fingerprint of each and has only
those parsed that changed. Rests on include/uapi/linux/sock_diag.h.
"""

from __future__ import annotations

import struct
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from nettop.kernel.inet_diag import Found
from nettop.kernel.netlink import SOCK_DIAG_BY_FAMILY, DiagSocket, payloads
from nettop.kernel.tcp_info import NO_INFO
from nettop.model import Socket, SocketStats

Lookup = Callable[[int], Optional[str]]
"""Name of a user id or of an interface index, None where it has none."""

_KINDS: Mapping[int, str] = {1: "stream", 2: "dgram", 3: "raw", 5: "seqpacket", 10: "packet"}

ALL_STATES = 0xFFFFFFFF

_NLATTR = struct.Struct("=HH")  # length with this header, type
_TYPE_MASK = 0x3FFF  # NLA_TYPE_MASK: above it are flags
_MEMORY = struct.Struct("=9I")
"""SK_MEMINFO_*: rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued, optmem, backlog, drops."""


def socket_kind(number: int) -> str:
    """Word for a socket type, SOCK_* of include/linux/net.h."""
    return _KINDS.get(number) or str(number)


def unnamed(_number: int) -> Optional[str]:
    """The `Lookup` that knows no name."""
    return None


class Origin(NamedTuple):
    """Where messages were read, and how to name what they mention by number."""

    netns: int
    user: Lookup = unnamed
    interface: Lookup = unnamed


class Family(NamedTuple):
    """One sock_diag family."""

    name: str
    request: bytes
    """Payload of the dump request."""
    cookie: slice
    """Where the payload of an answer holds the cookie."""
    parse_message: Callable[[bytes, Origin], Tuple[Socket, SocketStats]]


class Memory(NamedTuple):
    """The part of SK_MEMINFO_* worth showing, in bytes; drops are packets. None where the kernel left it out."""

    received: Optional[int] = None
    """Of the receive buffer, in use."""
    rcvbuf: Optional[int] = None
    sending: Optional[int] = None
    sndbuf: Optional[int] = None
    drops: Optional[int] = None


def parse_memory(attribute: Optional[bytes]) -> Memory:
    """Decode an array of SK_MEMINFO_* counters."""
    if attribute is None or len(attribute) < _MEMORY.size:
        return Memory()
    received, rcvbuf, sending, sndbuf, _, _, _, _, drops = _MEMORY.unpack_from(attribute)
    return Memory(received, rcvbuf, sending, sndbuf, drops)


def parse_attributes(payload: bytes, offset: int) -> Dict[int, bytes]:
    """Type → value of the attributes (struct nlattr, aligned to 4) that follow the fixed part of a message."""
    attributes: Dict[int, bytes] = {}
    end = len(payload)
    while offset + 4 <= end:
        length, kind = _NLATTR.unpack_from(payload, offset)
        if length < 4:
            break
        attributes[kind & _TYPE_MASK] = payload[offset + 4 : offset + length]
        offset += length + 3 & ~3
    return attributes


def plain_socket(
    origin: Origin,
    proto: str,
    family: str,
    kind: str,
    local: Optional[str],
    *,
    inode: int,
    lport: Optional[int] = None,
    remote: Optional[str] = None,
    rport: Optional[int] = None,
    uid: Optional[int] = None,
    cookie: Optional[int] = None,
    iface: Optional[str] = None,
    peer_inode: Optional[int] = None,
) -> Socket:
    """A socket of which nothing else is told. Inode 0 is none."""
    user = None if uid is None else origin.user(uid)
    # fmt: off
    return Socket(
        origin.netns, proto, family, kind, local, lport, remote, rport, inode or None, uid, user, cookie, iface,
        cgroup=None, mark=None, congestion=None, v6only=None, peer_inode=peer_inode, since=None,
    )
    # fmt: on


def plain_stats(state: str, recvq: Optional[int], sendq: Optional[int], memory: Memory) -> SocketStats:
    """The counters of a socket that counts nothing but its queues and drops."""
    return SocketStats._make((state, recvq, sendq, *NO_INFO, memory.drops, memory.rcvbuf, memory.sndbuf))


def read_family(family: Family, diag: DiagSocket) -> List[bytes]:
    """The payload of one message for each socket of the family in the namespace of `diag`.

    Raises `netlink.DiagUnavailable` where the kernel cannot list this family, OSError where it refuses."""
    return list(payloads(diag.dump(SOCK_DIAG_BY_FAMILY, family.request)))


class FamilyTable:
    """The sockets of one family in one namespace; the counterpart of `inet_diag.InetTable`.

    A reading takes 1 µs a socket that says nothing new, 8 µs one that does."""

    def __init__(self, family: Family, origin: Origin, new_id: Callable[[], int]) -> None:
        """`new_id` gives a row id to each new socket."""
        self._family = family
        self._origin = origin
        self._new_id = new_id
        self._ids: Dict[bytes, int] = {}
        self._fingerprints: Dict[bytes, int] = {}
        self._identities: Dict[bytes, int] = {}
        self._since: Dict[bytes, float] = {}
        self._complete = False

    def __len__(self) -> int:
        return len(self._ids)

    def rows(self) -> List[int]:
        """Ids of the sockets it holds."""
        return list(self._ids.values())

    def read(self, diag: DiagSocket, now: float) -> Found:
        """Dump, and return what is new, different and gone; `now` is the time. Raises as `read_family`."""
        found = Found.nothing()
        messages = {payload[self._family.cookie]: payload for payload in read_family(self._family, diag)}
        for cookie, payload in messages.items():
            fingerprint = hash(payload)
            if self._fingerprints.get(cookie) != fingerprint:
                self._fingerprints[cookie] = fingerprint
                self._changed(payload, cookie, now, found)
        for cookie in self._ids.keys() - messages.keys():
            found.gone.append(self._ids.pop(cookie))
            del self._fingerprints[cookie], self._identities[cookie]
            self._since.pop(cookie, None)
        self._complete = True
        return found

    def _changed(self, payload: bytes, cookie: bytes, now: float, found: Found) -> None:
        row = self._ids.get(cookie)
        if row is None:
            row = self._ids[cookie] = self._new_id()
            if self._complete:
                self._since[cookie] = now
        socket, stats = self._family.parse_message(payload, self._origin)
        identity = hash(socket)
        if self._identities.get(cookie) != identity:
            self._identities[cookie] = identity
            found.sockets.append((row, socket._replace(since=self._since.get(cookie))))
        found.stats.append((row, stats))
