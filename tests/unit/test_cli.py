"""The command line as scripts meet it: a real `nettop`, its exit codes, and what it says on which stream."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nettop import __version__
from nettop.fields import VIEWS, View

ROOT = Path(__file__).resolve().parents[2]
NETTOP = (sys.executable, "-m", "nettop")
FAST = ("-d", "0.1")
PATIENCE = 60
"""Seconds: a machine under load may take its time."""

every_view = pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)


def run(*command: str, out: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nothing to read from."""
    return subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        cwd=ROOT,
    )


def printed(*arguments: str) -> list[str]:
    """The lines of a nettop that must succeed in silence."""
    done = run(*NETTOP, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def complaint(*arguments: str) -> str:
    """The one line of a nettop that must refuse what it is asked, without its newline."""
    done = run(*NETTOP, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("nettop: ")
    return done.stderr.removeprefix("nettop: ").rstrip("\n")


@contextlib.contextmanager
def endless(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A nettop that goes on until Ctrl-C, which reaches it even if the tests began in the background, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        running = subprocess.Popen(
            [*NETTOP, *arguments, "-n", "0", *FAST],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with running:
        try:
            yield running
        finally:
            running.kill()


# --- what it prints ---------------------------------------------------------------------------------------------------


@every_view
def test_a_view_is_a_table_under_a_line_of_titles(view: View) -> None:
    title, *rows = printed(view.name, *FAST)
    assert title.split() == " ".join(view.fields[name].title for name in view.columns).split()
    assert rows or view.name == "events"


def test_b_is_the_view_of_processes() -> None:
    assert printed("-b", *FAST, "--limit", "0") == printed("processes", *FAST, "--limit", "0")


def test_this_very_program_is_in_the_list() -> None:
    (row,) = printed("processes", *FAST, "--no-header", "-c", "pid,ppid", "-f", f"ppid={os.getpid()} comm:python")
    assert row.split()[1] == str(os.getpid())


@pytest.mark.parametrize("view", ["processes", "connections", "namespaces"])
def test_json_has_a_row_a_line_with_every_field_of_the_registry(view: str) -> None:
    rows = [json.loads(line) for line in printed(view, *FAST, "--json")]
    assert rows
    for row in rows:
        assert list(row) == ["time", *VIEWS[view].fields]
        assert row["time"] > 1.6e9


def test_json_of_events_tells_what_happened_meanwhile() -> None:
    with endless("events", "--json") as running:
        assert running.stdout is not None
        while not select.select([running.stdout], [], [], 0.05)[0]:
            assert running.poll() is None
            run("true")
        row = json.loads(running.stdout.readline())
    assert set(row) == set(VIEWS["events"].fields)


def test_columns_limit_sort_and_header_are_as_asked() -> None:
    ask = ("processes", *FAST, "--columns", "pid, comm", "--sort", "pid", "--limit", "2")
    title, *rows = printed(*ask)
    assert title.split() == ["PID", "NAME"]
    assert len(rows) == 2
    assert int(rows[0].split()[0]) < int(rows[1].split()[0])
    assert len(printed(*ask, "--no-header")) == 2
    assert [set(json.loads(line)) for line in printed(*ask, "--json")] == [{"time", "pid", "comm"}] * 2


@pytest.mark.parametrize("sort", [("-s", "-pid"), ("--sort", "-pid"), ("--sort=-pid",)])
def test_a_leading_minus_reverses_however_it_is_written(sort: tuple[str, ...]) -> None:
    pids = [int(row) for row in printed("processes", "--no-rates", "--no-header", "-c", "pid", *sort)]
    assert pids == sorted(pids, reverse=True)


def test_listings_are_separated_by_a_blank_line() -> None:
    lines = printed("processes", *FAST, "-n", "2", "--limit", "1", "-c", "pid")
    assert [bool(line) for line in lines] == [True, True, False, True, True]


def test_without_rates_it_does_not_wait_for_a_second_sample() -> None:
    rows = [json.loads(line) for line in printed("connections", "--no-rates", "--json", "-c", "rx_rate")]
    assert {row["rx_rate"] for row in rows} == {None}


def test_options_before_the_view_hold_for_it() -> None:
    assert printed("-c", "pid", "--limit", "0", *FAST, "connections") == ["PID"]
    assert printed("-c", "pid", "--limit", "0", *FAST, "connections", "-c", "fd") == ["FD"], "the last word counts"


def test_fields_lists_every_view_or_one() -> None:
    everything = printed("fields")
    for view in VIEWS.values():
        one = printed("fields", view.name)
        assert one[0] == view.name
        assert [line.split()[0] for line in one[1:]] == list(view.fields)
        assert all(line in everything for line in one)


def test_version_is_one_line() -> None:
    (line,) = printed("--version")
    assert line.startswith(f"nettop {__version__} (Python ")


@pytest.mark.parametrize("arguments", [(), *[(view,) for view in VIEWS], ("fields",)])
def test_help_is_there(arguments: tuple[str, ...]) -> None:
    assert printed(*arguments, "--help")[0].startswith("usage: nettop")


# --- wrong usage: one line, exit code 2 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("processes -f (comm:nginx", "--filter, column 1: "),
        ("processes -f comm:nginx+)", "--filter, column 12: "),
        ("connections -f rate>fast", "--filter, column 6: "),
        ("connections -f comn:nginx", "--filter, column 1: connections has no field 'comn'; did you mean comm?"),
        ("connections -s rx_rat", "--sort: connections has no field 'rx_rat'; did you mean rx_rate?"),
        ("connections -s -rx_rat", "--sort: connections has no field 'rx_rat'; did you mean rx_rate?"),
        ("connections -c pid,zzz", "--columns: connections has no field 'zzz'; `nettop fields connections` lists them"),
        ("sockets", "argument COMMAND: invalid choice: 'sockets'"),
        ("processes extra", "unrecognized arguments: extra"),
        ("processes -n", "argument -n/--count: expected one argument"),
        ("processes -n many", "argument -n/--count: 'many' is no number from 0 on"),
        ("processes --limit -1", "argument --limit: '-1' is no number from 0 on"),
        ("processes -d soon", "argument -d/--delay: 'soon' is not from 0.1 to 3600 seconds"),
        ("processes -d nan", "argument -d/--delay: 'nan' is not from 0.1 to 3600 seconds"),
        ("processes -d 0", "argument -d/--delay: '0' is not from 0.1 to 3600 seconds"),
        ("fields nonsense", "argument VIEW: invalid choice: 'nonsense'"),
    ],
)
def test_wrong_usage_is_said_in_one_line(arguments: str, line: str) -> None:
    assert complaint(*(word.replace("+", " ") for word in arguments.split())).startswith(line)


@pytest.mark.parametrize(("expression", "column"), [("/(a+)+$/", 2), ("command~(a+)+$", 9)])
def test_a_regular_expression_that_would_take_for_ever_is_given_up(expression: str, column: int) -> None:
    with subprocess.Popen([60 * "a" + "!", "60"], executable="/bin/sleep") as named:
        try:
            said = complaint("processes", "--no-rates", "--filter", expression)
        finally:
            named.kill()
    assert said == f"--filter, column {column}: this regular expression takes too long"


def test_the_full_screen_needs_a_terminal() -> None:
    assert complaint() == "the full screen needs a terminal; `nettop processes` prints a plain table"


# --- other ends -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("processes", *FAST), ("fields",), ("connections", "--json", *FAST)])
def test_a_full_disk_is_a_failure(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = run(*NETTOP, *arguments, out=full.fileno())
    assert (done.returncode, done.stderr) == (1, "nettop: [Errno 28] No space left on device\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="hides /proc in a mount namespace of its own, which needs root")
@pytest.mark.root
def test_where_there_is_no_proc_it_says_so() -> None:
    hide = 'mount -t tmpfs none /proc && exec "$@"'
    done = run("unshare", "--mount", "sh", "-c", hide, "sh", *NETTOP, "processes")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("nettop: nothing can be read here")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("fields",), ("processes", "-n", "0", *FAST), ("connections", "--json", *FAST)])
def test_a_reader_who_has_seen_enough_ends_it_quietly(arguments: tuple[str, ...]) -> None:
    readable, writable = os.pipe()
    os.close(readable)
    try:
        done = run(*NETTOP, *arguments, out=writable)
    finally:
        os.close(writable)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_ends_an_endless_listing_quietly() -> None:
    with endless("processes", "--limit", "1") as running:
        assert running.stdout is not None
        assert running.stdout.readline().split()[0] == "PID"
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=PATIENCE)
    assert (running.returncode, said) == (0, "")


def test_a_table_on_a_terminal_is_the_same_table() -> None:
    ours, theirs = pty.openpty()
    try:
        done = run(*NETTOP, "fields", "events", out=theirs)
    finally:
        os.close(theirs)
    said = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert (done.returncode, done.stderr) == (0, "")
    assert said.splitlines() == printed("fields", "events")


# --- what it loads ----------------------------------------------------------------------------------------------------

_HEAVY = {"asyncio", "concurrent", "email", "http", "logging", "multiprocessing", "ssl", "unittest", "urllib", "xml"}


def loaded(*arguments: str) -> set[str]:
    """Names of the modules that a run has imported by its end."""
    program = "import sys; from nettop.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = run(sys.executable, "-c", program, *arguments)
    return set(done.stderr.split())


@every_view
def test_a_plain_view_starts_with_little(view: View) -> None:
    modules = loaded(view.name, *FAST, "-n", "1")
    packages = {name.partition(".")[0] for name in modules}
    assert "nettop.store" in modules
    assert not any(name.startswith(("nettop.tui", "nettop.live", "nettop.collector.child")) for name in modules)
    assert packages & {"textual", "rich", "pyroute2"} == set()
    assert packages & _HEAVY == set()
    assert {name for name in packages - sys.stdlib_module_names if not name.startswith("_")} <= {"nettop", "psutil"}
    assert len(modules) < 275


def test_the_list_of_fields_reads_nothing() -> None:
    modules = loaded("fields")
    assert not any(name.startswith(("nettop.kernel", "nettop.collector", "nettop.store", "psutil")) for name in modules)
