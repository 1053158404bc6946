"""Python as somebody with less than root's rights on the host, or somewhere else: another user, other namespaces."""

from __future__ import annotations

import os
import site
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534
UNPRIVILEGED = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all")
HIDEPID = ("sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh")

# In a mount namespace of its own: the interpreter, its packages and this checkout, wherever they are, are put where
# everybody may read them.
_PACKAGES = next(path for path in site.getsitepackages() if os.path.isdir(path))
STAGE = f"""
mount -t tmpfs tmpfs /mnt && mkdir /mnt/python /mnt/packages /mnt/nettop &&
mount --bind {sys.base_prefix} /mnt/python &&
mount --bind {_PACKAGES} /mnt/packages &&
mount --bind {ROOT} /mnt/nettop &&
export PYTHONPATH=/mnt/nettop:/mnt/packages PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=/mnt/python/lib &&
cd / && exec "$@"
"""
PYTHON = f"/mnt/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}"


def mounts() -> list[tuple[str, str]]:
    """What a container needs to run that Python, and where: the same, and the libraries it is linked with."""
    ours = [(sys.base_prefix, "/mnt/python"), (_PACKAGES, "/mnt/packages"), (str(ROOT), "/mnt/nettop")]
    return [*ours, *((path, path) for path in ("/lib", "/lib64", "/usr/lib"))]


def staged(*command: str) -> list[str]:
    return ["unshare", "--mount", "sh", "-c", STAGE, "sh", *command]


def run(who: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments as somebody, or somewhere; skips where the kernel does not allow that."""
    command = staged(*who, PYTHON, "-s", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.stderr.startswith(("unshare:", "setpriv:", "mount:", "nsenter:")):
        pytest.skip(f"not possible here: {done.stderr.strip()}")
    return done
