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
from nettop.runtimes.places import PLACES
from tests.kernel.test_child import INTERVAL, Reader
from tests.support import cgroups
from tests.support.watching import container
from tests.unit.test_runtimes import answer, served

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="making cgroups needs root")]

ID = "5e" * 32


@contextlib.contextmanager
def contained(container_id: str) -> Iterator[None]:
    """A process in a cgroup like those of Docker."""
    with cgroups.made(f"/docker/{container_id}") as box, subprocess.Popen(["sleep", "60"]) as process:
        try:
            box.put(process.pid)
            yield
        finally:
            process.kill()


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
