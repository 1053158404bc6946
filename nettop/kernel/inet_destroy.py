"""TCP and UDP sockets as they end: the DESTROY multicast groups of sock_diag, one subscription a namespace.

A message comes when the last reference to a socket is dropped, through a work queue: never before a dump that still
lists the socket alive was begun, at times milliseconds later, and for one whose connection broke only when its program
closes it. It has the cookie, both ends and, for TCP, the final tcp_info; inode, uid and cgroup are 0. What becomes a
TIME-WAIT entry ends here; the entry that dumps list afterwards has the same cookie if a dump had listed the socket, and
else one of its own, as the kernel makes cookies when they are asked for. Rests on sock_diag_broadcast_
destroy() of net/core/sock_diag.c and include/uapi/linux/sock_diag.h (SKNLGRP_INET_TCP_DESTROY and the next three).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import socket
import struct
from typing import Iterator, NamedTuple, Optional

from nettop.kernel import netns
from nettop.kernel.netlink import NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY
from nettop.kernel.recvmmsg import Batch
from nettop.kernel.tcp_info import Ending, ending

RECEIVE_BUFFER = 16 << 20
"""Bytes of socket buffer asked for. The kernel doubles it and charges 1,280 bytes a message: room for 26,000."""

_ROOM = 2 * RECEIVE_BUFFER // 1280
"""Messages."""
_GROUPS = (1, 2, 3, 4)  # SKNLGRP_INET_TCP_DESTROY, INET_UDP, INET6_TCP, INET6_UDP
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1
_SO_RCVBUFFORCE, _SO_MEMINFO = 33, 55
_MEMINFO = struct.Struct("=9I")  # SK_MEMINFO_*, the last one drops
_SLOT, _SLOTS = 1024, 256

_MESSAGE = struct.Struct("=IH10x B7x 16s16s I 8s 4x II")
"""struct nlmsghdr: length, type; struct inet_diag_msg: family; addresses, interface, cookie; queues."""
_PORTS = struct.Struct(">20x HH")
_ATTRIBUTES = 88
_NLATTR = struct.Struct("=HH")
_PROTOCOL, _INFO = 10, 2  # INET_DIAG_PROTOCOL, INET_DIAG_INFO
_NAMES = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}
_DISCONNECTED = 3
"""tcp_disconnect() moves the next sequence number on by the largest window offered and 2; there is none, and the SYN is
the third, where a connection never came to be."""


class Destroyed(NamedTuple):
    """One socket that has ended."""

    proto: str
    """tcp or udp."""
    cookie: bytes
    """As `inet_diag.InetTable.row` takes it."""
    family: int
    local: bytes
    """Packed, 4 or 16 bytes; of a connect that failed while its program waited for it all 0."""
    lport: int
    remote: bytes
    rport: int
    """0 where the kernel forgot it: see `outcome`."""
    iface: int
    outcome: str
    """unused: never connected; refused, unanswered: a connect that failed; closed: was connected, or is UDP; reset,
    timed out: was connected, and broke; aborted: was connected, and its program had its figures wiped."""
    outgoing: Optional[bool]
    """Whether the connection was made from here; None where that cannot be told."""
    final: Optional[Ending]
    """Payload and segments of a TCP socket."""
    fin: bool
    """The other end's FIN was received and not read by the program; it is not in `final`."""


