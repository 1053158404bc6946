"""What the value of a comparison means for a field of each kind: numbers with units, ports, addresses, times."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from nettop.fields import Kind
from nettop.query.address import address_number, network
from nettop.query.syntax import QueryError, Term

UNKNOWN = "-"
"""As a whole unquoted value: the field is not known."""

Span = tuple[float, float]
"""From and to, both included."""

_RANGE = re.compile(r"(-?[^-]+)-(-?[^-]+)")
_QUANTITY = re.compile(r"(-?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([a-z/%]*)")
_INTEGER = re.compile(r"-?[0-9]+|0x[0-9a-f]+")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")

_IPV4 = set("0123456789.")
_IPV6 = set("0123456789abcdefABCDEF:.")

_SIZES: Mapping[str, float] = {
    "": 1,
    "b": 1,
    **{
        letter + ending: 1024**power
        for power, letter in enumerate("kmgtpe", start=1)
        for ending in ("", "b", "i", "ib")
    },
}
_SPANS: Mapping[str, float] = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

_EXAMPLES: Mapping[Kind, str] = {
    Kind.NUMBER: "a whole number",
    Kind.PORT: "a port or the name of a service",
    Kind.BYTES: "a size, as 1500, 10k or 1.5MB",
    Kind.RATE: "bytes a second, as 10k or 1.5MB",
    Kind.FREQUENCY: "a number a second, as 0.5",
    Kind.SECONDS: "a time, as 90, 5m or 2d4h",
    Kind.MILLISECONDS: "milliseconds, as 50, 0.3 or 2s",
    Kind.PERCENT: "a percentage",
    Kind.TIME: "a time, as 14:03, 14:03:07, -5m (ago) or seconds since the epoch",
}


def number(term: Term, kind: Kind) -> float:
    """The number a value means for a numeric kind (but TIME), in the unit of the field; QueryError where none."""
    found = _port(term.text) if kind is Kind.PORT else _number(term.text.lower(), kind)
    if found is None:
        raise QueryError(f"{term.text!r} is not {_EXAMPLES[kind]}", term.column)
    return found


def span(term: Term, kind: Kind) -> Span:
    """As `number`, or low-high; one number is a span from it to itself."""
    parse = _port if kind is Kind.PORT else lambda text: _number(text.lower(), kind)
    single = parse(term.text)
    if single is not None:
        return single, single
    ends = _ends(term)
    if ends is None:
        return (number(term, kind),) * 2  # which tells what is wrong
    low, high = number(ends[0], kind), number(ends[1], kind)
    if low > high:
        raise QueryError(f"the range {term.text} runs backwards", term.column)
    return low, high


def address_span(term: Term) -> Span | None:
    """The part of the line of `nettop.query.address` that an address, a CIDR or low-high covers.

    None for what cannot be an address, such as the path of a unix socket; QueryError for a slip in one.
    """
    text = term.text
    covered = network(text)
    if covered is not None:
        return covered
    low, _, high = text.partition("-")
    first, last = address_number(low), address_number(high)
    if first is not None and last is not None:
        if first > last:
            raise QueryError(f"the range {text} runs backwards", term.column)
        return first, last
    characters = set(text.partition("/")[0])
    if characters and (characters <= _IPV4 or (":" in characters and characters <= _IPV6)):
        raise QueryError(f"{text!r} is not an address; a : before it looks for a part of one", term.column)
    return None


Moment = Callable[[float], float]
"""now → seconds since the epoch: times of day and times ago depend on when the rows were read."""


def moment(term: Term) -> tuple[Moment, float]:
    """The moment a value of kind TIME means and how long it lasts, in seconds: 14:03 is a minute long."""
    text = term.text
    if clock := _CLOCK.fullmatch(text):
        hour, minute, second = (int(part or 0) for part in clock.groups())
        return _today(hour, minute, second), 1.0 if clock[3] else 60.0
    if text.startswith("-") and (ago := _number(text[1:].lower(), Kind.SECONDS)) is not None:
        return (lambda now: now - ago), 1.0
    epoch = _number(text, Kind.FREQUENCY)
    if epoch is None:
        raise QueryError(f"{text!r} is not {_EXAMPLES[Kind.TIME]}", term.column)
    return (lambda _now: epoch), 1.0


def moments(term: Term) -> tuple[Moment, Moment]:
    """The beginning (included) and the end (not included) of a moment or of low-high."""
    ends = None if _CLOCK.fullmatch(term.text) else _ends(term)
    first, last = ends or (term, term)
    begin, _ = moment(first)
    end, lasting = moment(last)
    return begin, lambda now: end(now) + lasting


def _today(hour: int, minute: int, second: int) -> Moment:
    @lru_cache(maxsize=1)  # every row of a picture asks with the same now
    def at(now: float) -> float:
        day = time.localtime(now)
        return time.mktime((day.tm_year, day.tm_mon, day.tm_mday, hour, minute, second, 0, 0, -1))

    return at


def _ends(term: Term) -> tuple[Term, Term] | None:
    """low-high in its two parts."""
    found = _RANGE.fullmatch(term.text)
    if not found:
        return None
    return Term(found[1], term.column), Term(found[2], term.column + found.start(2))


def _port(text: str) -> float | None:
    """A port as ss takes it: 443, :443, https, :https."""
    text = text.removeprefix(":")
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return socket.getservbyname(text)
    except (OSError, ValueError):  # unknown to /etc/services; not even text that C would take
        return None


def _number(text: str, kind: Kind) -> float | None:
    if kind is Kind.NUMBER:
        return int(text, 0 if text.startswith("0x") else 10) if _INTEGER.fullmatch(text) else None
    if kind is Kind.SECONDS:
        return _duration(text, "s")
    if kind is Kind.MILLISECONDS:
        seconds = _duration(text, "ms")
        return None if seconds is None else seconds * 1000
    found = _QUANTITY.fullmatch(text)
    if not found:
        return None
    factor = _factor(found[2], kind)
    return None if factor is None else float(found[1]) * factor


def _factor(unit: str, kind: Kind) -> float | None:
    """What one of that unit is in the unit of the field."""
    if kind is Kind.BYTES:
        return _SIZES.get(unit)
    if kind is Kind.RATE:
        return _SIZES.get(unit.removesuffix("/s"))
    allowed = ("", "%") if kind is Kind.PERCENT else ("", "/s")
    return 1 if unit in allowed else None


def _duration(text: str, default_unit: str) -> float | None:
    """Seconds: 90, 5m, 2d4h; a number without a unit counts in the default one."""
    sign = -1 if text.startswith("-") else 1
    text = text.removeprefix("-")
    total, at = 0.0, 0
    while at < len(text):
        part = _QUANTITY.match(text, at)
        if not part or (part[2] or default_unit) not in _SPANS or (not part[2] and part.end() < len(text)):
            return None
        total += float(part[1]) * _SPANS[part[2] or default_unit]
        at = part.end()
    return sign * total if text else None
