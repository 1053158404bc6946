"""Tags, the row one follows, what has changed since a mark, and what has ended."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nettop.fields import VIEWS
from nettop.snapshot import Snapshot
from nettop.tui.lists.marks import Mark, Sight
from nettop.tui.lists.panes import Pane
from tests.support import rows
from tests.support.screen import Seen, machine, opened

CONNECTIONS = VIEWS["connections"]


def brought_up(pane: Pane, snapshot: Snapshot) -> Pane:
    for _ in pane.update(snapshot):
        pass
    return pane


def picture(sequence: int, moved: dict[int, int], **others: Any) -> Snapshot:
    """Connections that have received so many bytes, by id; the fewer the later in the list."""
    connections = [rows.connection(id=n, rx_bytes=rx, rx_rate=float(rx), tx_rate=0.0) for n, rx in moved.items()]
    return rows.snapshot(connections, sequence=sequence, **others)


def signs(pane: Pane) -> dict[int, str]:
    return {row_id: pane.trim(row_id).sign for row_id in pane.ids}


class TestMark:
    def since(self, before: Snapshot, now: Snapshot) -> Pane:
        pane = brought_up(Pane(CONNECTIONS), before)
        pane.set_sight(Sight(mark=Mark(before)))
        return brought_up(pane, now)

    def test_only_what_is_new_gone_or_has_moved_bytes_is_shown_each_with_its_sign(self) -> None:
        pane = self.since(picture(1, {1: 10, 2: 20, 3: 30}), picture(2, {1: 10, 2: 25, 4: 5}))
        assert signs(pane) == {3: "gone", 2: "grown", 4: "new"}
        assert [pane.trim(row_id).dim for row_id in pane.ids] == [True, False, False]
        assert pane.drawn(3).stats.rx_bytes == 30

    def test_it_follows_the_pictures_by_what_changes(self) -> None:
        before = picture(1, {1: 10, 2: 20})
        pane = self.since(before, before)
        assert pane.ids == []
        connections = dict(before.connections)
        connections[2] = rows.connection(id=2, rx_bytes=21, rx_rate=1.0)
        changed = {"connections": frozenset({2})}
        now = dataclasses.replace(before, sequence=2, connections=connections, changed=changed)
        assert signs(brought_up(pane, now)) == {2: "grown"}
        del connections[1]
        changed = {"connections": frozenset({1})}
        now = dataclasses.replace(now, sequence=3, connections=dict(connections), changed=changed)
        assert signs(brought_up(pane, now)) == {1: "gone", 2: "grown"}

    def test_a_row_that_only_changed_its_state_has_not_grown(self) -> None:
        now = rows.snapshot([rows.connection(id=1, rx_bytes=10, state="CLOSE-WAIT")], sequence=2)
        assert self.since(picture(1, {1: 10}), now).ids == []

    def test_the_filter_narrows_what_changed_too(self) -> None:
        pane = self.since(picture(1, {1: 10}), picture(2, {2: 5, 3: 50}))
        pane.set_filter("rate>10")
        assert brought_up(pane, picture(2, {2: 5, 3: 50})).ids == [3]

    def test_a_connection_that_ended_is_gone_while_it_is_still_shown(self) -> None:
        now = rows.snapshot([rows.connection(id=1, rx_bytes=10, state="CLOSED")], sequence=2)
        assert signs(self.since(picture(1, {1: 10}), now)) == {1: "gone"}

    def test_one_that_had_ended_before_is_nothing_new(self) -> None:
        ended = [rows.connection(id=1, state="CLOSED")]
        assert self.since(rows.snapshot(ended), rows.snapshot(list(ended), sequence=2)).ids == []

    def test_processes_and_namespaces_are_compared_too(self) -> None:
        before = rows.snapshot(
            processes=[rows.process_row(id=1, rx_bytes=1), rows.process_row(id=2)],
            namespaces=[rows.namespace_row(id=1), rows.namespace_row(id=2, netns=7)],
        )
        moved = rows.namespace_row(id=1)
        (interface, counters), *_ = moved.interfaces
        assert counters is not None
        moved = moved._replace(interfaces=((interface, counters._replace(rx_bytes=9999)),))
        now = rows.snapshot(
            processes=[rows.process_row(id=1, rx_bytes=2), rows.process_row(id=3)], namespaces=[moved], sequence=2
        )
        found = {}
        for view in ("processes", "namespaces"):
            pane = Pane(VIEWS[view])
            pane.set_sight(Sight(mark=Mark(before)))
            found[view] = signs(brought_up(pane, now))
        assert found == {"processes": {1: "grown", 2: "gone", 3: "new"}, "namespaces": {1: "grown", 2: "gone"}}


class TestTags:
    def test_they_belong_to_rows_through_sorting_and_filtering(self) -> None:
        pane = brought_up(Pane(CONNECTIONS), picture(1, {1: 10, 2: 20, 3: 30}))
        pane.tag([1, 3])
        pane.set_filter("rate>15")
        brought_up(pane, picture(2, {1: 10, 2: 90, 3: 30}))
        assert signs(pane) == {2: "", 3: "tag"}
        assert [row.id for row in pane.chosen()] == [3, 1]

    def test_without_a_tag_an_action_is_for_the_row_under_the_cursor(self) -> None:
        pane = brought_up(Pane(CONNECTIONS), picture(1, {1: 10, 2: 20}))
        pane.move(1)
        assert [row.id for row in pane.chosen()] == [1]
        assert brought_up(Pane(CONNECTIONS), picture(1, {})).chosen() == []

    def test_a_tagged_row_that_is_gone_is_chosen_no_more(self) -> None:
        pane = brought_up(Pane(CONNECTIONS), picture(1, {1: 10, 2: 20}))
        pane.tag([1, 2])
        brought_up(pane, picture(2, {2: 20}))
        assert [row.id for row in pane.chosen()] == [2]
        assert "1 tagged" in pane.notes

    def test_an_action_on_a_folded_row_is_for_the_process_itself(self) -> None:
        processes = [rows.process_row(id=1, pid=1, ppid=0, cpu=1.0), rows.process_row(id=2, pid=2, ppid=1, cpu=5.0)]
        pane = Pane(VIEWS["processes"])
        pane.set_tree(True)
        pane.fold({1}, closed=True)
        brought_up(pane, rows.snapshot(processes=processes))
        assert pane.chosen() == [processes[0]]


class TestEnded:
    def test_rows_that_have_ended_are_dimmed_with_a_sign_and_can_be_left_out(self) -> None:
        now = rows.snapshot([rows.connection(id=1), rows.connection(id=2, state="CLOSED")])
        pane = brought_up(Pane(CONNECTIONS), now)
        assert (pane.trim(2).sign, pane.trim(2).dim) == ("ended", True)
        pane.set_sight(Sight(ended=False))
        assert brought_up(pane, now).ids == [1]

    def test_a_tag_on_it_is_seen_before_its_end(self) -> None:
        pane = brought_up(Pane(CONNECTIONS), rows.snapshot([rows.connection(id=2, state="CLOSED")]))
        pane.tag([2])
        assert (pane.trim(2).sign, pane.trim(2).dim) == ("tag", True)


class TestFollowing:
    def following(self) -> Pane:
        pane = brought_up(Pane(CONNECTIONS), picture(1, {1: 10, 2: 20, 3: 30}))
        pane.move_to(1)
        pane.follow()
        return pane

    def test_the_cursor_goes_where_its_row_goes_and_the_order_does_not_wait(self) -> None:
        pane = brought_up(self.following(), picture(2, {1: 10, 2: 90, 3: 30}))
        assert pane.ids == [2, 3, 1]
        assert (pane.cursor, pane.line) == (2, 0)
        assert "following" in pane.notes

    def test_it_comes_back_to_a_row_that_was_not_here_for_a_while(self) -> None:
        pane = brought_up(self.following(), picture(2, {1: 10, 3: 30}))
        assert "following a row that is not here" in pane.notes
        brought_up(pane, picture(3, {1: 10, 2: 20, 3: 30}))
        assert pane.cursor == 2

    def test_moving_ends_it(self) -> None:
        pane = self.following()
        pane.move(1)
        assert pane.followed is None
        assert pane.notes == []


class TestKeys:
    def gutter(self, seen: Seen) -> str:
        return "".join(line[0] for line in seen.rows()[: len(seen.main.pane.ids)])

    async def test_space_tags_and_goes_on_and_takes_a_tag_away(self) -> None:
        async with opened(picture(1, {1: 10, 2: 20, 3: 30}), (120, 30), "2", "space", "space") as seen:
            assert self.gutter(seen) == "●● "
            assert "2 tagged" in seen.lines()[3]
            await seen.press("g", "space")
            assert self.gutter(seen) == " ● "

    async def test_capital_u_takes_all_tags_away(self) -> None:
        async with opened(picture(1, {1: 10, 2: 20}), (120, 30), "2", "space", "space", "U") as seen:
            assert self.gutter(seen) == "  "
            assert "tagged" not in seen.lines()[3]

    async def test_c_tags_a_process_with_all_it_has_started(self) -> None:
        family = [rows.process_row(id=n, pid=n, ppid=n // 2, start_time=n, rx_rate=float(-n)) for n in range(1, 8)]
        async with opened(rows.snapshot(processes=family), (120, 30), "j", "c") as seen:
            assert sorted(seen.main.pane.tags) == [2, 4, 5]

    async def test_m_marks_and_m_again_or_escape_shows_everything_again(self) -> None:
        for key in ("m", "escape"):
            async with opened(picture(1, {1: 10, 2: 20}), (120, 30), "2", "m") as seen:
                assert "nothing is new" in seen.rows()[0]
                await seen.show(picture(2, {2: 21, 3: 5}))
                assert "since" in seen.lines()[3]
                assert self.gutter(seen) == "↗-+"
                await seen.press(key)
                assert sorted(seen.main.pane.ids) == [2, 3]
                assert "since" not in seen.lines()[3]

    async def test_a_mark_is_for_every_pane(self) -> None:
        async with opened(machine(), (120, 30), "2", "m", "1") as seen:
            assert seen.main.pane.ids == []
            await seen.press("m", "3")
            assert len(seen.main.pane.ids) == 8

    async def test_capital_f_follows_the_row_until_the_cursor_is_moved(self) -> None:
        async with opened(picture(1, {1: 10, 2: 20, 3: 30}), (120, 30), "2", "j", "F") as seen:
            assert "following" in seen.lines()[3]
            await seen.show(picture(2, {1: 10, 2: 90, 3: 30}))
            assert (seen.main.pane.ids, seen.main.pane.line) == ([2, 3, 1], 0)
            await seen.press("j")
            assert "following" not in seen.lines()[3]

    async def test_capital_d_leaves_out_what_has_ended_in_every_pane(self) -> None:
        now = rows.snapshot(
            [rows.connection(id=1), rows.connection(id=2, state="CLOSED")],
            [rows.process_row(id=1), rows.process_row(id=2, pid=9, state="X")],
        )
        async with opened(now, (120, 30), "2") as seen:
            assert "†" in self.gutter(seen)
            await seen.press("D")
            assert seen.main.pane.ids == [1]
            assert "ended left out" in seen.lines()[3]
            await seen.press("1")
            assert seen.main.pane.ids == [1]
            await seen.press("D")
            assert sorted(seen.main.pane.ids) == [1, 2]

    async def test_after_a_new_stream_has_begun_no_tag_and_no_mark_points_to_another_row(self) -> None:
        async with opened(picture(1, {1: 10, 2: 20}), (120, 30), "2", "space", "m", "1", "2") as seen:
            await seen.show(dataclasses.replace(picture(2, {1: 10, 2: 20}), interval=None))
            assert seen.main.pane.tags == {}
            assert sorted(seen.main.pane.ids) == [1, 2]


class TestSeveralKeysInOnePiece:
    """Over a slow line keys arrive together: each acts on what the ones before it have asked for."""

    async def burst(self, seen: Seen, *keys: str) -> None:
        from textual.events import Key

        for key in keys:
            character = key if len(key) == 1 else {"enter": "\r", "slash": "/", "space": " "}.get(key)
            seen.app.post_message(Key(key, character))
        await seen.pilot.pause()
        await seen.settle()

    @pytest.mark.parametrize("count", [60, 5000])
    async def test_a_filter_and_two_enters_open_the_row_that_matches(self, count: int) -> None:
        processes = [
            rows.process_row(id=n, pid=n + 1, start_time=n, comm=f"p{n}x", command=f"p{n}x", rx_rate=1e6 - n)
            for n in range(count)
        ]
        async with opened(rows.snapshot(processes=processes), (120, 30)) as seen:
            await self.burst(seen, "slash", *"p17x", "enter", "enter")
            assert seen.main.levels.trail == ["p17x (18)"]

    async def test_moves_and_enter_open_the_row_moved_to(self) -> None:
        processes = [rows.process_row(id=n, pid=n + 1, start_time=n, comm=f"p{n}", rx_rate=1e6 - n) for n in range(9)]
        async with opened(rows.snapshot(processes=processes), (120, 30)) as seen:
            await self.burst(seen, "j", "j", "down", "enter")
            assert seen.main.levels.trail == ["p3 (4)"]

    async def test_a_sort_and_a_tag_tag_the_row_that_is_first_then(self) -> None:
        processes = [rows.process_row(id=n, pid=n + 1, start_time=n, rx_rate=1e6 - n) for n in range(3000)]
        async with opened(rows.snapshot(processes=processes), (120, 30), "N", "I") as seen:
            await self.burst(seen, "I", "space")
            assert list(seen.main.pane.tags) == [0]

    async def test_letters_are_letters_while_a_filter_is_typed(self) -> None:
        async with opened(machine(), (120, 30)) as seen:
            await self.burst(seen, "slash", *"q/t", "enter", "j")
            assert seen.main.pane.filter_text == "q/t"
            assert not seen.main.typing


class TestEvents:
    async def test_enter_on_an_event_opens_its_process(self) -> None:
        now = rows.snapshot(
            processes=[rows.process_row(pid=7, comm="nginx", started=rows.NOW - 5)], events=[rows.event(pid=7)]
        )
        async with opened(now, (120, 30), "5", "enter") as seen:
            assert seen.main.levels.trail == ["nginx (7)"]
