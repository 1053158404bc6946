"""Appends ticks to a recording, so that whatever happens it can be read up to the last of them.

Frames appended to one file, and not SQLite in WAL mode, by measurement. The lines of a machine with 1,000 sockets, each
tick on the disk before the next: SQLite takes 4.1 KB and 0.47 ms a tick, frames that are compressed each for itself
3.2 KB, frames of one deflate stream 1.2 KB and 0.29 ms. A file of SQLite needs its -wal beside it after a SIGKILL; one
file is what one copies, mails and points a command at.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nettop.model import Event
from nettop.recording.frames import (
    HEADER_SIZE,
    LINKS_SIZE,
    MAX_PAYLOAD,
    OPENING,
    Kind,
    RecordingError,
    pack,
    pack_links,
)
from nettop.recording.reader import Frame, Reader

KEPT = 7 / 8
"""Of what a limit allows, what is left when it is reached: the rest is copied, once in so many megabytes."""
SEGMENTS = 8
"""Into how many segments a limit of the size is divided, at least; a small one, where key frames leave room for it."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SPARE = 1 << 20
"""Bytes of the disk that copying leaves to others."""
_PLACES = ("/var/tmp", "/tmp")
"""For a file without a name: the first is on a disk, the other one may be memory."""


class NoRoomError(Exception):
    """The disk is full, or the file may not grow: the tick is not in it, nor is any until the next key frame."""


class Limits(NamedTuple):
    """What is dropped, the oldest first, in whole segments; the last one stays in any case."""

    size: int | None = None
    """Bytes of the file."""
    age: float | None = None
    """Seconds from the oldest tick to the newest."""


NO_LIMITS = Limits()


class _Start(NamedTuple):
    """Where a segment begins."""

    offset: int
    time: float


