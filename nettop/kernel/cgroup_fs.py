"""The cgroup file systems: where they are mounted, which directory a cgroup id names, what the OOM killer did there,
and whether somebody has frozen it.

Rests on cgroups(7), Documentation/admin-guide/cgroup-v2.rst (memory.events, cgroup.events), cgroup-v1/memory.rst
(memory.oom_control, which has `oom_kill` since Linux 4.13) and cgroup-v1/freezer-subsystem.rst (freezer.state). A
machine may have version 1, 2 or both.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")
"""How mountinfo writes blanks and backslashes of a path."""
KEPT = 512
"""Files of cgroups that stay open at most."""
_LONGEST = 4096
"""Bytes: these files have a few lines."""
_DEEPEST = 12
_WALK_LIMIT = 20_000
"""Directories looked at in one walk: a machine may have any number of cgroups."""


class CgroupMounts(NamedTuple):
    """Where cgroups are mounted; None where they are not."""

    unified: Optional[str]
    """Version 2."""
    memory: Optional[str]
    """The memory controller of version 1; None where version 2 has it."""
    freezer: Optional[str]
    """That of version 1."""


def read_mounts(path: str = "/proc/self/mountinfo") -> CgroupMounts:
    """The mounts this process sees."""
    with open(path, "rb") as file:
        return parse_mounts(file.read())


def parse_mounts(data: bytes) -> CgroupMounts:
    """The cgroup mounts of a mountinfo file (proc(5)): the first of each kind."""
    unified: Optional[str] = None
    controllers: Dict[bytes, str] = {}
    for line in data.splitlines():
        before, _, after = line.partition(b" - ")
        words, system = before.split(), after.split()
        if len(words) < 5 or len(system) < 3:
            continue
        place = os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), words[4]))
        if system[0] == b"cgroup2":
            unified = unified or place
        elif system[0] == b"cgroup":
            for controller in system[2].split(b","):
                controllers.setdefault(controller, place)
    return CgroupMounts(unified, controllers.get(b"memory"), controllers.get(b"freezer"))


def read_oom_kills(mounts: CgroupMounts, path: str) -> Optional[int]:
    """Processes that the OOM killer ended in a cgroup, and in those below it; None where nothing says so.

    `path` is the one in /proc/PID/cgroup, which runtimes make alike in every hierarchy."""
    fd = _open_first((mounts.memory, "memory.oom_control"), (mounts.unified, "memory.events"), path)
    if fd is None:
        return None
    try:
        return parse_oom_kills(os.read(fd, _LONGEST))
    except OSError:
        return None  # it went in between
    finally:
        os.close(fd)


def parse_oom_kills(data: bytes) -> Optional[int]:
    """The count of `oom_kill` in memory.events or memory.oom_control; None where it has none."""
    return _number_of(b"oom_kill", data)


class FrozenReader:
    """Tells of the same cgroups again and again whether they are frozen, through files kept open: that takes a tenth of
    opening them anew. The file of a cgroup that is gone never answers for another of its name."""

    def __init__(self, mounts: CgroupMounts, keep: int = KEPT) -> None:
        """Keep at most `keep` files open."""
        self._places = (mounts.freezer, "freezer.state"), (mounts.unified, "cgroup.events")
        self._keep = keep
        self._files: Dict[str, int] = {}

    def read(self, path: str) -> bool:
        """Whether all processes of a cgroup are frozen, as `docker pause` does it. `path` as above."""
        if path not in self._files:
            fd = _open_first(*self._places, path)
            if fd is None:
                return False
            self._files[path] = fd
        try:
            return parse_frozen(os.pread(self._files[path], _LONGEST, 0))
        except OSError:
            self.forget(path)  # it is gone; who asks again is told of another of its name, if there is one
            return False
        finally:
            if len(self._files) > self._keep:
                self.forget(path)

    def forget(self, path: str) -> None:
        """Close what is kept of a cgroup, if anything."""
        fd = self._files.pop(path, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        """Forget every cgroup."""
        for path in list(self._files):
            self.forget(path)


def parse_frozen(data: bytes) -> bool:
    """What freezer.state or cgroup.events says."""
    return data.strip() == b"FROZEN" or _number_of(b"frozen", data) == 1


def cgroup_id(mounts: CgroupMounts, path: str) -> Optional[int]:
    """The id the kernel gives a cgroup of version 2, as sockets carry it: the inode of its directory.

    None where it is gone, or version 2 is not mounted."""
    if mounts.unified is None:
        return None
    try:
        return os.stat(mounts.unified + path).st_ino
    except OSError:
        return None


def walk(mounts: CgroupMounts) -> Dict[int, str]:
    """Id → path of every cgroup of version 2, `_WALK_LIMIT` of them at most: for sockets whose process is not seen."""
    if mounts.unified is None:
        return {}
    found: Dict[int, str] = {}
    for inode, path in _below(mounts.unified, "", 0):
        found[inode] = path or "/"
        if len(found) == _WALK_LIMIT:
            break
    return found


def _open_first(one: Tuple[Optional[str], str], other: Tuple[Optional[str], str], path: str) -> Optional[int]:
    """A descriptor of a file of a cgroup, in whichever of two hierarchies has it; None where neither does."""
    for root, file in (one, other):
        if root is not None:
            with contextlib.suppress(OSError):  # gone, or the controller is in the other version
                return os.open(f"{root}{path}/{file}", os.O_RDONLY | os.O_CLOEXEC)
    return None


def _number_of(name: bytes, data: bytes) -> Optional[int]:
    """The number after a name, of a file with a pair on each line."""
    for line in data.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name and words[1].isdigit():
            return int(words[1])
    return None


def _below(root: str, path: str, depth: int) -> Iterator[Tuple[int, str]]:
    try:
        yield os.stat(root + path).st_ino, path
        if depth == _DEEPEST:
            return
        with os.scandir(root + path) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in names:
        yield from _below(root, f"{path}/{name}", depth + 1)
