"""The fields of containers, units and programs."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from nettop.fields.machine import MACHINE
from nettop.fields.view import Field, Kind, Value, elapsed, view_of
from nettop.snapshot import ContainerRow


def _of_container(name: str) -> Callable[[ContainerRow, float], Value]:
    get: Callable[[Any], Value] = attrgetter(f"container.{name}")
    return lambda row, _: get(row)


def _together(name: str) -> Callable[[ContainerRow, float], Value]:
    get: Callable[[Any], Value] = attrgetter(name)
    return lambda row, _: get(row)


def _container_rank(row: ContainerRow) -> int:
    """Containers before units, and those before programs."""
    container = row.container
    return (0 if container.contained else 1 if container.unit else 2) * 2 + (not row.sockets)


# fmt: off
CONTAINERS = view_of(
    "containers",
    "Containers",
    (
        Field("container", "NAME", Kind.TEXT, 20, "what its runtime calls it, in a pod POD/CONTAINER; name of the unit or program", _of_container("name"), flexible=True),
        Field("id", "ID", Kind.TEXT, 12, "id of the container, in full; uid of the pod", _of_container("container_id")),
        Field("kind", "KIND", Kind.TEXT, 9, "container, sandbox (holds the namespaces of a pod), pod; service, scope, session, slice ...; program, which is neither", _of_container("kind")),
        Field("runtime", "RUNTIME", Kind.TEXT, 10, "docker containerd crio podman lxc nspawn; kubernetes where nobody says more", _of_container("runtime")),
        Field("image", "IMAGE", Kind.TEXT, 20, "image it was made of", _of_container("image"), flexible=True),
        Field("state", "STATE", Kind.TEXT, 10, "created running paused exited ..., as the runtime says; else as the kernel does", _of_container("state")),
        Field("pod", "POD", Kind.TEXT, 18, "its pod", _of_container("pod"), flexible=True),
        Field("k8s_namespace", "K8S NS", Kind.TEXT, 12, "namespace of the pod", _of_container("k8s_namespace"), flexible=True),
        Field("k8s_container", "K8S CONT", Kind.TEXT, 14, "its name within the pod", _of_container("k8s_container"), flexible=True),
        Field("service", "SERVICE", Kind.TEXT, 16, "its service of Swarm or Compose: STACK/SERVICE", _of_container("service"), flexible=True),
        Field("task", "TASK", Kind.TEXT, 5, "which one of that service: its number, or the id of the node", _of_container("task")),
        Field("unit", "UNIT", Kind.TEXT, 18, "the systemd unit it is", _of_container("unit"), flexible=True),
        Field("processes", "PROCS", Kind.NUMBER, 6, "processes", _together("processes")),
        Field("connections", "CONN", Kind.NUMBER, 6, "sockets with a remote end", _together("connections")),
        Field("listening", "LISTEN", Kind.NUMBER, 6, "listening sockets", _together("listening")),
        Field("sockets", "SOCKS", Kind.NUMBER, 6, "sockets of every kind", _together("sockets")),
        Field("rx_bytes", "RX", Kind.BYTES, 6, "payload received, by sockets its processes have and had", _together("rx_bytes")),
        Field("tx_bytes", "TX", Kind.BYTES, 6, "payload sent, by sockets its processes have and had", _together("tx_bytes")),
        Field("rx_before", "RXOLD", Kind.BYTES, 6, "payload received before nettop was started, by sockets open then", _together("rx_before")),
        Field("tx_before", "TXOLD", Kind.BYTES, 6, "payload sent before nettop was started, by sockets open then", _together("tx_before")),
        Field("rx_rate", "RX/s", Kind.RATE, 6, "bytes received a second", _together("rx_rate")),
        Field("tx_rate", "TX/s", Kind.RATE, 6, "bytes sent a second", _together("tx_rate")),
        Field("rate", "RATE", Kind.RATE, 6, "bytes a second, both ways", lambda c, _: None if c.rx_rate is None else c.rx_rate + (c.tx_rate or 0.0)),
        Field("retrans", "RETR", Kind.NUMBER, 5, "segments sent again", _together("retrans")),
        Field("opened", "OPENED", Kind.NUMBER, 6, "tcp connections made since nettop was started", _together("opened")),
        Field("accepted", "ACCEPT", Kind.NUMBER, 6, "tcp connections accepted", _together("accepted")),
        Field("failed", "FAILED", Kind.NUMBER, 6, "tcp connects that were refused, or not answered", _together("failed")),
        Field("closed", "CLOSED", Kind.NUMBER, 6, "tcp connections that ended, and connects that failed", _together("closed")),
        Field("cpu", "CPU%", Kind.PERCENT, 5, "share of one processor, all its processes together", _together("cpu")),
        Field("rss", "RSS", Kind.BYTES, 6, "resident memory of its processes; what they share counts for each", _together("rss")),
        Field("oom_kills", "OOM", Kind.NUMBER, 4, "processes that the kernel ended there for want of memory", _of_container("oom_kills")),
        Field("restarts", "RESTART", Kind.NUMBER, 7, "times its runtime started it again", _of_container("restarts")),
        Field("started", "STARTED", Kind.TIME, 8, "when its runtime started it; where nobody says, its oldest process", _of_container("started")),
        Field("age", "AGE", Kind.SECONDS, 6, "time since then", lambda c, now: elapsed(c.container.started, now)),
        Field("pid", "PID", Kind.NUMBER, 7, "its oldest process", _of_container("pid")),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of that process's network namespace", _of_container("netns")),
        Field("cgroup", "CGROUP", Kind.TEXT, 20, "path of its cgroup", _of_container("cgroup"), flexible=True),
        Field("labels", "LABELS", Kind.LIST, 20, "its labels, as the runtime says", _of_container("labels"), flexible=True),
        MACHINE,
    ),
    columns="container kind state processes connections listening rx_rate tx_rate retrans failed cpu rss oom_kills restarts image",
    optional="restarts oom_kills failed image retrans listening rss state processes kind cpu",
    sort="-rate",
    rows=lambda snapshot: snapshot.containers.values(),
    rank=_container_rank,
    anchors="container",
)
# fmt: on
