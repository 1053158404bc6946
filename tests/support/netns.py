"""Named network namespaces for tests and the lab: make, enter, delete. Everything here needs root."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

RUN = Path("/run/netns")
"""Where `ip netns add` binds the names."""

_CLONE_NEWNET = 0x40000000  # <linux/sched.h>
_SIOCSIFFLAGS = 0x8914  # <linux/sockios.h>
_IFF_UP_RUNNING = 0x41  # IFF_UP | IFF_RUNNING, <linux/if.h>

_libc = ctypes.CDLL(None, use_errno=True)


def _batch(action: str, names: Iterable[str], *options: str) -> None:
    commands = "".join(f"netns {action} {name}\n" for name in names)
    done = subprocess.run(["ip", *options, "-batch", "-"], input=commands, text=True, capture_output=True, check=False)
    if done.returncode and "-force" not in options:
        raise OSError(f"ip netns {action}: {done.stderr.strip()}")


def add(*names: str) -> None:
    """Make named namespaces, their loopback still down. OSError where ip refuses one."""
    _batch("add", names)


def delete(*names: str) -> None:
    """Take the names away, those that exist; a namespace ends when no process or socket holds it any more."""
    _batch("delete", [name for name in names if (RUN / name).exists()], "-force")


def named(prefix: str) -> list[str]:
    """Existing names that begin with `prefix`, in order."""
    return sorted(path.name for path in RUN.glob(prefix + "*"))


def inode(name: str) -> int:
    """The number the kernel knows a named namespace by."""
    return (RUN / name).stat().st_ino


def enter(name: str) -> None:
    """Move the calling thread into a named namespace, for good."""
    _setns_path(RUN / name)


@contextmanager
def entered(name: str) -> Iterator[None]:
    """The calling thread works in a named namespace and then returns; sockets made meanwhile stay in there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns_path(RUN / name)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def loopback_up() -> None:
    """Bring up lo, with 127.0.0.0/8 and ::1, in the namespace of the calling thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # struct ifreq, <linux/if.h>: the name, then the flags in a union of 24 bytes
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP_RUNNING))


def _setns_path(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(fd)
    finally:
        os.close(fd)


def _setns(fd: int) -> None:
    """setns(2) through ctypes: os.setns came with Python 3.12."""
    if _libc.setns(fd, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")
