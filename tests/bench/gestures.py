"""Things one does with keys, and what shows on the screen that each key has had its effect."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pyte

from tests.bench.terminal import highlighted

DOWN, UP, LEFT = "\x1bOB", "\x1bOA", "\x1bOD"  # as xterm sends them in its application mode, which htop asks for
BACKSPACE, ENTER, ESCAPE = "\x7f", "\r", "\x1b"


class Effect(NamedTuple):
    """What a key does to the screen, told from what a refresh does to it meanwhile."""

    look: Callable[[pyte.Screen], Any]
    """What of a screen to compare."""
    seen: Callable[[Any, Any], bool]
    """Whether it shows, from that of the screen before the key and of one after it."""


class Press(NamedTuple):
    """A key and its effect; None where it is not measured, as it only leads back."""

    key: str
    effect: Effect | None = None


class Gesture(NamedTuple):
    """Keys that are pressed one after the other, round and round."""

    name: str
    presses: Sequence[Press]
    prepare: str = ""
    """Pressed before the first round: leads to where it is done."""


def _lines(screen: pyte.Screen) -> list[str]:
    return screen.display


def _moved(before: frozenset[int], now: frozenset[int]) -> bool:
    return now != before and len(now) == len(before)


CURSOR = Effect(highlighted, _moved)
"""As many lines are highlighted as before, but others."""


def shows(pattern: str) -> Effect:
    """A line matches, and none did before."""
    search = re.compile(pattern).search
    return Effect(_lines, lambda before, now: any(map(search, now)) and not any(map(search, before)))


def hides(pattern: str) -> Effect:
    """No line matches any more."""
    search = re.compile(pattern).search
    return Effect(_lines, lambda before, now: any(map(search, before)) and not any(map(search, now)))


def alters(pattern: str) -> Effect:
    """The first line that matches is another one."""
    search = re.compile(pattern).search

    def altered(before: Sequence[str], now: Sequence[str]) -> bool:
        line = next(filter(search, now), None)
        return line is not None and line != next(filter(search, before), None)

    return Effect(_lines, altered)


def typing(opener: str, opened: str, label: str, text: str) -> list[Press]:
    """A key that opens a line, which then matches `opened`; the letters of a text one by one, each then taken back;
    Enter closes the line. `label` matches what stands before the letters."""
    typed = [text[:end] for end in range(len(text) + 1)]
    forth = [Press(now[-1], shows(rf"{label}{now}(?!\w)")) for now in typed[1:]]
    back = [Press(BACKSPACE, shows(rf"{label}{now}(?!\w)")) for now in typed[-2::-1]]
    return [Press(opener, shows(opened)), *forth, *back, Press(ENTER, hides(opened))]


_UP_AND_DOWN = [*[Press(DOWN, CURSOR)] * 20, *[Press(UP, CURSOR)] * 20]
_BRANCH = "[├└]─"
_TREE = [Press("t", shows(_BRANCH)), Press("t", hides(_BRANCH))]
_PAGE = r"^ host \S "
_GROUPS = "by program"

GESTURES: Mapping[str, Sequence[Gesture]] = {
    "htop": (
        Gesture("key", _UP_AND_DOWN),
        Gesture("filter key", typing("\\", "^EnterDone", "Filter: ", "python")),
        Gesture("sort key", [Press(key, alters("^ *PID.*USER")) for key in "MTPI"]),
        Gesture("tree key", _TREE),
    ),
    "nettop": (
        Gesture("key", _UP_AND_DOWN),
        Gesture("filter key", typing("/", "^ filter ", "^ filter +", "python")),
        Gesture("sort key", [Press(key, alters("^ *PROTO")) for key in ">>I<<I"]),
        Gesture(
            "group key",
            [Press("b", shows("group connections by")), Press(ENTER, shows(_GROUPS)), Press("b", hides(_GROUPS))],
        ),
        Gesture("page key", [Press("e", shows(_PAGE)), Press(LEFT, hides(_PAGE))]),
        Gesture(
            "palette key", [Press(":", shows("─ do ─")), Press("s", shows("│ : s ")), Press(ESCAPE, hides("─ do ─"))]
        ),
        Gesture("tree key", _TREE, prepare="1"),
    ),
}
"""Program → what is done with it, in that order."""
