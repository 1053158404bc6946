"""Processes as a tree: who stands below whom, in which order, and what a folded row says of those it hides."""

from __future__ import annotations

import dataclasses
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.fields import VIEWS
from nettop.order import parse_sort
from nettop.snapshot import ProcessRow, Snapshot
from nettop.tui.drawing.layout import Layout
from nettop.tui.drawing.place import place
from nettop.tui.drawing.theme import ASCII, DARK, UNICODE
from nettop.tui.drawing.trim import Trim
from nettop.tui.lists.marks import Sight
from nettop.tui.lists.panes import Pane
from nettop.tui.lists.tree import DEEPEST, descendants
from tests.support import rows
from tests.support.screen import opened

PROCESSES = VIEWS["processes"]


def process(pid: int, ppid: int, rx_rate: float | None = 0.0, **others: object) -> ProcessRow:
    """A process whose row id is its pid and which started in the order of pids."""
    values = {"comm": f"p{pid}", "command": f"p{pid}", "start_time": pid, "cpu": 0.0, "tx_rate": rx_rate, **others}
    return rows.process_row(id=pid, pid=pid, ppid=ppid, rx_rate=rx_rate, **values)


def family() -> Snapshot:
    """1 with the children 2 and 3; 2 with 4 and 5, 3 with 6; the higher the pid, the busier; 9 is nobody's child."""
    return rows.snapshot(
        processes=[
            process(pid, ppid, float(pid)) for pid, ppid in ((1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (9, 8))
        ]
    )


def brought_up(pane: Pane, snapshot: Snapshot) -> Pane:
    for _ in pane.update(snapshot):
        pass
    return pane


def tree_of(snapshot: Snapshot, text: str = "") -> Pane:
    pane = Pane(PROCESSES)
    pane.set_tree(True)
    pane.set_filter(text)
    return brought_up(pane, snapshot)


def drawn(pane: Pane) -> list[str]:
    """Guide and id of every row, as a person sees them."""
    return [f"{pane.trim(row_id).guide}{row_id}" for row_id in pane.ids]


class TestShape:
    def test_children_stand_below_their_parents_and_siblings_in_the_order_of_the_list(self) -> None:
        pane = tree_of(family())
        assert drawn(pane) == ["9", "1", "├3", "│└6", "└2", " ├5", " └4"]
        pane.set_order(parse_sort("rate", PROCESSES))
        assert drawn(brought_up(pane, family())) == ["1", "├2", "│├4", "│└5", "└3", " └6", "9"]

    def test_from_the_busiest_down_a_parent_that_does_nothing_stands_where_its_busiest_child_does(self) -> None:
        idle = [process(1, 0), process(2, 1), process(3, 2, 50.0), process(4, 1, 20.0), process(5, 1, None)]
        pane = tree_of(rows.snapshot(processes=idle))
        assert drawn(pane) == ["1", "├2", "│└3", "├4", "└5"]
        pane.fold({4, 5}, closed=True)
        assert drawn(brought_up(pane, rows.snapshot(processes=idle))) == ["1", "├2", "│└3", "├4", "└5"]

    def test_from_the_lowest_up_a_parent_stands_where_it_does_itself(self) -> None:
        some = rows.snapshot(processes=[process(1, 0), process(2, 1, 9.0), process(3, 2, 1.0), process(4, 1, 5.0)])
        pane = tree_of(some)
        pane.set_order(parse_sort("rate", PROCESSES))
        assert drawn(brought_up(pane, some)) == ["1", "├4", "└2", " └3"]

    def test_a_pid_that_was_used_again_is_nobodys_parent(self) -> None:
        old, young = process(50, 1), process(7, 50, start_time=3)
        pane = tree_of(rows.snapshot(processes=[old, young]))
        assert all(not pane.trim(row_id).guide for row_id in pane.ids)

    def test_processes_that_name_each_other_as_parents_are_all_shown(self) -> None:
        circle = [process(1, 2, start_time=1), process(2, 1, start_time=1), process(3, 3)]
        assert sorted(tree_of(rows.snapshot(processes=circle)).ids) == [1, 2, 3]

    @given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=13), st.sets(st.integers(0, 12)))
    def test_every_row_is_shown_once_or_counted_in_a_folded_one(
        self, parents: list[tuple[int, int]], closed: set[int]
    ) -> None:
        picture = rows.snapshot(
            processes=[process(pid, ppid, start_time=began, rss=1) for pid, (ppid, began) in enumerate(parents)]
        )
        pane = tree_of(picture)
        pane.fold(closed, closed=True)
        brought_up(pane, picture)
        hidden = sum(pane.trim(row_id).folded for row_id in pane.ids)
        assert len(set(pane.ids)) == len(pane.ids)
        assert len(pane.ids) + hidden == len(parents)
        assert sum(pane.drawn(row_id).usage.rss for row_id in pane.ids) == len(parents)

    def test_a_chain_of_forks_of_any_length_keeps_its_guides_short(self) -> None:
        chain = rows.snapshot(processes=[process(pid, pid - 1) for pid in range(1, 3000)])
        pane = tree_of(chain)
        assert len(pane.ids) == 2999
        assert max(len(pane.trim(row_id).guide) for row_id in pane.ids) == DEEPEST + 1

    def test_2100_processes_open_without_a_key_having_to_wait(self) -> None:
        picture = rows.snapshot(processes=rows.many_processes(2100))
        pane = brought_up(Pane(PROCESSES), picture)
        pane.set_tree(True)
        steps, began = [], time.perf_counter()
        for _ in pane.update(picture):
            steps.append(time.perf_counter() - began)
            began = time.perf_counter()
        assert len(pane.ids) == 2100
        assert sorted(steps)[len(steps) * 9 // 10] < 0.02


class TestFilter:
    def test_what_matches_is_shown_with_its_ancestors_which_are_dimmed(self) -> None:
        pane = tree_of(family(), "comm=p5")
        assert drawn(pane) == ["1", "└2", " └5"]
        assert [pane.trim(row_id).dim for row_id in pane.ids] == [True, True, False]

    def test_an_ancestor_stands_where_the_first_of_its_descendants_would(self) -> None:
        pane = tree_of(family(), "comm=p6,p9,p4")
        assert drawn(pane) == ["9", "1", "├3", "│└6", "└2", " └4"]

    def test_ancestors_that_are_left_out_everywhere_stay_out(self) -> None:
        kernel = [process(2, 0, kernel=True), process(3, 2, kernel=True), process(4, 2)]
        pane = tree_of(rows.snapshot(processes=kernel))
        pane.set_sight(Sight(kernel=False))
        assert drawn(brought_up(pane, rows.snapshot(processes=kernel))) == ["4"]


class TestFolding:
    def folded(self, *ids: int, text: str = "") -> Pane:
        pane = tree_of(family(), text)
        pane.fold(set(ids), closed=True)
        return brought_up(pane, family())

    def test_a_folded_row_shows_the_sums_over_what_it_hides(self) -> None:
        picture = rows.snapshot(
            processes=[
                process(1, 0, None, cpu=1.0, rss=100, threads=1, retrans=None, rx_bytes=None, connections=1),
                process(2, 1, 20.0, cpu=2.5, rss=200, threads=2, retrans=3, rx_bytes=7, connections=2, listening=1),
                process(3, 2, 30.0, cpu=None, rss=300, threads=4, retrans=None, rx_bytes=8, connections=4, sockets=9),
            ]
        )
        pane = tree_of(picture)
        pane.fold({1}, closed=True)
        shown = brought_up(pane, picture).drawn(1)
        assert pane.ids == [1]
        assert pane.trim(1).folded == 2
        assert (shown.cpu, shown.usage.rss, shown.usage.threads, shown.retrans) == (3.5, 600, 7, 3)
        assert (shown.rx_bytes, shown.rx_rate, shown.connections, shown.listening) == (15, 50.0, 7, 1)
        assert shown.sockets == 1 + 1 + 9
        assert pane.rows[1].cpu == 1.0

    def test_it_is_sorted_by_what_it_shows(self) -> None:
        pane = self.folded(2)
        assert drawn(pane) == ["9", "1", "├2", "└3", " └6"]
        assert pane.trim(2).folded == 2

    def test_under_a_filter_only_what_matches_is_summed_up(self) -> None:
        pane = self.folded(1, text="comm=p4")
        assert pane.ids == [1]
        assert pane.drawn(1).rx_rate == 1.0 + 4.0

    def test_a_fold_inside_a_fold_is_still_there_when_the_outer_one_is_opened(self) -> None:
        pane = self.folded(1, 3)
        assert pane.ids == [1, 9]
        pane.fold({1}, closed=False)
        assert drawn(brought_up(pane, family())) == ["9", "1", "├3", "└2", " ├5", " └4"]

    def test_the_cursor_is_on_the_row_that_shows_its_row(self) -> None:
        pane = tree_of(family())
        pane.move_to(pane.ids.index(5))
        pane.fold({1}, closed=True)
        brought_up(pane, family())
        assert pane.cursor == 1

    def test_while_the_order_is_held_a_sum_that_grows_moves_nothing(self) -> None:
        pane = tree_of(family())
        pane.hold = True
        pane.fold({2}, closed=True)
        assert drawn(brought_up(pane, family())) == ["9", "1", "├3", "│└6", "└2"]


class TestCursor:
    def test_it_stays_on_its_row_when_the_list_becomes_a_tree_and_a_list_again(self) -> None:
        pane = brought_up(Pane(PROCESSES), family())
        pane.move_to(pane.ids.index(4))
        for as_tree in (True, False):
            pane.set_tree(as_tree)
            brought_up(pane, family())
            assert pane.row is not None
            assert pane.row.id == 4


def test_descendants_are_found_with_or_without_a_tree() -> None:
    assert sorted(descendants(1, family().processes)) == [2, 3, 4, 5, 6]
    assert descendants(9, family().processes) == []


class TestDrawing:
    @pytest.mark.parametrize(("signs", "expected"), [(UNICODE, "│ └─[+12] name"), (ASCII, "| `-[+12] name")])
    def test_guides_and_counts_stand_before_the_name(self, signs: object, expected: str) -> None:
        row = rows.process_row(command="name")
        layout = Layout(place(PROCESSES, [row], rows.NOW, 119), parse_sort("rate", PROCESSES), 120, DARK.look, signs)  # type: ignore[arg-type]
        trim = Trim(guide="│└", folded=12)
        for strip in (layout.draw(row, rows.NOW, trim), layout.draw_cursor(row, rows.NOW, trim)):
            assert expected in strip.text
            assert strip.cell_length == 120

    @given(st.integers(0, DEEPEST + 1), st.integers(60, 160))
    def test_however_deep_a_row_stands_it_is_as_wide_as_the_table_and_tells_its_name(
        self, depth: int, width: int
    ) -> None:
        row = rows.process_row(command="a-name")
        order = parse_sort("rate", PROCESSES)
        layout = Layout(place(PROCESSES, [row], rows.NOW, width - 1), order, width, DARK.look, UNICODE)
        strip = layout.draw(row, rows.NOW, Trim(guide="│" * depth))
        assert strip.cell_length == width
        assert "a-name" in strip.text


class TestKeys:
    @pytest.mark.parametrize("key", ["t", "f5"])
    async def test_t_shows_processes_as_a_tree_and_as_a_list_again(self, key: str) -> None:
        async with opened(family(), (120, 30), key) as seen:
            assert "tree" in seen.lines()[3]
            assert any("├─p3" in line for line in seen.rows())
            assert any("│ └─p6" in line for line in seen.rows())
            await seen.press(key)
            assert "tree" not in seen.lines()[3]
            assert not any("─" in line for line in seen.rows())

    async def test_it_is_one_still_where_columns_are_scrolled(self) -> None:
        async with opened(None, (80, 24), "1", "t", "asterisk", "right", "right", "right") as seen:
            assert "NAME" in seen.lines()[4]
            assert "COMMAND" not in seen.lines()[4]
            assert re.search(r"\[\+\d+\] \w", seen.text())

    async def test_where_the_locale_has_no_lines_the_tree_is_drawn_in_ascii(self) -> None:
        async with opened(family(), (120, 30), "t", utf8=False) as seen:
            assert any("| `-p6" in line for line in seen.rows())

    async def test_minus_folds_and_plus_unfolds(self) -> None:
        async with opened(family(), (120, 30), "t", "j", "minus") as seen:
            assert seen.main.pane.ids == [9, 1]  # held where it was, though it now shows more
            assert "[+5] p1" in seen.cursor()
            await seen.press("plus")
            assert len(seen.main.pane.ids) == 7

    async def test_minus_on_a_row_without_children_folds_the_one_above_it(self) -> None:
        async with opened(family(), (120, 30), "t", "G", "minus") as seen:
            assert "[+2] p2" in seen.cursor()

    async def test_star_folds_what_is_below_the_tops_and_unfolds_everything(self) -> None:
        async with opened(family(), (120, 30), "t", "asterisk") as seen:
            assert sorted(seen.main.pane.ids) == [1, 2, 3, 9]
            await seen.press("asterisk")
            assert len(seen.main.pane.ids) == 7

    async def test_keys_of_the_tree_say_so_where_there_is_none(self) -> None:
        async with opened(family(), (120, 30), "minus") as seen:
            assert "t shows processes as one" in seen.lines()[-1]
            await seen.press("2", "t")
            assert "only processes make a tree" in seen.lines()[-1]

    async def test_capital_h_leaves_kernel_threads_out_and_shows_them_again(self) -> None:
        picture = rows.snapshot(processes=[process(1, 0), process(2, 0, kernel=True)])
        async with opened(picture, (120, 30), "H") as seen:
            assert seen.main.pane.ids == [1]
            assert "kernel left out" in seen.lines()[3]
            await seen.press("H")
            assert sorted(seen.main.pane.ids) == [1, 2]

    async def test_a_folded_row_follows_the_pictures(self) -> None:
        async with opened(family(), (120, 30), "t", "j", "minus") as seen:
            busier = {
                row_id: row._replace(rx_rate=(row.rx_rate or 0.0) * 1000) for row_id, row in family().processes.items()
            }
            await seen.show(dataclasses.replace(family(), sequence=2, processes=busier))
            assert seen.main.pane.drawn(1).rx_rate == 21_000.0
