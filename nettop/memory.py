"""Memory that is not needed: what was freed goes back to the system, and some is never taken."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_LARGE = 1 << 16
_RAW, _MEM, _OBJ = 0, 1, 2  # PYMEM_DOMAIN_*
_ROOMY = 1 << 16
_ENTRY = 400
"""Bytes for each entry that no growing table takes: a dict takes up to 140, a set up to 130."""
_Table = TypeVar("_Table", dict[Any, Any], set[int])


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


def pass_arenas_by(wanted: bool) -> None:
    """Take small objects from malloc(3) from now on, or again from Python's arenas; nothing where Python has no such.

    For a time in which tens of thousands come and go: an arena, of 1 MiB, goes back to the system only when nothing is
    left in it, and what is made meanwhile and stays, a few thousand objects of 0.2 MB, would keep 20. What malloc has
    given goes back page by page (`give_back`). Blocks of both kinds are told apart when they are freed, as always: what
    is larger than 512 bytes is malloc's anyway. See PyMem_SetAllocator in the C API."""
    for domain, usual in _usual_allocators().items():
        source = _allocator(_RAW) if wanted else usual
        mixed = _Allocator(None, source.malloc, source.calloc, usual.realloc, usual.free)
        ctypes.pythonapi.PyMem_SetAllocator(domain, ctypes.byref(mixed))


class _Allocator(ctypes.Structure):
    """PyMemAllocatorEx."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]


def _allocator(domain: int) -> _Allocator:
    """What gives out the memory of a domain."""
    allocator = _Allocator()
    ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(allocator))
    return allocator


@functools.cache
def _usual_allocators() -> Mapping[int, _Allocator]:
    """By domain, those that have arenas. None where this Python has none, or somebody traces or checks what is taken
    from them: such wrap an allocator, and have a context. A build without the global lock has another one."""
    if "PYTHONMALLOC" in os.environ or "t" in getattr(sys, "abiflags", "t"):
        return {}
    try:
        usual = {domain: _allocator(domain) for domain in (_RAW, _MEM, _OBJ)}
    except AttributeError:
        return {}
    if any(allocator.ctx for allocator in usual.values()):
        return {}
    del usual[_RAW]
    return usual


def fitted(table: _Table) -> _Table:
    """A dict or set in a table of its size: one that was large stays so, and it may have been very large. Itself where
    it is not too large, which takes 0.1 µs to find out."""
    return type(table)(table) if sys.getsizeof(table) > max(_ROOMY, _ENTRY * len(table)) else table


def leave_out_tls() -> None:
    """Import asyncio without TLS, which nobody here speaks: OpenSSL takes 2 MB, and 8 ms of the first picture.

    asyncio is made for a Python without `ssl`. Whoever imports it later gets it."""
    if "ssl" not in sys.modules:
        sys.modules["ssl"] = None  # type: ignore[assignment]  # an import of it fails
        import asyncio  # noqa: F401

        del sys.modules["ssl"]
