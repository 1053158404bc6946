"""The way to another machine: what is sent, what it is called, and what may come back."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettop.model import TABLES
from nettop.remote import bounds, bundle, command, greeting, pump
from nettop.remote.command import Wish
from nettop.remote.far import Duplex, Squeezed
from nettop.remote.host import check_host
from nettop.remote.pump import Pump, Tail
from nettop.wire import WireError
from tests.support.deltas import delta
from tests.support.rows import event, process_row
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


# --- the stream ----------------------------------------------------------------------------------------------------


class Pumped:
    """A pump between pipes, and a listener that takes everything."""

    def __init__(self, data: bytes) -> None:
        self.output, write = os.pipe()
        self.complaints, silent = os.pipe()
        ours, theirs = socket.socketpair()
        self.pump = Pump(self.output, self.complaints, theirs, lambda: None)
        thread = threading.Thread(target=self.pump.run, args=(b"",))
        thread.start()
        feeder = threading.Thread(target=self._feed, args=(write, data))
        feeder.start()
        self.pieces = []
        while piece := ours.recv(1 << 20):
            self.pieces.append(piece)
        thread.join(10)
        assert not thread.is_alive()
        for end in (self.output, self.complaints, silent):
            os.close(end)
        feeder.join(10)
        ours.close()
        theirs.close()

    @staticmethod
    def _feed(descriptor: int, data: bytes) -> None:
        with os.fdopen(descriptor, "wb") as file:
            try:
                file.write(data)
                file.flush()
            except BrokenPipeError:
                pass


def test_lines_come_out_as_they_went_in() -> None:
    near, far = os.pipe()
    link = Squeezed(Duplex(os.open(os.devnull, os.O_RDONLY), far))
    lines = [b"%d\n" % number for number in range(1000)]
    link.post(lines[:500])
    link.post(lines[500:])
    link.close()
    with os.fdopen(near, "rb") as read:
        assert b"".join(Pumped(read.read()).pieces) == b"".join(lines)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300), st.binary(max_size=20))
def test_a_broken_stream_ends_with_a_reason(noise: bytes, place: int, wrong: bytes) -> None:
    squeezed = zlib.compress(noise)
    broken = squeezed[:place] + wrong + squeezed[place + len(wrong) :]
    pumped = Pumped(broken)
    assert pumped.pump.ended
    assert pumped.pump.reason in ("", "what it sends is no stream", "it has ended the stream")


def test_what_expands_without_end_comes_in_pieces_and_only_as_fast_as_it_is_taken() -> None:
    bomb = zlib.compressobj()
    data = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(200)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    assert len(data) < 1 << 18, "all of it in one reading"
    output, write = os.pipe()
    complaints, silent = os.pipe()
    os.set_blocking(write, False)
    os.write(write, data[: 1 << 16])
    ours, theirs = socket.socketpair()
    made = Pump(output, complaints, theirs, lambda: None)
    thread = threading.Thread(target=made.run, args=(b"",))
    before = memory()
    thread.start()
    for _ in range(10):
        assert len(ours.recv(1 << 10)) == 1 << 10
    assert memory() - before < 8 << 20
    made.stop = True
    ours.close()
    thread.join(10)
    assert not thread.is_alive()
    for end in (output, write, complaints, silent):
        os.close(end)
    theirs.close()


def memory() -> int:
    """Bytes that this process holds."""
    import psutil

    return int(psutil.Process().memory_info().rss)


@pytest.mark.parametrize("table", [name for name in TABLES if name not in ("stats", "closed", "nat", "datagrams")])
def test_rows_without_end_are_not_believed(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_ROWS", 100)
    row = tuple(None for _ in TABLES[table]._fields)
    checked = bounds.Bounds()
    for start in range(0, 1000, 50):
        checked.check(delta({table: dict.fromkeys(range(50), row)}, key=start == 0))
        checked.check(delta({table: dict.fromkeys(range(50, 90), row)}))
        checked.check(delta({}, gone={table: list(range(50, 90))}))
    with pytest.raises(WireError, match="it claims more than 100 rows"):
        checked.check(delta({table: dict.fromkeys(range(1000, 1060), row)}))


def test_names_without_end_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_TEXT", 100_000)
    checked = bounds.Bounds()

    def processes(count: int, size: int) -> dict[str, dict[int, Any]]:
        return {"processes": {i: process_row(pid=i + 1, command="x" * size).process for i in range(count)}}

    for _ in range(20):
        checked.check(delta(processes(10, 5000)))
        checked.check(delta(processes(10, 10)))
    with pytest.raises(WireError, match="of names"):
        checked.check(delta(processes(30, 5000)))


def test_an_event_is_no_novel() -> None:
    with pytest.raises(WireError, match="an event"):
        bounds.Bounds().check(delta({}, events=(event(detail="x" * 20_000),)))


def test_silence_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "_LOOK", 0.01)
    output, write = os.pipe()
    complaints, silent = os.pipe()
    ours, theirs = socket.socketpair()
    made = Pump(output, complaints, theirs, lambda: None)
    made.quiet = 0.05
    made.run(b"")
    assert made.reason == "nothing has come for 0 seconds"
    assert ours.recv(1) == b""
    for end in (output, write, complaints, silent):
        os.close(end)
    ours.close()
    theirs.close()


@given(st.lists(st.binary(max_size=3000), max_size=5))
def test_complaints_are_one_line_that_is_safe_to_print(parts: list[bytes]) -> None:
    tail = Tail()
    for part in parts:
        tail.take(part)
    assert len(tail.last) <= 200
    assert "\x1b" not in tail.last
    assert "\n" not in tail.last


def test_the_last_word_is_the_reason() -> None:
    tail = Tail()
    tail.take(b"Welcome!\r\nroot@web-01: Permission denied (publickey).\r\n\r\n")
    assert tail.last == "root@web-01: Permission denied (publickey)"
