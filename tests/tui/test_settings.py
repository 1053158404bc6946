"""The real program with settings: refused or ignored in one line, obeyed, the end of a session remembered if asked."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nettop.config import DEFAULTS, parse_config
from tests.support.restricted import PYTHON, UNPRIVILEGED, staged
from tests.support.screen import opened
from tests.support.terminal import Terminal, run
from tests.support.terminal import opened as run_any

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


WRONG = [
    ("intervall = 2", ", line 1: there is no setting 'intervall'; did you mean interval?"),
    ("names = true\ninterval = 0", ", line 2: interval: write a number from 0.1 to 3600"),
    ("names = true\ninterval = = 2", ", line 2, column 12: Invalid value; `nettop config` shows how it is written"),
    ('[keys]\nfreeze = "k"', ": keys: freeze: k is the key of up; give one of them another"),
]
wrong_settings = pytest.mark.parametrize(("text", "complaint"), WRONG, ids=["name", "value", "syntax", "keys"])


class TestRefused:
    @wrong_settings
    def test_what_is_wrong_in_a_file_asked_for_is_one_line_and_the_screen_is_left_alone(
        self, tmp_path: Path, text: str, complaint: str
    ) -> None:
        file = tmp_path / "nettop/config.toml"
        environ = settings(tmp_path, text)
        with run([*NETTOP, "--config", str(file)], (200, 30), **environ) as terminal:
            before = terminal.state()
            assert terminal.wait() == 2
            assert said(terminal).startswith(f"nettop: {file}{complaint}")
            assert said(terminal).isprintable(), "one line"
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


class TestIgnored:
    """Nobody who needs nettop now should have to mend their settings first."""

    @wrong_settings
    def test_the_screen_comes_up_without_what_is_wrong_and_keeps_saying_so(
        self, tmp_path: Path, text: str, complaint: str
    ) -> None:
        with run(NETTOP, (160, 30), **settings(tmp_path, text)) as terminal:
            line = f" ▲ ignored: {tmp_path}/nettop/config.toml{complaint}"
            line = line if len(line) < 160 else f" ▲ ignored: …/config.toml{complaint}"
            terminal.shows(lambda shown: line in shown and "COMMAND" in shown)
            terminal.press("2")
            terminal.shows(lambda shown: line in shown and "PROTO" in shown)
            terminal.press("q")
            assert terminal.wait() == 0

    def test_what_is_right_beside_it_is_obeyed(self, tmp_path: Path) -> None:
        with run(NETTOP, (120, 30), **settings(tmp_path, 'pane = "connections"\nintervall = 2')) as terminal:
            terminal.shows(lambda shown: "▲ ignored: " in shown and "PROTO" in shown)
            terminal.press("q")
            assert terminal.wait() == 0

    def test_in_80_columns_it_says_where(self, tmp_path: Path) -> None:
        environ = settings(tmp_path / ".config", "interval = = 2")
        with run(NETTOP, (80, 24), **{**environ, "XDG_CONFIG_HOME": "", "HOME": str(tmp_path)}) as terminal:
            terminal.shows(
                lambda shown: " ▲ ignored: …/config.toml, line 1, column 12: Invalid value; `nettop" in shown
            )
            terminal.press("q")
            assert terminal.wait() == 0

    def test_a_directory_in_its_place(self, tmp_path: Path) -> None:
        environ = settings(tmp_path, "")
        (tmp_path / "nettop/config.toml").unlink()
        (tmp_path / "nettop/config.toml").mkdir()
        with run(NETTOP, (160, 30), **environ) as terminal:
            terminal.shows(lambda shown: "config.toml: Is a directory" in shown and "COMMAND" in shown)
            terminal.press("q")
            assert terminal.wait() == 0

    @pytest.mark.root
    @pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="becomes nobody: root, setpriv")
    def test_a_file_that_may_not_be_read(self, tmp_path: Path) -> None:
        environ = {**settings(tmp_path, "interval = 5"), "HOME": "/nonexistent"}
        (tmp_path / "nettop/config.toml").chmod(0)
        for directory in (tmp_path, *tmp_path.parents[:3]):
            directory.chmod(directory.stat().st_mode | 0o055)
        unshare = shutil.which("unshare")
        assert unshare is not None
        command = [unshare, *staged(*UNPRIVILEGED, PYTHON, "-s", *NETTOP)[1:]]
        with run_any(command, (160, 30), **environ) as terminal:
            terminal.shows(lambda shown: "config.toml: Permission denied" in shown and "COMMAND" in shown, 60)
            terminal.press("q")
            assert terminal.wait(20) == 0

    def test_a_program_without_a_screen_says_it_and_goes_on(self, tmp_path: Path) -> None:
        recording = tmp_path / "night.rec"
        environ = {**os.environ, **settings(tmp_path, "intervall = 2")}
        command = [sys.executable, *NETTOP, "record", str(recording)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as running:
            try:
                assert running.stderr is not None
                assert running.stderr.readline().startswith(f"nettop: ignored: {tmp_path}/nettop/config.toml, line 1: ")
                deadline = time.monotonic() + 20
                while not recording.exists():
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            finally:
                running.kill()


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
