"""Where orchestrators put a container: their labels as they are found in the field, the origin beside each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.runtimes.labels import Place, place

NOWHERE = Place(None, None, None, None, None, None, sandbox=False)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({}, {}),
        (  # dockershim and cri-dockerd, pkg/kubelet/types/labels.go
            {
                "io.kubernetes.container.name": "nginx",
                "io.kubernetes.pod.name": "web-0",
                "io.kubernetes.pod.namespace": "shop",
                "io.kubernetes.docker.type": "container",
                "annotation.io.kubernetes.container.restartCount": "7",
            },
            {"pod": "web-0", "k8s_namespace": "shop", "k8s_container": "nginx", "restarts": 7},
        ),
        (  # its pause container
            {
                "io.kubernetes.container.name": "POD",
                "io.kubernetes.pod.name": "web-0",
                "io.kubernetes.pod.namespace": "shop",
                "io.kubernetes.docker.type": "podsandbox",
            },
            {"pod": "web-0", "k8s_namespace": "shop", "sandbox": True},
        ),
        (  # containerd, pkg/cri/annotations/annotations.go
            {
                "io.kubernetes.cri.container-name": "nginx",
                "io.kubernetes.cri.container-type": "container",
                "io.kubernetes.cri.sandbox-name": "web-0",
                "io.kubernetes.cri.sandbox-namespace": "shop",
            },
            {"pod": "web-0", "k8s_namespace": "shop", "k8s_container": "nginx"},
        ),
        (
            {"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-name": "web-0"},
            {"pod": "web-0", "sandbox": True},
        ),
        (  # CRI-O, pkg/annotations/internal.go, and the kubelet's own annotations
            {
                "io.kubernetes.container.name": "nginx",
                "io.kubernetes.pod.name": "web-0",
                "io.kubernetes.pod.namespace": "shop",
                "io.kubernetes.cri-o.ContainerType": "container",
                "io.kubernetes.container.restartCount": "3",
            },
            {"pod": "web-0", "k8s_namespace": "shop", "k8s_container": "nginx", "restarts": 3},
        ),
        (
            {"io.kubernetes.pod.name": "web-0", "io.kubernetes.cri-o.ContainerType": "sandbox"},
            {"pod": "web-0", "sandbox": True},
        ),
        (  # docker stack deploy
            {
                "com.docker.stack.namespace": "shop",
                "com.docker.swarm.service.name": "shop_web",
                "com.docker.swarm.task.name": "shop_web.2.x8k2",
            },
            {"service": "shop/web", "task": "2"},
        ),
        (  # docker service create --mode global, without a stack: the node's id in place of a number
            {
                "com.docker.swarm.service.name": "agent",
                "com.docker.swarm.task.name": "agent.w7b0ahkk2.4xk7",
            },
            {"service": "agent", "task": "w7b0ahkk2"},
        ),
        (  # docker compose up
            {
                "com.docker.compose.project": "shop",
                "com.docker.compose.service": "web",
                "com.docker.compose.container-number": "1",
            },
            {"service": "shop/web", "task": "1"},
        ),
    ],
)
def test_orchestrators_tell_by_labels_where_a_container_belongs(labels: dict[str, str], told: dict[str, Any]) -> None:
    assert place(labels) == NOWHERE._replace(**told)


@pytest.mark.parametrize("said", ["", "-1", "many", "9" * 40, "٣x"])
def test_a_number_of_restarts_that_is_none_is_unknown(said: str) -> None:
    assert place({"io.kubernetes.container.restartCount": said}).restarts is None


NAMES = st.sampled_from(
    [
        "io.kubernetes.container.name",
        "io.kubernetes.container.restartCount",
        "com.docker.stack.namespace",
        "com.docker.swarm.service.name",
        "com.docker.swarm.task.name",
        "com.docker.compose.container-number",
    ]
)


@given(st.dictionaries(NAMES | st.text(), st.text()))
def test_any_labels_put_a_container_somewhere_or_nowhere(labels: dict[str, str]) -> None:
    assert len(place(labels)) == len(NOWHERE)
