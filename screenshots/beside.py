"""What runs beside the scene for some of the pictures: a recording, a service, an export with its Prometheus."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nettop.service.place import SOCKET
from screenshots import panels
from tests.support.prometheus import prometheus, query
from tests.support.restricted import PYTHON, STAGE
from tests.support.taping import wait_for_ticks

NETTOP = (sys.executable, "-m", "nettop")
TAPE = Path("/run/shop.rec")
"""A recording of the scene."""
TAPED = 100
"""Ticks of a second in it."""
_PATIENCE = 20.0
"""Seconds until a service is there."""
METRICS = "127.0.0.1:19100"
USER, GROUP = "shop", "users"
"""Who is not root, and whom the service is for."""
AS_USER = (
    *("/usr/bin/unshare", "--mount", "sh", "-c", STAGE, "sh"),
    *("setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "--inh-caps=-all"),
    *(PYTHON, "-s", "-m", "nettop", "--config", "/dev/null"),
)
"""The command of their screen, which finds the service by itself."""


@contextlib.contextmanager
def recorded() -> Iterator[None]:
    """The scene was recorded for a while."""
    with _running("record", str(TAPE)):
        wait_for_ticks(TAPE, TAPED, 2.0 * TAPED)
    yield
    TAPE.unlink()


@contextlib.contextmanager
def served() -> Iterator[None]:
    """A service runs, where it is looked for."""
    with _running("serve", "--group", GROUP):
        deadline = time.monotonic() + _PATIENCE
        while not os.path.exists(SOCKET):
            if time.monotonic() > deadline:
                raise TimeoutError("no service")
            time.sleep(0.05)
        yield


def draw_metrics(path: Path) -> None:
    """What a Prometheus knows of the scene, after it has listened for a while."""
    with (
        _running("export", "--listen", METRICS),
        tempfile.TemporaryDirectory() as folder,
        prometheus(Path(folder), METRICS) as listen,
    ):
        time.sleep(panels.PAST + 30)
        panels.draw(functools.partial(query, listen), time.time(), path)


@contextlib.contextmanager
def _running(*arguments: str) -> Iterator[None]:
    with subprocess.Popen([*NETTOP, *arguments], stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
