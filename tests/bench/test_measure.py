"""The instruments of the benchmark tell the truth about programs whose answers are known."""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise

import pytest

from tests.bench.__main__ import judge
from tests.bench.figures import Figure
from tests.bench.gestures import CURSOR, DOWN, UP, Effect, Gesture, Press, alters, hides, shows, typing
from tests.bench.keys import key_latencies
from tests.bench.measure import DidNotStartError, Program, rows, running, wait_ready
from tests.bench.storm import Counted, Storm, count_events, missed, run_storm
from tests.bench.tree import cpu_seconds, pids_of_tree, pss_bytes

MENU = """
import os, sys, time, tty
tty.setraw(0)
at = 1
def paint():
    for line in range(1, 40):
        ground = "\\x1b[7m" if line == at else ""
        os.write(1, f"\\x1b[{line};1H{ground}row {line:<150}\\x1b[m".encode())
paint()
while key := os.read(0, 3):
    time.sleep(0.02)
    at += 1 if key == b"\\x1bOB" else -1
    paint()
"""
"""A program with a cursor that takes 20 ms to answer a key."""


def program(source: str, pattern: str = "row", count: int = 1) -> Program:
    return Program("sample", (sys.executable, "-I", "-c", source), rows(pattern, count))


def test_a_first_frame_is_complete_when_every_row_is_there() -> None:
    late = program("import time; print('row 1'); time.sleep(0.3); print('row 2'); time.sleep(9)", count=2)
    with late.begin() as terminal:
        assert 0.3 <= wait_ready(late, terminal) < 3


def test_a_program_that_ends_tells_why_it_did_not_start() -> None:
    broken = program("raise SystemExit('no network today')")
    with broken.begin() as terminal, pytest.raises(DidNotStartError, match="no network today"):
        wait_ready(broken, terminal)


def test_the_latency_of_a_key_is_that_of_its_effect() -> None:
    menu = program(MENU, count=39)
    cursor = Gesture("cursor", [Press(DOWN, CURSOR), Press(UP, CURSOR)])
    mistaken = Gesture("mistaken", [Press(DOWN, shows("no such thing")), Press(UP)])
    with menu.begin() as terminal:
        wait_ready(menu, terminal)
        measured = key_latencies(terminal, [cursor, mistaken], keys=6)
    taken = measured["cursor"]
    assert taken.unanswered == 0
    assert 0.02 <= taken.p50 <= taken.p99 <= taken.worst < 0.15
    assert measured["mistaken"].unanswered == 3


@pytest.mark.parametrize(
    ("effect", "before", "now", "seen"),
    [
        (shows("x"), ["a"], ["a x"], True),
        (shows("x"), ["x"], ["x"], False),
        (hides("x"), ["x"], ["a"], True),
        (hides("x"), ["a"], ["a"], False),
        (alters("^N"), ["a", "N 1"], ["b", "N 2"], True),
        (alters("^N"), ["a", "N 1"], ["b", "N 1"], False),
        (alters("^N"), ["N 1"], ["a"], False),
    ],
)
def test_an_effect_is_told_from_what_a_refresh_writes(
    effect: Effect, before: list[str], now: list[str], seen: bool
) -> None:
    assert effect.seen(before, now) is seen


def test_what_is_typed_is_taken_back_letter_by_letter() -> None:
    presses = typing("/", "^find", "^find ", "ab")
    screens = ["a list", "find ", "find a", "find ab", "find a", "find ", "a list"]
    for press, (before, now) in zip(presses, pairwise(screens), strict=True):
        assert press.effect is not None
        assert press.effect.seen([before], [now])


def test_the_cost_of_a_program_includes_its_children() -> None:
    burns = "print('row', flush=True)\nimport os, time\nos.fork()\nwhile True: time.sleep(0.001)"
    busy = program(burns)
    with busy.begin() as terminal:
        wait_ready(busy, terminal)
        cost = running(busy, terminal, warm_up=0.1, window=1.0)
        tree = pids_of_tree(terminal.pid)
        assert len(tree) == 2
        assert cpu_seconds(tree) > 0
        assert pss_bytes(tree) > 1_000_000
    assert cost.cpu > 0


def test_a_storm_counts_exactly() -> None:
    storm = run_storm(lambda: time.sleep(0.01), forks=300, seconds=0.1)
    assert (storm.forks, storm.exits) == (300, 300)


def test_what_a_listener_missed_of_a_storm_is_counted() -> None:
    lines = [
        json.dumps({"kind": "fork", "pid": 11, "ppid": 10}),
        json.dumps({"kind": "fork", "pid": 12, "ppid": 10}),
        json.dumps({"kind": "fork", "pid": 21, "ppid": 20}),
        json.dumps({"kind": "exit", "pid": 21, "ppid": 20}),
        json.dumps({"kind": "exit", "pid": 11, "ppid": None}),
    ]
    storm = Storm(frozenset({10}), forks=2, exits=2, seconds=0.1)
    assert missed(storm, lambda pids: count_events(lines, pids), patience=0) == Counted(forks=0, exits=1)


def test_a_figure_is_judged_by_its_ratio_to_the_peer() -> None:
    known = {"ss listing": Figure("ss listing", 4.0, "s")}
    (kept,) = judge("A", "listing", Figure("nettop listing", 1.0, "s"), known)
    (exceeded,) = judge("A", "listing", Figure("nettop listing", 1.1, "s"), known)
    (unknown,) = judge("A", "listing", Figure("nettop listing", 1.0, "s"), {})
    assert (kept.ok, exceeded.ok, unknown.ok) == (True, False, None)
