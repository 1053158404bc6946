"""How it looks: styles by purpose, in five sets, and the characters beyond ASCII with their stand-ins.

The sets for 256 colours paint their own background, so that they look the same on a dark and on a light terminal; their
colours are sent by the number they have in the palette, which costs few bytes and which an old terminal knows too.
Nothing is told by colour alone: each style that means something stands beside a sign or a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rich.color import Color
from rich.style import Style
from textual import theme as textual

from nettop.tui.terminal import Depth


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


@dataclass(frozen=True, slots=True)
class Theme:
    """A look, and the same for Textual's own widgets: the inputs and the menus."""

    name: str
    help: str
    look: Look
    widgets: textual.Theme
    depth: Depth
    """The colours a terminal must have for it."""


# --- 256 colours -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Colors:
    """Numbers of the 256-colour palette."""

    background: int
    band: int
    """Behind the lines that frame the table."""
    cursor: int
    """Behind the row under the cursor."""
    tab: int
    """Behind the tab one looks at."""
    text: int
    dim: int
    strong: int
    rx: int
    tx: int
    good: int
    warning: int
    alarm: int
    key: int
    band_text: int
    band_dim: int
    band_warning: int
    on_cursor: int
    on_tab: int


def _painted(name: str, help: str, colors: _Colors, *, dark: bool) -> Theme:  # noqa: A002
    """A theme of 256 colours; every text has a contrast of at least 4.5 (WCAG 2.1, 1.4.3) with what is behind it."""

    def style(text: int, behind: int = colors.background, attributes: str = "") -> Style:
        return Style.parse(f"{attributes} color({text}) on color({behind})")

    look = Look(
        text=style(colors.text),
        dim=style(colors.dim),
        strong=style(colors.strong),
        rx=style(colors.rx),
        tx=style(colors.tx),
        good=style(colors.good),
        warning=style(colors.warning),
        alarm=style(colors.alarm, attributes="bold"),
        key=style(colors.key, colors.band),
        band=style(colors.band_text, colors.band),
        band_dim=style(colors.band_dim, colors.band),
        band_strong=style(colors.strong, colors.band, "bold"),
        band_alarm=style(colors.band_warning, colors.band, "bold"),
        active=style(colors.on_tab, colors.tab, "bold"),
        header=style(colors.key, colors.band),
        header_sort=style(colors.strong, colors.band, "bold"),
        cursor=style(colors.on_cursor, colors.cursor),
    )
    widgets = textual.Theme(
        f"nettop-{name}",
        primary=_hex(colors.key),
        warning=_hex(colors.warning),
        error=_hex(colors.alarm),
        success=_hex(colors.good),
        foreground=_hex(colors.text),
        background=_hex(colors.background),
        surface=_hex(colors.background),
        panel=_hex(colors.band),
        dark=dark,
        variables={
            "text": _hex(colors.text),
            "block-cursor-foreground": _hex(colors.on_cursor),
            "block-cursor-background": _hex(colors.cursor),
            "block-cursor-text-style": "none",
            "input-cursor-foreground": _hex(colors.band),
            "input-cursor-background": _hex(colors.text),
            "input-cursor-text-style": "none",
        },
    )
    return Theme(name, help, look, widgets, 256)


def _hex(number: int) -> str:
    """In 24 bits, so that Rich makes the same number of it again: of a light grey of the palette it makes a darker one
    (rich/color.py, Color.downgrade)."""
    if number >= 232:
        grey = round((number - 231) / 25 * 255)
        return f"#{grey:02x}{grey:02x}{grey:02x}"
    return Color.from_ansi(number).get_truecolor().hex


_ON_DARK = _Colors(
    background=233,
    band=235,
    cursor=24,
    tab=24,
    text=250,
    dim=245,
    strong=255,
    rx=80,
    tx=180,
    good=108,
    warning=221,
    alarm=210,
    key=110,
    band_text=249,
    band_dim=246,
    band_warning=221,
    on_cursor=255,
    on_tab=255,
)

DARK = _painted("dark", "light text on a dark background", _ON_DARK, dark=True)

LIGHT = _painted(
    "light",
    "dark text on a light background",
    _Colors(
        background=255,
        band=253,
        cursor=153,
        tab=24,
        text=237,
        dim=241,
        strong=16,
        rx=24,
        tx=90,
        good=22,
        warning=94,
        alarm=124,
        key=24,
        band_text=238,
        band_dim=240,
        band_warning=88,
        on_cursor=16,
        on_tab=231,
    ),
    dark=False,
)

