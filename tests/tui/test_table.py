"""The table keeps its columns in line, whatever the rows hold and however wide the terminal is."""

from __future__ import annotations

import dataclasses
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from nettop.fields import VIEWS
from nettop.order import parse_sort
from nettop.tui.drawing.columns import columns_of
from nettop.tui.drawing.layout import Layout
from nettop.tui.drawing.place import place
from nettop.tui.drawing.theme import ASCII, DARK, UNICODE
from tests.support import rows
from tests.support.screen import machine, opened

HOSTILE = (
    "\x1b[2J\x1b[31mred",
    "\x9b31m",
    "new\nline\ttab\rreturn",
    "[bold red]markup[/]",
    "漢字漢字漢字漢字漢字",
    "\u202eright-to-left",
    "e\u0301\u0301\u0301",
    "zero\u200bwidth\u2060joiner",
    "👩‍👩‍👧‍👦 family",
    "\ud800 surrogate",
    "",
)


def placed(view: str, width: int, sample: list[object]) -> dict[str, int]:
    return {p.column.field.name: p.width for p in place(VIEWS[view], sample, rows.NOW, width)}


class TestHostileNames:
    @pytest.mark.parametrize("name", HOSTILE)
    async def test_a_name_neither_acts_on_the_terminal_nor_shifts_a_column(self, name: str) -> None:
        picture = rows.snapshot(
            [rows.connection(id=1, comm=name, container=name), rows.connection(id=2, comm="nginx")],
            [rows.process_row(id=1, comm=name, command=name, container=name), rows.process_row(id=2, pid=9)],
            [rows.namespace_row(id=1, name=name)],
        )
        async with opened(picture, (160, 24)) as seen:
            for key in ("1", "2", "3"):
                await seen.press(key)
                for line in seen.lines():
                    assert not any(unicodedata.category(character).startswith("C") for character in line)
                    assert cell_len(line) == 160
            await seen.press("3", "enter")
            assert all(cell_len(line) == 160 for line in seen.lines())

    @settings(suppress_health_check=[HealthCheck.too_slow], max_examples=200)
    @given(st.text(max_size=40), st.integers(58, 200))
    def test_every_row_is_exactly_as_wide_as_the_table(self, name: str, width: int) -> None:
        row = rows.process_row(comm=name, command=name, container=name, unit=name, user=name)
        view = VIEWS["processes"]
        layout = Layout(place(view, [row], rows.NOW, width - 1), parse_sort("rate", view), width, DARK.look, UNICODE)
        for strip in (layout.draw(row, rows.NOW), layout.draw_cursor(row, rows.NOW), layout.header):
            assert sum(segment.cell_length for segment in strip) == width


class TestColumns:
    def test_an_address_and_its_port_share_a_column(self) -> None:
        columns = columns_of(VIEWS["connections"], ["local", "lport", "remote", "rport", "pid"])
        assert [column.field.name for column in columns] == ["local", "remote", "pid"]
        row = rows.connection(local="::1", lport=443, remote=None, rport=None)
        assert columns[0].text(row, rows.NOW)[1] == "[::1]:443"

    def test_an_end_without_a_name_is_not_a_wildcard(self) -> None:
        column = columns_of(VIEWS["connections"], ["remote", "rport"])[0]
        assert column.text(rows.connection(remote=None, rport=None), rows.NOW)[1] == "-"
        assert column.text(rows.connection(remote="0.0.0.0", rport=0), rows.NOW)[1] == "0.0.0.0:*"

    def test_a_listener_waits_for_anybody(self) -> None:
        column = columns_of(VIEWS["connections"], ["remote", "rport"])[0]
        listener = rows.connection(state="LISTEN", lport=443, remote="0.0.0.0", rport=None)
        assert column.text(listener, rows.NOW)[1] == "0.0.0.0:*"

    def test_a_column_that_says_nothing_makes_room(self) -> None:
        def shown(width: int, **row: str) -> bool:
            return "container" in placed("processes", width, [rows.process_row(command="x" * 60, **row)])

        assert not shown(119)
        assert shown(119, container="0123456789ab")
        assert shown(200)

    def test_a_port_alone_is_a_column_of_its_own(self) -> None:
        assert [c.field.name for c in columns_of(VIEWS["connections"], ["lport", "pid"])] == ["lport", "pid"]

    def test_80_columns_tell_who_talks_to_whom_how_fast_and_what_holds_it_up(self) -> None:
        shown = placed("connections", 79, list(rows.many_connections(200)))
        assert list(shown) == ["state", "local", "remote", "rx_rate", "tx_rate", "limit", "pid", "comm"]

    def test_wide_screens_show_every_default_column(self) -> None:
        for view in VIEWS.values():
            if view.name != "events":
                wanted = {name for name in view.columns if name not in ("lport", "rport")}
                assert set(placed(view.name, 200, [])) == wanted

    @pytest.mark.parametrize("width", range(59, 200, 7))
    @pytest.mark.parametrize("view", ["processes", "connections", "namespaces"])
    def test_columns_never_take_more_than_there_is(self, view: str, width: int) -> None:
        sample = list(getattr(machine(), view).values())
        assert sum(w + 1 for w in placed(view, width, sample).values()) <= width

    def test_a_long_ipv6_address_keeps_its_port_and_both_its_ends(self) -> None:
        column = columns_of(VIEWS["connections"], ["remote", "rport"])[0]
        row = rows.connection(family="inet6", remote="2001:db8:aaaa:bbbb:cccc:dddd:eeee:1234", rport=8443)
        text = column.text(row, rows.NOW, 22)[1]
        assert text.startswith("[2001:")
        assert text.endswith(":8443")
        assert cell_len(text) == 22

    async def test_every_field_can_be_scrolled_to_and_the_row_is_still_known(self) -> None:
        picture = rows.snapshot([rows.connection(local="10.9.8.7", lport=80)])
        async with opened(picture, (80, 24), "2", "right") as seen:
            seen_titles = seen.lines()[4]
            assert seen_titles.split()[:2] == ["LOCAL", "REMOTE"]
            assert "PROTO" not in seen_titles
            assert "1 column to the left" in seen.lines()[3]
            for _ in range(60):
                await seen.press("right")
                seen_titles += seen.lines()[4]
                assert "10.9.8.7:80" in seen.rows()[0]
            for field in VIEWS["connections"].fields.values():
                assert field.title in seen_titles or field.name in ("proto", "lport", "rport")
            await seen.press(*["left"] * 60)
            assert "PROTO" in seen.lines()[4]

    async def test_columns_do_not_move_when_values_grow(self) -> None:
        picture = rows.snapshot([rows.connection(id=n, comm="x", rx_rate=1.0) for n in range(3)])
        grown = rows.snapshot(
            [rows.connection(id=n, comm="a-longer-name", rx_rate=9e9, recvq=1 << 30) for n in range(3)], sequence=2
        )
        async with opened(picture, (120, 24), "2") as seen:
            header = seen.lines()[4]
            await seen.show(grown)
            assert seen.lines()[4] == header


