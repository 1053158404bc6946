"""The application: sets the screen up for the terminal at hand, feeds it, and leaves the terminal as it was."""

from __future__ import annotations

import asyncio
import contextlib
import locale
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from textual import events
from textual.app import App
from textual.binding import Binding
from textual.filter import LineFilter
from textual.screen import Screen

from nettop.config import DEFAULTS, Config
from nettop.config.session import Session
from nettop.snapshot import Snapshot
from nettop.tui import clipboard, terminal
from nettop.tui.attention import standing_back
from nettop.tui.details import DetailScreen
from nettop.tui.dialogs.palette import PaletteScreen
from nettop.tui.dialogs.standing import standing
from nettop.tui.drawing import theme
from nettop.tui.drawing.paint import WithoutColor
from nettop.tui.driver import TerminalDriver
from nettop.tui.garbage import PAUSE, Garbage
from nettop.tui.main import MainScreen
from nettop.tui.source import Source


class NettopApp(App[None]):
    """nettop's full screen, fed by a source."""

    CSS_PATH = "nettop.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [Binding("ctrl+z", "suspend_process", "stop", show=False, priority=True)]

    def __init__(
        self,
        source: Source,
        *,
        config: Config = DEFAULTS,
        session: Session | None = None,
        environ: Mapping[str, str] = os.environ,
        utf8: bool | None = None,
        several: bool = False,
        elsewhere: bool = False,
    ) -> None:
        """`session` tells how to begin, where not as `config` says; `environ` tells of ssh and the terminal; `utf8`
        overrules what settings and locale say; `several` machines are what the source shows, or one that is
        `elsewhere`. Raises ConfigError for keys that cannot be.
        """
        self.depth = terminal.depth(environ)
        """Colours to draw with: 0, 16 or 256."""
        # native: colours go out as the palette numbers they are, instead of being turned into 24 bits and back
        super().__init__(driver_class=TerminalDriver, ansi_color=True)
        self.animation_level = "none"
        # nothing here has either: two widgets less to mount whenever a screen opens
        self._disable_tooltips = self._disable_notifications = True
        # Textual's is made for the COLORTERM and TERM of this process; whatever has no colour has bold and reverse
        self.console = Console(
            file=self.console.file,
            force_terminal=True,
            color_system="256" if self.depth == 256 else "standard",
            highlight=False,
            emoji=False,
            legacy_windows=False,
            safe_box=False,
        )
        self.source = source
        self.remote = bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
        """The terminal is at the other end of an ssh connection."""
        self.mouse = config.mouse == "yes" or (config.mouse == "auto" and not self.remote)
        """Run with a mouse; not over ssh unless asked, as each of its motions is reported."""
        if utf8 is None and config.unicode == "auto":
            utf8 = terminal.utf8(environ, locale.nl_langinfo(locale.CODESET))
        elif utf8 is None:
            utf8 = config.unicode == "yes"
        self.utf8 = bool(utf8)
        """The terminal shows more than ASCII."""
        for each in theme.THEMES.values():
            if each.depth <= self.depth:
                self.register_theme(each.widgets)
        chosen = theme.theme_for(config.theme, self.depth)
        self.theme = chosen.widgets.name
        signs = theme.UNICODE if utf8 else theme.ASCII
        self.main = MainScreen(source, chosen, signs, config, session, environ, several=several, elsewhere=elsewhere)
        commands = {**self.main.commands, **self.main.travelling}
        self.set_keymap({name: commands[name].keys for name in config.keys if name in commands})
        source.set_interval(config.interval)

    def get_default_screen(self) -> MainScreen:
        return self.main

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # tests run the app outside the main thread, where signals cannot be handled
            with contextlib.suppress(ValueError, RuntimeError):
                loop.add_signal_handler(number, self.exit)
        if isinstance(self._driver, TerminalDriver):
            self._driver.ascii_only = not self.utf8
        self._garbage = Garbage()
        self.run_worker(self._garbage.tidy(self.main.attention), name="garbage")
        self._unready: list[Callable[[MainScreen], Screen[Any]]] = [PaletteScreen, DetailScreen]
        """Screens to be made while nobody waits for a key."""
        pictures = self.source.run(self._show, self.main.show_notice)
        self.run_worker(standing_back(pictures, self.main.attention.stand_back), name="source")

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self.main.key_pressed(event)
        await super().on_event(event)

    def action_suspend_process(self) -> None:
        """Ctrl-Z: stop, as any program in a shell does."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.stop()

    def copy_to_clipboard(self, text: str) -> None:
        """To that of the terminal one sits at."""
        if self._driver is not None:
            self._driver.write(clipboard.sequence(text, self.main.environ))

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = super().get_line_filters()
        return filters if self.depth else [*filters, WithoutColor()]

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send a picture to the terminal, unless that has not taken the last ones yet."""
        driver = self._driver
        if not (renderable is not None and isinstance(driver, TerminalDriver) and driver.behind()):
            super()._display(screen, renderable)
            if renderable is not None:
                self.main.attention.painted()

    def _show(self, snapshot: Snapshot) -> None:
        """Show a picture."""
        self.main.show(snapshot)
        unattended, afresh = self.main.attention.unattended, snapshot.interval is None
        self._garbage.look(unattended, afresh=afresh)
        if self._unready and not afresh and unattended > PAUSE:
            standing(self.main, self._unready.pop())
