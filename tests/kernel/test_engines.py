"""Engines that a test has started leave the machine as it was."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import netns
from tests.support.engines import CGROUPS, CNI_STATE, containerd, docker, podman

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="a container engine needs root"),
]

OURS = ("docker", "podman")
"""What the rules of an engine have in their names."""
PLACES = (
    CNI_STATE,
    *map(Path, ("/run/containerd/fifo", "/run/containerd/s", "/run/containerd/runc/default", "/run/runc")),
)
"""Where engines and their helpers leave files, whatever directory they were given."""


def traces(home: Path) -> dict[str, set[str]]:
    """What engines that live in `home`, or in a directory of podman's own, may have left."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    cgroups = {str(path) for pattern in ("*", "*/*") for path in CGROUPS.glob(pattern) if path.is_dir()}
    processes = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            if str(home) in command or "/tmp/podman" in command:
                processes.add(f"{entry.name} {command}")
    return {
        "mounts": {line.split()[4] for line in lines if str(home) in line or "/tmp/podman" in line},
        "cgroups": {path for path in cgroups if path.rpartition("/")[2] in ("docker", "default", "libpod_parent")},
        "processes": processes,
        "namespaces": set(netns.named("nettop-engine")),
        "rules": set(_rules()),
        "files": {str(path) for place in PLACES for path in place.glob("**/*")},
    }


def _rules() -> list[str]:
    if shutil.which("iptables-save") is None:
        return []
    said = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False).stdout
    return [line for line in said.splitlines() if any(name in line.lower() for name in (*OURS, "cni-"))]


def assert_nothing_left(before: dict[str, set[str]], home: Path) -> None:
    after = traces(home)
    assert {kind: after[kind] - before[kind] for kind in after} == {kind: set() for kind in after}


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory for an engine, with a short name: it puts sockets deep into it, whose paths have 107 characters at
    most (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="nettop-engine-") as made:
        yield Path(made)


@pytest.mark.parametrize("engine", [docker, podman, containerd])
def test_nothing_is_left_behind(engine: Callable[..., Any], home: Path) -> None:
    before = traces(home)
    with podman() if engine is podman else engine(home) as started:
        published = () if engine is containerd else ("-p", "18084:80")
        started.run("left", *published)
        during = traces(home)
        assert during["processes"] > before["processes"]
    assert_nothing_left(before, home)


@pytest.mark.parametrize("engine", [docker, containerd])
def test_nothing_is_left_behind_where_the_engine_has_failed(engine: Callable[..., Any], home: Path) -> None:
    before = traces(home)
    with contextlib.suppress(subprocess.CalledProcessError), engine(home) as started:
        started.run("left")
        daemons = [each for each in psutil.Process().children() if each.name() in ("dockerd", "containerd")]
        for daemon in daemons:
            daemon.kill()
        assert psutil.wait_procs(daemons, 10)[0]
    assert_nothing_left(before, home)
