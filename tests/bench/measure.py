"""Measurements of full-screen programs on a terminal, the same for nettop and its peers."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from math import inf
from typing import NamedTuple

from tests.bench.terminal import Chunk, Ready, Terminal, highlighted, replay
from tests.bench.tree import cpu_seconds, pids_of_tree, pss_bytes

DOWN, UP = "\x1bOB", "\x1bOA"  # as xterm sends them in its application mode, which htop asks for


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


class Latencies(NamedTuple):
    """Time from a key to its repaint, in seconds."""

    p50: float
    p99: float
    worst: float
    unanswered: int
    """Keys after which the cursor did not move before the next key: they count as if it had moved then."""


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
    """Chunks in batches that end in a lull, so that looking at them does not hold the program up."""
    seen = 0
    running = True
    while running and time.monotonic() < terminal.started + limit:
        running = terminal.pump(1.0, quiet=0.15)
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


def key_latencies(terminal: Terminal, keys: int = 200) -> Latencies:
    """Press cursor keys at random phases of a program's refresh and see when the cursor's row has moved.

    The first chunk after which as many lines are highlighted as before, but others, is the answer to a key: what a
    refresh writes in between does not count.
    """
    dice = random.Random(1)
    pressed = []
    for number in range(keys):
        pressed.append(terminal.press(DOWN if number // 20 % 2 == 0 else UP))
        terminal.pump(dice.uniform(0.15, 0.35))
    answers = list(_answers(terminal.chunks, pressed))
    following = [*pressed[1:], time.monotonic()]
    taken = sorted(min(answer, after) - key for key, after, answer in zip(pressed, following, answers, strict=True))
    p50, p99 = (taken[int((keys - 1) * share)] for share in (0.5, 0.99))
    unanswered = sum(answer >= after for after, answer in zip(following, answers, strict=True))
    return Latencies(p50, p99, taken[-1], unanswered)


def _answers(chunks: Sequence[Chunk], pressed: Sequence[float]) -> Iterator[float]:
    """For each key, when the highlight had moved; infinity if it had not before the next key."""
    screens = ((at, highlighted(screen)) for at, screen in replay(chunks))
    at, lines = next(screens, (inf, frozenset[int]()))
    shown = lines
    for key, following in zip(pressed, [*pressed[1:], inf], strict=True):
        while at < key:
            shown = lines
            at, lines = next(screens, (inf, lines))
        answer = inf
        before = shown
        while at < following:
            if answer == inf and lines != before and len(lines) == len(before):
                answer = at
            shown = lines
            at, lines = next(screens, (inf, lines))
        yield answer