class Writer:
    """One file that grows: `begin` or not, `add` lines, `end` the tick, which is on the disk then.

    A limit is kept by copying what is young enough into a new file that takes the place of the old one: at any moment
    there is one that is whole, and one that lost its beginning is a recording like any other."""

    def __init__(self, path: Path | None, limits: Limits = NO_LIMITS, level: int = 6) -> None:
        """Go on with a recording, or begin one; without a path in a file without a name, which no power cut needs to
        leave behind. `level` as in zlib. Raises OSError, and RecordingError where something else is there."""
        self.limits = limits
        self._path = path
        self._level = level
        self._starts: list[_Start] = []
        self._key_size = 0
        self._events = 0
        self._deflater: zlib._Compress | None = None
        self._kind = Kind.TICK
        self._pieces: list[bytes] = []
        self._fd = _open(path) if path else _nameless()
        try:
            self._end = self._resume()
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def fresh(self) -> bool:
        """A segment must begin before the next tick: there is none, or ticks are missing."""
        return self._deflater is None

    @property
    def long(self) -> bool:
        """The segment takes so much of the size allowed that another one should begin."""
        if self.limits.size is None or not self._starts:
            return False
        return self._end - self._starts[-1].offset > max(self.limits.size / SEGMENTS, 3 * self._key_size)

    def reader(self) -> Reader:
        """What has been written, and what will be as long as no limit cuts it."""
        return Reader(os.dup(self._fd))

    def begin(self, kind: Kind) -> None:
        """What is added next is a key frame of this kind."""
        self._deflater = zlib.compressobj(self._level, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._kind, self._pieces = kind, []

    def break_off(self) -> None:
        """What follows does not follow from what is there: a segment must begin."""
        self._deflater = None

    def add(self, line: bytes) -> None:
        """A line of `wire`, newline included."""
        assert self._deflater is not None, "a segment begins first"
        self._pieces.append(self._deflater.compress(line))

    def end(self, time: float, events: Sequence[Event]) -> None:
        """Write what was added as a frame of that time; `events` are those inside. Raises NoRoomError, and OSError
        where the disk fails."""
        assert self._deflater is not None, "a segment begins first"
        kind, self._kind = self._kind, Kind.TICK
        body = b"".join((*self._pieces, self._deflater.flush(zlib.Z_SYNC_FLUSH)))
        self._pieces = []
        # until it is written, nothing that comes after it could be read
        deflater, self._deflater = self._deflater, None
        links = 0 if kind is Kind.TICK else LINKS_SIZE
        if links + len(body) > MAX_PAYLOAD:
            raise NoRoomError(f"a tick of {len(body) >> 20} MB")
        try:
            self._keep_limits(HEADER_SIZE + links + len(body), time)
            frame = pack(kind, time, events, self._links() + body if links else body)
            self._append(frame)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise NoRoomError(error.strerror) from None
            raise
        if links:
            self._starts.append(_Start(self._end - len(frame), time))
            self._key_size = len(frame)
        self._events += len(events)
        self._deflater = deflater

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def _links(self) -> bytes:
        return pack_links(self._end - self._starts[-1].offset if self._starts else 0, self._events)

    def _append(self, frame: bytes) -> None:
        """The whole frame, or nothing of it."""
        try:
            written = 0
            while written < len(frame):
                written += os.pwrite(self._fd, frame[written:], self._end + written)
            if self._path:
                os.fdatasync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._end)
            raise
        self._end += len(frame)

    def _resume(self) -> int:
        """Go on behind the last frame that is whole; where that ends."""
        if not os.fstat(self._fd).st_size:
            os.pwrite(self._fd, OPENING, 0)
            return len(OPENING)
        reader = Reader(os.dup(self._fd))
        try:
            self._starts = [_Start(segment.offset, segment.time) for segment in reader.segments]
            end = len(OPENING)
            if reader.segments:
                last = len(reader.segments) - 1
                frames = reader.frames(last)
                while frames and _damaged(reader, frames[-1]):
                    frames.pop()
                if not frames:
                    end = self._starts.pop().offset
                else:
                    end = frames[-1].offset + frames[-1].header.length
                    self._events = frames[-1].events_before + frames[-1].header.events
            os.ftruncate(self._fd, end)
            return end
        finally:
            reader.close()

    def _keep_limits(self, more: int, now: float) -> None:
        """Cut the beginning off, where with `more` bytes, or by `now`, the file would exceed a limit."""
        size, age = self.limits
        first = 0
        if size is not None and self._end + more > size:
            room = KEPT * size - more - len(OPENING)
            if self._path:  # both files are there for a moment
                disk = os.fstatvfs(self._fd)
                room = min(room, disk.f_bavail * disk.f_frsize - _SPARE)
            first = next((n for n, start in enumerate(self._starts) if self._end - start.offset <= room), -1)
        if age is not None and len(self._starts) > 1 and self._starts[1].time < now - age:
            old = sum(start.time < now - KEPT * age for start in self._starts[1:])
            first = max(first, old) if first >= 0 else first
        if first < 0:
            first = len(self._starts) - 1
        if first > 0:
            self._cut(first)

    def _cut(self, first: int) -> None:
        """Drop the segments before that one."""
        start = self._starts[first].offset
        replacement = _replacement(self._path) if self._path else None
        fd = replacement[0] if replacement else _nameless()
        try:
            end = os.pwrite(fd, OPENING, 0)
            os.lseek(fd, end, os.SEEK_SET)
            while start < self._end:
                copied = os.sendfile(fd, self._fd, start, self._end - start)
                start, end = start + copied, end + copied
            if replacement and self._path:
                os.fdatasync(fd)
                os.rename(replacement[1], self._path)
        except BaseException:
            os.close(fd)
            if replacement:
                replacement[1].unlink(missing_ok=True)
            raise
        if self._path:
            _sync_directory(self._path)
        os.close(self._fd)
        moved = self._end - end
        self._fd, self._end = fd, end
        self._starts = [_Start(begun.offset - moved, begun.time) for begun in self._starts[first:]]


def _damaged(reader: Reader, frame: Frame) -> bool:
    try:
        reader.payload(frame)
    except RecordingError:
        return True
    return False


def _open(path: Path) -> int:
    """A file to record into, which nobody else may read, nor record into. Raises OSError, RecordingError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RecordingError("another nettop records into it") from None
    _sync_directory(path)
    return descriptor


def _replacement(path: Path) -> tuple[int, Path]:
    """A new file beside that one, locked as it is."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor, beside


def _nameless() -> int:
    """A file that is gone when nobody has it open any more."""
    place = next((place for place in _PLACES if os.access(place, os.W_OK)), None)
    with tempfile.TemporaryFile(dir=place, buffering=0) as file:
        return os.dup(file.fileno())


def _sync_directory(path: Path) -> None:
    """A power cut leaves the name of that file as it is now, where the file system can be asked for that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
