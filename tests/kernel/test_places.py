"""Container runtimes are asked where the settings say they are."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nettop.collector import spawn
from nettop.config import parse_config
from nettop.kernel import cgroup_fs
from nettop.runtimes.places import PLACES
from tests.kernel.test_child import INTERVAL, Reader
from tests.support.watching import container
from tests.unit.test_runtimes import answer, served

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="making cgroups needs root")]

ID = "5e" * 32


@contextlib.contextmanager
def contained(container_id: str) -> Iterator[None]:
    """A process in a cgroup like those of Docker."""
    mount = cgroup_fs.read_mounts()[0]
    if mount is None:
        pytest.skip("cgroups of version 2 are not mounted")
    root = Path(mount) / "docker"
    made = [path for path in (root, root / container_id) if not path.exists()]
    for path in made:
        path.mkdir()
    process = subprocess.Popen(["sleep", "60"])
    try:
        (root / container_id / "cgroup.procs").write_text(str(process.pid))
        yield
    finally:
        process.kill()
        process.wait()
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir()


@pytest.mark.parametrize("start", [spawn.fork, spawn.start], ids=["forked", "started"])
def test_a_container_is_called_as_the_runtime_at_the_place_in_the_settings_says(
    start: Callable[..., spawn.Running], tmp_path: Path
) -> None:
    document = {"Id": ID, "Name": "/from-the-settings", "State": {"Status": "running"}}
    with contained(ID), served(tmp_path / "engine.sock", answer(document)) as path:
        config = parse_config(f'runtimes.docker = "{path}"'.encode(), "config.toml")
        reader = Reader(start(INTERVAL, places={**PLACES, **config.runtimes}))
        try:
            reader.until(lambda picture: (row := container(picture, ID)) and row.container.name == "from-the-settings")
        finally:
            reader.close()
