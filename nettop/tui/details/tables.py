"""The small tables of a namespace's page: interfaces, routes, neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nettop.fields import Field, Kind, Value, View
from nettop.model import Interface, InterfaceCounters
from nettop.order import Order
from nettop.tui.details.blocks import Block, Canvas
from nettop.tui.dialogs.page import PageLine
from nettop.tui.drawing.layout import Layout
from nettop.tui.drawing.line import piece
from nettop.tui.drawing.place import place

IFNAMSIZ = 15
"""Cells of the longest name of an interface (linux/if.h): those that Docker gives its bridges have them all."""
MOST = 40
"""Rows of a table that are listed."""
WIDEST = 110
"""Columns a table takes at most, unless its last one holds lists: in a wider one the eye loses the line."""


class Carried(NamedTuple):
    """An interface, with what it carried since the picture before."""

    interface: Interface
    counters: InterfaceCounters | None
    rx_rate: float | None
    tx_rate: float | None
    peer: str | None
    """Its other end, and in which namespace that is: `eth0 in web`."""


def _field(
    name: str, title: str, kind: Kind, width: int, get: Callable[[Any], Value], *, flexible: bool = False
) -> Field:
    return Field(name, title, kind, width, "", lambda row, _: get(row), flexible=flexible)


def _of_link(name: str) -> Callable[[Carried], Value]:
    return lambda link: getattr(link.interface, name)


def _counted(*names: str) -> Callable[[Carried], Value]:
    return lambda link: sum(getattr(link.counters, name) for name in names) if link.counters else None


def _pace(interface: Interface) -> str | None:
    """`10G`; `100M half` where it can only send or receive at a time."""
    if interface.speed is None:
        return None
    pace = f"{interface.speed / 1000:g}G" if interface.speed >= 1000 else f"{interface.speed}M"
    return f"{pace} half" if interface.duplex == "half" else pace


def _attribute(name: str) -> Callable[[Any], Value]:
    return lambda row: getattr(row, name)


def _view(*fields: Field, optional: str, anchors: str = "") -> View:
    names = {field.name: field for field in fields}
    shown, dropped, whole = tuple(names), tuple(optional.split()), tuple(anchors.split())
    return View("", "", names, shown, dropped, "", lambda _: (), lambda _: 0, anchors=whole)


LINKS = _view(
    _field("name", "NAME", Kind.TEXT, IFNAMSIZ, _of_link("name")),
    _field("kind", "KIND", Kind.TEXT, 8, lambda link: "loopback" if link.interface.loopback else link.interface.kind),
    _field("state", "STATE", Kind.TEXT, 8, _of_link("state")),
    _field("speed", "SPEED", Kind.TEXT, 9, lambda link: _pace(link.interface)),
    _field("mtu", "MTU", Kind.NUMBER, 5, _of_link("mtu")),
    _field("rx_rate", "RX/s", Kind.RATE, 6, _attribute("rx_rate")),
    _field("tx_rate", "TX/s", Kind.RATE, 6, _attribute("tx_rate")),
    _field("rx_bytes", "RX", Kind.BYTES, 6, _counted("rx_bytes")),
    _field("tx_bytes", "TX", Kind.BYTES, 6, _counted("tx_bytes")),
    _field("drops", "DROPS", Kind.NUMBER, 6, _counted("rx_dropped", "tx_dropped")),
    _field("lost", "ERRORS", Kind.NUMBER, 6, _counted("rx_errors", "tx_errors")),
    _field("master", "PART OF", Kind.TEXT, IFNAMSIZ, _of_link("master"), flexible=True),
    _field("peer", "OTHER END", Kind.TEXT, 12, _attribute("peer"), flexible=True),
    _field("mac", "MAC", Kind.TEXT, 17, _of_link("mac")),
    _field("addresses", "ADDRESSES", Kind.LIST, 18, _of_link("addresses"), flexible=True),
    optional="mac mtu speed kind rx_bytes tx_bytes lost drops state master",
    anchors="name peer",
)
"""Of `Carried`."""

ROUTES = _view(
    _field("to", "TO", Kind.ADDRESS, 18, _attribute("to"), flexible=True),
    _field("via", "VIA", Kind.ADDRESS, 15, _attribute("via"), flexible=True),
    _field("interface", "INTERFACE", Kind.TEXT, IFNAMSIZ, _attribute("interface")),
    _field("source", "FROM", Kind.ADDRESS, 15, _attribute("source"), flexible=True),
    _field("metric", "METRIC", Kind.NUMBER, 6, _attribute("metric")),
    _field("kind", "KIND", Kind.TEXT, 11, _attribute("kind")),
    _field("origin", "BY", Kind.TEXT, 8, _attribute("origin")),
    _field("table", "TABLE", Kind.TEXT, 7, _attribute("table")),
    optional="table kind origin metric source",
)
"""Of `facts.Way`."""

NEIGHBOURS = _view(
    _field("address", "ADDRESS", Kind.ADDRESS, 18, _attribute("address"), flexible=True),
    _field("link", "MAC", Kind.TEXT, 17, _attribute("link")),
    _field("interface", "INTERFACE", Kind.TEXT, IFNAMSIZ, _attribute("interface")),
    _field("state", "STATE", Kind.TEXT, 10, _attribute("state")),
    optional="interface",
)
"""Of `facts.Near`."""

_UNSORTED = Order(_field("", "", Kind.TEXT, 0, lambda _: None), descending=False)


def table(canvas: Canvas, view: View, rows: Sequence[Any], empty: str) -> Block:
    """The rows in the order they come, or the sentence for none."""
    if not rows:
        return canvas.paragraph(empty, canvas.look.dim, 2)
    shown = rows[:MOST]
    lists = any(field.kind is Kind.LIST for field in view.fields.values())
    width = canvas.width if lists else min(WIDEST, canvas.width)
    layout = Layout(place(view, shown, 0.0, width - 1), _UNSORTED, width, canvas.look, canvas.signs)
    block = [PageLine(list(layout.header)), *(PageLine(list(layout.draw(row, 0.0))) for row in shown)]
    if len(rows) > MOST:
        block.append(PageLine([piece(f"  and {len(rows) - MOST:,} more", canvas.look.dim)]))
    return block
