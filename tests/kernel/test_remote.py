"""Another machine through a real sshd: what is seen of it, what is left there, and what happens when it is cut off."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nettop import live
from nettop.remote import bundle, far, pump
from nettop.remote.origin import Remote
from nettop.requests import CloseSocket, InspectProcess, Signal
from nettop.snapshot import Snapshot
from tests.support import netns, terminal
from tests.support.sockets import SocketRoom
from tests.support.sshd import DEADLINE, SSHD, Sshd, sshd, stranger

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can let others log in"),
    pytest.mark.skipif(SSHD is None, reason="sshd (openssh-server) is not installed"),
]

ROOT = Path(__file__).parents[2]
FIRST_FRAME = 2.0
"""Seconds."""


def pythons() -> list[Path]:
    """One of each version from 3.9 on that is installed, the oldest first."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found: dict[int, Path] = {}
    for minor in range(9, 15):
        for place in (*pyenv.glob(f"versions/3.{minor}.*/bin"), Path("/usr/local/bin"), Path("/usr/bin")):
            if (place / f"python3.{minor}").exists():
                found.setdefault(minor, place / f"python3.{minor}")
    return list(found.values())


PYTHONS = pythons()
_SYSTEM = next((path for path in PYTHONS if path.is_relative_to("/usr")), None)
"""One that everybody may run."""


@pytest.fixture(scope="module")
def server() -> Iterator[Sshd]:
    with sshd(PYTHONS[0]) as made:
        yield made


