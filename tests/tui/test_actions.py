"""Actions ask first, name what they are for, and do it to the rows that were chosen, or do nothing."""

from __future__ import annotations

import base64
import dataclasses
import gc
import json
import os
import re
import shlex
import sys
from typing import Any

import pytest
from textual.screen import Screen

from nettop import cli
from nettop.collector import spawn
from nettop.config import Config
from nettop.requests import Answer, CloseSocket, Renice, Request, Signal
from nettop.snapshot import Connection, ProcessRow, Snapshot
from nettop.tui import clipboard
from nettop.tui.commands import COMMANDS
from nettop.tui.commands.acting import SIGNALS
from nettop.tui.commands.recipes import recipes
from nettop.tui.details import DetailScreen
from nettop.tui.lifeline import Lifeline
from tests.support import rows
from tests.support.screen import Seen, opened

OWN_PID = 900
READ_ONLY = Config(read_only=True)
SSH = {"SSH_CONNECTION": "198.51.100.7 50022 10.0.0.5 22"}


def process(pid: int, comm: str = "nginx", ppid: int = 1, **more: Any) -> ProcessRow:
    values = {"id": pid, "start_time": 10 * pid, "rx_rate": 1e6 / pid, "command": f"{comm} --serve", **more}
    return rows.process_row(pid=pid, comm=comm, ppid=ppid, **values)


def session() -> list[ProcessRow]:
    """sshd, a login shell, tmux's client; its server, the shell in it, nettop and its collector; and one other."""
    return [
        process(1, "systemd", ppid=0),
        process(500, "sshd"),
        process(510, "sshd", ppid=500),
        process(520, "bash", ppid=510),
        process(530, "tmux: client", ppid=520),
        process(600, "tmux: server"),
        process(610, "bash", ppid=600),
        process(OWN_PID - 1, "nettop", ppid=610),
        process(OWN_PID, "nettop", ppid=OWN_PID - 1),
        process(800, "postgres"),
    ]


def picture(processes: list[ProcessRow], connections: list[Connection] | None = None, sequence: int = 1) -> Snapshot:
    return dataclasses.replace(
        rows.snapshot(connections or [], processes, sequence=sequence), host=rows.host(own_pid=OWN_PID)
    )


def held(**more: Any) -> Connection:
    """A connection held by process 2."""
    return rows.connection(pid=2, start_time=20, comm="nginx", **more)


NGINX = picture(
    [process(2), process(3), process(4)], [held(local="10.0.0.1", lport=443, remote="10.9.9.9", rport=50000)]
)


async def choose(seen: Seen, pid: int) -> None:
    """Put the cursor onto a process."""
    pane = seen.main.pane
    pane.move_to(next(line for line, row_id in enumerate(pane.ids) if pane.rows[row_id].process.pid == pid))
    await seen.press()


async def acted(seen: Seen, *keys: str) -> list[Request]:
    """What the source was asked after some keys."""
    await seen.press(*keys)
    await seen.settle()
    return seen.source.asked


