"""The cookie of a socket in another process's hands, and the network namespace it is in, through a duplicate of its
descriptor: pidfd_getfd(2), Linux 5.6.

The links of /proc/PID/fd tell a socket's inode, its DESTROY message its cookie, and nothing in /proc joins the two, or
tells where a socket was made: only the socket itself does. The duplicate lives for some 2 µs. Should the process close
its own meanwhile, the connection ends with ours, that much later; what it reads, writes and waits for is not touched.
Needs the right to trace the process (PTRACE_MODE_ATTACH_REALCREDS).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from typing import Optional

from nettop.kernel import netns

_PIDFD_GETFD = 438  # the same number on every architecture
_SO_COOKIE = 57  # Linux 4.12

# PyDLL keeps the interpreter lock: none of these calls blocks
_libc = ctypes.PyDLL(None, use_errno=True)
_syscall, _getsockopt = _libc.syscall, _libc.getsockopt
_cookie = (ctypes.c_char * 8)()
_length = ctypes.c_uint(8)


class Handle:
    """One process, whoever gets its pid later."""

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError where it is gone, and OSError (ENOSYS) before Linux 5.3."""
        self._pidfd = os.pidfd_open(pid)

    def close(self) -> None:
        os.close(self._pidfd)

    def cookie(self, fd: int) -> Optional[bytes]:
        """The cookie of its socket `fd`, as `inet_diag.InetTable.row` takes it; None where there is no socket (any
        more).

        Raises ProcessLookupError where the process is gone, PermissionError where it may not be traced, and OSError
        (ENOSYS) before Linux 5.6."""
        duplicate = self._duplicate(fd)
        if duplicate is None:
            return None
        refused = _getsockopt(duplicate, socket.SOL_SOCKET, _SO_COOKIE, _cookie, ctypes.byref(_length))
        os.close(duplicate)
        return None if refused else _cookie.raw

    def namespace(self, fd: int) -> Optional[int]:
        """A descriptor, the caller's to close, of the network namespace of its socket `fd`; None where there is no file
        (any more), and of a netlink socket, by which one looks into a namespace and does not use it.

        Raises as `cookie`, and OSError where it is no socket, or its namespace is not ours to see."""
        duplicate = self._duplicate(fd)
        if duplicate is None:
            return None
        with socket.socket(fileno=duplicate) as same:
            return netns.open_of_socket(same.fileno()) if same.family != socket.AF_NETLINK else None

    def _duplicate(self, fd: int) -> Optional[int]:
        duplicate: int = _syscall(_PIDFD_GETFD, self._pidfd, fd, 0)
        if duplicate < 0:
            code = ctypes.get_errno()
            if code == errno.EBADF:
                return None
            raise OSError(code, os.strerror(code))
        return duplicate
