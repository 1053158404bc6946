"""The bytes of a recording: a header, then frames that nobody ever changes again.

    file      "nettop recording 1\\n", then segments, one behind the other
    segment   a key frame, then the ticks until the next one: a minute of them, or so
    frame     28 bytes of header, then what it holds

A key frame says everything that is known, as the first Delta of a stream does; a tick what changed since. The payload
of both are lines of `wire`. All payloads of a segment are one deflate stream (RFC 1951), flushed behind each frame:
what a tick repeats of those before, and that is most of it, costs next to nothing.

The header of a frame, the lowest byte first:

    bytes  0-1   mark, to find a frame by where the way to it is lost
           2     kind: `Kind`
           3     0
           4-5   kinds of events inside, a bit for each of `EVENT_KINDS`
           6-7   how many events inside
           8-11  bytes of payload
          12-19  seconds since the epoch
          20-23  CRC-32 of the payload
          24-27  CRC-32 of the 24 bytes before

The payload of a key frame begins with two numbers of 8 bytes each, and the CRC-32 of these: how many bytes before its
own header the key frame before begins, 0 for none, and how many events were told before it. By the first one a file is
opened in some milliseconds, from its end to its beginning, without a table of contents that could be out of date.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nettop.model import EVENT_KINDS, Event

PREAMBLE = b"nettop recording "
VERSION = 1
OPENING = PREAMBLE + b"%d\n" % VERSION
"""What a file begins with."""

MAX_PAYLOAD = 64 << 20
"""Bytes of a frame's payload at most: a key frame of 40,000 sockets has 4 MB."""

LEAST_SIZE = 1_000_000
"""Bytes that a file may be limited to at least: some segments of a small machine."""

MARK = b"\xe7\x9f"
_HEADER = struct.Struct("<2sBBHHIdI")
_CRC = struct.Struct("<I")
HEADER_SIZE = _HEADER.size + _CRC.size
_LINKS = struct.Struct("<QQ")
LINKS_SIZE = _LINKS.size + _CRC.size
"""Bytes of what the payload of a key frame begins with."""

BITS = {kind: 1 << place for place, kind in enumerate(EVENT_KINDS)}
"""Kind of event → its bit in a header."""


class RecordingError(Exception):
    """What was read is no recording this version understands; says in one line what is wrong with it."""


class Kind(enum.IntEnum):
    """What a frame is."""

    TICK = 1
    """What changed since the tick before."""
    BEGIN = 2
    """A key frame, and a tick of its own: a stream began."""
    AGAIN = 3
    """A key frame that repeats what was known after the tick right before it."""
    RESUME = 4
    """As `AGAIN`, where ticks are missing before it: the disk was full."""


class Header(NamedTuple):
    """What stands before the payload of a frame."""

    kind: Kind
    kinds: int
    """Of events inside, a bit for each: see `kind_bits`."""
    events: int
    """How many."""
    length: int
    """Bytes of payload."""
    time: float
    """Of its tick, in seconds since the epoch."""
    crc: int

    @property
    def key(self) -> bool:
        """It begins a segment."""
        return self.kind is not Kind.TICK


def pack(kind: Kind, time: float, events: Sequence[Event], payload: bytes) -> bytes:
    """A whole frame; `events` are those inside."""
    header = _HEADER.pack(
        MARK, kind, 0, kind_bits(events), min(len(events), 0xFFFF), len(payload), time, zlib.crc32(payload)
    )
    return header + _CRC.pack(zlib.crc32(header)) + payload


def parse_header(data: bytes) -> Header | None:
    """The header that some bytes begin with; None where there is none, or a damaged one."""
    if len(data) < HEADER_SIZE:
        return None
    mark, kind, _, kinds, events, length, time, crc = _HEADER.unpack_from(data)
    if mark != MARK or _CRC.unpack_from(data, _HEADER.size)[0] != zlib.crc32(data[: _HEADER.size]):
        return None
    if kind not in _KINDS or length > MAX_PAYLOAD or not 0 <= time < _END_OF_TIME:
        return None
    return Header(Kind(kind), kinds, events, length, time, crc)


def pack_links(distance: int, events: int) -> bytes:
    """What the payload of a key frame begins with: bytes back to the one before, and events told before it."""
    links = _LINKS.pack(distance, events)
    return links + _CRC.pack(zlib.crc32(links))


def parse_links(data: bytes) -> tuple[int, int] | None:
    """The same read back; None where it is damaged."""
    if len(data) < LINKS_SIZE or _CRC.unpack_from(data, _LINKS.size)[0] != zlib.crc32(data[: _LINKS.size]):
        return None
    distance, events = _LINKS.unpack_from(data)
    return distance, events


def check_opening(data: bytes) -> None:
    """Raise `RecordingError` where these are not the first bytes of a recording, or of one of another version."""
    if data.startswith(OPENING):
        return
    version = data.removeprefix(PREAMBLE).partition(b"\n")[0]
    if not data.startswith(PREAMBLE) or not version.isdigit():
        raise RecordingError("it is no recording of nettop")
    raise RecordingError(f"it is of version {version[:10].decode()}, and this nettop reads version {VERSION}")


def kind_bits(events: Iterable[Event]) -> int:
    """The kinds of some events, a bit for each; what this version does not know has none."""
    bits = 0
    for kind in {event.kind for event in events}:
        bits |= BITS.get(kind, 0)
    return bits


_KINDS = frozenset(Kind)
_END_OF_TIME = 1e12
"""Seconds since the epoch; `wire` takes no later time either."""