class TestSignals:
    @pytest.mark.parametrize("key", ["K", "f9"])
    async def test_a_menu_then_a_question_then_the_signal(self, key: str) -> None:
        async with opened(NGINX, (120, 40), key) as seen:
            assert "send a signal" in seen.text()
            assert all(number.name[3:] in seen.text() for number, _ in SIGNALS)
            await seen.press("enter")
            assert "Send SIGTERM (15) to this process?" in seen.text()
            assert re.search(r"2 +since \S+ +nginx --serve", seen.text())
            assert await acted(seen, "y") == [Signal(2, 20, 15, False)]
            assert seen.app.screen is seen.main

    async def test_the_kernel_s_answer_is_shown(self) -> None:
        async with opened(NGINX, (120, 40)) as seen:
            seen.source.answer = lambda _: Answer(False, "it is gone already")
            await acted(seen, "K", "enter", "y")
            assert "nginx (2): it is gone already" in seen.lines()[-1]

    @pytest.mark.parametrize("keys", [["escape"], ["enter", "n"], ["enter", "escape"], ["enter", "enter"], ["q"]])
    async def test_anything_but_yes_does_nothing(self, keys: list[str]) -> None:
        async with opened(NGINX, (120, 40)) as seen:
            assert await acted(seen, "K", *keys) == []
            assert seen.app.screen is seen.main

    async def test_enter_says_yes_only_once_one_has_gone_there(self) -> None:
        async with opened(NGINX, (120, 40), "K", "enter") as seen:
            assert "[ no ]" in seen.text()
            await seen.press("left")
            assert "[ yes ]" in seen.text()
            assert await acted(seen, "enter") == [Signal(2, 20, 15, False)]

    async def test_a_signal_that_harms_nobody_needs_enter_only(self) -> None:
        async with opened(NGINX, (120, 40)) as seen:
            assert await acted(seen, "K", "1", "8", "enter", "enter") == [Signal(2, 20, 18, False)]

    @pytest.mark.parametrize(("keys", "number"), [("9", 9), ("1", 1), ("15", 15), ("10", 10), ("99", 9), ("j", 9)])
    async def test_digits_go_to_a_signal_by_its_number(self, keys: str, number: int) -> None:
        async with opened(NGINX, (120, 40)) as seen:
            assert await acted(seen, "K", *keys, "enter", "y") == [Signal(2, 20, number, False)]

    async def test_every_tagged_process_is_named_and_gets_it(self) -> None:
        async with opened(NGINX, (120, 40), "space", "space", "K", "enter") as seen:
            assert "Send SIGTERM (15) to these 2 processes?" in seen.text()
            seen.source.answer = lambda request: Answer(request == Signal(2, 20, 15, False), "so it is")
            assert await acted(seen, "y") == [Signal(2, 20, 15, False), Signal(3, 30, 15, False)]
            assert "1 of 2: so it is; nginx (3): so it is" in seen.lines()[-1]

    async def test_the_process_that_was_chosen_gets_it_whatever_has_moved_since(self) -> None:
        async with opened(NGINX, (120, 40), "K", "enter") as seen:
            await seen.show(picture([process(4, rx_rate=9e9)], sequence=2))
            assert await acted(seen, "y") == [Signal(2, 20, 15, False)]

    async def test_of_a_connection_its_holder_is_meant_and_that_is_said(self) -> None:
        async with opened(NGINX, (120, 40), "2", "K", "enter") as seen:
            assert "to this process, which holds the socket?" in seen.text()
            assert await acted(seen, "y") == [Signal(2, 20, 15, False)]

    @pytest.mark.parametrize(
        ("shown", "keys", "reason"),
        [
            (picture([process(1, "systemd")]), ["1"], "systemd (1) is init: nothing is done to it from here"),
            (picture([process(7, "kthreadd", kernel=True)]), ["1"], "kthreadd (7) is a kernel thread"),
            (picture([], [rows.connection(comm=None)]), ["2"], "no process is known to hold it"),
            (picture([], [held()]), ["2"], "it is gone already"),
            (picture([process(2, state="X")]), ["1"], "it is gone already"),
            (picture([process(2)]), ["3"], "choose a process, or a connection of it"),
        ],
    )
    async def test_what_cannot_be_signalled_is_told_and_no_menu_opens(
        self, shown: Snapshot, keys: list[str], reason: str
    ) -> None:
        async with opened(shown, (120, 40), *keys) as seen:
            assert await acted(seen, "K") == []
            assert seen.app.screen is seen.main
            assert reason in seen.lines()[-1]

    async def test_a_long_command_is_shortened_to_what_there_is_room_for(self) -> None:
        long = process(2, command="/usr/lib/jvm/bin/java " + "-Dx=y " * 30 + "end.jar")
        async with opened(picture([long]), (60, 20), "K", "enter") as seen:
            (line,) = (line for line in seen.lines() if " since " in line)
            assert "/usr/lib/jvm" in line
            assert line.rstrip().endswith("end.jar  │")

    async def test_an_event_stands_for_its_process(self) -> None:
        happened = rows.event(kind="exec", pid=2, ppid=1)
        shown = dataclasses.replace(NGINX, events={1: happened})
        async with opened(shown, (120, 40), "5") as seen:
            assert await acted(seen, "K", "enter", "y") == [Signal(2, 20, 15, False)]
            assert await acted(seen, "X") == [Signal(2, 20, 15, False)]
            assert "choose a connection" in seen.lines()[-1]

    async def test_an_event_of_a_process_that_has_ended_stands_for_nobody(self) -> None:
        shown = dataclasses.replace(NGINX, events={1: rows.event(pid=77)})
        async with opened(shown, (120, 40), "5") as seen:
            assert await acted(seen, "K") == []
            assert "it is gone already" in seen.lines()[-1]

    async def test_a_hostile_name_is_harmless(self) -> None:
        evil = "\x1b]0;x\x07[red]\u202e" + "x" * 300
        async with opened(picture([process(2, evil)]), (60, 20), "K", "enter") as seen:
            assert "\x1b" not in seen.text()
            assert "?]0;x?[red]?" in seen.text()


