"""A real Prometheus that scrapes nettop, and what it answers."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.watching import DEADLINE

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """A Prometheus that scrapes the target every second, with nettop's alerts; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "prometheus.yml").write_text(
        json.dumps(  # which is YAML, too
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(ROOT / "nettop" / "export" / "rules.yml")],
                "scrape_configs": [{"job_name": "nettop", "static_configs": [{"targets": [target]}]}],
            }
        )
    )
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={listen}",
        "--log.level=error",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield listen
        finally:
            server.terminate()
            server.wait(DEADLINE)


def query(listen: str, path: str, **parameters: str) -> Any:
    """What the API of Prometheus answers; None as long as it does not."""
    url = f"http://{listen}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=DEADLINE) as answer:
        return json.load(answer)["data"]
    return None
