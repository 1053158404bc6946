"""recvmmsg(2): many datagrams for one system call."""

from __future__ import annotations

import ctypes
import os
import socket
from typing import List, Tuple


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Msghdr(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", _Msghdr), ("len", ctypes.c_uint)]


class Batch:
    """Many small datagrams at once.

    Called through `PyDLL`, which keeps the interpreter lock: the call never blocks, and giving the lock up for each
    datagram, as `socket.recv` does, would cost up to 5 ms an event while another thread computes. Where the kernel is
    long at making them, as those of a dump, a batch that `lends` the lock gives it up once for all of them.
    """

    def __init__(self, slot: int = 128, count: int = 512, *, lends: bool = False) -> None:
        """`count` datagrams at a time, of each the first `slot` bytes."""
        self._slot, self._count = slot, count
        library = ctypes.CDLL(None, use_errno=True) if lends else ctypes.PyDLL(None, use_errno=True)
        self._recvmmsg = library.recvmmsg
        self._buffer = bytearray(slot * count)
        base = ctypes.addressof((ctypes.c_char * len(self._buffer)).from_buffer(self._buffer))
        self._iovecs = (_Iovec * count)(*(_Iovec(base + i * slot, slot) for i in range(count)))
        self._headers = (_Mmsghdr * count)()
        for header, iovec in zip(self._headers, self._iovecs):
            header.hdr.iov = ctypes.pointer(iovec)
            header.hdr.iovlen = 1

    def receive(self, fd: int) -> Tuple[bytes, bool]:
        """What is queued, laid end to end, and whether there may be more. Raises OSError (EAGAIN: nothing queued)."""
        datagrams, more = self.receive_each(fd)
        return b"".join(datagrams), more

    def receive_each(self, fd: int) -> Tuple[List[bytes], bool]:
        """The same, one by one."""
        count = self._recvmmsg(fd, self._headers, self._count, socket.MSG_DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        slot, buffer, headers = self._slot, self._buffer, self._headers
        return [bytes(buffer[i * slot : i * slot + headers[i].len]) for i in range(count)], count == self._count
