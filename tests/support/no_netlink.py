"""A program for whom there is no netlink: python -m tests.support.no_netlink EPERM COMMAND ARGUMENT...

Sandboxes refuse socket(AF_NETLINK) by a seccomp filter, with EPERM or as if the kernel had been built without it,
EAFNOSUPPORT. Rests on seccomp(2), include/uapi/linux/seccomp.h and bpf_common.h; a filter is inherited by what is
executed and forked.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

_SOCKET = {"x86_64": 41, "aarch64": 198}
"""Numbers of socket(2)."""
_NR, _FIRST_ARGUMENT = 0, 16  # in struct seccomp_data, the argument's lower half
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _FILTER = 22, 38, 2


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def refuse(code: int) -> None:
    """From now on socket(AF_NETLINK) fails with this error. OSError where the kernel takes no filter."""
    instructions = (
        (_LOAD, 0, 0, _NR),
        (_IF_EQUAL, 0, 3, _SOCKET[platform.machine()]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IF_EQUAL, 0, 1, socket.AF_NETLINK),
        (_RETURN, 0, 0, _ERRNO | code),
        (_RETURN, 0, 0, _ALLOW),
    )
    filtered = b"".join(struct.pack("=HBBI", *each) for each in instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    for action in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _FILTER, ctypes.byref(_Program(len(instructions), filtered)), 0, 0),
    ):
        if libc.prctl(*action):
            failed = ctypes.get_errno()
            raise OSError(failed, os.strerror(failed))


if __name__ == "__main__":
    refuse(getattr(errno, sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
