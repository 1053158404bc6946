"""What a process belongs to, told by the path of its cgroup: a container, a pod, a systemd unit.

Pure: text of /proc/PID/cgroup in, `Identity` out; cgroups(7) describes the file. Paths are conventions of the runtimes
and of systemd, each named beside its rule. Whoever may make cgroups may also choose their names (a user's own slice is
delegated to that user), so names are bounded and of a plain character set, and prove nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import List, NamedTuple, Optional, Tuple


class Identity(NamedTuple):
    """What a cgroup path says of its processes."""

    kind: str
    """The runtime of a container: docker, containerd, crio, podman, lxc, nspawn, kubernetes (in a pod, runtime not
    told), container (runtime not told). Else monitor (watches a container from outside), vm, service, scope, session,
    slice or another type of unit. standalone: nothing known."""
    container_id: Optional[str]
    """In full: 64 hexadecimal digits, or the name where the runtime goes by names."""
    unit: Optional[str]
    """systemd unit, as systemd spells it (\\x2d for a dash inside a part). The innermost inside the container, if any
    is; else the service the container is part of. A scope made for the container alone is not repeated here."""
    pod: Optional[str]
    """Uid of the Kubernetes pod."""
    path: str
    """The path this was read from; empty where the command line told."""

    @property
    def short(self) -> Optional[str]:
        """The container id as its runtime prints it: 12 digits, or the name."""
        if self.container_id is not None and _HEX_ID.fullmatch(self.container_id):
            return self.container_id[:12]
        return self.container_id


_HEX_ID = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}\.(service|scope|slice|socket|mount|swap)")
_SESSION = re.compile(r"session-[A-Za-z0-9]{1,16}\.scope")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")

_PREFIXES = {
    "docker": "docker",  # docker-ID.scope: Docker with the systemd driver
    "cri-containerd": "containerd",  # cri-containerd-ID.scope: Kubernetes on containerd
    "nerdctl": "containerd",
    "crio": "crio",
    "libpod": "podman",
    "libpod-payload": "podman",  # --cgroups=split, as Quadlet runs it
    "podman": "podman",
    "crio-conmon": "monitor",
    "libpod-conmon": "monitor",
}
_PREFIXED = re.compile(rf"(?:[^/:]+:)?({'|'.join(_PREFIXES)})[-:]([0-9a-f]{{64}})(?:\.scope)?")
"""PREFIX-ID, PREFIX-ID.scope, and SLICE:PREFIX:ID, which runc makes of a systemd path under the cgroupfs driver."""

_POD = re.compile(r"(?:.*-)?pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice.*)?")
"""podUID (cgroupfs driver) or kubepods-burstable-podUID.slice (systemd driver, dashes of the uid made underscores).
The uid of a static pod is an md5 sum."""

_BUNDLE = re.compile(r" --?bundle[= ](?:[^ ]*/)?([^ /]+)/?(?: |$)")
_LXC = re.compile(r"lxc\.(payload|monitor)\.(.+)")


class _Container(NamedTuple):
    """A path element that names a container."""

    kind: str
    id: Optional[str]
    at: int


@lru_cache(maxsize=4096)
def parse_cgroup(text: str) -> Identity:
    """What the text of a /proc/PID/cgroup says. Remembers the last answers: processes of a unit share their text.

    With version 2 the file has one path. With version 1 or both, runtimes may use only some hierarchies: the first that
    names a container counts, else the first that names anything, in the order: version 2, systemd's own, the others.
    """
    identities = [_identify(path) for path in _paths(text)]
    for identity in identities:
        if identity.container_id is not None or identity.pod is not None:
            return identity
    for identity in identities:
        if identity.kind != "standalone":
            return identity
    return identities[0] if identities else Identity("standalone", None, None, None, "/")


def parse_sandbox(command: str) -> Optional[Identity]:
    """The container that a process of gVisor runs, by its command line; None of any other program.

    For where the cgroup does not tell: a rootless one, or --ignore-cgroups. runsc/sandbox and runsc/container call the
    sandbox runsc-sandbox, whose last argument is the id, and its file server runsc-gofer, which has the bundle alone:
    engines name that after the id."""
    words = command.split(" ")
    if words[0] not in ("runsc-sandbox", "runsc-gofer"):
        return None
    bundle = _BUNDLE.search(command)
    if bundle and _HEX_ID.fullmatch(bundle[1]):
        return Identity("container", bundle[1], None, None, "")
    if "boot" in words and _NAME.fullmatch(words[-1]):
        return Identity("container", words[-1], None, None, "")
    return None


def _paths(text: str) -> List[str]:
    """The distinct paths of the file, the most telling hierarchy first."""
    ranked: List[Tuple[int, str]] = []
    for line in text.splitlines():
        _, first, rest = line.partition(":")
        controllers, second, path = rest.partition(":")
        if first and second and path.startswith("/"):
            rank = {"": 0, "name=systemd": 1}.get(controllers, 2)
            ranked.append((rank, path[: -len(" (deleted)")] if path.endswith(" (deleted)") else path))
    ranked.sort(key=lambda entry: entry[0])
    return list(dict.fromkeys(path for _, path in ranked))


def _identify(path: str) -> Identity:
    elements = path.split("/")[1:]
    container = _find_container(elements)
    pod = _find_pod(elements)
    if container is None or container.id is None:
        unit = _innermost_unit(elements)
        if container is not None:
            kind = container.kind
        elif pod is not None:
            kind = "kubernetes"
        else:
            kind = "standalone" if unit is None else _kind_of_unit(unit)
        return Identity(kind, None, unit, pod, path)
    inside, around = elements[container.at + 1 :], elements[: container.at + 1]
    # the scope and slices around a container were made for it, or say nothing of it
    services = [element for element in around if not element.endswith((".scope", ".slice"))]
    unit = _innermost_unit([e for e in inside if not e.endswith(".slice")]) or _innermost_unit(services)
    return Identity(container.kind, container.id, unit, pod, path)


def _find_container(elements: List[str]) -> Optional[_Container]:
    """The outermost container: in a container within a container, the one that the runtimes of this host know."""
    for at, element in enumerate(elements):
        parent = elements[at - 1] if at else ""
        found = _runtime_container(elements, at) or _system_container(parent, element)
        if found is not None:
            kind, name = found
            # systemd-nspawn itself; the payload has its own cgroup beside this one
            if kind == "nspawn" and elements[at + 1 : at + 2] == ["supervisor"]:
                kind = "monitor"
            return _Container(kind, None if kind == "monitor" else name, at)
    return None


def _runtime_container(elements: List[str], at: int) -> Optional[Tuple[str, Optional[str]]]:
    """Containers of Docker, containerd, CRI-O and podman: they go by 64 hexadecimal digits."""
    element = elements[at]
    prefixed = _PREFIXED.fullmatch(element)
    if prefixed:
        return _PREFIXES[prefixed[1]], prefixed[2]
    if _HEX_ID.fullmatch(element):
        if at and elements[at - 1] == "docker":
            return "docker", element
        return "kubernetes" if _find_pod(elements[:at]) else "container", element
    if at == 1 and elements[0] == "default" and _NAME.fullmatch(element):
        return "containerd", element  # ctr run: /NAMESPACE/ID, the id being any name
    return None


def _system_container(parent: str, element: str) -> Optional[Tuple[str, Optional[str]]]:
    """Containers that run a whole system and go by name: LXC, LXD, Incus, systemd-nspawn."""
    dotted = _LXC.fullmatch(element)
    if dotted and _NAME.fullmatch(dotted[2]):
        return ("lxc", dotted[2]) if dotted[1] == "payload" else ("monitor", None)
    if parent in ("lxc", "lxc.payload") and _NAME.fullmatch(element):
        return "lxc", element
    if parent == "lxc.monitor":
        return "monitor", None
    return _machine(parent, element)


def _machine(parent: str, element: str) -> Optional[Tuple[str, Optional[str]]]:
    """What systemd-machined keeps: machine-NAME.scope, systemd-nspawn@NAME.service, the machines of libvirt."""
    if parent != "machine.slice":
        return None
    for prefix, suffix in (("machine-", ".scope"), ("systemd-nspawn@", ".service")):
        if element.startswith(prefix) and element.endswith(suffix):
            name = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), element[len(prefix) : -len(suffix)])
            if not _NAME.fullmatch(name):
                return None
            driver, _, rest = name.partition("-")
            if driver == "qemu" and rest:
                return "vm", None  # libvirt: machine-qemu\x2d1\x2dNAME.scope
            if driver == "lxc" and rest:
                return "lxc", rest.partition("-")[2] or rest  # libvirt: machine-lxc\x2dPID\x2dNAME.scope
            return "nspawn", name
    return None


def _find_pod(elements: List[str]) -> Optional[str]:
    for element in elements:
        pod = _POD.fullmatch(element)
        if pod:
            return pod[1].replace("_", "-")
    return None


def _innermost_unit(elements: List[str]) -> Optional[str]:
    """The last unit of the path; a slice only where there is no other. A user manager's own init.scope says less than
    the user@UID.service it is in."""
    best = None
    for element in elements:
        unit = _UNIT.fullmatch(element)
        if not unit:
            continue
        if unit[1] == "slice":
            if best is None or best.endswith(".slice"):
                best = element
        elif not (element == "init.scope" and best is not None and best.startswith("user@")):
            best = element
    return best


def _kind_of_unit(unit: str) -> str:
    return "session" if _SESSION.fullmatch(unit) else unit.rpartition(".")[2]