class TestOwnSession:
    @pytest.mark.parametrize("pid", [500, 510, 520, 530, 600, 610, OWN_PID - 1, OWN_PID])
    async def test_what_nettop_runs_under_needs_a_word_typed_out(self, pid: int) -> None:
        async with opened(picture(session()), (120, 40)) as seen:
            await choose(seen, pid)
            assert await acted(seen, "K", "enter", "y") == []
            assert "your own session" in seen.text()
            assert await acted(seen, "enter") == []
            assert seen.app.screen is seen.main
            for typed in ("y", "yesx", "no"):
                assert await acted(seen, "K", "enter", "y", *typed, "escape") == []
            assert await acted(seen, "K", "enter", "y", *"yex", "backspace", "s", "enter") == [
                Signal(pid, 10 * pid, 15, True)
            ]

    async def test_others_do_not(self) -> None:
        async with opened(picture(session()), (120, 40)) as seen:
            await choose(seen, 800)
            assert await acted(seen, "K", "enter", "y") == [Signal(800, 8000, 15, False)]

    async def test_of_several_only_its_own_are_named_again(self) -> None:
        async with opened(picture(session()), (120, 40)) as seen:
            await choose(seen, 800)
            await seen.press("space")
            await choose(seen, 520)
            await seen.press("space", "K", "enter", "y")
            named = [line for line in seen.lines() if " since " in line]
            assert len(named) == 1
            assert " 520 " in named[0]
            asked = await acted(seen, *"yes", "enter")
            assert set(asked) == {Signal(800, 8000, 15, False), Signal(520, 5200, 15, True)}

    def test_without_a_multiplexer_its_clients_are_strangers(self) -> None:
        plain = [row for row in session() if row.process.pid not in (600, 610)]
        plain.append(process(610, "bash", ppid=1))
        found = Lifeline.of(picture(plain), {})
        assert {key.pid for key in found.processes} == {610, OWN_PID - 1, OWN_PID}

    def test_a_loop_of_parents_ends(self) -> None:
        looped = [process(5, ppid=6), process(6, ppid=5), process(OWN_PID, ppid=5)]
        assert len(Lifeline.of(picture(looped), {}).processes) == 3

    @pytest.mark.parametrize(
        ("local", "lport", "remote", "rport", "own"),
        [
            ("10.0.0.5", 22, "198.51.100.7", 50022, True),
            ("::ffff:10.0.0.5", 22, "::ffff:198.51.100.7", 50022, True),
            ("198.51.100.7", 50022, "10.0.0.5", 22, True),
            ("10.0.0.5", 22, "198.51.100.7", 50023, False),
            ("10.0.0.6", 22, "198.51.100.7", 50022, False),
        ],
    )
    def test_the_ssh_connection_is_known_in_any_namespace(
        self, local: str, lport: int, remote: str, rport: int, own: bool
    ) -> None:
        row = rows.connection(netns=77, comm=None, local=local, lport=lport, remote=remote, rport=rport)
        assert Lifeline.of(picture([]), SSH).carries(row) is own
        assert not Lifeline.of(picture([]), {}).carries(row)

    def test_under_sudo_it_is_known_by_who_holds_it(self) -> None:
        found = Lifeline.of(picture(session()), {})
        assert found.carries(rows.connection(pid=510, start_time=5100, comm="sshd"))
        assert not found.carries(rows.connection(pid=510, start_time=5100, remote=None, rport=None, state="LISTEN"))
        assert not found.carries(rows.connection(pid=800, start_time=8000))

    @pytest.mark.parametrize("said", ["", "x", "a b c d", "1.2.3.4 5 6.7.8.9", "1.2.3.4 x 6.7.8.9 22"])
    def test_what_the_environment_says_wrongly_is_nothing(self, said: str) -> None:
        assert Lifeline.of(picture([]), {"SSH_CONNECTION": said}).ends == frozenset()

    async def test_it_is_marked_in_the_list_and_not_closed_by_one_word(self) -> None:
        own = held(id=1, local="10.0.0.5", lport=22, remote="198.51.100.7", rport=50022, netns=77, rx_rate=9e9)
        shown = picture([process(2)], [own, held(id=2)])
        async with opened(shown, (120, 40), "2", environ=SSH) as seen:
            assert [row[0] for row in seen.rows()[:2]] == [seen.main.signs.own, " "]
            assert await acted(seen, "X", "y") == []
            assert "your own session" in seen.text()
            asked = await acted(seen, *"yes", "enter")
            assert [type(request) for request in asked] == [CloseSocket]


