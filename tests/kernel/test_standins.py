"""Runtimes that this machine does not have, and such as nobody would like to have: stand-ins that serve on a socket.

The answers have the form that the runtime named beside each gives them."""

from __future__ import annotations

import os
import secrets
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from nettop import format as text
from nettop.fields import CONTAINERS
from nettop.runtimes.runtimes import Runtimes
from nettop.snapshot import ContainerRow, Snapshot
from tests.support import cgroups
from tests.support.watching import Watch, complaint, container, process
from tests.unit.test_runtimes import MISBEHAVIOUR, Behaviour, answer, served

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="making cgroups needs root")]

ID = secrets.token_hex(32)
POD = str(uuid.uuid4())
"""Of this run alone: whoever else tests on this machine has cgroups of their own."""
SLICE = f"kubepods-besteffort-pod{POD.replace('-', '_')}.slice"
IN_DOCKER = f"/docker/{ID}"
IN_CRIO = f"/kubepods.slice/{SLICE}/crio-{ID}.scope"
IN_POD = f"/kubepods/besteffort/pod{POD}/{ID}"


def docker_says(labels: dict[str, str], name: str = "/x", **state: Any) -> dict[str, Any]:
    """The answer of Docker Engine to "inspect a container"."""
    return {
        "Id": ID,
        "Name": name,
        "RestartCount": 0,
        "State": {"Status": "running", "StartedAt": "2026-03-01T11:00:00.5Z", **state},
        "Config": {"Image": "nginx:1.27", "Labels": labels},
    }


CASES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "CRI-O": (  # pkg/types/types.go: ContainerInfo
        IN_CRIO,
        "crio",
        {
            "name": "k8s_nginx_web-0_shop_1b4e28ba_2",
            "pid": 4711,
            "image": "docker.io/library/nginx:1.27",
            "created_time": 1772362800000000000,
            "labels": {
                "io.kubernetes.container.name": "nginx",
                "io.kubernetes.pod.name": "web-0",
                "io.kubernetes.pod.namespace": "shop",
            },
            "annotations": {"io.kubernetes.container.restartCount": "2"},
            "crio_annotations": {"io.kubernetes.cri-o.ContainerType": "container"},
            "sandbox": "e" * 64,
        },
        {
            "container": "web-0/nginx",
            "kind": "container",
            "runtime": "crio",
            "state": "running",
            "pod": "web-0",
            "k8s_namespace": "shop",
            "k8s_container": "nginx",
            "restarts": 2,
        },
    ),
    "what holds a pod of CRI-O": (
        IN_CRIO,
        "crio",
        {
            "name": "k8s_POD_web-0_shop_1b4e28ba_0",
            "labels": {"io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "shop"},
            "crio_annotations": {"io.kubernetes.cri-o.ContainerType": "sandbox"},
        },
        {"container": "web-0/pause", "kind": "sandbox", "runtime": "crio", "k8s_namespace": "shop"},
    ),
    "Kubernetes on Docker": (  # pkg/kubelet/types/labels.go
        IN_POD,
        "docker",
        docker_says(
            {
                "io.kubernetes.container.name": "nginx",
                "io.kubernetes.pod.name": "web-0",
                "io.kubernetes.pod.namespace": "shop",
                "io.kubernetes.docker.type": "container",
            },
            "/k8s_nginx_web-0_shop_1b4e28ba_0",
        ),
        {"container": "web-0/nginx", "runtime": "docker", "pod": "web-0", "k8s_namespace": "shop"},
    ),
    "Swarm": (
        IN_DOCKER,
        "docker",
        docker_says(
            {
                "com.docker.stack.namespace": "shop",
                "com.docker.swarm.service.name": "shop_web",
                "com.docker.swarm.task.name": "shop_web.2.x8k2",
            },
            "/shop_web.2.x8k2",
        ),
        {"container": "shop_web.2.x8k2", "service": "shop/web", "task": "2", "state": "running"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_runtime_says_is_in_the_row_within_two_ticks(case: str, tmp_path: Path) -> None:
    cgroup, runtime, said, expected = CASES[case]
    with (
        cgroups.occupied(cgroup) as pid,
        served(tmp_path / "s", answer(said)) as path,
        Watch(runtimes=Runtimes({runtime: (path,)})) as watch,
    ):
        for _ in range(2):
            time.sleep(1.0)
            watch.collector.read_names(5.0)  # a busy machine may take longer to answer
            picture = watch.tick()
        row, inside = container(picture, ID), process(picture, pid)
    assert row is not None
    assert {name: CONTAINERS.field(name).get(row, picture.time) for name in expected} == expected
    assert inside is not None
    assert (inside.process.container, inside.process.belongs) == (row.container.name, row.id)


BAD: dict[str, tuple[Behaviour, str]] = {
    **MISBEHAVIOUR,
    "lies": (answer({**docker_says({}), "Id": "e" * 64}), "it answers about another container"),
}


@pytest.mark.parametrize("behaviour", BAD)
def test_a_runtime_that_misbehaves_costs_nothing_but_a_reason(behaviour: str, tmp_path: Path) -> None:
    behave, reason = BAD[behaviour]
    with (
        cgroups.occupied(IN_DOCKER) as pid,
        served(tmp_path / "s", behave) as path,
        Watch(runtimes=Runtimes({"docker": (path,)})) as watch,
    ):
        told = watch.until(lambda picture: complaint(picture, "runtime:docker"))
        picture = watch.tick()
        row, inside = container(picture, ID), process(picture, pid)
    assert told.reason.startswith("containers of docker go by their ids: ")
    assert reason in told.reason
    assert row is not None
    assert (row.container.name, row.container.state, row.processes) == (ID[:12], "running", 1)
    assert inside is not None
    assert inside.process.belongs == row.id


def test_a_name_with_control_characters_is_told_as_it_is_and_never_printed_so(tmp_path: Path) -> None:
    evil = "/\x1b]0;owned\x07\x1b[31m[bold]web\r\n\u202e"

    def named(picture: Snapshot) -> ContainerRow | None:
        row = container(picture, ID)
        return row if row and "owned" in row.container.name else None

    with (
        cgroups.occupied(IN_DOCKER),
        served(tmp_path / "s", answer(docker_says({"\x1b[2J": evil}, evil))) as path,
        Watch(runtimes=Runtimes({"docker": (path,)})) as watch,
    ):
        row = watch.until(named)
    for name in CONTAINERS.fields:
        field = CONTAINERS.field(name)
        assert text.cell(field, field.get(row, time.time())).isprintable()
