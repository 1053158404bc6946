"""Through time: in a recording, or back over the last minutes of the machine one looks at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from nettop import moments
from nettop.model import EVENT_KINDS
from nettop.query import QueryError
from nettop.snapshot import Snapshot
from nettop.tui.commands.command import Command
from nettop.tui.dialogs.menu import Item, MenuScreen
from nettop.tui.dialogs.prompt import Prompt

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen
    from nettop.tui.source import Journey

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds of the past that may go by in each second."""


def rewind(main: MainScreen) -> None:
    """Begin to look back, where there is something to look back at."""
    travel = main.source.travel
    if travel is None:
        main.tell("nothing is kept of what was")
    elif main.journey is None:
        travel.begin()
        main.show_timeline()
        if main.journey is None:
            main.tell("nothing is kept yet: wait for the next picture")


def present(main: MainScreen) -> None:
    """Back to the present, or as near to it as a recording comes."""
    if main.source.travel is not None:
        main.source.travel.end()
        main.show_timeline()


def on_the_way(main: MainScreen, go: Callable[[Journey], None]) -> None:
    """Ask for another moment."""
    if main.journey is not None:
        main.tell(None)
        go(main.journey)
        main.show_timeline()


def play(main: MainScreen) -> None:
    on_the_way(main, lambda journey: journey.play(0.0 if journey.speed else 1.0))


def change_speed(main: MainScreen, step: int) -> None:
    def faster(journey: Journey) -> None:
        place = SPEEDS.index(journey.speed) if journey.speed in SPEEDS else SPEEDS.index(1.0) - step
        journey.play(SPEEDS[max(0, min(place + step, len(SPEEDS) - 1))])

    on_the_way(main, faster)


def jump(main: MainScreen) -> None:
    """Let a time be typed, and be there as soon as it is one."""
    journey = main.journey
    if journey is None:
        return
    begun = journey.now

    def typed(text: str) -> None:
        if not text.strip():
            return
        try:
            moment = moments.parse(text, *journey.span, begun)
        except ValueError as error:
            raise QueryError(str(error), len(text), text) from None
        journey.jump(moment)
        main.show_timeline()

    hint = "Enter close   14:03:20  start+10m  end-90s  -5m from here  2026-05-17 14:03"
    main.open_prompt(Prompt("time", "", typed, hint=hint))


def next_match(main: MainScreen) -> None:
    """To the next picture in which a row matches the filter that did not in the one before it."""
    pane, journey = main.pane, main.journey
    query, test = pane.query, pane.test
    if journey is None:
        return
    if query is None:
        main.tell("type a filter first: this goes to where the next row begins to match it")
        return

    def matching(snapshot: Snapshot) -> set[int]:
        rows = getattr(snapshot, pane.view.table)
        return {i for i, row in rows.items() if (test is None or test(row)) and query.matches(row, snapshot.time)}

    before: set[int] = set()

    def begins_to_match(snapshot: Snapshot) -> bool:
        nonlocal before
        known, before = before, matching(snapshot)
        return not before <= known

    try:
        before = matching(main.snapshot)
    except QueryError as error:
        main.tell(error.message)
        return
    journey.find(f"a row that matches {query.text}", begins_to_match)
    main.show_timeline()


def next_event(main: MainScreen) -> None:
    """Let a kind be chosen, and go to the next picture in which it happened."""

    def chosen(kind: str | None) -> None:
        if kind is not None and main.journey is not None:
            main.journey.find_event(kind)
            main.show_timeline()

    items = [Item(kind, kind, "") for kind in EVENT_KINDS]
    main.app.push_screen(MenuScreen("the next", items, main.look, main.signs), chosen)


def _step(ticks: int) -> Callable[[Journey], None]:
    return lambda journey: journey.step(ticks)


def _leap(seconds: float) -> Callable[[Journey], None]:
    return lambda journey: journey.leap(seconds)


REWIND = Command(
    "rewind",
    "r",
    "r",
    rewind,
    "go back in time, over the last minutes: the keys for it are in the help then",
    group="nettop",
)

COMMANDS = (
    Command("earlier", "left", "←", partial(on_the_way, go=_step(-1)), "the picture before", "before", "Time"),
    Command("later", "right", "→", partial(on_the_way, go=_step(1)), "the next picture", "after", "Time"),
    Command("minute_earlier", "shift+left", "Shift-←", partial(on_the_way, go=_leap(-60)), "a minute back", "", "Time"),
    Command("minute_later", "shift+right", "Shift-→", partial(on_the_way, go=_leap(60)), "a minute on", "", "Time"),
    Command("play", "space", "Space", play, "let time go by, or stop it", "play", "Time"),
    Command("present", "r", "r", present, "return to the present; in a recording, to its end", "now", "Time"),
    Command("slower", "comma", ",", partial(change_speed, step=-1), "play more slowly", "slower", "Time"),
    Command("faster", "full_stop", ".", partial(change_speed, step=1), "play faster", "faster", "Time"),
    Command("jump", "at", "@", jump, f"to a time: {moments.FORMS}", "time", "Time"),
    Command("next_match", "x", "x", next_match, "to where the next row begins to match the filter", "match", "Time"),
    Command("next_event", "v", "v", next_event, "to the next event of a kind", "event", "Time"),
)
"""Those that exist only on the way through time; there they go before others with the same keys."""
