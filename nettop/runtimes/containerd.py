"""containerd's state directory: what a task was started with.

Its API is gRPC, which would need a protobuf stack on every machine watched; the OCI bundle it keeps for each task
(runtime/v2: STATE/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json) says what people call a container, for
Kubernetes in the annotations of the CRI plugin. What it does not say: the image of a container that `ctr` made, its
restarts, and its state, which the kernel tells (`collector.registry`).
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
from typing import Any, Optional

from nettop.runtimes.facts import ContainerFacts, RuntimeTrouble, labels, record
from nettop.runtimes.labels import place

_TASKS = "io.containerd.runtime.v2.task"
_LARGEST = 1 << 20


def ask(path: str, container_id: str) -> Optional[ContainerFacts]:
    """What the state directory `path` says of a container; None where it has no task of that id.

    Raises RuntimeTrouble where the directory may not be read or the bundle makes no sense."""
    tasks = os.path.join(path, _TASKS)
    try:
        namespaces = sorted(os.listdir(tasks))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RuntimeTrouble(f"its state directory cannot be read: {error.strerror}") from None
    for namespace in namespaces:
        bundle = os.path.join(tasks, namespace, container_id)
        try:
            with open(os.path.join(bundle, "config.json"), "rb") as file:
                data = file.read(_LARGEST + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RuntimeTrouble(f"its state directory cannot be read: {error.strerror}") from None
        return parse_bundle(container_id, data, _read_pid(bundle))
    return None


def parse_bundle(container_id: str, data: bytes, pid: Optional[int]) -> ContainerFacts:
    """The config.json of a bundle (the OCI runtime specification) and the task's first process.

    Raises RuntimeTrouble where it is too large or no JSON."""
    if len(data) > _LARGEST:
        raise RuntimeTrouble(f"a bundle is larger than {_LARGEST >> 20} MB")
    try:
        said: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise RuntimeTrouble("a bundle makes no sense") from None
    marks = labels(record(said).get("annotations"))
    put = place(marks)
    return ContainerFacts(
        id=container_id,
        runtime="containerd",
        name=put.k8s_container or marks.get("nerdctl/name") or container_id,
        image=marks.get("io.kubernetes.cri.image-name"),
        state=None,
        restarts=None,
        started=None,
        pid=pid,
        pod=put.pod,
        k8s_namespace=put.k8s_namespace,
        k8s_container=put.k8s_container,
        service=put.service,
        task=put.task,
        sandbox=put.sandbox,
        labels=tuple(marks.items()),
    )


def present(path: str) -> bool:
    """There is, or was, a containerd with its state here."""
    return bool(glob.glob(os.path.join(glob.escape(path), _TASKS)))


def _read_pid(bundle: str) -> Optional[int]:
    with contextlib.suppress(OSError, ValueError), open(os.path.join(bundle, "init.pid"), "rb") as file:
        return int(file.read(32)) or None
    return None
