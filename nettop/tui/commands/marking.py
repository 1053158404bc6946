"""Tags on rows, the row one follows, and what has changed since a mark."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nettop.snapshot import EMPTY
from nettop.tui.commands.command import Command
from nettop.tui.lists.groups import GroupPane
from nettop.tui.lists.marks import Mark
from nettop.tui.lists.tree import descendants

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen


def _may_tag(main: MainScreen) -> bool:
    if isinstance(main.pane, GroupPane):
        main.tell("groups take no tags: Enter opens one")
        return False
    return bool(main.pane.ids)


def tag(main: MainScreen) -> None:
    """Tag the row or take its tag away, and go on to the next."""
    pane = main.pane
    if _may_tag(main):
        pane.tag([pane.ids[pane.line]])
        main.move_to(pane.line + 1)


def tag_children(main: MainScreen) -> None:
    """The same for a process with all that it has started, in a tree or not."""
    pane = main.pane
    if _may_tag(main):
        row_id = pane.ids[pane.line]
        children = descendants(row_id, pane.rows) if pane.view.table == "processes" else []
        pane.tag([row_id, *children])
        main.move_to(pane.line + 1)


def untag(main: MainScreen) -> None:
    main.pane.tags = {}
    main.show_pane()


def follow(main: MainScreen) -> None:
    main.pane.follow()
    main.show_pane()
    main.ask()


def mark(main: MainScreen) -> None:
    """From now on show what is new, gone or has moved bytes since now; or everything again."""
    sight = main.levels.sight
    if sight.mark is None and main.snapshot is EMPTY:
        return
    main.levels.set_sight(replace(sight, mark=None if sight.mark else Mark(main.snapshot)))
    main.ask()


COMMANDS = (
    Command("tag", "space", "Space", tag, "tag the row, or take its tag away", "tag", "Tags and marks", on_row=True),
    Command(
        "tag_children",
        "c",
        "c",
        tag_children,
        "tag a process with all it has started",
        group="Tags and marks",
        on_row=True,
    ),
    Command("untag", "U", "U", untag, "take all tags away", group="Tags and marks"),
    Command(
        "mark",
        "m",
        "m",
        mark,
        "mark now: show only what is new (+), gone (-) or has moved bytes since; or everything again",
        "mark",
        "Tags and marks",
    ),
    Command(
        "follow",
        "F",
        "F",
        follow,
        "follow the row, wherever it is sorted to, until the cursor is moved",
        "follow",
        "Tags and marks",
        on_row=True,
    ),
)
