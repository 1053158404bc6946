"""What processes belong to: rows that begin with the first process, get their names later, and go with the last."""

from __future__ import annotations

from typing import Any

import pytest

from nettop.collector.health import HealthBook
from nettop.collector.outbox import Outbox
from nettop.collector.registry import ASK_AGAIN, FROZEN_EVERY, PATIENCE, RENEW, WALK_EVERY, Registry
from nettop.kernel import cgroup_fs
from nettop.kernel.cgroup import parse_cgroup
from nettop.model import Cgroup, Container, Process
from nettop.runtimes.facts import ContainerFacts
from tests.support.rows import process_row

A, B = "a" * 64, "b" * 64


class Answering:
    """Runtimes that answer what a test has told them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.forgotten: list[tuple[str, str]] = []
        self.answers: dict[tuple[str, str], ContainerFacts | None] = {}
        self.trouble: dict[str, str] = {}

    def ask(self, kind: str, container_id: str) -> None:
        self.asked.append((kind, container_id))

    def take(self) -> dict[tuple[str, str], ContainerFacts | None]:
        taken, self.answers = self.answers, {}
        return taken

    def forget(self, kind: str, container_id: str) -> None:
        self.forgotten.append((kind, container_id))

    def troubles(self) -> dict[str, str]:
        return self.trouble

    def close(self) -> None:
        pass


class Room:
    """A registry with its surroundings, and a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.tree: dict[int, str] = {}
        self.kills: dict[str, int] = {}
        self.frozen: set[str] = set()
        self.walks = 0
        monkeypatch.setattr("nettop.collector.registry.monotonic", lambda: self.now)
        monkeypatch.setattr(cgroup_fs, "read_mounts", lambda: cgroup_fs.CgroupMounts("/nowhere", None, None))
        monkeypatch.setattr(cgroup_fs, "walk", self._walk)
        monkeypatch.setattr(cgroup_fs, "cgroup_id", self._number)
        monkeypatch.setattr(cgroup_fs, "read_oom_kills", lambda _mounts, path: self.kills.get(path))
        monkeypatch.setattr(cgroup_fs.FrozenReader, "read", lambda _reader, path: path in self.frozen)
        self.outbox = Outbox()
        self.runtimes = Answering()
        self.registry = Registry(self.outbox, HealthBook(self.outbox), self.runtimes)  # type: ignore[arg-type]
        self.told: dict[str, dict[int, Any]] = {"containers": {}, "cgroups": {}, "health": {}}

    def _walk(self, _mounts: object) -> dict[int, str]:
        self.walks += 1
        return self.tree

    def _number(self, _mounts: object, path: str) -> int | None:
        return next((number for number, known in self.tree.items() if known == path), None)

    def place(self, path: str, comm: str = "nginx") -> int:
        """The row of a process in this cgroup."""
        row = self.registry.place(parse_cgroup(f"0::{path}"), comm).row
        assert row is not None
        return row

    def tick(self) -> dict[int, Container]:
        """The table as it is after a tick."""
        self.registry.settle()
        for table, change in self.outbox.take(0.0, 0.0).changes.items():
            for row in change.gone:
                del self.told[table][row]
            self.told[table].update(change.rows)
        return self.told["containers"]

    def answer(self, container_id: str, kind: str = "docker", **facts: Any) -> None:
        told: dict[str, Any] = dict.fromkeys(ContainerFacts._fields)
        told |= {"id": container_id, "runtime": kind, "sandbox": False, "labels": (), **facts}
        self.runtimes.answers[kind, container_id] = ContainerFacts(**told)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(monkeypatch)


def member(row: int, pid: int = 10, netns: int | None = 5) -> Process:
    return process_row(pid=pid, start_time=pid, belongs=row, netns=netns).process


@pytest.mark.parametrize(
    ("path", "kind", "name", "cgroup"),
    [
        (f"/docker/{A}", "container", A[:12], f"/docker/{A}"),
        (f"/docker/{A}/init.scope", "container", A[:12], f"/docker/{A}"),
        (f"/system.slice/docker-{A}.scope/system.slice/cron.service", "container", A[:12],
         f"/system.slice/docker-{A}.scope"),
        ("/lxc.payload.box/user.slice", "container", "box", "/lxc.payload.box"),
        ("/system.slice/nginx.service", "service", "nginx.service", "/system.slice/nginx.service"),
        ("/user.slice/user-0.slice/session-3.scope", "session", "session-3.scope",
         "/user.slice/user-0.slice/session-3.scope"),
        ("/system.slice/cups.service/worker", "service", "cups.service", "/system.slice/cups.service"),
        ("/", "program", "nginx", None),
    ],
)  # fmt: skip
def test_a_row_is_called_after_what_the_cgroup_is(
    room: Room, path: str, kind: str, name: str, cgroup: str | None
) -> None:
    place = room.place(path)
    row = room.tick()[place]
    assert (row.kind, row.name, row.cgroup) == (kind, name, cgroup)
    assert row.contained == (kind == "container")


