"""Who holds a socket, on a /proc made by hand: what is read, in which order, and what becomes of it."""

from __future__ import annotations

from nettop.collector.resolver import Resolver
from nettop.kernel.procfs import Descriptors, Gone, ProcFS
from nettop.model import NO_OWNERS, Owner, ProcessKey

PLENTY, NO_TIME = 60.0, -1.0
"""Budgets: a walk without one ends after the first process."""
HERE, THERE = 4026531833, 4026532000


class Machine(ProcFS):
    """Processes and what they hold: pid → fd → inode."""

    def __init__(self, held: dict[int, dict[int, int]]) -> None:
        super().__init__()
        self.held = held
        self.forbidden: set[int] = set()
        self.walked: list[int] = []
        """Pids whose descriptors were read, in order, since it was last emptied."""

    def sockets(self, pid: int) -> Descriptors:
        self.walked.append(pid)
        if pid in self.forbidden:
            raise PermissionError(13, "Permission denied")
        if pid not in self.held:
            raise Gone(3, "No such process")
        return Descriptors(list(self.held[pid].items()), len(self.held[pid]))


def know(resolver: Resolver, machine: Machine) -> None:
    """Tell of every process, as old as its pid is small, and read them all."""
    for pid in machine.held:
        resolver.look_at(ProcessKey(pid, pid * 100))
    resolver.walk(PLENTY, 0)
    resolver.take_touched()
    machine.walked.clear()


def resolver_of(held: dict[int, dict[int, int]]) -> tuple[Resolver, Machine]:
    machine = Machine(held)
    resolver = Resolver(machine)
    know(resolver, machine)
    return resolver, machine


def holders(resolver: Resolver, inode: int) -> list[tuple[int, int]]:
    return [(owner.pid, owner.fd) for owner in resolver.owners(inode).holders]


def test_nobody_holds_what_nobody_was_seen_to_hold() -> None:
    resolver, _ = resolver_of({7: {3: 1000}})
    assert resolver.owners(2000) is NO_OWNERS
    assert resolver.owners(1000) == ("exact", (Owner(7, 700, 3),))


def test_every_holder_is_told_oldest_first_with_each_of_its_descriptors() -> None:
    resolver, _ = resolver_of({9: {3: 1000}, 5: {8: 1000, 4: 1000}})
    assert holders(resolver, 1000) == [(5, 4), (5, 8), (9, 3)]


def test_who_closes_or_exits_takes_only_its_own_share_away() -> None:
    resolver, machine = resolver_of({5: {3: 1000, 4: 1000}, 6: {3: 1000}})
    del machine.held[5][4]
    resolver.look_at(ProcessKey(5, 500))
    resolver.walk(PLENTY, 0)
    assert holders(resolver, 1000) == [(5, 3), (6, 3)]
    assert resolver.take_touched().keys() == {1000}
    resolver.forget(5)
    assert holders(resolver, 1000) == [(6, 3)]
    assert resolver.take_touched().keys() == {1000}
    resolver.forget(6)
    assert resolver.owners(1000) is NO_OWNERS
    assert resolver.take_touched().keys() == {1000}
    assert resolver.take_touched() == {}


def test_another_socket_under_the_same_number_is_another_socket() -> None:
    resolver, machine = resolver_of({5: {3: 1000}})
    machine.held[5] = {3: 2000}
    resolver.look_at(ProcessKey(5, 500))
    resolver.walk(PLENTY, 0)
    assert (holders(resolver, 1000), holders(resolver, 2000)) == ([], [(5, 3)])
    assert resolver.take_touched().keys() == {1000, 2000}


def test_a_pid_used_again_does_not_inherit() -> None:
    resolver, machine = resolver_of({5: {3: 1000}})
    machine.held[5] = {3: 2000}
    resolver.look_at(ProcessKey(5, 999))
    assert resolver.owners(1000) is NO_OWNERS, "known before its descriptors are read"
    resolver.walk(PLENTY, 0)
    assert resolver.owners(2000).holders == (Owner(5, 999, 3),)


def test_what_ends_before_it_is_read_holds_nothing() -> None:
    resolver, machine = resolver_of({5: {3: 1000}})
    del machine.held[5]
    resolver.look_at(ProcessKey(5, 500))
    resolver.walk(PLENTY, 0)
    assert resolver.owners(1000) is NO_OWNERS


