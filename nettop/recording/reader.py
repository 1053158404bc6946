"""Finds its way in a recording, also in one that is damaged, was cut short by a power cut, or grows meanwhile.

Nothing that stands in a file is trusted: lengths and numbers are bounded here, what the lines say `wire` looks through.
"""

from __future__ import annotations

import bisect
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from nettop import moments, wire
from nettop.recording.frames import (
    HEADER_SIZE,
    LINKS_SIZE,
    MARK,
    OPENING,
    Header,
    Kind,
    RecordingError,
    check_opening,
    parse_header,
    parse_links,
)

MAX_RAW = 256 << 20
"""Bytes that the payload of a frame may become: a key frame of 40,000 sockets has 11 MB."""
MAX_SEGMENTS = 1_000_000
"""Two years of minutes."""

_WINDOW = 1 << 20
"""Bytes looked through at a time where the way is lost; a minute of 1,000 sockets has 200 KB."""
_INFLATED = 1 << 18
"""Bytes that are made of a payload at a time."""
_REMEMBERED = 4
"""Segments whose frames are known: one goes back and forth between two."""


class Segment(NamedTuple):
    """A key frame and the ticks up to the next one."""

    offset: int
    kind: Kind
    time: float
    """Of the key frame; a segment that continues another begins with the time of the last tick of that."""
    events: int
    """How many were told before it."""


class Frame(NamedTuple):
    """One frame of a segment."""

    offset: int
    """Of its payload."""
    header: Header
    events_before: int
    """How many were told before this frame."""


