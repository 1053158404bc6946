"""Measurements of full-screen programs on a terminal, the same for nettop and its peers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.bench.terminal import Chunk, Ready, Terminal, replay
from tests.bench.tree import cpu_seconds, pids_of_tree, pss_bytes

_START = 2.0
"""Seconds in which nobody looks at what a program that starts has written."""


class Program(NamedTuple):
    """A full-screen program, how to start it and how to bring it to the view to measure."""

    name: str
    argv: tuple[str, ...]
    ready: Ready
    """A first frame is complete when this says so."""
    env: dict[str, str] = {}
    keys: str = ""
    """Pressed when it is ready."""

    def begin(self) -> Terminal:
        """Start it. The caller closes it."""
        return Terminal(self.argv, self.env)


def rows(pattern: str, count: int) -> Ready:
    """Ready when at least `count` lines of the screen match."""
    compiled = re.compile(pattern)
    return lambda lines: sum(bool(compiled.search(line)) for line in lines) >= count


class Running(NamedTuple):
    """What a program costs while it runs and nobody touches it."""

    cpu: float
    """Percent of one processor, all its processes."""
    pss: int
    """Bytes of memory at the end, all its processes."""
    written: float
    """Bytes to the terminal a second."""
    worst: int
    """The most it wrote within one second."""


class DidNotStartError(RuntimeError):
    """The program ended, or showed no complete frame; the message ends with the last thing it said."""


def wait_ready(program: Program, terminal: Terminal, limit: float = 20.0) -> float:
    """Seconds from the start of a program until the bytes of its first complete frame had arrived.

    Leaves it running, its keys pressed. DidNotStartError if there is no such frame within `limit` seconds.
    """
    screens = replay(_arriving(terminal, limit))
    for at, screen in screens:
        if program.ready(screen.display):
            if program.keys:
                terminal.press(program.keys)
            return at - terminal.started
    said = b"".join(chunk.data for chunk in terminal.chunks).decode(errors="replace").split("\n")
    raise DidNotStartError(
        f"{program.name}: {next((line.strip() for line in reversed(said) if line.strip()), 'silent')}"
    )


def _arriving(terminal: Terminal, limit: float) -> Iterator[Chunk]:
    """Chunks, those of `_START` seconds at a time: to make a screen of them takes 0.1 s of a processor, which is for
    the program."""
    seen = 0
    running = True
    while running and time.monotonic() < terminal.started + limit:
        running = terminal.pump(_START)
        yield from terminal.chunks[seen:]
        seen = len(terminal.chunks)


def first_frame(program: Program, times: int = 3) -> float:
    """Median of the seconds until the first complete frame."""
    taken = []
    for _ in range(times):
        with program.begin() as terminal:
            taken.append(wait_ready(program, terminal))
    return sorted(taken)[times // 2]


def running(program: Program, terminal: Terminal, warm_up: float = 5.0, window: float = 15.0) -> Running:
    """What a program that shows its first frame costs over a window of time."""
    terminal.pump(warm_up)
    before = cpu_seconds(pids_of_tree(terminal.pid))
    begun = time.monotonic()
    if not terminal.pump(window):
        raise DidNotStartError(f"{program.name} ended while it was measured")
    elapsed = time.monotonic() - begun
    tree = pids_of_tree(terminal.pid)
    used = cpu_seconds(tree) - before
    seconds = [terminal.written(begun + second, begun + second + 1) for second in range(int(window))]
    return Running(100 * used / elapsed, pss_bytes(tree), sum(seconds) / len(seconds), max(seconds))
