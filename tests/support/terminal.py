"""A program in a pseudo-terminal: what it sends, what keys do to it, how it leaves the terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence


class Terminal:
    """The terminal's side of a running program."""

    def __init__(self, pid: int, fd: int, slave: int) -> None:
        self.pid = pid
        self.fd = fd
        self._slave = slave
        self.received = bytearray()

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

    def attributes(self) -> list[object]:
        """How the terminal is set up: echo, line mode and the like."""
        return list(termios.tcgetattr(self._slave))

    def wait(self, seconds: float = 10.0) -> int:
        """The exit status, negative for a signal; AssertionError where it does not end in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if self.fd >= 0:
                self.read(0.05)
            else:
                time.sleep(0.02)
        raise AssertionError("it is still running")

    def hang_up(self) -> None:
        """The terminal goes away."""
        os.close(self._slave)
        os.close(self.fd)
        self.fd = self._slave = -1


@contextlib.contextmanager
def run(arguments: Sequence[str], size: tuple[int, int] = (160, 50), **environ: str) -> Iterator[Terminal]:
    """Python with these arguments in a new terminal of 256 colours; killed at the end if it still runs."""
    fd, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    pid = os.fork()
    if not pid:
        try:
            os.close(fd)
            os.login_tty(slave)
            for name in ("COLORTERM", "NO_COLOR", "SSH_TTY", "SSH_CONNECTION"):
                os.environ.pop(name, None)
            os.environ.update(TERM="xterm-256color", **environ)
            os.execv(sys.executable, [sys.executable, *arguments])
        finally:
            os._exit(127)
    terminal = Terminal(pid, fd, slave)
    try:
        yield terminal
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        if terminal.fd >= 0:
            terminal.hang_up()