def parse_destroyed(message: bytes) -> Optional[Destroyed]:
    """Decode one datagram; None for one that is something else, or cut short."""
    if len(message) < _ATTRIBUTES:
        return None
    length, kind, family, local, remote, iface, cookie, unread, unsent = _MESSAGE.unpack_from(message)
    if kind != SOCK_DIAG_BY_FAMILY or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    proto, final = None, None
    offset, end = _ATTRIBUTES, min(length, len(message))
    while offset + 4 <= end:
        size, attribute = _NLATTR.unpack_from(message, offset)
        if size < 4:
            break
        if attribute == _PROTOCOL and size > 4 and offset + 4 < end:
            proto = _NAMES.get(message[offset + 4])
        elif attribute == _INFO:
            final = ending(message, offset + 4, min(offset + size, end))
        offset += size + 3 & ~3
    if proto is None:
        return None
    lport, rport = _PORTS.unpack_from(message)
    width = 4 if family == socket.AF_INET else 16
    outcome, outgoing, fin = "closed", None, False
    if proto == "tcp" and final is not None:
        outcome = _outcome(final, rport, unread, unsent)
        outgoing = _outgoing(final, outcome)
        fin = unread == 1 and outcome == "closed"
        final = final._replace(rx_bytes=final.rx_bytes - fin)
    return Destroyed(
        proto, cookie, family, local[:width], lport, remote[:width], rport, iface, outcome, outgoing, final, fin
    )


def _outcome(final: Ending, rport: int, unread: int, unsent: int) -> str:
    """As in `Destroyed`. A socket that waits for its connect forgets the remote port when that fails, and its segments,
    but not how often it asked; one that does not wait keeps all of it."""
    if final.rtt:
        if unsent:
            return "timed out" if final.retransmits else "reset"
        return "reset" if final.flags == 0 or unread > 1 else "closed"  # who leaves data unread, resets
    if rport:
        return "refused" if final.segments_in else "unanswered"
    if unsent == _DISCONNECTED:
        return "unanswered" if final.retransmits else "refused"
    return "aborted" if unsent else "unused"


def _outgoing(final: Ending, outcome: str) -> Optional[bool]:
    """Of SYN and FIN acknowledged: two say that this end connected, none that it did not, one says nothing."""
    if outcome in ("refused", "unanswered"):
        return True
    if outcome not in ("closed", "reset") or final.flags not in (0, 2):
        return None
    return final.flags == 2


@functools.lru_cache(maxsize=4096)
def address(packed: bytes) -> str:
    """Text of an address of a `Destroyed`."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


class DestroyListener:
    """A subscription in one network namespace, which it pins until `close`."""

    def __init__(self, path: Optional[str], receive_buffer: int = RECEIVE_BUFFER) -> None:
        """`path` names the namespace, None is this process's own; `receive_buffer` is in bytes.

        Raises OSError where the namespace is gone or may not be entered, or the kernel refuses (EPERM)."""
        self._socket = _open() if path is None else netns.in_namespace(path, _open)
        try:
            with contextlib.suppress(PermissionError):  # CAP_NET_ADMIN
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, receive_buffer)
            for group in _GROUPS:
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        except OSError:
            self._socket.close()
            raise
        self._drops = 0  # as of the last overrun
        self._lost = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def drain(self, batch: Batch) -> Iterator[bytes]:
        """Every message queued, for `parse_destroyed`, a batch in memory at a time; of such as come meanwhile no more
        than the queue holds. `batch` is one of `batch()`."""
        more, most = True, _ROOM
        while more and most > 0:
            try:
                received, more = batch.receive_each(self._socket.fileno())
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    break
                if error.errno != errno.ENOBUFS:
                    raise
                self._note_loss()
                continue  # what was queued before the loss is still there
            most -= len(received)
            yield from received

    def take_lost(self) -> int:
        """Messages the kernel dropped because the queue was full, of those `drain` has passed by since the last call:
        exactly so many."""
        lost, self._lost = self._lost, 0
        return lost

    def _note_loss(self) -> None:
        (*_, drops) = _MEMINFO.unpack(self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
        self._lost += (drops - self._drops) & 0xFFFFFFFF
        self._drops = drops


def batch() -> Batch:
    """What `DestroyListener.drain` receives with; one is enough for all namespaces."""
    return Batch(_SLOT, _SLOTS)


def _open() -> socket.socket:
    raw = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
    raw.bind((0, 0))
    return raw
