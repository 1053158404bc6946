"""A search goes to rows that match and hides none."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from textual.strip import Strip

from nettop.fields import CONNECTIONS
from nettop.query import parse
from nettop.snapshot import Snapshot
from nettop.tui.lists.search import Search
from tests.support import rows
from tests.support.screen import Seen, machine, opened

NAMES = ("nginx", "sshd", "postgres", "sshd", "envoy", "sshd")


def some() -> Snapshot:
    return rows.snapshot(
        [rows.connection(id=n, pid=n, start_time=n, comm=name, rx_rate=100.0 - n) for n, name in enumerate(NAMES)]
    )


def underlined(seen: Seen, line: int) -> str:
    """What is underlined in a line of the table."""
    return "".join(text for text, style in seen.styles(5 + line) if style and style.underline)


@pytest.mark.parametrize("key", ["f", "f3", "shift+f3"])
async def test_the_cursor_goes_to_the_first_match_with_every_letter(key: str) -> None:
    async with opened(some(), (120, 24), "2", key, "s") as seen:
        lines = []
        for letter in "sh":
            await seen.press(letter)
            lines.append(seen.main.pane.line)
        assert lines == [1, 1]
        assert len(seen.main.pane.ids) == len(NAMES)


async def test_a_longer_text_is_looked_for_from_where_one_was() -> None:
    async with opened(some(), (120, 24), "2", "f", *"p") as seen:
        assert seen.main.pane.line == 0  # tcp
        await seen.press(*"ost")
        assert seen.main.pane.line == 2


async def test_keys_go_on_while_it_is_typed_and_afterwards() -> None:
    async with opened(some(), (120, 24), "2", "f", *"sshd") as seen:
        visited = []
        for key in ("down", "f3", "up", "enter", "f3", "shift+f3"):
            await seen.press(key)
            visited.append(seen.main.pane.line)
        assert visited == [3, 5, 3, 3, 5, 3]
        assert not seen.main.typing
        assert seen.lines()[3].startswith(" search sshd")


async def test_it_says_when_it_went_round() -> None:
    async with opened(some(), (120, 24), "2", "f", *"postgres", "f3") as seen:
        assert seen.main.pane.line == 2
        assert "went on from the top" in seen.lines()[-1]
        await seen.press("shift+f3")
        assert "went on from the end" in seen.lines()[-1]


async def test_it_says_when_nothing_matches_and_stays() -> None:
    async with opened(some(), (120, 24), "2", "j", "f", *"zz") as seen:
        assert "no row matches what is looked for" in seen.lines()[-1]
        assert seen.main.pane.line == 1


async def test_matches_in_sight_are_underlined() -> None:
    async with opened(some(), (120, 24), "2", "f", *"ssh", "enter") as seen:
        assert [underlined(seen, line) for line in range(6)] == ["", "ssh", "", "ssh", "", "ssh"]


async def test_whole_rows_are_underlined_where_what_matches_is_not_in_sight() -> None:
    picture = rows.snapshot([rows.connection(id=1, comm="a", fd=3), rows.connection(id=2, comm="b", fd=4)])
    async with opened(picture, (80, 24), "2", "f", *"fd>3", "enter") as seen:
        assert underlined(seen, 0) == ""
        assert underlined(seen, 1).split()[0] == "tcp"


async def test_escape_ends_it_and_leaves_the_filter() -> None:
    async with opened(some(), (120, 24), "2", "slash", *"tcp", "enter", "f", *"ssh", "enter", "escape") as seen:
        assert seen.main.pane.search is None
        assert underlined(seen, 1) == ""
        assert seen.main.pane.filter_text == "tcp"


async def test_text_that_does_not_parse_says_why() -> None:
    async with opened(some(), (120, 24), "2", "f", *"ssh )") as seen:
        assert "! there is no ( for this )" in seen.lines()[3]


async def test_letters_of_keys_are_typed() -> None:
    async with opened(some(), (120, 24), "2", "f", *"f/l") as seen:
        assert "search f/l" in seen.lines()[3]


async def test_it_takes_long_lists_in_slices() -> None:
    async with opened(machine(connections=20_000), (120, 24), "2", "f", *"zz", "enter") as seen:
        assert "no row matches" in seen.lines()[-1] or seen.main.pane.search
        assert seen.main.pane.line == 0


@pytest.mark.parametrize(
    ("looked_for", "line", "found"),
    [
        ("ssh", " x sshd y ssh", ["ssh", "ssh"]),
        ("SSH", " x sshd SSH", ["SSH"]),
        ("漢", " x 漢字 y", ["漢"]),
        ("comm=a.c", " abc a.c", ["a.c"]),
        ("!comm:a b", " a b", ["b"]),
    ],
)
def test_exactly_the_words_are_marked(looked_for: str, line: str, found: list[str]) -> None:
    search = Search(parse(looked_for, CONNECTIONS), 0)
    middle = len(line) // 2
    strip = Strip([Segment(line[:middle]), Segment(line[middle:])])
    marked = search.marked(strip)
    assert marked.text == line
    pieces: list[str] = []
    before = False
    for segment in marked:
        under = bool(segment.style and segment.style.underline)
        if under and before:
            pieces[-1] += segment.text
        elif under:
            pieces.append(segment.text)
        before = under
    assert pieces == found
