"""What ssh is told: how to call, and what to run at the other end.

A nettop that is there and speaks alike is run; else a python3 from 3.9 on, which reads its program from its input. That
stays in memory: the zip is a file without a name (memfd_create(2)), from which the interpreter imports as from any
other, by its path in /proc, and so do the children it starts. So there is nothing to clear away, however it ends.

The command must mean the same to every login shell, fish and csh among them: it is one line, and has no `!`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from nettop.remote.greeting import SEND_CODE, dialect

CONNECT = 10
"""Seconds for a connection to be made."""
ALIVE, MISSED = 5, 3
"""Seconds between two signs of life, and how many may be missed: so that a network which was cut is noticed."""

_OPTIONS = (
    "ClearAllForwardings=yes",  # those of the configuration are for a person's session, and may be in use by it
    "ForwardAgent=no",
    "ForwardX11=no",
    "LogLevel=ERROR",  # what is said is shown as the reason
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    f"ConnectTimeout={CONNECT}",
    f"ServerAliveInterval={ALIVE}",
    f"ServerAliveCountMax={MISSED}",
)

_PYTHONS = ("python3", *(f"python3.{minor}" for minor in range(14, 8, -1)))
_TEST = "import sys; sys.exit(sys.version_info < (3, 9))"
# sys.stdin would read ahead, but nothing comes behind the program until it has greeted
_PROGRAM = "; ".join(
    (
        "import os, sys, zlib",
        f'print(); print("{SEND_CODE}", flush=True)',
        "code = sys.stdin.buffer",
        'file = os.memfd_create("nettop")',
        "os.write(file, zlib.decompress(code.read(int(code.readline()))))",
        'sys.path.insert(0, "/proc/%d/fd/%d" % (os.getpid(), file))',
        "from nettop.remote import far",
        "sys.exit(far.main(sys.argv[1:]))",
    )
)


class Wish(NamedTuple):
    """What the far end is to do."""

    interval: float
    """Seconds between two ticks."""
    read_only: bool
    sudo: bool
    """Run it as root, by sudo(8) without a password."""
    max_cpu: float | None
    """Percent of one processor."""
    patience: float
    """Seconds the first picture may wait for what comes later."""


def command(ssh: Sequence[str], host: str, wish: Wish, ask: bool) -> list[str]:
    """The ssh to run; it asks the person at the terminal for what it needs only where it shall `ask`."""
    batch = () if ask else ("BatchMode=yes",)
    options = [word for option in (*batch, *_OPTIONS) for word in ("-o", option)]
    return [*ssh, *options, "-T", "--", host, f"exec sh -c {shlex.quote(script(wish))}"]


def script(wish: Wish) -> str:
    """The program of a POSIX shell that becomes a far end."""
    words = (dialect(), f"{wish.interval:g}", int(wish.read_only), f"{wish.max_cpu or 0:g}", f"{wish.patience:g}")
    told = " ".join(map(str, words))
    root = "sudo -n " if wish.sudo else ""
    # what has greeted ends with 0, 70, or by a signal; anything below is a nettop that is too old, or another one
    return (
        f"if command -v nettop >/dev/null; then {root}nettop far {told}; code=$?; "
        f"case $code in 0|[6-9]?|1[3-9]?|2??) exit $code;; esac; fi; "
        f"for name in {' '.join(_PYTHONS)}; do "
        f"python=$(command -v $name) && $python -ISc {shlex.quote(_TEST)} && "
        f"exec {root}$python -ISBc {shlex.quote(_PROGRAM)} {told}; done; "
        "echo nettop needs python3 from 3.9 on there, and found none >&2; exit 127"
    )
