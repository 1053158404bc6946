"""What a runtime may say of a container, bounded and checked: answers come from programs that may lie."""

from __future__ import annotations

import calendar
import re
import time
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

TEXT = 256
"""Characters of a name, a label or its value that are kept."""
LABELS = 100
"""Labels of a container that are kept."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


class ContainerFacts(NamedTuple):
    """What a runtime says of one container. None where it does not say."""

    id: str
    """In full, as the cgroup names it."""
    runtime: str
    """docker, podman, crio or containerd: the one that answered."""
    name: Optional[str]
    """What people call it: for a container of a pod its name there, for one of Compose or Swarm as the engine says."""
    image: Optional[str]
    state: Optional[str]
    """created, running, paused, restarting, exited ..., in the runtime's words."""
    restarts: Optional[int]
    started: Optional[float]
    """Seconds since the epoch."""
    pid: Optional[int]
    """Its first process, in the runtime's pid namespace."""
    pod: Optional[str]
    k8s_namespace: Optional[str]
    k8s_container: Optional[str]
    service: Optional[str]
    """Of Swarm or Compose: STACK/SERVICE."""
    task: Optional[str]
    """Which one of that service."""
    sandbox: bool
    """It only holds the namespaces of a pod (pause)."""
    labels: Tuple[Tuple[str, str], ...]


class RuntimeTrouble(Exception):
    """A runtime could not be asked, or said nothing that can be used; the message is a clause for the coverage line."""


def text(value: Any) -> Optional[str]:
    """A string that is not empty, cut to `TEXT` characters; None for anything else."""
    return value[:TEXT] if isinstance(value, str) and value else None


def number(value: Any) -> Optional[int]:
    """A whole number from 0 to 2^31; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else None


def record(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def labels(value: Any) -> Dict[str, str]:
    """A JSON object of strings, `LABELS` of them at most."""
    kept: Dict[str, str] = {}
    for name, said in record(value).items():
        if len(kept) == LABELS:
            break
        if isinstance(name, str) and isinstance(said, str):
            kept[name[:TEXT]] = said[:TEXT]
    return kept


def timestamp(value: Any) -> Optional[float]:
    """Seconds since the epoch of an RFC 3339 time; None for anything else, and for the year 1, which is Go's never."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        seconds: float = calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return None
    if match[2]:
        seconds += float(match[2])
    if match[3] != "Z":
        sign = -1 if match[3][0] == "-" else 1
        seconds -= sign * (int(match[3][1:3]) * 3600 + int(match[3][4:6]) * 60)
    return seconds if seconds > 0 else None
