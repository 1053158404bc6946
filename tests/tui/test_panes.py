"""What a pane shows follows the pictures, and its cursor follows its row."""

from __future__ import annotations

import dataclasses
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.fields import VIEWS
from nettop.order import parse_sort
from nettop.query import QueryError
from nettop.snapshot import Connection, Snapshot
from nettop.tui.lists import shown as shown_module
from nettop.tui.lists.levels import Levels
from nettop.tui.lists.panes import Pane
from nettop.tui.lists.scopes import Scope, namespace_scope, process_of, process_scope
from tests.support import rows

CONNECTIONS = VIEWS["connections"]


def picture(sequence: int, rates: dict[int, float | None], changed: frozenset[int] | None = None) -> Snapshot:
    """A picture of connections with these rates, by id."""
    told = {"connections": changed} if changed is not None else None
    connections = [rows.connection(id=n, rx_rate=rate, tx_rate=0.0) for n, rate in rates.items()]
    return rows.snapshot(connections, sequence=sequence, changed=told)


def shown(pane: Pane, snapshot: Snapshot) -> list[int]:
    """The ids of a pane after it has been brought up to a picture."""
    for _ in pane.update(snapshot):
        pass
    return pane.ids


class TestOrder:
    def test_rows_are_sorted_and_unknown_values_come_last_in_either_direction(self) -> None:
        pane = Pane(CONNECTIONS)
        rates = {1: 5.0, 2: None, 3: 50.0}
        assert shown(pane, picture(1, rates)) == [3, 1, 2]
        pane.set_order(parse_sort("rate", CONNECTIONS))
        assert shown(pane, picture(1, rates)) == [1, 3, 2]

    def test_equal_rows_stay_in_the_order_of_their_ids_in_either_direction(self) -> None:
        pane = Pane(CONNECTIONS)
        rates: dict[int, float | None] = {3: 0.0, 1: 0.0, 2: 0.0, 5: None, 4: None}
        assert shown(pane, picture(1, rates)) == [1, 2, 3, 4, 5]
        pane.set_order(parse_sort("rate", CONNECTIONS))
        assert shown(pane, picture(1, rates)) == [1, 2, 3, 4, 5]

    def test_a_container_that_holds_no_socket_stands_before_programs_that_move_nothing(self) -> None:
        program = {"kind": "program", "runtime": None}
        containers = [
            rows.container_row(id=1, name="nginx", rx_rate=5.0, **program),
            rows.container_row(id=2, name="sshd", **program),
            rows.container_row(id=3, name="idle", sockets=0, rx_rate=None, tx_rate=None),
        ]
        pane = Pane(VIEWS["containers"])
        assert shown(pane, rows.snapshot(containers=containers)) == [1, 3, 2]
        pane.set_order(parse_sort("rate", VIEWS["containers"]))
        assert shown(pane, rows.snapshot(containers=containers)) == [2, 1, 3]  # what is not known is last there

    @given(st.lists(st.dictionaries(st.integers(0, 30), st.none() | st.floats(0, 1e9)), min_size=1, max_size=6))
    def test_following_changes_gives_what_starting_afresh_gives(self, history: list[dict[int, float | None]]) -> None:
        for sort in ("-rate", "local", "-lport"):
            following = Pane(CONNECTIONS)
            following.set_order(parse_sort(sort, CONNECTIONS))
            following.set_filter("rate<1000 or rate=-")
            before: Snapshot | None = None
            for sequence, rates in enumerate(history, 1):
                snapshot = picture(sequence, rates)
                kept = before.connections if before else {}
                connections = {n: kept[n] if kept.get(n) == row else row for n, row in snapshot.connections.items()}
                changed = frozenset(n for n, row in connections.items() if kept.get(n) is not row)
                snapshot = dataclasses.replace(
                    snapshot, connections=connections, changed={"connections": changed | (kept.keys() - connections)}
                )
                afresh = Pane(CONNECTIONS)
                afresh.set_order(following.order)
                afresh.set_filter(following.filter_text)
                assert shown(following, snapshot) == shown(afresh, snapshot)
                before = snapshot

    def test_a_picture_that_was_missed_is_made_up_for(self) -> None:
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {1: 5.0, 2: 4.0}))
        assert shown(pane, picture(3, {2: 4.0, 3: 9.0}, changed=frozenset())) == [3, 2]

    def test_only_changed_rows_are_looked_at(self) -> None:
        first = picture(1, {1: 5.0, 2: 4.0})
        pane = Pane(CONNECTIONS)
        shown(pane, first)
        looked: list[int] = []

        def look(row: Connection) -> bool:
            looked.append(row.id)
            return True

        pane.test = look
        second = dataclasses.replace(first, sequence=2, changed={"connections": frozenset({2})})
        shown(pane, second)
        assert looked == [2]

    def test_no_step_takes_longer_than_a_key_may_wait(self) -> None:
        snapshot = rows.snapshot(rows.many_connections(42_000))
        pane = Pane(CONNECTIONS)
        for sort in ("-rate", "remote"):
            pane.set_order(parse_sort(sort, CONNECTIONS))
            steps, began = [], time.perf_counter()
            for _ in pane.update(snapshot):
                steps.append(time.perf_counter() - began)
                began = time.perf_counter()
            steps.sort()
            # the machine may be busy with something else for a moment, but not all the time
            assert steps[len(steps) * 9 // 10] < 0.02
        assert len(pane.ids) == 42_000


class TestCursor:
    def test_it_stays_on_its_row_when_rows_are_sorted_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shown_module, "HOLD", 0.0)
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {1: 9.0, 2: 8.0, 3: 7.0}))
        pane.move(1)
        assert shown(pane, picture(2, {1: 9.0, 2: 1.0, 3: 7.0})) == [1, 3, 2]
        assert (pane.cursor, pane.line) == (2, 2)

    def test_when_its_row_is_gone_it_is_on_the_one_now_in_its_place(self) -> None:
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {1: 9.0, 2: 8.0, 3: 7.0}))
        pane.move(1)
        shown(pane, picture(2, {1: 9.0, 3: 7.0}))
        assert (pane.cursor, pane.line) == (3, 1)
        shown(pane, picture(3, {1: 9.0}))
        assert (pane.cursor, pane.line) == (1, 0)

    def test_until_it_is_moved_it_is_on_the_first_row_whichever_that_is(self) -> None:
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {1: 9.0, 2: 8.0}))
        shown(pane, picture(2, {1: 9.0, 2: 80.0}))
        assert pane.row is not None
        assert pane.row.id == 2

    def test_it_survives_a_list_that_empties_and_fills(self) -> None:
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {1: 9.0, 2: 8.0}))
        pane.move(1)
        assert shown(pane, picture(2, {})) == []
        assert pane.row is None
        pane.move(1)
        assert shown(pane, picture(3, {5: 1.0})) == [5]
        assert pane.row is not None


