"""Container runtimes are asked where the settings say they are."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
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

ID = secrets.token_hex(32)


@pytest.mark.parametrize("start", [spawn.fork, spawn.start], ids=["forked", "started"])
def test_a_container_is_called_as_the_runtime_at_the_place_in_the_settings_says(
    start: Callable[..., spawn.Running], tmp_path: Path
) -> None:
    document = {"Id": ID, "Name": "/from-the-settings", "State": {"Status": "running"}}
    with cgroups.occupied(f"/docker/{ID}"), served(tmp_path / "engine.sock", answer(document)) as path:
        config = parse_config(f'runtimes.docker = "{path}"'.encode(), "config.toml")
        reader = Reader(start(INTERVAL, places={**PLACES, **config.runtimes}))
        try:
            reader.until(lambda picture: (row := container(picture, ID)) and row.container.name == "from-the-settings")
        finally:
            reader.close()
