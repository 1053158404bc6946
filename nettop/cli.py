"""The command line: the only place that wires parts together, and the only one that knows exit codes.

Nothing large is imported before it is needed: the plain views never load textual, and the screen's collector is forked
before it is.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from nettop import __version__
from nettop.arguments import LISTEN, SHORTEST_TICK, WRONG_USAGE, parse, parser
from nettop.config import Config, ConfigError
from nettop.errors import NothingReadableError, UnavailableError, UsageError
from nettop.fields import VIEWS
from nettop.recording.frames import RecordingError

if TYPE_CHECKING:
    from nettop.config.session import Session
    from nettop.fleet import Fleet
    from nettop.live import Live
    from nettop.origin import Origin
    from nettop.remote.origin import Remote
    from nettop.tui.app import NettopApp

DONE, FAILED, NOTHING_READABLE = 0, 1, 3

_CODES: dict[type[Exception], int] = {
    UsageError: WRONG_USAGE,
    UnavailableError: FAILED,
    NothingReadableError: NOTHING_READABLE,
    RecordingError: NOTHING_READABLE,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run nettop with these arguments (those of the process by default); its exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    run = _list if options.command in VIEWS else _COMMANDS[options.command]
    try:
        code = run(options)
        sys.stdout.flush()
        return code
    except tuple(_CODES) as error:
        where = f"{options.recording or options.file}: " if isinstance(error, RecordingError) else ""
        print(f"nettop: {where}{error}", file=sys.stderr)
        return _CODES[type(error)]
    except (BrokenPipeError, KeyboardInterrupt):
        _write_no_more()
        return DONE
    except OSError as error:
        print(f"nettop: {f'{error.filename}: {error.strerror}' if error.filename else error}", file=sys.stderr)
        _write_no_more()
        return FAILED


def _write_no_more() -> None:
    """Whoever read has seen enough, or cannot take it: what is left to write goes nowhere, without a complaint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# --- the full screen -------------------------------------------------------------------------------------------------


