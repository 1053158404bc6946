"""What may be said on the command line: every command and option, its help, and what its value may be.

The manual page and the completions of shells are made of it, too.
"""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Sequence
from typing import NoReturn

from nettop import __version__, moments
from nettop.config import LEAST_CPU, LONGEST, MOST_CPU, SHORTEST, THEMES
from nettop.fields import VIEWS
from nettop.manual import SHELLS
from nettop.recording.frames import LEAST_SIZE
from nettop.remote.host import check_host
from nettop.service.place import GROUP, SOCKET
from nettop.service.policy import DEFAULT, POLICIES

LISTEN = ("127.0.0.1", 19100)
"""Where `nettop export` serves, unless asked otherwise."""
SERIES = 100
"""Containers, units, programs, namespaces and listeners that it tells apart, unless asked otherwise."""
SHORTEST_TICK = 0.5
"""Seconds between two pictures of a service at least, unless it is told otherwise."""
WRONG_USAGE = 2
"""The exit code of what cannot be understood."""


class _Parser(argparse.ArgumentParser):
    """argparse, with errors of one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USAGE, f"nettop: {message}; see `{self.prog} --help`\n")


class _Version(argparse.Action):
    """Prints what runs, and what it runs on; what is not installed is left out."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import platform
        from importlib.metadata import PackageNotFoundError, version

        found = [f"Python {platform.python_version()}"]
        for package in ("textual", "pyroute2", "psutil", "prometheus_client"):
            with contextlib.suppress(PackageNotFoundError):
                found.append(f"{package} {version(package)}")
        found.append(f"{platform.system()} {platform.release()}")
        print(f"nettop {__version__} ({', '.join(found)})")
        parser.exit()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What the arguments say; `hosts` are all that are named. Leaves by SystemExit where they make no sense."""
    known = parser()
    options = known.parse_args(attach_sort(arguments))
    options.hosts += options.more_hosts
    if options.hosts and options.command not in (None, *VIEWS, "record", "export"):
        known.error(f"--host: {options.command} is of this machine")
    if options.hosts and (options.connect or options.recording):
        known.error("--host goes with neither --connect nor --from: which one?")
    if options.sudo and not options.hosts:
        known.error("--sudo is for a --host: here, run sudo nettop")
    return options


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; the command is `command`, None for the full screen."""
    main = _Parser(
        prog="nettop",
        description="top for the network: which process, in which namespace, holds which connection, how fast, and why",
        epilog="Without a command, the full screen. Filters and fields: `nettop fields`.",
    )
    main.add_argument("--version", action=_Version, nargs=0, help="what is running, and what it runs on")
    main.add_argument("-d", "--delay", type=_seconds, metavar="SECONDS", help="between two pictures (1)")
    main.add_argument("--theme", choices=THEMES, metavar="THEME", help="colours: " + ", ".join(THEMES))
    main.add_argument("--max-cpu", type=_percent, metavar="PERCENT", help="of one processor that nettop may use (25)")
    main.add_argument("--resolve", action="store_true", help="names of hosts and services instead of numbers")
    main.add_argument("--read-only", action="store_true", help="no signals, no nice values, no sockets closed")
    main.add_argument("--config", metavar="FILE", help="settings, instead of those in ~/.config/nettop/config.toml")
    main.add_argument(
        "-b", "--batch", dest="command", action="store_const", const="processes", help="the same as `nettop processes`"
    )
    _add_service(main, hosts="hosts")
    _add_view_options(main, hidden=True)
    main.set_defaults(count=None, filter="", recording=None, at=None, between=None, hosts=[], more_hosts=[])
    commands = main.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for view in VIEWS.values():
        command = commands.add_parser(
            view.name,
            help=f"{view.title.lower()} as a plain table or as JSON lines",
            argument_default=argparse.SUPPRESS,  # what was said before the command stands
        )
        command.add_argument("-d", "--delay", type=_seconds, metavar="SECONDS", help="between listings (1)")
        _add_service(command)
        _add_view_options(command)
    _add_recording(commands)
    _add_serve(
        commands.add_parser(
            "serve", help="collect for others, who need not be root", argument_default=argparse.SUPPRESS
        )
    )
    fields = commands.add_parser("fields", help="every field of a view: name, unit, meaning")
    fields.add_argument("view", nargs="?", choices=list(VIEWS), metavar="VIEW", help=", ".join(VIEWS))
    doctor = commands.add_parser(
        "doctor", help="what can and cannot be seen here, why, and the command that would help"
    )
    doctor.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object a check")
    commands.add_parser("config", help="the settings of the full screen, each explained: a file to begin with")
    _add_export(commands.add_parser("export", help="metrics for Prometheus", argument_default=argparse.SUPPRESS))
    far = commands.add_parser("far")  # what a nettop here runs there: `remote.far`
    far.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    commands.add_parser("man", help="the manual page, to be read with `nettop man | man -l -`")
    completion = commands.add_parser("completion", help="what makes a shell complete commands, options and fields")
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    return main


