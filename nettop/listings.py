"""The plain views: listings of one view, of this machine as it is or of a recording as it was."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import itertools
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from nettop.errors import NothingReadableError, UsageError
from nettop.fields import VIEWS, View, of_machines, unknown_field
from nettop.requests import SHORTEST

if TYPE_CHECKING:
    from nettop.order import Order
    from nettop.query import Query, QueryError
    from nettop.remote.origin import Remote
    from nettop.service.client import Feed
    from nettop.snapshot import Snapshot
    from nettop.store import Store

DELAY = 1.0
"""Seconds between two listings, unless asked otherwise."""
NAMES_WITHIN = 0.3
"""Seconds a first listing waits for what runtimes call their containers; it takes them some milliseconds."""
SAMPLE_GAP = 0.5
"""Seconds between the two samples that the rates of a first listing need."""
PATIENCE = 5.0
"""Seconds a listing of several machines waits for those that are reached and have not told anything yet."""
MANY = 10_000
"""Rows of which JSON is made on two processors: of 42,000 in 0.3 s, on one in 0.54 s."""
OWN_SHARE = 0.53
"""The part that is made here: the other process has to begin, and to copy each page that both write to."""
_FAREWELL = 1.0
"""Seconds ssh may take to say why it has ended."""
LOG = 1_000_000
"""Events of one interval that `nettop events` prints: all, unless memory is at stake."""


def run(options: argparse.Namespace) -> None:
    """Print the listings that the arguments ask for; raises UsageError and NothingReadableError."""
    from nettop import batch, moments
    from nettop.query import QueryError

    names: dict[int, str] = {}
    view = of_machines(VIEWS[options.command], names, several=len(options.hosts) > 1)
    columns = _columns(options.columns, view)
    query, order = _query(options.filter, view), _order(options.sort or view.sort, view)
    first = view.first()
    told = _recorded(options, view) if options.recording else _present(options, view)
    seen = told.events_before
    for listing, picture in enumerate(told.pictures):
        snapshot = picture
        names.update(snapshot.names())
        if not (snapshot.processes or snapshot.connections):
            raise NothingReadableError("nothing can be read here; is /proc mounted?")
        if view.name == "events":
            snapshot = dataclasses.replace(snapshot, events=batch.new_events(snapshot, seen))
            seen = snapshot.events_total
        try:
            rows = batch.select(snapshot, view, query, order, options.limit, snapshot.time, ended=options.closed)
        except QueryError as error:  # a regular expression that takes for ever shows only on the rows
            raise _bad_filter(error) from None
        shown = view if snapshot.interval is not None else first
        if options.json:
            print_json(shown, rows, columns, snapshot.time)
        else:
            if listing and view.name != "events":
                sys.stdout.write("\n")
            header = not options.no_header and not (listing and view.name == "events")
            if options.between and header and view.name != "events":
                sys.stdout.write(f"{moments.write(snapshot.time)}\n")
            room = os.get_terminal_size().columns if columns is None and sys.stdout.isatty() else None
            batch.table(shown, rows, columns, snapshot.time, header, sys.stdout.write, room)
        sys.stdout.flush()
        gc.freeze()  # what the first listing made stays; from here on garbage is looked for among the young
        gc.enable()


def print_json(view: View, rows: Sequence[Any], columns: Sequence[str] | None, time: float) -> None:
    """Rows as JSON lines on stdout, as `json_lines`; of many the last part is made by another processor meanwhile."""
    from nettop.errand import Errand
    from nettop.jsonlines import json_lines

    share = OWN_SHARE if len(rows) >= MANY and len(os.sched_getaffinity(0)) > 1 else 1
    own = int(len(rows) * share)
    first, second = rows[:own], rows[own:]

    def encode(file: BinaryIO) -> None:
        json_lines(view, second, columns, time, time, lambda text: file.write(text.encode()))

    errand = Errand.send(encode) if second else None
    json_lines(view, first, columns, time, time, sys.stdout.write)
    if errand:
        lines = errand.wait()
        if errand.whole:
            sys.stdout.flush()
            sys.stdout.buffer.write(lines)
            return
    json_lines(view, second, columns, time, time, sys.stdout.write)


class Told(NamedTuple):
    """What is listed."""

    events_before: int
    """Events before the first picture's own."""
    pictures: Iterator[Snapshot]


def _recorded(options: argparse.Namespace, view: View) -> Told:
    """Pictures of a recording: of one moment, or of all between two. Raises OSError and RecordingError."""
    from pathlib import Path

    from nettop import moments
    from nettop.recording.player import Player
    from nettop.recording.reader import Reader
    from nettop.store import EVENTS_KEPT

    if options.at and options.between:
        raise UsageError("--at is one moment, --between many: which one?")
    reader = Reader.open(Path(options.recording))
    player = Player(reader, LOG if view.name == "events" else EVENTS_KEPT)
    ticks = player.ticks
    start, end = ticks.time(ticks.first), ticks.time(ticks.last)
    wanted = options.between or [options.at or "end"] * 2
    try:
        since, until = (moments.parse(text, start, end, end) for text in wanted)
    except ValueError as error:
        raise UsageError(f"{'--between' if options.between else '--at'}: {error}") from None
    if not options.between and since < start:
        raise UsageError(f"--at: it begins at {moments.write(start)}")
    first = ticks.at(since)
    if options.between and ticks.time(first) < since:
        first = ticks.move(first, 1)
    frame = ticks.frame(first)

    def pictures() -> Iterator[Snapshot]:
        shown, due = 0, since
        for tick in itertools.chain((first,), ticks.after(first)):
            time = ticks.time(tick)
            if time > until and options.between:
                break
            if time >= due or not options.between:
                *_, picture = player.seek(tick)
                assert picture is not None, "the last step yields one"
                yield picture
                shown, due = shown + 1, time + (options.delay or 0.0)
            if shown == (options.count or (None if options.between else 1)):
                break
        for sentence in reader.damage:
            print(f"nettop: {options.recording}: {sentence}", file=sys.stderr)

    return Told(frame.events_before, pictures())