class TestHolding:
    def test_the_order_holds_for_a_while_after_the_cursor_moved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 100.0
        monkeypatch.setattr("time.monotonic", lambda: now)
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {1: 9.0, 2: 8.0, 3: 7.0}))
        pane.move(1)
        assert shown(pane, picture(2, {1: 1.0, 2: 2.0, 3: 3.0})) == [1, 2, 3]
        assert pane.held
        now += shown_module.HOLD + 0.1
        assert shown(pane, picture(3, {1: 1.0, 2: 2.0, 3: 3.0})) == [3, 2, 1]

    def test_meanwhile_rows_that_are_gone_leave_and_new_ones_come_last(self) -> None:
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {1: 9.0, 2: 8.0, 3: 7.0}))
        pane.move(1)
        assert shown(pane, picture(2, {1: 9.0, 3: 7.0, 4: 99.0, 5: 100.0})) == [1, 3, 5, 4]

    def test_asking_for_another_order_ends_it(self) -> None:
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {1: 9.0, 2: 8.0}))
        pane.move(1)
        pane.set_order(parse_sort("rate", CONNECTIONS))
        assert shown(pane, picture(1, {1: 9.0, 2: 8.0})) == [2, 1]


class TestFilter:
    def test_rows_that_do_not_match_are_hidden(self) -> None:
        pane = Pane(CONNECTIONS)
        pane.set_filter("rate>10")
        assert shown(pane, picture(1, {1: 5.0, 2: 50.0})) == [2]

    def test_a_row_appears_when_it_begins_to_match(self) -> None:
        pane = Pane(CONNECTIONS)
        pane.set_filter("rate>10")
        shown(pane, picture(1, {1: 5.0, 2: 50.0}))
        assert shown(pane, picture(2, {1: 90.0, 2: 50.0})) == [1, 2]

    def test_the_last_good_one_stays_while_the_text_does_not_parse(self) -> None:
        pane = Pane(CONNECTIONS)
        pane.set_filter("rate>10")
        with pytest.raises(QueryError):
            pane.set_filter("rate>10 and (")
        assert pane.filter_text == "rate>10"
        assert shown(pane, picture(1, {1: 5.0, 2: 50.0})) == [2]

    def test_time_alone_can_make_a_row_match(self) -> None:
        row = rows.connection(id=1, since=rows.NOW)
        pane = Pane(CONNECTIONS)
        pane.set_filter("age>10s")
        assert shown(pane, rows.snapshot([row], time=rows.NOW + 5, sequence=1)) == []
        later = rows.snapshot([row], time=rows.NOW + 15, sequence=2, changed={"connections": frozenset()})
        assert shown(pane, later) == [1]

    def test_giving_up_half_way_leaves_the_pane_as_it_was(self) -> None:
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {1: 5.0, 2: 50.0}))
        pane.set_filter("rate>10")
        work = pane.update(picture(2, {1: 5.0, 2: 50.0, 3: 70.0}))
        next(work)
        pane.set_filter("rate<10")
        assert pane.ids == [2, 1]
        assert shown(pane, picture(2, {1: 5.0, 2: 50.0, 3: 70.0})) == [1]


