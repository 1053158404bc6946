"""Every key of the main screen does what the help says of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nettop.snapshot import Snapshot
from nettop.tui.app import NettopApp
from nettop.tui.commands import COMMANDS
from nettop.tui.drawing.theme import UNICODE
from tests.support import rows
from tests.support.screen import Seen, machine, opened


def crumbs(*steps: str) -> str:
    """The way to where one is, as the screen writes it."""
    return f" {UNICODE.crumb} ".join(steps)


def shown(seen: Seen) -> list[Any]:
    """The rows of the pane one looks at."""
    pane = seen.main.pane
    return [pane.rows[row_id] for row_id in pane.ids]


def named(*names: str) -> Snapshot:
    """Processes with these names; the first is the busiest."""
    return rows.snapshot(
        processes=[
            rows.process_row(
                id=n, pid=100 + n, start_time=n, comm=name, command=name, cpu=float(n), mem=float(n), rx_rate=1e6 - n
            )
            for n, name in enumerate(names)
        ]
    )


class TestPanes:
    @pytest.mark.parametrize(
        ("key", "title"), [("1", "Processes"), ("2", "Connections"), ("3", "Namespaces"), ("5", "Events")]
    )
    async def test_a_number_opens_its_pane(self, key: str, title: str) -> None:
        async with opened(None, (120, 40), "3", key) as seen:
            assert seen.main.pane.view.title == title

    async def test_tab_goes_round_the_panes_in_both_directions(self) -> None:
        async with opened() as seen:
            visited = []
            for key in ("tab", "tab", "tab", "tab", "tab", "shift+tab"):
                await seen.press(key)
                visited.append(seen.main.pane.view.name)
            assert visited == ["connections", "namespaces", "containers", "events", "processes", "events"]

    async def test_the_tabs_tell_how_much_there_is_to_see(self) -> None:
        async with opened(machine(connections=1204, processes=214)) as seen:
            assert "1 Processes 214" in seen.lines()[2]
            assert "2 Connections 1,204" in seen.lines()[2]


class TestMoving:
    @pytest.mark.parametrize(
        ("keys", "line"),
        [
            (["down", "down", "j"], 3),
            (["j", "j", "j", "k", "up"], 1),
            (["up"], 0),
            (["end"], 59),
            (["G", "down"], 59),
            (["G", "home"], 0),
            (["end", "g"], 0),
            (["pagedown"], 34),
            (["pagedown", "pagedown", "pageup"], 25),
        ],
    )
    async def test_keys_move_the_cursor(self, keys: list[str], line: int) -> None:
        async with opened(machine(processes=60), (120, 40), *keys) as seen:
            assert seen.main.pane.line == line

    async def test_the_cursor_is_always_in_sight(self) -> None:
        async with opened(machine(processes=60), (120, 24), "G") as seen:
            pane = seen.main.pane
            assert str(pane.rows[pane.ids[59]].process.pid) in seen.cursor()

    async def test_a_bare_k_only_ever_moves(self) -> None:
        async with opened(None, (120, 40), "k", "k") as seen:
            assert seen.app.screen is seen.main
            assert seen.app.is_running


class TestSorting:
    async def test_the_arrows_step_through_the_columns(self) -> None:
        async with opened(None, (120, 40), ">") as seen:
            assert seen.main.pane.order.field.name == "pid"
            await seen.press(">", "greater_than_sign")
            assert seen.main.pane.order.field.name == "state"
            await seen.press("<")
            assert seen.main.pane.order.field.name == "user"
            await seen.press("shift+left", "shift+left")
            assert seen.main.pane.order.field.name == "command"
            await seen.press("shift+right")
            assert seen.main.pane.order.field.name == "pid"

    async def test_the_sorted_column_is_marked_and_the_rows_are_in_order(self) -> None:
        async with opened(named("b", "c", "a"), (120, 40), "<") as seen:
            assert "COMMAND▲" in seen.lines()[4]
            assert "sort ▲ COMMAND" in seen.lines()[3]
            assert [line.split()[-1] for line in seen.rows()[:3]] == ["a", "b", "c"]

    async def test_capital_i_inverts(self) -> None:
        async with opened(named("b", "c", "a"), (120, 40), "<", "I") as seen:
            assert "COMMAND▼" in seen.lines()[4]
            assert [line.split()[-1] for line in seen.rows()[:3]] == ["c", "b", "a"]

    @pytest.mark.parametrize(
        ("key", "field", "descending"),
        [("P", "cpu", True), ("M", "mem", True), ("T", "age", False), ("N", "pid", False)],
    )
    async def test_the_letters_of_top_sort(self, key: str, field: str, descending: bool) -> None:
        async with opened(None, (120, 40), key) as seen:
            order = seen.main.pane.order
            assert (order.field.name, order.descending) == (field, descending)

    async def test_a_letter_of_top_that_a_view_cannot_follow_says_so(self) -> None:
        async with opened(None, (120, 40), "2", "P") as seen:
            assert "connections have no cpu to sort by" in seen.lines()[-1]
            await seen.press("j")
            assert "? help" in seen.lines()[-1]

    @pytest.mark.parametrize("key", ["j", "Z", "p"])
    async def test_what_a_key_could_not_do_is_told_until_the_next_one(self, key: str) -> None:
        async with opened(None, (120, 40), "2", "P", key) as seen:
            assert "? help" in seen.lines()[-1]

    @pytest.mark.parametrize("key", ["s", "f6"])
    async def test_the_menu_sorts_by_any_field(self, key: str) -> None:
        async with opened(None, (120, 40), key) as seen:
            assert "sort processes by" in seen.text()
            await seen.press("home", "down", "up", "down", "enter")
            assert seen.app.screen is seen.main
            assert seen.main.pane.order.field.name == "ppid"

    async def test_escape_leaves_the_menu_and_the_order_alone(self) -> None:
        async with opened(None, (120, 40), "s", "home", "escape") as seen:
            assert seen.app.screen is seen.main
            assert seen.main.pane.order.field.name == "rate"

    async def test_every_pane_has_its_own_order(self) -> None:
        async with opened(None, (120, 40), "N", "2", "1") as seen:
            assert seen.main.pane.order.field.name == "pid"
            await seen.press("2")
            assert seen.main.pane.order.field.name == "rate"


class TestDrilling:
    async def test_enter_on_a_process_shows_its_connections(self) -> None:
        held = [rows.connection(id=n, pid=7, start_time=1, comm="nginx", lport=100 + n) for n in range(3)]
        other = rows.connection(id=9, pid=8, start_time=2, comm="sshd")
        process = rows.process_row(pid=7, start_time=1, comm="nginx", rx_rate=1e6)
        async with opened(rows.snapshot([*held, other], [process]), (120, 40), "enter") as seen:
            assert seen.main.pane.view.name == "connections"
            assert sorted(seen.main.pane.ids) == [0, 1, 2]
            assert crumbs("host", "nginx (7)", "connections") in seen.lines()[2]

    async def test_a_shared_socket_is_found_from_every_holder(self) -> None:
        shared = rows.connection(id=1, pid=7, start_time=1)
        second = shared.owners[0]._replace(pid=8, start_time=2)
        shared = shared._replace(owners=(*shared.owners, second))
        process = rows.process_row(pid=8, start_time=2)
        async with opened(rows.snapshot([shared], [process]), (120, 40), "enter") as seen:
            assert seen.main.pane.ids == [1]

    async def test_enter_on_a_namespace_shows_its_connections_and_1_its_processes(self) -> None:
        async with opened(None, (120, 40), "3", "j", "enter") as seen:
            netns = rows.HOST_NETNS + 1
            assert {row.socket.netns for row in shown(seen)} == {netns}
            assert crumbs("host", "web", "connections") in seen.lines()[2]
            await seen.press("1")
            assert {row.process.netns for row in shown(seen)} == {netns}
            assert crumbs("host", "web", "processes") in seen.lines()[2]

    async def test_the_machine_and_its_own_namespace_are_told_apart(self) -> None:
        async with opened(None, (120, 40), "3", "g", "enter") as seen:
            assert crumbs("host", "netns host", "connections") in seen.lines()[2]

    async def test_drilling_goes_on_inside(self) -> None:
        async with opened(None, (120, 40), "3", "j", "enter", "1", "enter") as seen:
            trail = seen.main.levels.trail
            assert trail[0] == "web"
            assert len(trail) == 2

    async def test_escape_returns_to_the_row_one_came_from(self) -> None:
        async with opened(None, (120, 40), "j", "j", "j") as seen:
            before = seen.main.pane.cursor
            await seen.press("enter", "escape")
            assert seen.main.pane.view.name == "processes"
            assert seen.main.pane.cursor == before

    async def test_enter_on_a_connection_tells_everything_known_of_it(self) -> None:
        picture = rows.snapshot([rows.connection(local="10.9.8.7", comm="nginx")])
        async with opened(picture, (120, 80), "2", "enter") as seen:
            assert "10.9.8.7" in seen.text()
            assert "round-trip time, smoothed" in seen.text()
            await seen.press("escape")
            assert seen.app.screen is seen.main

    async def test_the_details_begin_with_what_limits_it(self) -> None:
        picture = rows.snapshot([rows.connection(limit="reader", recvq=2048)])
        async with opened(picture, (120, 60), "2", "enter") as seen:
            assert "Limited by reader: this program does not read what has arrived." in seen.text()
            assert "2.0 kB" in seen.text()

    async def test_the_queues_of_a_listener_are_counts(self) -> None:
        picture = rows.snapshot([rows.connection(state="LISTEN", recvq=97, sendq=128)])
        async with opened(picture, (120, 60), "2", "enter") as seen:
            figures = {line.split()[0]: line.split()[1:3] for line in seen.lines() if line.strip()}
            assert figures["recvq"] == ["97", "bytes"]  # where its meaning begins
            assert figures["sendq"] == ["128", "bytes"]

    async def test_the_details_follow_the_pictures_until_the_connection_is_gone(self) -> None:
        async with opened(rows.snapshot([rows.connection(state="ESTAB")]), (120, 60), "2", "enter") as seen:
            await seen.show(rows.snapshot([rows.connection(state="CLOSE-WAIT")], sequence=2))
            assert "CLOSE-WAIT" in seen.text()
            await seen.show(rows.snapshot(sequence=3))
            assert "It is gone." in seen.text()


class TestEscape:
    async def test_escape_closes_then_clears_then_leaves(self) -> None:
        async with opened(None, (120, 40), "3", "j", "enter", "slash", "t", "c", "p") as seen:
            await seen.press("escape")
            assert seen.main.pane.filter_text == "tcp"
            assert "filter tcp" in seen.lines()[3]
            await seen.press("escape")
            assert seen.main.pane.filter_text == ""
            assert seen.main.levels.trail == ["web"]
            await seen.press("escape")
            assert seen.main.pane.view.name == "namespaces"
            await seen.press("escape")
            assert seen.main.pane.view.name == "namespaces"


class TestHolding:
    async def test_p_holds_the_order_and_lets_it_go(self) -> None:
        picture = named("a", "b", "c")
        turned = {n: row._replace(rx_rate=1e3 * row.id) for n, row in picture.processes.items()}
        async with opened(picture, (120, 40), "p") as seen:
            await seen.show(dataclasses.replace(picture, sequence=2, processes=turned))
            assert seen.main.pane.ids == [0, 1, 2]
            assert "held" in seen.lines()[3]
            await seen.press("p")
            assert seen.main.pane.ids == [2, 1, 0]
            assert "held" not in seen.lines()[3]

    async def test_capital_z_freezes_the_table_while_the_header_moves_on(self) -> None:
        picture = named("before")
        after = dataclasses.replace(
            named("after"), sequence=2, host=rows.host(hostname="renamed"), changed={"processes": frozenset({0})}
        )
        async with opened(picture, (120, 40), "Z") as seen:
            await seen.show(after)
            assert "FROZEN" in seen.lines()[2]
            assert "before" in seen.rows()[0]
            assert "renamed" in seen.lines()[0]
            await seen.press("Z")
            assert "after" in seen.rows()[0]


class TestProgram:
    @pytest.mark.parametrize("key", ["question_mark", "f1"])
    async def test_help_names_every_key_and_every_field(self, key: str) -> None:
        async with opened(None, (200, 280), key) as seen:
            for command in COMMANDS:
                assert command.help in seen.text()
            for field in seen.main.pane.view.fields.values():
                assert field.help[:60] in seen.text()
            await seen.press("escape")
            assert seen.app.screen is seen.main

    async def test_help_scrolls(self) -> None:
        async with opened(None, (120, 24), "question_mark") as seen:
            first = seen.lines()[1:5]
            await seen.press("pagedown")
            assert seen.lines()[1:5] != first
            await seen.press("home")
            assert seen.lines()[1:5] == first

    @pytest.mark.parametrize("key", ["q", "ctrl+c", "f10"])
    async def test_quit_leaves_without_an_error(self, key: str) -> None:
        async with opened() as seen:
            await seen.pilot.press(key)
            await seen.pilot.pause()
            assert seen.app.return_code == 0

    async def test_ctrl_c_quits_while_a_filter_is_typed(self) -> None:
        async with opened(None, (120, 40), "slash", "n") as seen:
            await seen.pilot.press("ctrl+c")
            await seen.pilot.pause()
            assert seen.app.return_code == 0

    async def test_ctrl_z_stops_it_once_wherever_one_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stopped: list[object] = []

        def stop(app: NettopApp) -> None:
            stopped.append(app)

        monkeypatch.setattr(NettopApp, "action_suspend_process", stop)
        async with opened() as seen:
            await seen.press("ctrl+z")
            assert len(stopped) == 1
            await seen.press("o", "ctrl+z", "escape", "question_mark", "ctrl+z", "escape")
            assert len(stopped) == 3
            await seen.press("colon", *"suspend", "enter")
            assert len(stopped) == 4

    async def test_ctrl_l_draws_the_screen_again(self) -> None:
        async with opened() as seen:
            before = seen.lines()
            await seen.press("ctrl+l")
            assert seen.lines() == before

    def test_no_two_commands_share_a_key(self) -> None:
        keys = [key for command in COMMANDS for key in command.keys.split(",")]
        assert len(keys) == len(set(keys))
