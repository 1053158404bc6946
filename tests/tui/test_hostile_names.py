"""Whatever a program calls itself, its line is as harmless and as wide as any other: made up, and for real."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.strip import Strip
from wcwidth import wcwidth

from nettop.fields import VIEWS
from nettop.order import parse_sort
from nettop.tui.drawing.layout import Layout
from nettop.tui.drawing.place import place
from nettop.tui.drawing.theme import DARK, UNICODE
from tests.support import rows
from tests.support.screen import machine, opened
from tests.support.terminal import Terminal, run

NASTY = {
    "escape sequences": "\x1b]0;pwned\x07\x1b[31mred\x1b[2J\x1b[?1049l",
    "C1 control characters": "\x9b31m\x90q\x9c\x85",
    "line breaks": "one\ntwo\rthree\u2028four\x0b",
    "markup": "[red]x[/red] [@click=app.exit]y[/] \\[bold]",
    "right to left": "\u202egpj.exe\u2066\u200f\u05d0\u05d1\u0627",
    "combining": "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334" * 9,
    "wide": "漢字名前コンピュータ한국어",
    "emoji": "👨\u200d👩\u200d👧 🇩🇪 👍🏽 ❤\ufe0f 🏳\ufe0f\u200d🌈",
    "invisible": "a\u200b\u2060\ufeff\u00ad\u3164\u180eb\u00a0\u3000",
    "no text": "\udcff\udc80\ue000\ufffd\uffff",
    "nothing": "",
    "blanks": "   \t  ",
    "long": "x" * 4096,
    "long and wide": "漢" * 2000,
}

ANYTHING = st.one_of(
    st.sampled_from(sorted(NASTY.values())),
    st.text(st.characters(exclude_categories=[]), max_size=60),
    st.text("\x1b[]m漢é\u0301\u202e👍\n ", max_size=60),
)


def width_of(line: str) -> int:
    """Cells, by the tables of the emulator that terminals are compared with; AssertionError for what acts on it."""
    widths = [wcwidth(character) for character in line]
    assert min(widths, default=0) >= 0, f"a control character in {line!r}"
    return sum(widths)


# --- made up ---------------------------------------------------------------------------------------------------------


def text_of(strip: Strip) -> str:
    return "".join(segment.text for segment in strip)


@settings(max_examples=150, deadline=None)
@given(st.lists(ANYTHING, min_size=7, max_size=7), st.integers(60, 200), st.sampled_from(["processes", "connections"]))
def test_every_line_has_exactly_the_width_of_the_table(names: list[str], width: int, view_name: str) -> None:
    comm, command, user, container, unit, netns_name, address = names
    view = VIEWS[view_name]
    who = {"comm": comm, "command": command, "user": user, "container": container, "unit": unit, "id": 1}
    if view_name == "processes":
        row: object = rows.process_row(**who, netns_name=netns_name)
    else:
        unix = {"proto": "unix", "family": "unix", "lport": None, "rport": None}
        row = rows.connection(**who, netns_name=netns_name, local=address, remote=address, **unix)
    sample = [row]
    for scrolled in (0, 9):
        placed = place(view, sample, rows.NOW, width - 1, scrolled)
        layout = Layout(placed, parse_sort(view.sort, view), width, DARK.look, UNICODE)
        for strip in (layout.header, layout.draw(row, rows.NOW), layout.draw_cursor(row, rows.NOW)):
            assert width_of(text_of(strip)) == width


@pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)
async def test_on_every_screen_each_line_is_as_wide_as_the_terminal(name: str) -> None:
    """In the panes, the filter, the breadcrumb, the help, and every detail of a row."""
    usual = machine(20, 10)
    others = [row for row in usual.connections.values() if row.id > 2]
    picture = rows.snapshot(
        [
            rows.connection(id=1, comm=name, command=name, user=name, container=name, unit=name, netns_name=name),
            rows.connection(id=2, proto="unix", family="unix", local=name, lport=None, remote=None, rport=None),
            *others,
        ],
        [
            rows.process_row(id=99, pid=7, comm=name, command=name, user=name, netns_name=name),
            *usual.processes.values(),
        ],
        [rows.namespace_row(id=1, name=name)],
    )
    async with opened(picture, (100, 30)) as seen:
        for key in ("1", "enter", "escape", "2", "enter", "escape", "3", "enter", "escape", "4", "5", "question_mark"):
            await seen.press(key)
            for line in seen.lines():
                assert width_of(line) == 100, line


# --- for real --------------------------------------------------------------------------------------------------------

CALLED = (
    "import ctypes, os, sys, time; ctypes.CDLL(None).prctl(15, os.fsencode(sys.argv[1])); "
    "print(flush=True); time.sleep(60)"
)
"""A program that gives itself a name: PR_SET_NAME, prctl(2)."""


@contextlib.contextmanager
def called(comm: bytes, arguments: bytes) -> Iterator[int]:
    """The pid of a process of that name, whose command line begins and ends with these arguments."""
    command = [arguments[:200], b"-c", CALLED.encode(), comm, arguments]  # Python looks for itself by the first
    with subprocess.Popen(command, executable=sys.executable, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def only_row(terminal: Terminal, wanted: str) -> str:
    """The line of the one row that passes this filter, which is typed here."""
    terminal.press(f"/{wanted}\r")

    def alone(text: str) -> bool:
        lines = text.splitlines()
        return f" {wanted} " in text and " 1/1 of " in text and "quit" in text and not lines[6].strip()

    return terminal.shows(alone).splitlines()[5]


def harmless(terminal: Terminal, *names: bytes) -> None:
    """None of these got through as it is, and the picture is one: as many lines as there are, and a footer."""
    for name in names:
        assert name not in terminal.received
    lines = terminal.lines()
    assert "quit" in lines[-1]
    assert "1 Processes" in lines[2]
    assert 1049 in terminal.state().modes


NAMES: dict[str, tuple[bytes, bytes]] = {
    "escape sequences": (b"\x1b]0;pwned\x07", b"\x1b[2J\x1b[?1049l\x1bc\x9b31m"),
    "line breaks": (b"two\nlines\r", b"argument\nwith\r\n lines\v\f"),
    "markup": (b"[red]x[/red]", b"[@click=app.exit]y[/] [bold]"),
    "right to left": ("\u202egpj.exe".encode(), "\u2066\u200f\u05d0".encode()),
    "wide and combining": ("漢字名前".encode(), "👨\u200d👩\u200d👧 e\u0301\u0301\u0301 🇩🇪".encode()),
    "not UTF-8": (b"\xff\xfe\x80bin", bytes(range(1, 32)) + bytes(range(127, 256))),
    "four kilobytes": (b"fifteen letters", b"long " * 820),
}


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize(("comm", "arguments"), NAMES.values(), ids=NAMES)
def test_a_process_of_any_name(comm: bytes, arguments: bytes, locale: str) -> None:
    with called(comm, arguments) as pid, run(["-m", "nettop", "-d", "0.3"], (120, 30), LANG=locale) as terminal:
        terminal.shows(lambda text: "COMMAND" in text)
        line, header = only_row(terminal, f"pid={pid}"), terminal.lines()[4]
        assert line.index(str(pid)) + len(str(pid)) == header.index("PID") + 3
        assert line[header.index(" S ") + 1] in "SRD"
        assert line[header.index("COMMAND") - 1] == " "
        harmless(terminal, *(name for name in (comm, arguments) if not name.decode(errors="replace").isprintable()))
        terminal.press("\r")
        terminal.shows(lambda text: f"({pid})" in text)
        harmless(terminal)


@pytest.mark.parametrize(
    "address",
    [b"\0nettop-\x1b[31m\xff\xfe\n\x1b]0;pwned\x07", "\0nettop-\u202e漢字".encode(), b"\0nettop-" + bytes(90)],
    ids=["escape sequences", "right to left", "nothing but zeros"],
)
def test_an_abstract_socket_of_any_name(address: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        shows_socket(listener)


@pytest.mark.parametrize("name", [b"\x1b[2J\n\xff", "漢字\u202e".encode()], ids=["escape sequences", "right to left"])
def test_a_socket_in_a_file_of_any_name(name: bytes, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fsencode(tmp_path) + b"/" + name)
        listener.listen()
        shows_socket(listener)


def shows_socket(listener: socket.socket) -> None:
    inode = os.fstat(listener.fileno()).st_ino
    with run(["-m", "nettop", "-d", "0.3"], (120, 30)) as terminal:
        terminal.press("2")
        terminal.shows(lambda text: "PROTO" in text)
        line = only_row(terminal, f"inode={inode}")
        assert "LISTEN" in line
        assert str(os.getpid()) in line
        harmless(terminal, b"\x1b]0;pwned", b"\x1b[31m\xff", b"\x1b[2J\n")
