"""The screen of another machine, through a real sshd: what is done and left there, and what is said when it is cut."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator

import pytest

from nettop.remote import bundle, pump
from nettop.requests import CloseSocket, InspectProcess, Signal
from tests.support import netns, terminal
from tests.support.afar import screen
from tests.support.sockets import SocketRoom
from tests.support.sshd import DEADLINE, PYTHONS, SSHD, Sshd, sshd, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can let others log in"),
    pytest.mark.skipif(SSHD is None, reason="sshd (openssh-server) is not installed"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Sshd]:
    with sshd(PYTHONS[0]) as made:
        yield made


async def test_an_action_is_done_there_and_the_session_is_known_as_ones_own(server: Sshd) -> None:
    with SocketRoom("act") as room:
        near, _ = room.tcp_pair()
        async with screen(server) as made:
            await made.shown()
            row = next(
                row
                for row in made.pictures[-1].connections.values()
                if row.socket.netns == room.netns and row.socket.lport == near.getsockname()[1]
            )
            answer = await made.source.ask(CloseSocket.of(row.socket))
            assert (answer.ok, answer.text) == (True, "closed")
            with pytest.raises(OSError, match="abort"):
                near.recv(1)
            host = made.pictures[-1].host
            assert host is not None
            by_pid = {row.process.pid: row.process for row in made.pictures[-1].processes.values()}
            session = by_pid[by_pid[host.own_pid].ppid]
            assert session.comm == "sshd"
            refused = await made.source.ask(Signal(session.pid, session.start_time, signal.SIGTERM, insist=False))
            assert (refused.ok, refused.text) == (False, "nettop itself runs under it")


async def test_where_it_is_read_only_the_far_end_refuses(server: Sshd) -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        async with screen(server, read_only=True) as made:
            await made.until(
                lambda: any(
                    row.process.pid == victim.pid for shot in made.pictures[-1:] for row in shot.processes.values()
                )
            )
            row = next(row for row in made.pictures[-1].processes.values() if row.process.pid == victim.pid)
            answer = await made.source.ask(Signal(victim.pid, row.process.start_time, signal.SIGTERM, insist=False))
        assert (answer.ok, answer.text) == (False, "this nettop is read-only")
        assert victim.poll() is None
        victim.kill()


async def test_when_the_session_is_cut_it_says_why_and_comes_back(server: Sshd) -> None:
    async with screen(server) as made:
        await made.shown(2)
        before, descriptors = made.pictures[-1], os.listdir("/proc/self/fd")
        server.cut()
        await made.until(lambda: made.notices[-1])
        assert made.notices[-1] == (
            "web-01: the connection ended (Connection to 127.0.0.1 closed by remote host); connecting again"
        )
        await made.until(lambda: made.notices[-1] is None)
        assert made.pictures[-1].sequence > before.sequence
        server.stop()
        await made.until(lambda: (made.notices[-1] or "").startswith("web-01 cannot be reached: "))
        assert made.notices[-1] is not None
        assert made.notices[-1].endswith("Connection refused; trying again")
        server.start()
        await made.until(lambda: made.notices[-1] is None)
        assert len(os.listdir("/proc/self/fd")) == len(descriptors)
    until(lambda: not server.processes())
    assert server.files() == []


async def test_a_far_end_that_says_nothing_more_is_given_up(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "QUIET", 1.0)
    async with screen(server) as made:
        host = (await made.shown(2)).host
        assert host is not None
        os.kill(host.own_pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            asked = asyncio.create_task(made.source.ask(InspectProcess(1, 0)))
            while not made.notices[-1]:
                turn = time.monotonic()
                await asyncio.sleep(0)
                assert time.monotonic() - turn < 0.8, "whoever presses a key is not kept waiting"
                assert time.monotonic() - began < DEADLINE
            assert "(nothing has come for " in made.notices[-1]
            assert (await asked).text == "the collector ended before it answered"
            await made.until(lambda: made.notices[-1] is None)
        finally:
            os.kill(host.own_pid, signal.SIGCONT)
        until(lambda: host.own_pid not in server.processes())


async def test_a_far_end_that_makes_no_sense_is_given_up(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettop.remote.line._code", _nonsense)
    async with screen(server) as made:
        await made.until(lambda: made.notices[-1])
        assert made.notices[-1] == "web-01: the connection ended (it made no sense: not an object); connecting again"


def _nonsense() -> bytes:
    """Code of a far end that greets, and then says what no Delta is."""
    program = """
