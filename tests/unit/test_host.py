"""Figures of the host, and of nettop itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel import host
from nettop.kernel.procfs import CLK_TCK

SNMP = b"""Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens InSegs OutSegs RetransSegs InErrs
Tcp: 1 200 120000 -1 31 900 1234 56 0
Udp: InDatagrams
Udp: 7
"""


def test_tcp_segments_are_found_by_name() -> None:
    assert host.parse_tcp_segments(SNMP) == (1234, 56)


@pytest.mark.parametrize(
    "data", [b"", b"Ip: a\nIp: 1\n", b"Tcp: OutSegs\n", b"Tcp: OutSegs\nTcp: 1\n", b"Tcp:\nTcp:\n"]
)
def test_a_file_without_them_is_unknown_not_zero(data: bytes) -> None:
    assert host.parse_tcp_segments(data) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    host.parse_tcp_segments(data)
    host.parse_tcp_segments(b"Tcp: OutSegs RetransSegs\nTcp: " + data)


def test_private_memory_is_the_sum_of_clean_dirty_and_huge() -> None:
    rollup = b"Rss:  900 kB\nPss: 9 kB\nPrivate_Clean:  4 kB\nPrivate_Dirty:  8 kB\nPrivate_Hugetlb: 2048 kB\n"
    assert host.parse_private_bytes(rollup) == 2060 * 1024


def test_processor_times_and_memory_are_those_of_proc() -> None:
    times = host.parse_times(b"cpu  300 20 100 5000 70 0 10 0 30 4\n")
    assert (times.user * CLK_TCK, times.idle * CLK_TCK, times.guest_nice * CLK_TCK) == (300, 5000, 4)
    memory = host.parse_memory(b"MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  400 kB\nBuffers: 1 kB\n")
    assert memory == host.Memory(1000 * 1024, 400 * 1024)


@pytest.mark.parametrize("data", [b"", b"cpu", b"cpu 1 2 3", b"cpu0 1 2 3 4 5 6 7 8 9 10", b"cpu 1 2 3 x 5 6 7 8 9 10"])
def test_what_is_no_processor_time_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        host.parse_times(data)


def test_memory_that_is_not_told_is_no_zero() -> None:
    with pytest.raises(ValueError, match="MemAvailable"):
        host.parse_memory(b"MemTotal: 1000 kB\n")


@pytest.mark.parametrize("without_psutil", [False, True])
def test_the_host_is_read(without_psutil: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if without_psutil:
        monkeypatch.setitem(sys.modules, "psutil", None)
    reader = host.HostReader()
    first = reader.read()
    deadline = time.monotonic() + 10
    while (second := reader.read()).cpu_total <= first.cpu_total and time.monotonic() < deadline:
        time.sleep(0.02)
    assert second.cpu_total > first.cpu_total > 0
    assert 0 < first.cpu_busy < first.cpu_total
    assert 0 < first.mem_used < first.mem_total
    assert first.cpus == os.cpu_count()
    assert min(first[:3]) >= 0.0
    segments = host.read_tcp_segments()
    assert segments is None or min(segments) >= 0
    assert host.hostname() == os.uname().nodename


def test_own_cost_grows_with_what_is_used_and_its_memory_is_read_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = host.CostReader()
    reads = []
    original = host.read_private_bytes

    def counted() -> int:
        reads.append(original())
        return reads[-1]

    monkeypatch.setattr(host, "read_private_bytes", counted)
    first = reader.read()
    while (second := reader.read()).cpu_seconds <= first.cpu_seconds:
        sum(range(10_000))
    assert second.private_bytes == first.private_bytes == reads[0] > 1 << 20
    assert len(reads) == 1


def test_importing_it_does_not_import_psutil() -> None:
    code = "import sys, nettop.kernel.host; sys.exit('psutil' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
