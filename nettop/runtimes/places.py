"""Where the runtimes of a machine are usually found."""

from __future__ import annotations

from typing import Mapping, Tuple

Places = Mapping[str, Tuple[str, ...]]
"""Runtime → where to find it, as patterns of glob(7): sockets, for containerd its state directory."""

PLACES: Places = {
    "docker": ("/var/run/docker.sock", "/run/user/*/docker.sock"),
    "podman": ("/run/podman/podman.sock", "/run/user/*/podman/podman.sock"),
    "crio": ("/var/run/crio/crio.sock",),
    "containerd": ("/run/containerd", "/run/docker/containerd/daemon", "/run/k3s/containerd"),
}
"""Those that are asked unless told otherwise."""
