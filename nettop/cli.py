"""The command line: the only place that wires parts together, and the only one that knows exit codes.

Nothing large is imported before it is needed: the plain views never load textual, and the screen's collector is forked
before it is.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from nettop import __version__
from nettop.config import LEAST_CPU, LONGEST, MOST_CPU, SHORTEST, THEMES, Config, ConfigError
from nettop.fields import VIEWS, View, unknown_field

if TYPE_CHECKING:
    from nettop.config.session import Session
    from nettop.order import Order
    from nettop.query import Query, QueryError
    from nettop.snapshot import Snapshot

DONE, FAILED, WRONG_USAGE, NOTHING_READABLE = 0, 1, 2, 3

DELAY = 1.0
"""Seconds between two listings, unless asked otherwise."""
NAMES_WITHIN = 0.3
"""Seconds a first listing waits for what runtimes call their containers; it takes them some milliseconds."""
SAMPLE_GAP = 0.5
"""Seconds between the two samples that the rates of a first listing need."""


LOG = 1_000_000
"""Events of one interval that `nettop events` prints: all, unless memory is at stake."""


class UsageError(Exception):
    """What was asked cannot be understood; the message is one line."""


class NothingReadableError(Exception):
    """Neither processes nor sockets can be seen; the message is one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run nettop with these arguments (those of the process by default); its exit code."""
    options = _parser().parse_args(_attach_sort(sys.argv[1:] if arguments is None else arguments))
    run = _view if options.command in VIEWS else _COMMANDS[options.command]
    try:
        code = run(options)
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"nettop: {error}", file=sys.stderr)
        return WRONG_USAGE
    except NothingReadableError as error:
        print(f"nettop: {error}", file=sys.stderr)
        return NOTHING_READABLE
    except (BrokenPipeError, KeyboardInterrupt):
        _write_no_more()
        return DONE
    except OSError as error:
        print(f"nettop: {error}", file=sys.stderr)
        _write_no_more()
        return FAILED


def _write_no_more() -> None:
    """Whoever read has seen enough, or cannot take it: what is left to write goes nowhere, without a complaint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """argparse, with errors of one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USAGE, f"nettop: {message}; see `{self.prog} --help`\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nettop",
        description="top for the network: which process, in which namespace, holds which connection, how fast, and why",
        epilog="Without a command, the full screen. Filters and fields: `nettop fields`.",
    )
    parser.add_argument("--version", action="version", version=f"nettop {__version__}")
    parser.add_argument("-d", "--delay", type=_seconds, metavar="SECONDS", help="between two pictures (1)")
    parser.add_argument("--theme", choices=THEMES, metavar="THEME", help="colours: " + ", ".join(THEMES))
    parser.add_argument("--max-cpu", type=_percent, metavar="PERCENT", help="of one processor that nettop may use (25)")
    parser.add_argument("--resolve", action="store_true", help="names of hosts and services instead of numbers")
    parser.add_argument("--read-only", action="store_true", help="no signals, no nice values, no sockets closed")
    parser.add_argument("--config", metavar="FILE", help="settings, instead of those in ~/.config/nettop/config.toml")
    parser.add_argument(
        "-b", "--batch", dest="command", action="store_const", const="processes", help="the same as `nettop processes`"
    )
    _add_view_options(parser, hidden=True)
    parser.set_defaults(count=1, filter="")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for view in VIEWS.values():
        command = commands.add_parser(
            view.name,
            help=f"{view.title.lower()} as a plain table or as JSON lines",
            argument_default=argparse.SUPPRESS,  # what was said before the command stands
        )
        command.add_argument("-d", "--delay", type=_seconds, metavar="SECONDS", help="between listings (1)")
        _add_view_options(command)
    fields = commands.add_parser("fields", help="every field of a view: name, unit, meaning")
    fields.add_argument("view", nargs="?", choices=list(VIEWS), metavar="VIEW", help=", ".join(VIEWS))
    doctor = commands.add_parser(
        "doctor", help="what can and cannot be seen here, why, and the command that would help"
    )
    doctor.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object a check")
    commands.add_parser("config", help="the settings of the full screen, each explained: a file to begin with")
    return parser


def _add_view_options(parser: argparse.ArgumentParser, hidden: bool = False) -> None:
    """The options of a listing; the main parser knows them too, unmentioned, for `nettop -b`."""

    def words(text: str) -> str:
        return argparse.SUPPRESS if hidden else text

    add = parser.add_argument
    add("-n", "--count", type=_count, metavar="N", help=words("listings; 0: until interrupted (1)"))
    add("-f", "--filter", metavar="EXPR", help=words("only rows that match, e.g. 'comm:nginx rate>1MB'"))
    add("-s", "--sort", metavar="FIELD", help=words("sort by it; a leading - reverses"))
    add("-c", "--columns", metavar="A,B,C", help=words("the fields to print"))
    add("--limit", type=_count, metavar="N", help=words("at most N rows"))
    add("--json", action="store_true", help=words("one JSON object a row, every field unless --columns"))
    add("--closed", action="store_true", help=words("sockets and processes that ended a moment ago, too"))
    add("--no-header", action="store_true", help=words("no line of titles"))
    add("--no-rates", action="store_true", help=words("do not wait for the second sample that rates need"))


def _attach_sort(arguments: Sequence[str]) -> list[str]:
    """The arguments with `-s -rate` in the form that argparse does not take for two options."""
    attached: list[str] = []
    for word in arguments:
        if attached and attached[-1] in ("-s", "--sort") and word.startswith("-"):
            attached[-1] = f"--sort={word}"
        else:
            attached.append(word)
    return attached


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if SHORTEST <= seconds <= LONGEST:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not from {SHORTEST:g} to {LONGEST:g} seconds")


def _percent(text: str) -> float:
    with contextlib.suppress(ValueError):
        percent = float(text)
        if LEAST_CPU <= percent <= MOST_CPU:
            return percent
    raise argparse.ArgumentTypeError(f"{text!r} is not from {LEAST_CPU:g} to {MOST_CPU:g} percent")


def _count(text: str) -> int:
    with contextlib.suppress(ValueError):
        count = int(text)
        if count >= 0:
            return count
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")


# --- the full screen -------------------------------------------------------------------------------------------------


def _screen(options: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the full screen needs a terminal; `nettop processes` prints a plain table")
    from nettop.collector import spawn
    from nettop.memory import hold_little
    from nettop.runtimes.places import PLACES

    config = _config(options)
    gc.disable()  # what is imported stays; the screen looks for garbage when it has the time
    hold_little()
    places = {**PLACES, **config.runtimes}
    running = spawn.fork(config.interval, config.read_only, config.max_cpu, places)
    from nettop import live
    from nettop.config.files import load_session
    from nettop.config.session import Session
    from nettop.tui.app import NettopApp

    source = live.Live(running, config.interval, config.read_only, config.max_cpu, places)
    try:
        session = Session.begin(config, load_session(os.environ) if config.remember else None)
        app = NettopApp(source, config=config, session=session)
        app.run(mouse=app.mouse)
        if config.remember:
            _remember(app.main.levels.session)
        return app.return_code or DONE
    except ConfigError as error:
        raise UsageError(f"{_config_name(options)}: {error}") from None
    finally:
        source.close()


def _config(options: argparse.Namespace) -> Config:
    """The settings, and what the arguments say instead."""
    from nettop.config.files import load_config

    try:
        config = load_config(options.config, os.environ)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    return dataclasses.replace(
        config,
        interval=options.delay or config.interval,
        theme=options.theme or config.theme,
        read_only=options.read_only or config.read_only,
        max_cpu=options.max_cpu or config.max_cpu,
        names=options.resolve or config.names,
        resolve=options.resolve or config.resolve,
    )


def _config_name(options: argparse.Namespace) -> str:
    from nettop.config.files import config_path

    return options.config or str(config_path(os.environ))


def _remember(session: Session) -> None:
    from nettop.config.files import save_session

    try:
        save_session(session, os.environ)
    except OSError as error:
        print(f"nettop: the session is not remembered: {error}", file=sys.stderr)


def _print_config(_options: argparse.Namespace) -> int:
    from nettop.config.files import config_path
    from nettop.config.template import default_text
    from nettop.tui.commands import COMMANDS
    from nettop.tui.keymap import write_keys

    commands = [(command.name, write_keys(command.keys), command.help) for command in COMMANDS]
    sys.stdout.write(default_text(config_path(os.environ), commands))
    return DONE


# --- plain views -----------------------------------------------------------------------------------------------------


def _fields(options: argparse.Namespace) -> int:
    from nettop import batch

    views = [VIEWS[options.view]] if options.view else list(VIEWS.values())
    batch.print_fields(views, sys.stdout.write)
    return DONE


def _view(options: argparse.Namespace) -> int:
    from nettop import batch
    from nettop.jsonlines import json_lines
    from nettop.query import QueryError

    view = VIEWS[options.command]
    columns = _columns(options.columns, view)
    query, order = _query(options.filter, view), _order(options.sort or view.sort, view)
    first = view.first()
    gc.disable()  # everything is kept to the end anyway, and there is a lot of it
    seen = 0
    for listing, picture in enumerate(_snapshots(options, view)):
        snapshot = picture
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
            json_lines(shown, rows, columns, snapshot.time, snapshot.time, sys.stdout.write)
        else:
            if listing and view.name != "events":
                sys.stdout.write("\n")
            header = not options.no_header and not (listing and view.name == "events")
            batch.table(shown, rows, columns or view.columns, snapshot.time, header, sys.stdout.write)
        sys.stdout.flush()
        gc.freeze()  # what the first listing made stays; from here on garbage is looked for among the young
        gc.enable()
    return DONE


def _snapshots(options: argparse.Namespace, view: View) -> Iterator[Snapshot]:
    """Pictures for a plain view, `options.count` of them, from a collector in this process."""
    from nettop.collector.collector import Collector
    from nettop.store import Store

    log = view.name == "events"
    store = Store(events_kept=LOG) if log else Store()
    try:
        collector = Collector(events_kept=LOG) if log else Collector()
    except OSError as error:
        raise NothingReadableError(f"nothing can be read here: {error}; is /proc mounted?") from None
    collector.start()
    with contextlib.closing(collector):
        due = time.monotonic()
        collector.tick(store.apply)
        if view.name == "namespaces":
            collector.read_links(wait=True)
        collector.read_names(NAMES_WITHIN)
        snapshot = store.apply(collector.take())
        delay = options.delay or DELAY
        gap = delay if log else 0.0 if options.no_rates else min(SAMPLE_GAP, delay)
        for listing in itertools.count(1):
            if gap:
                due += gap
                time.sleep(max(0.0, due - time.monotonic()))
                collector.tick(store.apply)
                if view.name == "namespaces":
                    collector.read_links()
                snapshot = store.apply(collector.take())
            assert snapshot is not None, "a Delta taken whole completes a picture"
            yield snapshot
            if listing == options.count:
                return
            gap = delay


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


# --- what can be seen ------------------------------------------------------------------------------------------------


def _doctor(options: argparse.Namespace) -> int:
    from nettop import doctor
    from nettop.collector.collector import Collector

    try:
        collector = Collector()
    except OSError as error:
        raise NothingReadableError(f"nothing can be read here: {error}; is /proc mounted?") from None
    with contextlib.closing(collector):
        checks = doctor.look(collector, os.environ)
    (doctor.print_json if options.json else doctor.print_table)(checks, sys.stdout.write)
    return DONE if doctor.well(checks) else FAILED


_COMMANDS = {None: _screen, "fields": _fields, "config": _print_config, "doctor": _doctor}
"""What runs a command that is no view; None is none."""
