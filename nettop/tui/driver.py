"""Textual's driver for Linux, made to leave the terminal as it was, to survive its loss, and never to wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import termios
from collections.abc import Callable
from threading import Thread
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Region
from textual.message import Message

from nettop.tui import terminal
from nettop.tui.keyboard import Keyboard

TURN = 0.0005
"""Seconds the thread that writes waits for its turn while lists are worked on; Python's default is 5 ms."""

BEHIND = 8
"""Writes, two or three pictures of them, that a terminal may be late with before it gets no more. Textual's queue holds
30; when it is full the whole application waits."""

FAREWELL = 1.0
"""Seconds a terminal may take for the next `PORTION` of what puts it back as it was; if it is stalled, that is lost."""
PORTION = 1024
"""Bytes written at a time."""

_BEYOND_VT = re.compile(r"\x1b(\].*|\[[<>].*|\[\?(100[0-6]|101[56]|2004|2026|2048)(h|l|\$p))", re.DOTALL)
"""What xterm and its successors added: pointers, mouse, focus, paste, key codes, reports of what they can do."""

_ERASE = "\x1b[0m\x1b[2J\x1b[H"


class Output:
    """The terminal to write to; once it is gone, what is written is lost and that is told once.

    Textual's writer thread ends with the error of its write. Nobody empties its queue of 30 entries then, and the
    application waits for room in it forever.

    Bytes go to the descriptor, not through a file of Python's: a thread that is stuck in one of those keeps its lock,
    and the program cannot end.
    """

    def __init__(
        self,
        descriptor: int,
        encode: Callable[[str], bytes],
        caught_up: Callable[[], object],
        gone: Callable[[], object],
    ) -> None:
        """`caught_up` is called in the thread that writes, once the terminal has taken all it was to take."""
        self.asked = 0
        """Writes the terminal is to take, counted by whoever hands them over."""
        self.taken = 0
        """Of these, those it has taken."""
        self.portions = 0
        """Grows for as long as the terminal takes anything."""
        self._descriptor = descriptor
        self._encode = encode
        self._caught_up = caught_up
        self._gone: Callable[[], object] | None = gone
        self._waiting: list[str] = []

    def write(self, text: str) -> None:
        self._waiting.append(text)

    def flush(self) -> None:
        """Send what was written, and wait until the terminal has taken it."""
        waiting, self._waiting = self._waiting, []
        data = memoryview(self._encode("".join(waiting)))
        try:
            while data and self._gone is not None:
                data = data[os.write(self._descriptor, data[:PORTION]) :]
                self.portions += 1
        except OSError:  # EIO
            gone, self._gone = self._gone, None
            if gone is not None:
                gone()
        self.taken += len(waiting)
        if self.taken == self.asked:
            self._caught_up()

    def fileno(self) -> int:
        return self._descriptor


class TerminalDriver(LinuxDriver):
    """LinuxDriver that ends the application when its terminal goes away, stops and goes on as a shell asks, leaves out
    what a stalled terminal does not take, and sends an old one nothing it would not understand."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        # LinuxDriver's handlers act in the middle of whatever runs, where the writer's lock may be held
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        self._descriptor = self._file.fileno()
        self._follows_xterm = terminal.follows_xterm(os.environ)
        self.ascii_only = False
        """The terminal shows nothing else."""
        self._late: asyncio.AbstractEventLoop | None = None
        """Where to say that the terminal has caught up, while it misses something."""
        self._keyboard = Keyboard(self.fileno, self.process_message, lambda: app.call_later(app.exit))

    # --- a terminal that does not take what it is sent ---

    def write(self, data: str) -> None:
        """Send the terminal something; it is lost where it would not be understood, and while another has it."""
        if self._writer_thread is not None and (self._follows_xterm or not _BEYOND_VT.fullmatch(data)):
            self._file.asked += 1
            super().write(data)

    def _bytes(self, text: str) -> bytes:
        return (terminal.to_ascii(text) if self.ascii_only else text).encode(errors="replace")

    def behind(self) -> bool:
        """The terminal is late with what it was sent: leave the next picture out. It gets all of it afterwards."""
        if self._late is None:
            self._late = asyncio.get_running_loop()  # first, as the writer may catch up in between
            if self._file.asked - self._file.taken < BEHIND:
                self._late = None
                return False
        return True

    def _caught_up(self) -> None:
        loop, self._late = self._late, None
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(self._send_missing)

    def _send_missing(self) -> None:
        if self._app.screen_stack:
            width, height = self._app.size
            # line by line, as all at once would be sent whole
            self._app.screen.refresh(*[Region(0, y, width, 1) for y in range(height)])

    def _get_terminal_size(self) -> tuple[int, int]:
        """Columns and lines; whatever COLUMNS and LINES say, which do not change with the window."""
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(self.fileno)
            if size.columns and size.lines:  # a serial line knows neither
                return size.columns, size.lines
        return super()._get_terminal_size()

    # --- taking the terminal, and giving it back ---

    def start_application_mode(self) -> None:
        """Take the terminal. Whoever does so in the background is stopped by the kernel (SIGTTOU) until it is not."""
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self.fileno, termios.TCSANOW, termios.tcgetattr(self.fileno))
        self._late = None
        sys.setswitchinterval(TURN)
        gone = self._app.exit
        # only what Output has is used of the file
        self._file: Any = Output(self._descriptor, self._bytes, self._caught_up, lambda: self._app.call_later(gone))
        super().start_application_mode()  # type: ignore[no-untyped-call]
        loop = asyncio.get_running_loop()
        if self._writer_thread is None:  # it has gone away, or whoever could bring us to the foreground has
            self._app.call_later(gone)
        else:
            self._keyboard.listen(loop)
        loop.add_signal_handler(signal.SIGTSTP, self.stop)
        loop.add_signal_handler(signal.SIGCONT, self._take_again)

    def run_input_thread(self) -> None:
        """Nothing: see `keyboard`."""

    def disable_input(self) -> None:
        """Read no more keys."""
        self._keyboard.stop()
        super().disable_input()

    def send_message(self, message: Message) -> None:
        """Tell the application of a key, now."""
        self._app.post_message(message)

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was.

        The second screen is emptied first: of one that was resized, tmux 3.3 leaves some lines above those of the
        first; and a terminal without a second screen is not left with half a picture.
        """
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGTSTP)
        loop.remove_signal_handler(signal.SIGCONT)
        self.write(_ERASE)
        super().stop_application_mode()

    def close(self) -> None:
        """Wait until the terminal has taken everything, but not for good; what is written from now on is lost."""
        last = Thread(target=super().close, daemon=True)
        last.start()
        seen = -1
        while last.is_alive() and seen != self._file.portions:
            seen = self._file.portions
            last.join(FAREWELL)
        self._writer_thread = None

    def stop(self) -> None:
        """Stop as other programs do at Ctrl-Z; return when continued in the foreground, with the terminal taken again.

        The whole process group stops: the shell waits for make or sudo, where these started us.
        """
        self._lend(lambda: os.kill(0, signal.SIGTSTP))

    def _take_again(self) -> None:
        """Go on after SIGSTOP, which nobody sees coming: a shell has used the terminal meanwhile."""
        self._lend(lambda: None)

    def _lend(self, use: Callable[[], None]) -> None:
        self.suspend_application_mode()
        use()
        self.resume_application_mode()
        self._app.refresh(layout=True)
