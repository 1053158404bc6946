"""What ssh writes, taken apart: a compressed stream becomes lines, complaints become a reason.

In a thread, as the screen's own must never wait for a far end; it takes under 1 ms a second. Whatever comes, memory is
bounded: it is expanded piece by piece, and the next piece when the listener has taken the last. Should the listener
stop reading, so does this, and ssh, and the far end.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
import zlib
from collections.abc import Callable

from nettop.format import safe

BEAT = 5.0
"""Seconds between two signs of life for the far end: see `far.SILENCE`."""
QUIET = 20.0
"""Seconds without a word from the far end after which it is given up. ssh notices sooner that the network was cut, but
not that the far end was stopped, nor anything while another ssh holds the connection."""
_PIECE = 1 << 18
"""Bytes that are read, or expanded, at once."""
_KEPT = 2000
"""Bytes of complaints."""
_LINE = 200
"""Characters of one."""
_LOOK = 1.0
"""Seconds between two looks whether it is time to stop."""


class Tail:
    """The end of what was complained of."""

    def __init__(self) -> None:
        self._bytes = b""

    def take(self, data: bytes) -> None:
        """More of it."""
        self._bytes = (self._bytes + data)[-_KEPT:]

    @property
    def last(self) -> str:
        """The last line that says something, without its full stop, safe to print; empty where there is none."""
        lines = self._bytes.decode(errors="replace").replace("\r", "\n").split("\n")
        line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return safe(line.rstrip("."))[-_LINE:]


class Pump:
    """Carries what comes through the two outputs of ssh."""

    def __init__(self, output: int, complaints: int, theirs: socket.socket, beat: Callable[[], object]) -> None:
        """Lines go into `theirs`, which is shut down at the end; `beat` is called every now and then."""
        self.quiet = QUIET
        """Seconds without a word after which the far end is given up."""
        self.stop = False
        """To be set when nobody listens any more."""
        self.ended = False
        """Nothing more will come."""
        self.reason = ""
        """Why it was given up; empty where ssh has ended the stream."""
        self.tail = Tail()
        self._output = output
        self._complaints = complaints
        self._theirs = theirs
        self._beat = beat

    def run(self, early: bytes) -> None:
        """Carry until the stream ends; `early` is its beginning."""
        try:
            self.reason = self._carry(early)
        except zlib.error:
            self.reason = "what it sends is no stream"
        except OSError:  # the listener has gone
            pass
        finally:
            self.ended = True
            with contextlib.suppress(OSError):
                self._theirs.shutdown(socket.SHUT_RDWR)

    def _carry(self, squeezed: bytes) -> str:
        stream = zlib.decompressobj()
        piece = b""
        reading = [self._output, self._complaints]
        heard = beaten = time.monotonic()
        while not self.stop:
            if not piece and squeezed:
                piece, squeezed = stream.decompress(squeezed, _PIECE), stream.unconsumed_tail
                if stream.eof:
                    return "it has ended the stream"
                continue
            wanted = [each for each in reading if each != self._output or not piece]
            ready, writable, _ = select.select(wanted, [self._theirs] if piece else [], [], _LOOK)
            now = time.monotonic()
            if writable:
                # it is the standard input of ssh, or of what stands for it, and may not stop to block
                piece = piece[self._theirs.send(piece, socket.MSG_DONTWAIT) :]
            if self._complaints in ready and not self.complain():
                reading.remove(self._complaints)
            if self._output in ready:
                squeezed = os.read(self._output, _PIECE)
                if not squeezed:
                    return ""
            if ready or piece:
                heard = now
            elif now > heard + self.quiet:
                return f"nothing has come for {now - heard:.0f} seconds"
            if now >= beaten + BEAT:
                beaten = now
                self._beat()
        return ""

    def complain(self) -> bool:
        """Take in what is complained of; false at its end."""
        data = os.read(self._complaints, _PIECE)
        self.tail.take(data)
        return bool(data)
