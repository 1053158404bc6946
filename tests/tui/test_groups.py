"""Rows grouped by what they have in common: every group shows what its rows add up to, whatever changes."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettop.fields import VIEWS
from nettop.order import parse_sort
from nettop.snapshot import Connection, Snapshot
from nettop.tui.drawing.theme import UNICODE
from nettop.tui.lists.groupings import GROUPINGS, By, groupings
from nettop.tui.lists.groups import GroupPane
from nettop.tui.lists.marks import Sight
from nettop.tui.lists.panes import Pane
from tests.support import rows
from tests.support.screen import machine, opened

CONNECTIONS, PROCESSES = VIEWS["connections"], VIEWS["processes"]
BY = {by.name: by for by in GROUPINGS}


def brought_up(pane: Pane, snapshot: Snapshot) -> Pane:
    for _ in pane.update(snapshot):
        pass
    return pane


def grouped(snapshot: Snapshot, name: str, text: str = "") -> GroupPane:
    """The connections of a picture, filtered and grouped."""
    members = Pane(CONNECTIONS)
    members.set_filter(text)
    pane = GroupPane(members, BY[name])
    brought_up(pane, snapshot)
    return pane


def figures(pane: Pane, *names: str) -> dict[Any, tuple[Any, ...]]:
    """Each group by what it has in common, with some of its fields."""
    common = next(iter(pane.view.fields.values()))
    fields = [pane.view.fields[name] for name in names]
    return {
        common.get(row, 0.0): tuple(field.get(row, 0.0) for field in fields)
        for row in (pane.rows[row_id] for row_id in pane.ids)
    }


def programs() -> list[Connection]:
    return [
        rows.connection(id=1, comm="nginx", pid=1, start_time=1, rx_rate=10.0, tx_rate=1.0, rx_bytes=100, retrans=2),
        rows.connection(id=2, comm="nginx", pid=2, start_time=2, rx_rate=20.0, tx_rate=2.0, rx_bytes=200),
        rows.connection(
            id=3, comm="nginx", pid=2, start_time=2, state="LISTEN", rport=None, rx_bytes=None, rx_rate=None
        ),
        rows.connection(id=4, comm="sshd", pid=3, start_time=3, rx_rate=5.0, tx_rate=0.0),
        rows.connection(id=5, comm=None, rx_bytes=None, tx_bytes=None, rx_rate=None, tx_rate=None, retrans=None),
    ]


class TestSums:
    def test_a_group_adds_up_its_rows_and_unknown_is_a_group_too(self) -> None:
        pane = grouped(rows.snapshot(programs()), "program")
        assert figures(pane, "processes", "connections", "listening", "sockets", "rx_rate", "rx_bytes", "retrans") == {
            "nginx": (2, 2, 1, 3, 30.0, 300, 2),
            "sshd": (1, 1, 0, 1, 5.0, 5000, 0),
            None: (0, 1, 0, 1, None, None, None),
        }

    def test_the_filter_of_the_rows_stays_on_what_is_grouped_and_groups_have_their_own(self) -> None:
        pane = grouped(rows.snapshot(programs()), "program", "state=ESTAB")
        assert figures(pane, "sockets")["nginx"] == (2,)
        pane.set_filter("connections>1")
        brought_up(pane, rows.snapshot(programs()))
        assert list(figures(pane)) == ["nginx"]
        assert "of state=ESTAB" in pane.notes

    def test_groups_are_sorted_by_any_of_their_figures(self) -> None:
        pane = grouped(rows.snapshot(programs()), "program")
        assert list(figures(pane)) == ["nginx", "sshd", None]
        pane.set_order(parse_sort("sockets", pane.view))
        brought_up(pane, rows.snapshot(programs()))
        assert list(figures(pane))[-1] == "nginx"

    def test_a_row_that_changes_its_group_leaves_no_trace_in_the_old_one(self) -> None:
        before, after = programs(), programs()
        moved = rows.connection(id=1, comm="sshd", pid=1, start_time=1, rx_rate=10.0, tx_rate=1.0, rx_bytes=100)
        pane = grouped(rows.snapshot(before), "program")
        after[0] = moved
        changed = {"connections": frozenset({1})}
        now = rows.snapshot([moved, *before[1:]], sequence=2, changed=changed)
        brought_up(pane, now)
        assert figures(pane, "processes", "rx_rate", "rx_bytes") == figures(
            grouped(now, "program"), "processes", "rx_rate", "rx_bytes"
        )
        assert figures(pane, "processes", "rx_rate")["nginx"] == (1, 20.0)

    def test_a_group_of_one_row_stays_under_the_cursor_when_that_row_changes(self) -> None:
        pane = grouped(rows.snapshot(programs()), "program")
        pane.move_to(1)
        before = pane.row
        moved = [*programs()[:3], programs()[3]._replace(rx_rate=1.0), programs()[4]]
        brought_up(pane, rows.snapshot(moved, sequence=2, changed={"connections": frozenset({4})}))
        assert before is not None
        assert pane.row is not None
        assert (pane.row.id, pane.row.label) == (before.id, "sshd")

    def test_a_group_whose_last_row_is_gone_is_gone(self) -> None:
        pane = grouped(rows.snapshot(programs()), "program")
        brought_up(pane, rows.snapshot(programs()[:3], sequence=2, changed={"connections": frozenset({4, 5})}))
        assert list(figures(pane)) == ["nginx"]

    @settings(max_examples=60)
    @given(
        st.lists(
            st.dictionaries(
                st.integers(0, 12),
                st.tuples(st.sampled_from(["a", "b", None]), st.none() | st.floats(0, 1e12), st.integers(0, 2)),
            ),
            min_size=1,
            max_size=5,
        ),
        st.integers(0, 3),
    )
    def test_following_changes_gives_what_counting_afresh_gives_even_after_giving_up(
        self, history: list[dict[int, tuple[str | None, float | None, int]]], steps_before_giving_up: int
    ) -> None:
        following = grouped(rows.snapshot(), "program", "rate<1GB or rate=-")
        names = ("processes", "sockets", "rx_rate", "tx_rate", "rx_bytes")
        kept: dict[int, Connection] = {}
        for sequence, table in enumerate(history, 2):
            fresh = {
                row_id: rows.connection(id=row_id, comm=comm, pid=pid + 1, start_time=pid, rx_rate=rate, tx_rate=rate)
                for row_id, (comm, rate, pid) in table.items()
            }
            now = {row_id: kept[row_id] if kept.get(row_id) == row else row for row_id, row in fresh.items()}
            changed = {row_id for row_id, row in now.items() if kept.get(row_id) is not row} | (
                kept.keys() - now.keys()
            )
            picture = rows.snapshot(now.values(), sequence=sequence, changed={"connections": frozenset(changed)})
            given_up = following.update(picture)
            for _, _ in zip(range(steps_before_giving_up), given_up, strict=False):
                pass
            brought_up(following, picture)
            afresh = grouped(picture, "program", "rate<1GB or rate=-")
            assert figures(following, *names) == figures(afresh, *names)
            kept = now

    def test_an_untouched_group_is_the_same_row_as_before(self) -> None:
        pane = grouped(rows.snapshot(programs()), "program")
        before = {row.label: row for row in pane.rows.values()}
        busier = programs()[3]._replace(rx_rate=50.0)
        kept = [*programs()[:3], busier, programs()[4]]
        brought_up(pane, rows.snapshot(kept, sequence=2, changed={"connections": frozenset({4})}))
        after = {row.label: row for row in pane.rows.values()}
        assert after["nginx"] is before["nginx"]
        assert after["sshd"] is not before["sshd"]

    def test_what_is_left_out_everywhere_is_left_out_of_groups(self) -> None:
        members = Pane(PROCESSES)
        pane = GroupPane(members, BY["program"])
        picture = rows.snapshot(
            processes=[rows.process_row(id=1, comm="nginx"), rows.process_row(id=2, comm="kworker", kernel=True)]
        )
        assert len(brought_up(pane, picture).ids) == 2
        pane.set_sight(Sight(kernel=False))
        assert list(figures(brought_up(pane, picture))) == ["nginx"]

    def test_42000_connections_are_grouped_without_a_key_having_to_wait(self) -> None:
        picture = rows.snapshot(rows.many_connections(42_000))
        pane = GroupPane(Pane(CONNECTIONS), BY["remote host"])
        steps, began = [], time.perf_counter()
        for _ in pane.update(picture):
            steps.append(time.perf_counter() - began)
            began = time.perf_counter()
        assert sum(row.sums.sockets for row in pane.rows.values()) == 42_000
        assert sorted(steps)[len(steps) * 9 // 10] < 0.02


class TestGroupings:
    @pytest.mark.parametrize("by", GROUPINGS, ids=lambda by: by.name)
    def test_the_rows_of_a_group_are_what_it_counts(self, by: By) -> None:
        picture = machine(connections=300)
        pane = GroupPane(Pane(CONNECTIONS), by)
        brought_up(pane, picture)
        for group in pane.rows.values():
            inside = brought_up(Pane(CONNECTIONS, pane.scope_of(group)), picture)
            assert len(inside.ids) == group.sums.sockets

    def test_a_listener_has_no_remote_host(self) -> None:
        listener = rows.connection(state="LISTEN", remote="0.0.0.0", rport=0)
        assert list(figures(grouped(rows.snapshot([listener]), "remote host"))) == [None]

    def test_namespaces_without_a_name_are_told_apart_by_their_numbers(self) -> None:
        picture = rows.snapshot([rows.connection(id=n, netns=100 + n, netns_name=None) for n in range(2)])
        assert sorted(figures(grouped(picture, "namespace"))) == ["100", "101"]

    def test_processes_are_not_grouped_by_where_they_connect_to(self) -> None:
        assert [by.name for by in groupings(PROCESSES)] == ["program", "user", "container", "unit", "namespace"]
        assert groupings(VIEWS["namespaces"]) == groupings(VIEWS["events"]) == []

    def test_a_group_inside_a_scope_is_narrowed_by_both(self) -> None:
        picture = machine(connections=300)
        by_program = GroupPane(Pane(CONNECTIONS), BY["program"])
        brought_up(by_program, picture)
        scope = by_program.scope_of(next(iter(by_program.rows.values())))
        within = GroupPane(Pane(CONNECTIONS, scope), BY["namespace"])
        brought_up(within, picture)
        group = next(iter(within.rows.values()))
        inside = brought_up(Pane(CONNECTIONS, within.scope_of(group)), picture)
        assert len(inside.ids) == group.sums.sockets

    def test_the_processes_and_events_of_a_remote_host_are_those_of_who_talks_to_it(self) -> None:
        picture = rows.snapshot(
            programs(),
            [rows.process_row(id=n, pid=n, start_time=n) for n in (1, 2, 3)],
            events=[rows.event(pid=1), rows.event(pid=77)],
        )
        talks = rows.connection(id=8, pid=1, start_time=1, remote="192.0.2.1")
        picture = dataclasses.replace(picture, connections={8: talks})
        pane = grouped(picture, "remote host")
        scope = pane.scope_of(next(iter(pane.rows.values())))
        assert brought_up(Pane(PROCESSES, scope), picture).ids == [1]
        assert len(brought_up(Pane(VIEWS["events"], scope), picture).ids) == 1


class TestMade:
    """How many connections were made to a host or port: told by the collector, which has counted them all."""

    def picture(self) -> Snapshot:
        living = [
            rows.connection(id=1, remote="10.0.0.9", rport=80),
            rows.connection(id=2, remote="10.0.0.8", rport=80),
        ]
        made = [
            rows.destination(remote="10.0.0.9", rport=80, opened=700, failed=2),
            rows.destination(remote="10.0.0.9", rport=443, opened=50, failed=0),
            rows.destination(remote="10.0.0.7", rport=80, opened=9, failed=9),
        ]
        return dataclasses.replace(rows.snapshot(living), destinations=dict(enumerate(made)))

    def test_those_nobody_saw_are_counted_with_the_host_they_were_made_to(self) -> None:
        pane = grouped(self.picture(), "remote host")
        assert figures(pane, "connections", "opened", "failed") == {"10.0.0.9": (1, 750, 2), "10.0.0.8": (1, 0, 0)}

    def test_and_with_the_port(self) -> None:
        assert figures(grouped(self.picture(), "remote port"), "opened", "failed") == {80: (709, 11)}

    def test_of_rows_that_are_filtered_nobody_knows_it(self) -> None:
        pane = grouped(self.picture(), "remote host", "rport=80")
        assert figures(pane, "opened", "failed") == {"10.0.0.9": (None, None), "10.0.0.8": (None, None)}
        assert "opened" not in grouped(self.picture(), "program").view.fields


class TestKeys:
    async def test_b_asks_by_what_and_shows_groups_in_place_of_the_rows(self) -> None:
        async with opened(rows.snapshot(programs()), (120, 30), "2", "b") as seen:
            assert "group connections by" in seen.text()
            await seen.press("enter")
            assert "by program" in seen.lines()[3]
            assert seen.rows()[0].split()[:2] == ["nginx", "2"]

    @pytest.mark.parametrize("key", ["b", "escape"])
    async def test_b_again_or_escape_shows_the_rows_again(self, key: str) -> None:
        async with opened(rows.snapshot(programs()), (120, 30), "2", "b", "enter", key) as seen:
            assert seen.main.pane.view.name == CONNECTIONS.name
            assert "by program" not in seen.lines()[3]

    async def test_enter_opens_a_group_and_escape_comes_back_to_it(self) -> None:
        async with opened(rows.snapshot(programs()), (120, 30), "2", "b", "enter", "j", "enter") as seen:
            assert [row.process.comm for row in seen.main.pane.rows.values() if row.id in seen.main.pane.ids] == [
                "sshd"
            ]
            assert f" {UNICODE.crumb} ".join(["host", "program=sshd", "connections"]) in seen.lines()[2]
            await seen.press("escape")
            assert "sshd" in seen.cursor()
            assert "by program" in seen.lines()[3]

    async def test_the_filter_goes_along_into_a_group(self) -> None:
        keys = ("2", "slash", *"rate", "greater_than_sign", "1", "5", "enter", "b", "enter", "enter")
        async with opened(rows.snapshot(programs()), (120, 30), *keys) as seen:
            assert seen.main.pane.ids == [2]
            assert "filter rate>15" in seen.lines()[3]

    async def test_processes_are_grouped_with_their_cpu_and_memory(self) -> None:
        picture = rows.snapshot(processes=[rows.process_row(id=n, pid=n, comm="envoy", cpu=10.0) for n in (1, 2)])
        async with opened(picture, (120, 30), "b", "enter") as seen:
            assert seen.rows()[0].split()[:3] == ["envoy", "2", "20.0"]

    async def test_what_cannot_be_grouped_says_so(self) -> None:
        async with opened(None, (120, 30), "3", "b") as seen:
            assert "namespaces are not grouped" in seen.lines()[-1]

    async def test_columns_chosen_for_groups_are_there_the_next_time_they_are_grouped_so(self) -> None:
        async with opened(rows.snapshot(programs()), (120, 30), "2", "b", "enter") as seen:
            seen.main.choose_columns(("comm", "sockets"))
            assert seen.lines()[4].split() == ["COMMAND", "SOCKS"]
            await seen.press("b", "b", "enter")
            assert seen.lines()[4].split() == ["COMMAND", "SOCKS"]

    async def test_sorting_scrolling_and_moving_work_on_groups(self) -> None:
        async with opened(None, (80, 24), "2", "b", *"remote h", "enter", "G", "right", "s", "end", "enter") as seen:
            assert seen.main.pane.order.field.name == "failed"
            assert seen.main.pane.scrolled == 1
