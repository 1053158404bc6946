"""Work that another processor does meanwhile: in a fork, which has a lock of Python's own and sees what there was."""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import BinaryIO, Callable, Optional


class Errand:
    """One that is under way."""

    def __init__(self, pid: int, result: int) -> None:
        self.pid = pid
        self.whole = False
        """It has come to its end: what `wait` returned is all of it."""
        self._result = result

    @classmethod
    def send(cls, work: Callable[[BinaryIO], object]) -> Optional[Errand]:
        """Have work done that writes what comes of it; None where no process can be made for it, as where seccomp
        forbids that. It ends without the farewells of this program."""
        try:
            result = os.memfd_create("nettop-errand")
        except OSError:
            return None
        try:
            pid = os.fork()
        except OSError:
            os.close(result)
            return None
        if not pid:
            status = 1
            try:
                with os.fdopen(result, "wb", buffering=1 << 16) as file:
                    work(file)
                status = 0
            finally:
                os._exit(status)
        return cls(pid, result)

    def wait(self) -> memoryview:
        """What was written, where it lies: tens of megabytes are not copied. In part where it came to an early end."""
        with contextlib.suppress(ChildProcessError):  # where SIGCHLD is ignored nobody knows how it ended
            _, status = os.waitpid(self.pid, 0)
            self.whole = status == 0
        with os.fdopen(self._result, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return memoryview(mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) if size else b"")
