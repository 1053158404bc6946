"""Process events on the real kernel: what processes do is told, nothing is lost unseen, refusals are explained."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nettop.kernel.cn_proc import ProcEvent, ProcEventListener
from tests.support.forks import forked

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="the proc connector is tested as root"),
]

ROOT = Path(__file__).parents[2]
DEADLINE = 10.0
libc = ctypes.CDLL(None)
PR_SET_NAME, PTRACE_ATTACH, PTRACE_DETACH = 15, 16, 17


def settle(listener: ProcEventListener) -> ProcEventListener:
    deadline = time.monotonic() + DEADLINE
    while listener.state == "starting" and time.monotonic() < deadline:
        time.sleep(0.005)
    return listener


@contextlib.contextmanager
def listening(**settings: int) -> Iterator[ProcEventListener]:
    listener = ProcEventListener(**settings)
    listener.start()
    try:
        settle(listener)
        if listener.state == "unsupported":
            pytest.skip(f"no process events here: {listener.reason}")
        yield listener
    finally:
        listener.close()


def child(act: Callable[[], None]) -> tuple[int, int]:
    """Fork, let the child `act`, and wait: its pid and wait status."""
    pid = forked(act)
    return pid, os.waitpid(pid, 0)[1]


def events_until_exit(listener: ProcEventListener, pids: set[int]) -> list[ProcEvent]:
    """What `pids` did, up to the exit of all of them."""
    events: list[ProcEvent] = []
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        events += [event for event in listener.drain() if event.pid in pids]
        if {event.pid for event in events if event.kind == "exit"} >= pids:
            return events
        time.sleep(0.01)
    pytest.fail(f"no exit of all of {len(pids)} processes within {DEADLINE} s, overruns: {listener.overruns}")


def test_fork_and_exit_tell_parent_code_and_moment() -> None:
    with listening() as listener:
        before = time.time()
        pid = forked(lambda: os._exit(3))
        fork, end = events_until_exit(listener, {pid})  # once it has been waited for, the kernel may know no parent
        _, status = os.waitpid(pid, 0)
    assert (fork.kind, fork.pid, fork.tid, fork.ppid) == ("fork", pid, pid, os.getpid())
    assert (end.kind, end.ppid, end.code, end.detail) == ("exit", os.getpid(), status, "code 3")
    assert before - 0.1 <= fork.time <= end.time <= time.time() + 0.1


def test_a_signal_is_told_by_name() -> None:
    with listening() as listener:
        pid, status = child(lambda: os.kill(os.getpid(), signal.SIGKILL))
        end = events_until_exit(listener, {pid})[-1]
    assert (end.code, end.detail) == (status, "signal 9 SIGKILL")


def test_exec_new_ids_new_session_and_new_name_are_told() -> None:
    def act() -> None:
        os.setsid()
        os.setresgid(7, 7, 7)
        os.setresuid(1000, 1001, 0)
        libc.prctl(PR_SET_NAME, b"evil\x1b[31m\xff", 0, 0, 0)
        os.execv("/bin/true", ["true"])

    with listening() as listener:
        pid, _ = child(act)
        told = [(event.kind, event.detail) for event in events_until_exit(listener, {pid})]
    assert told[0] == ("fork", "")
    expected = [("sid", ""), ("gid", "rgid 7 egid 7"), ("uid", "ruid 1000 euid 1001"), ("comm", "evil\x1b[31m\ufffd")]
    assert list(dict.fromkeys(event for event in told if event in expected)) == expected
    assert ("exec", "") in told
    assert told[-1] == ("exit", "code 0")


def test_a_tracer_is_told_when_it_comes_and_goes() -> None:
    with listening() as listener:
        sleeper = subprocess.Popen(["sleep", "60"])
        try:
            assert libc.ptrace(PTRACE_ATTACH, sleeper.pid, None, None) == 0
            os.waitpid(sleeper.pid, 0)
            libc.ptrace(PTRACE_DETACH, sleeper.pid, None, None)
        finally:
            sleeper.kill()
            sleeper.wait()
        events = events_until_exit(listener, {sleeper.pid})
    assert [e.detail for e in events if e.kind == "ptrace"] == [f"tracer {os.getpid()}", "detached"]


def test_threads_are_told_from_processes() -> None:
    def act() -> None:
        for _ in range(5):
            thread = threading.Thread(target=lambda: None)
            thread.start()
            thread.join()

    with listening() as listener:
        pid, _ = child(act)
        kinds = [event.kind for event in events_until_exit(listener, {pid})]
    assert kinds.count("fork") == 1
    assert kinds.count("exit") == 1


def test_the_figures_are_those_of_forkstat(tmp_path: Path) -> None:
    forkstat = shutil.which("forkstat")
    if forkstat is None:
        pytest.skip("forkstat is not installed: nothing to compare with")
    report = tmp_path / "forkstat"

    def theirs() -> list[tuple[str, int]]:
        # "12:00:00 fork   4242 root   child ...", "12:00:00 exit   4242 root        0 ..."
        found = re.findall(r"^\S+\s+(fork|exit)\s+(\d+)(?!.* parent )", report.read_text(), re.MULTILINE)
        return [(kind, int(pid)) for kind, pid in found]

    def wait_for(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)

    with report.open("w") as output, listening() as listener:
        other = subprocess.Popen([forkstat, "-l", "-e", "fork,exit"], stdout=output)
        try:
            wait_for(lambda: bool(report.read_text()))  # the heading: it listens now
            pids = [child(lambda: os._exit(0))[0] for _ in range(200)]
            ours = [(event.kind, event.pid) for event in events_until_exit(listener, set(pids))]
            wait_for(lambda: ("exit", pids[-1]) in theirs())
        finally:
            other.terminate()
            other.wait()
    assert sorted(ours) == sorted(event for event in theirs() if event[1] in pids)


FORKER = """
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>
int main(int argc, char **argv) {
    for (int left = atoi(argv[1]); left; left--) {
        pid_t pid = fork();
        if (!pid) _exit(0);
        waitpid(pid, 0, 0);
        printf("%d\\n", pid);
    }
}
"""


@pytest.fixture(scope="module")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that forks its argument's number of children, one by one, and prints their pids."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: Python forks too slowly for a storm")
    folder = tmp_path_factory.mktemp("forker")
    (folder / "forker.c").write_text(FORKER)
    subprocess.run([compiler, "-O2", "-o", folder / "forker", folder / "forker.c"], check=True)
    return folder / "forker"


def storm(forker: Path, count: int, folder: Path) -> set[int]:
    """Fork `count` children while this thread computes without ever giving the interpreter lock up by itself."""
    with open(folder / "pids", "w") as output, subprocess.Popen([forker, str(count)], stdout=output) as process:
        burned = 0
        while process.poll() is None:
            burned += sum(range(20_000))
    return {int(pid) for pid in (folder / "pids").read_text().split()}


def test_a_storm_that_fits_the_queue_loses_nothing_though_the_program_computes(forker: Path, tmp_path: Path) -> None:
    with listening() as listener:
        pids = storm(forker, 4_000, tmp_path)  # 20,000 on a busy machine are the benchmark's business
        events = events_until_exit(listener, pids)
        assert listener.take_overruns() == 0
    assert sum(event.kind == "fork" for event in events) == len(pids) == 4_000


def test_a_full_buffer_is_counted_once_taken_and_listening_goes_on(forker: Path, tmp_path: Path) -> None:
    with listening(receive_buffer=4096) as listener:
        storm(forker, 2000, tmp_path)
        deadline = time.monotonic() + DEADLINE
        while not listener.overruns and time.monotonic() < deadline:
            time.sleep(0.01)
        assert listener.take_overruns() > 0
        # so small a queue loses events of the rest of the machine too: the next child, or one after it, is heard
        heard: list[str] = []
        while heard != ["fork", "exit"] and time.monotonic() < deadline:
            pid, _ = child(lambda: os._exit(0))
            time.sleep(0.02)
            heard = [event.kind for event in listener.drain() if event.pid == pid]
        assert heard == ["fork", "exit"]


def test_a_caller_that_never_drains_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettop.kernel.cn_proc.MAX_PENDING", 1000)
    with listening() as listener:
        for _ in range(30):
            child(lambda: os._exit(0))
        deadline = time.monotonic() + DEADLINE
        while not listener.overruns and time.monotonic() < deadline:
            time.sleep(0.01)
        assert listener.take_overruns() > 0
        assert len(listener.drain()) <= 1000 // 76


def test_two_listeners_do_not_take_each_other_s_events() -> None:
    with listening() as first, listening() as second:
        pid, _ = child(lambda: os._exit(0))
        assert len(events_until_exit(first, {pid})) == len(events_until_exit(second, {pid})) == 2
        first.close()
        pid, _ = child(lambda: os._exit(0))
        assert len(events_until_exit(second, {pid})) == 2


def test_closing_is_prompt_leaves_nothing_open_and_may_be_repeated() -> None:
    files, threads = set(os.listdir("/proc/self/fd")), threading.active_count()
    with listening() as listener:
        before = time.monotonic()
        listener.close()
        assert time.monotonic() - before < 0.5
        listener.close()
    assert (set(os.listdir("/proc/self/fd")), threading.active_count()) == (files, threads)
    ProcEventListener().close()


def test_it_works_in_a_child_forked_before_the_start() -> None:
    listener = ProcEventListener()

    def act() -> None:
        listener.start()
        pid, _ = child(lambda: os._exit(0))
        kinds = [event.kind for event in events_until_exit(settle(listener), {pid})]
        listener.close()
        os._exit(0 if kinds == ["fork", "exit"] else 1)

    assert child(act)[1] == 0


REPORT = """
import time
from nettop.kernel.cn_proc import ProcEventListener
listener = ProcEventListener()
begin = time.monotonic()
listener.start()
while listener.state == "starting" and time.monotonic() - begin < 5:
    time.sleep(0.01)
print(listener.state, time.monotonic() - begin < 2, listener.drain(), listener.reason, listener.remedy, sep="|")
listener.close()
"""


@pytest.mark.parametrize(
    ("unshare", "reason"),
    [
        (["--pid", "--fork", "--mount-proc"], "another pid namespace"),
        (["--user"], "another user namespace"),
        (["--user", "--net"], "initial network namespace only"),
        (["--net"], "initial network namespace only"),
    ],
)
def test_elsewhere_than_on_the_host_it_says_why_within_two_seconds(unshare: list[str], reason: str) -> None:
    command = ["unshare", *unshare, sys.executable, "-c", REPORT]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False)
    if result.stderr.startswith("unshare:"):
        pytest.skip(f"this kernel refuses the namespace: {result.stderr.strip()}")
    state, prompt, events, told, remedy = result.stdout.strip().split("|")
    assert (state, prompt, events) == ("unsupported", "True", "[]"), result.stderr
    assert reason in told
    assert "on the host" in remedy