class TestNice:
    @pytest.mark.parametrize(
        ("keys", "nice"),
        [
            (["right_square_bracket", "enter"], 1),
            (["f8", "y"], 1),
            (["left_square_bracket", "enter"], -1),
            (["f7", "enter"], -1),
            (["]", "]", "]", "enter"], 3),
            (["]", "[", "enter"], None),
            (["]", "escape"], None),
            (["]", *["up"] * 50, "enter"], 19),
            (["[", *["down"] * 50, "enter"], -20),
        ],
    )
    async def test_it_is_chosen_in_the_question(self, keys: list[str], nice: int | None) -> None:
        async with opened(NGINX, (120, 40)) as seen:
            assert await acted(seen, *keys) == ([] if nice is None else [Renice(2, 20, nice, False)])

    async def test_the_question_names_what_was_and_what_will_be(self) -> None:
        async with opened(picture([process(2, nice=5)]), (120, 40), "]") as seen:
            assert re.search(r"2 +since \S+ +nginx --serve +nice +5 . +6", seen.text())

    async def test_every_process_moves_from_where_it_is(self) -> None:
        shown = picture([process(2, nice=5), process(3, nice=19), process(4)])
        async with opened(shown, (120, 40), "space", "space") as seen:
            assert await acted(seen, "]", "]", "enter") == [Renice(2, 20, 7, False), Renice(3, 30, 19, False)]

    async def test_nettop_itself_needs_a_word(self) -> None:
        async with opened(picture(session()), (120, 40)) as seen:
            await choose(seen, 520)
            assert await acted(seen, "]", "enter") == []
            assert await acted(seen, *"yes", "enter") == [Renice(520, 5200, 1, True)]


