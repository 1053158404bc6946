"""Panels of the dashboard that nettop ships, drawn from what a real Prometheus answers to their queries.

Grafana draws them with more grace; but it is not in Debian, and what is to be seen in them is the same.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw, ImageFont

from nettop import format as text
from screenshots.render import BACKGROUND, COLORS, FONTS, FOREGROUND

BOARD = Path(__file__).parents[1] / "nettop" / "export" / "dashboard.json"
NUMBERS = 6
"""Panels of one number, in a row at the top."""
GRAPHS = (
    "Programs: sent",
    "Accept queues",
    "Round trips by program: nine of ten are shorter",
    "Containers: sent",
)
"""Titles of the panels below, two in a row."""
PAST = 120
"""Seconds to be seen."""

_WIDTH, _GAP, _EDGE = 1728, 20, 24
_NUMBER_HEIGHT, _GRAPH_HEIGHT = 128, 430
_PANEL, _LINE, _DIM = "#202020", "#383838", "#8a8a8a"
_SERIES = ("#5fafff", "#ffaf5f", "#87d787", "#ff8787", "#af87ff", "#5fd7d7", "#d7d75f", "#ff87d7", "#afaf87", "#87afaf")
_UNITS: Mapping[str, Callable[[float], str]] = {
    "Bps": lambda value: f"{text.bytes_(value)}{'B/s' if text.bytes_(value)[-1].isalpha() else ' B/s'}",
    "percentunit": lambda value: f"{100 * value:.0f} %",
    "s": lambda value: f"{1000 * value:.3g} ms",
    "short": lambda value: f"{value:.3g}",
}

Ask = Callable[..., Any]
"""What Prometheus answers: see `tests.support.prometheus.query`."""


class Line(NamedTuple):
    """One series of a graph."""

    name: str
    points: list[tuple[float, float]]
    """Seconds since the epoch, and value."""


def draw(ask: Ask, now: float, path: Path) -> None:
    """Write a picture of some panels as they are `now`."""
    board = json.loads(BOARD.read_text())["panels"]
    numbers = [panel for panel in board if panel["type"] == "stat"][:NUMBERS]
    graphs = [next(panel for panel in board if panel["title"] == title) for title in GRAPHS]
    rows = (len(graphs) + 1) // 2
    height = 2 * _EDGE + _NUMBER_HEIGHT + rows * (_GAP + _GRAPH_HEIGHT)
    image = Image.new("RGB", (_WIDTH, height), BACKGROUND)
    pen = ImageDraw.Draw(image)
    for place, panel in enumerate(numbers):
        _number(pen, _cell(place, len(numbers), _EDGE, _NUMBER_HEIGHT), panel, _latest(ask, panel, now))
    for place, panel in enumerate(graphs):
        top = _EDGE + _NUMBER_HEIGHT + _GAP + place // 2 * (_GRAPH_HEIGHT + _GAP)
        _graph(pen, _cell(place % 2, 2, top, _GRAPH_HEIGHT), panel, _lines(ask, panel, now), now)
    image.quantize(4 * COLORS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)


Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


def _cell(column: int, columns: int, top: int, height: int) -> Box:
    width = (_WIDTH - 2 * _EDGE - (columns - 1) * _GAP) // columns
    left = _EDGE + column * (width + _GAP)
    return left, top, left + width, top + height


def _expression(target: Mapping[str, str]) -> str:
    """As Grafana would send it."""
    return target["expr"].replace("$instance", ".*").replace("$__rate_interval", "15s")


def _latest(ask: Ask, panel: Mapping[str, Any], now: float) -> float | None:
    found = ask("query", query=_expression(panel["targets"][0]), time=str(now))["result"]
    return float(found[0]["value"][1]) if found else None


def _lines(ask: Ask, panel: Mapping[str, Any], now: float) -> list[Line]:
    """Every series, the one that is highest in the end first."""
    lines = []
    for target in panel["targets"]:
        span = {"start": str(now - PAST), "end": str(now), "step": "2"}
        for series in ask("query_range", query=_expression(target), **span)["result"]:
            name = re.sub(r"{{(\w+)}}", lambda label, of=series: of["metric"].get(label[1], ""), target["legendFormat"])  # type: ignore[misc]
            points = [(float(when), float(value)) for when, value in series["values"] if value != "NaN"]
            if any(value for _, value in points):
                lines.append(Line(name, points))
    return sorted(lines, key=lambda line: line.points[-1][1], reverse=True)[: len(_SERIES)]


def _step(least: float, base: int) -> float:
    """A round number that is not less: of ten, or of the units of bytes."""
    power: float = float(base) ** math.floor(math.log(least, base))
    factors = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, base)
    return next(power * factor for factor in factors if power * factor >= least)


def _unit(panel: Mapping[str, Any]) -> Callable[[float], str]:
    return _UNITS[panel["fieldConfig"]["defaults"]["unit"]]


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"DejaVuSansMono{'-Bold' if bold else ''}.ttf"), size)


def _number(pen: ImageDraw.ImageDraw, box: Box, panel: Mapping[str, Any], value: float | None) -> None:
    left, top, right, bottom = box
    pen.rectangle(box, fill=_PANEL)
    title = (
        panel["title"] if len(panel["title"]) < 20 else panel["title"].replace(", ", ",\n").replace("known ", "known\n")
    )
    pen.multiline_text((left + 14, top + 12), title, fill=FOREGROUND, font=_font(17), spacing=4)
    shown = text.UNKNOWN if value is None else _unit(panel)(value)
    pen.text(((left + right) // 2, bottom - 14), shown, fill=_SERIES[2], font=_font(36, bold=True), anchor="ms")


def _graph(pen: ImageDraw.ImageDraw, box: Box, panel: Mapping[str, Any], lines: list[Line], now: float) -> None:
    left, top, right, bottom = box
    pen.rectangle(box, fill=_PANEL)
    pen.text((left + 14, top + 12), panel["title"], fill=FOREGROUND, font=_font(19, bold=True))
    unit, small = _unit(panel), _font(16)
    legend = lines[:6]
    inner = (left + 110, top + 52, right - 20, bottom - 44 - 24 * ((len(legend) + 1) // 2))
    base = 1024 if panel["fieldConfig"]["defaults"]["unit"] == "Bps" else 10
    step = _step(max((value for line in lines for _, value in line.points), default=1.0) / 4, base)
    highest = 4 * step
    for number in range(5):
        y = inner[3] - number * (inner[3] - inner[1]) / 4
        pen.line((inner[0], y, inner[2], y), fill=_LINE, width=2)
        pen.text((inner[0] - 12, y), unit(number * step), fill=_DIM, font=small, anchor="rm")
    for back in range(0, PAST + 1, 30):
        x = inner[2] - back / PAST * (inner[2] - inner[0])
        anchor = "rt" if not back else "mt"
        pen.text((x, inner[3] + 8), text.time_of_day(now - back), fill=_DIM, font=small, anchor=anchor)
    for line, color in zip(lines, _SERIES, strict=False):
        points = [
            (
                inner[2] - (now - when) / PAST * (inner[2] - inner[0]),
                inner[3] - value / highest * (inner[3] - inner[1]),
            )
            for when, value in line.points
        ]
        pen.line(points, fill=color, width=3, joint="curve")
    for place, (line, color) in enumerate(zip(legend, _SERIES, strict=False)):
        x = left + 24 + place % 2 * (right - left) // 2
        y = bottom - 20 - 24 * ((len(legend) - 1) // 2 - place // 2)
        pen.line((x, y, x + 24, y), fill=color, width=5)
        pen.text((x + 34, y), line.name[:44], fill=FOREGROUND, font=small, anchor="lm")
