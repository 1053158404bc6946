"""`nettop record`: a collector and the file that its stream goes into."""

from __future__ import annotations

import collections
import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nettop import wire
from nettop.collector import spawn
from nettop.collector.outbox import parts
from nettop.model import Delta
from nettop.query import Query
from nettop.recording.excerpt import Excerpt
from nettop.recording.recorder import PART, Recorder
from nettop.recording.writer import Limits, Writer
from nettop.requests import Reply
from nettop.store import Store

_CHUNK = 1 << 18
_PATIENCE = 5.0
"""Seconds before a collector that ended is started again."""


def record(
    path: Path, interval: float, query: Query | None, limits: Limits, max_cpu: float | None, say: Callable[[str], None]
) -> None:
    """Record this machine into a file until interrupted; `query` tells which connections are kept. `say` is told what
    goes wrong meanwhile. Raises OSError, RecordingError, and QueryError where the filter takes too long.

    The collector is a process of its own: while the disk does not answer, it goes on, and what changes meanwhile comes
    in fewer, larger ticks."""
    writer = Writer(path, limits)
    try:
        tape = Tape(writer, query, say)
        gc.freeze()
        gc.disable()  # rows have no cycles, and looking for some takes longer than a tick
        running = spawn.fork(interval, read_only=True, max_cpu=max_cpu)
        while True:
            try:
                reason = _follow(running, tape)
            finally:
                ended = spawn.reap(running)
            say(f"the collector ended ({reason or ended}); starting it again")
            time.sleep(_PATIENCE)
            running = spawn.start(interval, read_only=True, max_cpu=max_cpu)
    finally:
        writer.close()


def _follow(running: spawn.Running, tape: Tape) -> str | None:
    """Record what a collector tells until it ends; what was wrong with it, if it is known."""
    try:
        for line in _lines(running):
            heard = wire.hear(line)
            if not isinstance(heard, Reply):
                tape.take(heard, line + b"\n")
    except wire.WireError as error:
        return f"it made no sense: {error}"
    return None


def _lines(running: spawn.Running) -> Iterator[bytes]:
    """Every line that arrives until the other end closes. Raises `wire.WireError`."""
    pending = bytearray()
    while data := running.connection.recv(_CHUNK):
        searched = len(pending)
        pending += data
        while (end := pending.find(b"\n", searched)) >= 0:
            yield bytes(pending[:end])
            del pending[: end + 1]
            searched = 0
        if len(pending) > wire.MAX_LINE:
            raise wire.WireError(f"a line longer than {wire.MAX_LINE} bytes")


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
