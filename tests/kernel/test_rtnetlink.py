"""Links and their counters in real namespaces, against `ip`."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from nettop.kernel import netns, rtnetlink
from nettop.kernel.net_dev import parse_counters
from nettop.kernel.proc_net import read_table, read_table_at
from nettop.kernel.rtnetlink import LinkReader, Links, LinksUnavailable
from tests.support.sockets import SocketRoom

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

OWN = "/proc/self/ns/net"


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    with SocketRoom("links") as made:
        for command in (
            "link add inner type veth peer name outer",
            "link set inner up mtu 1400",
            "link set outer up",
            "address add 10.7.0.1 peer 10.7.0.2/32 dev inner",
            "address add 2001:db8::1/64 dev inner nodad",
            "link add span type bridge",
        ):
            made.run("ip", *command.split())
        yield made


@pytest.fixture
def reader() -> Iterator[LinkReader]:
    made = LinkReader()
    yield made
    made.close()


def test_interfaces_are_what_ip_shows(room: SocketRoom, reader: LinkReader) -> None:
    path = f"/run/netns/{room.name}"
    links = reader.read([path])
    assert links.errors == {}
    shown = json.loads(room.run("ip", "-j", "-d", "address"))
    assert [
        (i.ifindex, i.name, i.kind, i.state, i.mtu, list(i.addresses), i.loopback) for i in links.interfaces[path]
    ] == [
        (
            entry["ifindex"],
            entry["ifname"],
            entry.get("linkinfo", {}).get("info_kind"),
            entry["operstate"],
            entry["mtu"],
            [f"{address['local']}/{address['prefixlen']}" for address in entry["addr_info"]],
            entry["link_type"] == "loopback",
        )
        for entry in shown
    ]
    assert {i.netns for i in links.interfaces[path]} == {room.netns}
    assert [i.mac for i in links.interfaces[path]] == [
        None if entry["link_type"] == "loopback" else entry["address"] for entry in shown
    ]


def test_without_pyroute2_the_answer_is_the_same(room: SocketRoom, reader: LinkReader) -> None:
    path = f"/run/netns/{room.name}"
    program = (
        "import ast, sys; sys.path[:0] = ast.literal_eval(sys.argv[1]); sys.modules['pyroute2'] = None;"
        "from nettop.kernel import rtnetlink; sys.argv[1:] = ['', *sys.argv[2:]]; rtnetlink.main()"
    )
    command = [sys.executable, "-I", "-c", program, repr(sys.path), OWN, path, "/run/netns/no-such-name"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert rtnetlink.parse_links(done.stdout) == reader.read([OWN, path, "/run/netns/no-such-name"])


def test_one_namespace_that_is_gone_does_not_spoil_the_others(room: SocketRoom, reader: LinkReader) -> None:
    missing = "/run/netns/no-such-name"
    links = reader.read([missing, OWN, f"/run/netns/{room.name}"])
    assert set(links.interfaces) == {OWN, f"/run/netns/{room.name}"}
    assert "No such file" in links.errors[missing]
    assert not os.path.exists(missing), "reading makes no namespace"
    assert {i.netns for i in links.interfaces[OWN]} == {netns.current()[1]}


def test_without_privilege_our_own_namespace_is_still_read(room: SocketRoom) -> None:
    program = "import sys, nettop.kernel.rtnetlink as r; print(r.LinkReader().read(sys.argv[1:]).errors)"
    other = f"/run/netns/{room.name}"
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = subprocess.run(
        [*bare, sys.executable, "-c", program, OWN, other], capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(done.stdout) == {other: f"[Errno 1] Operation not permitted: '{other}'"}


def test_an_interface_may_be_named_with_any_bytes(room: SocketRoom, reader: LinkReader) -> None:
    room.run("ip", "link", "add", os.fsdecode(b"x\xff\x1b[b]"), "type", "bridge")
    path = f"/run/netns/{room.name}"
    names = [interface.name for interface in reader.read([path]).interfaces[path]]
    assert "x\ufffd\x1b[b]" in names
    assert set(parse_counters(read_table_at(path, "dev"))) == set(names), "both sources name it alike"


def test_a_reading_is_under_way_while_others_work_and_leaves_nothing(room: SocketRoom, reader: LinkReader) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert reader.poll() is None
    reader.start([OWN, f"/run/netns/{room.name}"])
    assert reader.busy
    with pytest.raises(RuntimeError):
        reader.start([OWN])
    deadline = time.monotonic() + 20
    answer: Links | None = None
    while (answer := reader.poll()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert answer is not None
    assert answer.interfaces[OWN]
    assert not reader.busy
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_reading_can_be_given_up(reader: LinkReader) -> None:
    reader.start([OWN])
    reader.close()
    assert not reader.busy
    assert reader.poll() is None


def test_a_child_that_cannot_import_says_why(reader: LinkReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-packages" not in path])
    monkeypatch.setattr(rtnetlink, "_PROGRAM", "import sys; sys.exit('no pyroute2 here')")
    with pytest.raises(LinksUnavailable, match="no pyroute2 here"):
        reader.read([OWN])


def test_the_collector_itself_never_imports_pyroute2(reader: LinkReader) -> None:
    loaded = "pyroute2" in sys.modules
    reader.read([OWN])
    assert ("pyroute2" in sys.modules) == loaded


def test_counters_are_what_ip_shows_with_a_process_and_without(room: SocketRoom) -> None:
    room.stuck()  # traffic over lo
    shown = {
        entry["ifname"]: (stats["rx"]["bytes"], stats["tx"]["bytes"], stats["rx"]["packets"], stats["tx"]["packets"])
        for entry in json.loads(room.run("ip", "-j", "-s", "link"))
        for stats in [entry["stats64"]]
    }
    counters = parse_counters(read_table_at(f"/run/netns/{room.name}", "dev"))
    figures = {name: (c.rx_bytes, c.tx_bytes, c.rx_packets, c.tx_packets) for name, c in counters.items()}
    assert figures["lo"] == shown["lo"]
    assert figures["lo"][0] > 0
    assert figures.keys() == shown.keys()
    assert "lo" in parse_counters(read_table("self", "dev"))
