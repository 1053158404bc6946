"""The containers pane: what it lists, the way into a container and back, and the page about one."""

from __future__ import annotations

from typing import Any

import pytest

from nettop.fields import CONNECTIONS, CONTAINERS, PROCESSES
from nettop.model import ProtocolCounters, Tracking
from nettop.snapshot import Place, Snapshot
from nettop.tui.details import DetailScreen
from nettop.tui.lists.groupings import groupings
from tests.support import rows
from tests.support.rows import HOST_NETNS
from tests.support.screen import Seen, opened

WEB, DB, CRON, SHELL = 21, 22, 23, 24
"""Row ids of two containers of one name, a unit and a program."""


def scene(**changes: Any) -> Snapshot:
    """Two containers called web, a unit and a program; each but the program has a connection."""
    containers = [
        rows.container_row(id=WEB, name="web", rx_rate=9e6, **changes),
        rows.container_row(id=DB, name="web", container_id="f" * 64, image="postgres:16", rx_rate=8e6, netns=9),
        rows.container_row(
            id=CRON, kind="service", name="cron.service", unit="cron.service", runtime=None, container_id=None,
            image=None, state=None, labels=(), rx_rate=7e6,
        ),
        rows.container_row(
            id=SHELL, kind="program", name="bash", runtime=None, container_id=None, image=None, state=None, labels=(),
            rx_rate=0.0, connections=0, listening=0, sockets=0,
        ),
    ]  # fmt: skip
    connections = [
        rows.connection(id=1, pid=4242, comm="httpd", container="web", unit=None, belongs=WEB, rport=1001, cookie=1),
        rows.connection(id=2, pid=52, comm="postgres", container="web", unit=None, belongs=DB, rport=1002, cookie=2),
        rows.connection(id=3, pid=53, comm="cron", unit="cron.service", belongs=CRON, rport=1003, cookie=3),
        rows.connection(id=4, comm=None, rport=1004, cookie=4, place=Place(WEB, containers[0].container)),
    ]
    processes = [
        rows.process_row(
            id=11,
            pid=4242,
            comm="httpd",
            command="httpd",
            container="web",
            unit=None,
            belongs=WEB,
            netns=HOST_NETNS + 1,
        ),
        rows.process_row(id=12, pid=52, comm="postgres", command="postgres", container="web", unit=None, belongs=DB),
        rows.process_row(id=13, pid=53, comm="cron", command="cron", unit="cron.service", belongs=CRON),
    ]
    namespaces = [rows.namespace_row(id=31, netns=HOST_NETNS + 1, name="web", kind="container")]
    events = [rows.event(pid=4242, container="web"), rows.event(pid=99)]
    return rows.snapshot(connections, processes, namespaces, events, containers=containers)


def titles(seen: Seen) -> list[int | None]:
    """The remote ports that are listed."""
    return sorted(seen.main.pane.rows[i].socket.rport for i in seen.main.pane.ids)


async def test_4_lists_containers_units_and_programs_the_busiest_first() -> None:
    async with opened(scene(), (120, 40), "4") as seen:
        assert [line.split()[0] for line in seen.rows()[:4]] == ["web", "web", "cron.service", "bash"]
        assert "running" in seen.rows()[0]
        assert "nginx:1.25" in seen.text()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (160, 50)])
async def test_name_and_rates_are_there_at_every_size(size: tuple[int, int]) -> None:
    async with opened(scene(), size, "4") as seen:
        header = seen.lines()[4]
        for title in ("NAME", "CONN", "RX/s", "TX/s"):
            assert title in header
        assert "8.6 M" in seen.rows()[0]


