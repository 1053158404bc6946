"""What columns show: names for numbers, shortened where it hurts least; and who listens."""

from __future__ import annotations

from typing import Any

import pytest

from nettop import format as text
from nettop.fields import VIEWS, View
from nettop.snapshot import Snapshot
from nettop.tui.drawing.columns import columns_of
from nettop.tui.drawing.place import place
from tests.support import rows
from tests.support.screen import opened


class Nicknames:
    """Names for a test."""

    def port(self, number: int, proto: str | None) -> str | None:
        return {(443, "tcp"): "https", (53, "udp"): "domain"}.get((number, proto or ""))

    def host(self, address: str) -> str | None:
        return {"203.0.113.9": "cdn.example", "198.51.100.1": "\x1b[31mred"}.get(address)

    def news(self) -> bool:
        return False


class TestNames:
    @pytest.mark.parametrize(
        ("row", "remote"),
        [
            ({"remote": "203.0.113.9", "rport": 443}, "cdn.example:https"),
            ({"remote": "203.0.113.9", "rport": 444}, "cdn.example:444"),
            ({"remote": "10.0.0.1", "rport": 53, "proto": "udp"}, "10.0.0.1:domain"),
            ({"remote": "10.0.0.1", "rport": 53, "proto": "tcp"}, "10.0.0.1:53"),
            ({"remote": "::1", "rport": 443}, "[::1]:https"),
            ({"remote": "0.0.0.0", "rport": None, "state": "LISTEN"}, "0.0.0.0:*"),
            ({"remote": None, "rport": None}, "-"),
            ({"remote": "198.51.100.1", "rport": 443}, "?[31mred:https"),
        ],
    )
    def test_an_end_is_called_by_what_is_known_of_it(self, row: dict[str, object], remote: str) -> None:
        column = columns_of(VIEWS["connections"], ["remote", "rport"], Nicknames())[0]
        assert column.text(rows.connection(**row), rows.NOW)[1] == remote

    def test_a_port_alone_has_its_name_and_keeps_its_width(self) -> None:
        column = columns_of(VIEWS["connections"], ["rport"], Nicknames())[0]
        assert column.text(rows.connection(rport=443), rows.NOW, 8) == (443, "   https")
        assert column.text(rows.connection(rport=444), rows.NOW) == (444, "444")
        assert column.text(rows.connection(rport=None), rows.NOW)[1] == "-"

    async def test_n_shows_names_and_numbers_again_and_the_title_tells(self) -> None:
        picture = rows.snapshot([rows.connection(remote="203.0.113.9", rport=22)])
        async with opened(picture, (120, 24), "2", "n") as seen:
            if "203.0.113.9:ssh" not in seen.rows()[0]:
                pytest.skip("this machine knows no services: there is no /etc/services")
            assert seen.lines()[3].rstrip().endswith("names")
            await seen.press("n")
            assert "203.0.113.9:22" in seen.rows()[0]
            assert "names" not in seen.lines()[3]


class TestNamespacesWithoutName:
    def test_they_go_by_their_inode(self) -> None:
        column = columns_of(VIEWS["namespaces"], ["netns_name"])[0]
        assert column.text(rows.namespace_row(name=None, netns=4026534091), rows.NOW, 12) == (None, "4026534091  ")
        assert column.text(rows.namespace_row(name="web", netns=4026534091), rows.NOW, 12) == ("web", "web         ")

    def test_where_there_is_no_room_its_end_is_told(self) -> None:
        column = columns_of(VIEWS["connections"], ["netns_name"])[0]
        assert column.text(rows.connection(netns_name=None, netns=4026534091), rows.NOW, 8) == (None, "…6534091")

    def test_one_that_is_not_known_has_none(self) -> None:
        column = columns_of(VIEWS["processes"], ["netns_name"])[0]
        assert column.text(rows.process_row(netns=None, netns_name=None), rows.NOW, 8) == (None, "-       ")


