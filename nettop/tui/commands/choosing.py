"""Which rows and columns are shown, and finding a row among them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nettop.fields import LISTENERS
from nettop.tui.commands.command import Command
from nettop.tui.dialogs import users
from nettop.tui.dialogs.chooser import ColumnChooser
from nettop.tui.dialogs.menu import MenuScreen
from nettop.tui.dialogs.prompt import Prompt, remember
from nettop.tui.dialogs.suggest import Collector
from nettop.tui.lists.levels import Level
from nettop.tui.lists.panes import Pane, User
from nettop.tui.lists.scopes import LISTENING

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen


def filter_rows(main: MainScreen) -> None:
    pane = main.pane

    def typed(expression: str) -> None:
        pane.set_filter(expression)
        main.ask()

    past = main.past_filters.setdefault(pane.view.name, [])
    remember(past, pane.filter_text)
    main.open_prompt(
        Prompt(
            "filter",
            pane.filter_text,
            typed,
            past=past,
            view=pane.view,
            collector=Collector(pane.view, pane.rows, pane.now),
            saved=main.config.filters,
            hint="Enter keep   Tab complete   ↑ ↓ earlier ones   Esc close",
        )
    )


def widen(pane: Pane, past_filters: dict[str, list[str]]) -> bool:
    """Take away the last of what is looked for or narrows the pane; False where nothing does."""
    if pane.search:
        pane.search = None
    elif pane.filter_text:
        remember(past_filters.setdefault(pane.view.name, []), pane.filter_text)
        pane.set_filter("")
    elif pane.user:
        pane.set_user(None)
    else:
        return False
    return True


# --- search ----------------------------------------------------------------------------------------------------------


def search(main: MainScreen) -> None:
    pane = main.pane
    line = pane.line
    hint = "F3 ↓ next   Shift-F3 ↑ the one before   Enter close"

    def typed(expression: str) -> None:
        main.tell(hint)
        pane.find(expression, line)
        main.ask()

    main.open_prompt(Prompt("search", "", typed, step=partial(find, main), view=None, hint=hint))


def find(main: MainScreen, step: int) -> None:
    """The next row that matches, or the one before."""
    main.tell(None)
    main.pane.find_next(step)
    main.ask(at_once=True)


def find_or_search(main: MainScreen, step: int) -> None:
    if main.pane.search or main.typing:
        find(main, step)
    else:
        search(main)


# --- listeners -------------------------------------------------------------------------------------------------------


def listeners(main: MainScreen) -> None:
    """Who holds which port, everywhere; or back to where one was."""
    if main.levels.level.scope is LISTENING:
        main.levels.back()
    else:
        main.levels.enter(Level(LISTENING, "connections", {"connections": Pane(main.known(LISTENERS), LISTENING)}))
    main.arrive()


# --- users -----------------------------------------------------------------------------------------------------------


def user_menu(main: MainScreen) -> None:
    pane = main.pane
    if "uid" not in pane.view.fields:
        main.tell(f"{pane.view.name} belong to no user")
        return
    shares = users.shares(main.snapshot)

    def chosen(uid: str | None) -> None:
        if uid is not None:
            pane.set_user(User(int(uid), shares[int(uid)].name) if uid else None)
            main.ask()

    now = str(pane.user.uid) if pane.user else ""
    menu = MenuScreen("rows of", users.items(shares), main.look, main.signs, chosen=now, head=users.HEAD)
    main.app.push_screen(menu, chosen)


# --- what no list shows ----------------------------------------------------------------------------------------------


def kernel_threads(main: MainScreen) -> None:
    sight = main.levels.sight
    main.levels.set_sight(replace(sight, kernel=not sight.kernel))
    main.ask()


def ended(main: MainScreen) -> None:
    sight = main.levels.sight
    main.levels.set_sight(replace(sight, ended=not sight.ended))
    main.ask()


# --- columns ---------------------------------------------------------------------------------------------------------


def columns(main: MainScreen) -> None:
    view = main.pane.view

    def chosen(names: tuple[str, ...] | None) -> None:
        if names is not None:
            main.choose_columns(None if names == view.columns else names)

    main.app.push_screen(ColumnChooser(view, main.pane.columns or view.columns, main.look), chosen)


def names(main: MainScreen) -> None:
    main.show_names(None if main.names else main.known_names)


COMMANDS = (
    Command("filter", "slash,f4", "/ F4", filter_rows, "filter as you type", "filter", "Rows"),
    Command(
        "search",
        "f",
        "f",
        search,
        "search as you type, without hiding the other rows",
        "search",
        "Rows",
    ),
    Command(
        "find_next",
        "f3",
        "F3",
        partial(find_or_search, step=1),
        "search; then the next row that matches",
        group="Rows",
    ),
    Command(
        "find_previous",
        "shift+f3,f15",
        "Shift-F3",
        partial(find_or_search, step=-1),
        "the row before that matches",
        group="Rows",
    ),
    Command(
        "listeners",
        "l",
        "l",
        listeners,
        "who holds which port: listeners of every namespace, or back",
        "listeners",
        "Rows",
    ),
    Command("kernel", "H", "H", kernel_threads, "leave kernel threads out, or show them", group="Rows"),
    Command("ended", "D", "D", ended, "leave out what has ended, or show it for a while", group="Rows"),
    Command("user", "u", "u", user_menu, "choose whose processes or connections are shown", "user", "Rows"),
    Command("columns", "o", "o", columns, "choose the columns and their order", "columns", "Columns"),
    Command(
        "names",
        "n",
        "n",
        names,
        "names of services (and hosts, with `resolve`) instead of numbers, or numbers",
        "names",
        "Columns",
    ),
)
