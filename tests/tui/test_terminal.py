"""On a real terminal: little is sent, it is never waited for, and it is left as it was however the program ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from nettop.tui.driver import FAREWELL
from tests.support.terminal import State, Terminal, opened, run

DEMO = ["-m", "tests.support.demo"]
NETTOP = ["-m", "nettop", "-d", "0.5"]
SHELL = ["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"]
PROMPT = "at your service: "
FULL = 4000
"""Bytes: less than a picture of 120 by 40 takes."""

pytestmark = pytest.mark.skipif(not Path(SHELL[0]).exists(), reason="needs bash")


def left_as_it_was(terminal: Terminal, before: State) -> bool:
    """The main screen is back, the cursor visible, the mouse and bracketed paste off, line mode and echo restored."""
    assert terminal.state() == before
    return True


def gone(processes: list[psutil.Process], seconds: float = 5.0) -> bool:
    """They all end in that time."""
    return not psutil.wait_procs(processes, seconds)[1]


# --- leaving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["q", "\x03", "/x\x03", "s\x03"], ids=["q", "ctrl-c", "in the filter", "in a menu"])
def test_leaving_by_a_key(keys: str) -> None:
    with run(DEMO) as terminal:
        before = terminal.state()
        terminal.expect("Processes")
        for key in keys:
            terminal.read(0.3)
            terminal.press(key)
        assert terminal.wait() == 0
        assert left_as_it_was(terminal, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_leaving_by_a_signal(number: signal.Signals) -> None:
    with run(NETTOP) as terminal:
        before = terminal.state()
        terminal.expect("Processes")
        collector = terminal.children()
        assert len(collector) == 1
        os.kill(terminal.pid, number)
        assert terminal.wait() == 0
        assert left_as_it_was(terminal, before)
        assert gone(collector)


def test_an_error_is_told_after_the_terminal_is_back() -> None:
    with run([*DEMO, "--fail", "--interval", "0.2"]) as terminal:
        before = terminal.state()
        assert terminal.wait(20) == 1
        assert left_as_it_was(terminal, before)
        assert b"made to fail" in terminal.received[terminal.received.rfind(b"\x1b[?1049l") :]


def test_a_terminal_that_goes_away_ends_the_program_and_its_collector() -> None:
    with run(NETTOP) as terminal:
        terminal.expect("Processes")
        collector = terminal.children()
        terminal.hang_up()
        terminal.wait()
        assert gone(collector)


def test_the_collector_of_a_killed_screen_ends_too() -> None:
    with run(NETTOP) as terminal:
        terminal.expect("Processes")
        collector = terminal.children()
        os.kill(terminal.pid, signal.SIGKILL)
        assert terminal.wait() == -signal.SIGKILL
        assert gone(collector)


def test_the_screen_says_that_its_collector_was_killed_and_starts_another() -> None:
    with run(NETTOP, (120, 40)) as terminal:
        before = terminal.state()
        terminal.shows(lambda text: "python" in text)
        (first,) = terminal.children()
        first.kill()
        terminal.shows(lambda text: "the collector ended (killed by SIGKILL)" in text)
        terminal.shows(lambda text: "the collector ended" not in text)
        (second,) = terminal.children()
        assert second.pid != first.pid
        terminal.press("q")
        assert terminal.wait() == 0
        assert left_as_it_was(terminal, before)
        assert gone([second])


# --- in a shell ------------------------------------------------------------------------------------------------------


class Shell:
    """An interactive shell that has started nettop's screen."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.state = State([], frozenset(), 0)
        """Of the terminal, before the screen was started."""

    def start(self, suffix: str = "") -> None:
        self.prompt("")
        self.state = self.terminal.state()
        self.terminal.press(f"{sys.executable} {' '.join(DEMO)}{suffix}\n")

    def prompt(self, said: str) -> None:
        """Wait for the next prompt, and what is said before it."""
        assert said.encode() in self.terminal.expect(PROMPT)

    def ask(self) -> bytes:
        """What it has to say of its jobs."""
        self.terminal.press("\n")
        return self.terminal.expect(PROMPT)

    def screen(self) -> psutil.Process:
        """Wait for the screen; its process."""
        self.terminal.expect("Processes")
        (process,) = self.terminal.children()
        return process

    def foreground(self) -> None:
        """Have it continued, and wait until it has taken the terminal and sent a whole picture."""
        self.terminal.press("fg\n")
        self.terminal.read(10.0, lambda data: len(data.partition(b"\x1b[?1049h")[2]) > FULL)
        assert {1049, 2004} <= self.terminal.state().modes

    def is_back(self) -> bool:
        """The terminal is the shell's again, as it was."""
        assert self.terminal.state() == self.state
        return True


