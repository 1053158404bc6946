"""What pages of details are built of: text that flows, figures in line, graphs that move and do not flicker."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nettop import format as text
from nettop.model import SocketStats
from nettop.snapshot import Sample
from nettop.tui.details.blocks import Block, Canvas, Fact, Figure, flow
from nettop.tui.details.graph import HEIGHT, PICTURES, graph
from nettop.tui.details.measures import said, size, span, speed
from nettop.tui.details.tcp_words import STATES, queues, tcp
from nettop.tui.drawing import theme
from nettop.tui.drawing.line import piece
from tests.support import rows

LOOK = theme.DARK.look


def canvas(width: int) -> Canvas:
    return Canvas(width, LOOK, theme.UNICODE)


def lines(block: Block) -> list[str]:
    return ["".join(segment.text for segment in line.pieces) for line in block]


def stats(**changes: object) -> SocketStats:
    return rows.connection(**changes).stats


class TestText:
    @given(st.text(), st.integers(1, 60))
    @example("0 000", 1)
    @example("0 \uff10\uff10", 1)
    def test_text_flows_into_lines_that_fit_and_nothing_but_blanks_is_lost(self, said: str, width: int) -> None:
        shown = text.safe(said)
        flown = ["".join(segment.text for segment in line) for line in flow([piece(shown, LOOK.text)], max(2, width))]
        assert all(text.cell_width(line) <= max(2, width) for line in flown)
        assert "".join(flown).replace(" ", "") == shown.replace(" ", "")

    def test_lines_break_between_words(self) -> None:
        assert lines(canvas(20).paragraph("a sentence of some words", LOOK.text)) == [" a sentence of some", " words"]

    def test_a_long_value_goes_on_under_its_beginning(self) -> None:
        first, second = lines(canvas(31).facts([Fact("program", "/usr/lib/a-long-way/to/a/program")]))
        assert first == " program      /usr/lib/a-long-"
        assert second == "              way/to/a/program"

    def test_figures_are_aligned_where_their_units_begin(self) -> None:
        figures = [Figure("a", "12.5", "MB/s", "x"), Figure("b", "3", "", "y"), Figure("c", "1,024", "ms", "z")]
        assert lines(canvas(60).figures(figures)) == [
            " a               12.5 MB/s  x",
            " b                  3       y",
            " c              1,024 ms    z",
        ]

    def test_two_blocks_stand_side_by_side_where_there_is_room(self) -> None:
        wide, narrow = canvas(100), canvas(99)
        for drawn, count in ((wide, 1), (narrow, 2)):
            left, right = drawn.halves()
            block = drawn.beside(left.facts([Fact("a", "1", "", 7)]), right.facts([Fact("b", "2", "", 8)]))
            assert len(block) == count
        shown = lines(block := wide.beside(*(half.facts([Fact("a", "x", "", 7)]) for half in wide.halves())))[0]
        assert [shown[link.start : link.end] for link in block[0].links] == ["x", "x"]


class TestGraph:
    @staticmethod
    def drawn(values: list[float], width: int = 140, sequence: int = 1000) -> list[str]:
        samples = [Sample(float(n), value, 0.0, None, 0.0) for n, value in enumerate(values)]
        return lines(
            graph(canvas(width), "rate", samples, lambda s: s.rx_rate, lambda v: said(speed(v)), LOOK.rx, sequence)
        )

    def test_the_highest_fills_the_height_and_zero_is_a_line(self) -> None:
        _, *bars, times = self.drawn([0.0, 50.0, 100.0])
        assert len(bars) == HEIGHT
        assert [line[-3:] for line in bars] == ["  █", "  █", " ██", "▁██"]
        assert times.endswith("now")

    def test_now_and_the_extremes_are_written_out(self) -> None:
        head = self.drawn([2048.0, 0.0, 1024.0])[0]
        assert "rate 1.0 kB/s" in head
        assert "least 0 B/s  most 2.0 kB/s" in head

    def test_what_is_not_known_is_blank_and_without_anything_a_sentence_stands_there(self) -> None:
        samples = [Sample(1.0, 0.0, 0.0, 5.0, 0.0), Sample(2.0, 0.0, 0.0, None, 0.0)]
        block = graph(canvas(140), "round trip", samples, lambda s: s.rtt, str, LOOK.rx, 2)
        assert lines(block)[1].endswith("█ ")
        assert "round trip -" in lines(block)[0]
        assert "nothing moved" in "\n".join(lines(graph(canvas(60), "x", [], lambda s: s.rtt, str, LOOK.rx, 2)))

    @pytest.mark.parametrize("width", [40, 60, 77, 140])
    def test_all_remembered_pictures_are_on_it_whatever_its_width(self, width: int) -> None:
        peak = [0.0] * (PICTURES - 1)
        for place in (0, PICTURES // 2):
            bars = self.drawn([*peak[:place], 9.0, *peak[place:]], width)
            assert sum(line.count("█") for line in bars) == HEIGHT

    def test_a_column_of_several_pictures_does_not_change_while_it_moves(self) -> None:
        values = [float(n * 37 % 11) for n in range(3 * PICTURES)]
        seen = []
        for end in range(2 * PICTURES, 2 * PICTURES + 6):
            shown = self.drawn(values[end - PICTURES : end], 77, sequence=end)
            seen.append([line[9:].strip() for line in shown[1:-1]][-1])
        for before, after in itertools.pairwise(seen):
            middle = before[5:-5]
            assert middle in after


class TestWords:
    @pytest.mark.parametrize(
        ("measure", "shown"),
        [
            (size(1536), "1.5 kB"),
            (size(7), "7 B"),
            (size(None), "-"),
            (speed(3.2e6), "3.1 MB/s"),
            (span(48_000), "48 ms"),
            (span(12e6), "12 s"),
        ],
    )
    def test_measures_have_a_number_and_a_unit(self, measure: tuple[str, str], shown: str) -> None:
        assert said(measure) == shown

    def test_every_state_the_kernel_knows_has_its_words(self) -> None:
        assert {"ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN"} < STATES.keys()

    def test_a_full_accept_queue_stands_out(self) -> None:
        (queue,) = queues(stats(state="LISTEN", recvq=128, sendq=128), LOOK)
        assert (queue.number, queue.style) == ("128", LOOK.warning)

    @pytest.mark.parametrize("notsent", [0, 11_600])
    def test_what_was_not_sent_once_has_a_line_of_its_own_whether_there_is_some_or_not(self, notsent: int) -> None:
        told = {f.label: f for f in queues(stats(state="ESTAB", sendq=200_000, notsent=notsent), LOOK)}
        assert told["not sent"].number == ("11.3" if notsent else "0")
        assert list(told) == ["to read", "to send", "not sent"]

    def test_time_outs_in_a_row_and_losses_are_told(self) -> None:
        told = {f.label: f for f in tcp(stats(backoff=3, rto=1_600_000, retrans=7, lost=2, tx_packets=70), LOOK)}
        assert "3 times in a row" in told["time-out"].words
        assert told["sent again"].words == "segments of 70, 10.0 %, since it was opened; 2 believed lost now"
        assert told["sent again"].style == LOOK.warning

    def test_where_the_time_with_data_to_send_went(self) -> None:
        told = {f.label: f for f in tcp(stats(busy=2_000_000, rwnd_limited=500_000, sndbuf_limited=1_000_000), LOOK)}
        assert told["busy"].number == "2000"
        assert "25.0 % of it waiting for their window" in told["busy"].words
        assert "50.0 % of it waiting for room in the send buffer" in told["busy"].words

    def test_slow_start_and_what_comes_after_it(self) -> None:
        def window(**changes: int) -> str:
            return next(f.words for f in tcp(stats(**changes), LOOK) if f.label == "window")

        assert "until the first loss" in window(cwnd=10, ssthresh=0x7FFFFFFF)
        assert "doubles each round trip up to 40" in window(cwnd=10, ssthresh=40)
        assert "was cut at 7 before" in window(cwnd=10, ssthresh=7)

    def test_a_window_of_zero_is_told(self) -> None:
        assert "takes nothing now" in next(f.words for f in tcp(stats(snd_wnd=0), LOOK) if f.label == "their window")
