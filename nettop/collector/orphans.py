"""Network namespaces that no process is in and nothing mounted refers to: only an open file or a socket keeps them.

    a file of the namespace itself     its link in /proc/PID/fd says net:[INODE], and leads into it
    a socket that was made in it       socket:[INODE], which no table of the known namespaces lists: it is asked itself

All descriptors are read anyway, to find the owners of sockets; so nothing is asked for but the few sockets that nobody
lists, most of which are new ones that are neither bound nor connected yet.

Who only looks keeps nothing: netlink sockets do not count, nor do files opened by O_PATH, as ours are. Else two
collectors on one machine would keep for ever what each sees the other one have open.
"""

from __future__ import annotations

import itertools
import os
from typing import AbstractSet, Callable, Dict, NamedTuple, Optional

from nettop.collector.resolver import Resolver
from nettop.kernel import pidfd

LOOK_EVERY = 10.0
"""Seconds between two looks while no namespace ends: 3 ms, of 42,000 sockets."""
_MOST = 200
"""Sockets asked in one look, of 20 µs each."""


class Held(NamedTuple):
    """What keeps a namespace."""

    netns: int
    pid: int
    """Who has it open."""
    fd: int
    link: str
    """What /proc/PID/fd/FD says as long as that is so."""
    own: Optional[int]
    """Our own descriptor of the namespace, where that link does not lead into it."""

    @property
    def path(self) -> str:
        """The way into the namespace."""
        return f"/proc/{self.pid}/fd/{self.fd}" if self.own is None else f"/proc/{os.getpid()}/fd/{self.own}"


class Orphans:
    """Those namespaces, and who keeps them. Reading one keeps it, too: each is let go as soon as nobody else does."""

    def __init__(self, resolver: Resolver, listed: Callable[[], AbstractSet[int]]) -> None:
        """`listed` are the inodes of the sockets of all namespaces that are read."""
        self._resolver = resolver
        self._listed = listed
        self._held: Dict[int, Held] = {}
        self._elsewhere: Dict[int, int] = {}  # inode of an unlisted socket → the namespace it is in
        self._present: AbstractSet[int] = frozenset()
        self._due = 0.0

    def look(self, clock: float, present: AbstractSet[int]) -> Dict[int, Held]:
        """The namespaces of this kind, by inode; `present` are all that are known, these included."""
        lost = [kept for kept in self._held.values() if not _holds(kept)]
        for kept in lost:
            self._let_go(kept)
        if clock >= self._due or lost or not present >= self._present:  # somebody else may hold what has ended
            self._due = clock + LOOK_EVERY
            others = present - {kept.netns for kept in lost}
            self._find_files(others)
            self._ask_sockets(others)
        self._present = frozenset(present)
        return dict(self._held)

    def close(self) -> None:
        """Let go of all."""
        for kept in list(self._held.values()):
            self._let_go(kept)

    def _find_files(self, present: AbstractSet[int]) -> None:
        for pid, fd, inode in self._resolver.open_namespaces():
            if inode not in present and inode not in self._held:
                kept = Held(inode, pid, fd, f"net:[{inode}]", None)
                if _holds(kept) and not _only_a_path(pid, fd):
                    self._held[inode] = kept

    def _ask_sockets(self, present: AbstractSet[int]) -> None:
        unlisted = self._resolver.inodes() - self._listed()
        self._elsewhere = {inode: there for inode, there in self._elsewhere.items() if inode in unlisted}
        unknown = (inode for inode in unlisted if self._elsewhere.get(inode) not in present)
        for inode in itertools.islice(unknown, _MOST):
            owner = self._resolver.owners(inode).holders[0]
            kept = _ask(owner.pid, owner.fd, inode)
            if kept is None:
                continue
            self._elsewhere[inode] = kept.netns
            if kept.netns in present or kept.netns in self._held:
                _close(kept)
            else:
                self._held[kept.netns] = kept

    def _let_go(self, kept: Held) -> None:
        del self._held[kept.netns]
        _close(kept)


def _ask(pid: int, fd: int, inode: int) -> Optional[Held]:
    """In which namespace a socket is; None where nobody may know, or it is gone."""
    try:
        handle = pidfd.Handle(pid)
        try:
            found = handle.namespace(fd)
        finally:
            handle.close()
    except OSError:
        return None
    if found is None:
        return None
    own = os.open(f"/proc/self/fd/{found}", os.O_PATH | os.O_CLOEXEC)
    os.close(found)
    kept = Held(os.fstat(own).st_ino, pid, fd, f"socket:[{inode}]", own)
    if _holds(kept):
        return kept
    _close(kept)
    return None


def _holds(kept: Held) -> bool:
    try:
        return os.readlink(f"/proc/{kept.pid}/fd/{kept.fd}") == kept.link
    except OSError:
        return False


def _only_a_path(pid: int, fd: int) -> bool:
    """The file was opened by O_PATH: proc(5), /proc/PID/fdinfo."""
    try:
        with open(f"/proc/{pid}/fdinfo/{fd}", "rb") as file:
            flags = next((line for line in file if line.startswith(b"flags:")), b"flags: 0")
    except OSError:
        return False
    return bool(int(flags.split()[1], 8) & os.O_PATH)


def _close(kept: Held) -> None:
    if kept.own is not None:
        os.close(kept.own)
