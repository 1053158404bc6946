"""Screens that open in no time: what lies behind a dialog is shown as it is, and some screens stay when they close."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.geometry import Region
from textual.screen import ModalScreen, Screen
from textual.strip import Strip

from nettop.tui.drawing.paint import DiffCompositor

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen

_Result = TypeVar("_Result")


class Overlay(ModalScreen[_Result]):
    """A modal screen above the one it was opened from, which goes on below it.

    Textual's own turns every segment of that into another one: 4 ms of 160 by 50, for nothing to look different.
    """

    def __init__(self, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self._compositor = DiffCompositor()

    def render_lines(self, crop: Region) -> list[Strip]:
        """What the screen below shows in that region."""
        stack = self.app.screen_stack
        below = stack[stack.index(self) - 1]._compositor  # noqa: SLF001
        return below.lines(crop) if isinstance(below, DiffCompositor) else super().render_lines(crop)


_Screen = TypeVar("_Screen", bound=Screen[Any])


def standing(main: MainScreen, make: Callable[[MainScreen], _Screen]) -> _Screen:
    """The one screen that `make` makes in these colours, not shown now; made when it is first asked for.

    To make one, style it and lay it out takes 10 ms, in the middle of a key.
    """
    app = main.app
    name = f"{make.__name__} in {app.theme}"
    if not app.is_screen_installed(name):
        app.install_screen(make(main), name)
        app._get_screen(name)  # noqa: SLF001  # begins to run, which push_screen would have to wait for
    return cast("_Screen", app.get_screen(name))
