"""What forked children of tests need so that none outlives them."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_libc = ctypes.CDLL(None)


def forked(act: Callable[[], object]) -> int:
    """The pid of a child that acts, and ends then; it is for the caller to wait for."""
    parent, pid = os.getpid(), os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with(parent)
        act()
        status = 0
    finally:
        os._exit(status)


def die_with(parent: int) -> None:
    """Called in a forked child: be killed when the forking thread of `parent` ends; it may have ended already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