class TestClosing:
    async def test_the_question_names_both_ends_and_the_owner(self) -> None:
        async with opened(NGINX, (120, 40), "2", "X") as seen:
            for words in ("Close this socket?", "10.0.0.1:443", "10.9.9.9:50000", "nginx (2)", "tcp ESTAB", "[ no ]"):
                assert words in seen.text()
            (row,) = NGINX.connections.values()
            assert await acted(seen, "y") == [CloseSocket.of(row.socket)]
            assert "tcp 10.0.0.1:443" in seen.lines()[-1]

    @pytest.mark.parametrize("keys", [["n"], ["escape"], ["enter"]])
    async def test_anything_but_yes_does_nothing(self, keys: list[str]) -> None:
        async with opened(NGINX, (120, 40), "2", "X") as seen:
            assert await acted(seen, *keys) == []
            assert seen.app.screen is seen.main

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (rows.connection(proto="unix", family="unix"), "the kernel closes tcp and udp sockets on request, no unix"),
            (rows.connection(cookie=None), "it is known from /proc only"),
        ],
    )
    async def test_what_the_kernel_cannot_close_is_told(self, row: Connection, reason: str) -> None:
        async with opened(picture([], [row]), (120, 40), "2") as seen:
            assert await acted(seen, "X") == []
            assert reason in seen.lines()[-1]

    async def test_on_a_process_it_says_where_to_go(self) -> None:
        async with opened(NGINX, (120, 40)) as seen:
            assert await acted(seen, "X") == []
            assert "choose a connection" in seen.lines()[-1]

    async def test_a_listener_does_not_come_back_and_that_is_said(self) -> None:
        async with opened(
            picture([], [held(state="LISTEN", remote="0.0.0.0", rport=None)]), (120, 40), "2", "X"
        ) as seen:
            assert "does not listen again by itself" in seen.text()

    async def test_of_many_as_many_are_listed_as_fit(self) -> None:
        many = [held(id=n, lport=1000 + n) for n in range(40)]
        async with opened(picture([process(2)], many), (60, 20), "2", *["space"] * 40, "X") as seen:
            assert "Close these 40 sockets?" in seen.text()
            assert re.search(r"and \d+ more", seen.text())
            assert "[ no ]" in seen.text()


class TestGroups:
    """A group stands for all its rows."""

    async def test_of_processes_each_gets_the_signal_and_the_question_counts_them(self) -> None:
        shown = picture([process(2), process(3), process(4, "sshd")])
        async with opened(shown, (120, 40), "1", "b", "enter") as seen:
            await seen.press("K", "enter")
            assert "Send SIGTERM (15) to these 2 processes of program=nginx?" in seen.text()
            assert await acted(seen, "y") == [Signal(2, 20, 15, False), Signal(3, 30, 15, False)]

    async def test_of_connections_those_that_hold_them_get_it(self) -> None:
        shown = picture([process(2), process(3)], [held(id=1), held(id=2, lport=1)])
        async with opened(shown, (120, 40), "2", "b", "enter", "K", "enter") as seen:
            assert "to this process, which holds the socket of program=nginx?" in seen.text()
            assert await acted(seen, "y") == [Signal(2, 20, 15, False)]

    async def test_of_connections_those_the_kernel_can_close_are_closed(self) -> None:
        sockets = [held(id=1), held(id=2, lport=1), held(id=3, proto="unix", family="unix")]
        sockets.append(held(id=4, state="CLOSED"))
        async with opened(picture([process(2)], sockets), (120, 40), "2", "b", "enter", "X") as seen:
            assert "Close these 2 sockets of program=nginx?" in seen.text()
            assert await acted(seen, "y") == [CloseSocket.of(row.socket) for row in sockets[:2]]

    async def test_where_none_can_be_closed_that_is_told(self) -> None:
        sockets = [held(id=3, proto="unix", family="unix")]
        async with opened(picture([process(2)], sockets), (120, 40), "2", "b", "enter") as seen:
            assert await acted(seen, "X") == []
            assert (
                "the kernel closes tcp and udp sockets on request; there are none of program=nginx" in seen.lines()[-1]
            )

    async def test_only_what_passes_the_filter_of_the_rows_is_meant(self) -> None:
        sockets = [held(id=1), held(id=2, lport=1)]
        keys = ["2", "slash", *"lport=1", "enter", "b", "enter", "X", "y"]
        async with opened(picture([process(2)], sockets), (120, 40)) as seen:
            assert await acted(seen, *keys) == [CloseSocket.of(sockets[1].socket)]

    async def test_with_init_among_them_nothing_is_done(self) -> None:
        shown = picture([process(1, "systemd", ppid=0), process(9, "systemd")])
        async with opened(shown, (120, 40), "1", "b", "enter") as seen:
            assert await acted(seen, "K") == []
            assert "is init" in seen.lines()[-1]

    async def test_a_container_stands_for_its_processes(self) -> None:
        shown = picture([process(2, belongs=7), process(3, belongs=7), process(4)])
        shown = dataclasses.replace(shown, containers={7: rows.container_row(id=7, name="shop")})
        async with opened(shown, (120, 40), "4", "K", "enter") as seen:
            assert "these 2 processes of shop?" in seen.text()
            assert await acted(seen, "y") == [Signal(2, 20, 15, False), Signal(3, 30, 15, False)]


