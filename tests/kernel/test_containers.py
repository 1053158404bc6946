"""Containers of real engines, Docker and podman: what they are called, what belongs to them, what becomes of them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nettop.kernel import cgroup_fs, netns
from nettop.runtimes.runtimes import Runtimes
from nettop.snapshot import ContainerRow, Snapshot
from tests.support import watching
from tests.support.engines import Docker, Podman, docker, podman
from tests.support.watching import T, Watch, container, namespace, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="a container engine needs root"),
]

HTTPD = ("/bin/httpd", "-f", "-p", "80")
INTERVAL = 1.0
"""Seconds between two ticks, as usual."""
TICKS = 2
"""After which all is right."""

Engine = Docker | Podman


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with podman() if request.param == "podman" else docker(tmp_path_factory.mktemp("docker")) as made:
        yield made


@pytest.fixture
def watch(engine: Engine) -> Iterator[Watch]:
    with Watch(runtimes=Runtimes({engine.kind: (str(engine.socket),)})) as made:
        yield made


@pytest.fixture
def run(engine: Engine) -> Iterator[Callable[..., str]]:
    """Starts a container, and removes it when the test is over."""
    started: list[str] = []

    def start(name: str, *options: str, command: tuple[str, ...] = ("/bin/sleep", "600")) -> str:
        started.append(engine.run(name, *options, command=command))
        return started[-1]

    yield start
    there = engine("ps", "-aq", "--no-trunc").split()
    for container_id in reversed(started):  # who lends another its network goes last
        if container_id in there:
            engine.remove(container_id)


def soon(watch: Watch, find: Callable[[Snapshot], T | None]) -> T:
    """What `find` finds within two ordinary ticks."""
    for _ in range(TICKS):
        time.sleep(INTERVAL)
        watch.collector.read_names(5.0)  # a busy engine may take longer to answer
        picture = watch.tick()
        found = find(picture)
        if found:
            return found
    shown = [row.container for row in picture.containers.values() if row.container.contained]
    pytest.fail(f"not within {TICKS} ticks; {shown}, {picture.health}")


def row_of(container_id: str, right: Callable[[ContainerRow], object]) -> Callable[[Snapshot], ContainerRow | None]:
    """(picture) → the row of a container, if it is right."""

    def find(picture: Snapshot) -> ContainerRow | None:
        row = container(picture, container_id)
        return row if row and right(row) else None

    return find


def test_a_container_has_its_name_its_image_and_its_state_in_the_second_tick(
    engine: Engine, watch: Watch, run: Callable[..., str]
) -> None:
    container_id = run("web", "--label", "role=front", command=HTTPD)
    first = container(watch.tick(), container_id)
    assert first is not None
    assert first.container.name in (container_id[:12], "web"), "what the kernel tells, unless the runtime was quicker"
    assert first.container.state == "running"
    row = soon(watch, row_of(container_id, lambda row: row.container.name == "web"))
    told, pid = row.container, engine.pid("web")
    assert (told.kind, told.runtime, told.image) == ("container", engine.kind, engine.image)
    assert (told.state, told.restarts, told.labels) == ("running", 0, ("role=front",))
    assert (told.pid, told.netns) == (pid, netns.of_process(pid)[1])
    assert row.listening == 1
    picture = watch.tick()
    server, inside = process(picture, pid), namespace(picture, told.netns or 0)
    assert server is not None
    assert (server.process.container, server.process.belongs) == ("web", row.id)
    assert inside is not None
    assert (inside.namespace.kind, inside.namespace.container) == ("container", "web")


def test_what_is_fetched_through_a_published_port_is_on_the_books_of_the_container(
    engine: Engine, watch: Watch, run: Callable[..., str]
) -> None:
    container_id = run("shop", "-p", "18081:80", command=HTTPD)
    soon(watch, row_of(container_id, lambda row: row.listening == 1))
    for _ in range(3):
        with pytest.raises(subprocess.CalledProcessError):  # there is no such page
            engine.inside("/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:18081/")
    row = soon(watch, row_of(container_id, lambda row: row.accepted == 3))
    assert (row.rx_bytes or 0) > 3 * len("GET / HTTP/1.1\r\n")
    assert (row.tx_bytes or 0) > 3 * len("HTTP/1.1 404 Not Found\r\n")


def test_a_container_on_the_network_of_the_host_or_of_another_is_told_apart_by_its_processes(
    engine: Engine, watch: Watch, run: Callable[..., str]
) -> None:
    ids = [
        run("front", command=HTTPD),
        run("beside", "--network", "container:front", command=("/bin/nc", "-l", "-p", "81")),
        run("onhost", "--network", "host", command=("/bin/nc", "-l", "-p", "18082")),
    ]

    def running(row: ContainerRow) -> bool:
        return row.listening == 1 and row.container.name in ("front", "beside", "onhost")

    def all_running(picture: Snapshot) -> list[ContainerRow] | None:
        rows = [row_of(each, running)(picture) for each in ids]
        return [row for row in rows if row] if all(rows) else None

    front, beside, onhost = soon(watch, all_running)
    assert front.container.netns == beside.container.netns
    assert onhost.container.netns == netns.of_path(f"/run/netns/{engine.netns}")[1]
    picture = watch.tick()
    for name, port, row in (("front", 80, front), ("beside", 81, beside), ("onhost", 18082, onhost)):
        listeners = [
            c for c in picture.connections.values() if c.belongs == row.id and c.socket.lport == port and not c.ended
        ]
        assert [c.process.container for c in listeners if c.process] == [name]


def test_a_container_that_joins_a_second_network_has_the_interfaces_of_both(
    engine: Engine, watch: Watch, run: Callable[..., str]
) -> None:
    engine("network", "create", "back")
    try:
        networks = ("--network", "podman") if engine.kind == "podman" else ()  # its default cannot be joined by others
        container_id = run("both", *networks)
        row = soon(watch, row_of(container_id, lambda row: row.container.netns is not None))
        engine("network", "connect", "back", "both")

        def interfaces(picture: Snapshot) -> dict[str, str | None] | None:
            inside = namespace(picture, row.container.netns or 0)
            links = {link.name: link.peer for link, _ in inside.interfaces} if inside else {}
            return links if len(links) >= 3 and all(links[name] for name in links if name != "lo") else None

        assert soon(watch, interfaces).keys() >= {"lo", "eth0", "eth1"}
    finally:
        engine.remove("both")
        engine("network", "rm", "back")


def test_it_follows_a_container_that_is_renamed_paused_restarted_and_removed(
    engine: Engine, watch: Watch, run: Callable[..., str]
) -> None:
    container_id = run("old")
    soon(watch, row_of(container_id, lambda row: row.container.name == "old"))
    engine("rename", "old", "new")
    row = soon(watch, row_of(container_id, lambda row: row.container.name == "new"))
    renamed = process(watch.tick(), engine.pid("new"))
    assert renamed is not None
    assert renamed.process.container == "new"
    engine("pause", "new")
    soon(watch, row_of(container_id, lambda row: row.container.state == "paused"))
    engine("unpause", "new")
    soon(watch, row_of(container_id, lambda row: row.container.state == "running"))
    engine.restart("new")
    again = soon(
        watch, row_of(container_id, lambda new: new.container.pid not in (None, row.container.pid) and new.processes)
    )
    assert (again.id, again.container.state) == (row.id, "running"), "the same container"
    engine.remove("new")
    assert soon(watch, row_of(container_id, lambda row: row.ended)).container.state in ("exited", "removing")


def test_a_container_that_is_started_again_and_again_stays_listed(watch: Watch, run: Callable[..., str]) -> None:
    crash = ("/bin/sh", "-c", "sleep 0.3; exit 1")
    container_id = run("crash", "--restart", "always", command=crash)
    row = watch.until(row_of(container_id, lambda row: (row.container.restarts or 0) >= 2), 30.0)
    assert row.container.name == "crash"


def test_processes_that_the_kernel_ended_for_want_of_memory_are_counted(watch: Watch, run: Callable[..., str]) -> None:
    mounts = cgroup_fs.read_mounts()
    greedy = "while true; do dd if=/dev/zero of=/dev/null bs=200M count=1; sleep 1; done"
    container_id = run("greedy", "-m", "16m", "--memory-swap", "16m", command=("/bin/sh", "-c", greedy))
    row = soon(watch, row_of(container_id, lambda row: row.processes > 0))
    if cgroup_fs.read_oom_kills(mounts, row.container.cgroup or "/") is None:
        pytest.skip("the memory controller is not there")
    soon(watch, row_of(container_id, lambda row: (row.container.oom_kills or 0) > 0))


def test_without_its_engine_a_container_goes_by_its_short_id_and_that_is_said(
    engine: Engine, run: Callable[..., str], tmp_path: Path
) -> None:
    container_id = run("nameless")
    with Watch(runtimes=Runtimes({engine.kind: (str(tmp_path / "no.sock"),)})) as watch:
        row = soon(watch, row_of(container_id, lambda row: row.container.name == container_id[:12]))
        assert row.container.state == "running", "that the kernel tells"
        complaint = soon(watch, lambda picture: watching.complaint(picture, f"runtime:{engine.kind}"))
        assert complaint.reason.endswith("go by their ids: none is found where it usually is")
