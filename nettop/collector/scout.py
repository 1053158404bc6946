"""A process that reads every descriptor for the first picture, while this one reads everything else.

57,000 descriptors take 0.4 s, nearly all of it in the kernel, one call each: a thread would wait for Python's lock
after every one of them.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from typing import BinaryIO, Dict, NamedTuple, Optional, Sequence, Tuple

from nettop.errand import Errand
from nettop.kernel.procfs import Gone, ProcFS

LOW = 0xFFFFFFFF


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


class Scout:
    """One that is under way."""

    def __init__(self, errand: Errand) -> None:
        self.pid = errand.pid
        self._errand = errand

    @classmethod
    def send(cls, proc: ProcFS) -> Optional[Scout]:
        """Have all processes looked at; None where no process can be made for it."""
        errand = Errand.send(lambda file: _look(proc, file))
        return cls(errand) if errand is not None else None

    def wait(self) -> Dict[int, Held]:
        """What each process has open. Those that may not be read, and those that ended, are left out."""
        data = self._errand.wait()
        numbers: array[int] = array("Q")
        numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
        return _parse(numbers)


def _look(proc: ProcFS, file: BinaryIO) -> None:
    for pid in set(proc.pids()) - {os.getpid()}:
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
