"""Screens that stay when they are closed open as if they were new; what lies behind a dialog goes on."""

from __future__ import annotations

import gc
import weakref

import pytest

from nettop.snapshot import ProcessRow
from nettop.tui.details import DetailScreen
from nettop.tui.drawing import theme
from tests.support import rows
from tests.support.screen import Seen, opened


def page(seen: Seen) -> DetailScreen:
    """The page that is open."""
    screen = seen.app.screen
    assert isinstance(screen, DetailScreen)
    return screen


class TestPages:
    async def test_the_screen_of_the_last_page_shows_the_next(self) -> None:
        async with opened(None, (120, 40), "e") as seen:
            before, first = page(seen), seen.lines()[0]
            await seen.press("escape", "j", "e")
            assert page(seen) is before
            assert seen.lines()[0] != first

    async def test_it_opens_at_its_top_with_nothing_chosen(self) -> None:
        async with opened(None, (120, 40), "e") as seen:
            new = seen.text()
            await seen.press("down", "end", "escape", "e")
            assert seen.text() == new

    async def test_closed_it_keeps_nothing_of_the_picture_alive(self) -> None:
        async with opened(None, (120, 40), "e") as seen:
            subject = weakref.ref(page(seen).subject)
            await seen.press("escape")
            await seen.show(rows.snapshot([], [], sequence=2))
            gc.collect()
            assert subject() is None

    async def test_it_fits_a_terminal_whose_size_changed_meanwhile(self) -> None:
        async with opened(None, (120, 40), "e", "escape") as seen:
            await seen.pilot.resize_terminal(90, 30)
            await seen.press("e")
            lines = seen.lines()
            assert {len(line) for line in lines} == {90}
            assert len(lines) == 30
            assert "Esc back" in lines[-1]


class TestColours:
    @pytest.mark.parametrize("key", ["colon", "e"])
    async def test_what_was_open_before_opens_in_the_colours_chosen_since(self, key: str) -> None:
        async with opened(None, (120, 40), key, "escape") as seen:
            await seen.press("colon", *"theme light", "enter", key)
            styles = [style for line in range(40) for _, style in seen.styles(line) if style]
            assert theme.LIGHT.look.key.color in {style.color for style in styles}
            assert theme.DARK.look.key.color not in {style.color for style in styles}


class TestOverlays:
    @pytest.mark.parametrize("key", ["colon", "s", "o", "K"])
    async def test_the_list_goes_on_behind_a_dialog(self, key: str) -> None:
        def picture(comm: str) -> list[ProcessRow]:
            return [rows.process_row(id=n, pid=n, comm=comm, command=comm) for n in range(100, 140)]

        async with opened(rows.snapshot([], picture("before")), (140, 40), key) as seen:
            assert seen.app.screen is not seen.main
            assert "before" in seen.lines()[-2]
            await seen.show(rows.snapshot([], picture("after"), sequence=2))
            assert "after" in seen.lines()[-2]
            await seen.press("escape")
            assert seen.app.screen is seen.main
            assert "before" not in seen.text()
