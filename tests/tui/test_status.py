"""The lines that are always in sight tell how the machine is and what nettop cannot see of it."""

from __future__ import annotations

import dataclasses

import pytest

from nettop.model import Health
from nettop.snapshot import EMPTY, Coverage, HostRates, LinkRate
from nettop.tui.commands import COMMANDS
from nettop.tui.drawing import status
from nettop.tui.drawing.line import Pieces, cells
from nettop.tui.drawing.theme import DARK, UNICODE
from nettop.tui.lists.levels import Levels
from tests.support import rows
from tests.support.screen import opened, past


def text(pieces: Pieces) -> str:
    return "".join(segment.text for segment in pieces)


def host_line(width: int = 140) -> str:
    return text(status.host_line(rows.snapshot(), past(), width, DARK.look, UNICODE))


def coverage_line(notice: str | None = None, width: int = 160, **changes: object) -> str:
    picture = dataclasses.replace(rows.snapshot(), **changes)  # type: ignore[arg-type]
    return text(status.coverage_line(picture, status.OwnCost(0.9, 58 << 20), notice, width, DARK.look, UNICODE))


class TestHostLine:
    def test_it_names_the_machine_and_its_figures(self) -> None:
        line = host_line()
        for part in (
            "web-01",
            "load 0.42 0.35 0.30",
            "cpu 12.0%",
            "mem 3.0G/16.0G",
            "↓ 11.8 MB/s",
            "retr 0.1%",
            "up 30m",
        ):
            assert part in line

    @pytest.mark.parametrize("width", range(60, 200))
    def test_it_never_is_wider_than_the_terminal(self, width: int) -> None:
        assert cells(status.host_line(rows.snapshot(), past(), width, DARK.look, UNICODE)) <= width

    def test_what_matters_most_stays_on_a_narrow_screen(self) -> None:
        assert "web-01" in host_line(60)
        assert "↓ 11.8 MB/s" in host_line(60)

    def test_where_there_is_room_it_tells_by_which_interfaces(self) -> None:
        def line(links: tuple[LinkRate, ...], width: int) -> str:
            picture = rows.snapshot()
            picture = dataclasses.replace(picture, rates=picture.rates._replace(links=links))
            return text(status.host_line(picture, past(), width, DARK.look, UNICODE))

        one, other = LinkRate("eth1", 2e6, 1e6), LinkRate("eth0", 1e6, 0.0)
        assert "over eth1" in line((one,), 180)
        assert "eth1" not in line((one,), 120)
        assert "eth0 ↓ 977 kB/s" in line((one, other), 220)
        assert line((one, other), 220).index("eth0") < line((one, other), 220).index("eth1"), "in places of their own"
        assert line((), 120) == line((one, other), 120)

    def test_unknown_rates_are_a_dash(self) -> None:
        unknown = dataclasses.replace(rows.snapshot(), rates=HostRates(None, None, None, None, None, None))
        assert "cpu - " in text(status.host_line(unknown, [], 140, DARK.look, UNICODE))

    def test_before_the_first_picture_it_says_what_it_waits_for(self) -> None:
        assert "reading the machine" in text(status.host_line(EMPTY, [], 80, DARK.look, UNICODE))

    def test_a_sparkline_is_as_high_as_its_values(self) -> None:
        assert status.sparkline([0.0, 50.0, 100.0], 4, UNICODE.bars, 100.0) == " ▁▅█"
        assert status.sparkline([1.0, None, 2.0], 3, UNICODE.bars) == "▅ █"
        assert status.sparkline([0.0, 0.0], 2, UNICODE.bars) == "▁▁"