@pytest.fixture
def shell() -> Iterator[Shell]:
    with opened(SHELL, (120, 40), PS1=PROMPT, PYTHONPATH=os.getcwd()) as terminal:
        yield Shell(terminal)


@pytest.mark.parametrize("where", ["", "s", "?", "/x"], ids=["in a pane", "in a menu", "in the help", "in the filter"])
def test_ctrl_z_stops_it_and_fg_brings_it_back(shell: Shell, where: str) -> None:
    shell.start()
    process = shell.screen()
    for _ in range(2):
        shell.terminal.press(where)
        shell.terminal.read(0.5)
        shell.terminal.press("\x1a")
        shell.prompt("Stopped")
        assert shell.is_back()
        assert process.status() == psutil.STATUS_STOPPED
        shell.foreground()
    shell.terminal.press("\x1b\x03")
    shell.prompt("")
    assert shell.is_back()


def test_in_the_background_it_stays_stopped_and_leaves_the_terminal_alone(shell: Shell) -> None:
    shell.start()
    process = shell.screen()
    shell.terminal.press("\x1a")
    shell.prompt("Stopped")
    shell.terminal.press("bg\n")
    said = shell.terminal.expect(PROMPT)
    deadline = time.monotonic() + 10
    while b"Stopped" not in said:
        assert time.monotonic() < deadline
        said = shell.ask()
    assert process.status() == psutil.STATUS_STOPPED
    assert shell.is_back()
    shell.foreground()
    shell.terminal.press("q")
    shell.prompt("")
    assert shell.is_back()


def test_started_in_the_background_it_waits_for_fg(shell: Shell) -> None:
    shell.start(" &")
    shell.prompt("")
    deadline = time.monotonic() + 10
    while not any(process.status() == psutil.STATUS_STOPPED for process in shell.terminal.children()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert shell.is_back()
    shell.terminal.press("fg\n")
    shell.screen()
    shell.terminal.press("q")
    shell.prompt("")
    assert shell.is_back()


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP])
def test_stopped_from_elsewhere_it_takes_the_terminal_again_at_fg(shell: Shell, number: signal.Signals) -> None:
    shell.start()
    process = shell.screen()
    process.send_signal(number)
    shell.prompt("Stopped")
    shell.foreground()
    shell.terminal.press("q")
    shell.prompt("")
    assert shell.is_back()


def test_what_started_it_stops_with_it(shell: Shell, tmp_path: Path) -> None:
    """As with make: the shell learns of it only where the whole job stops."""
    script = tmp_path / "start.sh"
    script.write_text(f"{sys.executable} {' '.join(DEMO)}\necho script goes on\n")
    shell.prompt("")
    shell.terminal.press(f"/bin/sh {script}\n")
    shell.terminal.expect("Processes")
    shell.terminal.press("\x1a")
    shell.prompt("Stopped")
    shell.foreground()
    shell.terminal.press("q")
    shell.terminal.expect("script goes on")


def test_a_terminal_that_goes_away_while_it_is_stopped_ends_it(shell: Shell) -> None:
    shell.start()
    process = shell.screen()
    shell.terminal.press("\x1a")
    shell.prompt("Stopped")
    shell.terminal.hang_up()
    assert gone([process])


# --- another size ----------------------------------------------------------------------------------------------------


def test_after_any_number_of_resizes_the_picture_fits() -> None:
    with run(DEMO, (80, 24)) as terminal:
        terminal.expect("Processes")
        for step in range(40):
            terminal.resize(60 + 3 * (step * 7 % 40), 20 + step * 11 % 40)
            terminal.read(0.01)
        terminal.resize(132, 43)
        terminal.shows(lambda text: "quit" in text.splitlines()[-1] and "retr" in text.splitlines()[0][-20:])
        lines = terminal.lines()
        assert len(lines) == 43
        assert all(len(line) == 132 for line in lines)


def test_the_size_is_that_of_the_window_whatever_the_environment_says() -> None:
    with run(DEMO, (132, 43), COLUMNS="80", LINES="24") as terminal:
        terminal.shows(lambda text: text.splitlines()[0].rstrip()[100:] != "" and "quit" in text.splitlines()[-1])


def test_too_small_it_says_so_calmly_and_comes_back() -> None:
    with run(DEMO, (80, 24)) as terminal:
        terminal.expect("Processes")
        terminal.resize(40, 10)
        terminal.shows(lambda text: "too small" in text and "Processes" not in text)
        terminal.resize(80, 24)
        terminal.shows(lambda text: "Processes" in text and "too small" not in text)


@pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")
@pytest.mark.parametrize("size", [(160, 50), (60, 20)], ids=["larger", "smaller"])
def test_in_a_tmux_window_that_was_resized_nothing_stays_behind(size: tuple[int, int], tmp_path: Path) -> None:
    def tmux(*command: str) -> str:
        base = ["tmux", "-S", str(tmp_path / "socket"), "-f", os.devnull]
        return subprocess.run([*base, *command], capture_output=True, text=True, check=True).stdout

    def until(condition: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + 20
        while not condition(shown := tmux("capture-pane", "-p")):
            assert time.monotonic() < deadline, shown
            time.sleep(0.05)
        return shown

    start = f"PYTHONPATH={os.getcwd()} {sys.executable} {' '.join(DEMO)}; echo it has ended; cat"
    tmux("new-session", "-d", "-x", "100", "-y", "30", f"echo what was before; {start}")
    try:
        until(lambda text: "Processes" in text)
        tmux("resize-window", "-x", str(size[0]), "-y", str(size[1]))
        until(lambda text: len(text.splitlines()) == size[1] and "quit" in text.splitlines()[-1])
        tmux("send-keys", "q")
        assert until(lambda text: "it has ended" in text).split("\n")[:2] == ["what was before", "it has ended"]
    finally:
        tmux("kill-server")


# --- a terminal that takes nothing -----------------------------------------------------------------------------------

STALLED = [*DEMO, "2000", "500", "2000", "--interval", "0.1"]
"""Sends 80 KB a second, as far as the terminal takes it."""


def test_after_a_stall_the_screen_is_current_at_once() -> None:
    with run(STALLED) as terminal:
        terminal.expect("Processes")
        time.sleep(5.0)
        for key in ("2", "G", "/", "e", "s", "t"):
            terminal.press(key)
            time.sleep(0.1)
        missed = terminal.read(1.0, lambda data: len(data) > 1_000_000)
        shown = terminal.shows(lambda text: "filter est" in text, 2.0).splitlines()
        assert "PROTO" in shown[4]
        assert all(line.startswith(" tcp ") and " ESTAB " in line for line in shown[5:-1])
        assert len(missed) < 250_000


def test_leaving_while_the_terminal_takes_nothing_restores_it_once_it_does() -> None:
    with run(STALLED) as terminal:
        before = terminal.state()
        terminal.expect("Processes")
        time.sleep(3.0)
        terminal.press("q")
        time.sleep(0.3)
        assert terminal.wait() == 0
        assert left_as_it_was(terminal, before)


def test_a_slow_terminal_gets_all_that_puts_it_back() -> None:
    with run(STALLED) as terminal:
        before = terminal.state()
        terminal.expect("Processes")
        time.sleep(3.0)
        terminal.press("q")
        began = time.monotonic()
        while 1049 in terminal.state().modes:
            assert time.monotonic() - began < 30
            terminal.received += os.read(terminal.fd, 1024)
            time.sleep(0.04)
        assert time.monotonic() - began > 2 * FAREWELL
        assert terminal.wait() == 0
        assert left_as_it_was(terminal, before)


def test_a_terminal_that_never_takes_anything_again_does_not_hold_up_the_end() -> None:
    with run(STALLED) as terminal:
        terminal.expect("Processes")
        time.sleep(3.0)
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.wait(5.0, reading=False) == 0


# --- how much is sent ------------------------------------------------------------------------------------------------


def test_no_mouse_over_ssh() -> None:
    with run(DEMO, SSH_TTY="/dev/pts/9") as terminal:
        terminal.expect("Processes")
        assert b"\x1b[?1003h" not in terminal.received


def test_nothing_that_moves_costs_next_to_nothing() -> None:
    with run([*DEMO, "2000", "200", "0"]) as terminal:
        terminal.expect("Processes")
        terminal.press("2")
        terminal.read(2.5)
        assert len(terminal.read(3.0)) / 3 < 3000


def test_every_row_that_moves_stays_within_15_kilobytes() -> None:
    with run([*DEMO, "2000", "200", "2000"]) as terminal:
        terminal.expect("Processes")
        terminal.press("2")
        terminal.read(2.5)
        assert 3000 < len(terminal.read(3.0)) / 3 < 15_000


def test_a_key_is_answered_while_a_large_table_changes() -> None:
    with run([*DEMO, "42000", "2000", "2000"]) as terminal:
        terminal.expect("Processes", 60)
        terminal.press("2")
        terminal.read(3.0)
        terminal.press("j")
        assert terminal.read(1.0, lambda data: b"48;5;24m" in data)


def test_neither_the_screen_nor_its_collector_loads_tls() -> None:
    with run(NETTOP) as terminal:
        terminal.expect("Processes")
        for pid in (terminal.pid, *(process.pid for process in terminal.children())):
            assert "libssl" not in Path(f"/proc/{pid}/maps").read_text()
