"""Every field of one row with its value and what it means: the base of what a detail view tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nettop import format as text
from nettop.fields import Kind, View
from nettop.snapshot import Connection
from nettop.tui.line import Pieces, piece
from nettop.tui.theme import Look

_SUFFIXES: Mapping[Kind, str] = {
    Kind.BYTES: "B",
    Kind.RATE: "B/s",
    Kind.FREQUENCY: " a second",
    Kind.MILLISECONDS: " ms",
    Kind.PERCENT: "%",
}
"""What stands behind a figure where its column does not tell the unit."""

_QUEUES = ("recvq", "sendq")
"""Of a listener these are connections, not bytes."""

_VALUE_WIDTH = 28


def detail_title(row: Connection) -> str:
    """Which connection it is, safe for the terminal."""
    socket = row.socket
    ends = (text.endpoint(socket.local, socket.lport), text.endpoint(socket.remote, socket.rport))
    return f"{text.safe(socket.proto)}  {ends[0]}  {ends[1]}"


def detail_lines(view: View, row: Any | None, now: float, look: Look) -> list[Pieces]:
    """A line for each field; a sentence where the row is gone."""
    if row is None:
        return [[], [piece(" It is gone.", look.warning)]]
    lines: list[Pieces] = [[]]
    listens = isinstance(row, Connection) and row.stats.state == "LISTEN"
    for field in view.fields.values():
        value = field.get(row, now)
        shown = text.cell(field, value, None, now)
        known = shown != text.UNKNOWN
        if known and not (field.name in _QUEUES and listens):
            shown += _SUFFIXES.get(field.kind, "")
        lines.append(
            [
                piece(f" {field.name:<14} ", look.text),
                piece(text.fit(shown, max(_VALUE_WIDTH, text.cell_width(shown))), look.strong if known else look.dim),
                piece(f"  {field.help}", look.dim),
            ]
        )
    return lines
