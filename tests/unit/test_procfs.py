"""The decoders of /proc files of a process, and what is read of processes everyone may read."""

from __future__ import annotations

import errno
import os
import resource
import socket
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel.procfs import (
    CLK_TCK,
    PAGE_SIZE,
    ROOM,
    Gone,
    ProcFS,
    StatReader,
    failure,
    make_room,
    parse_command,
    parse_stat,
    raise_descriptor_limit,
)

PROC = ProcFS()
ME = os.getpid()

# Linux 6.18: a Python process, then kthreadd
LINE = (
    b"21593 (python) R 21592 21592 5058 0 -1 4194304 1330 0 0 0 3 1 0 0 20 -4 2 0 214007 18440192 2876 "
    b"18446744073709551615 4194304 7096893 140736238911424 0 0 0 0 16781312 2 0 0 0 17 1 0 0 0 0 0 9923728 10512640 "
    b"24162304 140736238912800 140736238912824 140736238912824 140736238915560 0\n"
)
KTHREADD = (
    b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 4 0 0 20 0 1 0 1 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 "
    b"0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


def test_a_stat_line_tells_the_process() -> None:
    stat = parse_stat(LINE)
    assert stat == (21593, "python", "R", 21592, 4194304, 3, 1, -4, 2, 214007, 18440192, 2876)
    assert not stat.kernel
    assert parse_stat(KTHREADD).kernel


@pytest.mark.parametrize(
    "name", [b"a b", b"(sd-pam)", b") R 1 (", b"a) S", b"new\nline", b"", b"\x1b[2J", b"kworker/0:1-x)"]
)
def test_a_name_may_hold_anything(name: bytes) -> None:
    assert parse_stat(LINE.replace(b"python", name)) == parse_stat(LINE)._replace(comm=name.decode())


def test_a_name_that_is_not_utf_8_is_replaced() -> None:
    assert parse_stat(LINE.replace(b"python", b"\xff\xfe")).comm == "\ufffd\ufffd"


@given(st.binary(max_size=300))
def test_anything_else_than_a_stat_line_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"stat line|invalid literal"):
        parse_stat(data)


@given(st.integers(0, 200))
def test_a_cut_stat_line_is_a_value_error_or_has_every_field(size: int) -> None:
    try:
        stat = parse_stat(LINE[:size])
    except ValueError:
        return
    assert stat._replace(rss_pages=0) == parse_stat(LINE)._replace(rss_pages=0)


@pytest.mark.parametrize(
    ("data", "command"),
    [
        (b"nginx\0-g\0daemon off;\0", "nginx -g daemon off;"),
        (b"postgres: writer   \0\0\0\0", "postgres: writer"),
        (b"", None),
        (b"\0\0", None),
        (b"a\xff\0", "a\ufffd"),
    ],
)
def test_a_command_is_its_arguments_joined(data: bytes, command: str | None) -> None:
    assert parse_command(data) == command


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, Gone),
        (errno.ESRCH, Gone),
        (errno.EACCES, PermissionError),
        (errno.EPERM, PermissionError),
        (errno.EIO, OSError),
        (errno.EMFILE, OSError),
    ],
)
def test_errors_are_gone_not_permitted_or_as_they_came_with_their_path(number: int, kind: type[OSError]) -> None:
    error = failure(OSError(number, "x"), "/proc/1/stat")
    assert type(error) is kind
    assert (error.errno, error.filename) == (number, "/proc/1/stat")


def test_it_reads_itself() -> None:
    stat = parse_stat(PROC.read_stat(ME))
    assert (stat.pid, stat.ppid, stat.state, stat.kernel) == (ME, os.getppid(), "R", False)
    assert stat.rss_pages * PAGE_SIZE > 1 << 20
    assert 0 <= time.time() - (PROC.boot_time() + stat.start_time / CLK_TCK) < 24 * 3600
    assert PROC.uid(ME) == os.geteuid()
    assert PROC.cgroup(ME) == Path("/proc/self/cgroup").read_text()
    own = os.stat("/proc/self/ns/net")
    assert PROC.netns(ME) == (own.st_dev, own.st_ino)
    pids = PROC.pids()
    assert ME in pids
    assert pids == sorted(pids)