def test_what_may_not_be_read_is_counted_until_it_may_or_ends() -> None:
    machine = Machine({5: {3: 1000}, 6: {3: 2000}})
    machine.forbidden = {5, 6}
    resolver = Resolver(machine)
    know(resolver, machine)
    assert resolver.unreadable == {5, 6}
    machine.forbidden = {6}
    know(resolver, machine)
    assert resolver.unreadable == {6}
    resolver.forget(6)
    assert resolver.unreadable == set()


def test_the_budget_cuts_a_walk_off_and_the_next_one_goes_on() -> None:
    resolver, machine = resolver_of({pid: {} for pid in range(1, 6)})
    for pid in (4, 2, 5):
        machine.held[pid] = {3: pid * 1000}
        resolver.look_at(ProcessKey(pid, pid * 100))
    for pid in (4, 2, 5):
        resolver.walk(NO_TIME, 5)
        assert machine.walked.pop(0) == pid
        assert resolver.backlog is (pid != 5)
        assert holders(resolver, pid * 1000) == [(pid, 3)]
    assert machine.walked == []


def test_a_process_is_read_once_in_a_walk_however_often_it_was_pointed_to() -> None:
    resolver, machine = resolver_of({1: {}, 2: {}})
    resolver.look_at(ProcessKey(2, 200))
    resolver.look_at(ProcessKey(2, 200))
    resolver.search(HERE, {9999}, [2, 1])
    resolver.walk(PLENTY, 2)
    assert machine.walked == [2, 1]


def test_first_who_changed_then_the_search_then_the_round() -> None:
    resolver, machine = resolver_of({pid: {} for pid in range(1, 6)})
    resolver.look_at(ProcessKey(3, 300))
    resolver.search(HERE, {9999}, [5, 2])
    resolver.walk(PLENTY, 5)
    assert machine.walked == [3, 5, 2, 1, 4]


def test_a_search_ends_with_the_process_that_holds_what_is_sought() -> None:
    resolver, machine = resolver_of({pid: {} for pid in range(1, 6)})
    machine.held[4] = {3: 1000}
    resolver.search(HERE, {1000}, [5, 4, 3, 2, 1])
    resolver.walk(PLENTY, 0)
    assert machine.walked == [5, 4]
    assert holders(resolver, 1000) == [(4, 3)]
    resolver.walk(PLENTY, 0)
    assert machine.walked == [5, 4]


def test_what_a_changed_process_turns_out_to_hold_is_not_searched() -> None:
    resolver, machine = resolver_of({1: {}, 2: {}})
    machine.held[1] = {3: 1000}
    resolver.look_at(ProcessKey(1, 100))
    resolver.search(HERE, {1000}, [2, 1])
    resolver.walk(PLENTY, 0)
    assert machine.walked == [1]


def test_a_search_cut_off_goes_on_and_takes_what_is_new_along() -> None:
    resolver, machine = resolver_of({pid: {} for pid in range(1, 5)})
    machine.held.update({1: {3: 1000}, 2: {3: 2000}})
    resolver.search(HERE, {1000}, [4, 3, 2, 1])
    resolver.walk(NO_TIME, 0)
    resolver.search(HERE, {2000}, [3, 2, 1])
    for _ in range(3):
        resolver.walk(NO_TIME, 0)
    assert machine.walked == [4, 3, 2, 1]
    assert (holders(resolver, 1000), holders(resolver, 2000)) == ([(1, 3)], [(2, 3)])


def test_the_search_of_a_namespace_that_ended_ends() -> None:
    resolver, machine = resolver_of({1: {}, 2: {}})
    resolver.search(HERE, {1000}, [1])
    resolver.search(THERE, {2000}, [2])
    resolver.stop_search(HERE)
    resolver.walk(PLENTY, 0)
    assert machine.walked == [2]


def test_the_round_comes_to_everybody() -> None:
    resolver, machine = resolver_of({pid: {} for pid in range(1, 11)})
    for _ in range(4):
        resolver.walk(PLENTY, 3)
    assert sorted(set(machine.walked)) == list(range(1, 11))
    assert len(machine.walked) == 12


def test_the_round_finds_what_left_no_trace() -> None:
    resolver, machine = resolver_of({1: {3: 1000}, 2: {}})
    machine.held[1] = {3: 2000}
    for _ in range(2):
        resolver.walk(PLENTY, 1)
    assert (holders(resolver, 1000), holders(resolver, 2000)) == ([], [(1, 3)])


def test_the_round_goes_on_where_the_budget_cut_it_off() -> None:
    resolver, machine = resolver_of({pid: {} for pid in range(1, 6)})
    for _ in range(5):
        resolver.walk(NO_TIME, 5)
    assert sorted(machine.walked) == [1, 2, 3, 4, 5]
