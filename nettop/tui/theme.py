"""How it looks: one calm set of styles for dark terminals of 256 colours, one without any colour.

Colours are those of the 256-colour palette and are sent by number, so an old terminal and a new one show the same and
a style costs few bytes. Nothing is told by colour alone: each style that means something stands beside a sign or word.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.theme import Theme

BACKGROUND = 233
HIGHLIGHT = 24
BAND = 235


@dataclass(frozen=True, slots=True)
class Look:
    """Every style the screen uses, by what it is for."""

    text: Style
    dim: Style
    """Units, labels, what is zero or unknown."""
    strong: Style
    """Names and figures one came for."""
    rx: Style
    tx: Style
    good: Style
    warning: Style
    alarm: Style
    key: Style
    """A key in the footer."""
    band: Style
    """Lines that frame the table: tabs, footer."""
    band_dim: Style
    band_strong: Style
    band_alarm: Style
    active: Style
    """The tab one looks at."""
    header: Style
    header_sort: Style
    """Title of the column the rows are sorted by."""
    cursor: Style
    """The row under the cursor, all of it."""


def _color(foreground: int, background: int = BACKGROUND, attributes: str = "") -> Style:
    return Style.parse(f"{attributes} color({foreground}) on color({background})")


COLOR = Look(
    text=_color(250),
    dim=_color(242),
    strong=_color(255),
    rx=_color(80),
    tx=_color(180),
    good=_color(108),
    warning=_color(221),
    alarm=_color(210, attributes="bold"),
    key=_color(110, BAND),
    band=_color(248, BAND),
    band_dim=_color(243, BAND),
    band_strong=_color(254, BAND, "bold"),
    band_alarm=_color(221, BAND, "bold"),
    active=_color(255, HIGHLIGHT, "bold"),
    header=_color(110, BAND),
    header_sort=_color(231, BAND, "bold"),
    cursor=_color(255, HIGHLIGHT),
)

_PLAIN = Style()
_BOLD = Style(bold=True)
_REVERSE = Style(reverse=True)
_LOUD = Style(bold=True, reverse=True)

NO_COLOR = Look(
    text=_PLAIN,
    dim=_PLAIN,
    strong=_BOLD,
    rx=_PLAIN,
    tx=_PLAIN,
    good=_PLAIN,
    warning=_BOLD,
    alarm=_LOUD,
    key=_BOLD,
    band=_PLAIN,
    band_dim=_PLAIN,
    band_strong=_BOLD,
    band_alarm=_BOLD,
    active=_LOUD,
    header=Style(underline=True),
    header_sort=Style(underline=True, bold=True),
    cursor=_REVERSE,
)
"""https://no-color.org: bold and reverse only."""


@dataclass(frozen=True, slots=True)
class Signs:
    """Characters beyond ASCII, or their stand-ins."""

    up: str
    down: str
    rx: str
    tx: str
    separator: str
    crumb: str
    ellipsis: str
    warning: str
    bars: str
    """From nothing to full; empty where the terminal can show no bars."""


UNICODE = Signs("▲", "▼", "↓", "↑", "·", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}", "…", "▲", "▁▂▃▄▅▆▇█")
ASCII = Signs("^", "v", "rx", "tx", "|", ">", "~", "!", "")


TEXTUAL = Theme(
    "nettop",
    primary="#5f87af",
    secondary="#5f8787",
    warning="#ffd75f",
    error="#ff8787",
    success="#87af87",
    accent="#87afd7",
    foreground="#bcbcbc",
    background="#121212",
    surface="#121212",
    panel="#262626",
)
"""The same for Textual's own widgets: the filter's input and the menus. With NO_COLOR Textual drops the colours."""
