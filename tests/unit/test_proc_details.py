"""What is read of one process: decoded from what the kernel writes, and from what nobody should write."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel.proc_details import (
    InputOutput,
    Limit,
    Memory,
    file_kind,
    parse_environment,
    parse_io,
    parse_limits,
    parse_memory,
    parse_pids,
)

LIMITS = b"""\
Limit                     Soft Limit           Hard Limit           Units     \n\
Max cpu time              unlimited            unlimited            seconds   \n\
Max processes             96365                96365                processes \n\
Max open files            1024                 1048576              files     \n\
Max nice priority         0                    0                    \n\
Max realtime timeout      unlimited            unlimited            us        \n"""
"""As fs/proc/base.c, proc_pid_limits, prints them: "%-25s %-20s %-20s %-10s"."""

STATUS = b"Name:\todd\\nVmHWM:\t 1 kB\nVmHWM:\t   12268 kB\nVmSwap:\t       4 kB\nNSpid:\t2210\t7\nThreads:\t1\n"


def test_limits_are_read_with_their_unit_and_unlimited_is_none() -> None:
    assert parse_limits(LIMITS) == [
        Limit("cpu time", None, None, "seconds"),
        Limit("processes", 96365, 96365, "processes"),
        Limit("open files", 1024, 1048576, "files"),
        Limit("nice priority", 0, 0, ""),
        Limit("realtime timeout", None, None, "us"),
    ]


def test_an_environment_is_split_at_the_first_equals_sign() -> None:
    data = b"A=1\0B=x=y\0EMPTY=\0no sign\0\xff=\xfe\0\0"
    assert parse_environment(data) == [
        ("A", "1"),
        ("B", "x=y"),
        ("EMPTY", ""),
        ("", "no sign"),
        ("\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}"),
    ]
    assert parse_environment(b"") == []


def test_a_name_cannot_pass_for_a_line_of_the_status() -> None:
    assert parse_memory(STATUS) == Memory(peak=12268 << 10, swapped=4 << 10)
    assert parse_pids(STATUS) == [2210, 7]


def test_a_kernel_thread_has_no_memory() -> None:
    assert parse_memory(b"Name:\tkthreadd\nNSpid:\t2\n") == Memory(None, None)


def test_bytes_read_and_written() -> None:
    data = b"rchar: 5\nwchar: 6\nsyscr: 1\nsyscw: 1\nread_bytes: 7\nwrite_bytes: 8\ncancelled_write_bytes: 9\n"
    assert parse_io(data) == InputOutput(5, 6, 7, 8)
    with pytest.raises(ValueError, match="not a /proc/PID/io"):
        parse_io(b"rchar: 5\n")


@pytest.mark.parametrize(
    ("link", "kind"),
    [
        ("socket:[4711]", "socket"),
        ("pipe:[4711]", "pipe"),
        ("anon_inode:[eventpoll]", "eventpoll"),
        ("anon_inode:inotify", "inotify"),
        ("/dev/null", "device"),
        ("/memfd:buffer (deleted)", "memory"),
        ("/var/log/x", "file"),
        ("net:[4026531840]", "net"),
    ],
)
def test_a_file_is_called_by_what_it_is(link: str, kind: str) -> None:
    assert file_kind(link) == kind


@given(st.binary(max_size=400))
def test_nothing_that_might_be_read_breaks_a_reader(data: bytes) -> None:
    parse_environment(data)
    for parse in (parse_limits, parse_memory, parse_pids, parse_io):
        with contextlib.suppress(ValueError):
            parse(data)


@given(st.text())
def test_every_link_is_of_some_kind(link: str) -> None:
    assert isinstance(file_kind(link), str)
