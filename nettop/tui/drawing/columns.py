"""The columns of a list: a field each, and for an end of a connection its port; what a row says in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nettop import format as text
from nettop.fields import Field, Kind, Value, View
from nettop.names import Names
from nettop.snapshot import Connection

PORTS = {"local": "lport", "remote": "rport"}
"""Addresses that carry their port when both are to be shown: one column `10.0.3.7:443`."""


def _shorten_unit(unit: str, width: int) -> str:
    """Most units are services: that goes first, then the middle."""
    return unit if text.cell_width(unit) <= width else text.shorten_middle(unit.removesuffix(".service"), width)


def _shorten_image(image: str, width: int) -> str:
    """Where it comes from goes first: registry.example/shop/api:2 → api:2."""
    return image if text.cell_width(image) <= width else image.rpartition("/")[2]


_SHORTEN: Mapping[str, Callable[[str, int], str]] = {
    "command": text.shorten_command,
    "netns_name": text.shorten_middle,  # those that a program makes differ at their ends
    "unit": _shorten_unit,
    "image": _shorten_image,
}
"""Field name → how its text is made to fit, where not by leaving out the end."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a field, and for an end of a connection its port."""

    field: Field
    port: Field | None = None
    names: Names | None = None
    """What addresses and ports are called; None for numbers."""
    number: Field | None = None
    """What a row without a name goes by: the inode of its namespace."""

    @property
    def right(self) -> bool:
        """Figures end in one place; the name of a port is no figure."""
        return self.field.kind.numeric

    def text(self, row: Any, now: float, width: int | None = None) -> tuple[Value, str]:
        """The value of a row and its text, in exactly `width` cells where one is given."""
        value = self.field.get(row, now)
        if self.port is not None:
            return value, self._end(value, self.port.get(row, now), row, width)
        if value is not None:
            if self.names and self.field.kind in (Kind.PORT, Kind.ADDRESS):
                name = self._port_name(value, row) if self.field.kind is Kind.PORT else self._host(value)
                if width is None:
                    return value, text.safe(str(name))
                return value, text.fit(text.safe(str(name)), width, "right" if self.right else "left")
            if width is not None and (shorten := _SHORTEN.get(self.field.name)):
                return value, text.fit(shorten(text.safe(str(value)), width), width)
        elif self.number is not None:
            return None, _numbered(self.number.get(row, now), width)
        return value, text.cell(self.field, value, width, now)

    def _end(self, address: Any, port: Any, row: Any, width: int | None) -> str:
        """One end of a connection: where there is no room, its address is shortened and its port is not."""
        port = _port(address, port, row)
        # an end without a name, such as that of most unix sockets, is no wildcard
        if address is None and port is None:
            whole = text.UNKNOWN
        else:
            address, port = self._host(address), self._port_name(port, row)
            whole = text.endpoint(address, port)
        if width is None:
            return whole
        if len(whole) > width and address is not None:
            room = width - (len(whole) - len(text.safe(address)))
            whole = text.endpoint(text.shorten_address(text.safe(address), max(3, room)), port)
        return text.fit(whole, width)

    def _host(self, address: Any) -> Any:
        return self.names.host(address) or address if self.names and address else address

    def _port_name(self, port: Any, row: Any) -> Any:
        if not (self.names and port):
            return port
        return self.names.port(port, row.socket.proto if isinstance(row, Connection) else None) or port


def _numbered(number: Value, width: int | None) -> str:
    """The inode of a namespace without a name; it is the end of it that tells two apart."""
    shown = str(number) if number else text.UNKNOWN
    if width is None:
        return shown
    return text.fit(shown if len(shown) <= width else text.ELLIPSIS + shown[len(shown) - width + 1 :], width)


def ends(row: Connection) -> tuple[str, str]:
    """Both ends of a connection as ss prints them, safe for the terminal."""
    socket = row.socket
    far = text.endpoint(socket.remote, _port(socket.remote, socket.rport, row))
    return text.endpoint(socket.local, socket.lport), far


def _port(address: Any, port: Any, row: Connection) -> Any:
    """The port of one end; 0, which is any, where nobody is yet at the other end of a socket that has ports."""
    if port is None and address is not None and row.socket.lport and row.socket.family in ("inet", "inet6"):
        return 0
    return port


def columns_of(view: View, names: Sequence[str], services: Names | None = None) -> list[Column]:
    """The columns for these fields; a port joins its address."""
    joined = {PORTS[name] for name in names if name in PORTS and PORTS[name] in names}
    return [
        Column(
            view.fields[name],
            view.fields[PORTS[name]] if PORTS.get(name) in joined else None,
            services,
            view.fields.get("netns") if name == "netns_name" else None,
        )
        for name in names
        if name not in joined
    ]


def scrollable(view: View, shown: Sequence[str], services: Names | None = None) -> list[Column]:
    """What goes by when one scrolls to the side: the columns shown, then every other field of the view."""
    names = dict.fromkeys((*shown, *view.fields))
    return columns_of(view, [name for name in names if name not in view.anchors], services)
