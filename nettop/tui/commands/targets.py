"""What an action is for: rows of a list or the row a page is about, and what these stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from nettop import format as text
from nettop.fields import View
from nettop.model import Event
from nettop.requests import CLOSABLE
from nettop.snapshot import Connection, ContainerRow, ProcessRow
from nettop.tui.details.subject import called
from nettop.tui.drawing.columns import Column, columns_of
from nettop.tui.lifeline import INIT
from nettop.tui.lists.groupings import GroupRow
from nettop.tui.lists.groups import GroupPane
from nettop.tui.lists.scopes import container_scope, process_of

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen

_CALLED = 40
"""Cells of what a group is called in a question."""


class Chosen(NamedTuple):
    """The rows one has chosen, as they are shown."""

    view: View
    rows: Sequence[Any]
    columns: Sequence[Column]
    now: float
    """The time of their picture, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The rows an action is for."""

    rows: Sequence[Any]
    of: str
    """What stands for them all, where one row does: ` of program=nginx`. Safe for the terminal."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The processes an action is for."""

    rows: Sequence[ProcessRow]
    own: Sequence[bool]
    """Parallel to rows: nettop's own session hangs on it."""
    all_of_them: str
    """In a question: `these 3 processes, which hold the sockets`."""


def chosen(main: MainScreen) -> Chosen:
    """The row the page in front is about, else the tagged rows of the list or the one under the cursor."""
    pane, about = main.pane, main.page and main.page.about
    if about:
        view, row = about
        return Chosen(view, [row], columns_of(view, view.columns, main.names), main.snapshot.time)
    return Chosen(pane.view, pane.chosen(), main.table.layout_now.columns, pane.now)


def targets(main: MainScreen) -> Targets | None:
    """The processes of what was chosen, those that hold them where these are sockets; None where an action has none,
    which has been told then."""
    meant = _meant(main)
    keys = {row.process.key: None for row in meant.rows if isinstance(row, (ProcessRow, Connection)) and row.process}
    living = (row for row in main.latest.processes.values() if keys and not row.ended)
    known = {row.process.key: row for row in living}
    rows = [known[key] for key in keys if key in known]
    forbidden = [row.process for row in rows if row.process.pid == INIT or row.process.kernel]
    if forbidden:
        what = "a kernel thread" if forbidden[0].kernel else "init"
        main.tell(f"{called(forbidden[0])} is {what}: nothing is done to it from here")
        return None
    through_sockets = any(isinstance(row, Connection) for row in meant.rows)
    if not rows:
        nobody = "no process is known to hold it" if through_sockets else "choose a process, or a connection of it"
        gone = keys or any(isinstance(row, Event) for row in meant.rows)
        main.tell("it is gone already" if gone else nobody)
        return None
    lifeline = main.find_lifeline()
    own = [row.process.key in lifeline.processes for row in rows]
    one = len(rows) == 1
    all_of_them = "this process" if one else f"these {len(rows):,} processes"
    if through_sockets:
        all_of_them += ", which holds the socket" if one else ", which hold the sockets"
    return Targets(rows, own, all_of_them + meant.of)


def sockets(main: MainScreen) -> Meant | None:
    """The sockets that were chosen, of a group those the kernel could close; None where there are none, which has been
    told then."""
    meant = _meant(main)
    rows = [row for row in meant.rows if isinstance(row, Connection)]
    if rows and meant.of:
        rows = [row for row in rows if not row.ended and row.socket.proto in CLOSABLE]
        if not rows:
            main.tell(f"the kernel closes {' and '.join(CLOSABLE)} sockets on request; there are none{meant.of}")
            return None
    if not rows:
        main.tell("choose a connection; Enter on a process shows those it holds")
        return None
    return Meant(rows, meant.of)


def _meant(main: MainScreen) -> Meant:
    """What was chosen. A group stands for its rows, a container for its processes, an event for its process."""
    rows, pane = chosen(main).rows, main.pane
    if len(rows) == 1 and isinstance(rows[0], GroupRow) and isinstance(pane, GroupPane):
        return Meant(pane.rows_of(rows[0]), _of(pane.scope_of(rows[0]).title))
    if len(rows) == 1 and isinstance(rows[0], ContainerRow):
        scope = container_scope(rows[0])
        inside = [row for row in main.latest.around(rows[0]).processes.values() if scope.tests["processes"](row)]
        return Meant(inside, _of(scope.title))
    return Meant(list(_standing_for(main, rows)), "")


def _standing_for(main: MainScreen, rows: Sequence[Any]) -> Iterator[Any]:
    for row in rows:
        if isinstance(row, Event):
            yield process_of(row, main.latest.around(row).processes.values()) or row
        else:
            yield row


def _of(title: str) -> str:
    return f" of {text.shorten_middle(text.safe(title), _CALLED)}"
