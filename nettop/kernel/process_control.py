"""Acting on one process, known by pid and start time, so that another one that got its pid later is never hit.

Rests on pidfd_open(2), pidfd_send_signal(2) (Linux 5.3) and setpriority(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from typing import Iterable, Iterator

from nettop.kernel.procfs import Gone, ProcFS, Stat, parse_stat


def identify(proc: ProcFS, pid: int, start_time: int) -> Stat:
    """What /proc says of the process; raises `Gone` where it has ended, whoever has its pid now."""
    stat = parse_stat(proc.read_stat(pid))
    if stat.start_time != start_time:
        raise Gone(errno.ESRCH, os.strerror(errno.ESRCH))
    return stat


def ancestors(proc: ProcFS, pid: int) -> Iterator[int]:
    """A process, its parent, and so on to the one that has none; ends early where one ends meanwhile."""
    with contextlib.suppress(Gone, PermissionError):
        while pid:
            yield pid
            pid = parse_stat(proc.read_stat(pid)).ppid


def send_signal(proc: ProcFS, pid: int, start_time: int, number: int) -> None:
    """Send a signal to that process or to none. Raises `Gone`, PermissionError, and OSError with ENOSYS before 5.3.

    The file is opened first: should the process end after its start time was compared, the file still means it, and
    the kernel says that it is gone."""
    pidfd = os.pidfd_open(pid)
    try:
        identify(proc, pid, start_time)
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError as error:
        raise Gone(*error.args) from None
    finally:
        os.close(pidfd)


def renice(proc: ProcFS, pid: int, start_time: int, nice: int) -> None:
    """Give every thread of a process a nice value: Linux keeps one for each. Raises `Gone`, PermissionError.

    There is no setpriority by pidfd. Pids are given out in a circle, so that none comes round again between the look
    at the start time and the calls."""
    identify(proc, pid, start_time)
    set_nice(proc.threads(pid), nice)


def set_nice(threads: Iterable[int], nice: int) -> None:
    """Give these threads a nice value, but for those that have ended. Raises PermissionError."""
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):  # threads come and go
            os.setpriority(os.PRIO_PROCESS, thread, nice)
