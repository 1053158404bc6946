"""Containers of a real containerd, made by `ctr`: named by its state directory, their state told by the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nettop.kernel import cgroup_fs, netns
from nettop.runtimes.runtimes import Runtimes
from tests.kernel.test_containers import HTTPD, row_of, soon
from tests.support.engines import Containerd, containerd
from tests.support.sockets import SocketRoom
from tests.support.watching import Watch, container, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="a container engine needs root"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    with containerd(tmp_path_factory.mktemp("containerd")) as made:
        yield made


@pytest.fixture
def watch(engine: Containerd) -> Iterator[Watch]:
    with Watch(runtimes=Runtimes({"containerd": (str(engine.state),)})) as made:
        yield made


def test_it_is_called_by_its_id_and_followed_while_it_is_paused_and_removed(engine: Containerd, watch: Watch) -> None:
    pid = engine.run("box")
    try:
        told = soon(watch, row_of("box", lambda row: row.container.pid == pid)).container
        assert (told.kind, told.runtime, told.name, told.state) == ("container", "containerd", "box", "running")
        assert told.netns == netns.of_process(pid)[1]
        engine("task", "pause", "box")
        soon(watch, row_of("box", lambda row: row.container.state == "paused"))
        engine("task", "resume", "box")
        soon(watch, row_of("box", lambda row: row.container.state == "running"))
    finally:
        engine.remove("box")
    assert soon(watch, row_of("box", lambda row: row.ended)).container.state == "exited"


def test_one_that_is_started_again_is_the_same(engine: Containerd, watch: Watch) -> None:
    first = engine.run("again")
    try:
        row = soon(watch, row_of("again", lambda row: row.container.pid == first))
        engine("task", "rm", "-f", "again")
        engine("task", "start", "-d", "again")
        second = soon(watch, row_of("again", lambda row: row.processes and row.container.pid != first))
        assert (second.id, second.container.state) == (row.id, "running")
    finally:
        engine.remove("again")


def test_in_the_network_of_the_host_and_in_that_of_another_its_sockets_are_its_own(
    engine: Containerd, watch: Watch
) -> None:
    with SocketRoom("pod") as pod:
        joined = ("--with-ns", f"network:/run/netns/{pod.name}")
        try:
            engine.run("web", *joined, command=HTTPD)
            engine.run("beside", *joined, command=("/bin/nc", "-l", "-p", "81"))
            engine.run("onhost", "--net-host", command=("/bin/nc", "-l", "-p", "18083"))
            for name, port, where in (
                ("web", 80, pod.netns),
                ("beside", 81, pod.netns),
                ("onhost", 18083, netns.current()[1]),
            ):
                row = soon(watch, row_of(name, lambda row: row.listening == 1))
                assert row.container.netns == where
                listeners = [c for c in watch.tick().connections.values() if c.belongs == row.id and not c.ended]
                assert [(c.socket.lport, c.socket.netns) for c in listeners] == [(port, where)]
        finally:
            for name in ("web", "beside", "onhost"):
                engine.remove(name)


def test_processes_that_the_kernel_ended_for_want_of_memory_are_counted(engine: Containerd, watch: Watch) -> None:
    greedy = "while true; do dd if=/dev/zero of=/dev/null bs=200M count=1; sleep 1; done"
    engine.run("greedy", "--memory-limit", str(16 << 20), command=("/bin/sh", "-c", greedy))
    try:
        row = soon(watch, row_of("greedy", lambda row: row.processes > 0))
        if cgroup_fs.read_oom_kills(cgroup_fs.read_mounts(), row.container.cgroup or "/") is None:
            pytest.skip("the memory controller is not there")
        soon(watch, row_of("greedy", lambda row: (row.container.oom_kills or 0) > 0))
    finally:
        engine.remove("greedy")


def test_the_shim_that_watches_a_container_is_not_in_it(engine: Containerd, watch: Watch) -> None:
    pid = engine.run("watched")
    try:
        soon(watch, row_of("watched", lambda row: row.processes == 1))
        picture = watch.tick()
        mine, row = process(picture, pid), container(picture, "watched")
        assert mine is not None
        assert row is not None
        shim = process(picture, mine.process.ppid)
        assert shim is not None
        assert shim.process.comm.startswith("containerd-shim")
        assert shim.process.belongs != row.id
    finally:
        engine.remove("watched")
