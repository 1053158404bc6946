"""What it takes to look at another machine, through a real sshd: seconds to the first picture, bytes a second then."""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from nettop.remote.bundle import bundle
from nettop.remote.command import Wish, command
from nettop.remote.greeting import SEND_CODE
from nettop.remote.origin import Remote
from nettop.service.client import Feed
from tests.bench.lab import Lab
from tests.bench.record import CHURN, MACHINE
from tests.support.sshd import Sshd, sshd

_WARM_UP, _WINDOW = 5.0, 30.0
"""Seconds."""
_TIMES = 5


class Cost(NamedTuple):
    """Of a machine with 1,000 sockets and ordinary churn, on which there is no nettop."""

    first: float
    """Seconds from the start of ssh to the first picture, the middle one of several."""
    code: int
    """Bytes that are sent there for it."""
    begun: int
    """Bytes that come in the first seconds: the first picture, and a few ticks."""
    second: float
    """Bytes a second that come from then on, with one picture a second."""


def measure() -> Cost:
    """Look at this machine as if it were another."""
    churning = [sys.executable, "-c", CHURN]
    with sshd(Path(sys.executable).resolve()) as server, Lab(MACHINE), subprocess.Popen(churning) as churn:
        try:
            first = statistics.median(_first(server) for _ in range(_TIMES))
            begun, second = _stream(server)
        finally:
            churn.kill()
    return Cost(first, len(bundle()), begun, second)


def _first(server: Sshd) -> float:
    """Seconds to a picture."""
    began = time.monotonic()
    remote = Remote(server.host, 1.0, ssh=server.ssh)
    for _ in Feed(remote.connect()).tick(0.0):
        pass
    took = time.monotonic() - began
    remote.close()
    return took


def _stream(server: Sshd) -> tuple[int, float]:
    """What ssh writes: bytes of the first seconds, and a second after these."""
    wish = Wish(1.0, read_only=False, sudo=False, max_cpu=None, patience=0.0)
    pipe = subprocess.PIPE
    with subprocess.Popen(command(server.ssh, server.host, wish, ask=False), stdin=pipe, stdout=pipe, bufsize=0) as ssh:
        assert ssh.stdin is not None
        assert ssh.stdout is not None
        while ssh.stdout.readline().strip() != SEND_CODE.encode():
            pass
        code = bundle()
        for part in (b"%d\n" % len(code), code):
            ssh.stdin.write(part)
        while not ssh.stdout.readline().startswith(b'{"v":'):
            pass
        begun, came = _read(ssh.stdout.fileno(), _WARM_UP), _read(ssh.stdout.fileno(), _WINDOW)
        ssh.kill()
    return begun, came / _WINDOW


def _read(descriptor: int, seconds: float) -> int:
    """Bytes that come in that time."""
    deadline, came = time.monotonic() + seconds, 0
    while (left := deadline - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            came += len(os.read(descriptor, 1 << 20))
    return came
