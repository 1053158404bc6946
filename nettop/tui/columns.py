"""Which columns fit a width, how wide each is, and how a row is drawn in them.

Widths are decided when the width of the screen or the pane changes, from the rows then at hand; between two pictures
they never change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from nettop import format as text
from nettop.fields import Field, Kind, Value, View
from nettop.order import Order
from nettop.snapshot import Connection
from nettop.tui.theme import Look, Signs

SAMPLE = 200
"""Rows looked at to decide how wide columns are."""

PORTS = {"local": "lport", "remote": "rport"}
"""Addresses that carry their port when both are to be shown: one column `10.0.3.7:443`."""

ROOMY = 100
"""From this width on an end of a connection is shown whole before another column is added."""

NARROWEST = 8
"""Cells a flexible column of words keeps before another column is dropped for it."""

SHORT_WORD = 6
"""Cells of words like TIME-WAIT that are kept where an address has to be shortened otherwise."""

WIDEST = 60
"""Cells a flexible column takes at most while others want room too."""

ANCHORS: Mapping[str, tuple[str, ...]] = {
    "processes": ("pid", "comm"),
    "connections": ("local", "lport", "remote", "rport"),
    "namespaces": ("netns_name",),
    "events": ("time", "kind"),
}
"""View name → the fields that tell which row it is: they stay while the others are scrolled."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a field, and for an end of a connection its port."""

    field: Field
    port: Field | None = None

    @property
    def right(self) -> bool:
        return self.field.kind.numeric

    def text(self, row: Any, now: float, width: int | None = None) -> tuple[Value, str]:
        """The value of a row and its text, in exactly `width` cells where one is given."""
        value = self.field.get(row, now)
        if self.port is None:
            return value, text.cell(self.field, value, width, now)
        address: Any = value
        port = _port(address, self.port.get(row, now), row)
        # an end without a name, such as that of most unix sockets, is no wildcard
        whole = text.UNKNOWN if address is None and port is None else text.endpoint(address, port)
        if width is None:
            return value, whole
        if len(whole) > width and address is not None:
            room = width - (len(whole) - len(text.safe(address)))
            whole = text.endpoint(text.shorten_address(text.safe(address), max(3, room)), port)
        return value, text.fit(whole, width)


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


@dataclass(frozen=True, slots=True)
class Placed:
    """A column and its width."""

    column: Column
    width: int


def columns_of(view: View, names: Sequence[str]) -> list[Column]:
    """The columns for these fields; a port joins its address."""
    joined = {PORTS[name] for name in names if name in PORTS and PORTS[name] in names}
    return [
        Column(view.fields[name], view.fields[PORTS[name]] if PORTS.get(name) in joined else None)
        for name in names
        if name not in joined
    ]


def scrollable(view: View) -> list[Column]:
    """What goes by when one scrolls to the side: the columns of a view, then every other field it has."""
    anchors = ANCHORS[view.name]
    names = dict.fromkeys((*view.columns, *view.fields))
    return columns_of(view, [name for name in names if name not in anchors])


def place(view: View, rows: Sequence[Any], now: float, width: int, scrolled: int = 0) -> list[Placed]:
    """The columns of a view that fit a width, and how wide they are.

    Each column has a width it cannot do without and one it would like. Columns go in the order of `View.optional`
    until the rest fit; what is left is shared among those that would like more, and the last flexible one gets the
    rest. `scrolled` so many columns to the side, what follows the anchors is shown as far as it fits, whatever it is.
    """
    if scrolled:
        columns = columns_of(view, ANCHORS[view.name])
        columns += scrollable(view)[scrolled:]
    else:
        columns = columns_of(view, view.columns)
    needs = {column.field.name: _need(column, rows, now, width >= ROOMY) for column in columns}
    if scrolled:
        ends = accumulate(needs[column.field.name][0] + 1 for column in columns)
        columns = [column for column, end in zip(columns, ends, strict=True) if end <= width]
    else:
        columns = _without_optional(columns, view, rows, now, needs, width)
    widths = [needs[column.field.name][0] for column in columns]
    wishes = [needs[column.field.name][1] for column in columns]
    spare = width - sum(widths) - len(widths)
    spare += _shorten_words(columns, widths, wishes, spare)
    wanting = sum(wish - has for wish, has in zip(wishes, widths, strict=True))
    if spare > 0 and wanting:
        share = min(1.0, spare / wanting)
        widths = [has + int((wish - has) * share) for has, wish in zip(widths, wishes, strict=True)]
        spare = width - sum(widths) - len(widths)
    flexible = [index for index, column in enumerate(columns) if column.field.flexible]
    if spare > 0 and flexible:
        widths[flexible[-1]] += spare
    return [Placed(column, cells) for column, cells in zip(columns, widths, strict=True)]


def _without_optional(
    columns: list[Column], view: View, rows: Sequence[Any], now: float, needs: Mapping[str, tuple[int, int]], width: int
) -> list[Column]:
    """The columns without those there is no room for. First go those that say nothing, for the others to be whole."""

    def fit(which: int) -> bool:
        return sum(needs[column.field.name][which] + 1 for column in columns) <= width

    for name in view.optional:
        if not fit(1) and rows and all(view.fields[name].get(row, now) is None for row in rows):
            columns = [column for column in columns if column.field.name != name]
    for name in view.optional:
        if fit(0):
            break
        columns = [column for column in columns if column.field.name != name]
    return columns


