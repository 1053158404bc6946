"""The cgroup file systems: where they are mounted, which directory a cgroup id names, what the OOM killer did there,
and whether somebody has frozen it.

Rests on cgroups(7), Documentation/admin-guide/cgroup-v2.rst (memory.events, cgroup.events), cgroup-v1/memory.rst
(memory.oom_control, which has `oom_kill` since Linux 4.13) and cgroup-v1/freezer-subsystem.rst (freezer.state). A
machine may have version 1, 2 or both.
"""

from __future__ import annotations

import os
import re
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")
"""How mountinfo writes blanks and backslashes of a path."""
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
    data = _read_first((mounts.unified, "memory.events"), (mounts.memory, "memory.oom_control"), path)
    return None if data is None else parse_oom_kills(data)


def parse_oom_kills(data: bytes) -> Optional[int]:
    """The count of `oom_kill` in memory.events or memory.oom_control; None where it has none."""
    return _number_of(b"oom_kill", data)


def read_frozen(mounts: CgroupMounts, path: str) -> bool:
    """Whether all processes of a cgroup are frozen, as `docker pause` does it. `path` as above."""
    data = _read_first((mounts.freezer, "freezer.state"), (mounts.unified, "cgroup.events"), path)
    return data is not None and parse_frozen(data)


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


def _read_first(one: Tuple[Optional[str], str], other: Tuple[Optional[str], str], path: str) -> Optional[bytes]:
    """A file of a cgroup in whichever of two hierarchies has it; None where neither does."""
    for root, file in (one, other):
        if root is not None:
            try:
                with open(f"{root}{path}/{file}", "rb") as opened:
                    return opened.read()
            except OSError:
                continue  # gone, or the controller is in the other version
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
