"""The collector as a process of its own: Deltas out, requests in and answered, over one socket.

A process and not a thread: with 42,000 rows on screen a key was answered within 19 ms when alone, 44 ms beside a
collector thread, 19 ms beside a collector process; and a stalled terminal stops the screen, but not the reading of
events.

A reader that does not read is never waited for: what changed stays in the outbox, where later changes join it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Callable, Iterator, Optional

from nettop import requests, wire
from nettop.collector.answers import Desk
from nettop.collector.collector import Collector
from nettop.collector.link import Link
from nettop.collector.outbox import parts
from nettop.collector.pulse import Pulse
from nettop.collector.restraint import Restraint, cost_meter
from nettop.kernel.haste import Haste
from nettop.kernel.procfs import ProcFS
from nettop.memory import hold_little
from nettop.model import Delta
from nettop.requests import Answer, RequestError, SetInterval
from nettop.runtimes.places import PLACES, Places
from nettop.runtimes.runtimes import Runtimes

PART = 1_500
"""Rows a line carries at most: 5 ms to read."""


def serve(
    link: Link,
    interval: float,
    read_only: bool,
    max_cpu: Optional[float] = None,
    places: Places = PLACES,
    screen: int = 0,
    patience: float = 0.0,
    haste: Optional[Haste] = None,
) -> None:
    """Collect every `interval` seconds until nobody is at the other end of the link, and answer its requests.

    `read_only` refuses those that change something; `max_cpu` is the percentage of one processor that this process and
    the `screen`, if its parent is one, may use: pictures come more rarely then; `places` tell where container runtimes
    are found. The first picture waits up to `patience` seconds for what may come later, names of containers and
    addresses of interfaces; any `haste` ends with it. A line that is no request, and has no number to answer it by, is
    ignored."""
    proc = ProcFS()
    collector = Collector(proc, runtimes=Runtimes(places))
    pulse = Pulse(collector, Restraint(interval, max_cpu, cost_meter(proc, screen)))
    desk = Desk(collector.parts(), read_only)
    collector.start()
    try:
        while link.alive(time.monotonic()):
            if time.monotonic() >= pulse.due:
                tell = None if link.sending else (lambda delta: link.post(lines(delta, PART)))
                collector.tick(tell)
                if patience:
                    collector.read_links(wait=True)
                    collector.read_names(patience)
                    patience = 0.0
                if tell is not None:
                    tell(collector.take())
                if haste is not None:
                    haste.end()
                pulse.rest()
            # who does not read is not listened to either: no more answers wait for it than it was told of
            now = time.monotonic()
            reading = [desk, *collector.watched(now)] if link.sending else [desk, *collector.watched(now), link]
            writing = [link.outlet] if link.sending else []
            pause = max(0.0, min(pulse.due, desk.due, collector.due(now)) - now)
            ready, writable, _ = select.select(reading, writing, [], pause)
            collector.catch_up(time.monotonic())
            if writable:
                link.send()
            for line in link.receive() if link in ready else ():
                wish = _take(line, desk)
                if wish is not None:
                    pulse.change(wish)
            for reply in desk.replies():
                link.post([wire.encode_reply(reply)])
    finally:
        desk.close()
        collector.close()


def _take(line: bytes, desk: Desk) -> Optional[float]:
    """Give a request to whoever does it; the new interval where it asks for one."""
    try:
        number, request = requests.decode(line)
    except RequestError as error:
        if error.number is not None:
            desk.answer(error.number, Answer(False, str(error)))
        return None
    if isinstance(request, SetInterval):
        desk.answer(number, Answer(True, f"every {request.seconds:g} seconds"))
        return request.seconds
    desk.take(number, request)
    return None


def lines(delta: Delta, size: int) -> Iterator[bytes]:
    """A Delta as lines of at most `size` rows; of fewer where long texts would make one longer than a reader takes:
    a program may fill 4 KB of arguments with characters that take six bytes each."""
    for part in parts(delta, size):
        line = wire.encode(part)
        if len(line) <= wire.MAX_LINE or size == 1:
            yield line
        else:
            yield from lines(part, size // 2)


def run(
    connection: socket.socket,
    interval: float,
    complaints: int,
    read_only: bool,
    max_cpu: Optional[float],
    places: Places,
) -> int:
    """The life of the collector process: `serve`, alone. Returns its exit status.

    `complaints` is a file descriptor for the one line that says why it ended, if it ended by itself. The screen has
    nothing to show before the first picture, and imports 0.2 s of code meanwhile: with two processors and
    40,000 sockets, the picture is there 60 ms sooner if the collector does not wait for that."""
    os.setsid()  # the terminal's signals are the screen's business
    screen, haste = os.getppid(), Haste()

    def work() -> None:
        serve(Link(connection), interval, read_only, max_cpu, places, screen, haste=haste)

    return unattended(complaints, work)


def unattended(complaints: int, work: Callable[[], None]) -> int:
    """Do the work of a process that has no terminal and that nobody looks at. Returns its exit status."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    gc.freeze()
    gc.disable()  # hundreds of thousands of rows without a cycle: looking for one takes longer than a tick
    try:
        work()
    except Exception as error:  # whatever it is, the screen must say it
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{os.path.basename(where.tb_frame.f_code.co_filename)}:{where.tb_lineno}" if where else "?"
        os.write(complaints, f"{type(error).__name__}: {error} ({place})\n".encode(errors="replace"))
        return 1
    return 0


def main() -> None:
    """`python -m nettop.collector.child CONNECTION_FD INTERVAL COMPLAINTS_FD READ_ONLY MAX_CPU PLACES`: one that is
    started again; READ_ONLY is 0 or 1, MAX_CPU 0 for no limit, PLACES a JSON object."""
    hold_little()
    connection, interval, complaints, read_only, max_cpu, told = sys.argv[1:7]
    ours = socket.socket(fileno=int(connection))
    places = {runtime: tuple(paths) for runtime, paths in json.loads(told).items()}
    sys.exit(run(ours, float(interval), int(complaints), read_only != "0", float(max_cpu) or None, places))


if __name__ == "__main__":
    main()
