"""A program on a terminal of its own, and we are the terminal: what it writes is kept with the time it arrived.

Nothing is interpreted while the program runs: an emulator is slow enough to hold it up and to blur the times. The
kept bytes are replayed into one afterwards.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import pyte

COLUMNS, LINES = 160, 50


class Chunk(NamedTuple):
    """Bytes the program wrote, as one read returned them."""

    at: float
    """time.monotonic() of the read."""
    data: bytes


class Terminal:
    """A running program; the `with` block ends it, kindly and then not."""

    def __init__(self, argv: tuple[str, ...], env: Mapping[str, str] | None = None) -> None:
        self.chunks: list[Chunk] = []
        self.started = time.monotonic()
        self.pid, self._fd = pty.fork()
        if not self.pid:
            try:
                fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("4H", LINES, COLUMNS, 0, 0))
                os.execvpe(argv[0], argv, {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})})
            finally:
                os._exit(127)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
            if self._ended(number):
                break
        os.close(self._fd)

    def press(self, keys: str) -> float:
        """Send what a keyboard would; time.monotonic() of it."""
        os.write(self._fd, keys.encode())
        return time.monotonic()

    def pump(self, seconds: float) -> bool:
        """Take what the program writes for so long. False when it has closed its terminal."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._fd], [], [], left)[0]:
                return True
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:  # EIO: the last process on the terminal has ended
                return False
            self.chunks.append(Chunk(time.monotonic(), data))
        return True

    def written(self, since: float, until: float) -> int:
        """Bytes that arrived between two times."""
        return sum(len(chunk.data) for chunk in self.chunks if since <= chunk.at < until)

    def _ended(self, number: signal.Signals, patience: float = 3.0) -> bool:
        """Whether the program ends within `patience` seconds of a signal to its process group."""
        os.killpg(self.pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return True
            if not self.pump(0.05):
                time.sleep(0.05)
        return False


def replay(chunks: Iterable[Chunk]) -> Iterator[tuple[float, pyte.Screen]]:
    """The screen after each chunk, and when. It is one object that changes."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    for chunk in chunks:
        stream.feed(chunk.data)
        yield chunk.at, screen


def highlighted(screen: pyte.Screen) -> frozenset[int]:
    """Lines painted on a ground that is not the terminal's own or the body's: bars, and the row of the cursor."""
    grounds = [_ground(screen, line) for line in range(LINES)]
    body = max(set(grounds), key=grounds.count)
    return frozenset(line for line, ground in enumerate(grounds) if ground != body)


def _ground(screen: pyte.Screen, line: int) -> tuple[str, bool]:
    """Background and reversal most of a line's left half has."""
    cells = [(screen.buffer[line][column].bg, screen.buffer[line][column].reverse) for column in range(4, COLUMNS // 2)]
    return max(set(cells), key=cells.count)


Ready = Callable[[Sequence[str]], bool]
"""Tells from the lines of a screen whether a frame is complete."""
