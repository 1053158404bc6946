"""How panes are arranged at first, and what of it is remembered when the screen closes."""

from __future__ import annotations

from nettop.config.session import Session
from nettop.order import parse_sort
from nettop.tui.lists.panes import Pane


def arrange(pane: Pane, session: Session, *, outermost: bool) -> None:
    """Give a new pane the columns and the order of a session; its filter is only for the whole machine."""
    name = pane.view.name
    if name in session.columns:
        pane.set_columns(session.columns[name])
    if name in session.sort:
        pane.set_order(parse_sort(session.sort[name], pane.view))
    if outermost and name in session.filters:
        pane.set_filter(session.filters[name])


def arrangement(active: str, panes: dict[str, Pane], before: Session) -> Session:
    """The session as it is now: panes that were not looked at are as they were `before`."""
    columns, sort, filters = dict(before.columns), dict(before.sort), dict(before.filters)
    for name, pane in panes.items():
        if pane.columns is not None:
            columns[name] = pane.columns
        else:
            columns.pop(name, None)
        sort[name] = str(pane.order)
        filters[name] = pane.filter_text
    return Session(active, columns, sort, filters)