class TestPages:
    """On the page about a row, actions are for that row, whatever is tagged in the list."""

    async def test_a_signal_to_the_process_and_the_answer_where_the_keys_were(self) -> None:
        async with opened(NGINX, (120, 40), "1", "down", "space", "home", "e", "K", "enter") as seen:
            seen.source.answer = lambda _: Answer(True, "so it is")
            assert re.search(r"2 +since \S+ +nginx --serve", seen.text())
            assert isinstance(await page_after(seen, "y"), DetailScreen)
            assert Signal(2, 20, 15, False) in seen.source.asked
            assert "nginx (2): so it is" in seen.lines()[-1]
            await seen.press("down")
            assert "K signal" in seen.lines()[-1]

    async def test_another_nice_value(self) -> None:
        async with opened(NGINX, (120, 40), "1", "e") as seen:
            await page_after(seen, "f8", "enter")
            assert Renice(2, 20, 1, False) in seen.source.asked

    async def test_the_socket_is_closed_and_its_holder_signalled(self) -> None:
        (row,) = NGINX.connections.values()
        async with opened(NGINX, (120, 40), "2", "enter") as seen:
            await page_after(seen, "X", "y")
            await page_after(seen, "K", "enter", "y")
            assert [request for request in seen.source.asked if isinstance(request, (CloseSocket, Signal))] == [
                CloseSocket.of(row.socket),
                Signal(2, 20, 15, False),
            ]

    async def test_the_row_is_copied(self, copied: list[str]) -> None:
        async with opened(NGINX, (120, 40), "2", "enter", "p", "y", "2", "enter"):
            assert json.loads(copied[0])["pid"] == 2

    async def test_what_has_no_process_says_so(self) -> None:
        shown = dataclasses.replace(NGINX, namespaces={1: rows.namespace_row(id=1)})
        async with opened(shown, (120, 40), "3", "e") as seen:
            await page_after(seen, "K")
            assert "choose a process, or a connection of it" in seen.lines()[-1]

    async def test_read_only_offers_none(self) -> None:
        async with opened(NGINX, (120, 40), "1", "e", config=READ_ONLY) as seen:
            assert "K signal" not in seen.lines()[-1]
            assert "y copy" in seen.lines()[-1]
            await page_after(seen, "K", "enter", "y")
            assert not any(isinstance(request, Signal) for request in seen.source.asked)

    async def test_other_keys_are_those_of_the_settings(self) -> None:
        async with opened(NGINX, (120, 40), "1", "e", config=Config(keys={"signal": ("x",)})) as seen:
            assert "x signal" in seen.lines()[-1]
            await seen.press("x")
            assert "send a signal" in seen.text()


