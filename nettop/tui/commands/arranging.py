"""In which order the rows stand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nettop.order import Order
from nettop.tui.commands.command import Command
from nettop.tui.screens import ChoiceScreen

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

    options = [(field.name, f"{field.title:<10} {field.help}") for field in pane.view.fields.values()]
    main.app.push_screen(ChoiceScreen(f"sort {pane.view.name} by", options, pane.order.field.name), chosen)


def hold(main: MainScreen) -> None:
    main.pane.hold = not main.pane.hold
    main.ask()


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
    Command("hold", "p", "p", hold, "hold the order of the rows, or let it go", "hold", "Order"),
)