import os, zlib
from nettop.remote.greeting import greeting
def main(words):
    stream = zlib.compressobj()
    os.write(1, greeting() + stream.compress(b"[1, 2]\\n") + stream.flush(zlib.Z_SYNC_FLUSH))
    os.read(0, 1)
    return 0
"""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, source in bundle.sources():
            archive.writestr(name, program if name.endswith("remote/far.py") else source)
    return zlib.compress(packed.getvalue())


# --- what is left there --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_this_end_is_killed(number: int, server: Sshd) -> None:
    command = [sys.executable, "-m", "nettop", "--host", server.host, "--config", str(server.config())]
    with subprocess.Popen([*command, "events", "-n", "0"], stdout=subprocess.DEVNULL) as ours:
        until(lambda: any("nettop" in each for each in server.processes().values()))
        until(lambda: len(os.listdir(f"/proc/{ours.pid}/task")) > 1)
        ours.send_signal(number)
        ours.wait(DEADLINE)
    until(lambda: not server.processes())
    assert server.files() == []


def test_a_far_end_ends_by_itself_when_it_hears_nothing_and_not_before() -> None:
    """As after a cut that neither its sshd has noticed."""
    program = """
import sys
from nettop.remote import far, greeting
far.SILENCE = 2.0
sys.exit(far.main([greeting.dialect(), "0.2", "0", "0", "0"]))
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, bufsize=0) as far_end:
        assert far_end.stdin is not None
        assert far_end.stdout is not None
        for _ in range(8):
            time.sleep(0.5)
            far_end.stdin.write(b"\n")
            far_end.stdout.read(1 << 20)
        assert far_end.poll() is None
        assert far_end.wait(DEADLINE) == 0


# --- a network of its own ------------------------------------------------------------------------------------------


@pytest.fixture
def across() -> Iterator[Sshd]:
    """A server at the other end of a cable."""
    name = f"nettop-test-{os.getpid()}-across"
    netns.add(name)
    try:
        for command in (
            f"link add near{os.getpid()} type veth peer name far netns {name}",
            f"address add 192.0.2.129/30 dev near{os.getpid()}",
            f"link set near{os.getpid()} up",
            f"-n {name} address add 192.0.2.130/30 dev far",
            f"-n {name} link set far up",
        ):
            subprocess.run(["ip", *command.split()], check=True)
        with sshd(PYTHONS[0], address="192.0.2.130", inside=("nsenter", f"--net=/run/netns/{name}")) as made:
            yield made
    finally:
        netns.delete(name)


async def test_when_the_network_is_cut_it_is_noticed_and_healed(across: Sshd) -> None:
    cable = f"near{os.getpid()}"
    async with screen(across) as made:
        await made.shown(2)
        subprocess.run(["ip", "link", "set", cable, "down"], check=True)
        began = time.monotonic()
        await made.until(lambda: made.notices[-1], 40)
        assert made.notices[-1] is not None
        assert made.notices[-1].startswith("web-01: the connection ended (")
        assert time.monotonic() - began < 30
        subprocess.run(["ip", "link", "set", cable, "up"], check=True)
        await made.until(lambda: made.notices[-1] is None, 60)
        await made.shown(2)


# --- the full screen -----------------------------------------------------------------------------------------------


def test_the_full_screen_shows_it_and_leaves_nothing(server: Sshd) -> None:
    with terminal.run(["-m", "nettop", "--host", server.host, "--config", str(server.config())], (120, 40)) as shown:
        shown.shows(lambda text: "COMMAND" in text and "Connections" in text)
        shown.press("/sshd\r")
        shown.shows(lambda text: "notty" in text)
        server.cut()
        shown.shows(lambda text: "connecting again" in text)
        shown.shows(lambda text: "connecting again" not in text and "notty" in text)
        shown.press("q")
        assert shown.wait() == 0
    until(lambda: not server.processes())
    assert server.files() == []


def test_who_cannot_be_reached_is_told_before_the_screen_is_taken(server: Sshd) -> None:
    arguments = ["-m", "nettop", "--host", "nobody.invalid", "--config", str(server.config())]
    with terminal.run(arguments, (80, 24)) as shown:
        shown.expect("nettop: nobody.invalid: ssh: Could not resolve hostname nobody.invalid")
        assert shown.wait() == 3
        assert b"\x1b[?1049h" not in shown.received
