"""Containers for the pictures: a real Docker engine in the namespace `docker` of the scene, and some that talk.

They are made of busybox; only their names, and those of their images, are borrowed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from screenshots.scene import FEED, SEARCH, SESSIONS
from tests.support.engines import docker


class Box(NamedTuple):
    """A container, and what it does; `{NAME}` stands for the address of one before it."""

    name: str
    image: str
    command: str
    options: tuple[str, ...] = ()


ECHO = "exec nc -ll -p 80 -e /bin/busybox cat"
BOXES = (
    Box("shop-feed", "shop/feed:2.4", ECHO, ("-p", f"{FEED}:80", "--restart", "on-failure")),
    Box("shop-sessions", "valkey/valkey:8-alpine", ECHO, ("-p", f"{SESSIONS}:80")),
    Box("shop-search", "opensearch:2", ECHO, ("-p", f"{SEARCH}:80", "--label", "tier=back")),
    Box("shop-mailer", "shop/mailer:1.9", "sleep 600 | nc {shop-feed} 80"),
    Box("shop-cron", "shop/cron:1.2", "sleep 600"),
)


@contextlib.contextmanager
def packed(home: Path, netns: str) -> Iterator[None]:
    """The containers, while they run; the engine listens at `home`/docker.sock."""
    with docker(home, netns) as engine:
        base = engine.image
        addresses: dict[str, str] = {}
        for box in BOXES:
            engine("tag", base, box.image)
            engine.image = box.image
            command = box.command.format(**addresses)
            engine.run(box.name, *box.options, command=("/bin/sh", "-c", command))
            networks = engine.inspect(box.name)["NetworkSettings"]["Networks"]
            addresses[box.name] = networks["bridge"]["IPAddress"]
        yield