def test_a_command_line_is_bounded() -> None:
    with subprocess.Popen(["sleep", "60", *["0" * 1000] * 20]) as sleeper:
        try:
            deadline = time.monotonic() + 10
            while (command := PROC.command(sleeper.pid)) is None and time.monotonic() < deadline:
                time.sleep(0.005)
        finally:
            sleeper.kill()
    assert command is not None
    assert command.startswith("sleep 60 000")
    assert len(command) == 4096


def test_sockets_are_found_with_their_inodes_and_every_file_is_counted() -> None:
    with socket.socket() as one, socket.socket(socket.AF_UNIX) as two, open("/dev/null") as other:
        sockets = sorted((s.fileno(), os.fstat(s.fileno()).st_ino) for s in (one, two))
        files = [fd for fd, _ in sockets] + [other.fileno()]
        standard = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        with subprocess.Popen(["sleep", "60"], pass_fds=files, **standard) as sleeper:  # type: ignore[call-overload]
            try:
                found = PROC.sockets(sleeper.pid)
            finally:
                sleeper.kill()
    assert sorted(found.sockets) == sockets
    assert found.total == 3 + len(files)


def test_the_number_of_open_files_follows_them() -> None:
    before = PROC.fd_count(ME)
    if before is None:
        pytest.skip("this kernel does not tell the number of open files (before Linux 6.2)")
    with open("/dev/null"):
        assert PROC.fd_count(ME) == before + 1


def ended() -> int:
    """The pid of a process that is no more."""
    with subprocess.Popen(["true"]) as process:
        return process.pid


@pytest.mark.parametrize("read", ["read_stat", "open_stat", "command", "uid", "cgroup", "netns", "sockets", "fd_count"])
def test_a_process_that_is_no_more_is_gone(read: str) -> None:
    if read == "fd_count" and PROC.fd_count(ME) is None:
        pytest.skip("this kernel does not tell the number of open files (before Linux 6.2)")
    with pytest.raises(Gone) as caught:
        getattr(PROC, read)(ended())
    assert str(caught.value.filename).startswith("/proc/")


def test_a_tree_elsewhere_is_read_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_bytes(LINE)
    (tmp_path / "stat").write_text("cpu  1 2 3\nctxt 5\nbtime 1700000000\nprocesses 9\n")
    elsewhere = ProcFS(str(tmp_path))
    assert elsewhere.pids() == [7]
    assert elsewhere.read_stat(7) == LINE
    assert elsewhere.boot_time() == 1700000000


@pytest.mark.parametrize("keep", [0, 10])
def test_the_stat_reader_tells_the_living_and_the_dead_whether_it_keeps_files_or_not(keep: int) -> None:
    reader = StatReader(PROC, keep)
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        while parse_stat(reader.read(sleeper.pid)).state != "S":  # of one that works, figures change
            time.sleep(0.01)
        assert parse_stat(reader.read(sleeper.pid)).pid == sleeper.pid
        assert reader.read(sleeper.pid) == PROC.read_stat(sleeper.pid)
        sleeper.kill()
    for _ in range(2):
        with pytest.raises(Gone):
            reader.read(sleeper.pid)


def test_the_stat_reader_keeps_no_more_files_than_it_may_and_closes_them() -> None:
    before = len(os.listdir("/proc/self/fd"))
    reader = StatReader(PROC, 1)
    parent = os.getppid()
    for _ in range(3):
        reader.read(ME)
        reader.read(parent)
        assert len(os.listdir("/proc/self/fd")) == before + 1
    reader.forget(ME)
    reader.forget(ME)
    assert len(os.listdir("/proc/self/fd")) == before
    reader.read(parent)
    reader.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_table_of_descriptors_is_large_enough_before_there_is_a_second_thread() -> None:
    before = os.listdir("/proc/self/fd")
    table = Path("/proc/self/status")
    make_room(ROOM)
    assert os.listdir("/proc/self/fd") == before, "nothing is left open"
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    size = next(int(line.split()[1]) for line in table.read_text().splitlines() if line.startswith("FDSize:"))
    assert size >= (ROOM if soft == resource.RLIM_INFINITY else min(ROOM, soft))


def test_the_limit_of_open_files_is_raised_within_the_hard_one() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        limit = raise_descriptor_limit()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert hard == before[1]
        assert limit <= soft or soft == resource.RLIM_INFINITY
        assert raise_descriptor_limit() == limit
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