def _add_view_options(parser: argparse.ArgumentParser, hidden: bool = False) -> None:
    """The options of a listing; the main parser knows them too, unmentioned, for `nettop -b`."""

    def words(text: str) -> str:
        return argparse.SUPPRESS if hidden else text

    add = parser.add_argument
    add("-n", "--count", type=_count, metavar="N", help=words("listings; 0: until interrupted (1; all --between)"))
    add("-f", "--filter", metavar="EXPR", help=words("only rows that match, e.g. 'comm:nginx rate>1MB'"))
    add("-s", "--sort", metavar="FIELD", help=words("sort by it; a leading - reverses"))
    add("-c", "--columns", metavar="A,B,C", help=words("the fields to print"))
    add("--limit", type=_count, metavar="N", help=words("at most N rows"))
    add("--json", action="store_true", help=words("one JSON object a row, every field unless --columns"))
    add("--closed", action="store_true", help=words("sockets and processes that ended a moment ago, too"))
    add("--no-header", action="store_true", help=words("no line of titles"))
    add("--from", dest="recording", metavar="FILE", help=words("of a recording, at its end unless --at or --between"))
    add("--at", metavar="TIME", help=words(f"as it was then: {moments.FORMS}"))
    add("--between", nargs=2, metavar=("TIME", "TIME"), help=words("every picture from then to then, -d seconds apart"))
    add("--no-rates", action="store_true", help=words("do not wait for the second sample that rates need"))


_HOST = "another machine, over your own ssh, or several; nettop need not be there, a python3 from 3.9 on must"


def _add_service(parser: argparse.ArgumentParser, hosts: str = "more_hosts") -> None:
    """Where the pictures come from. What is said behind a command takes the place of what was said before it, so that
    hosts named there go elsewhere until `parse` brings them together."""
    add = parser.add_argument
    add("--connect", metavar="PATH", help=f"listen to the service there; who is not root finds one at {SOCKET}")
    add("--no-service", action="store_true", help="look by oneself, though there is a service")
    add("--host", dest=hosts, action="append", type=_host, metavar="[USER@]HOST", help=_HOST)
    add("--sudo", action="store_true", help="look there as root: by `sudo -n`, which asks for no password")


