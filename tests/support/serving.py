"""A real `nettop serve`, and guests that read when a test says so."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nettop import wire
from nettop.model import Delta
from nettop.requests import Reply, Request, encode
from nettop.service import client
from nettop.snapshot import Snapshot
from nettop.store import Store
from tests.support.restricted import NOBODY, PYTHON, ROOT, run, staged

STRANGER = ("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", "--inh-caps=-all")
"""Somebody outside the group."""

DEADLINE = 60.0
"""Seconds until what should have been seen is missed: a machine under load may take its time."""


class Serving:
    """A service: a process, and the socket it is found at."""

    def __init__(self, path: Path, arguments: tuple[str, ...], who: tuple[str, ...] = ()) -> None:
        """`who` is a command that runs another one as somebody."""
        self.path = path
        self._arguments = arguments
        self._who = who
        self.start()

    def start(self) -> None:
        """Start it; returns when it is there."""
        command = (*self._who, sys.executable, "-m", "nettop", "serve", "--socket", str(self.path), *self._arguments)
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()
        assert self.said.startswith(f"nettop: at {self.path}, "), self.said

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its exit code."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return self.process.wait(DEADLINE)


@contextlib.contextmanager
def serving(*arguments: str, who: tuple[str, ...] = ()) -> Iterator[Serving]:
    """A service that the group of nobody may use, in a directory everybody may enter."""
    directory = Path(tempfile.mkdtemp(prefix="nettop-service-"))
    directory.chmod(0o755)
    try:
        made = Serving(directory / "socket", ("--group", grp.getgrgid(NOBODY).gr_name, *arguments), who)
        try:
            yield made
        finally:
            if made.process.poll() is None:
                made.end()
    finally:
        shutil.rmtree(directory)


class Guest:
    """A guest of a service in this process."""

    def __init__(self, path: Path) -> None:
        self.connection = client.connect(str(path))
        self.connection.setblocking(False)
        self.store = Store()
        self.deltas: list[Delta] = []
        """Every one that was read."""
        self.replies: dict[int, Reply] = {}
        """Every answer that was read, by its number."""
        self.pictures: list[Snapshot] = []
        self._rest = b""

    def read(self) -> None:
        """Take what waits; fails where the service has hung up."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.connection.recv(1 << 20)
                assert data, "the service has hung up"
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    heard = wire.hear(line)
                    if isinstance(heard, Reply):
                        self.replies[heard.number] = heard
                    else:
                        self.deltas.append(heard)
                        picture = self.store.apply(heard)
                        self.pictures += [picture] if picture else []

    def until(self, condition: Callable[[], object]) -> None:
        """Read until it is true."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail("not seen in time")
            select.select([self.connection], [], [], 1.0)
            self.read()

    def ask(self, number: int, request: Request) -> Reply:
        """What is answered to a request."""
        self.connection.send(encode(number, request))
        self.until(lambda: number in self.replies)
        return self.replies[number]

    def close(self) -> None:
        self.connection.close()


@contextlib.contextmanager
def guests(path: Path, count: int = 1) -> Iterator[list[Guest]]:
    """So many guests."""
    made = [Guest(path) for _ in range(count)]
    try:
        yield made
    finally:
        for guest in made:
            guest.close()


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What a plain view has printed as JSON, and nothing else."""
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed(who: tuple[str, ...], service: Serving, view: str, *arguments: str) -> list[dict[str, Any]]:
    """What somebody is told through a service."""
    return rows(run(who, "-m", "nettop", view, "--json", "--no-rates", "--connect", str(service.path), *arguments))


@contextlib.contextmanager
def program(*who: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a secret in its arguments and its environment."""
    command = staged(*who, PYTHON, "-s", "-c", "import time; print(flush=True); time.sleep(600)", "--password=secret")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TOKEN": "hidden"}) as made:
        assert made.stdout is not None
        try:
            assert made.stdout.readline() == b"\n"
            yield made
        finally:
            made.kill()


def mute(path: Path) -> socket.socket:
    """One who says nothing of what it is and reads nothing, not even the greeting."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    return connection
