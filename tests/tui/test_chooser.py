"""Pickers: which columns are shown and in which order, whose rows, and menus one can type in."""

from __future__ import annotations

import re

import pytest

from nettop.config import Config
from nettop.fields import VIEWS
from nettop.snapshot import Snapshot
from nettop.tui.dialogs.chooser import Choice
from tests.support import rows
from tests.support.screen import Seen, opened


def titles(seen: Seen) -> list[str]:
    """The header of the table, without the sign of the order."""
    return seen.lines()[4].replace("▲", " ").replace("▼", " ").split()


class TestColumns:
    async def test_every_field_is_listed_with_its_help(self) -> None:
        async with opened(None, (120, 60), "3", "o") as seen:
            assert "columns of namespaces" in seen.text()
            for field in VIEWS["namespaces"].fields.values():
                assert re.search(rf"{re.escape(field.title)} +{field.name} ", seen.text())
                assert field.help[:40] in seen.text()

    async def test_only_the_names_of_those_shown_stand_out(self) -> None:
        async with opened(None, (120, 70), "3", "o", "end") as seen:
            bold = {run.strip(): bool(style and style.bold) for y in range(70) for run, style in seen.styles(y)}
            assert [is_bold for run, is_bold in bold.items() if re.match(r"\[x\] KIND +kind$", run)] == [True]
            assert [is_bold for run, is_bold in bold.items() if re.match(r"\[ \] NSID +nsid$", run)] == [False]
            assert not any(is_bold for run, is_bold in bold.items() if VIEWS["namespaces"].fields["kind"].help == run)

    async def test_space_hides_a_column_and_shows_another(self) -> None:
        async with opened(None, (120, 40), "3", "o", "down", "space", "end", "space", "enter") as seen:
            assert "KIND" not in titles(seen)
            assert "MACHINE" in titles(seen)

    @pytest.mark.parametrize(
        ("ahead", "back"), [("right_square_bracket", "left_square_bracket"), ("shift+down", "shift+up")]
    )
    async def test_brackets_and_shifted_arrows_move_a_column(self, ahead: str, back: str) -> None:
        async with opened(None, (120, 40), "3", "o", ahead, ahead, back, "enter") as seen:
            assert titles(seen)[:3] == ["KIND", "NAME", "NETNS"]

    async def test_escape_changes_nothing(self) -> None:
        async with opened(None, (120, 40), "3") as seen:
            before = seen.lines()
            await seen.press("o", "space", "escape")
            assert seen.lines() == before

    async def test_r_returns_to_the_default(self) -> None:
        async with opened(None, (120, 40), "3") as seen:
            before = seen.lines()[4]
            await seen.press("o", "space", "right_square_bracket", "enter")
            assert seen.lines()[4] != before
            await seen.press("o", "r", "enter")
            assert seen.lines()[4] == before
            assert seen.main.pane.columns is None

    async def test_the_choice_holds_for_the_view_wherever_one_is(self) -> None:
        async with opened(None, (120, 40), "2", "o", "space", "enter") as seen:
            assert "PROTO" not in titles(seen)
            await seen.press("1")
            assert "USER" in titles(seen)
            await seen.press("3", "j", "enter")
            assert seen.main.pane.view.name == "connections"
            assert "PROTO" not in titles(seen)

    async def test_the_settings_may_have_chosen(self) -> None:
        config = Config(columns={"connections": ("state", "remote", "rport", "user")})
        async with opened(None, (120, 40), "2", config=config) as seen:
            assert titles(seen) == ["STATE", "REMOTE", "USER"]

    async def test_words_are_looked_for_in_the_columns_that_are_shown(self) -> None:
        picture = rows.snapshot([rows.connection(id=1, congestion="bbr"), rows.connection(id=2)])
        config = Config(columns={"connections": ("local", "congestion")})
        async with opened(picture, (120, 24), "2", "slash", *"bbr", "enter", config=config) as seen:
            assert seen.main.pane.ids == [1]

    async def test_what_was_chosen_besides_stays_longest_on_a_narrow_screen(self) -> None:
        config = Config(columns={"connections": (*VIEWS["connections"].columns, "user")})
        async with opened(None, (80, 24), "2", config=config) as seen:
            assert "USER" in titles(seen)
            assert "SENDQ" not in titles(seen)

    async def test_the_list_fits_a_small_screen_and_scrolls(self) -> None:
        async with opened(None, (60, 20), "2", "o", "end") as seen:
            assert "IFACE" in seen.text()
            await seen.press("pageup", "home")
            assert "PROTO" in seen.text()
            assert "Space show" in seen.text()

    def test_the_last_column_stays(self) -> None:
        choice = Choice(VIEWS["events"], ["pid"])
        choice.toggle()
        assert choice.columns == ("pid",)

    def test_a_column_moves_no_further_than_the_ends(self) -> None:
        choice = Choice(VIEWS["events"], ["pid", "kind"])
        choice.carry(-1)
        assert choice.columns == ("pid", "kind")


def of_two_users() -> Snapshot:
    return rows.snapshot(
        [
            rows.connection(id=1, uid=1000, user="web", rx_rate=10.0),
            rows.connection(id=2, uid=70, user="postgres", rx_rate=2048.0),
            rows.connection(id=3, uid=70, user="postgres"),
            rows.connection(id=4, uid=4711, user=None, comm=None),
        ],
        [
            rows.process_row(id=1, uid=1000, user="web", pid=1, rx_rate=10.0),
            rows.process_row(id=2, uid=70, user="postgres", pid=2, rx_rate=2048.0),
        ],
    )


