"""Processes that read every descriptor for the first picture, while this one reads everything else.

57,000 descriptors take 0.2 s, nearly all of it in the kernel, one call each: a thread would wait for Python's lock
after every one of them. There is one for every other processor: who sends them has work to do meanwhile, and where
there are two, a second scout gains nothing.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from functools import partial
from typing import BinaryIO, Dict, List, NamedTuple, Sequence, Tuple

from nettop.errand import Errand
from nettop.kernel.procfs import Gone, ProcFS

LOW = 0xFFFFFFFF
_MOST = 4


class Held(NamedTuple):
    """What a process has open."""

    sockets: array[int]
    """fd << 32 | inode of each."""
    namespaces: Sequence[Tuple[int, int]]
    """(fd, inode) of every file that is a network namespace."""


def read_held(proc: ProcFS, pid: int) -> Held:
    """See `ProcFS.sockets`, also for what it raises."""
    found = proc.sockets(pid)
    return Held(array("Q", [fd << 32 | inode for fd, inode in found.sockets]), found.namespaces)


class Scouts:
    """Those that are under way."""

    def __init__(self, errands: List[Errand]) -> None:
        self.pids = {errand.pid for errand in errands}
        self._errands = errands

    @classmethod
    def send(cls, proc: ProcFS) -> Scouts:
        """Have all processes looked at; nobody is sent where no process can be made."""
        count = min(_MOST, max(1, len(os.sched_getaffinity(0)) // 2))
        sent = [Errand.send(partial(_look, proc, count, part)) for part in range(count)]
        return cls([errand for errand in sent if errand is not None])

    def wait(self) -> Dict[int, Held]:
        """What each process has open. Those that may not be read, and those that ended, are left out."""
        report: Dict[int, Held] = {}
        for errand in self._errands:
            data = errand.wait()
            numbers: array[int] = array("Q")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            report.update(_parse(numbers))
        return {pid: held for pid, held in report.items() if pid not in self.pids}


def _look(proc: ProcFS, count: int, part: int, file: BinaryIO) -> None:
    """What one of `count` scouts does, who share the processes among them."""
    for pid in proc.pids():
        if pid % count == part:
            with contextlib.suppress(Gone, PermissionError):
                held = read_held(proc, pid)
                namespaces = [fd << 32 | inode for fd, inode in held.namespaces]
                file.write(array("Q", (pid, len(held.sockets), len(namespaces))))
                file.write(held.sockets)
                file.write(array("Q", namespaces))


def _parse(numbers: array[int]) -> Dict[int, Held]:
    """What `_look` wrote, up to where it came."""
    report = {}
    place = 0
    while place + 3 <= len(numbers):
        pid, sockets, namespaces = numbers[place : place + 3]
        begin, middle, place = place + 3, place + 3 + sockets, place + 3 + sockets + namespaces
        if place <= len(numbers):
            report[pid] = Held(numbers[begin:middle], [(each >> 32, each & LOW) for each in numbers[middle:place]])
    return report
