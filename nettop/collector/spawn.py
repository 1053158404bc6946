"""Starting the collector as a process of its own, and learning why it ended.

The screen's first one is forked before asyncio and textual are imported and before any thread starts: it shares the
memory of what is loaded so far, and is ready 30 ms sooner. A later one is a new Python: a fork would carry the whole
screen along.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from typing import NamedTuple, Optional

from nettop.collector import child
from nettop.runtimes.places import PLACES, Places

# Isolated, so that neither the environment nor the current directory choose what root imports.
_PROGRAM = "import sys; sys.path[:] = sys.argv[7:]; from nettop.collector import child; child.main()"


class Running(NamedTuple):
    """A collector process."""

    pid: int
    connection: socket.socket
    """It sends lines of `wire`, and takes those of `requests`."""
    complaints: int
    """A file with the line that says why it ended, if it ended by itself."""


def fork(interval: float, read_only: bool = False, max_cpu: Optional[float] = None, places: Places = PLACES) -> Running:
    """Start a collector, looking every `interval` seconds, by fork. Call it before threads and large imports.

    One that is `read_only` refuses every request to change something; the rest is as in `child.serve`."""
    ours, theirs = socket.socketpair()
    complaints = os.memfd_create("nettop-complaints")
    pid = os.fork()
    if not pid:
        status = 1
        try:
            ours.close()
            status = child.run(theirs, interval, complaints, read_only, max_cpu, places)
        finally:
            os._exit(status)
    theirs.close()
    return Running(pid, ours, complaints)


def start(
    interval: float, read_only: bool = False, max_cpu: Optional[float] = None, places: Places = PLACES
) -> Running:
    """The same in a new Python. Raises OSError where no process can be started."""
    ours, theirs = socket.socketpair()
    complaints = os.memfd_create("nettop-complaints")
    for descriptor in (theirs.fileno(), complaints):
        os.set_inheritable(descriptor, True)
    arguments = (theirs.fileno(), interval, complaints, int(read_only), max_cpu or 0, json.dumps(places))
    command = [sys.executable, "-I", "-c", _PROGRAM, *map(str, arguments), *sys.path]
    try:
        pid = os.posix_spawn(sys.executable, command, os.environ)
    except OSError:
        ours.close()
        os.close(complaints)
        raise
    finally:
        theirs.close()
    os.set_inheritable(complaints, False)
    return Running(pid, ours, complaints)


def reap(running: Running, patience: float = 0.0) -> str:
    """Why the process ended; waits for that, `patience` seconds before it is killed, and clears up after it."""
    deadline = time.monotonic() + patience
    running.connection.close()
    try:
        pid, status = os.waitpid(running.pid, os.WNOHANG)
        while not pid and time.monotonic() < deadline:
            time.sleep(0.005)
            pid, status = os.waitpid(running.pid, os.WNOHANG)
        if not pid:
            os.kill(running.pid, signal.SIGKILL)
            _, status = os.waitpid(running.pid, 0)
        said = os.pread(running.complaints, 500, 0).decode(errors="replace").strip()
    except ChildProcessError:
        return "nobody knows why"
    finally:
        os.close(running.complaints)
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return said or f"exit status {os.WEXITSTATUS(status)}"
