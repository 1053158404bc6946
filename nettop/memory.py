"""Memory that is not needed: what was freed goes back to the system, and some is never taken."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_LARGE = 1 << 16


def hold_little() -> None:
    """Tell glibc to take large blocks from the system and to give them back at once; nothing where it is another libc.

    By itself it does so only until it has seen large blocks come and go, and a key frame is made of them: 7 MB of the
    screen's 106, with 42,000 sockets, were text it had read long ago. See mallopt(3); children inherit it by fork."""
    with contextlib.suppress(AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_M_TRIM_THRESHOLD, _LARGE)
        libc.mallopt(_M_ARENA_MAX, 1)  # a thread's own would not shrink again


def give_back() -> None:
    """Return what is free between blocks in use: after something large, as it takes milliseconds. malloc_trim(3).

    Python's lists of free objects, some 2,000 of each size after a storm, hold pages too: a full collection empties
    them, and does not look through the rows there are, as they are frozen."""
    gc.freeze()
    gc.collect()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def leave_out_tls() -> None:
    """Import asyncio without TLS, which nobody here speaks: OpenSSL takes 2 MB, and 8 ms of the first picture.

    asyncio is made for a Python without `ssl`. Whoever imports it later gets it."""
    if "ssl" not in sys.modules:
        sys.modules["ssl"] = None  # type: ignore[assignment]  # an import of it fails
        import asyncio  # noqa: F401

        del sys.modules["ssl"]
