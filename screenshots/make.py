"""Makes the pictures of the README: the real program, in a real terminal, on a small scene of real processes.

    python -m screenshots.make [NAME ...]        all pictures, or those named, into screenshots/

Needs root. What is made for it (a host name, users, names of namespaces) is seen by nobody else: the script runs in a
UTS and a mount namespace of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import pyte

from screenshots import beside, boxes, machines, scene
from screenshots.render import render
from tests.support import netns
from tests.support.terminal import Terminal, opened

HOSTNAME = "web-01"
HERE = Path(__file__).parent
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
"""What the scene runs on: pages of details show its path."""
INSIDE = "--inside"
RUN = Path("/run")
"""Covered for the pictures, so that nettop finds the sockets of their container engine there and no other's."""
SETTLED = 12.0
"""Seconds until rates and the small histories at the top have something to tell."""

QUIET = 120.0
"""Seconds to wait for other work with namespaces of its own, such as the tests, to end: it would be in the picture."""

SCENE = f"3 Namespaces {len(scene.ADDRESSES) + len(boxes.BOXES) + 2} "  # wan, and that of the host


class Shot(NamedTuple):
    """One picture: what to press, and what must then be on the screen."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...]
    shows: str
    command: tuple[str, ...] = beside.NETTOP
    beside: Callable[[], AbstractContextManager[None]] = nullcontext
    """What there must be beside the scene."""
    of: str = SCENE
    """What is on the screen when all of that is there, and nothing else."""


ENTER, LEFT = "\r", "\x1b[D"
MANUAL = ("/bin/sh", "-c", f"{sys.executable} -m nettop man | man -l -")
METRICS = "metrics"
"""The picture that is no terminal's."""
SLOW = "limit=network,receiver,reader,backlog"
SHOTS = (
    Shot("connections-120", (120, 36), ("2",), "ESTAB"),
    Shot("processes-120", (120, 36), ("1",), "nginx: worker process"),
    Shot(
        "tree-120",
        (120, 36),
        ("1", "t", "/", "netns_name=edge,web,db,jobs", ENTER, "f", "gunicorn", ENTER, "-"),
        "[+4]",
    ),
    Shot("namespaces-120", (120, 24), ("3",), "10.0.3.20/24"),
    Shot("containers-120", (120, 24), ("4",), "shop-sessions"),
    Shot("events-120", (120, 24), ("5",), "exec"),
    Shot("groups-120", (120, 24), ("2", "b", ENTER), "by program"),
    Shot("detail-120", (120, 36), ("2", "/", "comm=pg_dump", ENTER, ENTER), "Limited by reader"),
    Shot("process-120", (120, 36), ("1", "/", "comm=haproxy tx_rate>0", ENTER, "e"), "What it uses"),
    Shot("namespace-120", (120, 36), ("3", "/", "edge", ENTER, "e"), "What is inside"),
    Shot("container-120", (120, 36), ("4", "/", "container=shop-feed", ENTER, "e"), "What it uses"),
    Shot("filter-120", (120, 24), ("2", "/", SLOW), "backlog"),
    Shot("palette-120", (120, 30), ("2", ":", "sort"), "sort by"),
    Shot("help-120", (120, 40), ("?",), "Keys"),
    Shot("light-120", (120, 30), ("2", ":", "theme light", ENTER), "ESTAB"),
    Shot("event-120", (120, 30), ("5", "/", "kind=close", ENTER, "e"), "What happened"),
    Shot("past-120", (120, 30), ("2", "r", LEFT, LEFT, LEFT), "before the end"),
    Shot(
        "replay-120",
        (120, 20),
        ("2", "@", "start+70s", ENTER, "/", SLOW, ENTER),
        "before the end",
        (*beside.NETTOP, "replay", str(beside.TAPE)),
        beside.recorded,
    ),
    Shot("service-120", (120, 26), ("1",), "the service does not tell", beside.AS_USER, beside.served),
    Shot("machines-120", (120, 26), ("2",), "on db-1", machines.COMMAND, machines.joined, "2 machines"),
    Shot("manual-120", (120, 24), (), "SYNOPSIS", MANUAL),
    Shot("connections-80", (80, 24), ("2",), "ESTAB", of=SCENE.replace("Namespaces", "Netns")),
    Shot("connections-160", (160, 45), ("2",), "ESTAB"),
)


