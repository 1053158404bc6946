"""What orchestrators wrote into the labels of a container: which pod, which service.

Kubernetes' kubelet sets io.kubernetes.* (pkg/kubelet/types/labels.go; with Docker its annotations become labels that
begin with "annotation."); containerd's CRI plugin keeps the same under io.kubernetes.cri.* annotations, CRI-O under
io.kubernetes.cri-o.*; Docker Swarm and Compose set com.docker.*.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Optional


class Place(NamedTuple):
    """Where an orchestrator put a container. None where the labels do not say."""

    pod: Optional[str]
    k8s_namespace: Optional[str]
    k8s_container: Optional[str]
    service: Optional[str]
    """STACK/SERVICE."""
    task: Optional[str]
    """Which one of the service: its number, or in a global service the id of the node."""
    restarts: Optional[int]
    """Times the kubelet made it anew: each time under another id."""
    sandbox: bool


def place(labels: Mapping[str, str]) -> Place:
    """What the labels (or annotations) of a container say."""

    def first(*names: str) -> Optional[str]:
        return next((labels[name] for name in names if labels.get(name)), None)

    stack = first("com.docker.stack.namespace", "com.docker.compose.project")
    service = first("com.docker.swarm.service.name", "com.docker.compose.service")
    if service and stack and service.startswith(f"{stack}_"):
        service = service[len(stack) + 1 :]  # Swarm repeats the stack's name
    task = first("com.docker.swarm.task.name", "com.docker.compose.container-number")
    restarts = first("io.kubernetes.container.restartCount", "annotation.io.kubernetes.container.restartCount")
    container = first("io.kubernetes.container.name", "io.kubernetes.cri.container-name")
    kind = first("io.kubernetes.docker.type", "io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType")
    return Place(
        pod=first("io.kubernetes.pod.name", "io.kubernetes.cri.sandbox-name"),
        k8s_namespace=first("io.kubernetes.pod.namespace", "io.kubernetes.cri.sandbox-namespace"),
        k8s_container=container if container != "POD" else None,
        service=f"{stack}/{service}" if stack and service else service,
        task=task and _number_of_task(task, first("com.docker.swarm.service.name")),
        restarts=int(restarts) if restarts and restarts.isdecimal() and len(restarts) < 10 else None,
        sandbox=kind in ("podsandbox", "sandbox") or container == "POD",
    )


def _number_of_task(task: str, service: Optional[str]) -> str:
    """1 of SERVICE.1.ID, as Swarm calls the first task of a service; Compose says the number alone."""
    if service and task.startswith(f"{service}."):
        return task[len(service) + 1 :].partition(".")[0]
    return task
