"""The screen as an SVG, a line for each of its lines: small enough to keep, and a diff can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME

from nettop.tui import terminal
from nettop.tui.app import NettopApp

WIDTH, HEIGHT = 6, 13
"""Of a cell: a character of DejaVu Sans Mono at 10 px is as wide."""
SCALE = 2
_BASELINE = 10
"""Of a line, below its upper edge."""

_TERMINAL = SVG_EXPORT_THEME
"""A dark one, for the themes that use its own colours."""


def picture(app: NettopApp) -> str:
    """What the terminal shows now."""
    compositor, below = app.screen._compositor, app._background_screens  # noqa: SLF001  # what it would be sent
    update = compositor.render_update(full=True, screen_stack=below)
    _, ground, _ = _paint(app.main.look.text)
    styles = {_css(app.main.look.text): "text"}
    lines = [
        _line((segment for strip in strips for segment in strip), y * HEIGHT, ground, styles, ascii_only=not app.utf8)
        for y, strips in enumerate(update.strips)  # type: ignore[union-attr]  # a full update has all strips
    ]
    wide, high = app.size.width * WIDTH, app.size.height * HEIGHT
    size = f'viewBox="0 0 {wide} {high}" width="{wide * SCALE}" height="{high * SCALE}"'
    font = 'font-family="DejaVu Sans Mono, monospace" font-size="10" xml:space="preserve"'
    classes = "".join(f"{name if name == 'text' else '.' + name}{{{css}}}" for css, name in styles.items())
    background = f'<rect width="{wide}" height="{high}" fill="{ground}"/>'
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>', f"<style>{classes}</style>", background]
    return "\n".join([*head, *lines, "</svg>\n"])


def _line(segments: Iterable[Segment], top: int, usual: str, styles: dict[str, str], *, ascii_only: bool) -> str:
    """One line: its grounds where they are not the usual one, then its texts. What these look like is added to
    `styles`: CSS → its class."""
    grounds, texts = "", ""
    column = 0
    for text, style, width in _runs(segments):
        _, ground, _ = _paint(style)
        if ground != usual:
            x, wide = column * WIDTH, width * WIDTH
            grounds += f'<rect x="{x}" y="{top}" width="{wide}" height="{HEIGHT}" fill="{ground}"/>'
        shown = text if style.underline else text.strip()
        if shown:
            x = (column + text.index(shown)) * WIDTH
            look = styles.setdefault(_css(style), _name(len(styles)))
            name = "" if look == "text" else f' class="{look}"'
            shown = escape(terminal.to_ascii(shown) if ascii_only else shown, quote=False)
            texts += f'<tspan x="{x}"{name}>{shown}</tspan>'
        column += width
    return f'{grounds}<text y="{top + _BASELINE}">{texts}</text>' if texts else grounds


def _runs(segments: Iterable[Segment]) -> Iterator[tuple[str, Style, int]]:
    """Text, style and width of what looks alike, from left to right."""
    run, like, width = "", Style.null(), 0
    for segment in segments:
        style = segment.style or Style.null()
        if style != like and run:
            yield run, like, width
            run, width = "", 0
        run, like, width = run + segment.text, style, width + segment.cell_length
    if run:
        yield run, like, width


def _css(style: Style) -> str:
    color, _, rest = _paint(style)
    return f"fill:{color}{rest}"


def _paint(style: Style) -> tuple[str, str, str]:
    """Colour, ground, and CSS for what else it looks like, on a terminal of 256 colours."""
    color = _hex(style.color, foreground=True)
    ground = _hex(style.bgcolor, foreground=False)
    if style.reverse:
        color, ground = ground, color
    rest = ";font-weight:bold" if style.bold else ""
    rest += ";text-decoration:underline" if style.underline else ""
    return color, ground, rest + (";opacity:.6" if style.dim else "")


def _hex(color: Color | None, *, foreground: bool) -> str:
    sent = (color or Color.default()).downgrade(ColorSystem.EIGHT_BIT)
    return sent.get_truecolor(_TERMINAL, foreground=foreground).hex


def _name(number: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[number % 26] * (1 + number // 26)
