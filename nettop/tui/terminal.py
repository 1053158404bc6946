"""What the terminal at hand can do, from the environment nettop runs in."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

Depth = Literal[0, 16, 256]
"""Colours to draw with."""

_NOTHING_KNOWN = ("", "dumb", "unknown")
_BEFORE_XTERM = ("linux", "vt", "ansi", "cons", "sun", "wyse", "hp", "pcansi")
"""How the names of terminals begin that do not follow xterm."""

_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python sets LC_CTYPE to where it finds the C locale (PEP 538)."""


def terminfo_colors(name: str) -> int | None:
    """How many colours terminfo(5) says a terminal has, -1 for none; None where it does not know the terminal.

    curses reads one entry in the life of a process: the first name it knows is the one that all later calls tell of.
    """
    try:
        import _curses  # a Python may have been built without; the package around it is not needed
    except ImportError:
        return None
    try:
        _curses.setupterm(name, 1)
    except _curses.error:
        return None
    return _curses.tigetnum("colors")


def depth(environ: Mapping[str, str], colors: Callable[[str], int | None] = terminfo_colors) -> Depth:
    """How many colours may be used, from NO_COLOR (https://no-color.org), COLORTERM and TERM.

    A terminal of 8 colours counts as one of 16: it shows the bright ones as bold or not at all. One that terminfo has
    never heard of is a new one, and has 256.
    """
    name = environ.get("TERM", "")
    if environ.get("NO_COLOR") or name in _NOTHING_KNOWN:
        return 0
    if environ.get("COLORTERM") in ("truecolor", "24bit") or name.endswith(("-256color", "-direct")):
        return 256
    known = colors(name)
    if known is None or known >= 256:
        return 256
    return 16 if known >= 8 else 0


def follows_xterm(environ: Mapping[str, str]) -> bool:
    """The terminal knows what xterm added, or swallows whole what of it it does not know.

    Others print the rest of a sequence behind the first character they do not expect: the Linux console did so with
    `ESC [ > 25 u` before version 5.9 (drivers/tty/vt/vt.c), and a vt100 does so with anything that begins `ESC ]`.
    """
    name = environ.get("TERM", "")
    return name not in _NOTHING_KNOWN and not name.startswith(_BEFORE_XTERM)


def utf8(environ: Mapping[str, str], codeset: str) -> bool:
    """The terminal shows UTF-8, as far as the locale tells; `codeset` is what nl_langinfo(3) says of it in here.

    Python makes UTF-8 of the C locale for itself, which does not change the terminal.
    """
    coerced = (
        not environ.get("LC_ALL")
        and environ.get("LC_CTYPE") in _COERCED
        and environ.get("LANG", "") in ("", "C", "POSIX")
    )
    return codeset.upper() == "UTF-8" and not coerced


def to_ascii(text: str) -> str:
    """The text, of as many cells, for a terminal that shows nothing but ASCII."""
    return text if text.isascii() else "".join([c if c < "\x80" else _ascii(c) for c in text])


@lru_cache(4096)
def _ascii(character: str) -> str:
    """What stands for a character, in as many cells: `~` for an ellipsis, `-` `|` `+` for lines, `#` for bars."""
    if character in "…":
        return "~"
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        return "-" if name.endswith("HORIZONTAL") else "|" if name.endswith("VERTICAL") else "+"
    if name.endswith("BLOCK"):
        return "#"
    if unicodedata.category(character).startswith("M"):
        return ""
    return "??" if unicodedata.east_asian_width(character) in "WF" else "?"