COLORBLIND = _painted(
    "colorblind",
    "dark, in blue and orange: nothing is told by red against green",
    replace(_ON_DARK, rx=75, tx=215, good=117, warning=220, alarm=208, band_warning=220),
    dark=True,
)


# --- the terminal's own colours --------------------------------------------------------------------------------------

_PLAIN = Style()
_BOLD = Style(bold=True)
_REVERSE = Style(reverse=True)
_LOUD = Style(bold=True, reverse=True)


def _borrowed(name: str, *, frame: str, cursor: tuple[str, str, str]) -> textual.Theme:
    """Textual's widgets in the terminal's own colours; `cursor`: text, background and attributes of what is chosen."""
    text, background, attributes = cursor
    return textual.Theme(
        f"nettop-{name}",
        primary=frame,
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        ansi=True,
        variables={
            "panel": "ansi_default",
            "ansi-background": "ansi_default",
            "ansi-foreground": "ansi_default",
            "surface-active": "ansi_default",
            "foreground-disabled": "ansi_default",
            "block-cursor-foreground": text,
            "block-cursor-background": background,
            "block-cursor-text-style": attributes,
            "input-cursor-text-style": "reverse",
        },
    )


ANSI = Theme(
    "ansi",
    "the terminal's own 16 colours and background",
    Look(
        text=_PLAIN,
        dim=Style(dim=True),
        strong=_BOLD,
        rx=Style(color="cyan"),
        tx=Style(color="magenta"),
        good=Style(color="green"),
        warning=Style(color="yellow", bold=True),
        alarm=Style(color="red", bold=True),
        key=Style(color="cyan", bold=True),
        band=_PLAIN,
        band_dim=Style(dim=True),
        band_strong=_BOLD,
        band_alarm=Style(color="yellow", bold=True),
        active=Style(color="white", bgcolor="blue", bold=True),
        header=Style(color="cyan", underline=True),
        header_sort=Style(color="cyan", underline=True, bold=True),
        cursor=Style(color="black", bgcolor="cyan"),
    ),
    _borrowed("ansi", frame="ansi_cyan", cursor=("ansi_black", "ansi_cyan", "none")),
    16,
)

MONO = Theme(
    "mono",
    "no colours: bold, underlined and reversed",
    Look(
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
    ),
    _borrowed(
        "mono", frame="ansi_default", cursor=("ansi_default", "ansi_default", "bold underline")
    ),  # Textual's menus know no reverse
    0,
)

THEMES: Mapping[str, Theme] = {theme.name: theme for theme in (DARK, LIGHT, COLORBLIND, ANSI, MONO)}


def theme_for(wanted: str, depth: Depth) -> Theme:
    """The theme of that name, where the terminal has the colours for it; else, as for `auto`, the best it can show."""
    theme = THEMES.get(wanted, DARK)
    if theme.depth <= depth:
        return theme
    return ANSI if depth else MONO


# --- characters ------------------------------------------------------------------------------------------------------


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
    """From nothing to full."""
    rule: str
    """Fills the line of a heading."""
    pipe: str
    """Guides of a tree: past a row that is followed by a sibling of its parent ..."""
    tee: str
    """... a row that is followed by a sibling ..."""
    corner: str
    """... and the last of its siblings."""
    tag: str
    """In the gutter, one cell: a row one has tagged."""
    own: str
    """Belongs to the connection nettop is looked at through."""
    ended: str
    """Is no more."""
    new: str
    """Since the mark: new ..."""
    gone: str
    """... gone ..."""
    grown: str
    """... or has moved bytes."""


UNICODE = Signs(
    up="▲",
    down="▼",
    rx="↓",
    tx="↑",
    separator="·",
    crumb="\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
    ellipsis="…",
    warning="▲",
    bars="▁▂▃▄▅▆▇█",
    rule="─",
    pipe="│ ",
    tee="├─",
    corner="└─",
    tag="●",
    own="◆",
    ended="†",
    new="+",
    gone="-",
    grown="↗",
)
ASCII = Signs(
    up="^",
    down="v",
    rx="rx",
    tx="tx",
    separator="|",
    crumb=">",
    ellipsis="~",
    warning="!",
    bars="_.:-=+*#",
    rule="-",
    pipe="| ",
    tee="|-",
    corner="`-",
    tag="*",
    own="@",
    ended="x",
    new="+",
    gone="-",
    grown="^",
)
