"""What changes something on the machine: signals, nice values, sockets closed. Each asks first.

An action is for the rows that were chosen when its key was pressed, whatever has moved since; the collector looks once
more whether pid and start time, or ends and cookie, still are those. None of this exists where nettop is read-only.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from nettop import format as text
from nettop.machines import machine_of, machine_of_row, own_netns
from nettop.model import Process
from nettop.requests import Answer, CloseSocket, Renice, Request, Signal
from nettop.snapshot import Connection
from nettop.tui.commands.command import Command
from nettop.tui.commands.targets import Targets, sockets, targets
from nettop.tui.details.subject import called
from nettop.tui.dialogs.confirm import BESIDE_NICE, FRAME, ConfirmScreen, InsistScreen, NiceScreen, stepped
from nettop.tui.dialogs.menu import Item, MenuScreen
from nettop.tui.drawing.columns import ends
from nettop.tui.drawing.line import Pieces, piece

if TYPE_CHECKING:
    from nettop.tui.main import MainScreen

SIGNALS = (
    (signal.SIGTERM, "end; the program may clean up first"),
    (signal.SIGKILL, "end at once, without a chance to clean up"),
    (signal.SIGHUP, "read the settings again, as many daemons do, or end"),
    (signal.SIGINT, "as Ctrl-C does"),
    (signal.SIGQUIT, "end, with a core dump"),
    (signal.SIGSTOP, "stop until continued"),
    (signal.SIGCONT, "go on after a stop"),
    (signal.SIGUSR1, "whatever the program takes it for"),
    (signal.SIGUSR2, "whatever the program takes it for"),
    (signal.SIGTSTP, "as Ctrl-Z does"),
    (signal.SIGABRT, "end as after a failed assertion, with a core dump"),
    (signal.SIGALRM, "a timer has run out"),
)
"""What is offered, and what it asks for."""

_HARMLESS = (signal.SIGCONT,)
_COMMAND = 48
"""Cells of a command line in a dialog: enough to know the process by."""
_BEFORE_COMMAND = 25
"""Cells of what stands before it."""
_HOLDER = 20
"""Cells of who holds a socket, in a list of several."""


class _Act(NamedTuple):
    """One request."""

    whom: str
    """Safe for the terminal."""
    line: Pieces
    """The same in a dialog, with all that tells it from others."""
    request: Request
    own: bool
    """Nettop's own session hangs on it."""


# --- processes -------------------------------------------------------------------------------------------------------


def send_signal(main: MainScreen) -> None:
    meant = targets(main)
    if meant is None:
        return

    def chosen(name: str | None) -> None:
        if name is not None:
            _confirm_signal(main, meant, signal.Signals(int(name)))

    items = [Item(str(number.value), f"{number.value:>2} {number.name[3:]}", what) for number, what in SIGNALS]
    main.app.push_screen(MenuScreen("send a signal", items, main.look, main.signs), chosen)


def _confirm_signal(main: MainScreen, meant: Targets, number: signal.Signals) -> None:
    acts = [
        _Act(
            called(row.process) + _where(main, [row]),
            _line(main, row.process),
            Signal(row.process.pid, row.process.start_time, number.value, own),
            own,
        )
        for row, own in zip(meant.rows, meant.own, strict=True)
    ]

    def answered(yes: bool | None) -> None:
        if yes:
            _insist_and_do(main, acts)

    question = f"Send {number.name} ({number.value}) to {meant.all_of_them}{_where(main, meant.rows)}?"
    lines = [act.line for act in acts]
    dangerous = number not in _HARMLESS
    main.app.push_screen(ConfirmScreen("signal", question, lines, main.look, main.signs, dangerous=dangerous), answered)


def renice(main: MainScreen, step: int) -> None:
    """Let a nice value be chosen, `step` from the one there is to begin with; choosing it is the confirmation."""
    meant = targets(main)
    if meant is None:
        return

    def chosen(steps: int | None) -> None:
        if steps:
            nices = [stepped(row.usage.nice, steps) for row in meant.rows]
            acts = [
                _Act(
                    called(row.process) + _where(main, [row]),
                    _line(main, row.process),
                    Renice(row.process.pid, row.process.start_time, nice, own),
                    own,
                )
                for row, nice, own in zip(meant.rows, nices, meant.own, strict=True)
            ]
            _insist_and_do(main, acts)

    lines = [(_line(main, row.process, BESIDE_NICE), row.usage.nice) for row in meant.rows]
    main.app.push_screen(NiceScreen(lines, step, main.look, main.signs), chosen)


def _where(main: MainScreen, rows: Sequence[Any]) -> str:
    """On which machine these are, where it is not this one: ` on web-01`."""
    names = dict.fromkeys(main.machines.get(machine_of_row(row), text.UNKNOWN) for row in rows)
    return f" on {text.safe(', '.join(names))}" if main.elsewhere else ""


def _line(main: MainScreen, process: Process, beside: int = 0) -> Pieces:
    """What tells a process from others, with room for so many cells `beside` it."""
    look = main.look
    machine = f"{main.machines.get(machine_of(process.start_time), text.UNKNOWN)}  " if main.several else ""
    room = main.app.size.width - FRAME.width - _BEFORE_COMMAND - beside - text.cell_width(machine)
    return [
        piece(text.safe(machine), look.band_strong),
        piece(f"{process.pid:>7}  ", look.band_strong),
        piece(f"since {text.time_of_day(process.started, main.latest.time):<8}  ", look.band_dim),
        piece(text.shorten_middle(text.safe(process.command), min(room, _COMMAND)), look.band),
    ]


