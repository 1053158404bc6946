"""Cgroups made by hand, in every hierarchy that is mounted, as container runtimes make them.

    with cgroups.made(f"/docker/{container_id}") as box:
        box.put(process.pid)

Needs root. Processes must have left, or ended, before the block does.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nettop.kernel import cgroup_fs

_PATIENCE = 5.0
"""Seconds a cgroup may be busy after its last process."""


class Cgroup:
    """One path in all hierarchies."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.directories = [Path(mount + path) for mount in mounts()]

    def put(self, pid: int) -> None:
        """Move a process into it."""
        for directory in self.directories:
            (directory / "cgroup.procs").write_text(str(pid))

    def freeze(self, frozen: bool) -> None:
        """Stop all that is in it, or let it run on, as `docker pause` does."""
        for file, words in (("freezer.state", ("THAWED", "FROZEN")), ("cgroup.freeze", ("0", "1"))):
            for directory in self.directories:
                if (directory / file).exists():
                    (directory / file).write_text(words[frozen])
                    return
        pytest.skip("this kernel cannot freeze a cgroup")


def mounts() -> list[str]:
    """Where cgroups are mounted; skips where none are, or none may be made."""
    found = [mount for mount in cgroup_fs.read_mounts() if mount is not None]
    if not found:
        pytest.skip("cgroups are not mounted")
    return found


@contextlib.contextmanager
def made(path: str) -> Iterator[Cgroup]:
    """A cgroup at this path, with those above it; those that were not there are gone afterwards."""
    cgroup = Cgroup(path)
    new: list[Path] = []
    try:
        for directory, mount in zip(cgroup.directories, mounts(), strict=True):
            above = [parent for parent in directory.parents if parent.is_relative_to(mount)]
            for each in (*reversed(above), directory):
                if not each.exists():
                    each.mkdir()
                    new.append(each)
        yield cgroup
    finally:
        for directory in reversed(new):
            _remove(directory)


@contextlib.contextmanager
def occupied(path: str) -> Iterator[int]:
    """The pid of a process in a cgroup at this path."""
    with made(path) as cgroup, subprocess.Popen(["sleep", "600"]) as process:
        try:
            cgroup.put(process.pid)
            yield process.pid
        finally:
            process.kill()


def remove_tree(directory: Path) -> None:
    """Remove a cgroup and those below it; those in use stay."""
    for below, _, _ in os.walk(directory, topdown=False):
        _remove(Path(below))


def _remove(directory: Path) -> None:
    """A cgroup is busy for a moment after its last process; one with others in it, or somebody else's, stays."""
    deadline = time.monotonic() + _PATIENCE
    while directory.exists() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            directory.rmdir()
            return
        if any(child.is_dir() for child in directory.iterdir()) or (directory / "cgroup.procs").read_bytes():
            return
        time.sleep(0.01)
