"""Several machines through a real sshd: plain views and the screen, one of them being away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import terminal
from tests.support.sshd import DEADLINE, SSHD, Sshd, sshd

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can let others log in"),
    pytest.mark.skipif(SSHD is None, reason="sshd (openssh-server) is not installed"),
]

HOSTS = ("--host", "web-01", "--host", "root@db-1")


@pytest.fixture(scope="module")
def server() -> Iterator[Sshd]:
    """One machine that goes by two names, and a third name at which nobody listens."""
    with sshd(Path(sys.executable).resolve()) as made:
        settings = made.home / "ssh_config"
        own = settings.read_text()
        settings.write_text(f"{own}{own.replace('Host web-01', 'Host db-1')}Host gone\nHostName 127.0.0.1\nPort 1\n")
        yield made
        deadline = time.monotonic() + DEADLINE
        while made.processes():
            assert time.monotonic() < deadline, "something is left there"
            time.sleep(0.02)
        assert made.files() == []


def nettop(server: Sshd, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nettop", "--config", str(server.config()), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_plain_view_has_the_rows_of_all_and_says_whose_they_are(server: Sshd) -> None:
    done = nettop(server, "processes", *HOSTS, "--json", "-f", f"pid={os.getpid()}")
    assert done.stderr == ""
    told = rows(done)
    assert [row["machine"] for row in told] in (["web-01", "db-1"], ["db-1", "web-01"])
    assert {row["pid"] for row in told} == {os.getpid()}
    assert all(row["cpu"] is not None for row in told), "rates are known of all"
    own = os.stat("/proc/self/ns/net").st_ino
    assert {row["netns"] for row in told} == {own}


def test_a_table_has_the_column_and_a_filter_knows_it(server: Sshd) -> None:
    done = nettop(server, "namespaces", *HOSTS, "--no-rates", "-f", "machine=db-1", "-n", "2", "-d", "0.3")
    assert done.stderr == ""
    first, second = done.stdout.split("\n\n")
    for table in (first, second):
        title, *lines = table.splitlines()
        assert title.split()[:2] == ["NAME", "MACHINE"]
        assert lines
        assert all("db-1" in line for line in lines)


def test_one_that_cannot_be_reached_is_told_of_and_the_others_are_listed(server: Sshd) -> None:
    done = nettop(server, "namespaces", *HOSTS, "--host", "gone", "--json", "--no-rates")
    assert {row["machine"] for row in rows(done)} == {"web-01", "db-1"}
    assert done.stderr.splitlines()[0].startswith("nettop: gone: ")
    assert "Connection refused" in done.stderr


def test_one_machine_twice_is_wrong_usage(server: Sshd) -> None:
    done = nettop(server, "namespaces", "--host", "web-01", "--host", "root@web-01")
    assert (done.returncode, done.stderr) == (2, "nettop: --host: web-01 is named more than once\n")


def test_a_recording_is_of_one_machine(server: Sshd) -> None:
    done = nettop(server, "record", "/nonexistent/file", *HOSTS)
    assert (done.returncode, done.stderr) == (2, "nettop: --host: one machine at a time\n")


def test_the_full_screen_shows_all_and_says_when_one_goes(server: Sshd) -> None:
    arguments = ["-m", "nettop", *HOSTS, "--config", str(server.config())]
    with terminal.run(arguments, (120, 40)) as shown:
        shown.shows(lambda text: "2 machines" in text and "MACHINE" in text)
        shown.press("/sshd\r")
        shown.shows(lambda text: "web-01" in text and "db-1" in text and "notty" in text)
        server.cut()
        shown.shows(lambda text: "of 2 machines" in text or "no machine is reached" in text)
        shown.shows(lambda text: " 2 machines" in text and "notty" in text)
        shown.press("q")
        assert shown.wait() == 0
