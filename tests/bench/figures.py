"""The sections of the benchmark: each measures on a standing lab and yields figures, a peer's before nettop's.

What cannot be measured is a figure too, with its reason as note.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple

from tests.bench import peers
from tests.bench.brief import run_brief
from tests.bench.churn import run_churn
from tests.bench.containers import measure as measure_containers
from tests.bench.gestures import GESTURES
from tests.bench.idle import measure as measure_idle
from tests.bench.keys import key_latencies
from tests.bench.lab import Lab
from tests.bench.measure import DidNotStartError, Program, first_frame, running, wait_ready
from tests.bench.record import measure as measure_record
from tests.bench.remote import measure as measure_remote
from tests.bench.serve import GUESTS, STALLED
from tests.bench.serve import measure as measure_serve
from tests.bench.storm import count_events, missed, run_storm

TIMES = 3
"""How often short things are measured; the middle one counts."""


class Figure(NamedTuple):
    """One measured value."""

    name: str
    """Program and what was measured: what a budget refers to."""
    value: float | None
    unit: str
    note: str = ""
    """Why there is no value, or what to know about it."""


def listing(lab: Lab) -> Iterator[Figure]:
    """Once every connection with its owners."""
    for program, measure in (
        ("ss", peers.list_with_ss),
        ("psutil", peers.list_with_psutil),
        ("nettop", lambda _: peers.list_with_nettop(rates=False)),
        ("nettop with rates", lambda _: peers.list_with_nettop(rates=True)),
    ):
        why = peers.nettop_missing() if program.startswith("nettop") else peers.missing("ss")
        # the middle of three: these machines are shared, and the first one finds every cache cold
        takes = [] if why else sorted((measure(lab) for _ in range(TIMES)), key=lambda take: take.wall)
        taken = takes[TIMES // 2] if takes else None
        if taken is None or taken.error:
            yield Figure(f"{program} listing", None, "s", why or (taken.error or "" if taken else ""))
        else:
            yield Figure(f"{program} listing", taken.wall, "s", f"{taken.cpu:.2f} s of processor time")


def run(_lab: Lab) -> Iterator[Figure]:
    """The screen, refreshed every second, untouched."""
    for program in (*peers.SCREENS, peers.NETTOP_SCREEN):
        names = [f"{program.name} {what}" for what in ("cpu", "memory", "bytes a second")]
        units = ("%", "MB", "KB")
        try:
            _require(program)
            with program.begin() as terminal:
                wait_ready(program, terminal)
                cost = running(program, terminal)
        except DidNotStartError as error:
            yield from (Figure(name, None, unit, str(error)) for name, unit in zip(names, units, strict=True))
            continue
        yield Figure(names[0], cost.cpu, units[0])
        yield Figure(names[1], cost.pss / (1 << 20), units[1])
        yield Figure(names[2], cost.written / 1e3, units[2], f"{cost.worst / 1e3:.1f} in the worst second")


def frame(_lab: Lab) -> Iterator[Figure]:
    """From the start of a program to its first complete frame."""
    for program in (*peers.SCREENS, peers.NETTOP_SCREEN):
        try:
            _require(program)
            yield Figure(
                f"{program.name} first frame", statistics.median(first_frame(program) for _ in range(TIMES)), "s"
            )
        except DidNotStartError as error:
            yield Figure(f"{program.name} first frame", None, "s", str(error))


def keys(_lab: Lab) -> Iterator[Figure]:
    """From a key to the first byte of its effect: the cursor, a filter as it is typed, and all else one does."""
    for program in (peers.SCREENS[0], peers.NETTOP_SCREEN):
        gestures = GESTURES[program.name]
        try:
            _require(program)
            with program.begin() as terminal:
                wait_ready(program, terminal)
                measured = key_latencies(terminal, gestures)
        except DidNotStartError as error:
            yield from (Figure(f"{program.name} {gesture.name} p99", None, "ms", str(error)) for gesture in gestures)
            continue
        for name, taken in measured.items():
            note = f"p50 {taken.p50 * 1e3:.1f}, worst {taken.worst * 1e3:.1f}"
            if taken.unanswered:
                note += f"; {taken.unanswered} keys without an answer"
            yield Figure(f"{program.name} {name} p99", taken.p99 * 1e3, "ms", note)


def written(lab: Lab) -> Iterator[Figure]:
    """Bytes to the terminal a tick, while nothing on the screen moves and while all of it does."""
    program = peers.NETTOP_SCREEN
    for lively, name in ((False, "nettop bytes a still tick"), (True, "nettop bytes a lively tick")):
        try:
            _require(program)
            lab.traffic(lively)
            with program.begin() as terminal:
                wait_ready(program, terminal)
                cost = running(program, terminal, window=10.0)
        except DidNotStartError as error:
            yield Figure(name, None, "KB", str(error))
        else:
            yield Figure(name, cost.written / 1e3, "KB", f"{cost.worst / 1e3:.1f} in the worst second")
        finally:
            lab.traffic(lively=True)


def storm(_lab: Lab) -> Iterator[Figure]:
    """20,000 forks in two seconds while the screen runs: how many were not counted."""
    program = peers.NETTOP_SCREEN
    names = ("nettop forks missed", "nettop exits missed")
    try:
        _require(program)
        with program.begin() as terminal, tempfile.TemporaryFile("w+") as events:
            wait_ready(program, terminal)
            with Popen([peers.NETTOP, "events", "--json", "-n", "0", "-d", "1"], stdout=events) as listener:
                try:
                    terminal.pump(3.0)  # let the listener subscribe
                    made = run_storm(lambda: terminal.pump(0.1))
                    told = Path(f"/proc/self/fd/{events.fileno()}")
                    left = missed(made, lambda pids: count_events(_lines(told), pids))
                finally:
                    listener.terminate()
    except DidNotStartError as error:
        yield from (Figure(name, None, "", str(error)) for name in names)
        return
    note = f"of {made.forks:,} in {made.seconds:.2f} s"
    yield Figure(names[0], left.forks, "", note)
    yield Figure(names[1], left.exits, "", note)


def brief(_lab: Lab) -> Iterator[Figure]:
    """1,000 short connections beside the lab: who has seen how much of them."""
    seen = run_brief()
    note = f"of {seen.made} made and {seen.failed} refused in {seen.seconds:.1f} s"
    yield Figure("ss short connections seen", _percent(seen.ss), "%", "asked once a second")
    yield Figure("nethogs short bytes seen", _percent(seen.nethogs.size), "%", seen.nethogs.note)
    yield Figure("nettop short miscounted", seen.miscounted, "", f"bytes, opens, accepts, failures, ends; {note}")
    yield Figure("nettop short wrong owners", seen.wrong, "")
    yield Figure("nettop short owners known", _percent(seen.owned), "%", "of both ends of each connection")
    yield Figure("nettop short messages lost", seen.lost, "", "and told")


def churn(_lab: Lab) -> Iterator[Figure]:
    """5,000 connections a second for 10 seconds, beside the lab: who has seen how much of it."""
    storm = run_churn()
    note = f"of {storm.connections:,} in {storm.seconds:.1f} s"
    yield Figure("ss connections seen", _percent(storm.ss.connections), "%", "asked once a second")
    yield Figure("nethogs bytes seen", _percent(storm.nethogs.size), "%", storm.nethogs.note)
    yield Figure("nettop connections seen", _percent(storm.nettop.connections), "%", note)
    yield Figure("nettop bytes seen", _percent(storm.nettop.size), "%")
    yield Figure("nettop messages lost", storm.lost, "", "and told")
    yield Figure("nettop owners known", _percent(storm.owned), "%", "of connections that ended")
    yield Figure("nettop memory grown", storm.grown / (1 << 20), "MB", "collector, when TIME-WAIT is over")


def containers(_lab: Lab) -> Iterator[Figure]:
    """What knowing the containers adds to a tick, with many of them."""
    try:
        cost = measure_containers()
    except OSError as error:
        yield Figure("nettop containers added", None, "%", str(error))
        return
    note = f"{1e3 * cost.containers:.1f} ms of a tick of {1e3 * cost.tick:.0f} ms; {cost.known} containers"
    yield Figure("nettop containers added", cost.added, "%", note)


def idle(_lab: Lab) -> Iterator[Figure]:
    """300 namespaces, nearly all idle, beside the same processes and sockets in one: the collector's cost of a tick."""
    cost = measure_idle()
    note = f"{1e3 * cost.many:.0f} ms of a tick, {1e3 * cost.one:.0f} ms in one namespace"
    yield Figure("nettop 300 idle namespaces", cost.ratio, "x", note)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def serve(_lab: Lab) -> Iterator[Figure]:
    """One service, and many who listen to it."""
    cost = measure_serve()
    note = (
        f"{cost.many:.1f} % of a processor with {GUESTS} guests, {STALLED} of them stalled, {cost.one:.1f} % with one"
    )
    yield Figure("nettop guests", cost.ratio, "x", note)
    yield Figure("nettop guests missed", float(cost.missed), "", "ticks that one reader was not told and another was")
    yield Figure("nettop without a guest", cost.idle, "%", "of a processor: a tick every ten seconds")


