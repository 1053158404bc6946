"""Who may listen to a service, what is done for them, and what the service itself may."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nettop.doctor import check_service
from nettop.kernel import privileges
from nettop.kernel.procfs import ProcFS, parse_stat
from nettop.requests import InspectEnvironment, InspectNamespace, InspectProcess, Request, Signal
from nettop.service import client
from nettop.service.place import SOCKET
from tests.support.restricted import NOBODY, UNPRIVILEGED, run
from tests.support.serving import DEADLINE, STRANGER, Serving, guests, program, rows, serving

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


# --- who may -------------------------------------------------------------------------------------------------------


def test_only_its_group_may_use_it(service: Serving) -> None:
    status = service.path.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o660, 0, NOBODY)
    done = run(STRANGER, "-m", "nettop", "processes", "--connect", str(service.path))
    group = grp.getgrgid(NOBODY).gr_name
    refusal = f"may be used by the group {group} only: sudo usermod -aG {group} 65533, and log in again"
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"nettop: the service at {service.path} {refusal}\n"


@pytest.mark.skipif(os.path.exists(SOCKET), reason="a service runs on this machine")
def test_it_is_found_by_who_is_not_root_and_whom_it_refuses_looks_without_it() -> None:
    made = Serving(Path(SOCKET), ("--group", grp.getgrgid(NOBODY).gr_name))
    wanted = ("-c", "pid,netns", "-f", f"pid={os.getpid()}")
    listing = ("-m", "nettop", "processes", "--json", "--no-rates", *wanted)
    try:
        found = run(UNPRIVILEGED, *listing)
        assert rows(found)[0]["netns"] is not None, "which only root can see"
        alone = run(UNPRIVILEGED, *listing, "--no-service")
        assert rows(alone)[0]["netns"] is None
        refused = run(STRANGER, *listing)
        assert refused.stderr.startswith(f"nettop: the service at {SOCKET} may be used by the group")
        assert refused.stderr.endswith("; looking without it\n")
        assert json.loads(refused.stdout)["netns"] is None
        assert refused.returncode == 0
    finally:
        made.end()
        os.rmdir(os.path.dirname(SOCKET))


def test_where_there_is_none_it_says_so(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "nettop", "processes", "--connect", str(tmp_path / "none"))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
    expected = f"nettop: there is no service at {tmp_path / 'none'}: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", expected)


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (b'{"v":99,"answer":0,"ok":true,"text":"nettop 9","facts":null}\n', "speaks otherwise: version 99"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "speaks otherwise: not JSON"),
        (b"x" * 100_000, "speaks otherwise: it does not greet"),
        (b'{"v":1,"answer":0,"ok":false,"text":"too many","facts":null}\n', "too many"),
        (b"", "speaks otherwise: it does not greet"),
    ],
    ids=["newer", "another program", "endless", "full", "silent"],
)
def test_what_speaks_otherwise_is_of_no_use_and_the_reason_is_said(
    tmp_path: Path, greeting: bytes, reason: str
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(greeting)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(client.RefusedError, match=re.escape(reason)):
            client.connect(str(tmp_path / "socket"))
        answering.join()


@pytest.mark.parametrize(
    ("who", "told"),
    [(UNPRIVILEGED, ("ok", None)), (STRANGER, ("degraded", "sudo usermod -aG")), (("env",), ("ok", None))],
    ids=["in the group", "a stranger", "root"],
)
def test_the_doctor_tells_whether_one_may_use_it(service: Serving, who: tuple[str, ...], told: tuple[str, Any]) -> None:
    script = "import sys; from nettop.doctor import check_service; print(*check_service(sys.argv[1]), sep='\\n')"
    name, state, _, remedy, _ = run(who, "-c", script, str(service.path)).stdout.splitlines()
    assert (name, state) == ("service", told[0])
    assert remedy.startswith(str(told[1]))


def test_the_doctor_tells_of_a_service_that_is_dead_or_was_never_there(tmp_path: Path) -> None:
    assert check_service(str(tmp_path / "socket")).state == "absent"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "socket"))
    check = check_service(str(tmp_path / "socket"))
    assert (check.state, check.remedy) == ("degraded", "sudo systemctl restart nettop")


# --- requests ------------------------------------------------------------------------------------------------------


def test_it_looks_into_namespaces_and_does_nothing_else_for_anybody(service: Serving) -> None:
    own = parse_stat(ProcFS().read_stat(os.getpid()))
    with guests(service.path) as [guest]:
        guest.until(lambda: guest.pictures)
        netns = os.stat("/proc/self/ns/net").st_ino
        assert guest.ask(1, InspectNamespace(netns)).answer.ok
        refused: tuple[Request, ...] = (
            Signal(own.pid, own.start_time, signal.SIGCONT, True),
            InspectProcess(own.pid, own.start_time),
            InspectEnvironment(own.pid, own.start_time),
        )
        for number, request in enumerate(refused, 2):
            answer = guest.ask(number, request).answer
            assert (answer.ok, answer.text) == (
                False,
                "a service does nothing for anybody: ask the kernel, or root's own nettop",
            )


def test_what_is_no_request_harms_nobody(service: Serving) -> None:
    garbage = (
        b"\n" * 1000,
        b"\xff\xfe\x00\n",
        b"[" * 4000 + b"\n",
        b"a" * 1_000_000,
        b'{"ask":1,"kind":"interval","seconds":1e999}\n',
        b'{"ask":2,"kind":"interval","seconds":-1}\n',
        b'{"ask":-3,"kind":"namespace","netns":1}\n',
        b'{"ask":4,"kind":"signal","pid":1,"start_time":0,"signal":9,"insist":true}\n',
        b"".join(b'{"ask":%d,"kind":"namespace","netns":1}\n' % number for number in range(5, 500)),
    )
    with guests(service.path, 2) as [hostile, guest]:
        hostile.connection.setblocking(True)
        for said in garbage:
            hostile.connection.sendall(said)
            hostile.connection.setblocking(False)
            hostile.read()
            hostile.connection.setblocking(True)
        hostile.connection.setblocking(False)
        hostile.until(lambda: 499 in hostile.replies)
        assert not hostile.replies[4].answer.ok
        seen = len(guest.pictures)
        guest.until(lambda: len(guest.pictures) > seen + 1)
    assert service.process.poll() is None


RIGHTS = """
import asyncio, json, os, signal, sys
from nettop.kernel.procfs import ProcFS, parse_stat
from nettop.requests import CloseSocket, InspectEnvironment, InspectNamespace, Renice, Signal
from nettop.service import client
from nettop.service.served import Served

