"""What scouts report is what anybody would see who looks at the processes one by one."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from array import array
from pathlib import Path

import pytest

from nettop.collector.resolver import Resolver
from nettop.collector.scout import Scouts, _parse, read_held
from nettop.kernel.procfs import ProcFS
from nettop.model import ProcessKey


def own_key() -> ProcessKey:
    """This process, as a resolver knows it."""
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return ProcessKey(os.getpid(), int(stat[19]))


def test_they_report_the_sockets_and_namespaces_of_every_process_that_may_be_read() -> None:
    proc = ProcFS()
    with socket.socket() as made, open("/proc/self/ns/net", "rb") as namespace:
        held = Scouts.send(proc).wait()[os.getpid()]
        assert made.fileno() << 32 | os.fstat(made.fileno()).st_ino in held.sockets
        assert (namespace.fileno(), os.fstat(namespace.fileno()).st_ino) in held.namespaces


@pytest.mark.parametrize(("processors", "count"), [(1, 1), (2, 1), (4, 2), (64, 4)])
def test_they_have_ended_when_their_report_is_there_and_say_nothing_of_themselves(
    processors: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(processors)))
    scouts = Scouts.send(ProcFS())
    assert len(scouts.pids) == count
    assert not scouts.pids & scouts.wait().keys()
    assert not any(Path(f"/proc/{pid}").exists() for pid in scouts.pids)


def test_they_share_the_work_and_leave_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(subprocess.Popen(["sleep", "60"])) for _ in range(8)]
        for other in others:
            stack.callback(other.kill)
        assert {other.pid for other in others} <= Scouts.send(ProcFS()).wait().keys()


def test_where_no_process_can_be_made_the_report_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    scouts = Scouts.send(ProcFS())
    assert not scouts.pids
    assert not scouts.wait()


def test_a_walk_takes_its_word_once_and_then_looks_for_itself() -> None:
    proc = ProcFS()
    key = own_key()
    resolver = Resolver(proc)
    with socket.socket() as early:
        inode = os.fstat(early.fileno()).st_ino
        report = {key.pid: read_held(proc, key.pid)}
        with socket.socket() as late:
            late_inode = os.fstat(late.fileno()).st_ino
            resolver.look_at(key)
            resolver.take_report(report)
            resolver.walk(10.0, 0)
            assert [owner.pid for owner in resolver.owners(inode).holders] == [key.pid]
            assert not resolver.owners(late_inode).holders
            resolver.look_at(key)
            resolver.walk(10.0, 0)
            assert [owner.fd for owner in resolver.owners(late_inode).holders] == [late.fileno()]


def test_its_word_on_a_pid_that_nobody_is_to_look_at_is_not_kept_for_who_has_that_pid_later() -> None:
    proc = ProcFS()
    key = own_key()
    resolver = Resolver(proc)
    report = {key.pid: read_held(proc, key.pid)}
    resolver.take_report(report)
    with socket.socket() as late:
        resolver.look_at(key)
        resolver.walk(10.0, 0)
        owners = resolver.owners(os.fstat(late.fileno()).st_ino)
        assert [owner.fd for owner in owners.holders] == [late.fileno()]


@pytest.mark.parametrize("length", range(8))
def test_a_report_that_was_cut_short_is_read_up_to_there(length: int) -> None:
    whole = array("Q", (7, 1, 1, 3 << 32 | 99, 4 << 32 | 55, 8, 0, 0))
    report = _parse(whole[:length])
    assert list(report) == ([7] if length >= 5 else [])
    assert set(_parse(whole)) == {7, 8}
