"""The machine as a whole, and what nettop itself costs it.

Figures come from psutil, imported only when a reader is made; where there is none, as on another machine, from
/proc/stat and /proc/meminfo, which are what that reads.
"""

from __future__ import annotations

import os
import resource
import time
from typing import NamedTuple, Optional, Tuple

from nettop.kernel.procfs import CLK_TCK
from nettop.kernel.snmp import parse_paired

COST_SECONDS = 5.0
"""How long a figure of our own memory is good for: reading it makes the kernel walk our page tables."""


class HostFigures(NamedTuple):
    """The machine now; processor times are cumulative since boot."""

    load1: float
    load5: float
    load15: float
    cpus: int
    cpu_busy: float
    """Seconds neither idle nor waiting for a disk, all processors together."""
    cpu_total: float
    mem_used: int
    """Bytes that could not be given to a new program without swapping: total less MemAvailable."""
    mem_total: int


class OwnCost(NamedTuple):
    """What this process has used."""

    cpu_seconds: float
    """User and system, all threads, since it started."""
    private_bytes: int
    """Memory that no other process shares."""


class HostReader:
    """Reads the host's figures."""

    def __init__(self) -> None:
        try:
            import psutil
        except ImportError:
            self._psutil = None
        else:
            self._psutil = psutil

    def read(self) -> HostFigures:
        """The figures now. Raises OSError where /proc cannot be read."""
        if self._psutil is None:
            times, memory = read_times(), read_memory()
        else:
            times = Times(*self._psutil.cpu_times())
            figures = self._psutil.virtual_memory()
            memory = Memory(figures.total, figures.available)
        # guest time is part of user, guest_nice of nice: /proc/stat counts both twice
        total = sum(times) - times.guest - times.guest_nice
        return HostFigures(
            *os.getloadavg(),
            cpus=os.cpu_count() or 1,
            cpu_busy=total - times.idle - times.iowait,
            cpu_total=total,
            mem_used=memory.total - memory.available,
            mem_total=memory.total,
        )


class Times(NamedTuple):
    """What the processors have done, in seconds: the first line of /proc/stat."""

    user: float
    nice: float
    system: float
    idle: float
    iowait: float
    irq: float
    softirq: float
    steal: float
    guest: float
    guest_nice: float


class Memory(NamedTuple):
    """Bytes."""

    total: int
    available: int


def read_times(path: str = "/proc/stat") -> Times:
    """Since boot. Raises OSError, and ValueError where the file is of something else."""
    with open(path, "rb") as stat:
        return parse_times(stat.readline())


def parse_times(line: bytes) -> Times:
    """Decode the line of all processors, in units of USER_HZ; raises ValueError where it is none."""
    words = line.split()
    if not words or words[0] != b"cpu" or len(words) <= len(Times._fields):
        raise ValueError("/proc/stat does not begin with the times of all processors")
    return Times(*(int(word) / CLK_TCK for word in words[1 : 1 + len(Times._fields)]))


def read_memory(path: str = "/proc/meminfo") -> Memory:
    """Raises OSError, and ValueError where the file is of something else."""
    with open(path, "rb") as meminfo:
        return parse_memory(meminfo.read())


def parse_memory(data: bytes) -> Memory:
    """Decode MemTotal and MemAvailable (Linux 3.14+), which are in kB; raises ValueError where they are not there."""
    kilobytes = {line.split()[0]: int(line.split()[1]) for line in data.splitlines() if line.startswith(b"Mem")}
    try:
        return Memory(kilobytes[b"MemTotal:"] * 1024, kilobytes[b"MemAvailable:"] * 1024)
    except KeyError as error:
        raise ValueError(f"/proc/meminfo has no {error}") from None


class CostReader:
    """Reads what this process has used."""

    def __init__(self) -> None:
        self._private_bytes = 0
        self._private_until = 0.0

    def read(self) -> OwnCost:
        """The figures now; memory as of at most `COST_SECONDS` ago."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        now = time.monotonic()
        if now >= self._private_until:
            self._private_bytes = read_private_bytes()
            self._private_until = now + COST_SECONDS
        return OwnCost(usage.ru_utime + usage.ru_stime, self._private_bytes)


def hostname() -> str:
    """The name of the machine, as `uname -n` prints it."""
    return os.uname().nodename


def read_tcp_segments(path: str = "/proc/net/snmp") -> Optional[Tuple[int, int]]:
    """(OutSegs, RetransSegs) of the network namespace whose snmp file `path` is: see `parse_tcp_segments`."""
    with open(path, "rb") as snmp:
        return parse_tcp_segments(snmp.read())


def parse_tcp_segments(data: bytes) -> Optional[Tuple[int, int]]:
    """(OutSegs, RetransSegs) of /proc/net/snmp, the former without the latter; None if it does not say."""
    counters = parse_paired(data)
    sent, again = counters.get("Tcp.OutSegs"), counters.get("Tcp.RetransSegs")
    return None if sent is None or again is None else (sent, again)


def read_private_bytes() -> int:
    """Private memory of this process: exact from smaps_rollup, else (before Linux 4.14) what is not file-backed."""
    try:
        with open("/proc/self/smaps_rollup", "rb") as rollup:
            return parse_private_bytes(rollup.read())
    except FileNotFoundError:
        with open("/proc/self/statm", "rb") as statm:
            _size, resident, shared = (int(word) for word in statm.read().split()[:3])
        return (resident - shared) * resource.getpagesize()


def parse_private_bytes(data: bytes) -> int:
    """Sum of the Private_ lines (clean, dirty, hugetlb) of /proc/PID/smaps_rollup, which are in kB."""
    return sum(int(line.split()[1]) for line in data.splitlines() if line.startswith(b"Private_")) * 1024