class TestScreen:
    async def test_resizing_places_the_columns_anew(self) -> None:
        async with opened(None, (160, 50), "2") as seen:
            assert "RECVQ" in seen.lines()[4]
            await seen.pilot.resize_terminal(80, 24)
            await seen.settle()
            assert len(seen.lines()) == 24
            assert "RECVQ" not in seen.lines()[4]
            assert "REMOTE" in seen.lines()[4]

    async def test_resizing_keeps_the_cursor_in_sight(self) -> None:
        async with opened(machine(processes=60), (120, 50), *["j"] * 40) as seen:
            await seen.pilot.resize_terminal(120, 22)
            await seen.settle()
            pane = seen.main.pane
            assert str(pane.rows[pane.ids[40]].process.pid) in seen.cursor()

    @pytest.mark.parametrize("size", [(59, 24), (80, 19), (20, 5)])
    async def test_a_terminal_that_is_too_small_is_told_so(self, size: tuple[int, int]) -> None:
        async with opened(None, size) as seen:
            assert "too small" in seen.text()
            await seen.pilot.resize_terminal(80, 24)
            await seen.settle()
            assert "too small" not in seen.text()
            assert "PID" in seen.lines()[4]

    async def test_ascii_stands_in_where_the_locale_has_no_more(self) -> None:
        async with opened(None, (120, 24), "N", utf8=False) as seen:
            text = "\n".join([*seen.lines()[:5], seen.lines()[-1]])
            assert text.isascii()
            assert "^PID" in text

    async def test_no_color_uses_attributes_only(self) -> None:
        async with opened(None, (120, 24), "N", environ={"NO_COLOR": "1"}) as seen:
            styles = [style for line in range(4, 23) for _, style in seen.styles(line) if style]
            assert all(style.color is None for style in styles)
            assert any(style.reverse for style in styles)

    async def test_an_empty_list_says_why(self) -> None:
        async with opened(rows.snapshot(), (120, 24), "2") as seen:
            assert "no connections here" in seen.rows()[0]
            await seen.press("slash", "x")
            assert "no row matches the filter" in seen.rows()[0]

    async def test_a_click_moves_the_cursor_and_the_wheel_too(self) -> None:
        async with opened() as seen:
            await seen.pilot.click("#table", offset=(10, 4))
            assert seen.main.pane.line == 3
            await seen.pilot._post_mouse_events(  # noqa: SLF001  # the pilot has no wheel of its own
                [_scroll_down()], "#table", (5, 5), button=0
            )
            assert seen.main.pane.line == 6

    async def test_rows_that_tell_an_age_are_drawn_with_every_picture(self) -> None:
        row = rows.process_row(started=rows.NOW - 5)
        picture = rows.snapshot(processes=[row])
        async with opened(picture, (120, 24), "T") as seen:
            assert "5.0s" in seen.rows()[0]
            await seen.show(dataclasses.replace(picture, sequence=2, time=rows.NOW + 60))
            assert "1m5s" in seen.rows()[0]

    @pytest.mark.parametrize("signs", [UNICODE, ASCII])
    def test_the_sort_mark_fits_the_narrowest_column(self, signs: object) -> None:
        view = VIEWS["processes"]
        row = rows.process_row()
        layout = Layout(place(view, [row], rows.NOW, 119), parse_sort("-state", view), 120, DARK.look, signs)  # type: ignore[arg-type]
        assert sum(segment.cell_length for segment in layout.header) == 120


def _scroll_down() -> type:
    from textual.events import MouseScrollDown

    return MouseScrollDown
