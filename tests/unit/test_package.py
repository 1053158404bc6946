"""What is installed: a wheel with everything that nettop needs and nothing else, built from the sdist."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from nettop import __version__
from nettop.arguments import parser
from nettop.manual.page import page

ROOT = Path(__file__).resolve().parents[2]
SHARED = {
    "share/man/man1/nettop.1",
    "share/bash-completion/completions/nettop",
    "share/zsh/site-functions/_nettop",
    "share/fish/vendor_completions.d/nettop.fish",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it; made of a copy, as nothing may be left behind."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "hatch_build.py", ".gitignore"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "nettop", source / "nettop", ignore=shutil.ignore_patterns("__pycache__"))
    (source / "tests").mkdir()
    (source / "tests" / "test_nothing.py").touch()
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_all_of_nettop_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    wanted = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "nettop").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    inside = {name for name in wheel.namelist() if not name.startswith(f"nettop-{__version__}.")}
    assert inside == wanted
    assert {
        "nettop/py.typed",
        "nettop/tui/nettop.tcss",
        "nettop/export/dashboard.json",
        "nettop/export/rules.yml",
    } < inside


def test_the_wheel_installs_the_manual_page_and_the_completions(wheel: zipfile.ZipFile) -> None:
    data = f"nettop-{__version__}.data/data/"
    shared = {name.removeprefix(data) for name in wheel.namelist() if name.startswith(data)}
    assert shared == SHARED
    assert wheel.read(f"{data}share/man/man1/nettop.1").decode() == page(parser(), __version__)


def test_the_sdist_has_what_a_wheel_is_built_of(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        inside = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "hatch_build.py", "LICENSE", "README.md", "nettop/py.typed"} <= inside
    assert not [name for name in inside if name.startswith(("tests", "screenshots"))]


def test_what_is_installed_of_it_runs(built: Path, tmp_path: Path) -> None:
    (path,) = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(tmp_path)]
    subprocess.run([*install, str(path)], check=True, capture_output=True, timeout=120)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from nettop.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for arguments, said in ((["--version"], f"nettop {__version__} ("), (["export", "--rules"], "# Alerts")):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True, cwd="/"
        )
        assert done.stdout.startswith(said)
    assert (tmp_path / "share" / "man" / "man1" / "nettop.1").exists()


def test_the_version_tells_what_it_runs_on() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nettop", "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"nettop {__version__} (Python 3.")
    for package in ("textual", "pyroute2", "psutil", "prometheus_client"):
        assert f"{package} {version(package)}" in line
    assert "Linux " in line
