"""In which order the rows stand: sorted, as a tree, in groups."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nettop.order import Order
from nettop.tui.commands.command import Command
from nettop.tui.dialogs.menu import Item, MenuScreen
from nettop.tui.lists.groupings import groupings

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen


def sort_by(main: MainScreen, name: str) -> None:
    view = main.pane.view
    if name not in view.fields:
        main.tell(f"{view.name} have no {name} to sort by")
        return
    main.sort(Order(view.fields[name], descending=name not in ("pid", "age")))


def sort_step(main: MainScreen, step: int) -> None:
    """By the next column to the side, whichever are in sight."""
    names = [column.field.name for column in main.table.layout_now.columns]
    now = main.pane.order.field.name
    index = names.index(now) + step if now in names else (0 if step > 0 else len(names) - 1)
    field = main.pane.view.fields[names[index % len(names)]]
    main.sort(Order(field, descending=field.kind.numeric))


def invert(main: MainScreen) -> None:
    order = main.pane.order
    main.sort(Order(order.field, not order.descending))


def sort_menu(main: MainScreen) -> None:
    pane = main.pane

    def chosen(name: str | None) -> None:
        if name is not None:
            field = pane.view.fields[name]
            main.sort(Order(field, descending=field.kind.numeric))

    items = [Item(field.name, field.title, field.help) for field in pane.view.fields.values()]
    title, now = f"sort {pane.view.name} by", pane.order.field.name
    main.app.push_screen(MenuScreen(title, items, main.look, main.signs, chosen=now), chosen)


def hold(main: MainScreen) -> None:
    main.pane.hold = not main.pane.hold
    main.ask()


# --- tree ------------------------------------------------------------------------------------------------------------


def tree(main: MainScreen) -> None:
    """Processes as a tree, or as a list."""
    pane = main.pane
    if pane.view.table != "processes":
        main.tell("only processes make a tree: 1 shows them")
        return
    pane.set_tree(not pane.as_tree)
    main.ask(at_once=True)


def fold(main: MainScreen) -> None:
    """Fold the row; where nothing is open below it, the row above it in the tree."""
    pane = main.pane
    if _has_tree(main) and pane.arranged and pane.ids:
        line = pane.line if pane.arranged.is_open(pane.line) else pane.arranged.parent_line(pane.line)
        if line is not None:
            main.move_to(line)
            pane.fold({pane.ids[line]}, closed=True)
            main.ask(at_once=True)


def unfold(main: MainScreen) -> None:
    pane = main.pane
    if _has_tree(main) and pane.ids:
        pane.fold({pane.ids[pane.line]}, closed=False)
        main.ask(at_once=True)


def fold_all(main: MainScreen) -> None:
    """Unfold everything; where nothing is folded, fold all that stands below the tops, as in htop."""
    pane = main.pane
    if _has_tree(main) and pane.arranged:
        pane.fold(pane.tree.folded or pane.arranged.second_level, closed=not pane.tree.folded)
        main.ask(at_once=True)


def _has_tree(main: MainScreen) -> bool:
    if not main.pane.as_tree:
        main.tell("this is no tree: t shows processes as one")
    return main.pane.as_tree


# --- groups ----------------------------------------------------------------------------------------------------------


def group(main: MainScreen) -> None:
    """Choose what to group the rows by; groups become rows again."""
    levels = main.levels
    if levels.ungroup():
        main.arrive()
        return
    view = main.pane.view
    choices = {by.name: by for by in groupings(view)}
    if not choices:
        main.tell(f"{view.name} are not grouped: 1 and 2 show what can be")
        return

    def chosen(name: str | None) -> None:
        if name is not None:
            levels.group(choices[name])
            main.arrive()

    items = [Item(name, name, by.help) for name, by in choices.items()]
    main.app.push_screen(MenuScreen(f"group {view.name} by", items, main.look, main.signs), chosen)


COMMANDS = (
    Command("sort", "s,f6", "s F6", sort_menu, "choose what to sort by", "sort", "Order"),
    Command(
        "sort_left",
        "less_than_sign,shift+left",
        "< Shift-←",
        partial(sort_step, step=-1),
        "sort by the column before",
        group="Order",
    ),
    Command(
        "sort_right",
        "greater_than_sign,shift+right",
        "> Shift-→",
        partial(sort_step, step=1),
        "sort by the column to the right",
        "column",
        "Order",
    ),
    Command("invert", "I", "I", invert, "sort the other way round", "invert", "Order"),
    Command("sort_cpu", "P", "P", partial(sort_by, name="cpu"), "sort by cpu, as in top", group="Order"),
    Command("sort_mem", "M", "M", partial(sort_by, name="mem"), "sort by memory, as in top", group="Order"),
    Command("sort_age", "T", "T", partial(sort_by, name="age"), "sort by age", group="Order"),
    Command("sort_pid", "N", "N", partial(sort_by, name="pid"), "sort by pid, as in top", group="Order"),
    Command("tree", "t,f5", "t F5", tree, "processes as a tree, or as a list", "tree", "Order"),
    Command("unfold", "plus", "+", unfold, "unfold what the row stands for", group="Order", on_row=True),
    Command("fold", "minus", "-", fold, "fold what is below the row into it", group="Order", on_row=True),
    Command("fold_all", "asterisk", "*", fold_all, "fold all of the tree, or unfold it", group="Order", on_row=True),
    Command("group", "b", "b", group, "group by program, user, container, remote host ...", "group", "Order"),
    Command("hold", "p", "p", hold, "hold the order of the rows, or let it go", "hold", "Order"),
)