class TestShortening:
    @pytest.mark.parametrize(
        ("command", "width", "shown"),
        [
            ("/usr/sbin/nginx -g daemon", 30, "/usr/sbin/nginx -g daemon"),
            ("/usr/sbin/nginx -g daemon off;", 25, "nginx -g daemon off;"),
            ("/usr/lib/jvm/java-17/bin/java -Xmx4g -jar /srv/app.jar", 16, "java -Xmx4g -ja…"),
            ("nginx: worker process /srv/x", 12, "nginx: work…"),
            ("[kworker/0:1-events]", 10, "[kworker/…"),
            ("/usr/bin/a-very-long-program-name", 10, "a-very-lo…"),
            ("", 5, ""),
        ],
    )
    def test_a_command_keeps_the_name_of_its_program(self, command: str, width: int, shown: str) -> None:
        assert text.shorten_command(command, width) == shown

    async def test_it_does_so_on_the_screen(self) -> None:
        command = "/opt/some/where/deep/inside/of/it/bin/server --config /etc/server.conf"
        async with opened(rows.snapshot(processes=[rows.process_row(command=command)]), (80, 24)) as seen:
            assert "server --config" in seen.rows()[0]

    def test_names_of_namespaces_keep_both_their_ends(self) -> None:
        column = columns_of(VIEWS["connections"], ["netns_name"])[0]
        row = rows.connection(netns_name="cni-3f2b8d1e-77aa-4bd0")
        assert column.text(row, rows.NOW, 9)[1] == "cni-…4bd0"


class TestPlacing:
    @pytest.mark.parametrize(
        ("view", "width", "wanted"),
        [
            ("connections", 80, ["state", "local", "remote", "rx_rate", "tx_rate", "pid", "comm"]),
            ("processes", 80, ["pid", "user", "cpu", "connections", "rx_rate", "tx_rate", "command"]),
            ("namespaces", 80, ["netns_name", "processes", "connections", "listening", "rx_rate", "tx_rate"]),
        ],
    )
    def test_80_columns_show_what_tells_most(self, view: str, width: int, wanted: list[str]) -> None:
        samples: dict[str, list[Any]] = {
            "connections": list(rows.many_connections(200)),
            "processes": list(rows.many_processes(60)),
            "namespaces": [rows.namespace_row(name="a-name-of-some-length")],
        }
        sample = samples[view]
        shown = [placed.column.field.name for placed in place(VIEWS[view], sample, rows.NOW, width - 1)]
        assert set(wanted) <= set(shown)

    def test_60_columns_show_both_rates_and_the_whole_other_end_of_this_end_the_port(self) -> None:
        sample = list(rows.many_connections(200))
        sample.append(rows.connection(local="10.0.13.7", lport=55976, remote="203.0.113.209", rport=55976))
        row = place(VIEWS["connections"], sample, rows.NOW, 59)
        assert [p.column.field.title for p in row] == ["LPORT", "REMOTE", "RX/s", "TX/s", "PID", "COMMAND"]
        assert row[1].column.text(sample[-1], rows.NOW, row[1].width)[1].rstrip() == "203.0.113.209:55976"

    def test_a_command_keeps_room_to_be_told_apart(self) -> None:
        widths = {
            p.column.field.name: p.width for p in place(VIEWS["processes"], rows.many_processes(60), rows.NOW, 79)
        }
        assert widths["command"] >= 20

    def test_an_ipv4_address_and_its_port_are_whole_at_80_columns(self) -> None:
        sample = [rows.connection(local="10.0.13.7", lport=55976, remote="203.0.113.9", rport=443)]
        row = place(VIEWS["connections"], sample, rows.NOW, 79)
        cells = {p.column.field.name: p.column.text(sample[0], rows.NOW, p.width)[1].rstrip() for p in row}
        assert (cells["local"], cells["remote"]) == ("10.0.13.7:55976", "203.0.113.9:443")

    @pytest.mark.parametrize("view", [VIEWS["connections"], VIEWS["connections"].first()])
    @pytest.mark.parametrize(("local", "remote"), [("10.0.0.5", "10.0.0.7"), ("192.168.100.23", "203.0.113.209")])
    def test_80_columns_tell_what_holds_a_connection_up_also_where_nothing_does_yet(
        self, view: View, local: str, remote: str
    ) -> None:
        sample = [rows.connection(local=local, remote=remote, limit=None) for _ in range(30)]
        widths = {p.column.field.name: p.width for p in place(view, sample, rows.NOW, 79)}
        assert {"limit", "rx_rate", "tx_rate"} <= set(widths)
        assert widths["limit"] == len("receiver")

    @pytest.mark.parametrize("width", range(60, 200))
    def test_what_was_received_and_what_was_sent_are_shown_both_or_not_at_all(self, width: int) -> None:
        shown = {p.column.field.name for p in place(VIEWS["connections"], rows.many_connections(50), rows.NOW, width)}
        assert ("rx_bytes" in shown) == ("tx_bytes" in shown)

    @pytest.mark.parametrize("width", [59, 79, 119])
    @pytest.mark.parametrize("name", ["recvq", "age", "tx_bytes", "limit", "lport"])
    def test_what_the_rows_are_sorted_by_is_shown_whatever_the_width(self, width: int, name: str) -> None:
        placed = place(VIEWS["connections"], rows.many_connections(50), rows.NOW, width, sorted_by=name)
        assert name in {field.name for p in placed for field in (p.column.field, p.column.port) if field}
        assert sum(p.width + 1 for p in placed) <= width + 1

    async def test_a_column_that_is_not_there_comes_when_one_sorts_by_it(self) -> None:
        async with opened(None, (80, 24), "s", *"age", "enter") as seen:
            assert seen.lines()[4].split()[:2] == ["PID", "▼AGE"]
            await seen.press(">")
            assert seen.lines()[4].split()[:3] == ["PID", "AGE", "USER▲"]

    def test_chosen_columns_stand_in_the_order_chosen(self) -> None:
        chosen = ("comm", "rtt", "local")
        shown = place(VIEWS["connections"], [rows.connection()], rows.NOW, 79, chosen=chosen)
        assert tuple(p.column.field.name for p in shown) == chosen


