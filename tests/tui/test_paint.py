"""Only the cells that changed are sent, and the terminal ends up showing exactly what was meant."""

from __future__ import annotations

from typing import Any

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from nettop.tui.drawing.paint import DiffUpdate, Painted
from nettop.tui.drawing.theme import DARK
from tests.support.screen import machine, opened

CONSOLE = Console(force_terminal=True, color_system="256", width=24)
STYLES = (DARK.look.text, DARK.look.dim, DARK.look.cursor, DARK.look.band_strong, Style())
OTHERS = (
    Style.parse("red on red"),
    Style.parse("bright_red"),
    Style.parse("bold on blue"),
    Style.parse("bold reverse underline"),
    Style.parse("default on default"),
)

pieces = st.lists(
    st.builds(Segment, st.text("ab漢 ", max_size=5), st.sampled_from(STYLES), st.none()),
    max_size=6,
).map(lambda segments: Strip(segments).adjust_cell_length(24, DARK.look.text))


def sent(strips: list[Strip], painted: Painted, cuts: tuple[int, ...] = (0,)) -> str:
    """What goes out for these lines, each cut into widgets at some columns."""
    chops: list[dict[int, Strip | None]] = []
    for strip in strips:
        parts = strip.divide([*cuts[1:], 24])
        chops.append(dict(zip(cuts, parts, strict=True)))
    spans = [(y, 0, 24) for y in range(len(strips))]
    return DiffUpdate(ChopsUpdate(chops, spans, [[*cuts[1:], 24]] * len(strips)), painted).render_segments(CONSOLE)


def cells(screen: pyte.Screen) -> list[list[Any]]:
    return [[screen.buffer[y][x] for x in range(24)] for y in range(screen.lines)]


@settings(max_examples=150)
@given(st.lists(st.tuples(pieces, pieces, st.sampled_from([(0,), (0, 8), (0, 10, 20)])), min_size=1, max_size=5))
def test_after_any_changes_the_terminal_shows_what_a_full_repaint_would(
    steps: list[tuple[Strip, Strip, tuple[int, ...]]],
) -> None:
    followed, repainted = pyte.Screen(24, 2), pyte.Screen(24, 2)
    painted: Painted = {}
    for first, second, cuts in steps:
        pyte.Stream(followed).feed(sent([first, second], painted, cuts))
        pyte.Stream(repainted).feed(sent([first, second], {}, cuts))
        assert cells(followed) == cells(repainted)


@settings(max_examples=150)
@given(st.lists(st.sampled_from([*STYLES, *OTHERS]), min_size=1, max_size=8))
def test_a_style_follows_another_as_if_it_came_first(styles: list[Style]) -> None:
    line = Strip([Segment("x", style) for style in styles])
    followed, apart = pyte.Screen(24, 1), pyte.Screen(24, 1)
    update = DiffUpdate(ChopsUpdate([{0: line}], [(0, 0, 24)], [[24]]), {})
    pyte.Stream(followed).feed(update.render_segments(CONSOLE))
    pyte.Stream(apart).feed("".join(style.render("x", color_system=ColorSystem.EIGHT_BIT) for style in styles))
    assert cells(followed) == cells(apart)


def test_a_line_that_did_not_change_sends_nothing() -> None:
    painted: Painted = {}
    line = Strip([Segment("same", DARK.look.text)]).adjust_cell_length(24, DARK.look.text)
    assert sent([line], painted)
    again = Strip([Segment("same", DARK.look.text)]).adjust_cell_length(24, DARK.look.text)
    assert sent([again], painted) == ""


def test_a_figure_that_moved_sends_little_more_than_the_figure() -> None:
    def row(figure: str) -> Strip:
        return Strip(
            [Segment(f"{figure:>8}", DARK.look.rx) if n == 1 else Segment("12345678", DARK.look.text) for n in range(3)]
        )

    painted: Painted = {}
    sent([row("1.0 k")], painted)
    out = sent([row("2.0 k")], painted)
    assert "2.0 k" in out
    assert "12345678" not in out
    assert len(out) < 45


async def test_an_unchanged_picture_repaints_no_line() -> None:
    picture = machine()
    async with opened(picture) as seen:
        table = seen.main.query_one("#table")
        drawn: list[int] = []
        original = table.render_line

        def record(y: int) -> Strip:
            drawn.append(y)
            return original(y)

        table.render_line = record  # type: ignore[method-assign]
        await seen.show(picture)
        assert drawn == []
