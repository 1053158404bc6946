"""Recordings made in a test: of streams made by hand, and what a plain view prints of their pictures."""

from __future__ import annotations

import collections
import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from nettop import wire
from nettop.fields import VIEWS
from nettop.jsonlines import json_lines
from nettop.model import PROTOCOLS_EVERY, Delta, ProtocolCounters
from nettop.recording.frames import RecordingError
from nettop.recording.player import Player
from nettop.recording.reader import Reader
from nettop.recording.recorder import Recorder
from nettop.recording.ticks import Tick
from nettop.recording.writer import NO_LIMITS, Limits, Writer
from nettop.snapshot import Snapshot
from nettop.store import Store
from tests.support import rows
from tests.support.streams import Machine


def printed(snapshot: Snapshot) -> dict[str, list[str]]:
    """What each plain view prints of a picture as JSON, in no order, and without the events, of which a picture of the
    past has fewer."""
    texts = {}
    for name, view in VIEWS.items():
        if name != "events":
            lines: list[str] = []
            json_lines(view, view.rows(snapshot), None, snapshot.time, snapshot.time, lines.append)
            texts[name] = sorted("".join(lines).splitlines())
    return texts


def tape(path: Path | None, deltas: Iterable[Delta], limits: Limits = NO_LIMITS) -> Iterator[Snapshot]:
    """Record a stream, and show each picture of it."""
    writer, store = Writer(path, limits), Store()
    recorder = Recorder(writer)
    try:
        for delta in deltas:
            collections.deque(recorder.take(delta, wire.encode(delta), store.key_frame), maxlen=0)
            if (picture := store.apply(delta)) is not None:
                yield picture
    finally:
        writer.close()


def busy(ticks: int, sockets: int = 20, every: float = 1.0, counting: bool = False) -> Iterator[Delta]:
    """A small machine on which something moves with every tick; `counting`: now and then what protocols count, too."""
    machine = Machine()
    machine.tables["host"][0] = rows.host()
    process = machine.start_process(10, comm="nginx")
    host = machine.add_namespace(rows.HOST_NETNS, kind="host")
    ids = [machine.open_socket(100 + n, machine.held(process)) for n in range(sockets)]
    for tick in range(ticks):
        machine.set("stats", ids[tick % sockets], rx_bytes=1000 * tick + tick * tick)
        if counting and tick % PROTOCOLS_EVERY == 3 and tick % 50 < 25:
            machine.tables["protocols"][host] = ProtocolCounters(*[tick * tick] * len(ProtocolCounters._fields))
        if tick % 7 == 6:
            machine.remove("sockets", ids[tick % sockets])
            ids[tick % sockets] = machine.open_socket(1000 + tick, machine.held(process))
        happened = (rows.event(time=rows.NOW + tick, kind="exec" if tick % 10 else "exit"),)
        yield machine.tell(every, key=tick == 0, events=happened)


def seek(player: Player, tick: Tick) -> Snapshot:
    """The picture of a tick."""
    *_, picture = player.seek(tick)
    assert picture is not None
    return picture


def opened(path: Path) -> Player:
    """The player of a file."""
    return Player(Reader.open(path))


def every_tick(player: Player) -> list[Tick]:
    """All there are."""
    first = player.ticks.first
    return [first, *player.ticks.after(first)]


def ticks_in(path: Path) -> int:
    """How many ticks a file has, which somebody may be about to begin."""
    try:
        with contextlib.closing(Reader.open(path)) as reader:
            return len(every_tick(Player(reader)))
    except (FileNotFoundError, RecordingError):
        return 0


def wait_for_ticks(path: Path, many: int, seconds: float = 60.0) -> int:
    """How many there are, when there are at least so many."""
    deadline = time.monotonic() + seconds
    while (told := ticks_in(path)) < many:
        assert time.monotonic() < deadline, f"{told} ticks are recorded, not {many}"
        time.sleep(0.05)
    return told
