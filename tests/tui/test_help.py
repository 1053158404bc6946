"""The help tells every key, field, sign and word, also on a narrow screen, and harmlessly."""

from __future__ import annotations

import dataclasses

import pytest

from nettop.fields import VIEWS
from nettop.model import Health
from nettop.query import parse
from nettop.tui.commands import COMMANDS
from nettop.tui.dialogs.help import FILTERS, HelpScreen, help_lines
from nettop.tui.drawing.line import cells
from nettop.tui.drawing.theme import ASCII, DARK, UNICODE, Signs
from tests.support.screen import opened

ABSENT = Health("sock_diag:sctp", "absent", "this kernel cannot list sctp sockets", "modprobe sctp_diag", 1)


def chapters(width: int = 120, signs: Signs = UNICODE, *health: Health) -> dict[str, list[str]]:
    """The lines of each chapter of the help on connections."""
    made = help_lines(COMMANDS, VIEWS["connections"], health, width, DARK.look, signs)
    return {title: ["".join(segment.text for segment in line) for line in lines] for title, lines in made}


@pytest.mark.parametrize("width", range(60, 200, 7))
def test_it_fits_every_width(width: int) -> None:
    made = help_lines(COMMANDS, VIEWS["connections"], [ABSENT], width, DARK.look, UNICODE)
    assert all(cells(line) <= width for _, lines in made for line in lines)


async def test_its_own_keys_are_told_whole_or_not_at_all() -> None:
    async with opened(None, (60, 20), "?") as seen:
        assert seen.lines()[-1].rstrip().endswith("scroll")


def test_every_command_is_there_with_its_keys() -> None:
    told = "\n".join(line for title, lines in chapters(200).items() if title.startswith("Keys") for line in lines)
    for command in COMMANDS:
        assert command.shown in told
        assert command.help in told


def test_so_are_those_every_program_of_a_terminal_knows() -> None:
    told = "\n".join(chapters(120)["Keys: nettop"])
    assert "^C" in told
    assert "^Z" in told


def test_every_field_is_there() -> None:
    told = "\n".join(chapters(300)["Fields of connections"])
    for field in VIEWS["connections"].fields.values():
        assert field.name in told
        assert field.help in told


def test_every_word_of_limit_is_explained() -> None:
    words = VIEWS["connections"].fields["limit"].help.partition(": ")[2].split()
    assert [line.split()[0] for line in chapters(200)["LIMIT: why it is not faster"]] == words


@pytest.mark.parametrize("example", [example for example, _ in FILTERS])
def test_every_example_of_a_filter_parses(example: str) -> None:
    parse(example, VIEWS["connections"])


@pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_signs_are_those_of_the_screen(signs: Signs) -> None:
    told = "\n".join(chapters(120, signs)["Signs before a row"])
    for name in ("tag", "own", "ended", "new", "gone", "grown"):
        assert getattr(signs, name) in told


def test_it_lists_what_this_kernel_cannot_show_and_what_would_help() -> None:
    lines = chapters(200, UNICODE, ABSENT)["What cannot be seen here, or only in part"]
    assert lines == [" sock_diag:sctp  absent: this kernel cannot list sctp sockets; try: modprobe sctp_diag"]


def test_what_a_source_says_is_made_harmless() -> None:
    hostile = ABSENT._replace(source="x\x1b[31m", reason="a\nb\x07" + "long " * 90)
    for line in chapters(80, UNICODE, hostile)["What cannot be seen here, or only in part"]:
        assert line.isprintable()


class TestScreen:
    @pytest.mark.parametrize("key", ["tab", "n"])
    async def test_tab_leads_from_chapter_to_chapter(self, key: str) -> None:
        async with opened(None, (80, 24), "question_mark") as seen:
            assert isinstance(seen.app.screen, HelpScreen)
            first = seen.lines()[1]
            await seen.press(key)
            assert seen.lines()[1].startswith(" Keys: ")
            assert seen.lines()[1] != first
            await seen.press("shift+tab")
            assert seen.lines()[1] == first

    async def test_it_tells_where_the_settings_are(self) -> None:
        async with opened(None, (100, 24), "question_mark", "end", environ={"HOME": "/home/u"}) as seen:
            assert "/home/u/.config/nettop/config.toml" in seen.text()

    async def test_what_is_degraded_since_is_told_at_once(self) -> None:
        async with opened(None, (100, 24), "question_mark", "end") as seen:
            await seen.show(dataclasses.replace(seen.main.latest, sequence=9, health=[ABSENT]))
            await seen.press("end")
            assert "modprobe sctp_diag" in seen.text()