_POLICY = (
    "what of others is told to who is not root: open, everything; guarded, not their command lines, nor labels;"
    f" strict, not their peers either ({DEFAULT})"
)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--socket", metavar="PATH", default=SOCKET, help=f"where others find it ({SOCKET})")
    add("--group", metavar="NAME", help=f"who may use it, beside its own user ({GROUP}, if there is such a group)")
    add("--policy", choices=POLICIES, default=DEFAULT, metavar="POLICY", help=_POLICY)
    add("-d", "--delay", type=_seconds, metavar="SECONDS", help=f"between two pictures at least ({SHORTEST_TICK:g})")
    add("--max-cpu", type=_percent, metavar="PERCENT", help="of one processor that the service may use (25)")
    add("--unit", action="store_true", help="print the unit for systemd")
    parser.set_defaults(group=None, unit=False)


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-d", "--delay", type=_seconds, metavar="SECONDS", help="between two pictures (1)")
    add("--listen", type=_address, metavar="ADDR:PORT", help="where /metrics is served ({}:{})".format(*LISTEN))
    add("--textfile", metavar="FILE", help="write it for the textfile collector of node_exporter, instead or as well")
    add("--series", type=_count, metavar="N", help=f"names of a kind that are told apart, the busiest ({SERIES})")
    add("--dashboard", dest="print", action="store_const", const="dashboard.json", help="print a dashboard for Grafana")
    add("--rules", dest="print", action="store_const", const="rules.yml", help="print alerts for Prometheus")
    _add_service(parser)
    parser.set_defaults(listen=None, textfile=None, series=SERIES, print=None)


def _add_recording(commands: argparse._SubParsersAction[_Parser]) -> None:
    record = commands.add_parser(
        "record", help="write all that is seen into a file", argument_default=argparse.SUPPRESS
    )
    record.add_argument("file", metavar="FILE", help="goes on where it already is a recording")
    record.add_argument("-d", "--delay", type=_seconds, metavar="SECONDS", help="between two pictures (1)")
    record.add_argument("-f", "--filter", metavar="EXPR", help="only connections that match, and what they belong to")
    record.add_argument("--max-size", type=_size, default=None, metavar="SIZE", help="drop the oldest beyond it: 300M")
    record.add_argument("--max-age", type=_age, default=None, metavar="AGE", help="drop what is older: 90m, 24h, 7d")
    _add_service(record)
    replay = commands.add_parser("replay", help="the full screen, of a recording", argument_default=argparse.SUPPRESS)
    replay.add_argument("file", metavar="FILE")
    replay.add_argument("--at", default=None, metavar="TIME", help="where to begin, instead of at its start")


def attach_sort(arguments: Sequence[str]) -> list[str]:
    """The arguments with `-s -rate` in the form that argparse does not take for two options."""
    attached: list[str] = []
    for word in arguments:
        if attached and attached[-1] in ("-s", "--sort") and word.startswith("-"):
            attached[-1] = f"--sort={word}"
        else:
            attached.append(word)
    return attached


def _seconds(text: str) -> float:
    return _within(text, SHORTEST, LONGEST, "seconds")


def _percent(text: str) -> float:
    return _within(text, LEAST_CPU, MOST_CPU, "percent")


def _within(text: str, least: float, most: float, unit: str) -> float:
    with contextlib.suppress(ValueError):
        number = float(text)
        if least <= number <= most:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not from {least:g} to {most:g} {unit}")


def _host(text: str) -> str:
    try:
        check_host(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if host and port.isascii() and port.isdecimal() and int(port) < 1 << 16:
        return host.removeprefix("[").removesuffix("]"), int(port)
    raise argparse.ArgumentTypeError(f"{text!r} is no ADDR:PORT, such as 127.0.0.1:19100 or [::1]:19100")


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d{1,15})([kMGT]?)", text.removesuffix("B"))
    size = int(found[1]) * 1000 ** " kMGT".index(found[2] or " ") if found else 0
    if size >= LEAST_SIZE:
        return size
    raise argparse.ArgumentTypeError(f"{text!r} is no size from 1M on, such as 300M or 2G")


def _age(text: str) -> float:
    found = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if found and int(found[1]):
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
    raise argparse.ArgumentTypeError(f"{text!r} is no time, such as 90m, 24h or 7d")


def _count(text: str) -> int:
    with contextlib.suppress(ValueError):
        count = int(text)
        if count >= 0:
            return count
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