class TestListeners:
    def picture(self) -> Snapshot:
        web = rows.HOST_NETNS + 1
        return rows.snapshot(
            [
                rows.connection(id=1, state="LISTEN", lport=443, remote="0.0.0.0", rport=None, comm="nginx"),
                rows.connection(id=2, state="ESTAB", lport=443),
                rows.connection(id=3, state="LISTEN", lport=22, netns=web, netns_name="web", rport=None, comm="sshd"),
                rows.connection(id=4, state="UNCONN", proto="udp", lport=53, rport=None, comm="named"),
                rows.connection(id=5, state="UNCONN", proto="netlink", family="netlink", lport=77, rport=None),
            ],
            [rows.process_row(id=1, pid=7, listening=1), rows.process_row(id=2, pid=8, listening=0)],
            [rows.namespace_row(id=1), rows.namespace_row(id=2, netns=web, name="web")],
        )

    async def test_l_shows_who_holds_which_port_everywhere(self) -> None:
        async with opened(self.picture(), (120, 24), "3", "down", "enter", "l") as seen:
            assert seen.main.pane.ids == [3, 4, 1]
            assert "listeners" in seen.lines()[2]
            assert {"RECVQ", "SENDQ", "PID", "COMMAND", "NS"} <= set(seen.lines()[4].replace("▲", " ").split())
            assert "▲" in seen.lines()[4]

    async def test_l_again_and_escape_return_to_where_one_was(self) -> None:
        for key in ("l", "escape"):
            async with opened(self.picture(), (120, 24), "3", "down", "enter") as seen:
                before = seen.main.levels.trail
                await seen.press("l", key)
                assert seen.main.levels.trail == before

    async def test_the_filter_narrows_them_and_ss_words_work(self) -> None:
        async with opened(self.picture(), (120, 24), "l", "slash", *"sport = :443", "enter") as seen:
            assert seen.main.pane.ids == [1]

    async def test_the_processes_among_them_are_those_that_listen(self) -> None:
        async with opened(self.picture(), (120, 24), "l", "1") as seen:
            assert seen.main.pane.ids == [1]

    async def test_their_columns_are_chosen_for_themselves(self) -> None:
        async with opened(self.picture(), (120, 24), "l", "o", "space", "enter") as seen:
            assert "PROTO" not in seen.lines()[4]
            await seen.press("escape", "2")
            assert "PROTO" in seen.lines()[4]