class TestLevels:
    def test_the_windows_of_the_cursor_move_as_little_as_possible(self) -> None:
        pane = Pane(CONNECTIONS)
        shown(pane, picture(1, {n: float(-n) for n in range(100)}))
        pane.move_to(50)
        pane.scroll(10)
        assert pane.top == 41
        pane.move_to(45)
        pane.scroll(10)
        assert pane.top == 41
        pane.move_to(40)
        pane.scroll(10)
        assert pane.top == 40

    def test_a_scope_narrows_every_view_it_names(self) -> None:
        pane = Pane(CONNECTIONS, Scope("odd", {"connections": lambda row: row.id % 2 == 1}))
        assert shown(pane, picture(1, {1: 1.0, 2: 2.0, 3: 3.0})) == [3, 1]

    def test_going_in_and_out(self) -> None:
        levels = Levels("namespaces")
        shown(levels.pane, rows.snapshot(namespaces=[rows.namespace_row(name="web", kind="named")]))
        assert levels.drill(levels.pane.row)
        assert (levels.level.active, levels.trail) == ("connections", ["web"])
        assert levels.back()
        assert not levels.back()
        assert levels.trail == []


def log(count: int, kept: int = 100) -> Snapshot:
    """A picture after that many events, one a second, with the last ones kept."""
    happened = [rows.event(time=rows.NOW + n, pid=n) for n in range(max(0, count - kept), count)]
    return rows.snapshot(events=happened, events_total=count, sequence=count)


class TestLog:
    def test_the_newest_event_is_first_and_the_cursor_stays_with_the_newest_until_it_is_moved(self) -> None:
        pane = Pane(VIEWS["events"])
        assert shown(pane, log(3)) == [2, 1, 0]
        shown(pane, log(5))
        assert (pane.row.pid, pane.top) == (4, 0)  # type: ignore[union-attr]

    def test_once_it_is_moved_the_list_stays_where_it_is_and_new_ones_come_in_above(self) -> None:
        pane = Pane(VIEWS["events"])
        shown(pane, log(50))
        pane.move_to(12)
        pane.scroll(10)
        in_sight = pane.ids[pane.top : pane.top + 10]
        for count in (51, 58):
            shown(pane, log(count))
            pane.scroll(10)
            assert pane.ids[pane.top : pane.top + 10] == in_sight
            assert pane.ids[pane.line] == 37
            assert pane.ids[0] == count - 1

    def test_at_the_top_it_is_with_the_newest_again(self) -> None:
        pane = Pane(VIEWS["events"])
        shown(pane, log(50))
        pane.move_to(12)
        pane.move_to(0)
        shown(pane, log(60))
        assert pane.row.pid == 59  # type: ignore[union-attr]

    def test_it_keeps_no_more_than_the_picture_does(self) -> None:
        pane = Pane(VIEWS["events"])
        shown(pane, log(100))
        pane.move_to(99)
        assert len(shown(pane, log(150))) == 100
        assert pane.line == 99


class TestScopesOfEvents:
    def test_a_process_has_its_own_events_and_those_of_its_children_but_not_of_who_had_its_pid_before(self) -> None:
        process = rows.process_row(pid=7, started=rows.NOW)
        happened = [
            rows.event(time=rows.NOW - 60, pid=7),
            rows.event(time=rows.NOW + 1, pid=7),
            rows.event(time=rows.NOW + 2, pid=8, ppid=7),
            rows.event(time=rows.NOW + 3, pid=9, ppid=8),
        ]
        assert shown(Pane(VIEWS["events"], process_scope(process)), rows.snapshot(events=happened)) == [2, 1]

    def test_a_namespace_has_the_events_of_the_processes_inside(self) -> None:
        happened = [rows.event(netns=5), rows.event(netns=6)]
        scope = namespace_scope(rows.namespace_row(netns=5))
        assert shown(Pane(VIEWS["events"], scope), rows.snapshot(events=happened)) == [0]

    def test_an_event_leads_to_its_process_while_that_is_there(self) -> None:
        process = rows.process_row(pid=7, started=rows.NOW)
        assert process_of(rows.event(pid=7, time=rows.NOW + 5), [process]) is process
        assert process_of(rows.event(pid=7, time=rows.NOW - 60), [process]) is None
        assert process_of(rows.event(pid=8), [process]) is None
