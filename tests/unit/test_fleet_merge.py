"""Pictures of several machines as one: their rows and no others, the same objects, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nettop.fleet.joins import Joins
from nettop.fleet.member import Cut
from nettop.fleet.merge import VIEWS, Merger
from nettop.fleet.numbered import numbered
from nettop.machines import first_number, machine_of
from nettop.model import Delta
from nettop.snapshot import Snapshot
from nettop.store import Store
from tests.support.rows import event
from tests.support.streams import Machine, streams


class Followed:
    """A machine, the store that is told of it, and what a merged picture has of it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.stream = 1
        self.store = Store(events_total=first_number(number))
        self.newest: Snapshot | None = None
        self.shown: Snapshot | None = None
        self.changed: dict[str, set[int]] = {}

    def take(self, told: Delta) -> None:
        picture = self.store.apply(numbered(told, self.number, self.stream))
        assert picture is not None
        self.newest = picture
        for view, ids in picture.changed.items():
            self.changed.setdefault(view, set()).update(ids)

    def cut(self) -> Cut:
        cut = Cut(self.number, self.shown, self.newest, self.changed)
        self.shown, self.changed = self.newest, {}
        return cut


def merge(merger: Merger, machines: list[Followed]) -> None:
    for _ in merger.take([machine.cut() for machine in machines]):
        pass


def union(machines: list[Followed], view: str) -> Mapping[int, Any]:
    return {i: row for m in machines if m.newest for i, row in getattr(m.newest, view).items()}


STEPS = ("a tick of the first", "a tick of the second", "the second is lost", "a picture")


@settings(deadline=None, suppress_health_check=[HealthCheck.large_base_example, HealthCheck.too_slow])
@given(streams(longest=4), streams(longest=4), st.lists(st.sampled_from(STEPS), max_size=12))
def test_a_merged_picture_has_the_rows_of_all_machines_and_tells_what_changed(
    web: list[Delta], db: list[Delta], steps: list[str]
) -> None:
    first, second = machines = [Followed(1), Followed(2)]
    merger = Merger(Joins())
    for step in (*steps, "a picture"):
        if step == STEPS[0] and web:
            first.take(web.pop(0))
        elif step == STEPS[1] and db:
            second.take(db.pop(0))
        elif step == STEPS[2]:
            second.newest = None
        if step != "a picture":
            continue
        before = merger.rows
        merge(merger, machines)
        for view in VIEWS:
            expected, rows = union(machines, view), merger.rows[view]
            assert rows == expected
            assert all(rows[row_id] is expected[row_id] for row_id in rows), "nothing is made twice"
            ids = before[view].keys() | rows.keys()
            different = {row_id for row_id in ids if before[view].get(row_id) is not rows.get(row_id)}
            assert merger.changed[view] == different
        assert merger.events.items() >= union(machines, "events").items()


def test_a_view_that_does_not_change_is_the_same_object() -> None:
    machine, followed = Machine(), Followed(1)
    machine.open_socket(5)
    merger = Merger(Joins())
    followed.take(machine.tell(key=True))
    merge(merger, [followed])
    shown = merger.rows["connections"]
    machine.start_process(9)
    followed.take(machine.tell())
    merge(merger, [followed])
    assert merger.rows["connections"] is shown
    assert len(merger.rows["processes"]) == 1


def test_work_is_in_slices() -> None:
    machine, followed = Machine(), Followed(1)
    for number in range(5000):
        machine.open_socket(number + 1)
    followed.take(machine.tell(key=True))
    assert len([*Merger(Joins()).take([followed.cut()])]) >= 3


def test_a_machine_that_comes_back_has_other_rows_and_the_others_stay() -> None:
    (web, first), (db, second) = (Machine(), Followed(1)), (Machine(), Followed(2))
    for machine in (web, db):
        machine.open_socket(5)
    merger = Merger(Joins())
    first.take(web.tell(key=True))
    second.take(db.tell(key=True))
    merge(merger, [first, second])
    before = merger.rows["connections"]
    second.newest = None
    merge(merger, [first, second])
    assert [machine_of(row_id) for row_id in merger.rows["connections"]] == [1]
    second.stream += 1
    second.take(db.tell(key=True))
    merge(merger, [first, second])
    after = merger.rows["connections"]
    assert [machine_of(row_id) for row_id in after] == [1, 2]
    assert before.keys() ^ after.keys() == {
        row_id for rows in (before, after) for row_id in rows if machine_of(row_id) == 2
    }


def test_events_stay_when_their_machine_goes_and_come_once() -> None:
    (web, first), (db, second) = (Machine(), Followed(1)), (Machine(), Followed(2))
    merger = Merger(Joins(), events_kept=5)
    first.take(web.tell(key=True, events=(event(pid=1), event(pid=2))))
    second.take(db.tell(key=True, events=(event(pid=3),)))
    merge(merger, [first, second])
    assert sorted(each.pid or 0 for each in merger.events.values()) == [1, 2, 3]
    assert merger.changed["events"] == merger.events.keys()
    second.newest = None
    merge(merger, [first, second])
    assert sorted(each.pid or 0 for each in merger.events.values()) == [1, 2, 3]
    assert not merger.changed["events"]
    second.take(db.tell(key=True, events=(event(pid=4), event(pid=5))))
    first.take(web.tell(events=(event(pid=6),)))
    merge(merger, [first, second])
    assert len(merger.events) == 5, "the oldest goes"
    assert {4, 5, 6} < {each.pid for each in merger.events.values()}
    assert merger.events_total == 6
