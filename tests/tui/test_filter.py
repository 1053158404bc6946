"""The filter applies as it is typed, says where it does not parse, and belongs to its pane."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from textual.events import Key
from textual.widgets import Input

from nettop.config import Config
from nettop.snapshot import Snapshot
from nettop.tui.dialogs.prompt import PromptLine, remember
from tests.support import rows
from tests.support.screen import Seen, opened


def three() -> Snapshot:
    return rows.snapshot(
        [
            rows.connection(id=n, pid=n, start_time=n, comm=comm, rx_rate=100.0 - n)
            for n, comm in enumerate(("nginx", "sshd", "postgres"))
        ],
        [rows.process_row(id=n, pid=n, comm=comm, command=comm) for n, comm in enumerate(("nginx", "sshd"))],
    )


@pytest.mark.parametrize("key", ["slash", "f4"])
async def test_it_applies_with_every_letter(key: str) -> None:
    async with opened(three(), (120, 24), "2", key) as seen:
        counts = []
        for letter in "ss":
            await seen.press(letter)
            counts.append(len(seen.main.pane.ids))
        assert counts == [3, 1]


async def test_enter_keeps_it_and_shows_it_in_the_title() -> None:
    async with opened(three(), (120, 24), "2", "slash", "s", "s", "h", "enter") as seen:
        assert "filter ssh" in seen.lines()[3]
        assert "1/1 of 3" in seen.lines()[3]
        await seen.press("j")
        assert seen.main.pane.filter_text == "ssh"


async def test_opening_it_again_goes_on_from_the_text() -> None:
    async with opened(three(), (120, 24), "2", "slash", "s", "enter", "slash", "s", "h", "enter") as seen:
        assert seen.main.pane.filter_text == "ssh"


async def test_deleting_the_text_shows_everything() -> None:
    async with opened(three(), (120, 24), "2", "slash", "s", "s", "backspace", "backspace", "enter") as seen:
        assert len(seen.main.pane.ids) == 3
        assert "no filter" in seen.lines()[3]


async def test_text_that_does_not_parse_keeps_the_last_good_filter_and_says_where() -> None:
    async with opened(three(), (120, 24), "2", "slash", *"ssh )") as seen:
        assert seen.main.pane.ids == [1]
        line = seen.styles(3)
        assert any("! " in text for text, _ in line)
        assert any(text == ")" and style and style.reverse for text, style in line)
        await seen.press("backspace")
        assert not any("! " in text for text, _ in seen.styles(3))


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_what_is_wrong_takes_the_room_there_is_and_is_cut_with_a_sign(width: int) -> None:
    async with opened(three(), (width, 24), "2", "slash", *"nginx rate>x") as seen:
        line = seen.lines()[3]
        assert " nginx rate>x " in line
        assert "! 'x' is not bytes a second, as 10k or" in line
        assert line.rstrip().endswith(("…", "1.5MB"))
        await seen.press("backspace", *"1k ")
        assert len(seen.lines()[3]) == width


async def test_letters_that_are_keys_elsewhere_are_typed() -> None:
    async with opened(three(), (120, 24), "2", "slash", *"q1sIZ?") as seen:
        assert seen.app.screen is seen.main
        assert "q1sIZ?" in seen.lines()[3]
        assert not seen.main.frozen


async def test_every_pane_has_its_own() -> None:
    async with opened(three(), (120, 24), "2", "slash", *"ssh", "enter", "1") as seen:
        assert "no filter" in seen.lines()[3]
        assert len(seen.main.pane.ids) == 2
        await seen.press("2")
        assert "filter ssh" in seen.lines()[3]


async def test_the_cursor_stays_on_its_row_while_that_matches() -> None:
    async with opened(three(), (120, 24), "2", "j", "slash", *"s") as seen:
        row = seen.main.pane.row
        assert row is not None
        assert row.process.comm == "sshd"


async def test_new_rows_are_filtered_as_they_come() -> None:
    async with opened(three(), (120, 24), "2", "slash", *"ssh", "enter") as seen:
        more = [rows.connection(id=n, comm=comm) for n, comm in enumerate(("nginx", "sshd", "bash", "ssh-agent"))]
        await seen.show(rows.snapshot(more, sequence=2))
        assert sorted(seen.main.pane.ids) == [1, 3]


class TestSuggestions:
    @pytest.mark.parametrize("key", ["tab", "right"])
    async def test_a_field_is_completed(self, key: str) -> None:
        async with opened(three(), (120, 24), "2", "slash", *"com") as seen:
            assert "Tab comm:" in seen.lines()[3]
            await seen.press(key)
            assert "filter comm:" in seen.lines()[3]

    async def test_a_value_that_rows_have_is_completed(self) -> None:
        async with opened(three(), (120, 24), "2", "slash", *"comm:") as seen:
            await values(seen)
            assert "Tab nginx  sshd  postgres" in seen.lines()[3]
            await seen.press("p", "tab", "enter")
            assert seen.main.pane.filter_text == "comm:postgres"
            assert seen.main.pane.ids == [2]

    async def test_a_word_finds_the_field_it_is_a_value_of(self) -> None:
        async with opened(three(), (120, 24), "2", "slash", *"sshd") as seen:
            await values(seen)
            assert "comm=sshd" in seen.lines()[3]

    async def test_they_are_never_in_the_way_of_enter(self) -> None:
        async with opened(three(), (120, 24), "2", "slash", *"ss", "enter") as seen:
            assert seen.main.pane.filter_text == "ss"

    async def test_what_is_not_finished_yet_is_suggested_and_not_complained_of(self) -> None:
        async with opened(three(), (120, 24), "2", "slash", *"rate>") as seen:
            assert "Tab 1k" in seen.lines()[3]
            assert "! " not in seen.lines()[3]
            await seen.press("x")
            assert "! 'x' is not bytes a second" in seen.lines()[3]

    async def test_right_moves_the_cursor_while_there_is_something_to_the_right(self) -> None:
        async with opened(three(), (120, 24), "2", "slash", *"com", "left", "right") as seen:
            assert seen.main.query_one(Input).value == "com"

    async def test_saved_filters_are_offered_by_name(self) -> None:
        config = Config(filters={"slow": "rtt>200ms", "shell": "comm:sshd"})
        async with opened(three(), (120, 24), "2", config=config) as seen:
            await seen.press("slash", *"sh", "tab", "enter")
            assert seen.main.pane.filter_text == "comm:sshd"

    async def test_a_hostile_name_is_not_suggested(self) -> None:
        picture = rows.snapshot([rows.connection(id=1, comm="\x1b[31mred"), rows.connection(id=2, comm="nginx")])
        async with opened(picture, (120, 24), "2", "slash", *"comm:") as seen:
            await values(seen)
            assert "Tab nginx" in seen.lines()[3]
            assert "red" not in seen.lines()[3]


class TestHistory:
    async def test_up_brings_back_what_was_typed_before_and_down_returns(self) -> None:
        async with opened(three(), (120, 24), "2", "slash", *"ssh", "enter", "escape") as seen:
            await seen.press("slash", *"ngi", "enter", "escape", "slash", "p", "up")
            assert seen.main.pane.filter_text == "ngi"
            await seen.press("up")
            assert seen.main.pane.filter_text == "ssh"
            await seen.press("up")
            assert seen.main.pane.filter_text == "ssh"
            await seen.press("down", "down")
            assert seen.main.pane.filter_text == "p"

    async def test_every_view_has_its_own(self) -> None:
        async with opened(three(), (120, 24), "2", "slash", *"ssh", "enter", "1", "slash", "up") as seen:
            assert seen.main.pane.filter_text == ""

    def test_what_is_typed_again_stands_there_once(self) -> None:
        past: list[str] = []
        for typed in ("a", "b", "", "a"):
            remember(past, typed)
        assert past == ["b", "a"]


async def test_all_of_a_filter_may_arrive_in_one_piece() -> None:
    async with opened(three(), (120, 24), "2") as seen:
        for key in ("slash", *"sshd", "enter"):
            seen.app.post_message(Key(key, key if len(key) == 1 else None))
        await until(lambda: seen.main.pane.filter_text == "sshd")
        await seen.settle()
        assert not seen.main.typing
        assert seen.main.pane.ids == [1]


async def test_an_expression_that_takes_too_long_is_marked_and_the_filter_before_stays() -> None:
    evil = rows.snapshot([rows.connection(id=1, comm="a" * 40 + "!"), rows.connection(id=2, comm="nginx")])
    async with opened(evil, (120, 24), "2", "slash", *"ngi", "enter") as seen:
        await seen.press("slash", *["backspace"] * 3, *"comm~(a+)+$")
        assert "takes too long" in seen.lines()[3]
        assert seen.main.pane.filter_text != "comm~(a+)+$"
        await seen.press("enter", "j")
        assert seen.app.is_running


async def values(seen: Seen) -> None:
    """Wait until the values of fields have been counted."""
    await until(lambda: not seen.main.query_one(PromptLine).collecting)
    await seen.settle()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something, five seconds at most."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
