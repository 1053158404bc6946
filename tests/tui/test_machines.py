"""Several machines on one screen: whose a row is, both ends of a connection, and actions on the right one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nettop.config import Config
from nettop.fleet.numbered import as_there, machine_asked
from nettop.machines import machine_of_row
from nettop.requests import CloseSocket, InspectProcess, Signal
from nettop.tui.drawing.status import PANES
from nettop.tui.lifeline import Lifeline
from tests.support.rows import HOST_NETNS
from tests.support.screen import Seen, opened
from tests.support.several import PID, several

BOTH = ("web-01", "db-1")
SIZES = [(80, 24), (120, 40), (160, 50)]


def header(seen: Seen) -> str:
    return seen.lines()[4]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pane", PANES)
async def test_every_pane_has_a_column_that_says_whose_a_row_is(pane: str, size: tuple[int, int]) -> None:
    async with opened(several(), size, PANES[pane]) as seen:
        assert "MACHINE" in header(seen)
        table = "\n".join(seen.rows())
        assert all(name in table for name in BOTH)


async def test_one_machine_has_no_such_column() -> None:
    for pane in PANES.values():
        async with opened(None, (160, 50), pane) as seen:
            assert "MACHINE" not in header(seen)


async def test_listeners_and_groups_tell_it_too() -> None:
    async with opened(several(), (120, 40), "2", "l") as seen:
        assert "MACHINE" in header(seen)
        await seen.press("l")
        menu = await group_menu(seen)
        assert "machine      the machine" in menu
        await seen.press("end", "enter")
        assert [row.split()[:2] for row in seen.rows()[:2]] == [["db-1", "1"], ["web-01", "1"]]
        await seen.press("enter")
        assert [machine_of_row(row) for row in seen.main.pane.rows.values() if row.id in seen.main.pane.ids] == [2]


async def group_menu(seen: Seen) -> str:
    await seen.press("b")
    return seen.text()


async def test_one_machine_is_not_grouped_by_machine() -> None:
    async with opened(None, (120, 40), "2") as seen:
        assert "the machine " not in await group_menu(seen)


async def test_namespaces_of_one_name_are_two_groups() -> None:
    async with opened(several(), (120, 40), "2", "b", *["down"] * 4, "enter") as seen:
        assert sorted(" ".join(row.split()[:3]) for row in seen.rows()[:2]) == ["host on db-1", "host on web-01"]


async def test_rows_are_filtered_and_sorted_by_machine() -> None:
    async with opened(several(), (120, 40), "1", "slash", *"machine:web", "enter") as seen:
        assert {machine_of_row(seen.main.pane.rows[row_id]) for row_id in seen.main.pane.ids} == {1}
        await seen.press("escape", "greater_than_sign", "slash", *"netns=4026531840", "enter")
        assert len(seen.main.pane.ids) == 4, "namespaces go by the numbers they have on their machines"


async def test_a_drill_down_stays_on_the_machine_though_both_have_that_pid() -> None:
    async with opened(several(), (120, 40), "1", "slash", *"machine:db pid=4242", "enter", "enter") as seen:
        assert [machine_of_row(seen.main.pane.rows[row_id]) for row_id in seen.main.pane.ids] == [2]
        await seen.press("5")
        assert [event.comm for event in map(seen.main.pane.rows.get, seen.main.pane.ids) if event] == ["postgres"]


async def test_the_tree_has_a_root_for_each_machine() -> None:
    async with opened(several(), (120, 40), "1", "t") as seen:
        arranged = seen.main.pane.arranged
        assert arranged is not None
        own = [machine_of_row(seen.main.pane.rows[row_id]) for row_id in seen.main.pane.ids]
        assert own in ([1, 1, 2, 2], [2, 2, 1, 1]), "each below its own init"


async def test_a_page_is_about_its_machine() -> None:
    async with opened(several(), (120, 40), "1", "slash", *"machine:db pid=4242", "enter", "e") as seen:
        lines = seen.lines()
        assert lines[0].startswith(" db-1 ")
        assert any(line.split()[:2] == ["machine", "db-1"] for line in lines)
        assert any("systemd (1)" in line for line in lines)
        assert "nginx (4242) on web-01" in seen.text(), "who is at the other end"
        asked = seen.source.asked[0]
        assert machine_asked(asked) == 2
        assert as_there(asked) == InspectProcess(PID, 90210)


async def test_from_one_end_of_a_connection_to_the_other_on_another_machine() -> None:
    async with opened(several(), (120, 40), "2", "slash", *"machine:web", "enter", "enter") as seen:
        assert "postgres (4242)  on db-1" in seen.text()
        await seen.press("o")
        assert seen.lines()[0].startswith(" db-1 ")
        assert "nginx (4242)  on web-01" in seen.text()
        assert f"net:[{HOST_NETNS}]" in seen.text()
        await seen.press("escape")
        assert seen.lines()[0].startswith(" web-01 ")


async def test_the_other_end_is_told_in_the_list() -> None:
    async with opened(several(), (160, 50), "2", "slash", *"peer:'on db-1'".replace("'", '"'), "enter") as seen:
        assert [machine_of_row(seen.main.pane.rows[row_id]) for row_id in seen.main.pane.ids] == [1]


async def test_an_action_names_the_machine_and_goes_there() -> None:
    async with opened(several(), (120, 40), "1", "slash", *"machine:db pid=4242", "enter", "K", "enter") as seen:
        assert "to this process on db-1?" in seen.text()
        await seen.press("y")
        [asked] = seen.source.asked
        assert machine_asked(asked) == 2
        assert as_there(asked) == Signal(PID, 90210, 15, False)
        assert "postgres (4242) on db-1: done" in seen.lines()[-1]


async def test_a_socket_is_closed_on_its_machine() -> None:
    async with opened(several(), (120, 40), "2", "slash", *"machine:web", "enter", "X") as seen:
        assert "Close this socket on web-01?" in seen.text()
        assert f"({HOST_NETNS})" in seen.text()
        await seen.press("y")
        [asked] = seen.source.asked
        assert isinstance(asked, CloseSocket)
        assert machine_asked(asked) == 1


async def test_a_question_about_rows_of_several_machines_names_them_all() -> None:
    async with opened(several(), (120, 40), "1", "slash", *"pid=4242", "enter") as seen:
        await seen.press("space", "space", "K", "enter")
        text = seen.text()
        assert "to these 2 processes on " in text
        assert all(
            name in line for name in BOTH for line in [next(each for each in text.splitlines() if "Send" in each)]
        )


def test_what_the_session_hangs_on_is_looked_for_on_every_machine() -> None:
    picture = several()
    for each in picture.pictures():
        assert each.host is not None
        object.__setattr__(each, "host", each.host._replace(own_pid=PID))
    lifeline = Lifeline.of(picture, {})
    assert lifeline.processes == {row.process.key for row in picture.processes.values() if row.process.pid == PID}
    assert len(lifeline.processes) == 2


async def test_the_lines_at_the_top_tell_of_all_machines() -> None:
    async with opened(several(), (200, 50)) as seen:
        host, coverage = seen.lines()[:2]
        assert host.startswith(" 2 machines ")
        assert "up " not in host
        assert host.index("db-1") < host.index("web-01")
        assert "2/2 namespaces" in coverage


@pytest.mark.parametrize("size", SIZES)
async def test_a_machine_that_is_not_reached_is_told_of_with_the_reason(size: tuple[int, int]) -> None:
    async with opened(several(), size, "2") as seen:
        await seen.show(several(lost=True, sequence=2))
        host, coverage = seen.lines()[:2]
        assert "1 of 2 machines" in host
        assert "unavailable: db-1: the conn" in coverage
        assert "db-1" not in "\n".join(seen.rows())


async def test_a_page_about_a_machine_that_is_lost_says_so_and_comes_back_with_it() -> None:
    async with opened(several(), (120, 40), "1", "slash", *"machine:db pid=4242", "enter", "e") as seen:
        await seen.show(several(lost=True, sequence=2))
        assert "It is gone." in seen.text()
        assert "nginx" not in seen.text(), "a pid means something on its own machine only"
        await seen.show(several(sequence=3))
        assert "It is gone." not in seen.text()


async def test_a_name_is_safe_for_the_terminal() -> None:
    picture = several()
    names = {i: machine._replace(name="\x1b[31mevil") for i, machine in picture.machines.items()}
    async with opened(replace(picture, machines=names), (120, 40), "2", "enter") as seen:
        assert "\x1b" not in seen.text()


async def test_columns_that_were_chosen_for_one_machine_get_the_column_and_are_remembered_without() -> None:
    config = Config(columns={"connections": ("proto", "local", "lport", "comm")})
    async with opened(several(), (120, 40), "2", config=config) as seen:
        assert header(seen).split()[:3] == ["PROTO", "MACHINE", "LOCAL"]
        assert seen.main.levels.session.columns["connections"] == config.columns["connections"]
