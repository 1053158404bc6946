"""Raw netlink to NETLINK_SOCK_DIAG: one kept socket per network namespace, dumps as raw datagrams.

Raw, because this is the hot path: pyroute2's `DiagSocket` takes 42 µs a socket where the kernel's own work is 2 µs, and
most messages of a dump say what they said a second ago and need not be decoded at all.

Rests on Documentation/userspace-api/netlink/intro.rst, include/uapi/linux/netlink.h and sock_diag.h.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from typing import Dict, Iterator, List, Optional, Tuple

from nettop.kernel import netns
from nettop.kernel.recvmmsg import Batch

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
TCPDIAG_GETSOCK = 18

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x300

HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port id
_DONE = struct.Struct("=IHHIIi")  # the same with the dump's errno behind it
_SEQUENCE = 1
"""One request is under way at a time and always read to its end, so that a constant is enough: messages of two dumps
that say the same are the same bytes."""

DATAGRAM = 1 << 15
"""The kernel fills at most 32 KiB at a time (netlink_dump, max_recvmsg_len)."""
_PATIENCE = 5.0
"""Seconds until a silent kernel is an error and not a hang."""
_TRIES = 5


class DiagUnavailable(Exception):
    """This kernel has no sock_diag handler for what was asked: a module is missing, which is not "no sockets"."""


class DiagSocket:
    """A sock_diag socket that lives in one network namespace, and pins it until `close`."""

    def __init__(self, path: Optional[str] = None, protocol: int = NETLINK_SOCK_DIAG) -> None:
        """`path` names the namespace (/proc/PID/ns/net, /run/netns/NAME); None is this process's own. Another netlink
        `protocol` is dumped in the same way.

        Raises OSError where it is gone (ENOENT) or may not be entered (EPERM)."""
        self._socket = _open(protocol) if path is None else netns.in_namespace(path, lambda: _open(protocol))
        self._port: int = self._socket.getsockname()[0]
        self._protocol = protocol
        self._away = path is not None
        self._unfinished = False  # an answer was not read to its end
        self._holes = 0
        self._fetched: Dict[Tuple[int, bytes], List[bytes]] = {}

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def dump(self, kind: int, request: bytes, batch: Optional[Batch] = None) -> List[bytes]:
        """Every datagram of the answer to a dump request: messages back to back, the closing NLMSG_DONE included; they
        come one by one, or by a `batch` of slots of `DATAGRAM` bytes.

        Raises `DiagUnavailable` where the kernel has no handler for it, OSError for anything else it refuses."""
        fetched = self._fetched.pop((kind, request), None)
        if fetched is not None:
            return fetched
        for _ in range(_TRIES):
            datagrams = self._dump(kind, request, batch)
            if datagrams is not None:
                return datagrams
        raise OSError(errno.EINTR, "every answer had a hole, or the table changed meanwhile")

    def take_holes(self) -> int:
        """How many answers since the last call had a hole; each was asked for again."""
        holes, self._holes = self._holes, 0
        return holes

    def order(self, kind: int, request: bytes) -> None:
        """Have something done that the kernel answers with done or an error, raised as OSError."""
        self._socket.send(
            HEADER.pack(HEADER.size + len(request), kind, NLM_F_REQUEST | NLM_F_ACK, _SEQUENCE, 0) + request
        )
        status = -_DONE.unpack_from(self._socket.recv(DATAGRAM))[5]  # struct nlmsgerr, behind the header
        if status:
            raise OSError(status, os.strerror(status))

    def fetch(self, kind: int, request: bytes, batch: Batch) -> None:
        """Dump now what the next `dump` of the same request returns: for a thread that waits for the kernel while
        another does something else. An error is left for that one to raise."""
        with contextlib.suppress(OSError, DiagUnavailable):
            self._fetched[kind, request] = self.dump(kind, request, batch)

    def _dump(self, kind: int, request: bytes, batch: Optional[Batch]) -> Optional[List[bytes]]:
        """As `dump`; None where NLM_F_DUMP_INTR says that the table was rearranged meanwhile, or ENOBUFS that there was
        no memory for a part: the kernel goes on when what it has sent is read, so that the rest might never come."""
        self._clear()
        self._unfinished = True
        self._socket.send(
            HEADER.pack(HEADER.size + len(request), kind, NLM_F_REQUEST | NLM_F_DUMP, _SEQUENCE, 0) + request
        )
        datagrams: List[bytes] = []
        for data in self._arriving(batch):
            if data is None:
                self._holes += 1
                return None
            _, message, _, _, _ = HEADER.unpack_from(data)
            if message == NLMSG_ERROR:
                self._unfinished = False
                _refuse(-_DONE.unpack_from(data)[5])
            datagrams.append(data)
            # NLMSG_DONE closes the last datagram or is one by itself; its port id is ours, no socket can imitate it
            length, message, flags, sequence, port, status = _DONE.unpack_from(data, len(data) - _DONE.size)
            if (length, message, sequence, port) == (_DONE.size, NLMSG_DONE, _SEQUENCE, self._port):
                self._unfinished = False
                if status < 0:
                    _refuse(-status)
                return None if flags & NLM_F_DUMP_INTR else datagrams
        raise AssertionError("datagrams come until there is an end or an error")

    def _arriving(self, batch: Optional[Batch]) -> Iterator[Optional[bytes]]:
        """The datagrams of an answer; None in place of one there was no memory for. Raises OSError."""
        receive, descriptor = self._socket.recv, self._socket.fileno()
        while True:
            try:
                # the kernel makes the first part of an answer as it takes the request, and the next as one is read: a
                # batch need not wait
                if batch is None:
                    yield receive(DATAGRAM)
                else:
                    yield from batch.receive_each(descriptor)[0]
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                yield None

    def _clear(self) -> None:
        """Where an answer was not read to its end, go on with another socket in the same namespace: the rest would come
        first, and until then the kernel begins no other dump (EBUSY). Raises OSError."""
        if not self._unfinished:
            return
        if self._away:
            there = netns.open_of_socket(self._socket.fileno())
            try:
                fresh = netns.in_namespace(there, lambda: _open(self._protocol))
            finally:
                os.close(there)
        else:
            fresh = _open(self._protocol)
        self._socket.close()
        self._socket, self._port, self._unfinished = fresh, fresh.getsockname()[0], False


def payloads(datagrams: List[bytes]) -> Iterator[bytes]:
    """The payload of every message of a dump, one by one, without the header: for the tables that are not hot."""
    for data in datagrams:
        offset, end = 0, len(data)
        while offset + HEADER.size <= end:
            length, kind, _, _, _ = HEADER.unpack_from(data, offset)
            if kind == NLMSG_DONE or length < HEADER.size:
                break
            yield data[offset + HEADER.size : offset + length]
            offset += length + 3 & ~3


def _open(protocol: int) -> socket.socket:
    raw = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    # SO_RCVTIMEO and not settimeout: the latter adds a poll() to each of some 700 receives of a large dump
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(_PATIENCE), 0))
    raw.bind((0, 0))
    return raw


def _refuse(code: int) -> None:
    if code == errno.ENOENT:
        raise DiagUnavailable("no sock_diag handler")
    raise OSError(code, os.strerror(code))
