"""What the terminal at hand can do, from the environment it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

Depth = Literal[0, 16, 256]
"""Colours to draw with."""

_NOTHING_KNOWN = ("", "dumb", "unknown")
_WITHOUT_XTERM = ("linux", "vt", "ansi", "cons", "sun", "wyse", "hp", "pcansi")
"""How the names of terminals begin whose parsers are older than xterm's additions, or do not follow them."""


def terminfo_colors(name: str) -> int | None:
    """How many colours terminfo(5) says a terminal has, -1 for none; None where it does not know the terminal.

    curses reads one entry in the life of a process: the first name that is known is the one all later calls tell of.
    """
    try:
        import _curses  # not curses, which looks at TERM by itself; a Python may have been built without either

        _curses.setupterm(name, 1)
    except (ImportError, OSError, ValueError):
        return None
    except _curses.error:
        return None
    return _curses.tigetnum("colors")


def depth(environ: Mapping[str, str], colors: Callable[[str], int | None] = terminfo_colors) -> Depth:
    """How many colours may be used, from NO_COLOR (https://no-color.org), COLORTERM and TERM.

    A terminal of 8 colours counts as one of 16: it shows the brighter ones by bold, or leaves them out. One that
    terminfo has never heard of is a new one and has 256.
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
    """The terminal knows xterm's private modes and reports, or swallows those it does not know whole.

    Others print what follows the first character they do not expect: the Linux console did so with `ESC [ > 25 u`
    until version 5.9 (drivers/tty/vt/vt.c), a vt100 does with a window title.
    """
    name = environ.get("TERM", "")
    return name not in _NOTHING_KNOWN and not name.startswith(_WITHOUT_XTERM)