class Display:
    """What a terminal shows of what the program in it sends."""

    def __init__(self, terminal: Terminal, size: tuple[int, int]) -> None:
        self._terminal = terminal
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)

    def press(self, keys: str) -> None:
        """Type, and take what that changes."""
        self._terminal.press(keys)
        self.watch(0.4)

    def watch(self, seconds: float) -> None:
        """Take what the program sends for so long."""
        self._stream.feed(self._terminal.read(seconds))

    def await_text(self, text: str, seconds: float = 10.0) -> None:
        """Until the text is on the screen; TimeoutError with the screen otherwise."""
        deadline = time.monotonic() + seconds
        while not any(text in line for line in self.screen.display):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} is not shown:\n" + "\n".join(self.screen.display))
            self.watch(0.2)


def shoot(shot: Shot) -> None:
    """Run nettop, press keys, write the picture."""
    with shot.beside(), opened(shot.command, shot.size, LC_ALL="C.UTF-8") as terminal:
        display = Display(terminal, shot.size)
        if shot.command is not MANUAL:
            display.await_text(shot.of, QUIET)
            display.watch(SETTLED)
        for keys in shot.keys:
            display.press(keys)
        display.watch(4.0)  # the order holds for a while after a key; a picture shows rows in order
        display.await_text(shot.shows)
        path = HERE / f"{shot.name}.png"
        render(display.screen, path)
        terminal.press("q" if shot.command is MANUAL else "\x03")
        terminal.wait()
    say(path)


def say(path: Path) -> None:
    """That a picture is there, and how large it is."""
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB", flush=True)


def hide_processes() -> None:
    """Cover what /proc tells of every process there is: the pictures are of the scene, not of this machine."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it may have ended
            if command.read_bytes() and command.parent.name != str(os.getpid()):  # kernel threads have none
                subprocess.run(["mount", "-t", "tmpfs", "none", str(command.parent)], check=True)


@contextlib.contextmanager
def staged() -> Iterator[None]:
    """The scene, and what it needs of this machine, as only this process and its children see it."""
    socket.sethostname(HOSTNAME)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(RUN)], check=True)
    netns.RUN.mkdir()
    hide_processes()
    with tempfile.NamedTemporaryFile("w") as passwd:
        passwd.write("root:x:0:0::/root:/bin/sh\n")
        passwd.writelines(f"{user}:x:{uid}:{uid}::/:/bin/false\n" for uid, user in enumerate(scene.USERS, 901))
        passwd.flush()
        os.chmod(passwd.name, 0o644)
        subprocess.run(["mount", "--bind", passwd.name, "/etc/passwd"], check=True)
        # the long last argument is room for the command lines the programs give themselves
        command = [PYTHON, "-m", "screenshots.scene", " " * 200]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                if not process.stdout.readline():
                    raise RuntimeError("the scene could not be made; see above")
                with boxes.packed(RUN, "docker"):
                    yield
            finally:
                process.stdin.close()


def main(arguments: list[str]) -> None:
    """Make the pictures named, or all."""
    if INSIDE not in arguments:
        again = [sys.executable, "-m", "screenshots.make", INSIDE, *arguments]
        os.execvp("unshare", ["unshare", "--mount", "--uts", "--propagation", "private", *again])
    names = [name for name in arguments if name != INSIDE]
    with staged():
        for shot in SHOTS:
            if not names or shot.name in names:
                shoot(shot)
        if not names or METRICS in names:
            path = HERE / f"{METRICS}.png"
            beside.draw_metrics(path)
            say(path)


if __name__ == "__main__":
    main(sys.argv[1:])
