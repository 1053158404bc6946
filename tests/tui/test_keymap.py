"""The settings give commands other keys, written as a person writes them."""

from __future__ import annotations

import dataclasses

import pytest

from nettop.config import DEFAULTS, Config, ConfigError
from nettop.tui.commands import COMMANDS
from nettop.tui.keymap import parse_key, remapped, write_key
from tests.support.screen import opened


def keys(**given: str) -> Config:
    """Settings that give commands keys, blanks between several."""
    return dataclasses.replace(DEFAULTS, keys={name: tuple(written.split()) for name, written in given.items()})


class TestWriting:
    @pytest.mark.parametrize(
        ("written", "key"),
        [
            ("K", "K"),
            ("?", "question_mark"),
            ("-", "minus"),
            (",", "comma"),
            (" ", "space"),
            ("Space", "space"),
            ("F7", "f7"),
            ("Ctrl-x", "ctrl+x"),
            ("ctrl+X", "ctrl+x"),
            ("C-x", "ctrl+x"),
            ("^X", "ctrl+x"),
            ("^I", "tab"),
            ("Shift-Left", "shift+left"),
            ("shift+tab", "shift+tab"),
            ("S-k", "K"),
            ("Esc", "escape"),
            ("PgUp", "pageup"),
            ("page_up", "pageup"),
            ("question_mark", "question_mark"),
        ],
    )
    def test_a_key_is_known_however_it_is_written(self, written: str, key: str) -> None:
        assert parse_key(written) == key

    @pytest.mark.parametrize("written", ["", "foo", "F99", "Alt-x", "M-x", "Ctrl-?", "\x1b", "Hyper-x"])
    def test_what_is_no_key_is_refused_with_a_word_about_it(self, written: str) -> None:
        with pytest.raises(ValueError, match=r"there is no key|Alt does not|Ctrl goes with"):
            parse_key(written)

    def test_every_key_of_the_program_can_be_written(self) -> None:
        for command in COMMANDS:
            for key in command.keys.split(","):
                assert parse_key(write_key(key)) == key


class TestGiving:
    async def test_another_key_takes_the_place_of_the_usual_ones(self) -> None:
        async with opened(config=keys(freeze="F9 Ctrl-x", signal="!")) as seen:
            await seen.press("Z")
            assert not seen.main.frozen
            await seen.press("f9")
            assert seen.main.frozen
            await seen.press("ctrl+x")
            assert not seen.main.frozen

    async def test_two_commands_can_change_places(self) -> None:
        async with opened(config=keys(freeze="p", hold="Z")) as seen:
            await seen.press("Z")
            assert seen.main.pane.hold
            assert not seen.main.frozen
            await seen.press("p")
            assert seen.main.frozen

    async def test_help_footer_and_palette_show_it(self) -> None:
        async with opened(None, (120, 40), config=keys(filter="F9 ;", signal="!")) as seen:
            assert "F9 filter" in seen.lines()[-1]
            await seen.press("colon", *"filter")
            assert "F9 ;" in seen.text()

    async def test_a_key_that_is_typed_as_a_letter_still_is_one(self) -> None:
        async with opened(config=keys(freeze="x")) as seen:
            await seen.press("slash", "x")
            assert not seen.main.frozen
            assert seen.main.pane.filter_text == "x"

    async def test_control_c_quits_whatever_the_key_of_quit_is(self) -> None:
        async with opened(config=keys(quit="Q")) as seen:
            await seen.press("q")
            assert seen.app.is_running
            await seen.pilot.press("ctrl+c")
            await seen.pilot.pause()
            assert seen.app.return_code == 0


class TestRefusing:
    @pytest.mark.parametrize(
        ("config", "said"),
        [
            (keys(frieze="F9"), "keys: there is no command 'frieze'; did you mean freeze?"),
            (keys(zzzzzz="F9"), "keys: there is no command 'zzzzzz'; `nettop config` lists them"),
            (keys(freeze="F99"), "keys: freeze: there is no key 'F99'; write K, F7, Ctrl-x, Shift-Left, Space ..."),
            (keys(freeze="k"), "keys: freeze: k is the key of up; give one of them another"),
            (keys(up="Z"), "keys: up: Z is the key of freeze; give one of them another"),
            (keys(freeze="^C"), "keys: freeze: ^C is the key of quit; give one of them another"),
            (keys(freeze="^Z"), "keys: freeze: ^Z is the key of suspend; give one of them another"),
        ],
    )
    def test_what_cannot_be_is_said(self, config: Config, said: str) -> None:
        with pytest.raises(ConfigError) as raised:
            remapped(COMMANDS, config.keys)
        assert str(raised.value) == said
