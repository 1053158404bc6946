"""Copying to the clipboard of the terminal one sits at, wherever nettop runs: OSC 52 of xterm's control sequences.

Nothing tells whether it arrived: the terminal may not know the sequence, or its settings may forbid it. tmux passes it
on with `set -g set-clipboard on`, or wrapped as a passthrough, which `allow-passthrough on` permits; screen passes on
what is wrapped, in pieces that fit its buffer.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

MAX_BYTES = 56_000
"""Of text: the sequence is then as long as many terminals take one, 74,994 characters."""

_ESC, _END = "\x1b", "\x1b\\"
_PIECE = 240
"""Characters of a device control string that every version of screen has room for, twice over."""


def sequence(text: str, environ: Mapping[str, str]) -> str:
    """The characters to send to the terminal for it to copy the text, which is at most `MAX_BYTES` long in UTF-8."""
    encoded = base64.b64encode(text.encode(errors="replace")).decode()
    plain = f"{_ESC}]52;c;{encoded}\a"
    name = environ.get("TERM", "")
    if environ.get("TMUX") or name.startswith("tmux"):
        return f"{plain}{_ESC}Ptmux;{plain.replace(_ESC, _ESC + _ESC)}{_END}"
    if name.startswith("screen"):
        pieces = [plain[place : place + _PIECE] for place in range(0, len(plain), _PIECE)]
        return "".join(f"{_ESC}P{piece}{_END}" for piece in pieces)
    return plain


def fitting(lines: list[str]) -> list[str]:
    """As many whole lines from the first on as may be copied."""
    room = MAX_BYTES
    kept = []
    for line in lines:
        room -= len(line.encode(errors="replace")) + 1
        if room < 0:
            break
        kept.append(line)
    return kept
