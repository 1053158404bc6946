"""What may come from another machine: a stream, and whatever else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettop import wire
from nettop.live import Live
from nettop.model import TABLES
from nettop.remote import bounds, pump
from nettop.remote.far import Duplex, Squeezed
from nettop.remote.origin import Remote
from nettop.remote.pump import Pump, Tail
from nettop.requests import Answer, Reply
from nettop.snapshot import Snapshot
from nettop.wire import WireError
from tests.support.deltas import delta
from tests.support.rows import event, process_row
from tests.support.taping import busy


class Pumped:
    """A pump between pipes, and a listener that takes everything."""

    def __init__(self, data: bytes) -> None:
        self.output, write = os.pipe()
        self.complaints, silent = os.pipe()
        ours, theirs = socket.socketpair()
        self.pump = Pump(self.output, self.complaints, theirs, lambda: None)
        thread = threading.Thread(target=self.pump.run, args=(b"",))
        thread.start()
        feeder = threading.Thread(target=self._feed, args=(write, data))
        feeder.start()
        self.pieces = []
        while piece := ours.recv(1 << 20):
            self.pieces.append(piece)
        thread.join(10)
        assert not thread.is_alive()
        for end in (self.output, self.complaints, silent):
            os.close(end)
        feeder.join(10)
        ours.close()
        theirs.close()

    @staticmethod
    def _feed(descriptor: int, data: bytes) -> None:
        with os.fdopen(descriptor, "wb") as file:
            try:
                file.write(data)
                file.flush()
            except BrokenPipeError:
                pass


def test_lines_come_out_as_they_went_in() -> None:
    near, far = os.pipe()
    link = Squeezed(Duplex(os.open(os.devnull, os.O_RDONLY), far))
    lines = [b"%d\n" % number for number in range(1000)]
    link.post(lines[:500])
    link.post(lines[500:])
    link.close()
    with os.fdopen(near, "rb") as read:
        assert b"".join(Pumped(read.read()).pieces) == b"".join(lines)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300), st.binary(max_size=20))
def test_a_broken_stream_ends_with_a_reason(noise: bytes, place: int, wrong: bytes) -> None:
    squeezed = zlib.compress(noise)
    broken = squeezed[:place] + wrong + squeezed[place + len(wrong) :]
    pumped = Pumped(broken)
    assert pumped.pump.ended
    assert pumped.pump.reason in ("", "what it sends is no stream", "it has ended the stream")


def test_what_expands_without_end_comes_in_pieces_and_only_as_fast_as_it_is_taken() -> None:
    bomb = zlib.compressobj()
    data = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(200)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    assert len(data) < 1 << 18, "all of it in one reading"
    output, write = os.pipe()
    complaints, silent = os.pipe()
    os.set_blocking(write, False)
    os.write(write, data[: 1 << 16])
    ours, theirs = socket.socketpair()
    made = Pump(output, complaints, theirs, lambda: None)
    thread = threading.Thread(target=made.run, args=(b"",))
    before = memory()
    thread.start()
    for _ in range(10):
        assert len(ours.recv(1 << 10)) == 1 << 10
    assert memory() - before < 8 << 20
    made.stop = True
    ours.close()
    thread.join(10)
    assert not thread.is_alive()
    for end in (output, write, complaints, silent):
        os.close(end)
    theirs.close()


def memory() -> int:
    """Bytes that this process holds."""
    import psutil

    return int(psutil.Process().memory_info().rss)


@pytest.mark.parametrize("table", [name for name in TABLES if name not in ("stats", "closed", "nat", "datagrams")])
def test_rows_without_end_are_not_believed(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_ROWS", 100)
    row = tuple(None for _ in TABLES[table]._fields)
    checked = bounds.Bounds()
    for start in range(0, 1000, 50):
        checked.check(delta({table: dict.fromkeys(range(50), row)}, key=start == 0))
        checked.check(delta({table: dict.fromkeys(range(50, 90), row)}))
        checked.check(delta({}, gone={table: list(range(50, 90))}))
    with pytest.raises(WireError, match="it claims more than 100 rows"):
        checked.check(delta({table: dict.fromkeys(range(1000, 1060), row)}))


def test_names_without_end_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_TEXT", 100_000)
    checked = bounds.Bounds()

    def processes(count: int, size: int) -> dict[str, dict[int, Any]]:
        return {"processes": {i: process_row(pid=i + 1, command="x" * size).process for i in range(count)}}

    for _ in range(20):
        checked.check(delta(processes(10, 5000)))
        checked.check(delta(processes(10, 10)))
    with pytest.raises(WireError, match="of names"):
        checked.check(delta(processes(30, 5000)))


def test_an_event_is_no_novel() -> None:
    with pytest.raises(WireError, match="an event"):
        bounds.Bounds().check(delta({}, events=(event(detail="x" * 20_000),)))


class Fed(Remote):
    """A far end that says what a test wants it to, once."""

    def __init__(self, said: bytes) -> None:
        super().__init__("web-01", 1.0)
        self._said = said

    async def open(self) -> socket.socket:
        self.output, write = os.pipe()
        self.complaints, silent = os.pipe()
        ours, theirs = socket.socketpair()
        self.pump = Pump(self.output, self.complaints, theirs, lambda: None)
        os.close(silent)

        def feed() -> None:
            with os.fdopen(write, "wb") as file, contextlib.suppress(BrokenPipeError):
                file.write(self._said)

        def carry() -> None:
            self.pump.run(b"")
            for end in (self.output, self.complaints):
                os.close(end)
            theirs.close()

        self.ours, self.threads = ours, [threading.Thread(target=each) for each in (feed, carry)]
        for thread in self.threads:
            thread.start()
        return ours

    def close(self, patience: float = 0.0) -> str:
        del patience
        self.pump.stop = True
        self.ours.close()
        return self.pump.reason or "it has ended"


def squeezed(lines: bytes) -> bytes:
    stream = zlib.compressobj()
    return stream.compress(lines) + stream.flush(zlib.Z_SYNC_FLUSH)


async def heard(said: bytes) -> tuple[list[Snapshot], str, float]:
    """The pictures of what a far end says, why it was given up, and the longest that a key had to wait."""
    fed, pictures, notices = Fed(said), list[Snapshot](), list[str | None]()
    source = Live(fed)
    running = asyncio.create_task(source.run(pictures.append, notices.append))
    longest, deadline = 0.0, time.monotonic() + 20
    while not any(notices):
        turn = time.monotonic()
        await asyncio.sleep(0)
        longest = max(longest, time.monotonic() - turn)
        assert turn < deadline
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    source.close()
    for thread in fed.threads:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()
    return pictures, next(notice for notice in notices if notice), longest


LINES = b"".join(map(wire.encode, busy(3)))


async def test_a_whole_stream_is_shown() -> None:
    pictures, reason, _ = await heard(squeezed(LINES))
    assert len(pictures) == 3
    assert reason == "web-01: the connection ended (it has ended); connecting again"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_said_nothing_breaks_and_keys_are_answered(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(LINES)))
    wrong = data.draw(st.binary(max_size=30) | st.sampled_from([b"\n" * 10_000, b"[" * 10_000, b"1e999", b'"all":-1']))
    lines = LINES[:place] + wrong + LINES[place + data.draw(st.integers(0, 30)) :]
    said = squeezed(lines)
    if data.draw(st.booleans()):
        cut = data.draw(st.integers(0, len(said)))
        said = said[:cut] + data.draw(st.binary(max_size=10)) + said[cut + data.draw(st.integers(0, 10)) :]
    pictures, reason, longest = asyncio.run(heard(said))
    assert len(pictures) <= 3
    assert reason.startswith("web-01: the connection ended (")
    assert longest < 1.0


def test_a_line_without_end_is_given_up_before_it_fills_the_memory() -> None:
    before = memory()
    stream = zlib.compressobj()
    bomb = b"".join(stream.compress(b" " * (1 << 20)) for _ in range(256)) + stream.flush(zlib.Z_SYNC_FLUSH)
    _, reason, longest = asyncio.run(heard(bomb))
    assert f"a line longer than {wire.MAX_LINE} bytes" in reason
    assert memory() - before < 3 * wire.MAX_LINE
    assert longest < 1.0


async def test_answers_without_end_leave_time_for_keys() -> None:
    answers = wire.encode_reply(Reply(7, Answer(True, "yes"))) * 100_000
    _, _, longest = await heard(squeezed(answers))
    assert longest < 0.2


def test_silence_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "_LOOK", 0.01)
    output, write = os.pipe()
    complaints, silent = os.pipe()
    ours, theirs = socket.socketpair()
    made = Pump(output, complaints, theirs, lambda: None)
    made.quiet = 0.05
    made.run(b"")
    assert made.reason == "nothing has come for 0 seconds"
    assert ours.recv(1) == b""
    for end in (output, write, complaints, silent):
        os.close(end)
    ours.close()
    theirs.close()


@given(st.lists(st.binary(max_size=3000), max_size=5))
def test_complaints_are_one_line_that_is_safe_to_print(parts: list[bytes]) -> None:
    tail = Tail()
    for part in parts:
        tail.take(part)
    assert len(tail.last) <= 200
    assert "\x1b" not in tail.last
    assert "\n" not in tail.last


def test_the_last_word_is_the_reason() -> None:
    tail = Tail()
    tail.take(b"Welcome!\r\nroot@web-01: Permission denied (publickey).\r\n\r\n")
    assert tail.last == "root@web-01: Permission denied (publickey)"
