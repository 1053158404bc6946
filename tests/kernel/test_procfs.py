"""What /proc withholds: seen by an unprivileged reader, with and without hidepid."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nettop.kernel.procfs import ProcFS

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="giving up privileges needs root"),
]

ROOT = Path(__file__).parents[2]
UNPRIVILEGED = """
import os, sys
from nettop.kernel.procfs import Gone, ProcFS
proc = ProcFS(sys.argv[1])
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
for read in (proc.read_stat, proc.command, proc.uid, proc.cgroup, proc.netns, proc.sockets):
    try:
        read(1)
        print(read.__name__, "read")
    except Gone:
        print(read.__name__, "gone")
    except PermissionError as error:
        print(read.__name__, "refused", error.filename)
"""
READERS = ("read_stat", "command", "uid", "cgroup", "netns", "sockets")


def reads(root: str, before: list[str]) -> dict[str, str]:
    """What an unprivileged process gets of pid 1, by reader."""
    command = [*before, sys.executable, "-c", UNPRIVILEGED, root]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    if result.stderr.startswith(("mount:", "unshare:")):
        pytest.skip(f"proc cannot be mounted here: {result.stderr.strip()}")
    assert result.returncode == 0, result.stderr
    return dict(line.split(" ", 1) for line in result.stdout.splitlines())


def test_namespace_and_files_of_another_user_are_refused_the_rest_is_read() -> None:
    told = reads("/proc", [])
    assert [told[name] for name in READERS[:4]] == ["read"] * 4
    assert told["netns"] == "refused /proc/1/ns/net"
    assert told["sockets"] == "refused /proc/1/fd"


@pytest.mark.parametrize(("hidepid", "outcome"), [(1, "refused"), (2, "gone")])
def test_with_hidepid_everything_of_another_user_is_refused_or_gone(hidepid: int, outcome: str, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder.stat().st_mode & 0o001 == 0:
            folder.chmod(0o755)
    script = f'mount -t proc -o hidepid={hidepid} proc "{tmp_path}" && exec "$@"'
    told = reads(str(tmp_path), ["unshare", "--mount", "sh", "-c", script, "sh"])
    expected = dict.fromkeys(READERS, outcome)
    if hidepid == 1:
        expected["uid"] = "read"  # that it is there, and whose it is, hidepid=1 tells everybody
    assert {name: told[name].split()[0] for name in READERS} == expected


def test_the_uid_of_an_undumpable_process_is_its_own() -> None:
    code = (
        "import ctypes, os, sys\n"
        "os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(1234, 1234, 1234)\n"
        "ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert ProcFS().uid(child.pid) == 1234
