"""Draws the screen of an emulated terminal as a picture: a cell grid in DejaVu Sans Mono."""

from __future__ import annotations

from pathlib import Path

import pyte
from PIL import Image, ImageDraw, ImageFont
from pyte.screens import Char

FONTS = Path("/usr/share/fonts/truetype/dejavu")
CELL = (14, 29)
"""Pixels of a cell: about twice what a browser shows it at."""
FONT_SIZE = 23.25
"""Whose characters are as wide as a cell: 0.602 of it."""
MARGIN = 24
BACKGROUND = "#121212"
FOREGROUND = "#bcbcbc"
NAMED = {"black": "#000000", "white": "#c0c0c0", "brightwhite": "#ffffff", "brightblack": "#808080"}
"""Those of the 16 colours with a name that Textual's own widgets use: the cursor of the filter."""
COLORS = 64
"""Of the picture's palette: all styles, and the steps between a letter and its ground."""


def render(screen: pyte.Screen, path: Path) -> None:
    """Write the screen as a PNG."""
    width, height = screen.columns * CELL[0] + 2 * MARGIN, screen.lines * CELL[1] + 2 * MARGIN
    image = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(image)
    regular, bold = (
        ImageFont.truetype(str(FONTS / f"DejaVuSansMono{weight}.ttf"), FONT_SIZE) for weight in ("", "-Bold")
    )
    for line in range(screen.lines):
        for column in range(screen.columns):
            char = screen.buffer[line][column]
            foreground, background = _colors(char)
            x, y = MARGIN + column * CELL[0], MARGIN + line * CELL[1]
            draw.rectangle((x, y, x + CELL[0] - 1, y + CELL[1] - 1), fill=background)
            if char.data.strip():
                font = bold if char.bold else regular
                draw.text((x, y + CELL[1] * 0.76), char.data, fill=foreground, font=font, anchor="ls")
    # method 2 is the octree: it keeps flat grounds flat
    image.quantize(COLORS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)


def _colors(char: Char) -> tuple[str, str]:
    """Foreground and background of a cell as the terminal would paint it."""
    foreground = FOREGROUND if char.fg == "default" else NAMED.get(char.fg, f"#{char.fg}")
    background = BACKGROUND if char.bg == "default" else NAMED.get(char.bg, f"#{char.bg}")
    return (background, foreground) if char.reverse else (foreground, background)