async def test_enter_goes_into_the_container_and_not_into_another_of_its_name() -> None:
    async with opened(scene(), (120, 40), "4", "enter") as seen:
        assert seen.main.pane.view.name == CONNECTIONS.name
        assert titles(seen) == [1001, 1004], "also the socket of a process that is not seen"
        assert "web" in seen.lines()[2]
        await seen.press("1")
        assert list(seen.main.pane.ids) == [11]
        await seen.press("3")
        assert list(seen.main.pane.ids) == [31]
        await seen.press("5")
        assert [seen.main.pane.rows[i].pid for i in seen.main.pane.ids] == [4242]
        await seen.press("4")
        assert list(seen.main.pane.ids) == [WEB]
        await seen.press("escape")
        assert seen.main.pane.view.name == CONTAINERS.name


async def test_a_unit_and_a_process_lead_to_each_other() -> None:
    async with opened(scene(), (120, 40), "4", "end", "up", "enter") as seen:
        assert titles(seen) == [1003]
    async with opened(scene(), (120, 40), "1", "slash", *"cron", "enter", "enter", "4") as seen:
        assert list(seen.main.pane.ids) == [CRON]


async def test_e_tells_all_of_a_container_and_leads_on() -> None:
    async with opened(scene(oom_kills=2, restarts=3), (160, 60), "4", "e") as seen:
        assert isinstance(seen.app.screen, DetailScreen)
        await seen.pilot.pause()
        page = seen.text()
        for words in (
            "docker",
            "nginx:1.25",
            "running",
            "started again 3 times",
            "role",
            "front",
            "httpd",
            "oom kills",
        ):
            assert words in page
        await seen.pilot.press("p")
        assert "httpd (4242)" in seen.lines()[0]
        await seen.pilot.press("escape", "n")
        assert "netns web" in seen.lines()[0]
        await seen.pilot.press("escape", "c")
        await seen.settle()
        assert titles(seen) == [1001, 1004]


async def test_the_page_of_a_process_links_to_its_container() -> None:
    async with opened(scene(), (160, 60), "1", "slash", *"httpd", "enter", "e") as seen:
        await seen.pilot.pause()
        line = next(line for line in seen.lines() if line.startswith(" container"))
        assert "web" in line
        assert "nginx:1.25" in line


async def test_the_page_stays_when_the_container_has_gone() -> None:
    async with opened(scene(), (120, 40), "4", "e") as seen:
        await seen.show(rows.snapshot(sequence=2))
        assert "It is gone" in seen.text()
        assert "nginx:1.25" in seen.text()


def test_two_containers_of_one_name_are_two_groups() -> None:
    by = next(by for by in groupings(CONNECTIONS) if by.name == "container")
    picture = scene()
    groups = {row_id: by.keys["connections"](row) for row_id, row in picture.connections.items()}
    assert groups == {1: WEB, 2: DB, 3: None, 4: WEB}
    assert by.named
    names = {row_id: CONNECTIONS.fields[by.common].get(row, 0.0) for row_id, row in picture.connections.items()}
    assert names == {1: "web", 2: "web", 3: None, 4: "web"}
    assert {i: by.keys["processes"](row) for i, row in picture.processes.items()} == {11: WEB, 12: DB, 13: None}
    assert "container" in [by.name for by in groupings(PROCESSES)]


async def test_long_names_of_labels_are_told_in_full() -> None:
    labels = ("com.docker.compose.project=shop", "com.docker.compose.container-number=1", "role=front")
    picture = rows.snapshot(containers=[rows.container_row(labels=labels, service="shop/web", task="1")])
    async with opened(picture, (80, 60), "4", "e") as seen:
        await seen.pilot.pause()
        page = seen.text()
        for words in ("com.docker.compose.project ", "com.docker.compose.container-number  1", "shop/web  task 1"):
            assert words in page


