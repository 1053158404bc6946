"""One collector for many: what its guests see, and that none of them is in another's way."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nettop import live
from nettop.recording.frames import Kind
from nettop.recording.reader import Reader
from nettop.requests import SetInterval
from nettop.service import client
from nettop.service.served import Served
from nettop.snapshot import Snapshot
from tests.support import taping
from tests.support.restricted import NOBODY, PYTHON, UNPRIVILEGED, run, staged
from tests.support.serving import DEADLINE, Serving, guests, listed, mute, program, rows, serving
from tests.support.sockets import SocketRoom

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can serve others"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed"),
    pytest.mark.skipif(not os.path.isdir("/mnt"), reason="no /mnt to show a user what root's directories hide"),
]


@pytest.fixture(scope="module")
def service() -> Iterator[Serving]:
    with serving() as made:
        yield made


# --- what is seen --------------------------------------------------------------------------------------------------


def test_an_ordinary_user_sees_the_sockets_that_root_sees_and_who_holds_them(service: Serving) -> None:
    columns = ("-c", "proto,state,local,lport,remote,rport,netns_name,inode,cookie,pid,comm,fd,uid,owner_by")
    with SocketRoom("served") as room:
        room.tcp_pair()
        wanted = (*columns, "-f", f"netns={room.netns} proto=tcp", "-s", "inode")
        command = (sys.executable, "-m", "nettop", "connections", "--json", "--no-rates", *wanted)
        root = rows(subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE))
        deadline = time.monotonic() + DEADLINE
        while (seen := untimed(listed(UNPRIVILEGED, service, "connections", *wanted))) != untimed(root):
            assert time.monotonic() < deadline, (seen, root)
    assert any(row["state"] == "ESTAB" and row["pid"] for row in seen)


def untimed(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same without the time of the picture."""
    return [{name: value for name, value in row.items() if name != "time"} for row in told]


def test_command_lines_of_others_are_their_names_and_ones_own_are_whole(service: Serving) -> None:
    with program() as roots, program(*UNPRIVILEGED) as own:

        def commands(who: tuple[str, ...]) -> list[str]:
            told = listed(who, service, "processes", "-f", f"pid={roots.pid},{own.pid}", "-c", "pid,command")
            by_pid = {row["pid"]: row["command"] for row in told}
            return [by_pid.get(each.pid, "") for each in (roots, own)]

        assert ["secret" in command for command in commands(("env",))] == [True, True]
        assert ["secret" in command for command in commands(UNPRIVILEGED)] == [False, True]
        assert commands(UNPRIVILEGED)[0].startswith("python")


def test_the_policy_is_said_on_the_screen(service: Serving) -> None:
    script = """
import sys
from nettop.service import client
from nettop.store import Store
feed, store = client.Feed(client.connect(sys.argv[1])), Store()
for delta in feed.tick(0.0):
    store.apply(delta)
print([(row.source, row.reason) for row in store.snapshot.health if row.source == "service"])
"""
    done = run(UNPRIVILEGED, "-c", script, str(service.path))
    assert done.stdout.strip() == "[('service', 'the service does not tell the command lines of other users')]"


@pytest.mark.parametrize("view", ["processes", "connections", "namespaces", "containers", "events"])
def test_every_view_comes_from_a_service(service: Serving, view: str) -> None:
    listed(UNPRIVILEGED, service, view, "-n", "2", "-d", "0.5")


def test_a_recording_comes_from_a_service_and_from_the_next_one_when_that_ends() -> None:
    with serving() as made:
        folder = made.path.parent / "recordings"
        folder.mkdir()
        os.chown(folder, NOBODY, NOBODY)
        path = folder / "a.rec"
        arguments = ("--config", os.devnull, "record", str(path), "-d", "0.5", "--connect", str(made.path))
        command = staged(*UNPRIVILEGED, PYTHON, "-s", "-m", "nettop", *arguments)
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as recording:
            assert recording.stderr is not None
            try:
                told = taping.wait_for_ticks(path, 2)
                made.end(signal.SIGKILL)
                assert recording.stderr.readline().endswith(
                    "the service ended (it closed the connection); looking for it\n"
                )
                made.start()
                taping.wait_for_ticks(path, told + 2)
                recording.terminate()
                assert recording.wait(DEADLINE) == 0
            finally:
                recording.kill()
        reader = Reader.open(path)
        assert [segment.kind for segment in reader.segments] == [Kind.BEGIN, Kind.BEGIN]
        assert not reader.damage
        printed = rows(
            run(("env",), "-m", "nettop", "processes", "--json", "--from", str(path), "-f", f"pid={os.getpid()}")
        )
        assert printed[0]["netns"] is not None, "which only root can see"
        assert printed[0]["command"] == printed[0]["comm"], "which the policy hides"


