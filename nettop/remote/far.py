"""The far end of a stream over ssh: a collector whose lines go out compressed, and that ends when nobody listens.

The stream is one zlib stream, flushed with every tick: what a tick says, the ones before have mostly said already, so
that it takes a tenth of its lines. Rests on nothing but Python 3.9 and the standard library.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import zlib
from typing import Iterable, List, Sequence

from nettop.collector.child import serve, unattended
from nettop.collector.link import Link
from nettop.memory import hold_little
from nettop.remote.greeting import OTHER_DIALECT, dialect, greeting

SILENCE = 45.0
"""Seconds after which an end that says nothing is gone, unless it is still taking what waits for it: a network that was
cut tells nobody. It says something every few seconds (`pump.BEAT`)."""
FAILED = 70
"""The exit code of a far end that failed after it had greeted: sysexits.h, EX_SOFTWARE."""


def main(words: Sequence[str]) -> int:
    """Serve whoever is at the other end of standard input and output. Returns the exit code.

    The words: the dialect that is spoken there, seconds between two ticks, whether it is read-only (0 or 1), percent of
    a processor that may be used (0: any), seconds to wait for names and addresses with the first picture."""
    spoken, interval, read_only, max_cpu, patience = words
    if spoken != dialect():
        return OTHER_DIALECT
    hold_little()
    channel = Duplex(os.dup(0), os.dup(1))
    complaints = os.dup(2)
    with contextlib.suppress(PermissionError):  # ssh has made it the leader of a session already
        os.setsid()
    link = Squeezed(channel)
    link.greet()

    def work() -> None:
        serve(link, float(interval), read_only != "0", float(max_cpu) or None, patience=float(patience))

    return FAILED if unattended(complaints, work) else 0


class Duplex:
    """Two descriptors as one channel: see `collector.link.Channel`."""

    def __init__(self, inlet: int, outlet: int) -> None:
        self._inlet = inlet
        self.outlet = outlet

    def fileno(self) -> int:
        return self._inlet

    def setblocking(self, flag: bool) -> None:
        for descriptor in (self._inlet, self.outlet):
            os.set_blocking(descriptor, flag)

    def send(self, data: memoryview) -> int:
        return os.write(self.outlet, data)

    def recv(self, size: int) -> bytes:
        return os.read(self._inlet, size)

    def close(self) -> None:
        for descriptor in (self._inlet, self.outlet):
            os.close(descriptor)


class Squeezed(Link):
    """A link whose lines go out as one zlib stream."""

    def __init__(self, channel: Duplex) -> None:
        super().__init__(channel)
        self._outlet = channel.outlet
        self._squeeze = zlib.compressobj()
        self._stirred = time.monotonic()  # when the other end last said something, or took what waited
        self._behind = False
        self._taken = 0

    @property
    def outlet(self) -> int:
        """See `Link`."""
        return self._outlet

    def greet(self) -> None:
        """Say the line before the stream."""
        super().post([greeting()])

    def post(self, lines: Iterable[bytes]) -> None:
        """See `Link`."""
        squeezed = b"".join(map(self._squeeze.compress, lines))
        super().post([squeezed + self._squeeze.flush(zlib.Z_SYNC_FLUSH)])

    def receive(self) -> List[bytes]:
        """See `Link`."""
        self._stirred = time.monotonic()
        return super().receive()

    def alive(self, now: float) -> bool:
        """See `Link`. What is taken at once says nothing: sshd takes much, whether or not it can pass that on."""
        if self._behind and self.taken != self._taken:
            self._stirred = now
        self._behind, self._taken = self.sending, self.taken
        return not self.closed and now < self._stirred + SILENCE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
