"""The collector's side runs where little is installed: an old Python, no psutil, no pyroute2."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 9)
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for pattern in (
        *("model/*.py", "requests.py", "wire.py", "fold.py", "kernel/*.py", "runtimes/*.py", "collector/*.py"),
        *("remote/greeting.py", "remote/far.py"),
    )
    for path in (ROOT / "nettop").glob(pattern)
)


def run(python: str, program: str, *arguments: str) -> str:
    """What a program prints in a Python that sees nothing but its own library and nettop."""
    alone = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.dont_write_bytecode = True; {program}"
    command = [python, "-I", "-S", "-c", alone, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def oldest_python() -> str | None:
    """The oldest Python on this machine that the collector's side is made for, if it is older than this one."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in range(OLDEST[1], sys.version_info.minor):
        found = [shutil.which(f"python3.{minor}", path="/usr/local/bin:/usr/bin")]
        found += map(str, pyenv.glob(f"versions/3.{minor}.*/bin/python3.{minor}"))
        for python in filter(None, found):
            return python
    return None


@pytest.fixture
def old() -> str:
    python = oldest_python()
    if python is None:
        pytest.skip(f"no Python from 3.{OLDEST[1]} on that is older than this one is installed")
    return python


def test_there_is_something_to_import() -> None:
    assert {"nettop.model", "nettop.wire", "nettop.collector", "nettop.collector.child", "nettop.kernel"} < set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_it_imports_without_psutil_and_pyroute2(module: str) -> None:
    program = f"import {module}; print(sorted(set(sys.modules) & {{'psutil', 'pyroute2', 'textual', 'site'}}))"
    assert run(sys.executable, program).strip() == "[]"


def test_all_of_it_imports_under_an_old_python(old: str) -> None:
    program = "import importlib; [importlib.import_module(name) for name in sys.argv[1:]]; print('all')"
    assert run(old, program, *MODULES).strip() == "all"


def test_a_delta_written_by_an_old_python_is_read_by_this_one(old: str) -> None:
    program = """
from nettop import wire
from nettop.collector.outbox import Outbox
from nettop.model import Health, NO_OWNERS
outbox = Outbox()
outbox.put("health", outbox.new_id(), Health("cn_proc", "lossy", "why", None, 2))
outbox.put("owners", outbox.new_id(), NO_OWNERS)
line = wire.encode(outbox.take(1.0, 2.0))
assert wire.encode(wire.decode(line)) == line
print(line.decode(), end="")
"""
    said = run(old, f"exec({program!r})")
    assert said == run(sys.executable, f"exec({program!r})")
