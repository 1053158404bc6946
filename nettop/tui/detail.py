"""Every field of one row with its value and what it means: the base of what a detail view tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nettop import format as text
from nettop.fields import Kind, View
from nettop.snapshot import Connection
from nettop.tui.columns import ends
from nettop.tui.line import Pieces, piece
from nettop.tui.theme import Look

_SUFFIXES: Mapping[Kind, str] = {
    Kind.BYTES: "B",
    Kind.RATE: "B/s",
    Kind.FREQUENCY: "a second",
    Kind.MILLISECONDS: "ms",
    Kind.PERCENT: "%",
}
"""What stands behind a figure where its column does not tell the unit."""

_QUEUES = ("recvq", "sendq")
"""Of a listener these are connections, not bytes."""

_WHY: Mapping[str, str] = {
    "app": "the program has nothing more to send",
    "sndbuf": "its send buffer is full: it is too small for this way",
    "receiver": "the other end takes no more: its window is full",
    "network": "segments are lost, or wait in a queue on the way",
    "reader": "this program does not read what has arrived",
    "backlog": "the program accepts too slowly: its queue is full, or nearly so",
}
"""What each word of `limit` says."""

_VALUE_WIDTH = 22


def detail_title(row: Connection) -> str:
    """Which connection it is, safe for the terminal."""
    return "  ".join((text.safe(row.socket.proto), *ends(row)))


def detail_lines(view: View, row: Any | None, now: float, look: Look) -> list[Pieces]:
    """What limits a connection, then a line for each field; a sentence where the row is gone."""
    if row is None:
        return [[], [piece(" It is gone.", look.warning)]]
    lines: list[Pieces] = [[]]
    listens = isinstance(row, Connection) and row.stats.state == "LISTEN"
    if isinstance(row, Connection) and row.limit:
        style = look.text if row.limit == "app" else look.warning
        lines += [[piece(f" Limited by {row.limit}: {_WHY[row.limit]}.", style)], []]
    for field in view.fields.values():
        value = field.get(row, now)
        shown = text.cell(field, value, None, now)
        known = shown != text.UNKNOWN
        if known and not (field.name in _QUEUES and listens):
            shown = _with_unit(shown, field.kind)
        lines.append(
            [
                piece(f" {field.name:<14} ", look.text),
                piece(text.fit(shown, max(_VALUE_WIDTH, text.cell_width(shown))), look.strong if known else look.dim),
                piece(f"  {field.help}", look.dim),
            ]
        )
    return lines


def _with_unit(figure: str, kind: Kind) -> str:
    unit = _SUFFIXES.get(kind, "")
    return f"{figure} {unit}".rstrip() if figure[-1:].isdigit() else figure + unit
