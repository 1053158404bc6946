"""On every kind of terminal: it starts, shows the machine, takes keys and leaves, and sends nothing that would harm."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop import format as text
from nettop.tui import terminal
from nettop.tui.driver import _BEYOND_VT
from tests.support.terminal import Terminal, run

DEMO = ["-m", "tests.support.demo"]

SGR = re.compile(rb"\x1b\[([0-9;]*)m")
SIZES = {"xterm-256color": 256, "tmux-256color": 256, "xterm": 8, "screen": 8, "linux": 8, "vt100": -1, "dumb": -1}
"""What terminfo(5) says of some terminals."""


def codes(terminal: Terminal) -> set[int]:
    """Every number that was sent to set a colour or an attribute."""
    return {int(code or 0) for match in SGR.finditer(terminal.received) for code in match[1].split(b";")}


def used(environ: dict[str, str]) -> Terminal:
    """A terminal after a visit: another pane, a filter typed and kept, the help, and out."""
    with run(DEMO, (100, 30), **environ) as opened:
        before = opened.state()
        opened.shows(lambda shown: "1 Processes" in shown and "COMMAND" in shown)
        opened.press("2")
        opened.shows(lambda shown: "PROTO" in shown)
        opened.press("/lport>0\r")
        opened.shows(lambda shown: "filter lport>0" in shown)
        opened.press("?")
        opened.shows(lambda shown: "PROTO" not in shown and "PgUp" in shown)
        opened.press("\x1b")
        opened.shows(lambda shown: "PROTO" in shown)
        opened.press("q")
        assert opened.wait() == 0
        assert opened.state() == before
        return opened


@pytest.mark.parametrize("name", ["xterm-256color", "tmux-256color", "screen-256color"])
def test_with_256_colours_they_go_out_by_number(name: str) -> None:
    visited = used({"TERM": name})
    assert {38, 48, 5} <= codes(visited)


@pytest.mark.parametrize("name", ["screen", "xterm", "linux"])
def test_with_fewer_colours_only_the_sixteen_go_out(name: str) -> None:
    visited = used({"TERM": name})
    assert codes(visited) <= {
        0,
        1,
        2,
        3,
        4,
        7,
        *range(30, 38),
        39,
        *range(40, 48),
        49,
        *range(90, 98),
        *range(100, 108),
    }
    assert codes(visited) & set(range(30, 38))


@pytest.mark.parametrize("environ", [{"TERM": "vt100"}, {"TERM": "xterm-256color", "NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colour_bold_and_reverse_tell_the_same(environ: dict[str, str]) -> None:
    visited = used(environ)
    assert codes(visited) <= {0, 1, 2, 4, 7, 39, 49}
    assert {1, 7} <= codes(visited)


@pytest.mark.parametrize("name", ["linux", "vt100", "dumb"])
def test_a_terminal_that_does_not_follow_xterm_gets_nothing_of_it(name: str) -> None:
    """Every sequence it gets is one that ECMA-48 or DEC knew, or a private mode, which each of them swallows whole."""
    visited = used({"TERM": name})
    rest = re.sub(rb"\x1b\[\??[0-9;]*[A-Za-z]", b"", visited.received)
    assert b"\x1b" not in rest
    modes = set(re.findall(rb"\x1b\[\?([0-9;]+)[hl]", visited.received))
    assert modes == {b"1049", b"25", b"7"}


@pytest.mark.parametrize("environ", [{"LANG": "C"}, {"LANG": ""}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}])
def test_where_the_locale_is_not_utf_8_only_ascii_comes_out(environ: dict[str, str]) -> None:
    assert used(environ).received.isascii()


def test_where_it_is_there_are_bars_and_arrows() -> None:
    assert not used({"LC_ALL": "C.UTF-8"}).received.isascii()


# --- what the environment says ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "tmux-256color"}, 256),
        ({"TERM": "xterm-direct"}, 256),
        ({"TERM": "xterm"}, 16),
        ({"TERM": "screen"}, 16),
        ({"TERM": "linux"}, 16),
        ({"TERM": "vt100"}, 0),
        ({"TERM": "dumb"}, 0),
        ({"TERM": "unknown"}, 0),
        ({"TERM": ""}, 0),
        ({}, 0),
        ({"TERM": "of-tomorrow"}, 256),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, 256),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, 256),
        ({"TERM": "xterm", "COLORTERM": "yes"}, 16),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": "", "COLORTERM": ""}, 256),
    ],
)
def test_how_many_colours_there_are(environ: dict[str, str], colours: int) -> None:
    assert terminal.depth(environ, SIZES.get) == colours


def test_terminfo_knows_a_terminal_or_says_that_it_does_not() -> None:
    asked = "from nettop.tui.terminal import terminfo_colors as c; print(c('no-such-terminal'), c('linux'), c('xterm'))"
    said = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout.split()
    assert said in (["None", "8", "8"], ["None", "None", "None"])  # the second name is that of the whole process


@pytest.mark.parametrize(
    ("name", "follows"),
    [
        ("xterm", True),
        ("xterm-256color", True),
        ("screen", True),
        ("tmux-256color", True),
        ("rxvt-unicode", True),
        ("of-tomorrow", True),
        ("linux", False),
        ("linux-16color", False),
        ("vt100", False),
        ("vt220", False),
        ("ansi", False),
        ("dumb", False),
        ("", False),
    ],
)
def test_which_terminals_follow_xterm(name: str, follows: bool) -> None:
    assert terminal.follows_xterm({"TERM": name}) is follows


@pytest.mark.parametrize(
    ("sequence", "beyond"),
    [
        ("\x1b[>25u", True),
        ("\x1b[<u", True),
        ("\x1b[?2026$p", True),
        ("\x1b[?2048$p", True),
        ("\x1b[?1000h", True),
        ("\x1b[?1006l", True),
        ("\x1b[?1004h", True),
        ("\x1b[?2004l", True),
        ("\x1b]22;default\x07", True),
        ("\x1b]52;c;bmV0dG9w\n\x07", True),
        ("\x1b[?1049h", False),
        ("\x1b[?25l", False),
        ("\x1b[?7h", False),
        ("\x1b[2J", False),
        ("\x1b[1;1H a picture \x1b[0m", False),
    ],
)
def test_what_only_followers_of_xterm_are_sent(sequence: str, beyond: bool) -> None:
    assert bool(_BEYOND_VT.fullmatch(sequence)) is beyond


@pytest.mark.parametrize(
    ("environ", "codeset", "shown"),
    [
        ({"LANG": "en_US.UTF-8"}, "UTF-8", True),
        ({"LANG": "C.UTF-8"}, "utf-8", True),
        ({"LC_ALL": "C"}, "ANSI_X3.4-1968", False),
        ({"LANG": "de_DE"}, "ISO-8859-1", False),
        pytest.param({"LC_CTYPE": "C.UTF-8"}, "UTF-8", False, id="Python has changed the C locale"),
        pytest.param({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "UTF-8", False, id="the same, said"),
        pytest.param({"LANG": "de_DE.UTF-8", "LC_CTYPE": "C.UTF-8"}, "UTF-8", True, id="of one not installed here"),
        pytest.param({"LC_ALL": "C.UTF-8", "LC_CTYPE": "C.UTF-8"}, "UTF-8", True, id="said above all"),
    ],
)
def test_whether_it_shows_utf_8(environ: dict[str, str], codeset: str, shown: bool) -> None:
    assert terminal.utf8(environ, codeset) is shown


@given(st.text().map(text.safe))
def test_in_ascii_a_text_is_as_wide_as_before(written: str) -> None:
    plain = terminal.to_ascii(written)
    assert plain.isascii()
    assert len(plain) == text.cell_width(written)


@pytest.mark.parametrize(
    ("written", "plain"),
    [("a…z", "a~z"), ("漢字", "????"), ("é", "?"), ("e\N{COMBINING ACUTE ACCENT}", "e"), ("─│┌▁█", "-|+##")],
)
def test_what_stands_for_what_ascii_does_not_have(written: str, plain: str) -> None:
    assert terminal.to_ascii(written) == plain
    assert unicodedata.is_normalized("NFC", plain)
