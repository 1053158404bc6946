"""`nettop doctor` is right wherever it runs: what it says is missing is missing, and what would help is said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from nettop.kernel import privileges
from tests.support.restricted import HIDEPID, ROOT, UNPRIVILEGED, run

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed"),
    pytest.mark.skipif(not os.path.isdir("/mnt"), reason="no /mnt to show a user what root's directories hide"),
]

TROUBLE = ("degraded", "unavailable", "lossy")
NOT_OURS = ("owners", "runtime")
"""Even root may not trace what has more capabilities than a sandbox gives it; and whether an engine of containers
answers is no matter of rights: there may be a container here whose engine is just being started, or has ended."""


def without(*capabilities: str) -> tuple[str, ...]:
    """Root without some capabilities."""
    less = ",".join(f"-{name}" for name in capabilities)
    return ("setpriv", f"--bounding-set={less}", f"--inh-caps={less}")


def consult(who: tuple[str, ...]) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and checks, by their names."""
    done = run(who, "-m", "nettop", "doctor", "--json")
    assert done.stderr == ""
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {check.pop("name"): check for check in checks}


def troubles(checks: dict[str, dict[str, Any]]) -> set[str]:
    suffering = {name for name, check in checks.items() if check["state"] in TROUBLE}
    return {name for name in suffering if name.partition(":")[0] not in NOT_OURS}


def test_root_on_the_host_misses_nothing() -> None:
    if privileges.missing((*privileges.SEEING, *privileges.ACTING), privileges.effective()):
        pytest.skip("root has not all capabilities here")
    if privileges.foreign_namespaces():
        pytest.skip("this is not the initial pid and user namespace")
    code, checks = consult(())
    assert troubles(checks) == set()
    assert code == any(check["state"] in TROUBLE for check in checks.values())
    assert {"kernel", "python", "terminal", "cost", "cn_proc", "sock_diag:tcp", "close", "actions"} <= checks.keys()


@pytest.mark.parametrize(
    ("capability", "suffering", "words"),
    [
        ("sys_ptrace", {"capabilities"}, "open files"),
        ("sys_admin", {"capabilities"}, "other network namespaces"),
        ("net_admin", {"capabilities", "conntrack", "close"}, "connection tracking"),
        ("kill", {"actions"}, "signals"),
        ("sys_nice", {"actions"}, "nice values"),
    ],
)
def test_a_capability_that_is_missing_is_named_with_what_it_takes_away(
    capability: str, suffering: set[str], words: str
) -> None:
    code, checks = consult(without(capability))
    assert code == 1
    missed = checks["capabilities" if "capabilities" in suffering else "actions"]
    assert missed["state"] == "degraded"
    assert f"CAP_{capability.upper()}" in missed["reason"]
    assert words in missed["reason"]
    if checks.get("conntrack", {}).get("state") == "absent":
        suffering = suffering - {"conntrack"}
    assert suffering <= troubles(checks)


def test_an_ordinary_user_is_told_to_become_root() -> None:
    code, checks = consult(UNPRIVILEGED)
    assert code == 1
    assert {"capabilities", "owners", "actions", "close"} <= {n for n, c in checks.items() if c["state"] in TROUBLE}
    assert {checks[name]["remedy"] for name in ("capabilities", "owners", "actions", "close")} == {"sudo nettop"}
    assert checks["owners"]["times"] > 1
    assert checks["sock_diag:tcp"]["state"] == "ok"


def test_processes_that_proc_hides_are_said_to_be_hidden() -> None:
    code, checks = consult((*HIDEPID, *UNPRIVILEGED))
    assert code == 1
    assert "hidepid=invisible" in checks["hidepid"]["reason"]
    assert checks["hidepid"]["remedy"] == "sudo mount -o remount,hidepid=0 /proc"


def test_root_sees_what_proc_hides_from_others() -> None:
    _, checks = consult(HIDEPID)
    assert checks["hidepid"]["state"] == "ok"


def test_in_a_user_namespace_capabilities_are_said_not_to_count() -> None:
    code, checks = consult((*UNPRIVILEGED, "unshare", "-Ur"))
    assert code == 1
    assert checks["userns"]["state"] == "degraded"
    assert "--userns=host" in checks["userns"]["remedy"]


def test_in_a_pid_namespace_processes_outside_are_said_not_to_be_seen() -> None:
    code, checks = consult(("unshare", "--pid", "--fork", "--mount-proc"))
    assert code == 1
    assert {"pidns", "cn_proc"} <= troubles(checks)
    assert "--pid=host" in checks["pidns"]["remedy"]
    assert checks["procfs"]["state"] == "ok"


def test_the_proc_of_another_pid_namespace_is_recognized() -> None:
    code, checks = consult(("unshare", "--pid", "--fork"))
    assert code == 1
    assert "procfs" in troubles(checks)
    assert "no signals" in checks["procfs"]["reason"]


SIGNALS_A_STRANGER = """
import os, sys
from nettop.collector.actions import send_signal
from nettop.kernel.procfs import ProcFS, parse_stat
from nettop.requests import Signal
pid, proc = int(sys.argv[1]), ProcFS()
print(send_signal(proc, Signal(pid, parse_stat(proc.read_stat(pid)).start_time, 15, False)).text)
"""


def test_where_pids_mean_others_no_signal_is_sent() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            done = run(("unshare", "--pid", "--fork"), "-c", SIGNALS_A_STRANGER, str(sleeper.pid))
            assert "another pid namespace" in done.stdout, done.stderr
            assert sleeper.poll() is None
        finally:
            sleeper.kill()


def test_a_namespace_of_ones_own_is_not_called_the_hosts() -> None:
    done = run(("unshare", "-n"), "-m", "nettop", "namespaces", "--json", "--no-rates")
    own = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = {row["netns"]: row["kind"] for row in own}
    host = os.stat("/proc/self/ns/net").st_ino
    assert kinds[host] == "host"
    assert list(kinds.values()).count("host") == 1


def test_the_table_says_the_same_and_how_much_is_missing() -> None:
    done = run(UNPRIVILEGED, "-m", "nettop", "doctor")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any(line.startswith("capabilities") and " degraded " in line for line in lines)
    assert any(line.strip() == "> sudo nettop" for line in lines)
    assert lines[-1].endswith("less than they could")


def test_without_proc_there_is_nothing_to_examine() -> None:
    hidden = ("sh", "-c", 'mount -t tmpfs tmpfs /proc && exec "$@"', "sh")
    done = run(hidden, "-m", "nettop", "doctor")
    assert done.returncode == 3
    assert "is /proc mounted?" in done.stderr


def test_it_takes_no_other_words() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nettop", "doctor", "--fast"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 2
