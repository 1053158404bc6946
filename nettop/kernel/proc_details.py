"""What /proc tells of a single process that is too dear to be read of all of them: limits, files, threads, environment.

Rests on Documentation/filesystems/proc.rst, proc_pid_limits(5), proc_pid_environ(5), proc_pid_io(5), proc_pid_fd(5) and
proc_pid_status(5). Errors are those of `procfs`: `Gone`, PermissionError, or the OSError as it came. Every amount read
is bounded, so that the largest process takes 20 ms.
"""

from __future__ import annotations

import collections
import itertools
import os
import re
from typing import Counter, Dict, List, NamedTuple, Optional, Tuple

from nettop.kernel.procfs import ProcFS, failure

FILES = 4096
"""Descriptors looked at: 8 ms."""
PATHS = 200
"""Named files told of these."""
THREADS = 512
ENVIRONMENT_BYTES = 128 << 10
_TEXT_BYTES = 16384  # limits, io and status have some 2 KB

_LIMIT = re.compile(rb"^(.{25}) (\S+) +(\S+) +(\S*)", re.MULTILINE)  # "%-25s %-20s %-20s %-10s", fs/proc/base.c
_BRACKETS = re.compile(r"anon_inode:\[?([^\]]*)\]?")


class Limit(NamedTuple):
    """One resource limit, as setrlimit(2) sets it; None is unlimited."""

    name: str
    """In the kernel's words: open files, locked memory ..."""
    soft: Optional[int]
    hard: Optional[int]
    unit: str
    """bytes, files, us ...; empty where it is a plain number."""


class Files(NamedTuple):
    """The open files of a process, the first `FILES` of them."""

    kinds: Dict[str, int]
    """How many of each: socket, pipe, file, device, memory, or what the kernel calls an anonymous one: eventpoll ..."""
    paths: List[Tuple[int, str]]
    """(fd, path) of those with a name, at most `PATHS`. A path is whatever somebody named a file."""
    more: bool
    """There are more than were looked at."""


class Memory(NamedTuple):
    """Bytes; None where the kernel does not say: kernel threads."""

    peak: Optional[int]
    """The most that was ever resident."""
    swapped: Optional[int]


class InputOutput(NamedTuple):
    """Bytes since the process started, by all its threads and the children it has waited for."""

    read: int
    """By read(2) and its like, of whatever kind the file is."""
    written: int
    disk_read: int
    """Of these, what storage had to be asked for."""
    disk_written: int


def parse_limits(data: bytes) -> List[Limit]:
    """The lines of /proc/PID/limits, without the heading."""
    return [
        Limit(
            name.decode("ascii", "replace").strip().replace("Max ", "", 1),
            None if soft == b"unlimited" else int(soft),
            None if hard == b"unlimited" else int(hard),
            unit.decode("ascii", "replace"),
        )
        for name, soft, hard, unit in _LIMIT.findall(data.partition(b"\n")[2])
    ]


def parse_environment(data: bytes) -> List[Tuple[str, str]]:
    """(name, value) of /proc/PID/environ, in its order. A process may have written anything over it: what has no `=`
    is a value without a name."""
    pairs = []
    for line in data.split(b"\0"):
        if line:
            name, equals, value = line.decode("utf-8", "replace").partition("=")
            pairs.append((name, value) if equals else ("", name))
    return pairs


def parse_memory(status: bytes) -> Memory:
    """VmHWM and VmSwap of /proc/PID/status."""
    return Memory(_kilobytes(status, b"VmHWM"), _kilobytes(status, b"VmSwap"))


def parse_pids(status: bytes) -> List[int]:
    """NSpid of /proc/PID/status: its pid, then its pid in each pid namespace further inside."""
    return [int(pid) for pid in (_line(status, b"NSpid") or b"").split()]


def parse_io(data: bytes) -> InputOutput:
    """Of /proc/PID/io; raises ValueError where it is something else."""
    figures = [_line(data, name) for name in (b"rchar", b"wchar", b"read_bytes", b"write_bytes")]
    if None in figures:
        raise ValueError(f"not a /proc/PID/io: {data[:80]!r}")
    return InputOutput(*(int(figure or 0) for figure in figures))


def file_kind(link: str) -> str:
    """What an open file is, by the link in /proc/PID/fd: see `Files.kinds`."""
    for prefix, kind in (("socket:[", "socket"), ("pipe:[", "pipe"), ("/dev/", "device"), ("/memfd:", "memory")):
        if link.startswith(prefix):
            return kind
    if link.startswith("/"):
        return "file"
    anonymous = _BRACKETS.match(link)
    return anonymous.group(1) if anonymous else link.partition(":")[0]


def read_limits(proc: ProcFS, pid: int) -> bytes:
    """/proc/PID/limits: see `parse_limits`."""
    return proc.read(pid, "limits", _TEXT_BYTES)


def read_environment(proc: ProcFS, pid: int) -> bytes:
    """/proc/PID/environ as it was at the exec, `ENVIRONMENT_BYTES` at most: see `parse_environment`."""
    return proc.read(pid, "environ", ENVIRONMENT_BYTES)


def read_status(proc: ProcFS, pid: int) -> bytes:
    """/proc/PID/status: see `parse_memory` and `parse_pids`."""
    return proc.read(pid, "status", _TEXT_BYTES)


def read_io(proc: ProcFS, pid: int) -> bytes:
    """/proc/PID/io: see `parse_io`."""
    return proc.read(pid, "io", _TEXT_BYTES)


def read_files(proc: ProcFS, pid: int) -> Files:
    """What a process has open. Files opened or closed meanwhile may or may not be among them."""
    path = f"{proc.root}/{pid}/fd"
    kinds: Counter[str] = collections.Counter()
    paths: List[Tuple[int, str]] = []
    looked_at = 0
    try:
        with os.scandir(path) as entries:
            for entry in itertools.islice(entries, FILES + 1):
                looked_at += 1
                if looked_at > FILES:
                    break
                try:
                    link = os.readlink(os.fsencode(entry.path)).decode("utf-8", "replace")
                except FileNotFoundError:  # closed since the directory was read
                    continue
                kinds[file_kind(link)] += 1
                if link.startswith("/") and len(paths) < PATHS:
                    paths.append((int(entry.name), link))
    except OSError as error:
        raise failure(error, path) from None
    return Files(dict(kinds.most_common()), paths, looked_at > FILES)


def read_threads(proc: ProcFS, pid: int) -> Dict[str, int]:
    """How many threads go by each name, of the first `THREADS`; a name is whatever the thread calls itself."""
    path = f"{proc.root}/{pid}/task"
    names: Counter[str] = collections.Counter()
    try:
        with os.scandir(path) as entries:
            for entry in itertools.islice(entries, THREADS):
                try:
                    with open(f"{entry.path}/comm", "rb") as comm:
                        names[comm.read(64).rstrip(b"\n").decode("utf-8", "replace")] += 1
                except (FileNotFoundError, ProcessLookupError):  # it ended
                    continue
    except OSError as error:
        raise failure(error, path) from None
    return dict(names.most_common())


def _kilobytes(status: bytes, name: bytes) -> Optional[int]:
    said = _line(status, name)
    return int(said.split()[0]) << 10 if said else None


def _line(data: bytes, name: bytes) -> Optional[bytes]:
    """What follows `name:` at the beginning of a line. The process itself writes only the first, its name, which the
    kernel escapes."""
    found = re.search(rb"^%s:\s*(.*)$" % name, data, re.MULTILINE)
    return found.group(1) if found else None
