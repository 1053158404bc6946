"""The application: sets the screen up for the terminal at hand, feeds it, and leaves the terminal as it was."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import locale
import os
import signal
import time
from collections.abc import Mapping

from textual import events
from textual.app import App

from nettop.snapshot import Snapshot
from nettop.tui import theme
from nettop.tui.driver import TerminalDriver
from nettop.tui.main import MainScreen
from nettop.tui.source import Source

SWEEP = 600.0
"""Seconds between two looks for garbage everywhere; what is young is looked through with every picture."""
UNATTENDED = 30.0
"""Seconds without a key after which nobody notices that one takes 80 ms."""


class NettopApp(App[None]):
    """nettop's full screen, fed by a source."""

    CSS_PATH = "nettop.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = []

    def __init__(
        self,
        source: Source,
        *,
        interval: float = 1.0,
        environ: Mapping[str, str] = os.environ,
        utf8: bool | None = None,
    ) -> None:
        """`interval` in seconds; `environ` tells of ssh and NO_COLOR; `utf8` overrules what the locale says."""
        no_color = bool(environ.get("NO_COLOR"))
        # native: colours go out as the palette numbers they are, instead of being turned into 24 bits and back
        super().__init__(driver_class=TerminalDriver, ansi_color=True)
        self.animation_level = "none"
        self.source = source
        self.remote = bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
        """The terminal is at the other end of an ssh connection: run without a mouse, which reports every motion."""
        if utf8 is None:
            utf8 = locale.nl_langinfo(locale.CODESET).upper() == "UTF-8"
        self.main = MainScreen(
            source, theme.NO_COLOR if no_color else theme.COLOR, theme.UNICODE if utf8 else theme.ASCII
        )
        self.register_theme(theme.TEXTUAL)
        self.theme = theme.TEXTUAL.name
        source.set_interval(interval)

    def get_default_screen(self) -> MainScreen:
        return self.main

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # tests run the app outside the main thread, where signals cannot be handled
            with contextlib.suppress(ValueError, RuntimeError):
                loop.add_signal_handler(number, self.exit)
        gc.disable()
        self._sweep_due = time.monotonic() + SWEEP
        self.run_worker(self.source.run(self._show, self.main.show_notice), name="source")

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self.main.key_pressed()
        await super().on_event(event)

    def _show(self, snapshot: Snapshot) -> None:
        """Show a picture, and look for garbage among what came since the last: 2 ms.

        Python's own full collections walk every row: 80 ms with 42,000 of them, in the middle of a key, to find
        nothing, as rows hold no cycles. Nettop's come when nobody looks.
        """
        self.main.show(snapshot)
        now = time.monotonic()
        if snapshot.interval is None:
            gc.freeze()  # the rows of a key frame stay: no collection need look at them
        elif now >= self._sweep_due and self.main.unattended > UNATTENDED:
            self._sweep_due = now + SWEEP
            gc.collect()
            gc.freeze()
        else:
            gc.collect(0)