class TestCoverageLine:
    def test_it_tells_how_much_is_explained(self) -> None:
        line = coverage_line()
        for part in (
            "99.8% of bytes",
            "3 sockets without one",
            "7/7 namespaces",
            "events lost 0",
            "nettop  0.9% 58.0M",
        ):
            assert part in line

    def test_what_explains_the_rest_is_said_first(self) -> None:
        tracked = Health("conntrack", "unavailable", "tracked connections may not be read", "sudo nettop", 1)
        missing = Health("capabilities", "degraded", "without CAP_NET_ADMIN", "sudo nettop", 1)
        assert "without CAP_NET_ADMIN (and 1 more)" in coverage_line(health=[tracked, missing])

    def test_what_is_degraded_is_said_in_words_with_the_count_of_the_rest(self) -> None:
        health = [Health("cn_proc", "degraded", "no process events here: polling", None, 1)] * 3
        line = coverage_line(health=health, width=180)
        assert line.endswith("· ▲ degraded: no process events here: polling (and 2 more)")

    @pytest.mark.parametrize("width", [60, 80, 100, 160])
    def test_a_long_reason_leaves_room_for_the_rest(self, width: int) -> None:
        health = [Health("cn_proc", "degraded", "a very long story " * 9, None, 1)] * 3
        line = coverage_line(width=width, health=health)
        assert len(line) <= width
        assert line.startswith(" owners")
        assert line.rstrip().endswith("(and 2 more)")

    @pytest.mark.parametrize(("width", "cells_of_it"), [(60, 30), (80, 50), (100, 60), (160, 75)])
    def test_what_is_degraded_is_worth_more_than_figures_without_a_worry(self, width: int, cells_of_it: int) -> None:
        reason = "the kernel refuses process events here, so /proc is read every second instead of being told"
        line = coverage_line(width=width, health=[Health("cn_proc", "degraded", reason, None, 1)])
        assert f"▲ degraded: {reason}"[:cells_of_it] in line

    def test_what_is_lost_stays_beside_what_is_degraded(self) -> None:
        health = [Health("cn_proc", "degraded", "a very long story " * 9, None, 1)]
        line = coverage_line(width=100, coverage=Coverage(0.5, 10, 5, 7, 7, 12), health=health)
        assert "▲ events lost 12" in line
        assert "namespaces" not in line

    def test_a_sign_stands_beside_what_was_lost_or_unread(self) -> None:
        line = coverage_line(coverage=Coverage(0.5, 10, 5, 7, 5, 12))
        assert "▲ 5/7 namespaces" in line
        assert "▲ events lost 12" in line

    def test_all_of_the_bytes_is_one_hundred_percent(self) -> None:
        assert "100% of bytes" in coverage_line(coverage=Coverage(1.0, 10, 0, 7, 7, 0))
        assert "99.9% of bytes" in coverage_line(coverage=Coverage(0.9999, 10, 0, 7, 7, 0))

    def test_while_nothing_moves_there_is_no_share_and_nothing_shifts(self) -> None:
        idle, busy = (coverage_line(coverage=Coverage(share, 10, 0, 7, 7, 0)) for share in (None, 1.0))
        assert "owners: nothing moves" in idle
        assert idle.index("namespaces") == busy.index("namespaces")

    async def test_a_notice_takes_its_place_until_it_is_over(self) -> None:
        async with opened() as seen:
            await seen.show("collector died: starting it again")
            assert "▲ collector died: starting it again" in seen.lines()[1]
            await seen.show(None)
            assert "owners" in seen.lines()[1]


class TestTabs:
    @pytest.mark.parametrize(
        ("width", "shown"), [(120, "2 Connections 12,345"), (80, "2 Conns 12,345"), (60, "2 Conns ")]
    )
    def test_counts_are_worth_more_than_long_names(self, width: int, shown: str) -> None:
        picture = dataclasses.replace(rows.snapshot(), connections=dict.fromkeys(range(12_345), rows.connection()))
        line = text(status.tabs_line(picture, Levels("processes"), False, width, DARK.look, UNICODE))
        assert shown in line
        assert len(line) == width


class TestFooter:
    @pytest.mark.parametrize("pane", ["1", "2", "3", "5"])
    @pytest.mark.parametrize("width", [60, 80, 120, 160])
    async def test_it_is_as_wide_as_the_screen_and_has_the_way_out(self, width: int, pane: str) -> None:
        async with opened(None, (width, 24), pane) as seen:
            line = seen.lines()[-1]
            assert len(line) == width
            assert line.startswith(
                " ? help  q quit  : palette  / filter  Enter open  s sort" if pane != "5" else " ? help"
            )

    async def test_it_shows_the_keys_of_the_pane_one_looks_at(self) -> None:
        async with opened(None, (120, 24), "1") as seen:
            assert "t tree" in seen.lines()[-1]
            await seen.press("2")
            assert "t tree" not in seen.lines()[-1]
            assert "l listeners" in seen.lines()[-1]

    async def test_the_way_back_is_there_when_there_is_one(self) -> None:
        async with opened(None, (60, 24), "1") as seen:
            assert "Esc back" not in seen.lines()[-1]
            await seen.press("enter")
            assert "Esc back" in seen.lines()[-1]
            await seen.press("escape")
            assert "Esc back" not in seen.lines()[-1]

    async def test_every_command_it_may_show_has_a_word_for_it(self) -> None:
        words = {command.name: command.footer for command in COMMANDS}
        for names in status.NEEDED.values():
            assert all(words[name] for name in names)


class TestSource:
    async def test_the_interval_is_passed_on(self) -> None:
        async with opened() as seen:
            assert seen.source.interval == 1.0

    @pytest.mark.parametrize("variable", ["SSH_CONNECTION", "SSH_TTY"])
    async def test_ssh_is_recognised(self, variable: str) -> None:
        async with opened(environ={variable: "x"}) as seen:
            assert seen.app.remote


def test_what_this_kernel_does_not_have_is_no_complaint() -> None:
    health = Health("sock_diag:sctp", "absent", "this kernel cannot list sctp sockets", "modprobe sctp_diag", 1)
    assert "absent" not in coverage_line(health=[health])