class Reader:
    """One recording, from its first whole frame to its last."""

    def __init__(self, descriptor: int) -> None:
        """Takes the descriptor over. Raises OSError, and RecordingError where it is no recording."""
        self._fd = descriptor
        self.segments: list[Segment] = []
        self.damage: list[str] = []
        """What could not be read so far, each in a sentence."""
        self._times: list[float] = []
        self._frames: dict[int, list[Frame]] = {}
        self._cut_short: set[int] = set()
        check_opening(os.pread(descriptor, len(OPENING) + 16, 0))
        self.end = len(OPENING)
        """Bytes up to the end of the last whole frame."""
        size = os.fstat(descriptor).st_size
        last = self._last_key(size)
        if last is not None:
            self._adopt(self._chain(last))
        self.refresh()

    @classmethod
    def open(cls, path: Path) -> Self:
        """The recording in a file. Raises OSError and RecordingError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return cls(descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def refresh(self) -> None:
        """See what was written since."""
        size = os.fstat(self._fd).st_size
        if size <= self.end:
            return
        self._frames.pop(len(self.segments) - 1, None)
        for offset, header in self._walk(self.end, size):
            if header.key:
                self._adopt([self._segment(offset, header)])
            self.end = offset + HEADER_SIZE + header.length

    def frames(self, number: int) -> list[Frame]:
        """The frames of a segment, its key frame first, up to where it is damaged."""
        known = self._frames.get(number)
        if known is None:
            segment = self.segments[number]
            stop = self.segments[number + 1].offset if number + 1 < len(self.segments) else self.end
            known, before = [], segment.events
            expected = segment.offset
            for offset, header in self._walk(segment.offset, stop):
                if offset != expected or (known and header.key):
                    break
                known.append(Frame(offset + HEADER_SIZE, header, before))
                before += header.events
                expected = offset + HEADER_SIZE + header.length
            if expected != stop:
                self._cut_short.add(number)
                self._complain(known[-1].header.time if known else segment.time)
            while len(self._frames) >= _REMEMBERED:
                del self._frames[next(iter(self._frames))]
            self._frames[number] = known
        return known

    def segment_at(self, time: float) -> int:
        """The last segment that begins at or before a time, the first where none does."""
        return max(0, bisect.bisect_right(self._times, time) - 1)

    def unroll(self, number: int) -> Unrolling:
        """The content of a segment, frame by frame."""
        return Unrolling(self, number)

    def payload(self, frame: Frame) -> bytes:
        """What a frame holds, without the links of a key frame; raises RecordingError where it is damaged."""
        data = os.pread(self._fd, frame.header.length, frame.offset)
        if zlib.crc32(data) != frame.header.crc:
            raise RecordingError("the checksum is wrong")
        return data[LINKS_SIZE:] if frame.header.key else data

    def give_up(self, number: int, place: int) -> None:
        """From that frame of a segment on, nothing can be read before the next one."""
        frames = self.frames(number)
        self._complain(frames[place].header.time)
        self._cut_short.add(number)
        del frames[place:]

    def whole(self, number: int) -> bool:
        """As far as is known, all of a segment can be read."""
        return number not in self._cut_short

    def _adopt(self, segments: list[Segment]) -> None:
        for segment in segments:
            if len(self.segments) >= MAX_SEGMENTS:
                raise RecordingError(f"it has more than {MAX_SEGMENTS:,} segments")
            self.segments.append(segment)
            # a clock that was set back must not make them unordered
            self._times.append(max(segment.time, self._times[-1] if self._times else 0.0))
        if segments:
            header = self._header(segments[-1].offset)
            assert header is not None, "it was read a moment ago"
            self.end = segments[-1].offset + HEADER_SIZE + header.length

    def _complain(self, time: float | None) -> None:
        sentence = "its beginning is damaged" if time is None else f"it is damaged after {moments.write(time)}"
        if sentence not in self.damage:
            self.damage.append(sentence)

    def _header(self, offset: int) -> Header | None:
        return parse_header(os.pread(self._fd, HEADER_SIZE, offset))

    def _segment(self, offset: int, header: Header) -> Segment:
        _, events = self._links(offset) or (0, 0)
        return Segment(offset, header.kind, header.time, events)

    def _links(self, offset: int) -> tuple[int, int] | None:
        """What the key frame at an offset says of those before it; None where that is damaged."""
        return parse_links(os.pread(self._fd, LINKS_SIZE, offset + HEADER_SIZE))

    def _last_key(self, size: int) -> int | None:
        """Offset of the last key frame that is whole."""
        stop = size
        while stop > len(OPENING):
            start = max(len(OPENING), stop - _WINDOW)
            # a header may lie across the border of two windows
            data = os.pread(self._fd, stop - start + HEADER_SIZE - 1, start)
            place = data.rfind(MARK)
            while place >= 0:
                header = parse_header(data[place : place + HEADER_SIZE])
                if header and header.key and start + place + HEADER_SIZE + header.length <= size:
                    return start + place
                place = data.rfind(MARK, 0, place)
            stop = start
        return None

    def _chain(self, last: int) -> list[Segment]:
        """The segments up to that key frame, from each to the one before it."""
        segments: list[Segment] = []
        offset = last
        while len(segments) < MAX_SEGMENTS:
            header = self._header(offset)
            links = self._links(offset) if header and header.key else None
            if header is None or links is None:
                return [*self._every_key(segments[-1].offset if segments else last + 1), *reversed(segments)]
            segments.append(self._segment(offset, header))
            distance, _ = links
            if distance < HEADER_SIZE or offset - distance < len(OPENING):
                break  # the first, or the first that is left
            offset -= distance
        return segments[::-1]

    def _every_key(self, until: int) -> list[Segment]:
        """The segments before that offset, found by looking at every frame: the way from one to the other is lost."""
        keys = [self._segment(at, header) for at, header in self._walk(len(OPENING), until) if header.key]
        self._complain(keys[-1].time if keys else None)
        return keys

    def _walk(self, offset: int, stop: int) -> Iterator[tuple[int, Header]]:
        """Every whole frame that begins in that stretch; where one is damaged, on from the next mark."""
        size = os.fstat(self._fd).st_size
        while offset < stop:
            header = self._header(offset)
            if header is not None and offset + HEADER_SIZE + header.length <= size:
                yield offset, header
                offset += HEADER_SIZE + header.length
                continue
            found = self._find_mark(offset + 1, stop)
            if found is None:
                return
            offset = found

    def _find_mark(self, offset: int, stop: int) -> int | None:
        while offset < stop:
            data = os.pread(self._fd, min(_WINDOW, stop - offset) + len(MARK) - 1, offset)
            place = data.find(MARK)
            if place >= 0:
                return offset + place
            offset += _WINDOW
        return None


class Unrolling:
    """The frames of a segment, one after the other, also those that are written meanwhile."""

    def __init__(self, reader: Reader, number: int) -> None:
        self.place = -1
        """Which frame was read last: 0 is the key frame."""
        self._reader = reader
        self._number = number
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    def next(self) -> Iterator[bytes]:
        """The lines of the next frame, which must be taken to their end; none where there is no next one (yet), or it
        is damaged."""
        frames = self._reader.frames(self._number)
        if self.place + 1 >= len(frames):
            return
        self.place += 1
        try:
            yield from _inflated(self._inflater, self._reader.payload(frames[self.place]))
        except (RecordingError, zlib.error):
            self._reader.give_up(self._number, self.place)


def _inflated(inflater: zlib._Decompress, payload: bytes) -> Iterator[bytes]:
    """The lines of a payload, without their ends; a bounded number of bytes at a time. Raises RecordingError."""
    pending, made, waiting, data = b"", 0, payload, b""
    while waiting or len(data) == _INFLATED:
        data = inflater.decompress(waiting, _INFLATED)
        waiting = inflater.unconsumed_tail
        made += len(data)
        if made > MAX_RAW or len(pending) > wire.MAX_LINE or (inflater.eof and waiting):
            raise RecordingError("too long")
        *lines, pending = (pending + data).split(b"\n")
        yield from lines
    if pending:
        raise RecordingError("cut short")
