"""Times as a person writes them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

FORMS = "14:03, 14:03:20, 2026-05-17 14:03, start+10m, end-90s, or seconds since the epoch"
"""What `parse` takes, for help and errors."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_OFFSET = re.compile(r"(?P<base>start|end|now)?(?P<sign>[-+])(?P<number>\d{1,9}(?:\.\d{1,3})?)(?P<unit>[smhd])")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?")
_EPOCH = re.compile(r"\d{9,11}(?:\.\d{1,9})?")


def parse(text: str, start: float, end: float, now: float) -> float:
    """Seconds since the epoch of a time in a recording from `start` to `end`; `now` is what offsets without a base
    count from. A time of day is the last one before the end, by the clock of this machine. Raises ValueError with a
    sentence."""
    written = text.strip().lower()
    bases = {"start": start, "end": end, "now": now}
    if written in bases:
        return bases[written]
    if offset := _OFFSET.fullmatch(written):
        span = float(offset["number"]) * _UNITS[offset["unit"]]
        return bases[offset["base"] or "now"] + (span if offset["sign"] == "+" else -span)
    if _EPOCH.fullmatch(written):
        return float(written)
    try:
        if _CLOCK.fullmatch(written):
            return _of_day(written, end)
        return datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text.strip()[:40]!r} is no time; write {FORMS}") from None


def _of_day(written: str, end: float) -> float:
    """The last moment of that time of day that is not after `end`; where that is before all, the reader says so."""
    hours, minutes, *seconds = written.split(":")
    clock = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds[0]) if seconds else 0.0)
    if clock >= timedelta(days=1) or int(minutes) > 59:
        raise ValueError(written)
    last = datetime.fromtimestamp(end).astimezone()
    moment = last.replace(hour=0, minute=0, second=0, microsecond=0) + clock
    if moment > last:
        moment -= timedelta(days=1)
    return moment.timestamp()


def write(time: float) -> str:
    """A time by the clock of this machine: 2026-05-17 14:03:20."""
    return f"{datetime.fromtimestamp(time).astimezone():%Y-%m-%d %H:%M:%S}"
