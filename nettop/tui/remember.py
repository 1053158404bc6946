"""How panes are arranged at first, and what of it is remembered when the screen closes."""

from __future__ import annotations

from nettop.config.session import Session
from nettop.fields import MACHINE, View, has_several
from nettop.order import parse_sort
from nettop.tui.lists.panes import Pane


def arrange(pane: Pane, session: Session, *, outermost: bool) -> None:
    """Give a new pane the columns and the order of a session; its filter is only for the whole machine."""
    name = pane.view.name
    if name in session.columns:
        pane.set_columns(_with_machine(pane.view, session.columns[name]))
    if name in session.sort:
        pane.set_order(parse_sort(session.sort[name], pane.view))
    if outermost and name in session.filters:
        pane.set_filter(session.filters[name])


def arrangement(active: str, panes: dict[str, Pane], before: Session) -> Session:
    """The session as it is now: panes that were not looked at are as they were `before`."""
    columns, sort, filters = dict(before.columns), dict(before.sort), dict(before.filters)
    for name, pane in panes.items():
        if pane.columns is not None:
            columns[name] = _as_chosen(pane.view, pane.columns, before.columns.get(name, ()))
        else:
            columns.pop(name, None)
        sort[name] = str(pane.order)
        filters[name] = pane.filter_text
    return Session(active, columns, sort, filters)


def _with_machine(view: View, names: tuple[str, ...]) -> tuple[str, ...]:
    """Columns that were chosen, for one machine perhaps, and where there are several whose a row is."""
    if not has_several(view) or MACHINE.name in names:
        return names
    return (names[0], MACHINE.name, *names[1:])


def _as_chosen(view: View, names: tuple[str, ...], before: tuple[str, ...]) -> tuple[str, ...]:
    """The same without it, unless it was among them `before`: one machine has no need of it."""
    if not has_several(view) or MACHINE.name in before:
        return names
    return tuple(name for name in names if name != MACHINE.name) or names
