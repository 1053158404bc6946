"""A storm of forks with an exact count, and the question whether someone who listens has counted them all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

_SOURCE = Path(__file__).with_name("storm.c")

_WITHOUT_COMPILER = """
import os, sys, time
forks, seconds, begun, reaped = int(sys.argv[1]), float(sys.argv[2]), time.monotonic(), 0
for made in range(forks):
    time.sleep(max(0, begun + seconds * made / forks - time.monotonic()))
    if not os.fork(): os._exit(0)
    if made - reaped > 50: os.wait(); reaped += 1
while reaped < forks: os.wait(); reaped += 1
print(os.getpid(), forks, reaped, time.monotonic() - begun)
"""


class Storm(NamedTuple):
    """Forks that have been made and waited for."""

    pids: frozenset[int]
    """The processes that forked."""
    forks: int
    exits: int
    seconds: float
    """What the slowest of them took."""


class Counted(NamedTuple):
    """How many forks and exits of a storm someone has heard of."""

    forks: int
    exits: int


def run_storm(meanwhile: Callable[[], object], forks: int = 20_000, seconds: float = 2.0) -> Storm:
    """Fork so often within so many seconds, as far as the machine can; each child exits at once.

    `meanwhile`, which should take a moment, is called until the storm is over. RuntimeError where a fork is refused.
    """
    with tempfile.TemporaryDirectory(prefix="nettop-storm-") as directory:
        commands = list(_commands(forks, seconds, Path(directory)))
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
        while any(process.poll() is None for process in processes):
            meanwhile()
        told = [process.communicate()[0].split() for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError(f"the storm broke off: {told}")
    return Storm(
        frozenset(int(words[0]) for words in told),
        sum(int(words[1]) for words in told),
        sum(int(words[2]) for words in told),
        max(float(words[3]) for words in told),
    )


def missed(storm: Storm, counter: Callable[[frozenset[int]], Counted], patience: float = 10.0) -> Counted:
    """What of a storm a listener has not counted after `patience` seconds; (0, 0) as soon as it has counted all.

    `counter` tells what it has counted so far of the children of the given pids. Negative: it counted too much.
    """
    deadline = time.monotonic() + patience
    while True:
        counted = counter(storm.pids)
        if (counted.forks >= storm.forks and counted.exits >= storm.exits) or time.monotonic() >= deadline:
            return Counted(storm.forks - counted.forks, storm.exits - counted.exits)
        time.sleep(0.1)


def count_events(lines: Iterable[str], pids: frozenset[int]) -> Counted:
    """Count in the JSON lines of nettop's events view: forks by these pids, and exits of what they forked."""
    children: set[int] = set()
    forks = exits = 0
    for line in lines:
        event = json.loads(line)
        if event["kind"] == "fork" and event["ppid"] in pids:
            children.add(event["pid"])
            forks += 1
        elif event["kind"] == "exit" and event["pid"] in children:
            children.remove(event["pid"])
            exits += 1
    return Counted(forks, exits)


def _commands(forks: int, seconds: float, directory: Path) -> Iterable[list[str]]:
    """One storm in C, or without a compiler four at once in Python."""
    if compiler := shutil.which("cc") or shutil.which("gcc"):
        program = directory / "storm"
        subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
        yield [str(program), str(forks), str(seconds)]
    else:
        for part in range(4):
            share = forks * (part + 1) // 4 - forks * part // 4
            yield [sys.executable, "-I", "-S", "-c", _WITHOUT_COMPILER, str(share), str(seconds)]
