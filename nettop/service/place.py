"""The socket of a service in the file system: made, kept to those it is for, and taken away again."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import socket
import stat

SOCKET = "/run/nettop/nettop.sock"
"""Where a service is found, unless it is told otherwise."""
GROUP = "nettop"
"""Who may use it, unless it is told otherwise."""

_WAITING = 64
"""Connections the kernel holds until they are accepted: a tick may take a second, at first."""


class Place:
    """A listening socket, and its file."""

    def __init__(self, path: str, gid: int | None) -> None:
        """Listen at `path`; only its user may connect, and the group `gid` where there is one. Raises OSError, with
        EADDRINUSE where a service listens there already."""
        self.path = path
        self._inode: int | None = None
        os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
        _clear(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(0o777)  # nobody's, until it is known whose
            try:
                self.socket.bind(path)
            finally:
                os.umask(before)
            self._inode = os.lstat(path).st_ino
            if gid is not None:
                os.chown(path, -1, gid)
            os.chmod(path, 0o600 if gid is None else 0o660)
            self.socket.listen(_WAITING)
        except OSError:
            self.close()
            raise
        self.socket.setblocking(False)

    def close(self) -> None:
        """Listen no more, and take the file away unless another service has put its own there."""
        with contextlib.suppress(OSError):
            if os.lstat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        self.socket.close()


def group_id(name: str) -> int | None:
    """The id of a group; None where there is none of that name."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def group_name(path: str) -> str | None:
    """The group that may use the socket at `path`; None where there is none, or it cannot be seen."""
    try:
        status = os.stat(path)
        return grp.getgrgid(status.st_gid).gr_name if status.st_mode & stat.S_IWGRP else None
    except (OSError, KeyError):
        return None


def _clear(path: str) -> None:
    """Take away the socket of a service that is no more. Raises OSError where there is something else."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "something that is no socket is there", path)
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except FileNotFoundError:
            return
        else:
            raise OSError(errno.EADDRINUSE, "a service listens there already", path)