# --- many ----------------------------------------------------------------------------------------------------------


def test_who_does_not_read_is_in_nobodys_way_and_is_told_everything_when_it_does() -> None:
    with serving("-d", "0.1") as made, guests(made.path, 6) as reading:
        stalled = [mute(made.path) for _ in range(3)]
        late = client.connect(str(made.path))
        for guest in reading:
            guest.ask(1, SetInterval(0.1))
        for guest in reading:
            guest.until(lambda guest=guest: len(guest.pictures) > 20)  # type: ignore[misc]
        for guest in reading:
            assert [delta.key for delta in guest.deltas].count(True) == 1
            ends = [delta.clock for delta in guest.deltas if delta.complete]
            assert ends == sorted(set(ends)), "each tick once"
        together = [{delta.clock for delta in guest.deltas if delta.complete} for guest in reading]
        shared = range(len(together))
        since, until = max(min(ticks) for ticks in together), min(max(ticks) for ticks in together)
        told = [{clock for clock in together[i] if since <= clock <= until} for i in shared]
        assert all(ticks == told[0] for ticks in told), "the same to all, and none left out"
        feed = client.Feed(late)
        *_, last = feed.tick(0.0)
        while last.clock < until:
            *_, last = feed.tick(0.0)
        feed.close()
        for connection in stalled:
            connection.close()


def facts(picture: Snapshot) -> Any:
    """All that does not rest on an earlier picture."""
    connections = {i: (row.socket, row.stats, row.owners) for i, row in picture.connections.items()}
    processes = {i: (row.process, row.usage) for i, row in picture.processes.items()}
    return connections, processes, picture.traffic, picture.host


def test_a_guest_that_comes_late_knows_what_one_knows_that_was_there_from_the_start(service: Serving) -> None:
    with guests(service.path) as [early]:
        early.until(lambda: len(early.pictures) > 3)
        with guests(service.path) as [late]:
            late.until(lambda: late.pictures)
            first = late.pictures[0]
            early.until(lambda: early.pictures[-1].time >= first.time)
            same = next(picture for picture in early.pictures if picture.time == first.time)
            assert facts(first) == facts(same)


# --- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_when_it_is_told_to_end_it_leaves_no_socket_behind(number: int) -> None:
    with serving() as made, guests(made.path) as [guest]:
        guest.until(lambda: guest.pictures)
        assert made.end(number) == 0
        assert not made.path.exists()
        assert os.listdir(made.path.parent) == []


def test_there_is_one_at_a_place_and_the_socket_of_a_dead_one_is_replaced() -> None:
    with serving() as made:
        command = (sys.executable, "-m", "nettop", "serve", "--socket", str(made.path))
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
        assert second.returncode == 1
        assert "a service listens there already" in second.stderr
        assert made.end(signal.SIGKILL) == -signal.SIGKILL
        assert made.path.exists()
        made.start()
        with guests(made.path) as [guest]:
            guest.until(lambda: guest.pictures)
        made.path.unlink()
        made.path.write_text("something else")
        assert made.end() == 0
        assert made.path.read_text() == "something else", "that is not its own"


async def test_a_screen_finds_the_service_again_when_that_is_restarted() -> None:
    pictures: list[Snapshot] = []
    notices: list[str | None] = []

    async def until(condition: Any) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, notices
            await asyncio.sleep(0.02)

    with serving() as made:
        connection = client.connect(str(made.path))
        source = live.Live(Served(connection, str(made.path), 0.5, False))
        running = asyncio.create_task(source.run(pictures.append, notices.append))
        try:
            await until(lambda: len(pictures) > 1)
            assert pictures[-1].host is not None
            assert pictures[-1].host.own_pid == os.getpid(), "what the screen hangs on is not what the service does"
            made.end(signal.SIGKILL)
            await until(lambda: notices[-1])
            assert notices[-1] == "the service ended (it closed the connection); looking for it"
            seen = len(pictures)
            made.start()
            await until(lambda: len(pictures) > seen + 1)
            assert notices[-1] is None
            assert [picture.sequence for picture in pictures] == list(range(1, len(pictures) + 1))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            source.close()
