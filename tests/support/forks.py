"""What forked children of tests need so that none outlives them."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_libc = ctypes.CDLL(None)


def die_with(parent: int) -> None:
    """Called in a forked child: be killed when the forking thread of `parent` ends; it may have ended already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