def test_processes_of_one_container_share_a_row_and_units_of_one_name_in_two_places_do_not(room: Room) -> None:
    assert room.place(f"/docker/{A}") == room.place(f"/docker/{A}/child")
    assert room.place(f"/docker/{A}") != room.place(f"/docker/{B}")
    users = [f"/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/syncthing.service" for uid in (1, 2)]
    assert room.place(users[0]) != room.place(users[1])
    assert room.place("/", "nginx") != room.place("/", "sshd")


def test_a_name_comes_later_and_says_whose_processes_are_to_be_called_so(room: Room) -> None:
    row = room.place(f"/docker/{A}")
    assert room.runtimes.asked == [("docker", A)]
    assert room.registry.waiting
    assert room.registry.listen() == {}
    room.answer(A, name="web", image="nginx:1", state="running", labels=(("role", "front"),))
    assert room.registry.listen() == {row: "web"}
    assert not room.registry.waiting
    told = room.tick()[row]
    assert (told.name, told.image, told.state, told.labels) == ("web", "nginx:1", "running", ("role=front",))
    assert room.registry.place(parse_cgroup(f"0::/docker/{A}"), "sh").container == "web"
    room.answer(A, name="web", state="paused")
    assert room.registry.listen() == {}, "the name is the same"
    assert room.tick()[row].state == "paused"


@pytest.mark.parametrize(
    ("facts", "kind", "name"),
    [
        ({"name": "nginx", "pod": "shop", "k8s_container": "nginx"}, "container", "shop/nginx"),
        ({"pod": "shop", "sandbox": True}, "sandbox", "shop/pause"),
        ({"name": None}, "container", A[:12]),
    ],
)
def test_in_a_pod_a_container_has_both_names(room: Room, facts: dict[str, Any], kind: str, name: str) -> None:
    row = room.place(f"/docker/{A}")
    room.answer(A, **facts)
    room.registry.listen()
    assert (room.tick()[row].kind, room.tick()[row].name) == (kind, name)


def test_who_does_not_know_a_container_is_asked_again_less_and_less_often(room: Room) -> None:
    room.place(f"/docker/{A}")
    for wait in (ASK_AGAIN, 2 * ASK_AGAIN, 4 * ASK_AGAIN):
        asked = len(room.runtimes.asked)
        room.runtimes.answers["docker", A] = None
        room.registry.listen()
        room.now += wait - 1
        room.registry.listen()
        assert len(room.runtimes.asked) == asked
        room.now += 1
        room.registry.listen()
        assert len(room.runtimes.asked) == asked + 1


def test_a_runtime_that_does_not_tell_by_itself_is_asked_now_and_then(room: Room) -> None:
    room.place(f"/docker/{A}")
    room.place(f"/kubepods/besteffort/pod{'0' * 32}/{B}")
    room.answer(A)
    room.answer(B, kind="kubernetes", runtime="containerd")
    room.registry.listen()
    room.now += RENEW
    room.registry.listen()
    assert room.runtimes.asked[2:] == [("kubernetes", B)]


def test_the_reason_why_a_runtime_does_not_answer_is_told_until_it_does(room: Room) -> None:
    def complaints() -> list[str]:
        room.registry.listen()
        room.tick()
        return [row.reason for row in room.told["health"].values()]

    room.runtimes.trouble = {"docker": "it does not answer in time"}
    assert complaints() == [], "there is no container that it could name"
    row = room.place(f"/docker/{A}")
    assert complaints() == ["containers of docker go by their ids: it does not answer in time"]
    room.runtimes.trouble = {}
    assert complaints() == []
    room.runtimes.trouble = {"docker": "it does not answer in time"}
    assert complaints()
    room.registry.take_census([], set())
    assert complaints() == [], f"{row} is gone"


def test_a_row_tells_its_oldest_process_and_goes_when_none_is_listed(room: Room) -> None:
    row = room.place(f"/docker/{A}")
    assert room.registry.take_census([member(row, 11, 6), member(row, 10, 5)], {row}) == []
    assert (room.tick()[row].pid, room.tick()[row].netns) == (10, 5)
    assert room.registry.take_census([], {row}) == [], "its last process is shown for a while still"
    assert (room.tick()[row].pid, room.tick()[row].netns) == (None, 5)
    assert room.registry.take_census([], set()) == [row]
    assert room.tick() == {}
    assert room.runtimes.forgotten == [("docker", A)]
    assert room.place(f"/docker/{A}") != row


