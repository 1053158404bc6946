"""`nettop record`: an origin of Deltas and the file that its stream goes into."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import gc
import signal
from collections.abc import Callable
from pathlib import Path

from nettop import wire
from nettop.collector.outbox import parts
from nettop.model import Delta
from nettop.origin import FAREWELL, Origin, lines
from nettop.query import Query
from nettop.recording.excerpt import Excerpt
from nettop.recording.recorder import PART, Recorder
from nettop.recording.writer import Limits, Writer
from nettop.requests import Reply
from nettop.store import Store

_PATIENCE = 5.0
"""Seconds before an origin that ended is looked for again."""


def record(path: Path, origin: Origin, query: Query | None, limits: Limits, say: Callable[[str], None]) -> None:
    """Record what an origin tells into a file until SIGINT or SIGTERM; `query` tells which connections are kept. `say`
    is told what goes wrong meanwhile. Raises OSError, RecordingError, and QueryError where the filter takes too long.

    The collector is another process: while the disk does not answer, it goes on, and what changes meanwhile comes in
    fewer, larger ticks, or from a service in a key frame."""
    with contextlib.closing(origin), contextlib.closing(Writer(path, limits)) as writer:
        gc.freeze()
        gc.disable()  # rows have no cycles, and looking for some takes longer than a tick
        asyncio.run(_record(origin, Tape(writer, query, say), say))


async def _record(origin: Origin, tape: Tape, say: Callable[[str], None]) -> None:
    task = asyncio.ensure_future(_listen(origin, tape, say))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)  # never while a frame is written
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _listen(origin: Origin, tape: Tape, say: Callable[[str], None]) -> None:
    """Record every stream of an origin, one after the other."""
    missing = None
    while True:
        try:
            connection = await origin.open()
        except OSError as error:
            before, missing = missing, origin.missing.format(error.strerror or error)
            if missing != before:
                say(missing)
        else:
            missing = None
            try:
                async for line in lines(connection):
                    for heard, told in origin.hear(line):
                        if not isinstance(heard, Reply):
                            tape.take(heard, told + b"\n")
            except wire.WireError as error:
                origin.close()
                reason = f"it made no sense: {error}"
            else:
                reason = origin.close(FAREWELL)
            say(origin.ended.format(reason))
        await asyncio.sleep(_PATIENCE)


class Tape:
    """A stream, the store that follows it, and the file it goes into, whole or in part."""

    def __init__(self, writer: Writer, query: Query | None, say: Callable[[str], None]) -> None:
        self._store = Store()
        self._recorder = Recorder(writer)
        self._excerpt = None if query is None else Excerpt(query)
        self._say = say
        self._trouble: str | None = None

    def take(self, delta: Delta, line: bytes) -> None:
        """One Delta that a line says. Raises OSError, QueryError."""
        if self._excerpt is None:
            self._write(delta, line)
        picture = self._store.apply(delta)
        if self._excerpt is not None and picture is not None:
            for part in parts(self._excerpt.next(self._store, delta), PART):
                self._write(part, wire.encode(part))
        gc.collect(0)

    def _write(self, delta: Delta, line: bytes) -> None:
        key_frame = self._excerpt.key_frame if self._excerpt else self._store.key_frame
        collections.deque(self._recorder.take(delta, line, key_frame), maxlen=0)
        trouble = self._recorder.trouble
        if trouble != self._trouble:
            self._say(trouble or "there is room again: recording goes on")
            self._trouble = trouble