def _screen(options: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the full screen needs a terminal; `nettop processes` prints a plain table")
    from nettop.memory import hold_little

    config, unusable = _settings(options)
    hold_little()
    source = _source(options, config)
    from nettop.config.files import load_session
    from nettop.config.session import Session
    from nettop.tui.app import NettopApp

    try:
        session = Session.begin(config, load_session(os.environ) if config.remember else None)
        several, elsewhere = len(options.hosts) > 1, bool(options.hosts)
        make = partial(NettopApp, source, session=session, several=several, elsewhere=elsewhere)
        app = _with_keys(make, options, config, unusable)
        app.run(mouse=app.mouse)
        if config.remember:
            _remember(app.main.levels.session)
        return app.return_code or DONE
    finally:
        source.close()


def _source(options: argparse.Namespace, config: Config) -> Live | Fleet:
    """What the screen shows: several machines that were named, or one, with its last minutes."""
    if len(options.hosts) > 1:
        remote = _remote(options, config)
        from nettop.fleet import Fleet, reach

        return Fleet(reach(options.hosts, remote, _say), config.interval)
    origin = _origin(options, config)
    from nettop.live import Live
    from nettop.recording.past import Past

    return Live(origin, Past.kept())


def _origin(options: argparse.Namespace, config: Config) -> Origin:
    """Another machine that was named; a service where there is one for us; else a collector of our own, forked before
    anything large is imported."""
    if len(options.hosts) > 1:
        raise UsageError("--host: one machine at a time")
    if options.hosts:
        remote = _remote(options, config)(options.hosts[0])
        remote.connect()  # ssh asks whatever it has to ask
        return remote
    from nettop.memory import leave_out_tls
    from nettop.service import client

    connection = None if options.no_service else client.find(options.connect, _say)
    if connection is not None:
        from nettop.service.place import SOCKET

        leave_out_tls()
        from nettop.service.served import Served

        return Served(connection, options.connect or SOCKET, config.interval, config.read_only)
    from nettop.collector import spawn
    from nettop.runtimes.places import PLACES

    settings = config.interval, config.read_only, config.max_cpu, {**PLACES, **config.runtimes}
    running = spawn.fork(*settings)
    leave_out_tls()
    from nettop.origin import Child

    return Child(running, *settings)


def _remote(options: argparse.Namespace, config: Config) -> Callable[[str], Remote]:
    """What makes an origin of a machine that was named."""
    from nettop.memory import leave_out_tls

    leave_out_tls()
    from nettop.remote.origin import Remote

    return lambda host: Remote(host, config.interval, config.read_only, options.sudo, config.max_cpu, config.ssh)


def _say(sentence: str) -> None:
    print(f"nettop: {sentence}", file=sys.stderr, flush=True)


def _config(options: argparse.Namespace) -> Config:
    """The settings of a command without a screen, which says on stderr what of them it cannot use."""
    config, unusable = _settings(options)
    if unusable:
        _say(f"ignored: {unusable}")
    return config


def _settings(options: argparse.Namespace) -> tuple[Config, str | None]:
    """The settings, and what the arguments say instead; what of the usual file cannot be used is told."""
    from nettop.config.files import load_config

    try:
        config, unusable = load_config(options.config, os.environ)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    config = dataclasses.replace(
        config,
        interval=options.delay or config.interval,
        theme=options.theme or config.theme,
        read_only=options.read_only or config.read_only,
        max_cpu=options.max_cpu or config.max_cpu,
        names=options.resolve or config.names,
        resolve=options.resolve or config.resolve,
    )
    return config, str(unusable) if unusable else None


def _with_keys(
    make: Callable[..., NettopApp], options: argparse.Namespace, config: Config, unusable: str | None
) -> NettopApp:
    """The screen with the keys of the settings; of the usual file's without them, where they cannot be."""
    from nettop.config.files import config_path

    try:
        app = make(config=config)
    except ConfigError as error:
        if options.config:
            raise UsageError(f"{options.config}: {error}") from None
        unusable = unusable or f"{config_path(os.environ)}: {error}"
        app = make(config=dataclasses.replace(config, keys={}))
    app.main.unusable = unusable
    return app


def _remember(session: Session) -> None:
    from nettop.config.files import save_session

    try:
        save_session(session, os.environ)
    except OSError as error:
        print(f"nettop: the session is not remembered: {error}", file=sys.stderr)


def _print_config(_options: argparse.Namespace) -> int:
    from nettop.config.files import config_path
    from nettop.config.template import default_text
    from nettop.tui.commands import COMMANDS, TRAVELLING
    from nettop.tui.keymap import write_keys

    commands = [(command.name, write_keys(command.keys), command.help) for command in (*COMMANDS, *TRAVELLING)]
    sys.stdout.write(default_text(config_path(os.environ), commands))
    return DONE


def _replay(options: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the full screen needs a terminal; `nettop VIEW --from FILE --at TIME` prints a plain table")
    from nettop.config.session import Session
    from nettop.recording.replay import Replay
    from nettop.tui.app import NettopApp

    config, unusable = _settings(options)
    config = dataclasses.replace(config, read_only=True)
    try:
        source = Replay.open(options.file, options.at)
    except ValueError as error:
        raise UsageError(f"--at: {error}") from None
    try:
        app = _with_keys(partial(NettopApp, source, session=Session.begin(config)), options, config, unusable)
        app.run(mouse=app.mouse)
    finally:
        source.close()
    for sentence in source.damage:
        print(f"nettop: {options.file}: {sentence}", file=sys.stderr)
    return app.return_code or DONE


# --- plain views -----------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    from nettop import listings

    listings.run(options)
    return DONE


def _fields(options: argparse.Namespace) -> int:
    from nettop import batch

    views = [VIEWS[options.view]] if options.view else list(VIEWS.values())
    batch.print_fields(views, sys.stdout.write)
    return DONE


# --- a file of all that was seen -------------------------------------------------------------------------------------


def _record(options: argparse.Namespace) -> int:
    from pathlib import Path

    from nettop import query
    from nettop.memory import hold_little

    config = dataclasses.replace(_config(options), read_only=True)
    hold_little()
    try:
        wanted = query.parse(options.filter, VIEWS["connections"]) if options.filter else None
        origin = _origin(options, config)
        from nettop.recording.tape import record
        from nettop.recording.writer import Limits

        limits = Limits(options.max_size, options.max_age)
        record(Path(options.file), origin, wanted, limits, lambda said: _say(f"{options.file}: {said}"))
    except query.QueryError as error:
        raise UsageError(f"--filter, column {error.column + 1}: {error}") from None
    return DONE


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


# --- a service -------------------------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    from nettop.service import place, server, unit
    from nettop.service.policy import POLICIES

    if options.unit:
        sys.stdout.write(unit.text(sys.argv[0]))
        return DONE
    from nettop.memory import hold_little
    from nettop.runtimes.places import PLACES

    config = _config(options)
    hold_little()
    name = options.group or place.GROUP
    gid = place.group_id(name)
    if gid is None and options.group:
        raise UsageError(f"--group: there is no group {name!r}")
    shortest, places = options.delay or SHORTEST_TICK, {**PLACES, **config.runtimes}
    terms = server.Terms(POLICIES[options.policy], shortest, config.max_cpu, places)
    with contextlib.closing(place.Place(options.socket, gid)) as made:
        who = "its own user alone" if gid is None else f"the group {name}"
        print(f"nettop: at {options.socket}, for {who}; policy {options.policy}", file=sys.stderr, flush=True)
        server.serve(made, os.geteuid(), terms)
    return DONE


def _far(options: argparse.Namespace) -> int:
    from nettop.remote import far

    return far.main(options.words)


# --- metrics ---------------------------------------------------------------------------------------------------------


def _export(options: argparse.Namespace) -> int:
    from importlib import resources, util

    if options.print:
        sys.stdout.write((resources.files("nettop") / "export" / options.print).read_text(encoding="utf-8"))
        return DONE
    if util.find_spec("prometheus_client") is None:
        raise UnavailableError("export needs prometheus_client: pip install 'nettop[metrics]'")
    from nettop.memory import hold_little

    config = dataclasses.replace(_config(options), read_only=True)
    hold_little()
    origin = _origin(options, config)
    from nettop import live
    from nettop.export import service

    source = live.Live(origin)
    gc.freeze()  # what is imported stays
    gc.enable()
    outlets = service.Outlets(options.listen or (None if options.textfile else LISTEN), options.textfile)
    try:
        service.run(source, outlets, options.series, _say)
    finally:
        source.close()
    return DONE


# --- the manual ------------------------------------------------------------------------------------------------------


def _man(_options: argparse.Namespace) -> int:
    from nettop.manual.page import page

    sys.stdout.write(page(parser(), __version__))
    return DONE


def _completion(options: argparse.Namespace) -> int:
    from nettop.manual.shells import completion

    sys.stdout.write(completion(parser(), options.shell))
    return DONE


_COMMANDS = {
    None: _screen,
    "fields": _fields,
    "config": _print_config,
    "doctor": _doctor,
    "record": _record,
    "replay": _replay,
    "serve": _serve,
    "far": _far,
    "export": _export,
    "man": _man,
    "completion": _completion,
}
"""What runs a command that is no view; None is none."""
