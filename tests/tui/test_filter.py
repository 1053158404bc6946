"""The filter applies as it is typed, says where it does not parse, and belongs to its pane."""

from __future__ import annotations

import pytest

from nettop.snapshot import Snapshot
from tests.support import rows
from tests.support.screen import opened


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
