"""Wherever something is in its way, nettop starts, in plain and on the screen, shows what it can, and says what it
cannot: `doctor` in words and as JSON, the screen on its second line.

What each hindrance takes away in particular is in test_unprivileged and test_doctor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.support.engines import Docker, docker
from tests.support.restricted import HIDEPID, PYTHON, ROOT, UNPRIVILEGED, mounts, run, staged
from tests.support.terminal import opened

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed"),
    pytest.mark.skipif(not os.path.isdir("/mnt"), reason="no /mnt to show a user what root's directories hide"),
]


class Hindrance(NamedTuple):
    """Where nettop runs, and what it must say of that."""

    who: tuple[str, ...]
    suffering: frozenset[str]
    """Sources that are not ok."""
    cause: str
    """The one that is the reason for the others."""


def without_netlink(error: str) -> tuple[str, ...]:
    return (PYTHON, "-s", "-m", "tests.support.no_netlink", error)


BY_NETLINK = frozenset({"netlink", "cn_proc", "sock_diag:tcp", "sock_destroy", "conntrack", "rtnetlink", "close"})
HINDRANCES = {
    "nobody": Hindrance(UNPRIVILEGED, frozenset({"capabilities", "owners", "actions", "close"}), "capabilities"),
    "user namespace": Hindrance(
        (*UNPRIVILEGED, "unshare", "-Ur"), frozenset({"userns", "owners", "cn_proc"}), "userns"
    ),
    "hidepid": Hindrance((*HIDEPID, *UNPRIVILEGED), frozenset({"hidepid", "capabilities"}), "hidepid"),
    "pid namespace": Hindrance(
        ("unshare", "--pid", "--fork", "--mount-proc"), frozenset({"pidns", "cn_proc"}), "pidns"
    ),
    "netlink not permitted": Hindrance(without_netlink("EPERM"), BY_NETLINK, "netlink"),
    "no netlink at all": Hindrance(without_netlink("EAFNOSUPPORT"), BY_NETLINK, "netlink"),
    "nobody without netlink": Hindrance(
        (*UNPRIVILEGED, *without_netlink("EPERM")), BY_NETLINK | {"capabilities", "owners"}, "netlink"
    ),
}


each_hindrance = pytest.mark.parametrize("hindrance", list(HINDRANCES.values()), ids=list(HINDRANCES))


def checks_of(text: str) -> dict[str, dict[str, Any]]:
    checks = [json.loads(line) for line in text.splitlines()]
    return {check["name"]: check for check in checks}


def troubles(checks: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, check in checks.items() if check["state"] not in ("ok", "absent")}


LISTENS = """
import os, runpy, socket, sys
held = socket.create_server(("127.0.0.1", 0))
print(held.getsockname()[1], os.getpid(), flush=True)
sys.argv = ["nettop", *sys.argv[1:]]
runpy.run_module("nettop", run_name="__main__")
"""
"""Says its port and pid, and then shows what nettop does, itself among it."""


@each_hindrance
def test_a_listing_shows_its_own_socket_and_whose_it_is(hindrance: Hindrance) -> None:
    done = run(hindrance.who, "-c", LISTENS, "connections", "--json", "--no-rates", "-f", "state=LISTEN")
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    port, pid = map(int, first.split())
    shown = [(row["proto"], row["pid"], row["owner_by"]) for row in map(json.loads, lines) if row["lport"] == port]
    assert ("tcp", pid, "exact") in shown


@each_hindrance
def test_doctor_names_what_is_in_the_way(hindrance: Hindrance) -> None:
    done = run(hindrance.who, "-m", "nettop", "doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    checks = checks_of(done.stdout)
    if checks.get("conntrack", {}).get("state") == "absent":
        del checks["conntrack"]
    assert hindrance.suffering - {"conntrack"} <= troubles(checks)
    assert all(check["reason"] for check in checks.values())
    assert checks[hindrance.cause]["remedy"]
    assert ("netlink is refused" in checks["cn_proc"]["reason"]) == ("netlink" in hindrance.suffering)


@each_hindrance
def test_doctor_says_the_same_in_words(hindrance: Hindrance) -> None:
    done = run(hindrance.who, "-m", "nettop", "doctor")
    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if line.startswith(f"{hindrance.cause} ")]
    assert line.split()[1] in ("degraded", "unavailable")


@each_hindrance
def test_the_screen_starts_and_says_it(hindrance: Hindrance) -> None:
    command = staged(*hindrance.who, PYTHON, "-s", "-m", "nettop", "-d", "0.5")
    unshare = shutil.which(command[0])
    assert unshare is not None
    with opened([unshare, *command[1:]], HOME="/nonexistent") as terminal:
        terminal.shows(lambda shown: "Processes" in shown and "▲ degraded" in shown, 60)
        terminal.press("q")
        assert terminal.wait(20) == 0


# --- inside a container ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    with docker(tmp_path_factory.mktemp("docker")) as started:
        yield started


def inside(engine: Docker, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a container without a network, as Docker's own root is allowed to."""
    shared = [f"--volume={there}:{here}:ro" for there, here in mounts() if os.path.isdir(there)]
    python = [
        "--env=PYTHONPATH=/mnt/nettop:/mnt/packages",
        "--env=LD_LIBRARY_PATH=/mnt/python/lib",
        "--env=LANG=C.UTF-8",
    ]
    command = ["docker", "-H", f"unix://{engine.socket}", "run", "--rm", "--network=none", "--ulimit=nofile=1024:1024"]
    command += [*shared, *python, str(engine.image), PYTHON, "-s", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)


def test_in_a_container_it_sees_the_container(engine: Docker) -> None:
    done = inside(engine, "-c", LISTENS, "connections", "--json", "--no-rates", "-f", "state=LISTEN")
    assert (done.returncode, done.stderr) == (0, "")
    first, line = done.stdout.splitlines()
    port, pid = map(int, first.split())
    row = json.loads(line)
    assert (row["lport"], row["pid"], row["owner_by"]) == (port, pid, "exact")


def test_in_a_container_doctor_tells_what_to_run_it_with(engine: Docker) -> None:
    done = inside(engine, "-m", "nettop", "doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    checks = checks_of(done.stdout)
    assert {"capabilities", "pidns", "cn_proc", "close"} <= troubles(checks)
    assert "--cap-add=SYS_PTRACE" in checks["capabilities"]["remedy"]
    assert "--pid=host" in checks["pidns"]["remedy"]
    assert checks["sock_diag:tcp"]["state"] == "ok"
