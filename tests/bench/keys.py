"""How long a program on a terminal takes from a key to its effect."""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pyte

from tests.bench.gestures import Effect, Gesture
from tests.bench.terminal import COLUMNS, LINES, Chunk, Terminal

SETTLING = 2.0
"""Seconds before the first key of a gesture."""

APART = (0.08, 0.17)
"""Seconds from a key to the next one, at random so that keys come at all phases of a program's refresh."""


class Latencies(NamedTuple):
    """Time from a key to the first byte of its effect, in seconds."""

    p50: float
    p99: float
    worst: float
    unanswered: int
    """Keys whose effect was not seen before the next key: they count as if it had been seen then."""


class _Pressed(NamedTuple):
    """A key that was pressed, as part of which gesture, and when: time.monotonic()."""

    gesture: str
    at: float
    effect: Effect | None


class _Answer(NamedTuple):
    """What came of it."""

    gesture: str
    seconds: float
    """Until its effect, or the next key."""
    seen: bool


def key_latencies(terminal: Terminal, gestures: Sequence[Gesture], keys: int = 160) -> Mapping[str, Latencies]:
    """Do each gesture until so many keys were pressed, and see when each of them has had its effect; by the gesture's
    name. What a refresh writes in between does not count.
    """
    dice = random.Random(1)
    pressed = []
    for gesture in gestures:
        terminal.press(gesture.prepare)
        terminal.pump(SETTLING)
        for press in [*gesture.presses] * math.ceil(keys / len(gesture.presses)):
            pressed.append(_Pressed(gesture.name, terminal.press(press.key), press.effect))
            terminal.pump(dice.uniform(*APART))
    answers = list(_answers(terminal.chunks, pressed))
    return {
        gesture.name: _summary([answer for answer in answers if answer.gesture == gesture.name]) for gesture in gestures
    }


def _answers(chunks: Sequence[Chunk], pressed: Sequence[_Pressed]) -> Iterator[_Answer]:
    """For each key that is measured, when its effect was on the screen."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    waiting = deque(chunks)
    ends = [*(key.at for key in pressed[1:]), time.monotonic()]
    for key, end in zip(pressed, ends, strict=True):
        while waiting and waiting[0].at < key.at:
            stream.feed(waiting.popleft().data)
        if key.effect is None:
            continue
        before, answer = key.effect.look(screen), None
        while answer is None and waiting and waiting[0].at < end:
            chunk = waiting.popleft()
            stream.feed(chunk.data)
            if key.effect.seen(before, key.effect.look(screen)):
                answer = chunk.at
        yield _Answer(key.gesture, (answer or end) - key.at, answer is not None)


def _summary(answers: Sequence[_Answer]) -> Latencies:
    taken = sorted(answer.seconds for answer in answers)
    p50, p99 = (taken[int((len(taken) - 1) * share)] for share in (0.5, 0.99))
    return Latencies(p50, p99, taken[-1], sum(not answer.seen for answer in answers))
