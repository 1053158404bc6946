"""What the terminal gets to see: harmless text in exact columns, and numbers a person can read."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop import format as fmt
from nettop.fields import CONNECTIONS, EVENTS, NAMESPACES, PROCESSES, VIEWS, Value
from tests.support.rows import NOW, connection, event, many_connections, namespace_row, process_row, snapshot

ANYTHING = st.text(st.characters(exclude_categories=[]))
"""Lone surrogates included: they come from os.fsdecode."""


@given(ANYTHING)
def test_nothing_that_acts_on_a_terminal_gets_through(text: str) -> None:
    shown = fmt.safe(text)
    assert shown.isprintable()
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert len(shown) == len(text)
    assert fmt.safe(shown) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nginx: worker process", "nginx: worker process"),
        ("\x1b[31mred\x1b[0m", "?[31mred?[0m"),
        ("two\nlines\tand\x7f\x9b1m", "two?lines?and??1m"),
        ("\u202egnp.exe", "?gnp.exe"),
        ("a\u200bb\u2066c\ufe0fd\u2028e", "a?b?c?d?e"),
        ("a\u00a0b\u3000c", "a b c"),
        ("\udcff\ue000\ufffd", "???"),
        ("wörker 日本 é", "wörker 日本 é"),
    ],
)
def test_harmful_characters_are_replaced_one_by_one(text: str, shown: str) -> None:
    assert fmt.safe(text) == shown


@given(ANYTHING, st.integers(0, 40), st.sampled_from(["left", "right"]))
def test_fit_takes_exactly_the_cells_it_is_given(text: str, width: int, align: fmt.Align) -> None:
    assert fmt.cell_width(fmt.fit(fmt.safe(text), width, align)) == width


@given(ANYTHING, st.integers(0, 40))
def test_shortened_text_never_exceeds_its_cells(text: str, width: int) -> None:
    for shorten in (fmt.shorten_middle, fmt.shorten_address):
        shown = shorten(fmt.safe(text), width)
        assert fmt.cell_width(shown) <= width
        assert shown == fmt.safe(text) or fmt.ELLIPSIS in shown or width == 0


def test_the_widths_are_those_of_the_library_that_paints() -> None:
    from rich.cells import cell_len

    for text in ("plain", "日本語", "é", "e\u0301", "한국", "ﾊﾝｶｸ", "Привет", "🚀", "नमस्ते", "…", "▲"):
        assert fmt.cell_width(text) == cell_len(text), text


def test_a_wide_character_is_never_split() -> None:
    assert fmt.fit("日本語", 4) == "日… "
    assert fmt.fit("日本語", 5) == "日本…"
    assert fmt.fit("日本語", 1, "right") == "…"


def test_both_ends_of_a_command_stay_and_whole_groups_of_an_address() -> None:
    assert fmt.shorten_middle("/usr/lib/postgresql/15/bin/postgres", 17) == "/usr/lib…postgres"
    assert fmt.shorten_address("2001:db8:85a3::8a2e:370:7334", 20) == "2001:db8:…:370:7334"
    assert fmt.shorten_address("2001:db8:85a3::8a2e:370:7334", 13) == "2001:…:7334"
    assert fmt.shorten_address("203.0.113.255", 15) == "203.0.113.255"
    assert fmt.shorten_address("/run/user/1000/bus:a:b", 12) == "/run/u…s:a:b"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "-"),
        (0, "0"),
        (999, "999"),
        (1023, "1023"),
        (1024, "1.0 k"),
        (12_390, "12.1 k"),
        (102_399, "100 k"),
        (626_688, "612 k"),
        (1024**2 - 1, "1.0 M"),
        (1_992_294, "1.9 M"),
        (5 * 1024**4, "5.0 T"),
        (2**64, "16.0 E"),
    ],
)
def test_sizes_count_in_1024(count: int | None, shown: str) -> None:
    assert fmt.bytes_(count) == shown


@given(st.integers(0, 2**64))
def test_a_size_takes_at_most_six_cells_and_never_four_digits_before_a_unit_but_1023(count: int) -> None:
    shown = fmt.unit_aligned(fmt.bytes_(count))
    assert len(shown) <= 6
    assert float(shown.split()[0]) <= 1023


def test_a_trickle_is_not_nothing() -> None:
    assert [fmt.rate(x) for x in (None, 0.0, 0.2, 1.0, 12_390.4)] == ["-", "0", "<1", "1", "12.1 k"]
    assert [fmt.frequency(x) for x in (None, 0.0, 0.01, 2.5, 40.0)] == ["-", "0", "<0.1", "2.5", "40"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (float("inf"), "-"),
        (0, "0s"),
        (0.048, "48ms"),
        (0.9999, "1.0s"),
        (3.21, "3.2s"),
        (9.97, "10s"),
        (59.7, "1m0s"),
        (250, "4m10s"),
        (3599.9, "1h0m"),
        (11_220, "3h7m"),
        (187_200, "2d4h"),
        (86400 * 123, "123d"),
    ],
)
def test_a_span_of_time_shows_its_two_largest_units(seconds: float | None, shown: str) -> None:
    assert fmt.duration(seconds) == shown


@given(st.floats(0, 86400 * 9999))
def test_a_span_of_time_takes_at_most_six_cells(seconds: float) -> None:
    assert len(fmt.duration(seconds)) <= 6


def test_milliseconds_and_percentages_show_the_digits_that_matter() -> None:
    assert [fmt.milliseconds(x) for x in (None, 0, 0.001, 0.04, 0.999, 1.2, 9.96, 48.3, 1200.4)] == [
        "-", "0", "<0.01", "0.04", "1.0", "1.2", "10", "48", "1200",
    ]  # fmt: skip
    assert [fmt.percent(x) for x in (None, 0.0, 12.34, 99.96, 1600.0)] == ["-", "0.0", "12.3", "100", "1600"]


def test_a_time_is_a_clock_today_and_a_date_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        assert fmt.time_of_day(NOW + 0.5) == "22:13:20"
        assert fmt.time_of_day(NOW + 0.5, NOW + 60, precise=True) == "22:13:20.500"
        assert fmt.time_of_day(NOW, NOW + 2 * 86400) == "Nov 14"
        assert fmt.time_of_day(NOW, NOW + 2 * 86400, precise=True) == "Nov 14 22:13"
        assert fmt.time_of_day(NOW, NOW + 400 * 86400) == "Nov 2023"
        assert fmt.time_of_day(1e30) == "-"
        assert fmt.time_of_day(None) == "-"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("address", "port", "shown"),
    [
        ("10.0.0.1", 443, "10.0.0.1:443"),
        ("::1", 443, "[::1]:443"),
        ("::", 0, "[::]:*"),
        (None, None, "*:*"),
        (None, 443, "*:443"),
        ("/run/docker.sock", None, "/run/docker.sock"),
        ("@\x1b[2J", None, "@?[2J"),
    ],
)
def test_an_end_reads_as_in_ss(address: str | None, port: int | None, shown: str) -> None:
    assert fmt.endpoint(address, port) == shown


def test_a_cell_is_aligned_as_its_kind_asks() -> None:
    fields = CONNECTIONS.fields
    assert fmt.cell(fields["comm"], "nginx", 8) == "nginx   "
    assert fmt.cell(fields["lport"], 443, 5) == "  443"
    assert fmt.cell(fields["rx_rate"], 12_390.4, 8) == "  12.1 k"
    assert fmt.cell(fields["rx_rate"], 12.0, 8) == "    12  "
    assert fmt.cell(fields["rx_rate"], None, 8) == "     -  "
    assert fmt.cell(fields["container"], None, 4) == "-   "
    assert fmt.cell(fields["rx_rate"], 12.0) == "12"
    assert fmt.cell(fields["remote"], "2001:db8:85a3::8a2e:370:7334", 15) == "2001:db8:…:7334"
    assert fmt.cell(PROCESSES.fields["cpu"], 1.53, 5) == "  1.5"


def test_owners_and_lists_read_in_one_line() -> None:
    owners: Value = ({"pid": 12, "comm": "ng\ninx", "fd": 3}, {"pid": 13, "comm": None, "fd": 3})
    assert fmt.cell(CONNECTIONS.fields["owners"], owners) == "ng?inx(12,3) -(13,3)"
    assert fmt.cell(NAMESPACES.fields["interfaces"], ("lo", "eth0")) == "lo eth0"
    assert fmt.cell(NAMESPACES.fields["interfaces"], ()) == "-"


def test_every_field_of_every_view_fits_its_column() -> None:
    picture = snapshot(
        [*many_connections(30), connection(id=99, comm="\x1b]0;owned\x07", local=None, remote="@\x00x", lport=None)],
        [process_row(command="a\nb" * 99)],
        [namespace_row()],
        [event(comm="\u202e")],
    )
    for view in VIEWS.values():
        for row in view.rows(picture):
            for field in view.fields.values():
                shown = fmt.cell(field, field.get(row, NOW), field.width, NOW)
                assert fmt.cell_width(shown) == field.width
                assert shown.isprintable()


def test_the_time_of_an_event_has_milliseconds_and_that_of_a_start_has_not() -> None:
    assert len(fmt.cell(EVENTS.fields["time"], NOW, None, NOW)) == 12
    assert len(fmt.cell(PROCESSES.fields["started"], NOW, None, NOW)) == 8
