"""Pages about one row: what they tell, how they follow the pictures, and the ways from each to the next."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from rich.segment import Segment
from textual.geometry import Region

from nettop import format as text
from nettop.model import InterfaceCounters, Nat, Owner
from nettop.requests import Answer, InspectEnvironment, InspectNamespace, InspectProcess, Request
from nettop.snapshot import Connection, PeerIndex, Sample, Snapshot
from nettop.tui.details import DetailScreen, tcp_words
from nettop.tui.details.blocks import Canvas
from nettop.tui.details.screen import SUBJECTS
from nettop.tui.drawing import theme
from tests.support import rows
from tests.support.rows import HOST_NETNS, NOW
from tests.support.screen import Seen, opened

PROCESS_FACTS = {
    "exe": "/usr/sbin/nginx",
    "cwd": "/srv",
    "root": "/",
    "pids": [7, 1],
    "memory": {"peak": 20 << 20, "swapped": 0},
    "io": {"read": 1000, "written": 2000, "disk_read": 0, "disk_written": 512},
    "limits": [["open files", 1024, 4096, "files"], ["stack size", 8 << 20, None, "bytes"]],
    "files": {"kinds": {"socket": 3, "eventpoll": 1}, "paths": [[4, "/var/log/access.log"]], "more": False},
    "threads": {"nginx": 1, "pool": 7},
    "unreadable": {},
}
NAMESPACE_FACTS = {
    "routes": [["default", "10.0.0.254", "eth0", None, 100, "unicast", "static", "main"]],
    "neighbours": [["10.0.0.254", "eth0", "02:00:00:00:00:fe", "reachable"]],
    "more": False,
}
ENVIRONMENT = {"variables": [["TOKEN", "s3cret"], ["PATH", "/bin"]], "more": False}


class Both(PeerIndex):
    """Knows the other end of every row: the one it is given."""

    def __init__(self, other: Callable[[], Connection]) -> None:
        self._other = other

    def of(self, _row: Connection) -> Connection | None:
        return self._other()


def answers(request: Request) -> Answer:
    """What a collector says."""
    facts: dict[type[Any], Any] = {
        InspectProcess: PROCESS_FACTS,
        InspectEnvironment: ENVIRONMENT,
        InspectNamespace: NAMESPACE_FACTS,
    }
    return Answer(True, "read", facts[type(request)])


def scene(**changes: Any) -> Snapshot:
    """nginx (7), child of init, and curl (8) of another namespace talk to each other; nginx listens as well."""
    inside = HOST_NETNS + 1
    server = rows.connection(
        id=1, pid=7, start_time=70, comm="nginx", local="10.0.0.1", lport=443, remote="10.0.0.2", rport=5000, cookie=1,
        rx_rate=2048.0, tx_rate=5.0e6, rtt=48_000, min_rtt=12_000, limit="network", retrans=3, tx_packets=1000,
    )  # fmt: skip
    client = rows.connection(
        id=2, pid=8, start_time=80, comm="curl", local="10.0.0.2", lport=5000, remote="10.0.0.1", rport=443, cookie=2,
        netns=inside, netns_name="web", rx_rate=10.0, tx_rate=10.0,
    )  # fmt: skip
    listener = rows.connection(
        id=3, pid=7, start_time=70, comm="nginx", state="LISTEN", local="10.0.0.1", lport=443, remote=None, rport=None,
        cookie=3, recvq=5, sendq=128, rtt=None,
    )  # fmt: skip
    server = server._replace(peers=Both(lambda: client))
    picture = rows.snapshot(
        [server, client, listener],
        [
            rows.process_row(id=10, pid=1, ppid=0, start_time=1, comm="init", command="/sbin/init", sockets=0),
            rows.process_row(
                id=11,
                pid=7,
                ppid=1,
                start_time=70,
                comm="nginx",
                command="nginx: master",
                sockets=2,
                fds=900,
                rx_rate=9e9,
            ),
            rows.process_row(
                id=12, pid=8, ppid=7, start_time=80, comm="curl", command="curl x", netns=inside, netns_name="web"
            ),
        ],
        [
            rows.namespace_row(id=20, pid=1),
            rows.namespace_row(id=21, netns=inside, name="web", kind="named", pid=8),
        ],
        [rows.event(kind="exec", pid=7, ppid=1, comm="nginx", detail="nginx: master", time=NOW - 5)],
    )
    return dataclasses.replace(picture, **changes)


def later(picture: Snapshot, *connections: Connection, **changes: Any) -> Snapshot:
    """The next picture, with these rows in place of those with the same ids."""
    return dataclasses.replace(
        picture,
        sequence=picture.sequence + 1,
        time=picture.time + 1.0,
        connections={**picture.connections, **{row.id: row for row in connections}},
        changed={"connections": frozenset(row.id for row in connections), "processes": frozenset()},
        **changes,
    )


def past(count: int = 60) -> list[Sample]:
    return [Sample(NOW - count + n, 1000.0 * n, 10.0, 48_000.0, float(n % 2)) for n in range(count)]


@asynccontextmanager
async def page(
    picture: Snapshot, *keys: str, size: tuple[int, int] = (160, 100), utf8: bool = True
) -> AsyncIterator[Seen]:
    """The screen after these keys, with all it has learnt."""
    async with opened(picture, size, utf8=utf8) as seen:
        seen.source.answer = answers
        seen.source.past = {("connections", 1): past(), ("processes", 11): past()}
        await press(seen, *keys)
        yield seen


async def press(seen: Seen, *keys: str) -> None:
    for key in keys:
        await seen.press(key)
        await ready(seen)


async def show(seen: Seen, picture: Snapshot) -> None:
    await seen.show(picture)
    await ready(seen)


async def ready(seen: Seen) -> None:
    """The page shows all there is to show."""
    screen = seen.app.screen
    if isinstance(screen, DetailScreen):
        await screen.settled.wait()
        for worker in [worker for worker in seen.app.workers if worker.group == "questions"]:
            await worker.wait()
    await seen.pilot.pause()


def crumbs(seen: Seen) -> list[str]:
    """The way to the page, as its head line tells it."""
    return seen.lines()[0].strip().split(f" {theme.UNICODE.crumb} ")


def line(seen: Seen, label: str) -> str:
    """The line that begins with a label."""
    return next(shown for shown in seen.lines() if shown.strip().startswith(label))


def section(seen: Seen, title: str) -> list[str]:
    """The lines below a heading, up to the next."""
    lines = seen.lines()
    start = next(y for y, shown in enumerate(lines) if f"── {title}" in shown) + 1
    end = next((y for y in range(start, len(lines)) if "── " in lines[y]), len(lines) - 1)
    return [shown.strip() for shown in lines[start:end] if shown.strip()]


BUSIEST = ("2", "g")


class TestProcess:
    async def test_e_tells_who_it_is_and_what_it_uses(self) -> None:
        async with page(scene(), "e") as seen:
            assert "nginx: master" in seen.lines()[2]
            assert "7  1 in its own pid namespace" in line(seen, "pid")
            assert "init (1)" in line(seen, "parent")
            assert "net:[4026531840]" in line(seen, "namespace")
            assert "nginx.service" in line(seen, "unit")
            shown = seen.text()
            for said in ("/usr/sbin/nginx", "/srv", "at most 20.0 MB so far", "1 nginx, 7 pool", "1.5 %"):
                assert said in shown
            assert "900       of 1,024 it may have, 87.9 %" in shown

    async def test_its_sockets_are_listed_the_busiest_first_with_the_other_end(self) -> None:
        async with page(scene(), "e") as seen:
            _, first, second = section(seen, "Sockets")
            assert first.startswith("tcp     ESTAB")
            assert second.startswith("tcp     LISTEN")
            assert "curl (8)" in first

    async def test_its_family_leads_from_init_to_its_children(self) -> None:
        async with page(scene(), "e") as seen:
            init, itself, child = section(seen, "Family")
            assert init == "init (1)  /sbin/init"
            assert itself == "└─ nginx (7)  nginx: master"
            assert child == "└─ curl (8)  curl x"

    async def test_what_happened_to_it_is_listed(self) -> None:
        async with page(scene(), "e") as seen:
            assert any("exec" in shown for shown in section(seen, "Events"))

    async def test_its_traffic_is_drawn_over_time(self) -> None:
        async with page(scene(), "e") as seen:
            head, *bars = section(seen, "The last minutes")
            assert "received 57.6 kB/s" in head
            assert "most 57.6 kB/s" in head
            assert "█" in bars[0]
            assert "59s ago" in bars[-1]
            assert bars[-1].endswith("now")

    async def test_files_and_limits_come_from_the_collector(self) -> None:
        async with page(scene(), "e") as seen:
            assert InspectProcess(7, 70) in seen.source.asked
            shown = "\n".join(section(seen, "Open files"))
            for said in ("socket", "eventpoll", "/var/log/access.log", "1,024  4,096", "8.0 MB  unlimited"):
                assert said in shown

    async def test_the_environment_is_not_even_asked_for_until_v(self) -> None:
        async with page(scene(), "e") as seen:
            assert not any(isinstance(request, InspectEnvironment) for request in seen.source.asked)
            assert "until you press v" in seen.text()
            await press(seen, "v")
            assert InspectEnvironment(7, 70) in seen.source.asked
            assert section(seen, "Environment") == ["TOKEN=s3cret", "PATH=/bin"]

    async def test_what_may_not_be_read_is_said(self) -> None:
        refused = {**PROCESS_FACTS, "unreadable": {"files": "Permission denied", "exe": "Permission denied"}}
        async with opened(scene(), (120, 100)) as seen:
            seen.source.answer = lambda _: Answer(True, "read", {k: v for k, v in refused.items() if k != "files"})
            await press(seen, "e")
            assert "Permission denied" in line(seen, "executable")
            assert "may not be read: Permission denied" in "\n".join(section(seen, "Open files"))

    async def test_a_slow_collector_is_asked_once_and_waited_for(self) -> None:
        picture = scene()
        async with opened(picture, (120, 100)) as seen:
            may_answer = asyncio.Event()

            async def ask(request: Request) -> Answer:
                seen.source.asked.append(request)
                await may_answer.wait()
                return answers(request)

            seen.source.ask = ask  # type: ignore[method-assign]
            await seen.press("e")
            await seen.show(later(picture))
            await seen.show(later(later(picture)))
            assert seen.source.asked == [InspectProcess(7, 70)]
            assert "reading ..." in seen.text()
            may_answer.set()
            await ready(seen)
            assert "/var/log/access.log" in seen.text()

    async def test_of_one_that_has_ended_nothing_is_asked_and_that_is_said(self) -> None:
        dead = rows.snapshot([], [rows.process_row(id=1, state="X", rx_bytes=None, tx_bytes=None)])
        async with page(dead, "e") as seen:
            assert "It is gone. This is what was last known." in seen.text()
            assert "Open files" not in seen.text()
            assert "so far" not in seen.text()
            assert not seen.source.asked

    async def test_a_collector_that_cannot_look_says_so(self) -> None:
        async with opened(scene(), (120, 100)) as seen:
            seen.source.answer = lambda _: Answer(False, "this is a recording")
            await press(seen, "e")
            assert "not known: this is a recording" in seen.text()


class TestConnection:
    @pytest.mark.parametrize("key", ["enter", "e"])
    async def test_it_begins_with_what_limits_it_and_the_figures_for_that(self, key: str) -> None:
        picture = scene()
        async with page(picture, *BUSIEST, key) as seen:
            assert "Limited by network: segments are lost, or wait in a queue on the way." in seen.lines()[2]
            row = picture.connections[1]
            slower = row._replace(stats=row.stats._replace(retrans=9, tx_bytes=2000, sendq=10))
            await show(seen, later(picture, slower))
            assert "6 segments sent again since the last picture" in seen.lines()[3]

    async def test_where_nothing_limits_this_end_it_looks_to_the_other(self) -> None:
        picture = scene()
        server, client = (picture.connections[n]._replace(limit=None) for n in (1, 2))
        picture = later(picture, server, client)
        async with page(picture, *BUSIEST, "enter") as seen:
            assert "Nothing holds it up, as far as the kernel counts." in seen.text()
            await show(seen, picture := later(picture, server._replace(rx_rate=6.0e6)))
            assert "Nothing at this end holds it up: it gets what the other end sends." in seen.text()
            slow = client._replace(limit="reader")
            await show(seen, later(picture, server._replace(peers=Both(lambda: slow)), slow))
            assert "The other one is limited by reader: its program does not read what has arrived." in seen.text()

    async def test_the_page_does_not_jump_when_nothing_limits_it_any_more(self) -> None:
        async with page(scene(), *BUSIEST, "enter") as seen:
            before = seen.lines().index(next(shown for shown in seen.lines() if "Both ends" in shown))
            await show(seen, later(scene(), scene().connections[1]._replace(limit=None)))
            assert "Nothing holds it up" in seen.text()
            assert "Both ends" in seen.lines()[before]

    async def test_nor_when_the_figures_take_fewer_lines_than_before(self) -> None:
        picture = scene()
        row = picture.connections[1]
        many = row._replace(stats=row.stats._replace(retrans=9, tx_bytes=2000, sendq=900_000, unacked=99, cwnd=100))
        async with page(picture, *BUSIEST, "enter") as seen:
            busy = later(picture, many)
            await show(seen, busy)
            before = seen.lines().index(next(shown for shown in seen.lines() if "Both ends" in shown))
            await show(seen, later(busy, row._replace(limit=None)))
            assert "Both ends" in seen.lines()[before]

    async def test_both_ends_with_their_processes(self) -> None:
        async with page(scene(), *BUSIEST, "enter") as seen:
            assert "10.0.0.1:443" in line(seen, "this end")
            assert "nginx (7)  fd 7" in line(seen, "held by")
            assert "10.0.0.2:5000" in line(seen, "other end")
            assert "curl (8)  on this host, in web" in seen.text()
            assert "established: data may flow both ways" in line(seen, "state")

    async def test_every_holder_is_named(self) -> None:
        picture = scene()
        shared = picture.connections[1]
        shared = shared._replace(owners=(*shared.owners, Owner(8, 80, 4)), others=(picture.connections[2].process,))
        async with page(later(picture, shared), *BUSIEST, "enter") as seen:
            assert "curl (8)  fd 4" in seen.text()

    async def test_the_true_other_end_behind_nat(self) -> None:
        picture = scene()
        async with page(
            later(picture, picture.connections[1]._replace(nat=Nat("192.0.2.7", 8080))), *BUSIEST, "enter"
        ) as seen:
            assert "192.0.2.7:8080" in line(seen, "translated")

    async def test_tcp_info_is_told_in_words(self) -> None:
        async with page(scene(), *BUSIEST, "enter") as seen:
            words = "\n".join(section(seen, "In the words of TCP"))
            for said in (
                "48 ms    there and back, give or take 0.30 ms; 12 ms at best",
                "10       segments may be on the way at a time, 14.1 kB: at this round trip 295 kB/s at most",
                "3       segments of 1,000, 0.3 %, since it was opened",
            ):
                assert said in words

    @pytest.mark.parametrize(
        ("again", "said"),
        [
            (0, "segments of 90,000 since"),
            (1, "segments of 90,000, less than 0.1 %, since"),
            (900, "90,000, 1.0 %, since"),
        ],
    )
    def test_nothing_is_said_of_a_share_there_is_none_of(self, again: int, said: str) -> None:
        stats = rows.connection(rtt=1000, tx_packets=90_000, retrans=again).stats
        (figure,) = (figure for figure in tcp_words.tcp(stats, theme.DARK.look) if figure.label == "sent again")
        assert said in figure.words

    async def test_rate_round_trip_and_retransmits_are_drawn_over_time(self) -> None:
        async with page(scene(), *BUSIEST, "enter") as seen:
            graphs = "\n".join(section(seen, "The last minutes"))
            for said in ("received 57.6 kB/s", "sent 10 B/s", "round trip 48 ms", "sent again 1.0 /s"):
                assert said in graphs

    async def test_a_listener_has_a_queue_and_no_graphs(self) -> None:
        async with page(scene(), "2", "/", *"LISTEN", "enter", "enter") as seen:
            assert "5       of at most 128 connections wait to be accepted" in line(seen, "state") + seen.text()
            assert "The last minutes" not in seen.text()

    async def test_every_field_is_listed_by_its_name(self) -> None:
        async with page(scene(), *BUSIEST, "enter", size=(120, 160)) as seen:
            shown = section(seen, "Every field")
            names = {said.split()[0] for said in shown}
            assert {"proto", "rx_rate", "cookie", "nat_remote"} <= names


class TestNamespace:
    async def test_e_tells_what_it_is_and_what_is_inside(self) -> None:
        async with page(scene(), "3", "g", "e") as seen:
            assert "host  the one the machine started with" in line(seen, "kind")
            assert "init (1)" in line(seen, "held by")
            assert any("nginx" in said for said in section(seen, "Processes"))
            assert any("10.0.0.1:443" in said for said in section(seen, "Sockets"))

    async def test_interfaces_with_rates_since_the_last_picture(self) -> None:
        picture = scene()
        async with page(picture, "3", "g", "e") as seen:
            row = picture.namespaces[20]
            moved = ((row.interfaces[0][0], InterfaceCounters(3048, 1524, 20, 10, 1, 0, 2, 0)),)
            await show(
                seen, later(picture, namespaces={20: row._replace(interfaces=moved), 21: picture.namespaces[21]})
            )
            _, eth0 = section(seen, "Interfaces")
            assert eth0.split()[:1] == ["eth0"]
            assert "2.0 k" in eth0  # 2048 bytes in a second
            assert "10.0.0.1/24" in eth0

    async def test_where_there_is_loopback_alone_it_says_why_no_rate_is_known(self) -> None:
        picture = scene()
        alone = picture.namespaces[20]._replace(interfaces=((rows.interface(name="lo", loopback=True), None),))
        async with page(dataclasses.replace(picture, namespaces={20: alone}), "3", "g", "e") as seen:
            assert "it has no interface but" in seen.text()

    async def test_routes_and_neighbours_come_from_the_collector(self) -> None:
        async with page(scene(), "3", "g", "e") as seen:
            assert InspectNamespace(HOST_NETNS) in seen.source.asked
            assert section(seen, "Routes")[1].split()[:3] == ["default", "10.0.0.254", "eth0"]
            assert "02:00:00:00:00:fe" in section(seen, "Neighbours")[1]


class TestEvent:
    async def test_e_tells_what_happened_and_who_it_was(self) -> None:
        async with page(scene(), "5", "e") as seen:
            assert "it became another program" in line(seen, "kind")
            assert "nginx (7)  still running" in line(seen, "process")
            assert "init (1)" in line(seen, "parent")
            await press(seen, "p")
            assert crumbs(seen)[-1] == "nginx (7)"

    @pytest.mark.parametrize(("state", "said"), [("S", "still running"), ("Z", "has ended"), ("X", "has ended")])
    async def test_it_tells_whether_the_process_runs_still(self, state: str, said: str) -> None:
        process = rows.process_row(id=11, pid=7, start_time=70, comm="nginx", state=state)
        async with page(scene(processes={11: process}), "5", "e") as seen:
            assert said in line(seen, "process")

    async def test_enter_on_an_event_of_a_process_that_is_gone_tells_of_the_event(self) -> None:
        picture = rows.snapshot(events=[rows.event(kind="exit", pid=99, detail="code 1")])
        async with page(picture, "5", "enter") as seen:
            assert "not running any more" in line(seen, "process")
            assert "code 1" in line(seen, "detail")


class TestWays:
    async def test_in_any_direction_and_back_one_step_at_a_time(self) -> None:
        async with page(scene(), "e") as seen:
            assert crumbs(seen) == ["host", "nginx (7)"]
            await press(seen, "n")
            assert crumbs(seen) == ["host", "nginx (7)", "netns host"]
            await press(seen, "p", "escape", "escape")
            assert crumbs(seen) == ["host", "nginx (7)"]
            await press(seen, "escape")
            assert seen.app.screen is seen.main

    async def test_o_leads_to_the_other_end_and_p_to_its_process(self) -> None:
        async with page(scene(), *BUSIEST, "enter", "o") as seen:
            assert crumbs(seen)[-1] == "tcp 10.0.0.2:5000 - 10.0.0.1:443"
            await press(seen, "p")
            assert crumbs(seen)[-1] == "curl (8)"
            await press(seen, "n")
            assert crumbs(seen)[-1] == "netns web"

    async def test_p_on_a_process_leads_to_its_parent(self) -> None:
        async with page(scene(), "e", "p") as seen:
            assert crumbs(seen)[-1] == "init (1)"

    async def test_c_leads_into_the_list_of_connections_and_escape_back_to_the_page(self) -> None:
        async with page(scene(), "e", "c") as seen:
            assert seen.app.screen is seen.main
            assert sorted(seen.main.pane.ids) == [1, 3]
            await press(seen, "escape")
            assert crumbs(seen) == ["host", "nginx (7)"]
            await press(seen, "escape")
            assert seen.app.screen is seen.main
            assert seen.main.pane.view.name == "processes"

    async def test_the_cursor_goes_from_link_to_link_and_enter_follows(self) -> None:
        async with page(scene(), "e", "down") as seen:
            assert cursor(seen) == "init (1)"
            await press(seen, "down")
            assert cursor(seen) == "host"
            await press(seen, "k")
            assert cursor(seen) == "init (1)"
            await press(seen, "enter")
            assert crumbs(seen)[-1] == "init (1)"

    async def test_back_on_a_page_the_cursor_is_where_it_was(self) -> None:
        async with page(scene(), "e", "j", "j", "enter", "escape") as seen:
            assert cursor(seen) == "host"

    async def test_the_cursor_stays_on_its_row_when_rows_change_places(self) -> None:
        picture = scene()
        async with page(picture, "e", *["down"] * 3) as seen:
            assert "ESTAB" in cursor(seen)
            idle = picture.connections[1]._replace(rx_rate=None, tx_rate=None)
            busy = picture.connections[3]._replace(rx_rate=9e9)
            await show(seen, later(picture, idle, busy))
            assert section(seen, "Sockets")[1].startswith("tcp     LISTEN")
            assert "ESTAB" in cursor(seen)

    async def test_down_scrolls_where_no_link_is_in_sight(self) -> None:
        async with page(scene(), *BUSIEST, "enter", size=(80, 24)) as seen:
            screen = seen.app.screen
            assert isinstance(screen, DetailScreen)
            await press(seen, *["down"] * 12)
            assert screen.page.top > 0

    async def test_a_click_chooses_a_link_and_another_follows_it(self) -> None:
        async with page(scene(), "e") as seen:
            y = next(y for y, shown in enumerate(seen.lines()) if shown.startswith(" parent"))
            await seen.pilot.click(offset=(16, y))
            assert cursor(seen) == "init (1)"
            await seen.pilot.click(offset=(16, y))
            await ready(seen)
            assert crumbs(seen)[-1] == "init (1)"

    async def test_keys_that_lead_nowhere_are_not_offered_and_do_nothing(self) -> None:
        async with page(rows.snapshot([rows.connection(comm=None)]), "2", "enter") as seen:
            assert "process" not in seen.lines()[-1]
            before = seen.lines()
            await press(seen, "p", "n", "c", "o", "enter")
            assert seen.lines() == before

    async def test_q_leaves_for_the_list_from_any_depth(self) -> None:
        async with page(scene(), "e", "p", "n", "q") as seen:
            assert seen.app.screen is seen.main

    async def test_help_opens_over_a_page_and_closes_again(self) -> None:
        async with page(scene(), "e", "?") as seen:
            assert "help" in seen.lines()[0]
            await press(seen, "escape")
            assert crumbs(seen) == ["host", "nginx (7)"]

    async def test_the_way_is_shortened_from_its_beginning(self) -> None:
        async with page(scene(), "e", "p", "n", "p", "n", "p", "n", size=(60, 30)) as seen:
            assert crumbs(seen)[0] == theme.UNICODE.ellipsis
            assert crumbs(seen)[-1] == "netns host"


class TestFollowing:
    async def test_figures_follow_the_pictures(self) -> None:
        picture = scene()
        async with page(picture, *BUSIEST, "enter") as seen:
            await show(seen, later(picture, picture.connections[1]._replace(rx_rate=3 * 1024.0**2)))
            assert "3.0 MB/s" in line(seen, "this end") + seen.text()

    async def test_a_frozen_page_stays_as_it_is(self) -> None:
        picture = scene()
        async with page(picture, *BUSIEST, "enter", "Z") as seen:
            assert "FROZEN" in seen.lines()[0]
            before = seen.lines()[1:]
            await show(seen, later(picture, picture.connections[1]._replace(rx_rate=3 * 1024.0**2)))
            assert seen.lines()[1:] == before
            await press(seen, "Z")
            assert "3.0 MB/s" in seen.text()

    async def test_what_is_gone_is_said_and_what_was_known_stays(self) -> None:
        picture = scene()
        async with page(picture, *BUSIEST, "enter") as seen:
            rest = {row_id: row for row_id, row in picture.connections.items() if row_id != 1}
            gone = later(picture)
            await show(seen, dataclasses.replace(gone, connections=rest, changed={"connections": frozenset({1})}))
            assert "It is gone." in seen.text()
            assert "Limited by" not in seen.text()
            assert "10.0.0.1:443" in line(seen, "this end")

    async def test_a_collector_started_again_gives_other_ids_to_the_same_row(self) -> None:
        picture = scene()
        async with page(picture, *BUSIEST, "enter") as seen:
            moved, other = picture.connections[1], picture.connections[2]
            afresh = {5: moved._replace(id=5, rx_rate=7 * 1024.0), 1: other._replace(id=1)}
            await show(seen, dataclasses.replace(picture, sequence=2, interval=None, connections=afresh))
            assert crumbs(seen)[-1] == "tcp 10.0.0.1:443 - 10.0.0.2:5000"
            assert "It is gone" not in seen.text()

    async def test_only_lines_that_changed_are_painted_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        picture = scene()
        async with page(picture, *BUSIEST, "enter") as seen:
            screen = seen.app.screen
            assert isinstance(screen, DetailScreen)
            seen.source.past = {}
            await show(seen, dataclasses.replace(later(picture), time=picture.time))
            painted: list[Region] = []
            monkeypatch.setattr(screen.page, "refresh", lambda *regions: painted.extend(regions))
            await show(seen, dataclasses.replace(later(picture), time=picture.time, sequence=3))
            assert painted == []
            row = picture.connections[1]
            counted = row._replace(stats=row.stats._replace(rx_bytes=123 << 10))
            await show(seen, dataclasses.replace(later(picture, counted), time=picture.time, sequence=4))
            assert 0 < len(painted) < 4


class TestLooks:
    @pytest.mark.parametrize("width", [60, 79, 80, 99, 100, 120, 160, 200])
    @pytest.mark.parametrize(
        ("view", "row_id"), [("processes", 11), ("connections", 1), ("namespaces", 20), ("events", 0)]
    )
    def test_every_line_fits_the_screen(self, width: int, view: str, row_id: int) -> None:
        for shown in drawn(scene(), view, row_id, width):
            assert text.cell_width(plain(shown)) <= width, plain(shown)

    def test_nothing_but_ascii_where_the_terminal_knows_nothing_else(self) -> None:
        for view, row_id in (("processes", 11), ("connections", 1), ("namespaces", 20), ("events", 0)):
            for shown in drawn(scene(), view, row_id, 160, theme.ASCII):
                assert plain(shown).isascii(), plain(shown)

    async def test_names_from_the_machine_act_on_nothing(self) -> None:
        bad = "[red]\x1b[31m\u202eevil\n"
        hostile = {**PROCESS_FACTS, "exe": bad, "files": {"kinds": {bad: 1}, "paths": [[3, bad]], "more": False}}
        picture = rows.snapshot([], [rows.process_row(id=1, comm=bad, command=bad, unit=bad, container=bad)])
        async with opened(picture, (120, 100)) as seen:
            seen.source.answer = lambda request: Answer(
                True, "read", {"variables": [[bad, bad]]} if isinstance(request, InspectEnvironment) else hostile
            )
            await press(seen, "e", "v")
            shown = "".join(seen.lines())
            assert "[red]?[31m?evil?" in shown
            assert shown.isprintable()

    async def test_facts_that_make_no_sense_are_left_out(self) -> None:
        async with opened(scene(), (120, 100)) as seen:
            seen.source.answer = lambda _: Answer(
                True, "read", {"limits": [1, ["x"]], "files": 3, "pids": "7", "threads": {"a": "b"}, "variables": [[1]]}
            )
            await press(seen, "e", "v")
            assert crumbs(seen) == ["host", "nginx (7)"]


def drawn(
    picture: Snapshot, view: str, row_id: int, width: int, signs: theme.Signs = theme.UNICODE
) -> Sequence[Sequence[Segment]]:
    """The lines of a page with everything on it."""
    subject = SUBJECTS[view](row_id, getattr(picture, view)[row_id])
    subject.revealed = True
    subject.follow(picture)
    for listing in subject.listings:
        for _ in listing.update(picture):
            pass
    for request in subject.requests():
        subject.answers[type(request)] = answers(request)
    subject.look_up()
    canvas = Canvas(width, theme.DARK.look, signs)
    return [shown.pieces for shown in subject.draw(canvas, lambda _view, _id: past())]


def plain(pieces: Sequence[Segment]) -> str:
    return "".join(segment.text for segment in pieces)


def cursor(seen: Seen) -> str:
    """The text under the cursor."""
    look = seen.main.look
    return "".join(said for y in range(len(seen.lines())) for said, style in seen.styles(y) if style == look.cursor)