async def page_after(seen: Seen, *keys: str) -> Screen[Any]:
    """What is in front after some keys, once all that they asked for was answered."""
    await seen.press(*keys)
    await seen.settle()
    return seen.app.screen


class TestReadOnly:
    @pytest.mark.parametrize("key", [key for command in COMMANDS if command.acts for key in command.keys.split(",")])
    async def test_no_action_exists(self, key: str) -> None:
        async with opened(NGINX, (160, 50), "2", config=READ_ONLY) as seen:
            assert await acted(seen, key, "enter", "y") == []
            await seen.press("escape", "question_mark", "G")
            for command in COMMANDS:
                if command.acts:
                    assert command.help not in seen.text()

    async def test_nor_in_the_footer(self) -> None:
        async with opened(NGINX, (200, 40)) as seen:
            offered = seen.main.commands
            assert {"signal", "close_socket", "nice_less", "nice_more"} <= offered.keys()
        async with opened(NGINX, (200, 40), config=READ_ONLY) as seen:
            assert {name for name in offered if name not in seen.main.commands} == {
                command.name for command in COMMANDS if command.acts
            }

    async def test_copying_changes_nothing_and_stays(self) -> None:
        async with opened(NGINX, (120, 40), "y", config=READ_ONLY) as seen:
            assert "as JSON, every field" in seen.text()

    def test_the_option_reaches_the_collector(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []

        def fork(_interval: float, read_only: bool, *_others: object) -> None:
            asked.append(read_only)
            raise SystemExit

        monkeypatch.setattr(spawn, "fork", fork)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        try:
            for options in ([], ["--read-only"]):
                with pytest.raises(SystemExit):
                    cli.main(["--config", os.devnull, *options])
        finally:
            gc.enable()
        assert asked == [False, True]


class TestCopying:
    async def test_the_row_as_shown(self, copied: list[str]) -> None:
        async with opened(NGINX, (120, 40), "2", "y", "enter") as seen:
            (text,) = copied
            assert "10.0.0.1:443" in text
            assert "\n" not in text
            assert "copied: " in seen.lines()[-1]

    async def test_several_rows_stand_under_their_titles(self, copied: list[str]) -> None:
        async with opened(NGINX, (120, 40), "space", "space", "y", "enter") as seen:
            title, first, second = copied[0].splitlines()
            assert title.split()[0] == "PID"
            assert [first.split()[0], second.split()[0]] == ["2", "3"]
            assert "copied 3 lines" in seen.lines()[-1]

    async def test_every_field_as_json(self, copied: list[str]) -> None:
        async with opened(NGINX, (120, 40), "2", "y", "2", "enter") as seen:
            said = json.loads(copied[0])
            assert said["lport"] == 443
            assert said["pid"] == 2
            assert said.keys() >= seen.main.pane.view.fields.keys()

    async def test_the_command_of_another_tool(self, copied: list[str]) -> None:
        async with opened(NGINX, (120, 40), "2", "y") as seen:
            assert "tcpdump -nni any" in seen.text()
            await seen.press("4", "enter")
            assert shlex.split(copied[0]) == [
                "tcpdump", "-nni", "any", "tcp and host 10.0.0.1 and port 443 and host 10.9.9.9 and port 50000",
            ]  # fmt: skip

    async def test_what_is_too_much_is_cut_at_a_line_and_that_is_said(self, copied: list[str]) -> None:
        many = [held(id=n, lport=1000 + n) for n in range(1000)]
        async with opened(picture([process(2)], many), (120, 40), "2") as seen:
            seen.main.pane.tag(range(1000))
            await seen.press("y", "2", "enter")
            assert re.search(r"copied the first \d+ of 1000 lines", seen.lines()[-1])
            for line in copied[0].splitlines():
                json.loads(line)

    async def test_no_name_reaches_the_terminal_as_it_is(self, copied: list[str]) -> None:
        evil = "\x1b]52;c;eA==\x07\nrm -rf /"
        shown = picture([process(2, evil)], [held(local=evil, proto="unix", family="unix", remote=None, rport=None)])
        for number in "12345":
            async with opened(shown, (120, 40), "2", "y", number, "enter"):
                pass
        assert copied
        for text in copied:
            assert text.isprintable(), text

    @pytest.mark.parametrize("term", ["vt100", "linux", "dumb"])
    async def test_a_terminal_without_a_clipboard_is_told_so(self, copied: list[str], term: str) -> None:
        async with opened(NGINX, (120, 40), "y", environ={"TERM": term}) as seen:
            assert "no clipboard" in seen.lines()[-1]
        assert not copied


class TestTerminals:
    def test_a_terminal_gets_the_text_in_base64(self) -> None:
        sent = clipboard.sequence("löwe\n", {"TERM": "xterm-256color"})
        assert sent == "\x1b]52;c;" + base64.b64encode("löwe\n".encode()).decode() + "\a"

    def test_tmux_gets_it_twice_once_to_pass_on(self) -> None:
        sent = clipboard.sequence("x", {"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"})
        assert sent == "\x1b]52;c;eA==\a\x1bPtmux;\x1b\x1b]52;c;eA==\a\x1b\\"

    def test_screen_gets_it_in_pieces_that_make_it_up(self) -> None:
        text = "x" * 5000
        sent = clipboard.sequence(text, {"TERM": "screen.xterm-256color"})
        pieces = re.findall("\x1bP(.*?)\x1b\\\\", sent, re.DOTALL)
        assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == sent
        assert max(map(len, pieces)) < 256
        assert "".join(pieces) == clipboard.sequence(text, {"TERM": "xterm"})

    def test_the_longest_text_is_one_terminals_take(self) -> None:
        lines = clipboard.fitting(["ä" * 99] * 1000)
        assert len(clipboard.sequence("\n".join(lines), {})) <= 74_994


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that was copied."""
    from nettop.tui.app import NettopApp

    texts: list[str] = []
    monkeypatch.setattr(NettopApp, "copy_to_clipboard", lambda _, text: texts.append(text))
    return texts


class TestRecipes:
    """That the commands run and show the very row is told in tests/kernel/test_recipes.py."""

    def test_in_another_namespace_one_goes_there_first(self) -> None:
        row = rows.connection(netns=77, netns_name="web")
        namespace = rows.namespace_row(netns=77, name="a b;c", kind="named", pid=None).namespace
        assert row.namespace is not None
        for inside, space in (("nsenter -t 5 -n ", namespace._replace(pid=5)), ("ip netns exec 'a b;c' ", namespace)):
            found = recipes(row._replace(namespace=space))
            assert found
            for recipe in found:
                assert recipe.command.startswith(inside)

    def test_where_nothing_leads_into_a_namespace_there_is_no_command(self) -> None:
        namespace = rows.namespace_row(netns=77, name="a\nb", kind="orphan", pid=None).namespace
        assert recipes(rows.connection(netns=77)._replace(namespace=namespace)) == []

    def test_an_end_that_is_any_is_not_asked_for(self) -> None:
        row = rows.connection(local="0.0.0.0", lport=80, remote="0.0.0.0", rport=None, state="LISTEN")
        assert [recipe.command for recipe in recipes(row)] == [
            "ss -anpemio -t -4 'sport = :80'",
            "tcpdump -nni any 'tcp and port 80'",
        ]

    def test_processes_namespaces_and_events_have_theirs(self) -> None:
        assert [recipe.command for recipe in recipes(process(2))] == [
            "ss -tuanp | grep -w pid=2",
            "nsenter -t 2 -n",
        ]
        assert recipes(rows.namespace_row(kind="named", pid=9))[0].command == "nsenter -t 9 -n ss -tuanp"
        assert recipes(rows.event()) == []
