"""A program in a pseudo-terminal: what it sends and shows, what keys do to it, how it leaves the terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import psutil
import pyte

_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
"""DECSET and DECRST: private modes switched on and off."""
_KEYBOARD = re.compile(rb"\x1b\[([<>])[0-9]*u")
"""The kitty keyboard protocol pushed and popped."""

_INHERITED = (
    *("COLORTERM", "NO_COLOR", "TMUX", "TERM_PROGRAM", "LC_ALL", "LC_CTYPE", "SSH_TTY", "SSH_CONNECTION"),
    *("COLUMNS", "LINES"),
)
"""What a program must not learn of the terminal the tests are started in; pytest sets the last two itself."""


class State(NamedTuple):
    """How a terminal is set up: what a program must leave as it found it."""

    attributes: list[object]
    """Echo, line mode and the like: tcgetattr(3)."""
    modes: frozenset[int]
    """Private modes that are on: 7 wrapping, 25 the cursor, 1000.. the mouse, 1049 the second screen, 2004 paste."""
    keyboard: int
    """Protocols that were pushed and not popped."""


class Terminal:
    """The terminal's side of a running program."""

    def __init__(self, pid: int, fd: int, slave: int, size: tuple[int, int]) -> None:
        self.pid = pid
        self.fd = fd
        self.received = bytearray()
        self.ended = False
        """`wait` has seen the end of it."""
        self._slave = slave
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._replayed = 0

    def read(self, seconds: float, until: Callable[[bytes], bool] | None = None) -> bytes:
        """What arrives in that time, or until a condition on it holds."""
        got = bytearray()
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError:  # the program has closed its end
                break
            got += data
            if until and until(bytes(got)):
                break
        self.received += got
        return bytes(got)

    def expect(self, text: str, seconds: float = 20.0) -> bytes:
        """Wait for a text; AssertionError with what came instead."""
        got = self.read(seconds, lambda data: text.encode() in data)
        assert text.encode() in got, f"{text!r} did not come: {got[-2000:]!r}"
        return got

    def press(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def lines(self) -> list[str]:
        """What the terminal shows, as an emulator understands all that arrived so far."""
        # pyte takes two kinds of sequences for text: those with <, = or > behind the bracket, and reports asked for
        data = re.sub(rb"\x1b\[[<=>][0-9;]*[a-z]|\x1b\[\?[0-9]+\$p", b"", bytes(self.received[self._replayed :]))
        self._replayed = len(self.received)
        self._stream.feed(data)
        return list(self._screen.display)

    def shows(self, condition: Callable[[str], bool], seconds: float = 20.0) -> str:
        """Wait until the text on the screen meets a condition; AssertionError with what is there instead."""
        deadline = time.monotonic() + seconds
        while not condition(shown := "\n".join(self.lines())):
            assert time.monotonic() < deadline, f"it did not show; instead:\n{shown}"
            self.read(0.2, lambda _: True)
        return shown

    def resize(self, columns: int, lines: int) -> None:
        """The window gets another size; the program is told by SIGWINCH."""
        self._screen.resize(lines, columns)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def state(self) -> State:
        """How the terminal is set up by all that arrived so far."""
        modes = {7, 25}
        for match in _MODE.finditer(self.received):
            numbers = {int(number) for number in match[1].split(b";")}
            modes = modes | numbers if match[2] == b"h" else modes - numbers
        pushed = sum(1 if match[1] == b">" else -1 for match in _KEYBOARD.finditer(self.received))
        return State(list(termios.tcgetattr(self._slave)), frozenset(modes), pushed)

    def wait(self, seconds: float = 10.0, *, reading: bool = True) -> int:
        """The exit status, negative for a signal; AssertionError where it does not end in time. A terminal that is not
        `reading` takes nothing more."""
        reading = reading and self.fd >= 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.ended = True
                if reading:
                    self.read(0.05)
                return os.waitstatus_to_exitcode(status)
            if reading:
                self.read(0.05)
            else:
                time.sleep(0.02)
        raise AssertionError("it is still running")

    def children(self) -> list[psutil.Process]:
        """The processes the program itself has started and that run."""
        return psutil.Process(self.pid).children()

    def hang_up(self) -> None:
        """The terminal goes away."""
        os.close(self._slave)
        os.close(self.fd)
        self.fd = self._slave = -1


@contextlib.contextmanager
def run(arguments: Sequence[str], size: tuple[int, int] = (160, 50), **environ: str) -> Iterator[Terminal]:
    """Python with these arguments in a new terminal, of 256 colours and UTF-8 unless `environ` says otherwise; killed
    at the end, with all it has started, if it still runs."""
    with opened([sys.executable, *arguments], size, **environ) as terminal:
        yield terminal


@contextlib.contextmanager
def opened(command: Sequence[str], size: tuple[int, int] = (160, 50), **environ: str) -> Iterator[Terminal]:
    """Any program, in the same way."""
    fd, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    pid = os.fork()
    if not pid:
        try:
            os.close(fd)
            os.login_tty(slave)
            for name in _INHERITED:
                os.environ.pop(name, None)
            os.environ.update({"TERM": "xterm-256color", "LANG": "C.UTF-8", **environ})
            os.execv(command[0], list(command))
        finally:
            os._exit(127)
    terminal = Terminal(pid, fd, slave, size)
    try:
        yield terminal
    finally:
        if not terminal.ended:
            for process in (*terminal.children(), psutil.Process(pid)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            os.waitpid(pid, 0)
        if terminal.fd >= 0:
            terminal.hang_up()
