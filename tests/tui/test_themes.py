"""Every theme can be read, tells nothing by colour alone, and is worn by Textual's own widgets too."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from rich.color import Color, ColorSystem
from rich.style import Style

from nettop import config
from nettop.config import DEFAULTS
from nettop.tui.drawing.theme import ANSI, ASCII, COLORBLIND, DARK, LIGHT, MONO, THEMES, UNICODE, Look, Theme, theme_for
from nettop.tui.terminal import Depth
from tests.support.screen import Seen, opened

PAINTED = [theme for theme in THEMES.values() if theme.depth == 256]


def styles(look: Look) -> dict[str, Style]:
    return {field.name: getattr(look, field.name) for field in dataclasses.fields(look)}


def luminance(color: Color | None) -> float:
    """WCAG 2.1, relative luminance."""
    assert color is not None
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in color.get_truecolor().normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(style: Style) -> float:
    """WCAG 2.1, contrast ratio of a text with what is behind it."""
    low, high = sorted((luminance(style.color), luminance(style.bgcolor)))
    return (high + 0.05) / (low + 0.05)


def sent(seen: Seen) -> list[Style]:
    """Every style on the screen."""
    return [style for line in range(len(seen.lines())) for _, style in seen.styles(line) if style]


def without_hold(seen: Seen) -> list[str]:
    """The lines, without the word that the order is held: it goes some seconds after the cursor has moved."""
    return [line.replace("= held", " " * len("= held")) for line in seen.lines()]


@pytest.mark.parametrize("theme", PAINTED, ids=lambda theme: theme.name)
class TestPainted:
    def test_every_text_stands_out_from_what_is_behind_it(self, theme: Theme) -> None:
        for name, style in styles(theme.look).items():
            assert contrast(style) >= 4.5, name

    def test_the_row_under_the_cursor_and_the_open_tab_stand_out(self, theme: Theme) -> None:
        look = theme.look
        assert look.cursor.bgcolor != look.text.bgcolor
        assert look.active.bgcolor != look.band.bgcolor

    def test_textuals_widgets_get_the_same_numbers_of_the_palette(self, theme: Theme) -> None:
        look, widgets = theme.look, theme.widgets
        for shade, color in (
            (widgets.background, look.text.bgcolor),
            (widgets.foreground, look.text.color),
            (widgets.panel, look.band.bgcolor),
            (widgets.primary, look.key.color),
            (widgets.variables["block-cursor-background"], look.cursor.bgcolor),
        ):
            assert shade
            assert color
            assert Color.parse(shade).downgrade(ColorSystem.EIGHT_BIT).number == color.number


def test_the_light_theme_is_light_and_the_others_dark() -> None:
    assert {theme.name: luminance(theme.look.text.bgcolor) > 0.5 for theme in PAINTED} == {
        "dark": False,
        "light": True,
        "colorblind": False,
    }


def test_without_red_and_green_colors_still_differ() -> None:
    """What red-blind eyes see: red and green as one (their mean, by what each adds to the luminance)."""

    def seen_by_protanopes(style: Style) -> tuple[float, float]:
        assert style.color
        red, green, blue = style.color.get_truecolor()
        return (0.3 * red + 0.7 * green, float(blue))

    look = COLORBLIND.look
    for one, other in itertools.combinations((look.rx, look.tx, look.good, look.warning, look.alarm), 2):
        (yellow, blue), (yellow_too, blue_too) = seen_by_protanopes(one), seen_by_protanopes(other)
        assert abs(yellow - yellow_too) + abs(blue - blue_too) > 25


def test_mono_has_no_color_but_tells_the_same_things_apart() -> None:
    for style in styles(MONO.look).values():
        assert style.color is None
        assert style.bgcolor is None
    for name in ("cursor", "alarm", "active", "header", "strong", "warning", "key"):
        assert getattr(MONO.look, name) != MONO.look.text


def test_ansi_has_but_the_first_eight_colors() -> None:
    for style in styles(ANSI.look).values():
        for color in (style.color, style.bgcolor):
            assert color is None or (color.number is not None and color.number < 8)


@pytest.mark.parametrize(
    ("wanted", "depth", "theme"),
    [
        ("auto", 256, DARK),
        ("auto", 16, ANSI),
        ("auto", 0, MONO),
        ("light", 256, LIGHT),
        ("light", 16, ANSI),
        ("colorblind", 0, MONO),
        ("ansi", 256, ANSI),
        ("ansi", 0, MONO),
        ("mono", 256, MONO),
    ],
)
def test_a_terminal_gets_no_more_colors_than_it_has(wanted: str, depth: Depth, theme: Theme) -> None:
    assert theme_for(wanted, depth) is theme


def test_the_settings_know_every_theme() -> None:
    assert {"auto", *THEMES} == set(config.THEMES)


def test_each_sign_has_a_stand_in_of_the_same_width() -> None:
    for field in dataclasses.fields(UNICODE):
        sign, stand_in = getattr(UNICODE, field.name), getattr(ASCII, field.name)
        assert stand_in.isascii()
        assert len(sign) == len(stand_in) or field.name in ("rx", "tx")
    gutter = [getattr(ASCII, name) for name in ("tag", "own", "ended", "new", "gone", "grown")]
    assert len(set(gutter)) == len(gutter)


class TestOnTheScreen:
    @pytest.mark.parametrize("keys", [["2"], ["2", "s"], ["2", "slash", "t"], ["colon"], ["question_mark"]])
    @pytest.mark.parametrize("name", ["mono", "ansi"])
    async def test_nothing_has_a_color_the_theme_does_not_have(self, name: str, keys: list[str]) -> None:
        allowed = {
            color.number
            for style in styles(THEMES[name].look).values()
            for color in (style.color, style.bgcolor)
            if color is not None and not color.is_default
        }
        async with opened(None, (100, 30), *keys, config=dataclasses.replace(DEFAULTS, theme=name)) as seen:
            for style in sent(seen):
                for color in (style.color, style.bgcolor):
                    assert color is None or color.is_default or color.number in allowed, (style, keys)

    @pytest.mark.parametrize("name", ["light", "colorblind", "ansi", "mono", "dark"])
    async def test_the_palette_changes_all_of_the_screen_at_once(self, name: str) -> None:
        async with opened(None, (100, 30), "2", "j", "j") as seen:
            before = without_hold(seen)
            await seen.press("colon", *"theme", "space", *name, "enter")
            await seen.pilot.pause()
            await seen.settle()
            look = THEMES[name].look
            assert without_hold(seen) == before
            assert seen.app.theme == THEMES[name].widgets.name
            known = {(style.color, style.bgcolor) for style in styles(look).values()}
            for style in sent(seen):
                pair = tuple(None if c is None or c.is_default else c for c in (style.color, style.bgcolor))
                assert pair in known
            await seen.press("j")
            assert seen.main.pane.line == 3

    async def test_only_themes_the_terminal_can_show_are_offered(self) -> None:
        async with opened(None, (100, 30), "colon", *"theme", environ={"NO_COLOR": "1"}) as seen:
            assert "theme mono" in seen.text()
            assert "theme ansi" not in seen.text()
            assert "theme dark" not in seen.text()
