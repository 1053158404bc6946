"""Another machine through a real sshd: what plain views tell of it, and what is said where it cannot be had."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nettop.remote.origin import Remote
from tests.support.afar import far_picture
from tests.support.sockets import SocketRoom
from tests.support.sshd import PYTHONS, SSHD, Sshd, sshd, stranger, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can let others log in"),
    pytest.mark.skipif(SSHD is None, reason="sshd (openssh-server) is not installed"),
]

ROOT = Path(__file__).parents[2]
FIRST_FRAME = 2.0
"""Seconds."""


_SYSTEM = next((path for minor in range(9, 15) if (path := Path(f"/usr/bin/python3.{minor}")).exists()), None)
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


@pytest.mark.skipif(ROOT.is_relative_to("/tmp"), reason="the other machine has a /tmp of its own, without this nettop")
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


def test_a_view_that_is_cut_ends_with_the_reason(server: Sshd) -> None:
    command = [sys.executable, "-m", "nettop", "--host", server.host, "--config", str(server.config())]
    with subprocess.Popen([*command, "events", "-n", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as cut:
        assert cut.stdout is not None
        assert cut.stderr is not None
        assert cut.stdout.readline()
        server.cut()
        assert cut.stderr.read() == b"nettop: web-01 has ended: Connection to 127.0.0.1 closed by remote host\n"
    assert cut.returncode == 1


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
