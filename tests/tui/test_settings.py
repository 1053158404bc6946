"""The real program with settings: refused in one line, obeyed, and the end of a session remembered where asked."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nettop.config import DEFAULTS, parse_config
from tests.support.screen import opened
from tests.support.terminal import Terminal, run

NETTOP = ["-m", "nettop"]


def settings(directory: Path, text: str) -> dict[str, str]:
    """The environment of a person with these settings."""
    path = directory / "nettop/config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return {"XDG_CONFIG_HOME": str(directory), "XDG_STATE_HOME": str(directory / "state"), "SUDO_UID": ""}


def said(terminal: Terminal) -> str:
    """All that came, without the ends of lines."""
    return terminal.received.decode().strip()


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("intervall = 2", "there is no setting 'intervall'; did you mean interval?"),
            ('[keys]\nfreeze = "k"', "keys: freeze: k is the key of up; give one of them another"),
        ],
    )
    def test_what_is_wrong_is_one_line_and_the_screen_is_left_alone(
        self, tmp_path: Path, text: str, complaint: str
    ) -> None:
        with run(NETTOP, (200, 30), **settings(tmp_path, text)) as terminal:
            before = terminal.state()
            assert terminal.wait() == 2
            assert said(terminal) == f"nettop: {tmp_path}/nettop/config.toml: {complaint}"
            assert terminal.state() == before

    def test_a_file_that_is_not_there(self) -> None:
        with run([*NETTOP, "--config", "/none"], (200, 30)) as terminal:
            assert terminal.wait() == 2
            assert said(terminal) == "nettop: /none: no such file; `nettop config` prints one to begin with"

    def test_plain_views_read_no_settings(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "nettop", "processes", "--no-rates", "--limit", "1"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            env=settings(tmp_path, "intervall = 2"),
        )
        assert done.stderr == ""


class TestPrinted:
    def test_the_default_can_be_used_as_it_is_printed(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "nettop", "config"], check=True, capture_output=True, text=True, timeout=60
        )
        assert done.stderr == ""
        assert parse_config(done.stdout.encode(), "printed") == DEFAULTS
        assert '#freeze = "Z"  # freeze the picture' in done.stdout


class TestObeyed:
    async def test_it_begins_with_the_pane_columns_and_order_of_the_settings(self) -> None:
        text = 'pane = "connections"\ninterval = 7\ncolumns.connections = ["pid", "rtt"]\nsort.connections = "-pid"'
        async with opened(None, (120, 30), config=parse_config(text.encode(), "")) as seen:
            assert seen.lines()[4].split() == ["▼PID", "RTT"]
            assert seen.source.interval == 7.0
            await seen.press("1")
            assert "COMMAND" in seen.lines()[4]

    async def test_they_hold_inside_of_what_is_opened(self) -> None:
        async with opened(config=parse_config(b'sort.connections = "pid"', "")) as seen:
            await seen.press("enter")
            assert str(seen.main.pane.order) == "pid"

    @pytest.mark.parametrize(
        ("value", "over_ssh", "here"), [("auto", False, True), ("yes", True, True), ("no", False, False)]
    )
    async def test_the_mouse(self, value: str, over_ssh: bool, here: bool) -> None:
        config = parse_config(f'mouse = "{value}"'.encode(), "")
        async with opened(config=config, environ={"SSH_TTY": "/dev/pts/1"}) as seen:
            assert seen.app.mouse is over_ssh
        async with opened(config=config) as seen:
            assert seen.app.mouse is here

    def test_characters_beyond_ascii(self, tmp_path: Path) -> None:
        with run(NETTOP, (100, 30), **settings(tmp_path, 'unicode = "no"\ntheme = "mono"')) as terminal:
            shown = terminal.shows(lambda shown: "owners" in shown and "COMMAND" in shown)
            assert "·" not in shown
            assert b"\x1b[0;38" not in terminal.received


class TestRemembered:
    def test_a_session_begins_where_the_last_one_ended(self, tmp_path: Path) -> None:
        environ = settings(tmp_path, "remember = true")
        with run(NETTOP, (100, 30), **environ) as terminal:
            terminal.shows(lambda shown: "COMMAND" in shown)
            terminal.press("2")
            terminal.shows(lambda shown: "PROTO" in shown)
            terminal.press("/lport>0\r")
            terminal.shows(lambda shown: "filter lport>0" in shown)
            terminal.press("q")
            assert terminal.wait() == 0
        assert stat.S_IMODE((tmp_path / "state/nettop/session.json").stat().st_mode) == 0o600
        with run(NETTOP, (100, 30), **environ) as terminal:
            terminal.shows(lambda shown: "PROTO" in shown and "filter lport>0" in shown)
            terminal.press("q")
            assert terminal.wait() == 0

    def test_nothing_is_written_unless_asked(self, tmp_path: Path) -> None:
        with run(NETTOP, (100, 30), **settings(tmp_path, "")) as terminal:
            terminal.shows(lambda shown: "COMMAND" in shown)
            terminal.press("q")
            assert terminal.wait() == 0
        assert not (tmp_path / "state").exists()

    def test_where_it_cannot_be_written_that_is_said(self, tmp_path: Path) -> None:
        environ = settings(tmp_path, "remember = true")
        (tmp_path / "state").write_text("in the way")
        with run(NETTOP, (100, 30), **environ) as terminal:
            terminal.shows(lambda shown: "COMMAND" in shown)
            terminal.press("q")
            assert terminal.wait() == 0
            assert b"nettop: the session is not remembered: " in terminal.received