def record(_lab: Lab) -> Iterator[Figure]:
    """A day in a file, of a lab of its own."""
    day = measure_record()
    note = f"24 h at 1 s; {1000 * day.tick:.1f} ms of processor time a tick, in which {day.moving:.0f} sockets move"
    yield Figure("nettop a day of 1,000 sockets", day.size / 1e6, "MB", note)
    note = f"the longest of them; the middle one {day.jump:.3f} s, opening the file {day.opened:.3f} s"
    yield Figure("nettop jump to any time", day.longest, "s", note)


def remote(_lab: Lab) -> Iterator[Figure]:
    """Another machine, with a lab of its own."""
    cost = measure_remote()
    note = f"no nettop there: {cost.code / 1e3:.0f} KB of code are sent"
    yield Figure("nettop remote first picture", cost.first, "s", note)
    note = f"1,000 sockets; {cost.begun / 1e3:.0f} KB in the first seconds"
    yield Figure("nettop remote bytes a second", cost.second / 1e3, "KB", note)


SECTIONS: Mapping[str, Callable[[Lab], Iterator[Figure]]] = {
    "listing": listing,
    "running": run,
    "frame": frame,
    "keys": keys,
    "bytes": written,
    "storm": storm,
    "brief": brief,
    "churn": churn,
    "containers": containers,
    "idle": idle,
    "serve": serve,
    "record": record,
    "remote": remote,
}


def _require(program: Program) -> None:
    """DidNotStartError with the reason when a program is not installed."""
    if why := peers.nettop_missing() if program is peers.NETTOP_SCREEN else peers.missing(program.argv[0]):
        raise DidNotStartError(why)


def _lines(path: Path) -> Iterator[str]:
    """Complete lines of a file that is still written to."""
    with path.open() as file:
        for line in file:
            if line.endswith("\n"):
                yield line
