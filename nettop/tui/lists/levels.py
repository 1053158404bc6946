"""Where one is: the whole machine, or some steps into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from nettop.config.session import Session
from nettop.fields import VIEWS, View
from nettop.snapshot import ContainerRow, NamespaceRow, ProcessRow
from nettop.tui.lists.groupings import By, GroupRow
from nettop.tui.lists.groups import GroupPane
from nettop.tui.lists.marks import Sight
from nettop.tui.lists.panes import Pane
from nettop.tui.lists.scopes import Scope, container_scope, namespace_scope, process_scope
from nettop.tui.remember import arrange, arrangement

Known = Callable[[View], View]
"""Makes of a view one that knows what machines are called."""


def as_it_is(view: View) -> View:
    """A view that does not."""
    return view


@dataclass
class Level:
    """One step of drilling down: its panes, each with its own filter, order and cursor."""

    scope: Scope | None
    active: str
    panes: dict[str, Pane] = field(default_factory=dict)
    groups: dict[str, GroupPane] = field(default_factory=dict)
    """The groups of a pane's rows, while one looks at these instead."""
    opened_from: Callable[[], object] | None = None
    """Shows again the page from which one came here."""
    known: Known = as_it_is
    """Of the levels it is one of."""

    @property
    def pane(self) -> Pane:
        """The pane one looks at; made when it is first asked for."""
        if self.active in self.groups:
            return self.groups[self.active]
        if self.active not in self.panes:
            self.panes[self.active] = Pane(self.known(VIEWS[self.active]), self.scope)
        return self.panes[self.active]


class Levels:
    """Where one is: the whole machine, or some steps into it."""

    def __init__(self, view: str, session: Session | None = None, known: Known = as_it_is) -> None:
        """Begin with that view; `session` tells how panes are arranged when they are first looked at, `known` makes of
        a view one that knows the machines there are."""
        self._stack = [Level(None, view, known=known)]
        self._session = session or Session()
        self._known = known
        self.sight = Sight()
        """What all panes leave out."""

    @property
    def level(self) -> Level:
        return self._stack[-1]

    @property
    def pane(self) -> Pane:
        level = self.level
        arranged = level.active in level.panes
        pane = level.pane
        if not arranged:
            arrange(pane, self._session, outermost=level is self._stack[0])
            pane.set_sight(self.sight)
        return pane

    @property
    def session(self) -> Session:
        """How the panes of the whole machine are arranged now."""
        return arrangement(self._stack[0].active, self._stack[0].panes, self._session)

    def open(self, view: str) -> None:
        """Look at another view of the same scope."""
        self.level.active = view

    def enter(self, level: Level) -> None:
        """Go one step further, into that level."""
        level.known = self._known
        for pane in level.panes.values():
            pane.set_sight(self.sight)
        self._stack.append(level)

    def set_sight(self, sight: Sight) -> None:
        """Leave this out of all panes."""
        self.sight = sight
        for pane in self._panes:
            pane.set_sight(sight)

    def group(self, by: By) -> None:
        """Look at the groups of the rows one looks at."""
        pane = GroupPane(self.pane, by)
        arrange(pane, self._session, outermost=False)
        self.level.groups[self.level.active] = pane

    def ungroup(self) -> bool:
        """Look at the rows again; False where they are not grouped."""
        return self.level.groups.pop(self.level.active, None) is not None

    def forget(self) -> None:
        """The rows of the next picture have other ids than those before: tags, marks and cursors are no more."""
        self.set_sight(replace(self.sight, mark=None))
        for pane in self._panes:
            pane.forget()

    @property
    def _panes(self) -> list[Pane]:
        """Every pane one has looked at and can come back to."""
        return [pane for level in self._stack for pane in (*level.panes.values(), *level.groups.values())]

    def choose_columns(self, names: tuple[str, ...] | None) -> None:
        """Show these fields of the view one looks at from now on, at every level; None: its own."""
        view = self.pane.view.name
        others = {name: columns for name, columns in self._session.columns.items() if name != view}
        self._session = replace(self._session, columns=others if names is None else {**others, view: names})
        for pane in self._panes:
            if pane.view.name == view:
                pane.set_columns(names)

    def drill(self, row: Any) -> bool:
        """Go into a row of the pane one looks at; False where there is nothing to go into."""
        if isinstance(row, ProcessRow):
            self.enter(Level(process_scope(row), "connections"))
        elif isinstance(row, NamespaceRow):
            self.enter(Level(namespace_scope(row), "connections"))
        elif isinstance(row, ContainerRow):
            self.enter(Level(container_scope(row), "connections"))
        elif isinstance(self.pane, GroupPane) and isinstance(row, GroupRow):
            self._open_group(self.pane, row)
        else:
            return False
        return True

    def _open_group(self, groups: GroupPane, row: GroupRow) -> None:
        """Go into a group: its rows, of those that were grouped."""
        members = groups.members
        self.enter(Level(groups.scope_of(row), self.level.active))
        self.pane.set_filter(members.filter_text)
        self.pane.set_user(members.user)

    def back(self) -> bool:
        """Up one step, to where one was; False at the top."""
        if len(self._stack) == 1:
            return False
        self._stack.pop()
        return True

    @property
    def trail(self) -> list[str]:
        """The breadcrumb: the scopes from the outermost to the one one is in, empty for the whole machine."""
        return [level.scope.title for level in self._stack if level.scope]
