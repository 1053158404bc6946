"""Real engines tell what their containers are called, and what becomes of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nettop.kernel.cgroup import parse_cgroup
from nettop.runtimes.facts import ContainerFacts
from nettop.runtimes.runtimes import Runtimes
from tests.support.engines import Docker, containerd, docker, podman

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="container engines need root"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    with docker(tmp_path_factory.mktemp("docker")) as started:
        yield started


def told(
    runtimes: Runtimes, container_id: str, right: Callable[[ContainerFacts], bool], kind: str = "docker"
) -> ContainerFacts:
    """What the engine tells by itself until it is right; the test fails after 20 seconds."""
    deadline = time.monotonic() + 20
    last = None
    while time.monotonic() < deadline:
        last = runtimes.take().get((kind, container_id), last)
        if last is not None and right(last):
            return last
        time.sleep(0.02)
    raise AssertionError(f"last told: {last}, {runtimes.troubles()}")


def test_docker_tells_name_image_state_labels_and_changes_by_itself(engine: Docker) -> None:
    container_id = engine.run("web", "--label", "role=front")
    cgroup = parse_cgroup(Path(f"/proc/{engine.pid('web')}/cgroup").read_text())
    assert (cgroup.kind, cgroup.container_id) == ("docker", container_id)
    runtimes = Runtimes({"docker": (str(engine.socket),)})
    runtimes.ask("docker", container_id)
    facts = told(runtimes, container_id, lambda facts: facts.name == "web")
    assert (facts.image, facts.state, facts.restarts) == (engine.image, "running", 0)
    assert facts.pid == engine.pid("web")
    assert ("role", "front") in facts.labels
    engine("rename", "web", "shop")
    told(runtimes, container_id, lambda facts: facts.name == "shop")
    engine("pause", "shop")
    told(runtimes, container_id, lambda facts: facts.state == "paused")
    engine("unpause", "shop")
    engine("stop", "-t", "0", "shop")
    told(runtimes, container_id, lambda facts: facts.state == "exited")
    runtimes.close()


def test_a_container_the_engine_does_not_know_has_no_name(engine: Docker) -> None:
    runtimes = Runtimes({"docker": (str(engine.socket),)})
    unknown = "e" * 64
    runtimes.ask("docker", unknown)
    deadline = time.monotonic() + 20
    answers: dict[tuple[str, str], ContainerFacts | None] = {}
    while not answers and time.monotonic() < deadline:
        answers = runtimes.take()
        time.sleep(0.02)
    assert answers == {("docker", unknown): None}
    assert runtimes.troubles() == {}
    runtimes.close()


def test_podman_tells_the_same() -> None:
    with podman() as engine:
        container_id = engine.run("db", "--label", "role=back")
        cgroup = parse_cgroup(Path(f"/proc/{engine.pid('db')}/cgroup").read_text())
        assert (cgroup.kind, cgroup.container_id) == ("podman", container_id)
        runtimes = Runtimes({"podman": (str(engine.socket),)})
        runtimes.ask("podman", container_id)
        facts = told(runtimes, container_id, lambda facts: facts.name == "db", "podman")
        assert (facts.runtime, facts.state, facts.pid) == ("podman", "running", engine.pid("db"))
        assert ("role", "back") in facts.labels
        runtimes.close()


def test_containerd_tells_by_its_state_directory(tmp_path: Path) -> None:
    with containerd(tmp_path) as engine:
        pid = engine.run("box")
        cgroup = parse_cgroup(Path(f"/proc/{pid}/cgroup").read_text())
        assert (cgroup.kind, cgroup.container_id) == ("containerd", "box")
        runtimes = Runtimes({"containerd": (str(engine.state),)})
        runtimes.ask("containerd", "box")
        facts = told(runtimes, "box", lambda facts: facts.name == "box", "containerd")
        assert (facts.runtime, facts.pid) == ("containerd", pid)
        engine.remove("box")
        runtimes.ask("containerd", "box")
        assert runtimes.troubles() == {}
        runtimes.close()