class TestUsers:
    async def test_each_is_listed_with_what_belongs_to_it_the_busiest_first(self) -> None:
        async with opened(of_two_users(), (120, 24), "2", "u") as seen:
            listed = [line.split("│")[1].split() for line in seen.lines() if line.count("│") == 2]
            assert listed[1:-1] == [
                ["USER", "PROCS", "CONN", "RX/s", "TX/s"],
                ["all", "users", "2", "4", "2.0", "k", "0"],
                ["postgres", "1", "2", "2.0", "k", "0"],
                ["web", "1", "1", "10", "0"],
                ["4711", "0", "1", "0", "0"],
            ]

    async def test_all_of_it_fits_a_small_screen(self) -> None:
        picture = rows.snapshot(
            [], [rows.process_row(uid=7, user="a-user-with-a-very-long-name", rx_rate=123e6, tx_rate=123e6)]
        )
        async with opened(picture, (60, 20), "1", "u") as seen:
            listed = [line.split("│")[1].split() for line in seen.lines() if line.count("│") == 2]
            assert listed[-2] == ["a-user-wi…ong-name", "1", "0", "117", "M", "117", "M"]

    @pytest.mark.parametrize(("pane", "shown"), [("1", [2]), ("2", [2, 3])])
    async def test_choosing_one_narrows_the_pane_and_the_title_tells(self, pane: str, shown: list[int]) -> None:
        async with opened(of_two_users(), (120, 24), pane, "u", "down", "enter") as seen:
            assert sorted(seen.main.pane.ids) == shown
            assert "user postgres" in seen.lines()[3]

    async def test_a_name_can_be_typed(self) -> None:
        async with opened(of_two_users(), (120, 24), "2", "u", "w", "enter") as seen:
            assert seen.main.pane.ids == [1]

    async def test_a_user_without_a_name_is_a_number(self) -> None:
        async with opened(of_two_users(), (120, 24), "2", "u", "end", "enter") as seen:
            assert seen.main.pane.ids == [4]
            assert "user 4711" in seen.lines()[3]

    async def test_a_filter_narrows_further_and_escape_clears_it_first(self) -> None:
        async with opened(of_two_users(), (120, 24), "2", "u", "p", "enter", "slash", *"rate>1k", "enter") as seen:
            assert seen.main.pane.ids == [2]
            assert "user postgres filter rate>1k" in seen.lines()[3]
            await seen.press("escape")
            assert sorted(seen.main.pane.ids) == [2, 3]
            await seen.press("escape")
            assert len(seen.main.pane.ids) == 4

    async def test_all_users_takes_it_back(self) -> None:
        async with opened(of_two_users(), (120, 24), "2", "u", "p", "enter", "u", "home", "enter") as seen:
            assert len(seen.main.pane.ids) == 4
            assert "no filter" in seen.lines()[3]

    async def test_what_belongs_to_nobody_says_so(self) -> None:
        async with opened(None, (120, 24), "3", "u") as seen:
            assert "namespaces belong to no user" in seen.lines()[-1]


class TestTypingInAMenu:
    async def test_letters_go_to_what_begins_so(self) -> None:
        async with opened(None, (120, 40), "2", "s", *"rtt", "enter") as seen:
            assert seen.main.pane.order.field.name == "rtt"

    async def test_letters_that_lead_nowhere_are_no_part_of_it(self) -> None:
        async with opened(None, (120, 40), "2", "s", *"rt#m", "enter") as seen:
            assert seen.main.pane.order.field.name == "rtt"

    async def test_j_and_k_move_until_something_is_typed_and_q_closes(self) -> None:
        async with opened(None, (120, 40), "2", "b", "j", "j", "k", "enter") as seen:
            assert seen.main.pane.view.name == "connections by user"
        async with opened(None, (120, 40), "2", "s", "q") as seen:
            assert seen.app.screen is seen.main

    async def test_typing_moves_no_further_than_to_what_is_called_so(self) -> None:
        async with opened(None, (120, 40), "2", "s", *"rx", "enter") as seen:
            assert seen.main.pane.order.field.title == "RX"

    async def test_a_long_menu_tells_where_one_is_and_pages(self) -> None:
        async with opened(None, (60, 20), "2", "s", "home", "pagedown") as seen:
            fields = len(VIEWS["connections"].fields)
            assert f"13/{fields}" in seen.text()
            await seen.press("pagedown", "pageup")
            assert f"13/{fields}" in seen.text()

    async def test_a_click_chooses_and_one_beside_it_closes(self) -> None:
        async with opened(None, (120, 40), "2", "b") as seen:
            y = next(y for y, line in enumerate(seen.lines()) if "whose they are" in line)
            await seen.pilot.click(offset=(60, y))
            await seen.settle()
            assert seen.main.pane.view.name == "connections by user"
            await seen.press("b", "b")
            await seen.pilot.click(offset=(1, 1))
            await seen.settle()
            assert seen.app.screen is seen.main
            assert seen.main.pane.view.name == "connections"

    async def test_backspace_takes_a_letter_back(self) -> None:
        async with opened(None, (120, 40), "2", "s", *"rtt", "backspace", "backspace", "e", "enter") as seen:
            assert seen.main.pane.order.field.name == "remote"

    async def test_the_menu_begins_where_the_order_is(self) -> None:
        async with opened(None, (120, 40), "2", "s", "enter") as seen:
            assert seen.main.pane.order.field.name == "rate"
