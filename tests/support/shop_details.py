"""What pages of details show of the machine in `shop` beside its picture: histories, and a collector's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nettop.requests import Answer, InspectEnvironment, InspectNamespace, InspectProcess, Request
from nettop.snapshot import Sample, Snapshot
from tests.support.rows import NOW

PICTURES = 90
"""A history goes back."""
LULL, BURST = range(40, 46), range(61, 63)
"""Pictures in which hardly anything moves, and in which most does."""


def histories(picture: Snapshot) -> dict[tuple[str, int], Sequence[Sample]]:
    """View and row id → what led to the rates in the picture."""
    return {
        (view, row_id): _history(row.rx_rate or 0.0, row.tx_rate or 0.0)
        for view in ("connections", "processes", "namespaces", "containers")
        for row_id, row in getattr(picture, view).items()
    }


def _history(rx_rate: float, tx_rate: float) -> Sequence[Sample]:
    past = []
    for n in range(PICTURES):
        tide = 0.05 if n in LULL else 2.2 if n in BURST else 1.0 if n == PICTURES - 1 else 0.7 + (7 * n % 11) / 36
        rtt, again = 48_000.0 + 900 * (5 * n % 13), float(n % 9 == 0)
        past.append(Sample(NOW + n + 1 - PICTURES, rx_rate * tide, tx_rate * tide, rtt, again))
    return past


def answer(request: Request) -> Answer:
    """What the collector of this machine says."""
    facts: Mapping[type[Any], Any] = {
        InspectProcess: {
            "exe": "/usr/sbin/nginx",
            "cwd": "/",
            "root": "/var/lib/docker/overlay2/81c2/merged",
            "pids": [1438, 29],
            "memory": {"peak": 34 << 20, "swapped": 0},
            "io": {"read": 912 << 20, "written": 1400 << 20, "disk_read": 3 << 20, "disk_written": 88 << 20},
            "limits": [
                ["cpu time", None, None, "seconds"],
                ["stack size", 8 << 20, None, "bytes"],
                ["core file size", 0, None, "bytes"],
                ["processes", 63432, 63432, "processes"],
                ["open files", 1024, 524288, "files"],
                ["locked memory", 8 << 20, 8 << 20, "bytes"],
            ],
            "files": {
                "kinds": {"socket": 5, "eventpoll": 1, "eventfd": 2},
                "paths": [[2, "/dev/stderr"], [4, "/var/log/nginx/access.log"], [5, "/var/log/nginx/error.log"]],
                "more": False,
            },
            "threads": {"nginx": 1},
            "unreadable": {},
        },
        InspectEnvironment: {"variables": [["PATH", "/usr/sbin:/usr/bin"], ["NGINX_VERSION", "1.25.3"]], "more": False},
        InspectNamespace: {
            "routes": [
                ["default", "172.18.0.1", "eth0", None, None, "unicast", "boot", "main"],
                ["172.18.0.0/16", None, "eth0", "172.18.0.2", None, "unicast", "kernel", "main"],
            ],
            "neighbours": [
                ["172.18.0.1", "eth0", "02:42:7c:51:0a:11", "reachable"],
                ["172.18.0.3", "eth0", "02:42:ac:12:00:03", "stale"],
            ],
            "more": False,
        },
    }
    return Answer(True, "read", facts[type(request)]) if type(request) in facts else Answer(True, "done")
