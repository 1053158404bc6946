"""On a real terminal: little is sent, and the terminal is left as it was however the program ends."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.terminal import Terminal, run

DEMO = ["-m", "tests.support.demo"]


def left_as_it_was(terminal: Terminal, before: list[object]) -> bool:
    """The main screen is back, the cursor visible, the mouse and bracketed paste off, line mode and echo restored."""
    out = bytes(terminal.received)
    return (
        out.rfind(b"\x1b[?1049l") > out.rfind(b"\x1b[?1049h")
        and out.rfind(b"\x1b[?25h") > out.rfind(b"\x1b[?25l")
        and out.rfind(b"\x1b[?1003l") >= out.rfind(b"\x1b[?1003h")
        and out.rfind(b"\x1b[?2004l") > out.rfind(b"\x1b[?2004h")
        and terminal.attributes() == before
    )


@pytest.mark.parametrize("keys", ["q", "\x03", "/x\x03", "s\x03"], ids=["q", "ctrl-c", "in the filter", "in a menu"])
def test_leaving_by_a_key(keys: str) -> None:
    with run(DEMO) as terminal:
        before = terminal.attributes()
        terminal.expect("Processes")
        for key in keys:
            terminal.read(0.3)
            terminal.press(key)
        assert terminal.wait() == 0
        assert left_as_it_was(terminal, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_leaving_by_a_signal(number: signal.Signals) -> None:
    with run(DEMO) as terminal:
        before = terminal.attributes()
        terminal.expect("Processes")
        os.kill(terminal.pid, number)
        assert terminal.wait() == 0
        assert left_as_it_was(terminal, before)


def test_an_error_is_told_after_the_terminal_is_back() -> None:
    with run([*DEMO, "--fail"]) as terminal:
        before = terminal.attributes()
        assert terminal.wait(20) == 1
        assert left_as_it_was(terminal, before)
        assert b"made to fail" in terminal.received[terminal.received.rfind(b"\x1b[?1049l") :]


def test_a_terminal_that_goes_away_ends_the_program() -> None:
    with run(DEMO) as terminal:
        terminal.expect("Processes")
        terminal.hang_up()
        terminal.wait()


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
