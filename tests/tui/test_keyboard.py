"""Keys are read in the application's loop: whole, at once, and whatever else the terminal sends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from textual import events
from textual.message import Message

from nettop.tui.keyboard import Keyboard

PATIENCE = 10.0


class Line:
    """A line to a keyboard, and what came of what was typed there."""

    def __init__(self) -> None:
        self._read, self.write_end = os.pipe()
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.keyboard = Keyboard(self._read, self._tell, lambda: self.heard.put_nowait("gone"))
        self.keyboard.listen(asyncio.get_running_loop())

    def type(self, data: bytes) -> None:
        os.write(self.write_end, data)

    async def next(self) -> str:
        return await asyncio.wait_for(self.heard.get(), PATIENCE)

    def _tell(self, message: Message) -> None:
        self.heard.put_nowait(message.key if isinstance(message, events.Key) else type(message).__name__)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    yield line
    line.keyboard.stop()


async def test_keys_are_told_in_the_order_they_come(line: Line) -> None:
    line.type(b"a\x1b[B\r")
    assert [await line.next() for _ in range(3)] == ["a", "down", "enter"]


async def test_esc_is_esc_when_nothing_follows(line: Line) -> None:
    line.type(b"\x1b")
    assert await line.next() == "escape"
    line.type(b"[")
    assert await line.next() == "left_square_bracket"


async def test_a_key_that_comes_in_two_pieces_is_one(line: Line) -> None:
    line.type(b"\x1b")
    await asyncio.sleep(0)
    line.type(b"[A")
    assert await line.next() == "up"


async def test_what_is_no_text_does_no_harm(line: Line) -> None:
    line.type(b"\xff\xfe")
    line.type(b"q")
    heard = [await line.next()]
    while heard[-1] != "q":
        heard.append(await line.next())


async def test_a_terminal_that_goes_away_is_told_once(line: Line) -> None:
    os.close(line.write_end)
    assert await line.next() == "gone"
    await asyncio.sleep(0)
    assert line.heard.empty()


async def test_nothing_is_read_after_the_end(line: Line) -> None:
    line.keyboard.stop()
    line.type(b"a")
    await asyncio.sleep(0)
    assert line.heard.empty()
