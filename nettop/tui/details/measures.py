"""Numbers and their units apart, so that a column of figures is aligned where the unit begins."""

from __future__ import annotations

from nettop import format as text

Measure = tuple[str, str]
"""(number, unit)."""

UNKNOWN: Measure = (text.UNKNOWN, "")


def size(count: float | None) -> Measure:
    """Bytes: `12.1`, `kB`."""
    number, _, letter = text.bytes_(count).partition(" ")
    return UNKNOWN if count is None else (number, f"{letter}B")


def speed(per_second: float | None) -> Measure:
    """Bytes a second: `1.9`, `MB/s`."""
    number, _, letter = text.rate(per_second).partition(" ")
    return UNKNOWN if per_second is None else (number, f"{letter}B/s")


def span(microseconds: float | None) -> Measure:
    """A time of the network: `1.2`, `ms`; from ten seconds on `12`, `s`."""
    if microseconds is None:
        return UNKNOWN
    if microseconds >= 10_000_000:
        return (f"{microseconds / 1e6:.0f}", "s")
    return (text.milliseconds(microseconds / 1000), "ms")


def often(per_second: float | None) -> Measure:
    """How often a second: `2.5`, `/s`."""
    return UNKNOWN if per_second is None else (text.frequency(per_second), "/s")


def count(number: int | None) -> Measure:
    """`1,200`."""
    return UNKNOWN if number is None else (f"{number:,}", "")


def share(percent: float | None) -> Measure:
    """`12.5`, `%`."""
    return UNKNOWN if percent is None else (text.percent(percent), "%")


def said(measure: Measure) -> str:
    """Both as one text: `1.9 MB/s`."""
    return " ".join(measure).strip()
