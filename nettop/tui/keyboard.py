"""What the terminal sends, read in the application's own loop.

Textual has a thread for it. While lists are worked on, that thread waits for its turn several times for each key, up to
5 ms each time, and only ten times a second does it look whether an Esc was the beginning of another key.
"""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import Callable

from textual import constants
from textual._xterm_parser import XTermParser
from textual.message import Message

PORTION = 4096
"""Bytes read at a time."""


class Keyboard:
    """Reads a descriptor from `listen` to `stop`."""

    def __init__(self, descriptor: int, tell: Callable[[Message], object], gone: Callable[[], object]) -> None:
        """`tell` is called with every key, paste and answer of the terminal; `gone` when there is no terminal any
        more."""
        self._descriptor = descriptor
        self._tell = tell
        self._gone = gone
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pause: asyncio.TimerHandle | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read whenever there is something, until `stop`."""
        self._parser = XTermParser()
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._loop = loop
        loop.add_reader(self._descriptor, self._read)

    def stop(self) -> None:
        """Read no more."""
        if self._loop is not None:
            self._loop.remove_reader(self._descriptor)
            self._loop = None
        if self._pause is not None:
            self._pause.cancel()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, PORTION)
        except OSError:  # EIO
            data = b""
        if not data:
            self.stop()
            self._gone()
            return
        for message in self._parser.feed(self._decode(data)):
            self._tell(message)
        if self._pause is not None:
            self._pause.cancel()
        if self._loop is not None:  # telling may have stopped it
            self._pause = self._loop.call_later(constants.ESCAPE_DELAY, self._nothing_follows)

    def _nothing_follows(self) -> None:
        """What might have been the beginning of a key is one."""
        for message in self._parser.tick():
            self._tell(message)