def test_where_no_runtime_tells_the_state_the_kernel_does(room: Room) -> None:
    row = room.place("/default/box")

    def state() -> str | None:
        for _ in range(FROZEN_EVERY):
            rows = room.tick()
        return rows[row].state

    room.registry.take_census([member(row)], {row})
    assert state() == "running"
    room.answer("box", kind="containerd", name="box")
    room.registry.listen()
    assert state() == "running", "containerd's files do not tell"
    room.frozen = {"/default/box"}
    assert state() == "paused"
    room.frozen = set()
    room.registry.take_census([], {row})
    assert room.tick()[row].state == "exited", "at once"


def test_what_the_runtime_says_of_the_state_goes_before_what_the_kernel_shows(room: Room) -> None:
    row = room.place(f"/docker/{A}")
    room.registry.take_census([member(row)], {row})
    assert room.tick()[row].state == "running"
    room.answer(A, state="restarting", started=99.5)
    room.registry.listen()
    room.registry.take_census([member(row)], {row})
    for _ in range(FROZEN_EVERY):
        told = room.tick()[row]
    assert (told.state, told.started) == ("restarting", 99.5)


def test_a_container_that_its_runtime_has_forgotten_is_what_the_kernel_shows(room: Room) -> None:
    row = room.place(f"/docker/{A}")
    room.registry.take_census([member(row)], {row})
    room.answer(A, name="web", state="running")
    room.registry.listen()
    room.registry.take_census([], {row})
    assert room.tick()[row].state == "running", "as far as its runtime has said"
    room.runtimes.answers["docker", A] = None
    room.registry.listen()
    assert (room.tick()[row].state, room.tick()[row].name) == ("exited", "web")


def test_units_have_no_state_and_began_with_their_oldest_process(room: Room) -> None:
    row = room.place("/system.slice/nginx.service")
    process = member(row)
    room.registry.take_census([process], {row})
    for _ in range(FROZEN_EVERY):
        told = room.tick()[row]
    assert (told.state, told.started) == (None, process.started)


def test_a_pause_process_of_a_pod_is_a_sandbox_until_a_runtime_says_more(room: Room) -> None:
    pod = f"/kubepods/besteffort/pod{'0' * 32}"
    rows = [room.place(f"{pod}/{A}", "pause"), room.place(f"{pod}/{B}"), room.place(f"/docker/{A}", "pause")]
    members = [member(row)._replace(comm=comm) for row, comm in zip(rows, ("pause", "nginx", "pause"), strict=True)]
    room.registry.take_census(members, set(rows))
    assert [room.tick()[row].kind for row in rows] == ["sandbox", "container", "container"]
    room.answer(A, kind="kubernetes", runtime="containerd", name="pause")
    room.registry.listen()
    room.registry.take_census(members, set(rows))
    assert room.tick()[rows[0]].kind == "container"


def test_a_container_that_its_runtime_will_start_again_stays_listed_a_while(room: Room) -> None:
    row = room.place(f"/docker/{A}")
    room.registry.take_census([member(row)], {row})
    room.answer(A, name="crash", state="restarting")
    room.registry.listen()
    assert room.registry.take_census([], set()) == []
    assert room.tick()[row].state == "restarting"
    assert room.place(f"/docker/{A}") == row, "the same, when it is back"
    room.registry.take_census([member(row)], {row})
    room.registry.take_census([], set())
    room.now += PATIENCE - 1
    assert room.registry.take_census([], set()) == []
    room.now += 1
    assert room.registry.take_census([], set()) == [row]


def test_the_oom_killers_work_is_counted_at_once_where_a_process_has_ended(room: Room) -> None:
    row = room.place(f"/docker/{A}")
    room.kills[f"/docker/{A}"] = 0
    assert room.tick()[row].oom_kills == 0
    room.kills[f"/docker/{A}"] = 3
    room.registry.note_end(row)
    assert room.tick()[row].oom_kills == 3


def test_sockets_are_placed_by_the_cgroups_of_processes_without_a_walk(room: Room) -> None:
    room.tree = {77: f"/docker/{A}"}
    row = room.place(f"/docker/{A}")
    room.registry.note_cgroups({77, None})
    room.tick()
    assert list(room.told["cgroups"].values()) == [Cgroup(77, row)]
    assert room.walks == 0
    room.registry.take_census([], set())
    room.tick()
    assert room.told["cgroups"] == {}


def test_a_container_whose_processes_are_not_seen_is_found_by_its_sockets(room: Room) -> None:
    room.tree = {1: "/", 78: f"/docker/{B}"}
    room.registry.note_cgroups({1, 78})
    rows = room.tick()
    assert [row.container_id for row in rows.values()] == [B]
    assert list(room.told["cgroups"].values()) == [Cgroup(78, next(iter(rows)))]
    assert room.registry.take_census([], set()) == [], "a socket shows that it is there"
    room.registry.note_cgroups({1, 78})
    room.tick()
    assert room.walks == 1, "what is known is not looked for again"
    room.tree = {1: "/"}
    room.now += WALK_EVERY
    room.tick()
    assert len(room.registry.take_census([], set())) == 1
    assert room.tick() == {}
    assert room.told["cgroups"] == {}
