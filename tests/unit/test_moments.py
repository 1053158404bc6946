"""Times as a person writes them."""

from __future__ import annotations

import contextlib
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop import moments

END = datetime(2026, 5, 17, 14, 30).astimezone().timestamp()
START = END - 3 * 3600


def parsed(text: str) -> float:
    return moments.parse(text, START, END, START + 600)


@pytest.mark.parametrize(
    ("text", "before_end"),
    [
        ("end", 0),
        ("start", 3 * 3600),
        ("now", 3 * 3600 - 600),
        ("end-90s", 90),
        ("start+10m", 3 * 3600 - 600),
        ("START + 1h".replace(" ", ""), 2 * 3600),
        ("-5m", 3 * 3600 - 300),
        ("+1.5m", 3 * 3600 - 690),
        ("14:03", 27 * 60),
        ("14:03:20", 27 * 60 - 20),
        ("9:00", 5.5 * 3600),
        ("14:31", 24 * 3600 - 60),
        ("2026-05-17 14:00", 1800),
        ("2026-05-17T14:00:30", 1770),
        (f"{END - 7:.0f}", 7),
    ],
)
def test_a_time_is_understood(text: str, before_end: float) -> None:
    assert END - parsed(text) == pytest.approx(before_end)


@pytest.mark.parametrize("text", ["", "noon", "25:00", "14:61", "5m", "end-5", "1", "2026-13-01", "end--5m", "\x1b[2J"])
def test_what_is_none_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write") as raised:
        parsed(text)
    assert str(raised.value).isprintable()


@given(st.text(max_size=30))
def test_whatever_is_written_it_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parsed(text), float)


def test_a_time_is_written_as_it_can_be_read() -> None:
    assert parsed(moments.write(END - 100)) == END - 100
