"""The way to another machine: what it may be called, and what is sent there."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nettop.arguments import parse
from nettop.remote import bundle, command, greeting
from nettop.remote.command import Wish
from nettop.remote.host import check_host
from tests.unit.test_imports import OLDEST, oldest_python

WISH = Wish(1.0, read_only=False, sudo=False, max_cpu=None, patience=0.0)

# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["web-01", "root@web-01", "192.0.2.7", "2001:db8::7", "ssh://root@web-01:2222", "a"])
def test_what_ssh_calls_a_host_is_one(name: str) -> None:
    check_host(name)


@pytest.mark.parametrize(
    "name", ["", "-oProxyCommand=x", "root@-x", "a b", "a;b", "$(x)", "`x`", "a\nb", "a\x1b[1m", "@a", "a@", "x" * 256]
)
def test_what_may_be_an_option_or_a_command_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="is no \\[user@\\]host"):
        check_host(name)


def test_the_host_stands_where_ssh_takes_nothing_for_an_option() -> None:
    words = command.command(("ssh", "-F", "x"), "web-01", WISH, ask=False)
    assert words[:3] == ["ssh", "-F", "x"]
    assert words[-3:-1] == ["--", "web-01"]
    assert "BatchMode=yes" in words
    assert "BatchMode=yes" not in command.command(("ssh",), "web-01", WISH, ask=True)


def test_hosts_may_be_named_before_and_behind_a_command() -> None:
    assert parse(["--host", "a", "connections", "--host", "root@b"]).hosts == ["a", "root@b"]
    assert parse(["--host", "a"]).hosts == ["a"]
    assert parse([]).hosts == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "-oProxyCommand=x"], "argument --host: expected one argument"),
        (["--host=-oProxyCommand=x"], "'-oProxyCommand=x' is no [user@]host"),
        (["--host", "a", "doctor"], "--host: doctor is of this machine"),
        (["--host", "a", "connections", "--from", "x.rec"], "--host goes with neither --connect nor --from"),
        (["--sudo"], "--sudo is for a --host"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


# --- code ----------------------------------------------------------------------------------------------------------


def unpacked() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(zlib.decompress(bundle.bundle())))


def test_the_code_is_the_same_each_time_and_small() -> None:
    code = bundle.bundle()
    assert code == bundle.bundle()
    assert len(code) < 120_000


def test_it_is_all_that_a_far_end_imports_now_or_later() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); from nettop.remote import far; print(*sys.modules)"
    root = Path(bundle.__file__).parents[2]
    command = [sys.executable, "-ISBc", program, str(root)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    code = unpacked()
    sent = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in code.namelist()}
    assert {name for name in loaded if name.partition(".")[0] == "nettop"} <= sent
    imported = {name for source in code.namelist() for name in imports(code.read(source).decode())}
    assert {name for name in imported if name.partition(".")[0] == "nettop"} <= sent


def imports(source: str) -> Iterator[str]:
    """The modules a program imports, wherever it does."""
    import ast

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_what_is_sent_has_the_lines_of_what_is_here() -> None:
    for name, source in bundle.sources():
        stripped = bundle.strip(source)
        assert stripped.count("\n") == source.count("\n"), name
        compile(stripped, name, "exec")


def test_docstrings_and_comments_stay_here_and_nothing_else_does() -> None:
    source = '''"""Module."""
X = 1
"""Of X."""


class Empty(Exception):
    """Nothing else in it."""


# a comment
TEXT = """
# no comment
"""


def f() -> str:
    """Says."""
    return "#"  # beside
'''
    stripped = bundle.strip(source)
    assert "Module" not in stripped
    assert "a comment" not in stripped
    assert "Says" not in stripped
    names: dict[str, object] = {}
    exec(stripped, names)
    assert names["TEXT"] == "\n# no comment\n"
    assert issubclass(names["Empty"], Exception)  # type: ignore[arg-type]
    assert names["f"]() == "#"  # type: ignore[operator]


def test_an_old_python_imports_it_from_memory_and_speaks_alike() -> None:
    python = oldest_python()
    if python is None:
        pytest.skip(f"no Python from 3.{OLDEST[1]} on that is older than this one is installed")
    program = (
        "import os, sys, zlib; f = os.memfd_create('x'); os.write(f, zlib.decompress(sys.stdin.buffer.read()));"
        "sys.path.insert(0, '/proc/%d/fd/%d' % (os.getpid(), f)); from nettop.remote import far, greeting;"
        "print(greeting.dialect())"
    )
    done = subprocess.run([python, "-ISBc", program], input=bundle.bundle(), capture_output=True, check=False)
    assert done.stdout.decode().strip() == greeting.dialect(), done.stderr.decode()


# --- the command ---------------------------------------------------------------------------------------------------

SHELLS = ("sh", "bash", "dash", "zsh", "fish", "tcsh", "ksh")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_login_shell_understands_the_command(shell: str, tmp_path: Path) -> None:
    where = shutil.which(shell)
    if where is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "python3").symlink_to(sys.executable)
    line = command.command(("ssh",), "web-01", WISH, ask=False)[-1]
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([where, "-c", line], input=b"0\n", capture_output=True, env=env, check=False, timeout=30)
    assert done.stdout.split(b"\n")[1] == greeting.SEND_CODE.encode(), done.stderr


def test_where_there_is_no_python_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    env = {"PATH": str(tmp_path)}
    done = subprocess.run(["/bin/sh", "-c", command.script(WISH)], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 127
    assert done.stderr.splitlines()[-1] == "nettop needs python3 from 3.9 on there, and found none"


@pytest.mark.parametrize(("code", "goes_on"), [(0, False), (1, True), (2, True), (3, True), (70, False), (143, False)])
def test_a_nettop_that_speaks_otherwise_is_not_the_last_word(code: int, goes_on: bool, tmp_path: Path) -> None:
    for name, status in (("nettop", code), ("python3", 9)):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$1"\nexit {status}\n')
        (tmp_path / name).chmod(0o755)
    env = {"PATH": str(tmp_path)}
    done = subprocess.run(["/bin/sh", "-c", command.script(WISH)], capture_output=True, text=True, env=env, check=False)
    assert done.stdout.splitlines()[0] == "nettop far"
    assert ("python3 -ISc" in done.stdout) is goes_on


def test_another_dialect_is_not_spoken_to() -> None:
    ours = [sys.executable, "-m", "nettop", "far", "00000000", "1", "0", "0", "0"]
    done = subprocess.run(ours, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (greeting.OTHER_DIALECT, b"")