async def test_the_page_of_an_orphan_tells_who_keeps_it_from_outside_and_leads_there() -> None:
    keeper = rows.process_row(id=11, pid=4242, comm="keeper")
    orphan = rows.namespace_row(id=1, netns=77, name=None, kind="orphan", pid=None, holder=4242)
    async with opened(rows.snapshot(processes=[keeper], namespaces=[orphan]), (140, 60), "3", "e") as seen:
        await seen.pilot.pause()
        line = next(line for line in seen.lines() if line.startswith(" held by"))
        assert "keeper (4242)" in line
        assert "outside" in seen.text()
        await seen.pilot.press("p")
        assert "keeper (4242)" in seen.lines()[0]


async def test_what_a_runtime_says_is_never_obeyed() -> None:
    evil = "\x1b[31m[bold]web[/]\n"
    picture = rows.snapshot(
        containers=[rows.container_row(name=evil, image=evil, pod=evil, state=evil, service=evil, labels=(evil,))]
    )
    async with opened(picture, (120, 40), "4", "e") as seen:
        await seen.pilot.pause()
        assert "\x1b" not in seen.text()
        assert "[bold]" in seen.text()


async def test_the_page_of_a_namespace_tells_what_its_protocols_count_and_where_its_pairs_end() -> None:
    counters = ProtocolCounters._make([0] * len(ProtocolCounters._fields))._replace(listen_drops=7, retrans_segs=40)
    growing = tuple(1.5 if name == "listen_drops" else 0.0 for name in ProtocolCounters._fields)
    pair = rows.interface(kind="veth", name="v1", peer="eth0", peer_netns=HOST_NETNS + 1, master="br0")
    host = rows.namespace_row(
        id=1, protocols=counters, protocol_rates=growing, tracking=Tracking(950, 1000), interfaces=((pair, None),)
    )
    inside = rows.namespace_row(id=2, netns=HOST_NETNS + 1, name="web", nsid=3)
    async with opened(rows.snapshot(namespaces=[host, inside]), (140, 60), "3", "e") as seen:
        await seen.pilot.pause()
        page = seen.text()
        for words in ("dropped", "connections, by a listener; 1.5 /s", "95.0 % of the 1,000", "eth0 in web", "br0"):
            assert words in page
        line = next(line for line in seen.lines() if "sent again" in line)
        assert "/s" not in line
    async with opened(rows.snapshot(namespaces=[inside]), (140, 60), "3", "e") as seen:
        assert "nsid 3" in seen.text()


@pytest.mark.parametrize("size", [(80, 40), (120, 40), (160, 50)])
async def test_which_interface_leads_into_which_container_is_told_in_full(size: tuple[int, int]) -> None:
    bridge = rows.interface(ifindex=3, kind="bridge", name="br-3abe282af00d", addresses=("172.18.0.1/16",))
    leads = rows.interface(
        ifindex=4, kind="veth", name="veth12ae618", master=bridge.name, peer="eth1", peer_netns=HOST_NETNS + 1,
        addresses=("fe80::a03a:8ff:feaa:1/64",),
    )  # fmt: skip
    host = rows.namespace_row(id=1, interfaces=((bridge, None), (leads, None)))
    inside = rows.namespace_row(id=2, netns=HOST_NETNS + 1, name="shop")
    async with opened(rows.snapshot(namespaces=[host, inside]), size, "3", "e") as seen:
        await seen.pilot.pause()
        assert "br-3abe282af00d" in seen.text()
        line = next(line for line in seen.lines() if "veth12ae618" in line)
        assert "eth1 in shop" in line
        assert "br-3abe2" in line, "part of that bridge"
        assert "172.18.0.1/16" in seen.text()


async def test_one_that_will_be_started_again_has_not_ended() -> None:
    waiting = rows.container_row(name="crash", state="restarting", processes=0, sockets=0)
    gone = rows.container_row(id=2, name="gone", state="exited", processes=0, sockets=0)
    async with opened(rows.snapshot(containers=[waiting, gone]), (80, 24), "4") as seen:
        first, second = sorted(seen.rows()[:2], key=lambda line: "gone" in line)
        assert first.startswith(" crash")
        assert "restart" in first
        assert second.startswith("†gone")
