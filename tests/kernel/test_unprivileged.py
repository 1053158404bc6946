"""With less than root on the host: it starts, shows what it can, and says what is missing, why, and what would help."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.restricted import HIDEPID, PYTHON, UNPRIVILEGED, run, staged
from tests.support.sockets import SocketRoom

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed"),
    pytest.mark.skipif(not os.path.isdir("/mnt"), reason="no /mnt to show a user what root's directories hide"),
]

# Tells what a collector knows once it complains of all the sources named, or after two seconds.
REPORT = """
import json, os, socket, sys, time
from nettop.collector.collector import Collector
from nettop.store import Store
held = socket.create_server(("127.0.0.1", 0)) if sys.argv[1] == "socket" else None
expected, deadline = set(sys.argv[2:]), time.monotonic() + 2
collector, store = Collector(), Store()
collector.start()
while True:
    collector.tick()
    collector.read_links(wait=True)
    picture = store.apply(collector.take())
    if expected <= {row.source for row in picture.health} or time.monotonic() > deadline:
        break
    time.sleep(0.02)
collector.close()
print(json.dumps({
    "pid": os.getpid(),
    "health": {row.source: [row.status, row.reason, row.remedy] for row in picture.health},
    "namespaces": {row.namespace.netns: row.namespace._asdict() for row in picture.namespaces.values()},
    "interfaces": [i.name for row in picture.namespaces.values() for i, _ in row.interfaces],
    "own": os.stat("/proc/self/ns/net").st_ino,
    "pids": [row.process.pid for row in picture.processes.values()],
    "users": sorted({row.process.user or "" for row in picture.processes.values()}),
    "sockets": [
        [row.socket.netns, row.socket.proto, row.stats.state, row.socket.inode, [tuple(o) for o in row.owners]]
        for row in picture.connections.values()
    ],
    "held": os.fstat(held.fileno()).st_ino if held else None,
}))
"""


def report(who: tuple[str, ...], *expected: str, socket: bool = False) -> dict[str, Any]:
    done = run(who, "-c", REPORT, "socket" if socket else "", *expected)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


SITUATIONS = [
    pytest.param(UNPRIVILEGED, id="nobody"),
    pytest.param((*UNPRIVILEGED, "unshare", "-Un"), id="nobody in a user and network namespace"),
    pytest.param(("unshare", "--pid", "--fork", "--mount-proc"), id="pid namespace"),
    pytest.param(("unshare", "-n"), id="network namespace"),
    pytest.param((*HIDEPID, *UNPRIVILEGED), id="hidepid"),
]


@pytest.mark.parametrize("who", SITUATIONS)
@pytest.mark.parametrize("view", ["processes", "connections", "namespaces", "events"])
def test_every_view_starts_and_shows_what_it_can(who: tuple[str, ...], view: str) -> None:
    done = run(who, "-m", "nettop", view, "--json", "--no-rates", "-d", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if view in ("processes", "namespaces"):
        assert rows


def test_an_ordinary_user_sees_all_processes_and_the_owners_of_its_own_sockets() -> None:
    told = report(UNPRIVILEGED, "owners", socket=True)
    assert {"root", "nobody"} <= set(told["users"])
    assert os.getpid() in told["pids"]
    [(netns, proto, state, _, holders)] = [row for row in told["sockets"] if row[3] == told["held"]]
    assert (netns, proto, state) == (told["own"], "tcp", "LISTEN")
    assert [owner[0] for owner in holders] == [told["pid"]]
    status, reason, remedy = told["health"]["owners"]
    assert (status, remedy) == ("degraded", "sudo nettop")
    assert "open files" in reason
    assert "lo" in told["interfaces"], "rtnetlink needs no privilege in one's own namespace"


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        pytest.param((*UNPRIVILEGED, "unshare", "-Un"), "initial network namespace", id="user and network namespace"),
        pytest.param(("unshare", "-n"), "initial network namespace", id="network namespace"),
        pytest.param(("unshare", "--pid", "--fork", "--mount-proc"), "another pid namespace", id="pid namespace"),
    ],
)
def test_without_process_events_it_polls_and_says_why(who: tuple[str, ...], reason: str) -> None:
    told = report(who, "cn_proc", socket=True)
    status, words, remedy = told["health"]["cn_proc"]
    assert status == "degraded"
    assert reason in words
    assert words.endswith("/proc is polled")
    assert "--pid=host" in remedy
    assert told["pid"] in told["pids"]
    [holders] = [row[4] for row in told["sockets"] if row[3] == told["held"]]
    assert [owner[0] for owner in holders] == [told["pid"]]


# --- a namespace that may be looked at and not entered ---------------------------------------------------------------

HOLDER = """
import os, socket, sys
held = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)]
held[1].bind("")
print(*(os.fstat(s.fileno()).st_ino for s in held), flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(room: SocketRoom) -> Iterator[tuple[int, list[int]]]:
    """Nobody's process inside the room with a TCP listener and a unix socket: its pid and their inodes."""
    inside = ("nsenter", f"--net=/run/netns/{room.name}", *UNPRIVILEGED)
    command = staged(*inside, PYTHON, "-s", "-c", HOLDER)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as made:
        try:
            assert made.stdout is not None
            yield made.pid, [int(inode) for inode in made.stdout.readline().split()]
        finally:
            made.kill()


def test_a_namespace_that_may_not_be_entered_is_read_from_proc() -> None:
    with SocketRoom("procfs") as room, holder(room) as (pid, inodes):
        told = report(UNPRIVILEGED, "owners")
    row = told["namespaces"][str(room.netns)]
    assert (row["via"], row["reason"], row["pid"]) == ("procfs", "entering it needs CAP_SYS_ADMIN", pid)
    shown = {r[3]: r for r in told["sockets"] if r[0] == room.netns}
    assert [(shown[i][1], shown[i][2]) for i in inodes] == [("tcp", "LISTEN"), ("unix", "UNCONN")]
    assert [[owner[0] for owner in shown[i][4]] for i in inodes] == [[pid], [pid]]


# Prints a line whenever what is shown of a namespace changes: the way, the process, the inodes, the complaints.
WATCHER = """
import sys, time
from nettop.collector.collector import Collector
from nettop.store import Store
netns, deadline = int(sys.argv[1]), time.monotonic() + 20
collector, store, last = Collector(), Store(), None
collector.start()
while time.monotonic() < deadline:
    collector.tick()
    picture = store.apply(collector.take())
    rows = [row.namespace for row in picture.namespaces.values() if row.namespace.netns == netns]
    sockets = [row.socket for row in picture.connections.values() if row.socket.netns == netns]
    inodes = sorted(socket.inode for socket in sockets if socket.proto in ("tcp", "unix"))
    complaints = [row.source for row in picture.health if row.source.startswith("netns")]
    shown = [(row.via, row.pid) for row in rows], inodes, complaints
    if shown != last:
        last = shown
        print(shown, flush=True)
    time.sleep(0.01)
"""


def test_reading_from_proc_goes_on_with_another_process_when_the_first_one_ends() -> None:
    with SocketRoom("procfs") as room, holder(room) as (first, lost):
        watcher = staged(*UNPRIVILEGED, PYTHON, "-s", "-c", WATCHER, str(room.netns))
        with (
            holder(room) as (second, kept),
            subprocess.Popen(watcher, stdout=subprocess.PIPE, text=True) as watching,
        ):
            assert watching.stdout is not None
            lines = (line.rstrip("\n") for line in watching.stdout)
            try:
                both = repr(([("procfs", first)], sorted(lost + kept), []))
                assert both in lines
                os.kill(first, signal.SIGKILL)
                alone = repr(([("procfs", second)], sorted(kept), []))
                assert alone in lines
            finally:
                watching.kill()