def _present(options: argparse.Namespace, view: View) -> Told:
    """Pictures of other machines that were named; of this one from a service where there is one for us, else from a
    collector in this process."""
    from nettop.service import client
    from nettop.store import EVENTS_KEPT, Store

    kept = LOG if view.name == "events" else EVENTS_KEPT
    store = Store(events_kept=kept)
    if len(options.hosts) > 1:
        return _several(options, view, kept)
    if options.hosts:
        return _remote(options, view, store, kept)
    began = time.time()
    connection = None if options.no_service else client.find(options.connect, _say)
    if connection is None:
        return Told(0, _paced(options, view, _own_pictures(store, kept, view)))
    feed = client.Feed(connection, kept)
    first = _next_served(feed, store, 0.0)
    if options.no_rates and first.time < began:  # a tick before we came: what was started since is not in it
        first = _next_served(feed, store, SHORTEST)
    return Told(first.events_total, _paced(options, view, _served_pictures(feed, store, first)))


def _remote(options: argparse.Namespace, view: View, store: Store, events_kept: int) -> Told:
    """Pictures of another machine."""
    from nettop.service.client import Feed

    remote = _far(options)(options.hosts[0])
    feed = Feed(remote.connect(NAMES_WITHIN), events_kept, remote.host, remote.take)

    def pictures() -> Pictures:
        try:
            yield from _served_pictures(feed, store, _next_served(feed, store, 0.0))
        except ConnectionResetError as error:
            raise ConnectionResetError(f"{error}: {remote.close(_FAREWELL)}") from None
        finally:
            remote.close()

    return Told(0, _paced(options, view, pictures()))


def _several(options: argparse.Namespace, view: View, events_kept: int) -> Told:
    """Pictures of several other machines together."""
    from nettop import fleet

    origins = fleet.reach(options.hosts, _far(options), _say)
    source = fleet.Fleet(origins, options.delay or DELAY, events_kept, patience=PATIENCE)
    return Told(0, _paced(options, view, fleet.pictures(source, _say)))


def _far(options: argparse.Namespace) -> Callable[[str], Remote]:
    """What makes an origin of a machine that was named."""
    from nettop.config import ConfigError
    from nettop.config.files import load_config
    from nettop.remote.origin import Remote

    try:
        ssh = load_config(options.config, os.environ)[0].ssh
    except ConfigError as error:
        raise UsageError(str(error)) from None
    return lambda host: Remote(host, options.delay or DELAY, True, options.sudo, options.max_cpu, ssh)


def _say(sentence: str) -> None:
    print(f"nettop: {sentence}", file=sys.stderr)


Pictures = Generator["Snapshot", float, None]
"""The first picture at once, then each so many seconds after the one before as it is sent."""


def _paced(options: argparse.Namespace, view: View, pictures: Pictures) -> Iterator[Snapshot]:
    """Those of the pictures that are listed, `options.count` of them."""
    delay = options.delay or DELAY
    gap = delay if view.name == "events" else 0.0 if options.no_rates else min(SAMPLE_GAP, delay)
    with contextlib.closing(pictures):
        snapshot = next(pictures)
        for listing in itertools.count(1):
            if gap:
                snapshot = pictures.send(gap)
            yield snapshot
            if listing == (1 if options.count is None else options.count):
                return
            gap = delay


def _own_pictures(store: Store, events_kept: int, view: View) -> Pictures:
    """From a collector in this process."""
    from nettop.collector.collector import Collector

    try:
        collector = Collector(events_kept=events_kept)
    except OSError as error:
        raise NothingReadableError(f"nothing can be read here: {error}; is /proc mounted?") from None
    collector.start()
    with contextlib.closing(collector):
        due = time.monotonic()
        collector.tick(store.apply)
        if view.name == "namespaces":
            collector.read_links(wait=True)
        collector.read_names(NAMES_WITHIN)
        while True:
            snapshot = store.apply(collector.take())
            assert snapshot is not None, "a Delta taken whole completes a picture"
            due += yield snapshot
            time.sleep(max(0.0, due - time.monotonic()))
            collector.tick(store.apply)
            if view.name == "namespaces":
                collector.read_links()


def _served_pictures(feed: Feed, store: Store, first: Snapshot) -> Pictures:
    """From a service that has told the first one."""
    with contextlib.closing(feed):
        snapshot = first
        while True:
            snapshot = _next_served(feed, store, (yield snapshot))


def _next_served(feed: Feed, store: Store, after: float) -> Snapshot:
    """The next picture of a service, that many seconds after the last one."""
    snapshot = None
    for delta in feed.tick(after):
        snapshot = store.apply(delta)
    assert snapshot is not None, "the last Delta of a tick completes a picture"
    return snapshot


def _columns(text: str | None, view: View) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in view.fields:
            raise UsageError(f"--columns: {unknown_field(name, view)}")
    return names or None


def _query(text: str, view: View) -> Query:
    from nettop import query

    try:
        return query.parse(text, view)
    except query.QueryError as error:
        raise _bad_filter(error) from None


def _bad_filter(error: QueryError) -> UsageError:
    return UsageError(f"--filter, column {error.column + 1}: {error}")


def _order(text: str, view: View) -> Order:
    from nettop.order import parse_sort

    try:
        return parse_sort(text, view)
    except ValueError as error:
        raise UsageError(f"--sort: {error}") from None
