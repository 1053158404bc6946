"""The only place that turns raw values into text: sizes, rates, times, addresses, and strings nobody vouches for.

Three habits hold everywhere here. Unknown (None) is `-`, never 0. Sizes and rates count in steps of 1024 with the one
letter `k M G T P E`, on the screen as in filters, so that what is read can be typed. And whatever a process may have
named itself goes through `safe` before anything else sees it.

Text is markup-proof only in the sense of the terminal: a caller that renders markup must escape it.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

from nettop.fields import Field, Kind, Value

UNKNOWN = "-"
ELLIPSIS = "…"

Align = Literal["left", "right"]

# --- strings from elsewhere ------------------------------------------------------------------------------------------

_REPLACEMENT = "?"
"""What `ls` and `ps` print for a character they would not trust a terminal with; one cell wide in every font."""

_UNSTEADY = re.compile(
    "[\u034f\u115f-\u11ff\u17b4\u17b5\u180b-\u180f\u3164\ud7b0-\ud7ff\ufe00-\ufe0f\ufffd\uffa0"
    "\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
)
"""Printable by Unicode's rules, yet invisible, or as wide as the terminal thinks: fillers, joiners, variation
selectors, conjoining Hangul, flag letters, skin tones. U+FFFD stands for a byte that was no text to begin with."""


def safe(text: str) -> str:
    """The text with every character that could act on a terminal or shift a column replaced by `?`.

    Replaced are control characters (C0, C1, DEL; so ESC, newline and tab), format characters (bidi overrides and
    isolates, zero-width ones), surrogates, private and unassigned ones, line separators, and `_UNSTEADY`. Any other
    kind of space becomes a plain one. The result has as many characters as the text.
    """
    if text.isascii() and text.isprintable():
        return text
    if not text.isprintable():
        text = "".join([c if c.isprintable() else _printable(c) for c in text])
    return _UNSTEADY.sub(_REPLACEMENT, text)


def _printable(character: str) -> str:
    """What stands for a character of the categories C* and Z*, which are those str.isprintable refuses."""
    return " " if unicodedata.category(character) == "Zs" else _REPLACEMENT


# --- columns ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _character_width(character: str) -> int:
    """Cells of one printable character: 0 for combining marks, 2 for wide ones (Unicode TR 11)."""
    if unicodedata.category(character).startswith("M"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cell_width(text: str) -> int:
    """How many terminal cells a safe text takes."""
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _head(text: str, cells: int) -> str:
    """The longest beginning that is at most that wide."""
    if text.isascii():
        return text[:cells]
    used = 0
    for index, character in enumerate(text):
        used += _character_width(character)
        if used > cells:
            return text[:index]
    return text


def _tail(text: str, cells: int) -> str:
    """The longest end that is at most that wide; it never begins with a mark that belongs to what was cut off."""
    used, start = 0, len(text)
    for index in range(len(text) - 1, -1, -1):
        width = _character_width(text[index])
        used += width
        if used > cells:
            break
        if width:
            start = index
    return text[start:]


def fit(text: str, width: int, align: Align = "left") -> str:
    """The text in exactly `width` cells: padded, or cut at its end with `…`; a wide character is never split."""
    if text.isascii() and len(text) <= width:
        return text.ljust(width) if align == "left" else text.rjust(width)
    used = cell_width(text)
    if used > width:
        if width <= 0:
            return ""
        text = _head(text, width - 1) + ELLIPSIS
        used = cell_width(text)
    padding = " " * (width - used)
    return text + padding if align == "left" else padding + text


def shorten_middle(text: str, width: int) -> str:
    """The text in at most `width` cells, with `…` for its middle: commands and paths tell most at both ends."""
    if cell_width(text) <= width:
        return text
    if width <= 0:
        return ""
    tail = _tail(text, (width - 1) // 2)
    return _head(text, width - 1 - cell_width(tail)) + ELLIPSIS + tail


def shorten_command(command: str, width: int) -> str:
    """The command in at most `width` cells: the name of the program is kept, then as many arguments as fit.

    First the directories of the program are left out, `/usr/lib/jvm/bin/java -jar x` → `java -jar x`; then the end.
    """
    if cell_width(command) <= width:
        return command
    if command.startswith("/"):
        program, blank, arguments = command.partition(" ")
        command = program[program.rfind("/") + 1 :] + blank + arguments
    return command if cell_width(command) <= width else fit(command, width)


def shorten_address(address: str, width: int) -> str:
    """The address in at most `width` cells: whole groups of an IPv6 address from both ends, the middle as `…`.

    The beginning names the network and the end the host. Anything else, such as the path of a unix socket, is cut in
    its middle.
    """
    if cell_width(address) <= width:
        return address
    groups = address.split(":")
    head, tail = groups[0], groups[-1]
    if len(groups) < 3 or "/" in address or not address.isascii() or len(head) + len(tail) + 3 > width:
        return shorten_middle(address, width)
    first, last = 1, len(groups) - 2
    while first <= last:
        if len(head) + len(groups[first]) + len(tail) + 4 > width:
            break
        head, first = f"{head}:{groups[first]}", first + 1
        if first <= last and len(head) + len(groups[last]) + len(tail) + 4 <= width:
            tail, last = f"{groups[last]}:{tail}", last - 1
    return f"{head}:{ELLIPSIS}:{tail}"


# --- numbers ---------------------------------------------------------------------------------------------------------


def bytes_(count: float | None) -> str:
    """A size in at most six cells: `999`, `1.0 k`, `12.1 k`, `612 k`, `1.9 M`. A step is 1024."""
    if count is None:
        return UNKNOWN
    if count < 1023.5:
        return f"{count:.0f}"
    value = count
    for unit in "kMGTPE":
        value /= 1024
        if value < 99.95:
            return f"{value:.1f} {unit}"
        if value < 1023.5:
            break
    return f"{value:.0f} {unit}"


def rate(per_second: float | None) -> str:
    """Bytes a second as `bytes_`; `<1` for what moves but hardly, so that 0 means nothing."""
    if per_second is not None and 0 < per_second < 1:
        return "<1"
    return bytes_(per_second)


def unit_aligned(text: str) -> str:
    """A size or rate with blanks where a unit would stand: in a right-aligned column all numbers end in one place."""
    return text if text[-1].isalpha() else text + "  "


def duration(seconds: float | None) -> str:
    """A span of time in at most six cells, its two largest units: `48ms`, `3.2s`, `42s`, `4m10s`, `3h7m`, `2d4h`."""
    if seconds is None or not abs(seconds) < 1e12:  # too long to be one, or not a number
        return UNKNOWN
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms" if seconds > 0 else "0s"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days}d{h}h" if days < 100 else f"{days}d"
    if hours:
        return f"{hours}h{m}m"
    return f"{minutes}m{s}s" if minutes else f"{s}s"


def milliseconds(value: float | None) -> str:
    """Milliseconds to two digits or three, without a unit: `0.04`, `1.2`, `48`, `1200`."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    if value < 0.005:
        return "<0.01"
    if value < 0.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def percent(value: float | None) -> str:
    """A percentage without its sign: `0.1`, `12.5`, `100`."""
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def frequency(per_second: float | None) -> str:
    """How often a second something happens: `0`, `<0.1`, `2.5`, `40`."""
    if per_second is None:
        return UNKNOWN
    if per_second == 0:
        return "0"
    if per_second < 0.05:
        return "<0.1"
    return f"{per_second:.1f}" if per_second < 9.95 else f"{per_second:.0f}"


