"""The palette finds everything one can do by name, and does it."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from textual import events

from nettop.config import DEFAULTS
from nettop.tui.dialogs.palette import Entry, PaletteScreen, entries, matching
from tests.support.screen import Seen, opened


def offered(seen: Seen, typed: str) -> list[str]:
    """What the palette offers for what is typed, by name."""
    return [entry.name for entry in matching(entries(seen.main), typed)]


async def chosen(seen: Seen, typed: str) -> None:
    """Type into the palette and take the first thing it offers."""
    await seen.press("colon", *("space" if letter == " " else letter for letter in typed), "enter")
    await seen.pilot.pause()
    await seen.settle()


class TestOpening:
    @pytest.mark.parametrize("key", ["colon", "ctrl+p"])
    async def test_its_keys_open_it_and_escape_closes_it(self, key: str) -> None:
        async with opened(None, (120, 40), key) as seen:
            assert isinstance(seen.app.screen, PaletteScreen)
            assert "freeze the picture" in seen.text()
            await seen.press("escape")
            assert not isinstance(seen.app.screen, PaletteScreen)

    @pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 50)])
    async def test_it_fits_the_screen(self, size: tuple[int, int]) -> None:
        async with opened(None, size, "colon") as seen:
            lines = seen.lines()
            assert all(len(line) == size[0] for line in lines)
            assert any("╭" in line and "╮" in line for line in lines)
            assert any("Esc closes" in line and "╯" in line for line in lines)

    async def test_nothing_is_left_of_it(self) -> None:
        async with opened(None, (120, 40)) as seen:
            before = seen.lines()
            await seen.press("colon", "x", "escape")
            assert seen.lines() == before

    async def test_a_colon_is_a_letter_of_a_filter(self) -> None:
        async with opened(None, (120, 40), "slash", *"comm", "colon", *"ng") as seen:
            assert seen.app.screen is seen.main
            assert seen.main.pane.filter_text == "comm:ng"


class TestFinding:
    async def test_every_command_is_there_by_its_name_with_its_key(self) -> None:
        async with opened() as seen:
            listed = {entry.name: entry for entry in entries(seen.main)}
            for command in seen.main.commands.values():
                assert listed[command.name].help == command.help
                assert listed[command.name].key == command.shown
                assert offered(seen, command.name)[0] == command.name

    async def test_what_cannot_be_done_is_not_there(self) -> None:
        async with opened(config=dataclasses.replace(DEFAULTS, read_only=True)) as seen:
            assert "signal" not in [entry.name for entry in entries(seen.main)]

    @pytest.mark.parametrize(
        ("typed", "first"),
        [
            ("free", "freeze"),
            ("FREE", "freeze"),
            ("sort right", "sort_right"),
            ("by rtt", "sort by rtt"),
            ("light", "theme light"),
            ("interval 0.25", "interval 0.25"),
            ("frz", "freeze"),
        ],
    )
    async def test_what_is_typed_finds(self, typed: str, first: str) -> None:
        async with opened(None, (120, 40), "2") as seen:
            assert offered(seen, typed)[0] == first

    def test_names_come_before_helps_and_both_before_letters_in_order(self) -> None:
        made = [
            Entry(name, help_, "", print)
            for name, help_ in [("thaw", "not freeze"), ("far zone", ""), ("refreeze", ""), ("freeze", "")]
        ]
        assert [entry.name for entry in matching(made, "freeze")] == ["freeze", "refreeze", "thaw"]
        assert [entry.name for entry in matching(made, "frz")] == ["far zone", "refreeze", "freeze"]
        assert matching(made, "quux") == []
        assert matching(made, "") == made

    @pytest.mark.parametrize("typed", ["interval 0", "interval 1e9", "interval x", "interval nan"])
    async def test_an_interval_that_cannot_be_is_not_offered(self, typed: str) -> None:
        async with opened() as seen:
            assert typed not in offered(seen, typed)


class TestTyping:
    async def test_backspace_control_w_and_control_u_take_back(self) -> None:
        async with opened(None, (120, 40), "colon", *"sort", "space", *"rxx", "backspace") as seen:
            assert ": sort rx " in seen.lines()[3]
            await seen.press("ctrl+w")
            assert ": sort " in seen.lines()[3]
            await seen.press("ctrl+u")
            assert ": sort" not in seen.lines()[3]

    async def test_what_is_pasted_is_typed_and_harmless(self) -> None:
        async with opened(None, (120, 40), "colon") as seen:
            seen.app.screen.post_message(events.Paste("fre\x1b[31m\nze" + "x" * 500))
            await seen.settle()
            assert "\x1b" not in seen.text()
            assert ": fre" in seen.lines()[3]

    async def test_the_cursor_moves_and_stays_on_the_list(self) -> None:
        async with opened(
            None, (120, 40), "colon", *"sort_", "up", "down", "down", "up", "pagedown", "pagedown"
        ) as seen:
            await seen.press("pageup", "pageup", "down", "enter")
            await seen.settle()
            assert seen.main.pane.order.field.name != "rate"


class TestDoing:
    async def test_enter_does_what_is_marked(self) -> None:
        async with opened() as seen:
            await chosen(seen, "freeze")
            assert seen.app.screen is seen.main
            assert seen.main.frozen

    async def test_nothing_is_done_where_nothing_is_found(self) -> None:
        async with opened(None, (120, 40), "colon", *"quux", "enter") as seen:
            assert isinstance(seen.app.screen, PaletteScreen)

    async def test_keys_that_arrive_in_one_piece_are_not_lost(self) -> None:
        async with opened() as seen:
            for key in ("colon", *"freeze", "enter"):
                seen.app.post_message(events.Key(key, ":" if key == "colon" else key if len(key) == 1 else None))
            async with asyncio.timeout(10):
                while not seen.main.frozen:
                    await seen.pilot.pause(0.01)

    async def test_it_sorts_by_any_field_of_the_view(self) -> None:
        async with opened(None, (120, 40), "2") as seen:
            await chosen(seen, "sort by min_rtt")
            assert str(seen.main.pane.order) == "-min_rtt"
            await chosen(seen, "sort by local")
            assert str(seen.main.pane.order) == "local"

    async def test_it_applies_filters_of_the_settings_where_their_fields_are(self) -> None:
        config = dataclasses.replace(DEFAULTS, filters={"slow": "rtt>1ms", "mine": "user:root"})
        async with opened(config=config) as seen:
            await chosen(seen, "filter mine")
            assert (seen.main.pane.view.name, seen.main.pane.filter_text) == ("processes", "user:root")
            await chosen(seen, "filter slow")
            assert (seen.main.pane.view.name, seen.main.pane.filter_text) == ("connections", "rtt>1ms")
            await seen.press("1")
            assert seen.main.pane.filter_text == "user:root"

    async def test_it_changes_the_interval(self) -> None:
        async with opened() as seen:
            await chosen(seen, "interval 0.25")
            assert seen.source.interval == 0.25

    async def test_a_click_does_what_it_is_on_and_one_beside_the_list_closes_it(self) -> None:
        async with opened(None, (120, 40), "colon", *"freeze") as seen:
            await seen.pilot.click("#palette", offset=(5, 2))
            await seen.pilot.pause()
            await seen.settle()
            assert seen.main.frozen
            await seen.press("colon")
            await seen.pilot.click(offset=(2, 38))
            await seen.settle()
            assert seen.app.screen is seen.main
