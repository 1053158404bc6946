"""`nettop record` on this machine, what is printed and shown of it, and going back over the last minutes."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nettop import live, moments, wire
from nettop.collector import spawn
from nettop.collector.collector import Collector
from nettop.model import Delta
from nettop.origin import Child
from nettop.recording import recorder
from nettop.recording.past import Past
from nettop.recording.reader import Reader
from nettop.recording.recorder import Recorder
from nettop.recording.writer import Writer
from nettop.snapshot import Snapshot
from nettop.store import Store
from tests.support import taping, terminal
from tests.support.sockets import SocketRoom

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="root sees all processes and sockets"),
]

NETTOP = (sys.executable, "-m", "nettop")


@contextmanager
def recording(path: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`nettop record` while the block runs, from its second tick on."""
    command = [*NETTOP, "record", str(path), "-d", "0.3", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            taping.wait_for_ticks(path, 2)
            yield running
        finally:
            running.kill()


def printed(*arguments: str) -> list[dict[str, object]]:
    """The rows a plain view prints as JSON."""
    done = subprocess.run([*NETTOP, *arguments, "--json"], capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_is_shown_of_a_time_is_what_was_printed_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every view of every tick, from wherever one comes, over many key frames; while connections come, go and move."""
    monkeypatch.setattr(recorder, "EVERY", 1.0)
    path = tmp_path / "a.rec"
    writer, store, collector = Writer(path), Store(), Collector()
    taking, printed_then = Recorder(writer), {}
    collector.start()
    with SocketRoom() as room:
        pairs = [room.tcp_pair() for _ in range(3)]
        for number in range(40):
            pairs[number % 3][0].sendall(bytes(1000 * number))
            if number % 4 == 0:
                room.tcp_pair()[0].close()
                subprocess.run(["true"], check=True)
            parts: list[Delta] = []
            collector.tick(parts.append)
            collector.read_links()
            for delta in (*parts, collector.take()):
                line = wire.encode(delta)
                collections.deque(taking.take(delta, line, store.key_frame), maxlen=0)
                if (picture := store.apply(delta)) is not None:
                    printed_then[picture.time] = taping.printed(picture)
            time.sleep(0.1)
    collector.close()
    writer.close()
    player = taping.opened(path)
    ticks = taping.every_tick(player)
    assert [player.ticks.time(tick) for tick in ticks] == list(printed_then)
    assert len(Reader.open(path).segments) > 3
    random.Random(3).shuffle(ticks)
    for tick in ticks:
        assert taping.printed(taping.seek(player, tick)) == printed_then[player.ticks.time(tick)]


def test_a_plain_view_tells_of_any_time_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    with SocketRoom() as room:
        near, _ = room.tcp_pair()
        port = near.getsockname()[1]
        with recording(path, "-f", f"port={port}"):
            before = time.time()
            near.close()
            deadline = time.monotonic() + 30
            while printed("connections", "--from", str(path), "-f", "state=ESTAB"):
                assert time.monotonic() < deadline, "it is open still"
        then = printed("connections", "--from", str(path), "--at", str(before))
        assert {port} & {row["lport"] for row in then}
        assert all(port in (row["lport"], row["rport"]) for row in then)
        several = printed("connections", "--from", str(path), "--between", "start", "end")
        assert len({row["time"] for row in several}) >= 2
        assert printed("processes", "--from", str(path), "--at", str(before)), "who holds it is kept with it"


def test_tables_of_several_times_say_of_which_each_is(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    times = [moments.write(picture.time) for picture in taping.tape(path, taping.busy(4))]
    command = [*NETTOP, "processes", "--from", str(path), "--between", "start", "end"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert [line for line in said if line in times] == times
    without = subprocess.run([*command, "--no-header"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert not set(times) & set(without.splitlines())


def test_it_goes_on_after_a_kill_and_ends_by_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    for ending in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        before = taping.ticks_in(path)
        with recording(path) as running:
            taping.wait_for_ticks(path, before + 2)
            running.send_signal(ending)
            assert running.wait(20) == (-ending if ending == signal.SIGKILL else 0)
        assert taping.ticks_in(path) >= before + 2
    reader = Reader.open(path)
    assert not reader.damage
    assert len(reader.segments) >= 3


def fill(path: Path) -> None:
    """Write a file until the disk is full, which raises OSError."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 12))


def test_on_a_full_disk_it_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16M", "tmpfs", str(tmp_path)], check=True)
    try:
        path, filler = tmp_path / "a.rec", tmp_path / "filler"
        with recording(path) as running:
            with pytest.raises(OSError, match="No space left"):
                fill(filler)
            assert running.stderr is not None
            assert running.stderr.readline().endswith(
                "No space left on device; nothing is recorded until there is room\n"
            )
            told = taping.ticks_in(path)
            filler.unlink()
            assert running.stderr.readline().endswith("there is room again: recording goes on\n")
            taping.wait_for_ticks(path, told + 2)
        assert not Reader.open(path).damage
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["processes", "--from", "{file}", "--at", "noon"], "--at: 'noon' is no time"),
        (["processes", "--from", "{file}", "--at", "start-1h"], "--at: it begins at"),
        (["processes", "--from", "{file}", "--at", "end", "--between", "start", "end"], "which one?"),
        (["processes", "--from", "/etc/passwd"], "/etc/passwd: it is no recording of nettop"),
        (["replay", "{file}"], "needs a terminal"),
        (["record", "/etc/passwd"], "/etc/passwd: it is no recording of nettop"),
        (["record", "{file}", "--max-size", "5"], "no size"),
        (["record", "{file}", "--max-age", "never"], "no time"),
        (["record", "{file}", "-f", "rate>"], "--filter, column"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    path = tmp_path / "a.rec"
    for _ in taping.tape(path, taping.busy(5)):
        pass
    told = [argument.replace("{file}", str(path)) for argument in arguments]
    done = subprocess.run([*NETTOP, *told], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (2, 3)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_replay_in_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    for _ in taping.tape(path, taping.busy(100)):
        pass
    reader = Reader.open(path)
    first = reader.frames(0)[0].header.time
    with terminal.run(["-m", "nettop", "replay", str(path)], (120, 40)) as shown:
        shown.shows(lambda text: moments.write(first) in text and "nginx" in text)
        shown.press("\x1b[C\x1b[1;2C")  # → and Shift-→
        shown.shows(lambda text: moments.write(first + 61) in text)
        shown.press("q")
        assert shown.wait() == 0


async def test_one_goes_back_over_the_last_minutes_and_returns() -> None:
    pictures: list[Snapshot] = []
    past = Past()
    source = live.Live(Child(spawn.fork(0.2), 0.2), past)
    printed_then: dict[float, dict[str, list[str]]] = {}

    def show(picture: Snapshot) -> None:
        pictures.append(picture)
        now = taping.printed(picture)
        assert printed_then.setdefault(picture.time, now) == now, "what was shown once is the same again"

    running = asyncio.create_task(source.run(show, lambda _: None))

    async def until(condition: object) -> None:
        async with asyncio.timeout(60):
            while not condition():  # type: ignore[operator]
                await asyncio.sleep(0.01)

    try:
        await until(lambda: len(pictures) >= 6)
        past.begin()
        assert past.journey is not None
        stopped = pictures[-1].time
        journey = past.journey
        journey.step(-2)
        await until(lambda: pictures[-1].time < stopped)
        assert pictures[-1].time in printed_then, "it was shown before, and is the same now"
        assert not (await source.ask(None)).ok  # type: ignore[arg-type]  # whatever it is
        back = len(pictures)
        await until(lambda: journey.span[1] > stopped)
        assert len(pictures) == back, "the present goes on, and does not show through"
        past.end()
        await until(lambda: past.journey is None)
        returned = pictures[-1].time
        await until(lambda: len(pictures) >= back + 4)
        times = [picture.time for picture in pictures[back:]]
        assert times == sorted(times)
        assert times[-1] > returned > stopped
        assert all(picture.interval for picture in pictures[back:]), "it is the same stream still"
    finally:
        running.cancel()
        source.close()