def time_of_day(when: float | None, now: float | None = None, *, precise: bool = False) -> str:
    """Seconds since the epoch in local time: `14:03:07`, to the millisecond in twelve cells when `precise`.

    A day or more before `now` it is the date, `Nov 20`, and the year where that is not plain: `Nov 2023`.
    """
    if when is None:
        return UNKNOWN
    try:
        local = time.localtime(when)
    except (OverflowError, ValueError, OSError):  # beyond the calendar of the C library
        return UNKNOWN
    if now is not None and now - when >= 86400:
        if precise:
            return time.strftime("%b %d %H:%M", local)
        return time.strftime("%b %d" if now - when < 300 * 86400 else "%b %Y", local)
    clock = f"{local.tm_hour:02}:{local.tm_min:02}:{local.tm_sec:02}"
    return f"{clock}.{int(when % 1 * 1000):03}" if precise else clock


# --- addresses -------------------------------------------------------------------------------------------------------


def endpoint(address: str | None, port: int | str | None) -> str:
    """One end of a connection as ss prints it: `10.0.0.1:443`, `[::1]:https`, `*:443`, `*:*`.

    Port 0 is any port, `*`. An address without a port (None) is not that of an IP socket and stands alone.
    """
    if address is None:
        return f"*:{port or '*'}"
    text = safe(address)
    if port is None:
        return text
    return f"[{text}]:{port or '*'}" if ":" in text else f"{text}:{port or '*'}"


# --- cells -----------------------------------------------------------------------------------------------------------


def _listed(values: tuple[Any, ...]) -> str:
    """The items with blanks between them; an owner of a socket as `comm(pid,fd)`."""
    return " ".join([_owner(v) if isinstance(v, dict) else safe(str(v)) for v in values]) or UNKNOWN


def _owner(owner: Mapping[str, Any]) -> str:
    return f"{safe(owner['comm'] or UNKNOWN)}({owner['pid']},{owner['fd']})"


_FORMATS: Mapping[Kind, Callable[[Any], str]] = {
    Kind.TEXT: safe,
    Kind.ADDRESS: safe,
    Kind.NUMBER: str,
    Kind.PORT: str,
    Kind.BYTES: bytes_,
    Kind.RATE: rate,
    Kind.FREQUENCY: frequency,
    Kind.SECONDS: duration,
    Kind.MILLISECONDS: milliseconds,
    Kind.PERCENT: percent,
    Kind.LIST: _listed,
}
"""How a known value of each kind reads; times depend on the moment they are read at and are made in `formatter`."""

PRECISE_WIDTH = 12
"""A time column this wide shows milliseconds."""


def formatter(field: Field, now: float | None = None) -> Callable[[Any], str]:
    """The function that makes text of the known values of a field: look it up once for a column, then map it."""
    if field.kind is Kind.TIME:
        precise = field.width >= PRECISE_WIDTH
        return lambda when: time_of_day(when, now, precise=precise)
    return _FORMATS[field.kind]


def cell(field: Field, value: Value, width: int | None = None, now: float | None = None) -> str:
    """The text of one value, safe for a terminal; with a width in exactly as many cells, aligned as its kind asks."""
    text = UNKNOWN if value is None else formatter(field, now)(value)
    if width is None:
        return text
    kind = field.kind
    if kind.numeric:
        if (kind is Kind.RATE or kind is Kind.BYTES) and len(text) + 2 <= width:
            text = unit_aligned(text)
        return fit(text, width, "right")
    if kind is Kind.ADDRESS and len(text) > width:
        text = shorten_address(text, width)
    return fit(text, width)
