"""Docker Engine, and podman's service, which speaks the same API (docs.docker.com/reference/api/engine)."""

from __future__ import annotations

import socket
from typing import Any, Callable, Iterator, Optional
from urllib.parse import quote

from nettop.runtimes import unix_http
from nettop.runtimes.facts import ContainerFacts, RuntimeTrouble, labels, number, record, text, timestamp
from nettop.runtimes.labels import place

_EVENTS = "/events?filters=" + quote('{"type":["container"]}')


def ask(runtime: str, path: str, container_id: str) -> Optional[ContainerFacts]:
    """What the engine at a socket says of a container; None where it does not know it. Raises RuntimeTrouble."""
    answer = unix_http.get(path, f"/containers/{quote(container_id, safe='')}/json")
    return None if answer is None else parse_inspect(runtime, container_id, answer)


def parse_inspect(runtime: str, container_id: str, answer: Any) -> ContainerFacts:
    """The answer to "inspect a container"; of another shape, facts that are None.

    Raises RuntimeTrouble where it is about another container than was asked for."""
    said = record(answer)
    if said.get("Id", container_id) != container_id:
        raise RuntimeTrouble("it answers about another container")
    config, state = record(said.get("Config")), record(said.get("State"))
    marks = labels(config.get("Labels"))
    put = place(marks)
    name = text(said.get("Name"))
    return ContainerFacts(
        id=container_id,
        runtime=runtime,
        name=put.k8s_container or (name.lstrip("/") if name else None) or None,
        image=text(config.get("Image")) or text(said.get("ImageName")),
        state=text(state.get("Status")),
        restarts=number(said.get("RestartCount")) if put.restarts is None else put.restarts,
        started=timestamp(state.get("StartedAt")),
        pid=number(state.get("Pid")) or None,
        pod=put.pod,
        k8s_namespace=put.k8s_namespace,
        k8s_container=put.k8s_container,
        service=put.service,
        task=put.task,
        sandbox=put.sandbox,
        labels=tuple(marks.items()),
    )


def changes(path: str, opened: Callable[[socket.socket], object]) -> Iterator[str]:
    """Ids of containers that something happens to, as it happens; `opened` as in `unix_http.follow`.

    Raises RuntimeTrouble where the stream breaks; ends where the engine ends it."""
    for event in unix_http.follow(path, _EVENTS, opened):
        container_id = text(record(record(event).get("Actor")).get("ID")) or text(record(event).get("id"))
        if container_id:
            yield container_id