def nettop(server: Sshd, *arguments: str, user: str = "root") -> subprocess.CompletedProcess[str]:
    host = f"{user}@{server.host}"
    command = [sys.executable, "-m", "nettop", "--host", host, "--config", str(server.config()), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def until(condition: Callable[[], object], seconds: float = DEADLINE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


# --- plain views ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.name)
def test_every_python_there_will_do_and_the_first_frame_is_soon_there(python: Path) -> None:
    with sshd(python) as made, SocketRoom("far") as room:
        room.tcp_pair()
        took = []
        for _ in range(3):  # the machine is shared
            began = time.monotonic()
            remote = Remote(made.host, 1.0, ssh=made.ssh)
            connection = remote.connect()
            assert connection.recv(1)
            took.append(time.monotonic() - began)
            remote.close()
        assert min(took) < FIRST_FRAME
        told = rows(nettop(made, "connections", "--json", "-f", f"netns={room.netns} proto=tcp state=ESTAB"))
        assert {row["pid"] for row in told} == {os.getpid()}
        until(lambda: not made.processes())
        assert made.files() == []


def test_a_view_has_rates_and_goes_on(server: Sshd) -> None:
    done = nettop(server, "processes", "--json", "-n", "3", "-d", "0.3", "-f", f"pid={os.getpid()}")
    told = rows(done)
    assert len(told) == 3
    assert all(row["cpu"] is not None for row in told)


def test_interfaces_are_there_with_the_first_picture_though_there_is_no_pyroute2(server: Sshd) -> None:
    here = subprocess.run(
        [sys.executable, "-m", "nettop", "namespaces", "--json", "--no-rates", "-c", "netns,interfaces,addresses"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    there = nettop(server, "namespaces", "--json", "--no-rates", "-c", "netns,interfaces,addresses").stdout

    def known(said: str) -> dict[int, Any]:
        told = map(json.loads, said.splitlines())
        return {row["netns"]: (row["interfaces"], row["addresses"]) for row in told}

    own = os.stat("/proc/self/ns/net").st_ino
    assert known(here)[own] == known(there)[own]
    assert known(there)[own][0]


def test_a_nettop_that_is_there_is_used() -> None:
    programs = {"nettop": f'cd {ROOT} && exec {sys.executable} -m nettop "$@"'}
    with sshd(programs=programs) as made, far_picture(made) as picture:
        assert picture.host is not None
        assert "-m nettop far" in made.processes()[picture.host.own_pid]


def test_a_nettop_that_speaks_otherwise_and_a_python_that_is_too_old_are_passed_over() -> None:
    programs = {"nettop": "exit 3", "python3": "exit 1", "python3.14": f'exec {PYTHONS[0]} "$@"'}
    with sshd(programs=programs) as made:
        assert rows(nettop(made, "processes", "--json", "--no-rates", "--limit", "1"))


def test_what_a_shell_prints_before_is_passed_over() -> None:
    with sshd(PYTHONS[0]) as made:
        (made.home / "user" / ".bashrc").write_text("echo welcome to $(hostname); printf 'no end of line'\n")
        assert rows(nettop(made, "processes", "--json", "--no-rates", "--limit", "1"))


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_who_is_not_let_in_is_told_why(server: Sshd) -> None:
    (server.home / "authorized_keys").rename(server.home / "no_keys")
    try:
        done = nettop(server, "processes")
    finally:
        (server.home / "no_keys").rename(server.home / "authorized_keys")
    assert done.returncode == 3
    assert done.stderr == "nettop: root@web-01: root@127.0.0.1: Permission denied (publickey)\n"


def test_a_host_with_another_key_is_not_trusted(server: Sshd) -> None:
    known = server.home / "known_hosts"
    right = known.read_text()
    known.write_text(f"{server.host} {(server.home / 'key.pub').read_text()}")
    try:
        done = nettop(server, "processes")
    finally:
        known.write_text(right)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "nettop: root@web-01: Host key verification failed\n"


def test_where_nobody_listens_it_says_so(server: Sshd) -> None:
    server.stop()
    try:
        done = nettop(server, "processes")
    finally:
        server.start()
    assert done.returncode == 3
    assert done.stderr.endswith("Connection refused\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(shutil.which("sudo") is None, reason="sudo is not installed")
def test_where_sudo_wants_a_password_it_says_what_to_do(server: Sshd) -> None:
    with stranger() as name:
        done = nettop(server, "--sudo", "processes", user=name)
    assert done.returncode == 3
    assert done.stderr == (
        f"nettop: {name}@web-01: sudo: a password is required: let sudo run without one there (NOPASSWD in sudoers),"
        " or log in as root\n"
    )


@pytest.mark.skipif(_SYSTEM is None, reason="no Python that others than root may run")
def test_who_is_not_root_there_sees_what_they_would_there() -> None:
    with sshd(_SYSTEM) as made, stranger() as name, SocketRoom("strange") as room:
        room.tcp_pair()
        told = rows(nettop(made, "connections", "--json", "--no-rates", "-f", "proto=tcp", user=name))
        assert told
        assert not any(row["pid"] for row in told if row["uid"] == 0)
        assert not any(row["netns"] == room.netns for row in told)


@pytest.mark.skipif(shutil.which("sudo") is None, reason="sudo is not installed")
def test_with_sudo_root_looks() -> None:
    with sshd(PYTHONS[0]) as made, far_picture(made, sudo=True) as picture:
        assert picture.host is not None
        assert b"SUDO_USER=root" in Path(f"/proc/{picture.host.own_pid}/environ").read_bytes()


# --- the screen's source -------------------------------------------------------------------------------------------


class Screen:
    """What is shown of a machine, and what is said of the way to it."""

    def __init__(self, server: Sshd, **wish: Any) -> None:
        remote = Remote(server.host, 0.3, ssh=server.ssh, **wish)
        remote.connect()
        self.source = live.Live(remote)
        self.pictures: list[Snapshot] = []
        self.notices: list[str | None] = [None]
        self._task = asyncio.create_task(self.source.run(self.pictures.append, self.notices.append))

    async def until(self, condition: Callable[[], object], seconds: float = DEADLINE) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.notices
            assert not self._task.done() or self._task.result()
            await asyncio.sleep(0.02)

    async def shown(self, more: int = 1, seconds: float = DEADLINE) -> Snapshot:
        """The last of so many pictures more."""
        wanted = len(self.pictures) + more
        await self.until(lambda: len(self.pictures) >= wanted, seconds)
        return self.pictures[-1]

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.source.close()


@contextlib.asynccontextmanager
async def screen(server: Sshd, **wish: Any) -> AsyncIterator[Screen]:
    made = Screen(server, **wish)
    try:
        yield made
    finally:
        await made.end()


@contextlib.contextmanager
def far_picture(server: Sshd, **wish: Any) -> Iterator[Snapshot]:
    """A picture, while the far end still runs."""
    with asyncio.Runner() as runner:

        async def begin() -> Screen:
            made = Screen(server, **wish)
            await made.shown()
            return made

        made = runner.run(begin())
        try:
            yield made.pictures[-1]
        finally:
            runner.run(made.end())


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
        began = time.monotonic()
        asked = asyncio.create_task(made.source.ask(InspectProcess(1, 0)))
        while not made.notices[-1]:
            turn = time.monotonic()
            await asyncio.sleep(0)
            assert time.monotonic() - turn < 1.5, "whoever presses a key is not kept waiting"
            assert time.monotonic() - began < DEADLINE
        assert made.notices[-1] == ("web-01: the connection ended (nothing has come for 1 seconds); connecting again")
        assert (await asked).text == "the collector ended before it answered"
        await made.until(lambda: made.notices[-1] is None)
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


def test_nothing_is_left_when_nobody_listens_any_more(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a cut that neither sshd has noticed."""
    near, beyond = socket.socketpair()
    near.setblocking(False)
    monkeypatch.setattr(far, "SILENCE", 0.2)
    link = far.Squeezed(far.Duplex(beyond.detach(), os.open(os.devnull, os.O_WRONLY)))
    assert link.alive(time.monotonic())
    until(lambda: not link.alive(time.monotonic()))
    near.send(b"\n")
    assert link.receive() == [b""]
    assert link.alive(time.monotonic())
    link.close()
    near.close()
    del server


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
