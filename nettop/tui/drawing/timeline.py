"""The line that shows where in time one is."""

from __future__ import annotations

from nettop import format as text
from nettop import moments
from nettop.tui.drawing.line import Pieces, cells, piece
from nettop.tui.drawing.theme import Look, Signs

_SHORTEST = 8
"""Cells of a bar that is worth drawing."""


def timeline(span: tuple[float, float], now: float, speed: float, width: int, look: Look, signs: Signs) -> Pieces:
    """When this was, from when to when one can look, and how fast time goes by there; times in seconds since the
    epoch."""
    start, end = span
    pace = f" playing {speed:g} x " if speed else " past "
    left: Pieces = [
        piece(pace, look.active),
        piece(f" {moments.write(now)} ", look.band_strong),
        piece(f" {text.duration(max(0.0, end - now))} before the end " if now < end else " the end ", look.band_dim),
    ]
    first, last = (text.time_of_day(moment) for moment in span)
    room = width - cells(left) - len(first) - len(last) - 4
    if room < _SHORTEST:
        return [*left, piece(" " * max(0, width - cells(left)), look.band)]
    place = round((now - start) / (end - start) * (room - 1)) if end > start else room - 1
    place = max(0, min(place, room - 1))
    return [
        *left,
        piece(f" {first} ", look.band_dim),
        piece(signs.rule * place, look.key),
        piece(signs.tag, look.band_strong),
        piece(signs.rule * (room - 1 - place), look.band_dim),
        piece(f" {last} ", look.band_dim),
    ]