def _shorten_words(columns: Sequence[Column], widths: list[int], wishes: Sequence[int], spare: int) -> int:
    """Cells taken from words because an address needs them more: the end of an address tells two hosts apart."""
    addresses = [index for index, column in enumerate(columns) if column.field.kind is Kind.ADDRESS]
    missing = sum(wishes[index] - widths[index] for index in addresses) - spare
    taken = 0
    for index, column in enumerate(columns):
        field = column.field
        if field.kind is Kind.TEXT and not field.flexible and missing > taken:
            give = min(missing - taken, max(0, widths[index] - max(SHORT_WORD, len(field.title))))
            widths[index] -= give
            taken += give
    return taken


def _need(column: Column, rows: Sequence[Any], now: float, roomy: bool) -> tuple[int, int]:
    """(cells it cannot do without, cells it would like).

    Figures grow while one looks, so a column of figures has the width its field asks for. Process ids and words come
    from a known set: the longest at hand is enough.
    """
    field = column.field
    title = len(field.title)
    lengths = sorted(text.cell_width(column.text(row, now)[1]) for row in rows) or [field.width]
    if field.flexible:
        least = NARROWEST
        usual = field.width + (1 + column.port.width if column.port else 0)
        if field.kind is Kind.ADDRESS:
            least = usual if roomy else field.width
        # a few very long values do not make a column wide
        longest = max(title, min(WIDEST, lengths[-1 - len(lengths) // 20]), min(usual, lengths[-1]))
        return max(title, min(least, longest)), longest
    if field.kind is Kind.TEXT or field.name in ("pid", "ppid"):
        return max(title, min(field.width, lengths[-1])), max(title, field.width)
    return max(title, field.width), max(title, field.width)


# --- drawing ---------------------------------------------------------------------------------------------------------


class Layout:
    """The placed columns of a pane, and rows drawn in them: a blank, then each cell followed by a blank."""

    def __init__(self, placed: Sequence[Placed], order: Order, width: int, look: Look, signs: Signs) -> None:
        self.columns = tuple(p.column for p in placed)
        self.moves = any(column.field.kind is Kind.SECONDS for column in self.columns)
        """Rows must be drawn afresh with every picture: they tell how long ago something was."""
        self._placed = tuple((p.column, p.width, _STYLES.get(p.column.field.name, _plain)) for p in placed)
        self._width = width
        self._look = look
        self._signs = signs
        self.show_order(order)
        self.blank = Strip.blank(width, look.text)

    def draw(self, row: Any, now: float) -> Strip:
        """A row in its colours."""
        look = self._look
        segments = [Segment(" ", look.text)]
        for column, width, style in self._placed:
            value, cell = column.text(row, now, width)
            segments.append(Segment(cell + " ", style(value, look)))
        return self._strip(segments, look.text)

    def draw_cursor(self, row: Any, now: float) -> Strip:
        """The row under the cursor."""
        look = self._look
        segments = [Segment(" ", look.cursor)]
        segments += [Segment(column.text(row, now, width)[1] + " ", look.cursor) for column, width, _ in self._placed]
        return self._strip(segments, look.cursor)

    def message(self, sentence: str) -> Strip:
        """A line that stands where rows would."""
        return self._strip([Segment(f"  {sentence}", self._look.dim)], self._look.text)

    def show_order(self, order: Order) -> None:
        """Draw the header with a mark at the column the rows are sorted by."""
        look = self._look
        segments = [Segment(" ", look.header)]
        for column, width, _ in self._placed:
            field = column.field
            if field.name != order.field.name:
                title = text.fit(field.title, width, "right" if column.right else "left")
                segments.append(Segment(title + " ", look.header))
                continue
            mark = self._signs.down if order.descending else self._signs.up
            short = field.title[: max(0, width - 1)]
            title = (mark + short).rjust(width) if column.right else (short + mark).ljust(width)
            segments.append(Segment(title + " ", look.header_sort))
        self.header = self._strip(segments, look.header)

    def _strip(self, segments: list[Segment], fill: Style) -> Strip:
        return Strip(segments).adjust_cell_length(self._width, fill)


StyleOf = Callable[[Value, Look], Style]


def _plain(value: Value, look: Look) -> Style:
    return look.text if value else look.dim


def _named(value: Value, look: Look) -> Style:
    return look.strong if value else look.dim


def _received(value: Value, look: Look) -> Style:
    return look.rx if value else look.dim


def _sent(value: Value, look: Look) -> Style:
    return look.tx if value else look.dim


def _worry(value: Value, look: Look) -> Style:
    return look.warning if value else look.dim


def _connection_state(value: Value, look: Look) -> Style:
    if value == "LISTEN":
        return look.good
    return look.text if value == "ESTAB" else look.dim


_PROCESS_STATES = {"R": "good", "D": "warning", "Z": "alarm", "T": "warning"}


def _state(value: Value, look: Look) -> Style:
    if isinstance(value, str) and len(value) == 1:
        style: Style = getattr(look, _PROCESS_STATES.get(value, "dim"))
        return style
    return _connection_state(value, look)


def _limit(value: Value, look: Look) -> Style:
    return look.warning if value and value != "app" else look.dim


_STYLES: Mapping[str, StyleOf] = {
    "comm": _named,
    "command": _named,
    "netns_name": _named,
    "rx_rate": _received,
    "rx_bytes": _received,
    "tx_rate": _sent,
    "tx_bytes": _sent,
    "retrans": _worry,
    "retrans_rate": _worry,
    "drops": _worry,
    "lost": _worry,
    "backoff": _worry,
    "reason": _worry,
    "state": _state,
    "limit": _limit,
}
"""Field name → the style of a value. A sign, a word or the figure itself always tells the same without colour."""
