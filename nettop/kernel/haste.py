"""Running ahead of other programs for as long as somebody waits.

Rests on setpriority(2), by which Linux weighs each thread of its own, and on sched(7), "The autogroup feature": where
the kernel groups processes by session, a nice value counts within the session only, and the session has one itself.
"""

from __future__ import annotations

import contextlib
import os

from nettop.kernel.process_control import set_nice

_AHEAD = -10
_AUTOGROUP = "/proc/self/autogroup"


class Haste:
    """Makes this process, and what it starts meanwhile, run ahead of others until `end`. For the leader of a session:
    all that is in it hurries.

    Changes nothing where that is not allowed, as it takes CAP_SYS_NICE, nor where nice(1) asked for something else."""

    def __init__(self) -> None:
        self._ahead = os.getpriority(os.PRIO_PROCESS, 0) == 0
        if self._ahead:
            _set_nice(_AHEAD)

    def end(self) -> None:
        """Run as others do from now on, with all threads; those of this session, too."""
        if self._ahead:
            self._ahead = False
            _set_nice(0)


def _set_nice(nice: int) -> None:
    with contextlib.suppress(OSError):  # not allowed
        set_nice(map(int, os.listdir("/proc/self/task")), nice)
    with contextlib.suppress(OSError), open(_AUTOGROUP, "w", encoding="ascii") as file:  # not every kernel has them
        file.write(str(nice))
