"""What a program costs, with every process it has started: processor time and memory, from /proc (proc(5))."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


def pids_of_tree(root: int) -> list[int]:
    """A process and its descendants that run now; empty when it is gone."""
    children = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*"):
        if stat := _read(path / "stat"):
            children[int(_after_name(stat)[1])].append(int(path.name))
    tree = [root] if Path(f"/proc/{root}").exists() else []
    for pid in tree:
        tree += children[pid]  # the list grows while it is walked: breadth first
    return tree


def cpu_seconds(pids: list[int]) -> float:
    """User and system time these processes and their reaped children have used since they began."""
    ticks = 0
    for pid in pids:
        if stat := _read(Path(f"/proc/{pid}/stat")):
            ticks += sum(map(int, _after_name(stat)[11:15]))  # utime stime cutime cstime
    return ticks / _CLOCK_TICKS


def pss_bytes(pids: list[int]) -> int:
    """Proportional set size of these processes: shared pages count once among those that share them."""
    rollups = (_read(Path(f"/proc/{pid}/smaps_rollup")) for pid in pids)
    return sum(int(found[1]) * 1024 for rollup in rollups if rollup and (found := _PSS.search(rollup)))


def _after_name(stat: bytes) -> list[bytes]:
    """Fields of /proc/PID/stat from the state on: the name before may hold blanks and brackets."""
    return stat.rpartition(b")")[2].split()


def _read(path: Path) -> bytes | None:
    """None when the process has ended meanwhile."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
