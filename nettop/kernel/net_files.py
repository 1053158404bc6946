"""The files of /proc/PID/net that are read at every tick, of one network namespace, kept open.

Reading a kept one again takes 1 µs, opening it anew 4 to 15: with hundreds of namespaces that would be most of what a
tick costs. An open one tells of the namespace it was opened in whatever becomes of the process on the way there, and
pins it until `close`. Rests on proc_net(5), fs/proc/proc_net.c (seq_open_net) and fs/seq_file.c.
"""

from __future__ import annotations

import errno
import os
from typing import Dict, Union

from nettop.kernel import netns
from nettop.kernel.procfs import raise_descriptor_limit

KEPT = ("dev", "sockstat", "sockstat6")
"""The others are opened anew each time."""

_PAGE = 1 << 12
_SURELY_ALL = _PAGE // 2
"""The kernel fills a page line by line: where it stopped before the middle there was no line left."""


_Pid = Union[int, str, None]


class NetFiles:
    """The files of one namespace."""

    def __init__(self, number: int) -> None:
        """`number` is the namespace's inode."""
        self._number = number
        self._path = ""
        self._pid: _Pid = None
        self._kept: Dict[str, int] = {}
        self._most = raise_descriptor_limit() * 3 // 4  # descriptors count up: sockets need the rest

    def lead(self, path: str, pid: _Pid) -> None:
        """The way in from now on: by the files of `pid`, a process inside or "self"; without one by `path`, which takes
        CAP_SYS_ADMIN."""
        self._path, self._pid = path, pid

    def read(self, name: str) -> bytes:
        """/proc/PID/net/NAME as it is now.

        Raises FileNotFoundError or ProcessLookupError where the process on the way has ended or is elsewhere now, or
        the kernel has no such file, and any other OSError."""
        file = self._kept.get(name)
        if file is not None:
            return _read(file)
        file = self._open(name)
        if name in KEPT and file < self._most:
            self._kept[name] = file
            return _read(file)
        try:
            return _read(file)
        finally:
            os.close(file)

    def close(self) -> None:
        """Let go of the namespace."""
        for file in self._kept.values():
            os.close(file)
        self._kept.clear()

    def _open(self, name: str) -> int:
        if self._pid is None:
            return netns.in_namespace(self._path, lambda: _open("thread-self", name))
        file = _open(self._pid, name)
        try:
            if self._pid != "self" and netns.of_process(int(self._pid))[1] != self._number:
                raise FileNotFoundError(errno.ENOENT, "the process is in another network namespace now")
        except OSError:
            os.close(file)
            raise
        return file


def _open(pid: Union[int, str], name: str) -> int:
    return os.open(f"/proc/{pid}/net/{name}", os.O_RDONLY | os.O_CLOEXEC)


def _read(file: int) -> bytes:
    data = part = os.pread(file, _PAGE, 0)
    while len(part) >= _SURELY_ALL:
        part = os.pread(file, _PAGE, len(data))
        data += part
    return data
