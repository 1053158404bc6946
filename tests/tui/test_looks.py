"""What the screen looks like; `pytest --snapshot-update` after a look at the report when it is meant to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nettop.tui.app import NettopApp
from tests.support.screen import machine, past
from tests.support.sources import ScriptedSource

SIZES = [(60, 20), (80, 24), (120, 40), (160, 50)]

Compare = Callable[..., bool]


def compare(snap_compare: Compare, size: tuple[int, int], *keys: str) -> bool:
    app = NettopApp(ScriptedSource(machine(), past()), environ={}, utf8=True)

    async def press(pilot: Any) -> None:
        await pilot.pause()
        await app.main.settled.wait()
        for key in keys:
            await pilot.press(key)
            await app.main.settled.wait()
        await pilot.pause()

    return snap_compare(app, terminal_size=size, run_before=press)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("pane", ["1", "2", "3"], ids=["processes", "connections", "namespaces"])
def test_pane(snap_compare: Compare, size: tuple[int, int], pane: str) -> None:
    assert compare(snap_compare, size, pane)


@pytest.mark.parametrize("keys", [["2", "slash", *"nginx rate>x"], ["2", "s"], ["3", "enter"], ["2", "enter"]],
                         ids=["filter", "sort", "scope", "detail"])  # fmt: skip
def test_on_the_way(snap_compare: Compare, keys: list[str]) -> None:
    assert compare(snap_compare, (100, 30), *keys)
