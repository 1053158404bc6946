"""The other end of a service: finding one, and its stream."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Callable, Iterator

from nettop import requests, wire
from nettop.errors import NothingReadableError
from nettop.fold import Fold, FoldError
from nettop.model import Delta
from nettop.requests import Reply, SetInterval
from nettop.service.place import SOCKET, group_name

EVENTS_KEPT = 10_000
"""Events of several ticks that are made one, unless it is told otherwise."""

_WITHIN = 5.0
"""Seconds a service may take to greet: it may be in its first tick, of many sockets, on a machine in trouble."""
_CHUNK = 1 << 18
_GREETING = 4096
"""Bytes of a greeting at most."""
_EARLY = 0.1
"""Part of the interval by which a picture may come too soon: ticks are not made to the millisecond."""
UNASKED = 0
"""Number of a request whose answer nobody waits for."""


class RefusedError(Exception):
    """There is a service, and it is of no use; the message says why, in one line."""

    def __init__(self, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.remedy = remedy
        """A command that would help; it takes another login."""


def connect(path: str = SOCKET) -> socket.socket:
    """A connection on which the stream comes next, greetings exchanged. Raises FileNotFoundError or
    ConnectionRefusedError where there is no service, RefusedError where it is not for us or speaks otherwise."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_WITHIN)
        connection.connect(path)
        _greet(connection)
        connection.settimeout(None)
    except BaseException as error:
        connection.close()
        if isinstance(error, PermissionError):
            raise _not_for_us(path) from None
        if isinstance(error, TimeoutError):
            raise RefusedError(f"the service at {path} does not answer") from None
        if isinstance(error, wire.WireError):
            raise RefusedError(f"the service at {path} speaks otherwise: {error}") from None
        raise
    return connection


def find(path: str | None, say: Callable[[str], object]) -> socket.socket | None:
    """A connection to the service at `path`; where none is given, to that of this machine, if this process is not
    root's: root has a collector of its own, which can do more. None where there is none; `say` is told why a service
    that is there is of no use. Raises NothingReadableError where that at `path` cannot be had."""
    if path is None and os.geteuid() == 0:
        return None
    try:
        return connect(path or SOCKET)
    except RefusedError as error:
        reason = f"{error}: {error.remedy}, and log in again" if error.remedy else str(error)
        if path is not None:
            raise NothingReadableError(reason) from None
        say(f"{reason}; looking without it")
    except OSError as error:
        if path is not None:
            raise NothingReadableError(f"there is no service at {path}: {error.strerror}") from None
    return None


def _greet(connection: socket.socket) -> None:
    """Read what a service says first: whether it is one of this version, and lets us in."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)  # and no more: what follows is the stream
        if not byte or len(line) > _GREETING:
            raise wire.WireError("it does not greet")
        line += byte
    said = wire.hear(line)
    if not isinstance(said, Reply):
        raise wire.WireError("it does not greet")
    if not said.answer.ok:
        raise RefusedError(said.answer.text)


def _not_for_us(path: str) -> RefusedError:
    """Whom it is for, and how one comes to be among them."""
    group = group_name(path)
    if group is None:
        return RefusedError(f"the service at {path} may be used by its own user only")
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    return RefusedError(
        f"the service at {path} may be used by the group {group} only", f"sudo usermod -aG {group} {user}"
    )


class Pace:
    """Ticks as often as wanted: where they come more often, several are made one."""

    def __init__(self, interval: float, events_kept: int = EVENTS_KEPT) -> None:
        self.interval = interval
        """Seconds."""
        self._events_kept = events_kept
        self._fold: Fold | None = None
        self._passing = False  # in the middle of a tick that is passed on as it is
        self._last = float("-inf")

    def take(self, delta: Delta) -> Delta | None:
        """What is to be told in place of the next Delta; None where that waits. Raises `wire.WireError`."""
        due = delta.clock >= self._last + self.interval * (1 - _EARLY)
        if self._passing or (self._fold is None and (due or delta.key)):
            self._passing = not delta.complete
            self._last = delta.clock if delta.complete else self._last
            return delta
        self._fold = self._fold or Fold(self._events_kept)
        try:
            self._fold.take(delta)
        except FoldError as error:
            raise wire.WireError(str(error)) from None
        if not delta.complete:
            return None
        folded = self._fold.delta()
        if not (due or folded.key):
            return None
        self._fold, self._last = None, delta.clock
        return folded


class Feed:
    """The stream of a service, or of who speaks like one, for one who waits for it. Raises ConnectionError where it
    ends or makes no sense."""

    def __init__(
        self,
        connection: socket.socket,
        events_kept: int = EVENTS_KEPT,
        whose: str = "the service",
        hear: Callable[[bytes], Delta | Reply] = wire.hear,
    ) -> None:
        """`whose` it is, for errors; `hear` makes sense of a line, and raises `wire.WireError` where it has none."""
        self._connection = connection
        self._hear = hear
        self._whose = whose
        self._pace = Pace(0.0, events_kept)
        self._pending = bytearray()

    def tick(self, interval: float) -> Iterator[Delta]:
        """The Deltas of the next tick that is at least about `interval` seconds after the last one."""
        if interval != self._pace.interval:
            self._pace.interval = interval
            wanted = min(max(interval, requests.SHORTEST), requests.LONGEST)
            self._connection.sendall(requests.encode(UNASKED, SetInterval(wanted)))
        delta = None
        while delta is None or not delta.complete:
            try:
                heard = self._hear(self._line())
                delta = None if isinstance(heard, Reply) else self._pace.take(heard)
            except wire.WireError as error:
                raise ConnectionError(f"{self._whose} makes no sense: {error}") from None
            if delta is not None:
                yield delta

    def close(self) -> None:
        """Listen no more."""
        self._connection.close()

    def _line(self) -> bytes:
        searched = 0
        while (end := self._pending.find(b"\n", searched)) < 0:
            searched = len(self._pending)
            if searched > wire.MAX_LINE:
                raise wire.WireError(f"a line longer than {wire.MAX_LINE} bytes")
            data = self._connection.recv(_CHUNK)
            if not data:
                raise ConnectionResetError(f"{self._whose} has ended")
            self._pending += data
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        return line
