"""Containers of a real Docker engine: what they are called, what belongs to them, and what becomes of them."""

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
from tests.support.engines import Docker, containerd, docker, podman
from tests.support.watching import Watch, container, namespace, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="a container engine needs root"),
]

HTTPD = ("/bin/httpd", "-f", "-p", "80")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    with docker(tmp_path_factory.mktemp("docker")) as made:
        yield made


@pytest.fixture
def watch(engine: Docker) -> Iterator[Watch]:
    with Watch(runtimes=Runtimes({"docker": (str(engine.socket),)})) as made:
        yield made


@pytest.fixture
def run(engine: Docker) -> Iterator[Callable[..., str]]:
    """Starts a container, and removes it when the test is over."""
    names: list[str] = []

    def start(name: str, *options: str, command: tuple[str, ...] = ("/bin/sleep", "600")) -> str:
        names.append(name)
        return engine.run(name, *options, command=command)

    yield start
    for name in names:
        subprocess.run(["docker", "-H", f"unix://{engine.socket}", "rm", "-f", name], capture_output=True, check=False)


def shown(watch: Watch, container_id: str, right: Callable[[ContainerRow], bool]) -> ContainerRow:
    """The row of a container, as soon as it is right."""

    def find(picture: Snapshot) -> ContainerRow | None:
        row = container(picture, container_id)
        return row if row and right(row) else None

    return watch.until(find)


def test_a_container_has_its_name_its_image_and_its_state_in_the_second_tick(
    engine: Docker, watch: Watch, run: Callable[..., str]
) -> None:
    container_id = run("web", "--label", "role=front", command=HTTPD)
    picture = watch.tick()
    row = container(picture, container_id)
    assert row is not None
    assert row.container.name == container_id[:12], "its short id, until the engine has answered"
    time.sleep(1.0)  # an ordinary interval
    picture = watch.tick()
    row = container(picture, container_id)
    assert row is not None
    told = row.container
    assert (told.kind, told.runtime, told.name, told.image) == ("container", "docker", "web", engine.image)
    assert (told.state, told.restarts, told.labels) == ("running", 0, ("role=front",))
    assert (told.pid, told.netns) == (engine.pid("web"), netns.of_process(engine.pid("web"))[1])
    assert row.listening == 1
    server = process(picture, engine.pid("web"))
    assert server is not None
    assert (server.process.container, server.process.belongs) == ("web", row.id)
    inside = namespace(picture, told.netns or 0)
    assert inside is not None
    assert (inside.namespace.kind, inside.namespace.container) == ("container", "web")


def test_what_is_fetched_through_a_published_port_is_on_the_books_of_the_container(
    engine: Docker, watch: Watch, run: Callable[..., str]
) -> None:
    container_id = run("shop", "-p", "18081:80", command=HTTPD)
    shown(watch, container_id, lambda row: row.listening == 1)
    for _ in range(3):
        with pytest.raises(subprocess.CalledProcessError):  # there is no such page
            engine.inside("/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:18081/")
    row = shown(watch, container_id, lambda row: row.accepted == 3)
    assert (row.rx_bytes or 0) > 3 * len("GET / HTTP/1.1\r\n")
    assert (row.tx_bytes or 0) > 3 * len("HTTP/1.1 404 Not Found\r\n")


def test_a_container_on_the_network_of_the_host_or_of_another_is_told_apart_by_its_processes(
    engine: Docker, watch: Watch, run: Callable[..., str]
) -> None:
    web = run("front", command=HTTPD)
    beside = run("beside", "--network", "container:front", command=("/bin/nc", "-l", "-p", "81"))
    host = run("onhost", "--network", "host", command=("/bin/nc", "-l", "-p", "18082"))
    first, second, third = (
        shown(watch, each, lambda row: row.listening == 1 and row.container.state == "running")
        for each in (web, beside, host)
    )
    assert first.container.netns == second.container.netns
    assert third.container.netns == netns.of_path(f"/run/netns/{engine.netns}")[1]
    picture = watch.tick()
    for name, port, row in (("front", 80, first), ("beside", 81, second), ("onhost", 18082, third)):
        listeners = [
            c for c in picture.connections.values() if c.belongs == row.id and c.socket.lport == port and not c.ended
        ]
        assert [c.process.container for c in listeners if c.process] == [name]


