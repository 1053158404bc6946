"""recvmmsg(2): many datagrams for one system call."""

from __future__ import annotations

import ctypes
import os
import socket
from typing import Tuple


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
    datagram, as `socket.recv` does, would cost up to 5 ms an event while another thread computes.
    """

    SLOT = 128
    COUNT = 512

    def __init__(self) -> None:
        self._recvmmsg = ctypes.PyDLL(None, use_errno=True).recvmmsg
        self._buffer = bytearray(self.SLOT * self.COUNT)
        base = ctypes.addressof((ctypes.c_char * len(self._buffer)).from_buffer(self._buffer))
        self._iovecs = (_Iovec * self.COUNT)(*(_Iovec(base + i * self.SLOT, self.SLOT) for i in range(self.COUNT)))
        self._headers = (_Mmsghdr * self.COUNT)()
        for header, iovec in zip(self._headers, self._iovecs):
            header.hdr.iov = ctypes.pointer(iovec)
            header.hdr.iovlen = 1

    def receive(self, fd: int) -> Tuple[bytes, bool]:
        """What is queued, laid end to end, and whether there may be more. Raises OSError (EAGAIN: nothing queued)."""
        count = self._recvmmsg(fd, self._headers, self.COUNT, socket.MSG_DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        slot, buffer, headers = self.SLOT, self._buffer, self._headers
        data = b"".join([buffer[i * slot : i * slot + headers[i].len] for i in range(count)])
        return data, count == self.COUNT
