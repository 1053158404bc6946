"""One end of a channel that lines go out of and requests come in by, never waited for."""

from __future__ import annotations

import collections
import contextlib
import socket
from typing import Deque, Iterable, List, Protocol

from nettop import requests

_SEND_BUFFER = 4 << 20


class Channel(Protocol):
    """What a link needs of a socket, or of what takes the place of one."""

    def fileno(self) -> int:
        """To wait for what the other end says."""

    def setblocking(self, flag: bool, /) -> None:
        """Whether anything below waits."""

    def send(self, data: memoryview, /) -> int:
        """How much of it was taken; raises OSError."""

    def recv(self, size: int, /) -> bytes:
        """At most so much; nothing at the end; raises OSError."""

    def close(self) -> None:
        """Use it no more."""


class Link:
    """Lines go out as the other end takes them; what it says is heard line by line."""

    def __init__(self, channel: Channel) -> None:
        self.closed = False
        """The other end is gone."""
        self.pending = 0
        """Bytes that were posted and not taken yet."""
        self.taken = 0
        """Bytes that the other end has taken so far."""
        self._channel = channel
        channel.setblocking(False)
        if isinstance(channel, socket.socket):
            with contextlib.suppress(OSError):
                channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._lines: Deque[memoryview] = collections.deque()
        self._begun = False  # part of the first of them is taken
        self._heard = b""

    def fileno(self) -> int:
        """To wait for what the other end says."""
        return self._channel.fileno()

    @property
    def outlet(self) -> int:
        """To wait until the other end takes more."""
        return self._channel.fileno()

    def alive(self, _now: float) -> bool:
        """There is somebody at the other end, as far as is known at this monotonic time."""
        return not self.closed

    @property
    def sending(self) -> bool:
        """What was posted has not all been taken."""
        return bool(self._lines)

    def post(self, lines: Iterable[bytes]) -> None:
        """Send lines behind what was posted, now or when the other end reads on. They are not copied: many links may
        share them."""
        for line in lines:
            self._lines.append(memoryview(line))
            self.pending += len(line)
        self.send()

    def send(self) -> None:
        """Send as much as the other end takes."""
        try:
            while self._lines:
                line = self._lines[0]
                sent = self._channel.send(line)
                self.pending -= sent
                self.taken += sent
                self._begun = sent < len(line)
                if self._begun:
                    self._lines[0] = line[sent:]
                else:
                    self._lines.popleft()
        except BlockingIOError:
            return
        except OSError:
            self.closed = True

    def drop(self) -> None:
        """Forget what was posted, but for the rest of a line that has been taken in part."""
        kept = list(self._lines)[: int(self._begun)]
        self._lines = collections.deque(kept)
        self.pending = sum(map(len, kept))

    def receive(self) -> List[bytes]:
        """The complete lines that arrived."""
        try:
            data = self._channel.recv(requests.MAX_REQUEST)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return []
        *lines, rest = (self._heard + data).split(b"\n")
        self._heard = rest[-requests.MAX_REQUEST :]
        return lines

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()