def test_a_container_in_two_networks_has_the_interfaces_of_both(
    engine: Docker, watch: Watch, run: Callable[..., str]
) -> None:
    engine("network", "create", "back")
    try:
        row = shown(watch, run("both"), lambda row: row.container.netns is not None)
        engine("network", "connect", "back", "both")

        def interfaces(picture: Snapshot) -> set[str] | None:
            inside = namespace(picture, row.container.netns or 0)
            names = {interface.name for interface, _ in inside.interfaces} if inside else set()
            return names if len(names) >= 3 else None

        assert watch.until(interfaces) >= {"lo", "eth0", "eth1"}
    finally:
        engine("rm", "-f", "both")
        engine("network", "rm", "back")


def test_it_follows_a_container_that_is_renamed_paused_restarted_and_removed(
    engine: Docker, watch: Watch, run: Callable[..., str]
) -> None:
    container_id = run("old")
    shown(watch, container_id, lambda row: row.container.name == "old")
    engine("rename", "old", "new")
    try:
        row = shown(watch, container_id, lambda row: row.container.name == "new")
        renamed = process(watch.tick(), engine.pid("new"))
        assert renamed is not None
        assert renamed.process.container == "new"
        engine("pause", "new")
        shown(watch, container_id, lambda row: row.container.state == "paused")
        engine("unpause", "new")
        engine("restart", "-t", "0", "new")
        again = shown(watch, container_id, lambda r: r.container.pid not in (None, row.container.pid))
        assert again.id == row.id, "the same container"
    finally:
        engine("rm", "-f", "new")
    left = shown(watch, container_id, lambda row: not row.processes)
    assert left.ended


def test_processes_that_the_kernel_ended_for_want_of_memory_are_counted(watch: Watch, run: Callable[..., str]) -> None:
    mounts = cgroup_fs.read_mounts()
    greedy = "while true; do dd if=/dev/zero of=/dev/null bs=200M count=1; sleep 1; done"
    container_id = run("greedy", "-m", "16m", "--memory-swap", "16m", command=("/bin/sh", "-c", greedy))
    row = shown(watch, container_id, lambda row: row.processes > 0)
    if cgroup_fs.read_oom_kills(mounts, row.container.cgroup or "/") is None:
        pytest.skip("the memory controller is not there")
    shown(watch, container_id, lambda row: (row.container.oom_kills or 0) > 0)


def test_without_the_engine_a_container_goes_by_its_short_id(run: Callable[..., str], tmp_path: Path) -> None:
    container_id = run("nameless")
    with Watch(runtimes=Runtimes({"docker": (str(tmp_path / "no.sock"),)})) as watch:
        for _ in range(3):
            row = container(watch.tick(), container_id)
            assert row is not None
            assert (row.container.name, row.container.state) == (container_id[:12], None)


def test_containers_of_podman_are_called_as_podman_calls_them() -> None:
    with podman() as other:
        container_id = other.run("db", "--label", "role=back")
        with Watch(runtimes=Runtimes({"podman": (str(other.socket),)})) as watch:
            told = shown(watch, container_id, lambda row: row.container.state is not None).container
    assert (told.runtime, told.name, told.state) == ("podman", "db", "running")
    assert "role=back" in told.labels


def test_containers_of_containerd_go_by_the_names_in_its_state_directory(tmp_path: Path) -> None:
    with containerd(tmp_path) as other:
        pid = other.run("box")
        with Watch(runtimes=Runtimes({"containerd": (str(other.state),)})) as watch:
            told = shown(watch, "box", lambda row: row.container.pid == pid).container
    assert (told.kind, told.runtime, told.name) == ("container", "containerd", "box")
