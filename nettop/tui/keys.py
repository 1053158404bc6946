"""Every key of the main screen: the bindings, the footer and the help are all made from this one list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do."""

    name: str
    """Unique; the name a configuration remaps it by."""
    keys: str
    """In Textual's names, comma-separated."""
    shown: str
    """The keys as a person writes them."""
    action: str
    """Textual action of the main screen."""
    help: str
    footer: str = ""
    """One word for the footer; empty where it is not listed there."""
    group: str = ""
    """Heading in the help."""
    at_once: bool = False
    """Acts before the next key is looked at, so that `/nginx` and Enter may arrive in one piece, over a slow line."""


ACTIONS = (
    Action("help", "question_mark,f1", "? F1", "help", "this help", "help", "nettop"),
    Action("quit", "q,ctrl+c,f10", "q ^C", "quit", "quit", "quit", "nettop"),
    Action("redraw", "ctrl+l", "^L", "redraw", "draw the screen again", group="nettop"),
    Action("processes", "1", "1", "pane('processes')", "processes", group="Look at"),
    Action("connections", "2", "2", "pane('connections')", "connections", group="Look at"),
    Action("namespaces", "3", "3", "pane('namespaces')", "network namespaces", group="Look at"),
    Action("next_pane", "tab", "Tab", "next_pane(1)", "the next pane", group="Look at"),
    Action("previous_pane", "shift+tab", "Shift-Tab", "next_pane(-1)", "the pane before", group="Look at"),
    Action(
        "open",
        "enter",
        "Enter",
        "open",
        "go into the row: a process or namespace shows its connections, a connection every field",
        "open",
        "Look at",
        at_once=True,
    ),
    Action(
        "back", "escape", "Esc", "back", "back: clears the filter first, then leaves what was opened", "back", "Look at"
    ),
    Action("up", "up,k", "↑ k", "move(-1)", "up", group="Move"),
    Action("down", "down,j", "↓ j", "move(1)", "down", group="Move"),
    Action("page_up", "pageup,ctrl+b", "PgUp", "page(-1)", "a page up", group="Move"),
    Action("page_down", "pagedown,ctrl+f", "PgDn", "page(1)", "a page down", group="Move"),
    Action("first", "home,g", "Home g", "first", "the first row", group="Move"),
    Action("last", "end,G", "End G", "last", "the last row", group="Move"),
    Action("left", "left", "←", "scroll(-1)", "columns further to the left", group="Move"),
    Action("right", "right", "→", "scroll(1)", "columns further to the right, every field there is", group="Move"),
    Action("filter", "slash,f4", "/ F4", "filter", "filter as you type", "filter", "Rows", at_once=True),
    Action("sort", "s,f6", "s F6", "sort_menu", "choose what to sort by", "sort", "Rows"),
    Action(
        "sort_left",
        "less_than_sign,shift+left",
        "< Shift-←",
        "sort_step(-1)",
        "sort by the column before",
        group="Rows",
    ),
    Action(
        "sort_right",
        "greater_than_sign,shift+right",
        "> Shift-→",
        "sort_step(1)",
        "sort by the column to the right",
        "column",
        "Rows",
    ),
    Action("invert", "I", "I", "invert", "sort the other way round", "invert", "Rows"),
    Action("sort_cpu", "P", "P", "sort_by('cpu')", "sort by cpu, as in top", group="Rows"),
    Action("sort_mem", "M", "M", "sort_by('mem')", "sort by memory, as in top", group="Rows"),
    Action("sort_age", "T", "T", "sort_by('age')", "sort by age", group="Rows"),
    Action("sort_pid", "N", "N", "sort_by('pid')", "sort by pid, as in top", group="Rows"),
    Action("hold", "p", "p", "hold", "hold the order of the rows, or let it go", "hold", "Rows"),
    Action("freeze", "Z", "Z", "freeze", "freeze the picture, or let it go on", "freeze", "Rows"),
)


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    """The same for Textual."""
    return [
        Binding(action.keys, action.action, action.help, show=False, priority=action.at_once, id=action.name)
        for action in actions
    ]
