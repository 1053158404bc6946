"""CRI-O's own HTTP server (github.com/cri-o/cri-o, server/inspect.go: /containers/ID)."""

from __future__ import annotations

from typing import Any, Optional
from urllib.parse import quote

from nettop.runtimes import unix_http
from nettop.runtimes.facts import ContainerFacts, labels, number, record, text
from nettop.runtimes.labels import place

_NANOSECONDS = 1e9
_MARKS = ("crio_annotations", "annotations", "labels")
"""What tells where a container belongs; the later ones go before."""


def ask(path: str, container_id: str) -> Optional[ContainerFacts]:
    """What CRI-O says of a container; None where it does not know it. Raises RuntimeTrouble."""
    answer = unix_http.get(path, f"/containers/{quote(container_id, safe='')}")
    return None if answer is None else parse_container(container_id, answer)


def parse_container(container_id: str, answer: Any) -> ContainerFacts:
    """The answer of /containers/ID (types.ContainerInfo); of another shape, facts that are None."""
    said = record(answer)
    marks = {name: value for group in _MARKS for name, value in labels(said.get(group)).items()}
    put = place(marks)
    created = said.get("created_time")
    return ContainerFacts(
        id=container_id,
        runtime="crio",
        name=put.k8s_container or text(said.get("name")),
        image=text(said.get("image")) or text(said.get("image_ref")),
        state=None,
        restarts=put.restarts,
        started=created / _NANOSECONDS if isinstance(created, int) and 0 < created < 1 << 63 else None,
        pid=number(said.get("pid")) or None,
        pod=put.pod,
        k8s_namespace=put.k8s_namespace,
        k8s_container=put.k8s_container,
        service=put.service,
        task=put.task,
        sandbox=put.sandbox,
        labels=tuple(labels(said.get("labels")).items()),
    )
