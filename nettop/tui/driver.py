"""Textual's driver for Linux, made to survive a terminal that goes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver


class Output:
    """The terminal to write to; once it is gone, what is written is lost and that is told once.

    Textual's writer thread ends with the error of its write. Nobody empties its queue of 30 entries then, and the
    application waits for room in it forever.
    """

    def __init__(self, file: Any, gone: Callable[[], object]) -> None:
        self._file = file
        self._gone: Callable[[], object] | None = gone

    def write(self, text: str) -> None:
        self._try(lambda: self._file.write(text))

    def flush(self) -> None:
        self._try(self._file.flush)

    def fileno(self) -> int:
        number: int = self._file.fileno()
        return number

    def _try(self, act: Callable[[], object]) -> None:
        if self._gone is None:
            return
        try:
            act()
        except (OSError, ValueError):  # EIO; ValueError once the file is closed
            gone, self._gone = self._gone, None
            gone()


class TerminalDriver(LinuxDriver):
    """LinuxDriver that ends the application when its terminal goes away."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        # only what Output has is used of the file
        self._file: Any = Output(self._file, lambda: app.call_later(app.exit))

    def _sigcont_application(self, *_: object) -> None:
        """Resume only what was suspended: the kernel sends SIGCONT with the SIGHUP of a terminal that goes away."""
        if self._must_signal_resume:
            super()._sigcont_application()