# --- sockets ---------------------------------------------------------------------------------------------------------


def close_sockets(main: MainScreen) -> None:
    meant = sockets(main)
    if meant is None:
        return
    rows = meant.rows
    lifeline = main.find_lifeline()
    try:
        acts = [
            _Act(
                _between(main, row) + _where(main, [row]),
                _socket_line(main, row),
                CloseSocket.of(row.socket),
                lifeline.carries(row),
            )
            for row in rows
        ]
    except ValueError as error:
        main.tell(str(error))
        return

    def answered(yes: bool | None) -> None:
        if yes:
            _insist_and_do(main, acts)

    listens = any(row.stats.state == "LISTEN" for row in rows)
    what = ("this socket" if len(rows) == 1 else f"these {len(rows):,} sockets") + _where(main, rows)
    question = f"Close {what}{meant.of}? {'Its program does not listen again by itself.' if listens else ''}".rstrip()
    lines = _facts(main, rows[0]) if len(rows) == 1 else [act.line for act in acts]
    main.app.push_screen(ConfirmScreen("close", question, lines, main.look, main.signs, dangerous=True), answered)


def _between(main: MainScreen, row: Connection) -> str:
    """Both ends, or the one there is."""
    near, far = ends(row)
    return f"{text.safe(row.socket.proto)} {near} {main.signs.crumb} {far}"


def _holder(row: Connection) -> str:
    if row.process is None:
        return "nobody known"
    more = f" and {len(row.others)} more" if row.others else ""
    return f"{called(row.process)}{more}"


def _socket_line(main: MainScreen, row: Connection) -> Pieces:
    holder = text.fit(_holder(row), _HOLDER)
    between = _between(main, row) + _where(main, [row])
    return [piece(f"  {holder}  ", main.look.band), piece(between, main.look.band_strong)]


def _facts(main: MainScreen, row: Connection) -> list[Pieces]:
    """What tells one socket from all others, a line each: an IPv6 address takes most of one."""
    near, far = ends(row)
    namespace = row.namespace.name if row.namespace else None
    facts = {
        "socket": f"{row.socket.proto} {row.stats.state}",
        "this end": near,
        "other end": far,
        "held by": _holder(row),
        "namespace": f"{text.safe(namespace)} ({own_netns(row.socket.netns)})"
        if namespace
        else str(own_netns(row.socket.netns)),
    }
    look = main.look
    return [[piece(f"  {name:<11}", look.band_dim), piece(fact, look.band_strong)] for name, fact in facts.items()]


# --- carrying out ----------------------------------------------------------------------------------------------------


def _insist_and_do(main: MainScreen, acts: Sequence[_Act]) -> None:
    """Do what was confirmed; where nettop's own session hangs on it, once that is confirmed in writing."""
    own = [act.line for act in acts if act.own]
    if not own:
        main.run_worker(_do(main, acts))
        return

    def answered(yes: bool | None) -> None:
        if yes:
            main.run_worker(_do(main, acts))

    warning = "The session you are in hangs on this. Without it nettop ends, and you may not get back in."
    main.app.push_screen(InsistScreen("your own session", warning, own, main.look, main.signs), answered)


async def _do(main: MainScreen, acts: Sequence[_Act]) -> None:
    """One after the other; the footer tells what became of them."""
    main.tell("asking the kernel ...")
    answers = [(act.whom, await main.source.ask(act.request)) for act in acts]
    main.tell(_summary(answers))


def _summary(answers: Sequence[tuple[str, Answer]]) -> str:
    """What became of some requests, in a line; the first that was refused is told in full."""
    done = [answer for _, answer in answers if answer.ok]
    refused = [f"{whom}: {text.safe(answer.text)}" for whom, answer in answers if not answer.ok]
    if len(answers) == 1:
        whom, answer = answers[0]
        return f"{whom}: {text.safe(answer.text)}"
    told = [f"{len(done)} of {len(answers)}: {text.safe(done[0].text)}"] if done else []
    more = [f"and {len(refused) - 1} more refused"] if len(refused) > 1 else []
    return "; ".join(told + refused[:1] + more)


COMMANDS = (
    Command(
        "signal",
        "K,f9",
        "K F9",
        send_signal,
        "send a signal, after a question",
        "signal",
        "Act",
        on_row=True,
        on_page=True,
        acts=True,
    ),
    Command(
        "close_socket",
        "X",
        "X",
        close_sockets,
        "close a TCP or UDP socket, after a question",
        "close",
        "Act",
        on_row=True,
        on_page=True,
        acts=True,
    ),
    Command(
        "nice_less",
        "left_square_bracket,f7",
        "[ F7",
        partial(renice, step=-1),
        "a lower nice value: more of the processor",
        group="Act",
        on_row=True,
        on_page=True,
        acts=True,
    ),
    Command(
        "nice_more",
        "right_square_bracket,f8",
        "] F8",
        partial(renice, step=1),
        "a higher nice value: it gives way to others",
        "nice",
        "Act",
        on_row=True,
        on_page=True,
        acts=True,
    ),
)
