"""What every page of details has in common: which row it is about, and what else it shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from nettop import format as text
from nettop.fields import VIEWS, Kind
from nettop.machines import machine_of_row, own_netns, stream_of
from nettop.model import Process, ProcessKey
from nettop.requests import Answer, Request
from nettop.snapshot import EMPTY, NamespaceRow, ProcessRow, Sample, Snapshot
from nettop.tui.details.blocks import Block, Canvas, Fact
from nettop.tui.details.graph import graph
from nettop.tui.details.listing import Listing, Target
from nettop.tui.details.measures import said, speed
from nettop.tui.dialogs.page import PageLine
from nettop.tui.drawing.line import piece
from nettop.tui.lists.levels import Known, as_it_is
from nettop.tui.lists.marks import has_ended
from nettop.tui.lists.scopes import Scope

Row = TypeVar("Row")
History = Callable[[str, int], Sequence[Sample]]
"""As `Source.history`."""

_SUFFIXES: Mapping[Kind, str] = {
    Kind.BYTES: "B",
    Kind.RATE: "B/s",
    Kind.FREQUENCY: "a second",
    Kind.MILLISECONDS: "ms",
    Kind.PERCENT: "%",
}
"""What stands behind a figure where its column does not tell the unit."""

_VALUE = 24
"""Cells of a value that stand beside what it means, in the list of every field."""


class Jump(NamedTuple):
    """A way from a page to another one, or into a list."""

    word: str
    """For the footer."""
    to: Target | Scope


class Subject(ABC, Generic[Row]):
    """One row, followed from picture to picture, and the page about it."""

    view: ClassVar[str]
    """Whose row it is."""
    kind: ClassVar[type[Any]]
    """What its rows are."""
    title: str
    """For the breadcrumb, safe for the terminal."""
    commands: ClassVar[tuple[str, ...]] = ("copy",)
    """Names of those that are for its row, in the order one most probably wants them."""

    def __init__(self, row_id: int, row: Row) -> None:
        self.row_id = row_id
        self.row = row
        """As last seen."""
        self.gone = False
        self.snapshot: Snapshot = EMPTY
        self.listings: Sequence[Listing] = ()
        """Lists within the page; whoever shows it brings them up to each picture."""
        self.known: Known = as_it_is
        """Makes of a view one that knows what machines are called; see `know`."""
        self.machines: Mapping[int, str] = {}
        """What they are called, by number, where there are several."""
        self.revealed = False
        """What is hidden at first has been asked for."""
        self.answers: dict[type[Any], Answer] = {}
        """What the collector said, by what was asked."""
        self.waiting: set[type[Any]] = set()
        """What it was asked and has not answered."""

    @abstractmethod
    def same(self, row: Row) -> bool:
        """Whether a row, perhaps with another id, is the one this page is about."""

    @abstractmethod
    def draw(self, canvas: Canvas, history: History) -> Block:
        """The page."""

    def jumps(self) -> Mapping[str, Jump]:
        """Where one can go from here, by key."""
        return {}

    def requests(self) -> Sequence[Request]:
        """What to ask the collector while the page is shown."""
        return ()

    def know(self, known: Known, machines: Mapping[int, str]) -> None:
        """What machines are called: in views, and by number where there are several."""
        self.known, self.machines = known, machines
        for listing in self.listings:
            listing.know(known)

    def follow(self, snapshot: Snapshot) -> None:
        """A new picture, of the row's machine alone. A collector that was started again gives other ids."""
        rows: Mapping[int, Any] = getattr(snapshot, self.view)
        self.snapshot = snapshot
        row = rows.get(self.row_id)
        if row is None or not self.same(row):
            another_stream = stream_of(next(iter(rows), self.row_id)) != stream_of(self.row_id)
            afresh = rows.items() if snapshot.interval is None or another_stream else ()
            self.row_id, row = next(((i, r) for i, r in afresh if self.same(r)), (self.row_id, None))
        self.gone = row is None
        if row is not None:
            self.row = row

    def look_up(self) -> Iterator[None]:
        """Find out, in slices, what takes too long before the page is first painted."""
        yield from ()

    # --- parts of pages ---

    @property
    def over(self) -> bool:
        """It is no more, though its row may be shown still."""
        return self.gone or has_ended(self.row)

    def farewell(self, canvas: Canvas) -> Block:
        """The line that says that there is nothing any more."""
        if not self.over:
            return []
        return [PageLine([]), *canvas.paragraph("It is gone. This is what was last known.", canvas.look.warning)]

    def traffic(self, canvas: Canvas, history: History) -> Block:
        """Graphs of what was received and sent."""
        samples = history(self.view, self.row_id)
        if not samples:
            return canvas.paragraph("nothing moved in the last pictures", canvas.look.dim, 2)
        left, right = canvas.halves()
        number = self.snapshot.sequence
        look, signs = canvas.look, canvas.signs
        return canvas.beside(
            graph(left, f"{signs.rx} received", samples, lambda s: s.rx_rate, _rate, look.rx, number),
            graph(right, f"{signs.tx} sent", samples, lambda s: s.tx_rate, _rate, look.tx, number),
        )

    def every_field(self, canvas: Canvas, counts: Sequence[str] = ()) -> Block:
        """Every field with the name filters and plain views know it by; `counts` are no sizes in this row."""
        look, now = canvas.look, self.snapshot.time
        block = canvas.heading("Every field", "by the names that filters, columns and --json use")
        fields = self.known(VIEWS[self.view]).fields
        value_at = 2 + max(map(len, fields))
        meaning_at = value_at + _VALUE
        for field in fields.values():
            value = field.get(self.row, now)
            shown = text.cell(field, value, None, now)
            known = shown != text.UNKNOWN
            if known and field.name not in counts:
                shown = _with_unit(shown, field.kind)
            name = piece(f" {field.name}".ljust(value_at), look.text)
            style = look.strong if known else look.dim
            meaning = canvas.flowing([piece(field.help, look.dim)], meaning_at)
            if text.cell_width(shown) < _VALUE:  # they go side by side
                first = piece(text.fit(shown, _VALUE), style)
                block.append(PageLine([name, first, *meaning.pop(0).pieces[1:]]))
            else:
                first_line, *others = canvas.flowing([piece(shown, style)], value_at)
                block += [PageLine([name, *first_line.pieces[1:]]), *others]
            block += meaning
        return block

    def refusal(self, request: type[Any], canvas: Canvas) -> Block | None:
        """The line that stands for an answer that has not come, or is none; None where there is one."""
        answer = self.answers.get(request)
        if answer is None:
            return [PageLine([piece("  reading ...", canvas.look.dim)])]
        if not answer.ok:
            return canvas.paragraph(f"not known: {text.safe(answer.text)}", canvas.look.warning, 2)
        return None

    def process_row(self, key: ProcessKey | None) -> ProcessRow | None:
        """A process of the picture."""
        if key is None:
            return None
        rows, pid = self.snapshot.processes.values(), key.pid
        return next((row for row in rows if row.process.pid == pid and row.process.key == key), None)

    def namespace_row(self, netns: int | None) -> NamespaceRow | None:
        """A namespace of the picture."""
        return next((row for row in self.snapshot.namespaces.values() if row.namespace.netns == netns), None)

    @property
    def machine(self) -> str | None:
        """What its machine is called, where there are several."""
        return self.machines.get(machine_of_row(self.row))

    def machine_fact(self) -> Iterator[Fact]:
        """Its machine, where there are several."""
        if self.machine is not None:
            yield Fact("machine", text.safe(self.machine))

    def process_fact(self, label: str, process: Process | None, note: str = "") -> Fact:
        """A process, as a link to its page where it still runs."""
        if process is None:
            return Fact(label, text.UNKNOWN, note)
        row = self.process_row(process.key)
        return Fact(label, called(process), note, Target("processes", row.id) if row else None)

    def membership(self, belongs: int | None, unit: str | None) -> Iterator[Fact]:
        """What a process or socket belongs to, by row id, as a link to its page; and its unit, if that is another."""
        row = self.snapshot.containers.get(-1 if belongs is None else belongs)
        if row is not None:
            container = row.container
            label = "container" if container.contained else "unit" if container.unit else "program"
            yield Fact(label, text.safe(container.name), text.safe(container.image or ""), Target("containers", row.id))
        if unit and (row is None or unit != row.container.unit):
            yield Fact("unit", text.safe(unit))

    def namespace_fact(self, netns: int | None) -> Fact:
        """A namespace, as a link to its page."""
        row = self.namespace_row(netns)
        if row is None:
            number = own_netns(netns)
            return Fact("namespace", text.UNKNOWN if number is None else str(number))
        name = text.safe(row.namespace.name or row.namespace.kind)
        return Fact("namespace", name, f"net:[{own_netns(netns)}]", Target("namespaces", row.id))


def called(process: Process) -> str:
    """What a process is called in a sentence: `nginx (2210)`."""
    return f"{text.safe(process.comm)} ({process.pid})"


def namespace_called(row: NamespaceRow) -> str:
    """What a namespace is called in a breadcrumb."""
    return f"netns {text.safe(row.namespace.name or str(own_netns(row.namespace.netns)))}"


def _rate(value: float) -> str:
    return said(speed(value))


def _with_unit(figure: str, kind: Kind) -> str:
    unit = _SUFFIXES.get(kind, "")
    return f"{figure} {unit}".rstrip() if figure[-1:].isdigit() else figure + unit
