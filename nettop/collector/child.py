"""The collector as a process of its own: Deltas out, commands in, over one socket.

A process and not a thread: with 42,000 rows on screen a key was answered within 19 ms when alone, 44 ms beside a
collector thread, 19 ms beside a collector process; and a stalled terminal stops the screen, but not the reading of
events.

A reader that does not read is never waited for: what changed stays in the outbox, where later changes join it.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from typing import Deque, Iterator, List, Optional

from nettop import wire
from nettop.collector.collector import Collector
from nettop.collector.outbox import parts
from nettop.memory import give_back
from nettop.model import Delta

PART = 1_500
"""Rows a line carries at most: 5 ms to read."""
SHORTEST, LONGEST = 0.1, 3600.0
"""Seconds between two ticks."""

_SEND_BUFFER = 4 << 20
_LONGEST_COMMAND = 4096


def serve(connection: socket.socket, interval: float) -> None:
    """Collect every `interval` seconds until the other end closes the connection.

    Understands the line `interval SECONDS`; any other is ignored."""
    link = _Link(connection)
    collector = Collector()
    collector.start()
    due, first = time.monotonic(), True
    try:
        while not link.closed:
            if time.monotonic() >= due:
                tell = None if link.sending else link.post
                collector.tick(tell)
                if tell is not None:
                    tell(collector.take())
                collector.read_links()
                if first:  # 17 MB of messages from the kernel, with 40,000 sockets
                    give_back()
                    first = False
                due = max(due + interval, time.monotonic())
                gc.collect(0)
            ready, writable, _ = select.select(
                [connection], [connection] if link.sending else [], [], max(0.0, due - time.monotonic())
            )
            if writable:
                link.send()
            for command in link.receive() if ready else ():
                wish = _interval(command)
                if wish is not None:
                    due, interval = min(due, time.monotonic() + wish), wish
    finally:
        collector.close()


def lines(delta: Delta, size: int) -> Iterator[bytes]:
    """A Delta as lines of at most `size` rows; of fewer where long texts would make one longer than a reader takes:
    a program may fill 4 KB of arguments with characters that take six bytes each."""
    for part in parts(delta, size):
        line = wire.encode(part)
        if len(line) <= wire.MAX_LINE or size == 1:
            yield line
        else:
            yield from lines(part, size // 2)


class _Link:
    """The socket, never waited for: lines go out as it takes them."""

    def __init__(self, connection: socket.socket) -> None:
        self.closed = False
        self._socket = connection
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._lines: Deque[memoryview] = collections.deque()
        self._heard = b""

    @property
    def sending(self) -> bool:
        """What was posted has not all been taken."""
        return bool(self._lines)

    def post(self, delta: Delta) -> None:
        """Send a Delta, now or when the other end reads on."""
        self._lines.extend(map(memoryview, lines(delta, PART)))
        self.send()

    def send(self) -> None:
        """Send as much as the other end takes."""
        try:
            while self._lines:
                line = self._lines[0]
                sent = self._socket.send(line)
                if sent < len(line):
                    self._lines[0] = line[sent:]
                else:
                    self._lines.popleft()
        except BlockingIOError:
            return
        except OSError:
            self.closed = True

    def receive(self) -> List[bytes]:
        """The complete lines that arrived."""
        try:
            data = self._socket.recv(_LONGEST_COMMAND)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return []
        *lines, rest = (self._heard + data).split(b"\n")
        self._heard = rest[-_LONGEST_COMMAND:]
        return lines


def _interval(command: bytes) -> Optional[float]:
    word, _, seconds = command.partition(b" ")
    with contextlib.suppress(ValueError):
        if word == b"interval":
            wish = float(seconds)
            return min(max(wish, SHORTEST), LONGEST) if wish == wish else None  # noqa: PLR0124 (nan)
    return None


def run(connection: socket.socket, interval: float, complaints: int) -> int:
    """The life of the collector process: `serve`, alone. Returns its exit status.

    `complaints` is a file descriptor for the one line that says why it ended, if it ended by itself."""
    os.setsid()  # the terminal's signals are the screen's business
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    gc.freeze()
    gc.disable()  # hundreds of thousands of rows without a cycle: looking for one takes longer than a tick
    try:
        serve(connection, interval)
    except Exception as error:  # whatever it is, the screen must say it
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{os.path.basename(where.tb_frame.f_code.co_filename)}:{where.tb_lineno}" if where else "?"
        os.write(complaints, f"{type(error).__name__}: {error} ({place})\n".encode(errors="replace"))
        return 1
    return 0


def main() -> None:
    """`python -m nettop.collector.child CONNECTION_FD INTERVAL COMPLAINTS_FD`: a collector that is started again."""
    connection, interval, complaints = sys.argv[1:4]
    sys.exit(run(socket.socket(fileno=int(connection)), float(interval), int(complaints)))


if __name__ == "__main__":
    main()