async def main():
    served = Served(client.connect(sys.argv[1]), sys.argv[1], 1.0, False)
    answers = []
    for pid in map(int, sys.argv[2:]):
        start = parse_stat(ProcFS().read_stat(pid)).start_time
        for request in (InspectEnvironment(pid, start), Renice(pid, start, 5, False), Signal(pid, start, 15, False)):
            answers.append((await served.answer(request)).ok)
    assert await served.answer(InspectNamespace(1)) is None
    served.close()
    print(json.dumps(answers))

asyncio.run(main())
"""


def test_an_ordinary_user_acts_with_its_own_rights(service: Serving) -> None:
    with program() as roots, program(*UNPRIVILEGED) as own:
        done = run(UNPRIVILEGED, "-c", RIGHTS, str(service.path), str(own.pid), str(roots.pid))
        assert done.stdout.strip() == "[true, true, true, false, false, false]", done.stderr
        assert own.wait(DEADLINE) == -signal.SIGTERM
        assert roots.poll() is None


# --- the unit ------------------------------------------------------------------------------------------------------


def unit() -> str:
    """The unit, as it is printed."""
    command = (sys.executable, "-m", "nettop", "serve", "--unit")
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE).stdout


def bounded(capabilities: Iterable[str]) -> tuple[str, ...]:
    """Root's user with no more than these, and the group that the unit says."""
    wanted = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities)])
    return ("setpriv", f"--bounding-set={wanted}", "--inh-caps=-all", "--regid", str(NOBODY), "--clear-groups")


def complaints(who: tuple[str, ...]) -> set[str]:
    """What a service says it cannot see."""
    with serving("--max-cpu", "100", who=who) as made, guests(made.path) as [guest]:
        guest.until(lambda: len(guest.pictures) > 2)
        rows = guest.pictures[-1].health
        return {row.source for row in rows if row.status not in ("absent", "lossy") and "runtime" not in row.source}


@pytest.mark.skipif(
    bool(privileges.missing(privileges.SEEING, privileges.effective()) or privileges.foreign_namespaces()),
    reason="root has not all capabilities here",
)
def test_the_unit_has_the_capabilities_it_takes_and_no_others() -> None:
    [line] = [line for line in unit().splitlines() if line.startswith("CapabilityBoundingSet=")]
    given = line.partition("=")[2].split()
    usual = complaints(())
    assert complaints(bounded(given)) == usual
    for name in given:
        assert complaints(bounded(set(given) - {name})) > usual, f"{name} is not needed"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    made = tmp_path / "nettop.service"
    made.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable} -m nettop", unit()))
    command = ("systemd-analyze", "verify", str(made))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
