"""The programs nettop is measured with, as their users run them, on the same lab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.bench.lab import Lab
from tests.bench.measure import Program, rows

NETTOP = str(Path(sys.executable).with_name("nettop"))

NETTOP_SCREEN = Program("nettop", (NETTOP,), rows(r"^\W*\d+ +\S+ ", 10), keys="2")
"""Begins with the processes; 2 goes on to the connections, which are sorted by rate."""

SCREENS = (
    # the default settings, whatever the user's are, and none written back
    Program("htop", ("htop", "-d", "10"), rows(r"^ *\d+ \S+ ", 10), {"HTOPRC": "/dev/null"}),
    Program("top", ("top", "-d", "1"), rows(r"^ *\d+ \S+ ", 10), {"HOME": "/nonexistent"}),
    Program("glances", ("glances", "-t", "1"), rows(r" \d+ root ", 5)),
    Program("nethogs", ("nethogs", "-d", "1"), rows(r"TOTAL|PROGRAM", 1)),
)

_PSUTIL = """
import psutil
for connection in psutil.net_connections("inet"): pass
for process in psutil.process_iter(["pid", "ppid", "name", "username", "status", "cpu_times", "memory_info"]): pass
"""


class Listing(NamedTuple):
    """What commands that print once have cost, one after the other."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of processor time, user and system."""
    error: str | None
    """The last line of the first that failed."""

    def __add__(self, other: object) -> Listing:
        """One after the other."""
        assert isinstance(other, Listing)
        return Listing(self.wall + other.wall, self.cpu + other.cpu, self.error or other.error)


def missing(program: str) -> str | None:
    """Why a program cannot be measured, or None."""
    return None if shutil.which(program) else f"{Path(program).name} is not installed"


def nettop_missing() -> str | None:
    """Why nettop cannot be measured, or None: it must at least start."""
    return missing(NETTOP) or timed([NETTOP, "--help"]).error


def timed(command: list[str]) -> Listing:
    """Run a command that prints to nowhere."""
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace").strip()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)  # reaped here, for its rusage
    error = (said.rpartition("\n")[2] or f"exit {process.returncode}") if process.returncode else None
    return Listing(wall, used.ru_utime + used.ru_stime, error)


def list_with_ss(lab: Lab) -> Listing:
    """`ss -tanp` in every namespace: it knows one at a time, and walks all processes each time."""
    return _each(lab, lambda name: ["ss", "-N", name, "-tanp"])


def list_with_psutil(lab: Lab) -> Listing:
    """A script with psutil in every namespace: connections and processes."""
    return _each(lab, lambda name: ["nsenter", f"--net=/run/netns/{name}", sys.executable, "-c", _PSUTIL])


def list_with_nettop(*, rates: bool) -> Listing:
    """Every connection of every namespace with its owners, to JSON."""
    return timed([NETTOP, "connections", "--json", "-n", "1", *([] if rates else ["--no-rates"])])


def _each(lab: Lab, command: Callable[[str], list[str]]) -> Listing:
    total = Listing(0.0, 0.0, None)
    for namespace in lab.namespaces:
        total += timed(command(namespace.name))
    return total
