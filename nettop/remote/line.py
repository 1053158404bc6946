"""An ssh that runs, from its start to its end.

It reads requests from its standard input, which is one end of a socket; whoever listens has the other, and gets the
lines of the far end by it, as from a collector that is a child. What ssh writes goes through a `Pump`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from nettop import wire
from nettop.format import safe
from nettop.remote.bundle import bundle
from nettop.remote.greeting import SEND_CODE
from nettop.remote.pump import Pump
from nettop.requests import Reply

NOISE = 64 << 10
"""Bytes that may come up to the greeting: what the startup files of a shell print."""
_CHUNK = 1 << 16
_WAITING = 1.5
"""Seconds without a word after which ssh seems to wait for somebody: for a finger on a key, say. What the far end says
until it is there is of no use to anybody, unless it does not come to be there."""
_EXIT = 1.0
"""Seconds from the end of what ssh writes to its own."""
_JOIN = 3.0


class LineError(Exception):
    """The far end cannot be had; the message says why, in one line that is safe to print."""


class Line:
    """One ssh. `greet` must come before anything is expected of it, and `end` at last."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it. Raises LineError where there is no such program."""
        self.connection, self._theirs = socket.socketpair()
        """Lines of `wire` come by it, those of `requests` go."""
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=self._theirs.fileno(), stdout=pipe, stderr=pipe, bufsize=0)
        except OSError as error:
            self.connection.close()
            self._theirs.close()
            raise LineError(f"{safe(command[0])}: {error.strerror}") from None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._outputs = self._process.stdout, self._process.stderr
        self._output, self._complaints = (output.fileno() for output in self._outputs)
        self.pump = Pump(self._output, self._complaints, self._theirs, self._beat)
        self._thread: threading.Thread | None = None

    def greet(self, patience: float | None = None, show: Callable[[str], object] | None = None) -> None:
        """Wait for the greeting, at most `patience` seconds, and send the code where it is asked for; lines come then.
        `show` gets what ssh says while it waits for somebody. Raises LineError where no greeting comes; the line has
        ended then."""
        deadline = None if patience is None else time.monotonic() + patience
        self.connection.settimeout(patience)
        _code()  # made while ssh shakes hands
        try:
            early = self._greeting(deadline, show)
        except TimeoutError:
            self.pump.reason = f"no greeting within {patience:g} seconds"
        except wire.WireError as error:
            self.pump.reason = f"it makes no sense: {error}"
        except OSError:
            pass  # ssh knows why
        else:
            self._thread = threading.Thread(target=self.pump.run, args=(early,), name="ssh", daemon=True)
            self._thread.start()
            return
        raise LineError(self.end(_EXIT))

    def kill(self) -> None:
        """End ssh, which whoever waits for something notices."""
        self._process.kill()

    def end(self, patience: float = 0.0) -> str:
        """Have done with it; where the stream has ended by itself, the reason, which ssh may take `patience` seconds to
        tell. The far end need not be told: it ends when there is nobody at this one."""
        by_itself = (self._thread is None or self.pump.ended) and not self.pump.reason
        self.pump.stop = True
        self.connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience if by_itself else 0.0)
        status = self._process.poll()
        self._process.kill()
        self._process.wait()
        if self._thread is not None:
            self._thread.join(_JOIN)
        while select.select([self._complaints], [], [], 0)[0] and self.pump.complain():
            pass
        for end in (*self._outputs, self._theirs):
            end.close()
        told = "ssh was ended" if status is None else f"ssh ended with status {status}"
        return self.pump.reason or self.pump.tail.last or told

    def _greeting(self, deadline: float | None, show: Callable[[str], object] | None) -> bytes:
        """Read up to the greeting; what came behind it. Raises OSError, TimeoutError and `wire.WireError`."""
        noise, line, shown = 0, b"", ""
        while True:
            wait = _WAITING if deadline is None else deadline - time.monotonic()
            if wait < 0:
                raise TimeoutError
            ready = select.select([self._output, self._complaints], [], [], wait)[0]
            if not ready and show is not None and self.pump.tail.last != shown:
                shown = self.pump.tail.last
                show(shown)
            if self._complaints in ready and not self.pump.complain():
                raise ConnectionResetError
            if self._output not in ready:
                continue
            data = os.read(self._output, _CHUNK)
            if not data:
                raise ConnectionResetError
            show = None
            *lines, line = (line + data).split(b"\n")
            for place, said in enumerate(lines):
                if said == SEND_CODE.encode():
                    self._send_code()
                elif said.startswith(b'{"v":'):
                    _check(said)
                    self.connection.settimeout(None)
                    return b"\n".join((*lines[place + 1 :], line))
            noise += len(data)
            if noise > NOISE:
                raise wire.WireError("it talks instead of greeting")

    def _send_code(self) -> None:
        code = _code()
        self.connection.sendall(b"%d\n%b" % (len(code), code))

    def _beat(self) -> None:
        """A sign of life: an empty line is no request, and has no answer."""
        with contextlib.suppress(OSError):
            self.connection.send(b"\n", socket.MSG_DONTWAIT)


_code = functools.lru_cache(maxsize=1)(bundle)


def _check(line: bytes) -> None:
    """Raises `wire.WireError` where a line is no greeting that lets us in."""
    heard = wire.hear(line)
    if not isinstance(heard, Reply) or not heard.answer.ok:
        raise wire.WireError("it does not greet")
